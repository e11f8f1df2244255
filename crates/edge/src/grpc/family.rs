//! `messaging.Messaging` and `websocket.Websocket`: the contract with existing clients of the API family.

use std::sync::Arc;

use boltgram_api::{
    messaging::{SendMessageRequest, SendMessageResponse, messaging_server},
    websocket::{SubscribeRequest, SubscribeResponse, websocket_server},
};
use boltgram_core::{
    frame::TEXT,
    message::{Body, Message},
};
use boltgram_messaging::{Messaging, send::NewMessage};
use data_encoding::BASE64;
use tonic::{Request, Response, Status, async_trait};

use super::{Events, convert, deadline, events, idempotency, status::from_failure};

/// Serves both over the messaging service.
#[derive(Clone)]
pub struct Family {
    messaging: Arc<Messaging>,
}

impl Family {
    /// Over this messaging service.
    pub fn new(messaging: Arc<Messaging>) -> Self {
        Self { messaging }
    }
}

#[async_trait]
impl messaging_server::Messaging for Family {
    async fn send_message(
        &self,
        request: Request<SendMessageRequest>,
    ) -> Result<Response<SendMessageResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let new = NewMessage {
            recipient: request.pubkey.parse().map_err(from_failure)?,
            content_type: TEXT.to_owned(),
            body: Body(request.msg.into_bytes()),
            amount_sat: convert::amount_sat(request.amount)?,
            reply_to: convert::reply_to(&request.reply_to_id)?,
            fee_limit_msat: None,
            queue: false,
            expires_in_ms: None,
            idempotency_key: idempotency::key(&metadata, "")?,
            receipt: false,
        };
        let sent = self.messaging.send(new, deadline::wait(&metadata)).await.map_err(from_failure)?;
        Ok(Response::new(SendMessageResponse { id: sent.id.to_string() }))
    }
}

#[async_trait]
impl websocket_server::Websocket for Family {
    type SubscribeStream = Events<SubscribeResponse>;

    async fn subscribe(&self, _: Request<SubscribeRequest>) -> Result<Response<Self::SubscribeStream>, Status> {
        let subscription = self.messaging.subscribe(None, false).map_err(from_failure)?;
        Ok(events(subscription, |entry| to_listener(entry.message)))
    }
}

fn to_listener(message: Message) -> SubscribeResponse {
    let data = message.text().map_or_else(|| BASE64.encode(&message.body.0), str::to_owned);
    SubscribeResponse {
        id: message.id.to_string(),
        reply_to_id: message.reply_to.map(|id| id.to_string()).unwrap_or_default(),
        from_pubkey: message.peer.map(|peer| peer.to_string()).unwrap_or_default(),
        data,
        service_type: "message".to_owned(),
        amount: convert::signed(message.amount_msat / 1_000),
    }
}
