//! `boltgram.v1.Messages`: all that the small contract leaves out.

use std::sync::Arc;

use boltgram_api::v1::{self, messages_server, send_request::Content};
use boltgram_core::{
    limits::{PAGE_MESSAGES_DEFAULT, PAGE_MESSAGES_MAX},
    message::{Body, Direction},
};
use boltgram_messaging::{Messaging, PageKey, Query, send::NewMessage};
use tonic::{Request, Response, Status, async_trait};

use super::{
    Events,
    convert::{self, invalid_field},
    deadline, events,
    status::from_failure,
};

/// What bytes are when their sender doesn't say.
const BYTES: &str = "application/octet-stream";

/// Serves it over the messaging service.
#[derive(Clone)]
pub struct Messages {
    messaging: Arc<Messaging>,
}

impl Messages {
    /// Over this messaging service.
    pub fn new(messaging: Arc<Messaging>) -> Self {
        Self { messaging }
    }
}

#[async_trait]
impl messages_server::Messages for Messages {
    type SubscribeStream = Events<v1::SubscribeResponse>;

    async fn send(&self, request: Request<v1::SendRequest>) -> Result<Response<v1::SendResponse>, Status> {
        let wait = deadline::wait(request.metadata());
        let new = new_message(request.into_inner())?;
        let sent = self.messaging.send(new, wait).await.map_err(from_failure)?;
        Ok(Response::new(v1::SendResponse { message: Some(convert::message(sent)) }))
    }

    async fn quote(&self, request: Request<v1::SendRequest>) -> Result<Response<v1::QuoteResponse>, Status> {
        let quote = self.messaging.quote(new_message(request.into_inner())?).await.map_err(from_failure)?;
        Ok(Response::new(v1::QuoteResponse {
            frames: i32::try_from(quote.frames).unwrap_or(i32::MAX),
            amount_sat: convert::signed(quote.amount_sat),
            record_bytes: convert::signed(quote.record_bytes as u64),
            record_bytes_max: convert::signed(quote.record_bytes_max as u64),
            fee_limit_sat: convert::signed(quote.fee_limit_msat.div_ceil(1_000)),
            fee_limit_msat: convert::signed(quote.fee_limit_msat),
        }))
    }

    async fn get(&self, request: Request<v1::GetRequest>) -> Result<Response<v1::GetResponse>, Status> {
        let id = request.into_inner().id.parse().map_err(from_failure)?;
        let found = self.messaging.message(id).await.map_err(from_failure)?;
        Ok(Response::new(v1::GetResponse { message: Some(convert::message(found)) }))
    }

    async fn list(&self, request: Request<v1::ListRequest>) -> Result<Response<v1::ListResponse>, Status> {
        let page = self.messaging.page(query(request.into_inner())?).await.map_err(from_failure)?;
        Ok(Response::new(v1::ListResponse {
            messages: page.messages.into_iter().map(convert::message).collect(),
            next_page_token: page.next.map(|PageKey(key)| key.to_string()).unwrap_or_default(),
        }))
    }

    async fn subscribe(
        &self,
        request: Request<v1::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let request = request.into_inner();
        let after = request.after_sequence.map(|number| convert::count("after_sequence", number)).transpose()?;
        let subscription = self.messaging.subscribe(after, request.include_sent).map_err(from_failure)?;
        Ok(events(subscription, |entry| v1::SubscribeResponse {
            sequence: convert::signed(entry.sequence),
            message: Some(convert::message(entry.message)),
        }))
    }
}

fn new_message(request: v1::SendRequest) -> Result<NewMessage, Status> {
    let (body, default_type) = match request.content {
        Some(Content::Text(text)) => (text.into_bytes(), boltgram_core::frame::TEXT),
        Some(Content::Body(body)) => (body, BYTES),
        None => (Vec::new(), BYTES),
    };
    let fee_limit_sat = request.fee_limit_sat.map(|sat| convert::count("fee_limit_sat", sat)).transpose()?;
    Ok(NewMessage {
        recipient: request.pubkey.parse().map_err(from_failure)?,
        content_type: if request.content_type.is_empty() { default_type.to_owned() } else { request.content_type },
        body: Body(body),
        amount_sat: convert::amount_sat(request.amount_sat)?,
        reply_to: convert::reply_to(&request.reply_to_id)?,
        fee_limit_msat: fee_limit_sat.map(|sat| sat.saturating_mul(1_000)),
        queue: false,
        expires_in_ms: None,
        idempotency_key: None,
    })
}

fn query(request: v1::ListRequest) -> Result<Query, Status> {
    let limit = match usize::try_from(request.page_size) {
        Ok(0) => PAGE_MESSAGES_DEFAULT,
        Ok(size) => size.min(PAGE_MESSAGES_MAX),
        Err(_) => return Err(invalid_field("page_size", "is negative: give 0 or more")),
    };
    let before = match request.page_token.as_str() {
        "" => None,
        token => {
            let key = token.parse().map_err(|_| {
                invalid_field("page_token", "is none that was given: take next_page_token of the page before")
            })?;
            Some(PageKey(key))
        }
    };
    let direction = match v1::Direction::try_from(request.direction) {
        Ok(v1::Direction::Unspecified) => None,
        Ok(v1::Direction::In) => Some(Direction::In),
        Ok(v1::Direction::Out) => Some(Direction::Out),
        Err(_) => return Err(invalid_field("direction", "is unknown: give DIRECTION_IN or DIRECTION_OUT")),
    };
    let peer = match request.peer_pubkey.as_str() {
        "" => None,
        pubkey => Some(pubkey.parse().map_err(from_failure)?),
    };
    Ok(Query { direction, peer, before, limit })
}
