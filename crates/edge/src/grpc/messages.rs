//! `boltgram.v1.Messages`: all that the small contract leaves out.

mod request;

use std::sync::Arc;

use boltgram_api::v1::{self, messages_server};
use boltgram_core::{MessageId, policy::HeldReason};
use boltgram_messaging::{Messaging, PageKey};
use tonic::{Request, Response, Status, async_trait};

use super::{Events, convert, deadline, events, status::from_failure};

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

/// A page's token for the next one; empty when there is none.
fn token(next: Option<PageKey>) -> String {
    next.map(|key| key.to_string()).unwrap_or_default()
}

fn id(text: &str) -> Result<MessageId, Status> {
    text.parse().map_err(from_failure)
}

#[async_trait]
impl messages_server::Messages for Messages {
    type SubscribeStream = Events<v1::SubscribeResponse>;

    async fn send(&self, request: Request<v1::SendRequest>) -> Result<Response<v1::SendResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let new = request::new_message(&metadata, request)?;
        let sent = self.messaging.send(new, deadline::wait(&metadata)).await.map_err(from_failure)?;
        Ok(Response::new(v1::SendResponse { message: Some(convert::message(sent)) }))
    }

    async fn quote(&self, request: Request<v1::SendRequest>) -> Result<Response<v1::QuoteResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let quote = self.messaging.quote(request::new_message(&metadata, request)?).await.map_err(from_failure)?;
        Ok(Response::new(v1::QuoteResponse {
            frames: i32::try_from(quote.frames).unwrap_or(i32::MAX),
            amount_sat: convert::signed(quote.amount_sat),
            record_bytes: convert::signed(quote.record_bytes as u64),
            record_bytes_max: convert::signed(quote.record_bytes_max as u64),
            fee_limit_sat: convert::signed(quote.fee_limit_msat.div_ceil(1_000)),
            fee_limit_msat: convert::signed(quote.fee_limit_msat),
        }))
    }

    async fn cancel(&self, request: Request<v1::CancelRequest>) -> Result<Response<v1::CancelResponse>, Status> {
        let message = self.messaging.cancel(id(&request.into_inner().id)?).await.map_err(from_failure)?;
        Ok(Response::new(v1::CancelResponse { message: Some(convert::message(message)) }))
    }

    async fn delete(&self, request: Request<v1::DeleteRequest>) -> Result<Response<v1::DeleteResponse>, Status> {
        self.messaging.delete(id(&request.into_inner().id)?).await.map_err(from_failure)?;
        Ok(Response::new(v1::DeleteResponse {}))
    }

    async fn get(&self, request: Request<v1::GetRequest>) -> Result<Response<v1::GetResponse>, Status> {
        let found = self.messaging.message(id(&request.into_inner().id)?).await.map_err(from_failure)?;
        Ok(Response::new(v1::GetResponse { message: Some(convert::message(found)) }))
    }

    async fn list(&self, request: Request<v1::ListRequest>) -> Result<Response<v1::ListResponse>, Status> {
        let query = request::query(request.get_ref())?;
        let page = self.messaging.page(query).await.map_err(from_failure)?;
        Ok(Response::new(v1::ListResponse {
            messages: page.messages.into_iter().map(convert::message).collect(),
            next_page_token: token(page.next),
        }))
    }

    async fn list_conversations(
        &self,
        request: Request<v1::ListConversationsRequest>,
    ) -> Result<Response<v1::ListConversationsResponse>, Status> {
        let request = request.get_ref();
        let before = request::page_token(&request.page_token, false)?;
        let limit = request::page_size(request.page_size)?;
        let page = self.messaging.conversations(before, limit).await.map_err(from_failure)?;
        Ok(Response::new(v1::ListConversationsResponse {
            conversations: page.conversations.into_iter().map(convert::conversation).collect(),
            next_page_token: token(page.next),
        }))
    }

    async fn mark_read(&self, request: Request<v1::MarkReadRequest>) -> Result<Response<v1::MarkReadResponse>, Status> {
        let (peer, up_to) = request::read(request.get_ref())?;
        let marked = self.messaging.mark_read(peer, up_to).await.map_err(from_failure)?;
        Ok(Response::new(v1::MarkReadResponse {
            marked: convert::signed(marked.marked),
            unread: convert::signed(marked.unread),
        }))
    }

    async fn search(&self, request: Request<v1::SearchRequest>) -> Result<Response<v1::SearchResponse>, Status> {
        let search = request::search(request.get_ref())?;
        let page = self.messaging.search(search).await.map_err(from_failure)?;
        Ok(Response::new(v1::SearchResponse {
            messages: page.messages.into_iter().map(convert::message).collect(),
            next_page_token: token(page.next),
        }))
    }

    async fn list_held(&self, request: Request<v1::ListHeldRequest>) -> Result<Response<v1::ListHeldResponse>, Status> {
        let request = request.get_ref();
        let before = request::page_token(&request.page_token, false)?;
        let limit = request::page_size(request.page_size)?;
        let page = self.messaging.held(before, limit).await.map_err(from_failure)?;
        let counts = self.messaging.inbox_counts().await.map_err(from_failure)?.held;
        let count = |(reason, payments): (HeldReason, u64)| v1::HeldCount {
            reason: reason.code().to_owned(),
            payments: convert::signed(payments),
        };
        Ok(Response::new(v1::ListHeldResponse {
            payments: page.held.into_iter().map(convert::held).collect(),
            counts: counts.into_iter().map(count).collect(),
            next_page_token: token(page.next),
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
