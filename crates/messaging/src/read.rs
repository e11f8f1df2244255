//! Reading: one message, a page of them, conversations, the search; and what a reader does to messages: marks them as
//! read, deletes them.

use std::sync::Arc;

use boltgram_core::{
    Failure, MessageId, Reason,
    limits::{MARK_READ_MESSAGES_MAX, RETENTION_MESSAGES_MAX},
    message::{Message, Peer},
};
use boltgram_store::{
    conversations::{ConversationPage, MarkedRead},
    delete::Deletion,
    read::{Page, PageKey, Query},
    search::Search,
};

use crate::{Messaging, blocking, now_ms};

/// A day in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

impl Messaging {
    /// The message with this id.
    pub async fn message(self: &Arc<Self>, id: MessageId) -> Result<Message, Failure> {
        let service = self.clone();
        let found = blocking(move || Ok(service.store.message(id)?)).await?;
        found.ok_or_else(|| not_found(id))
    }

    /// A page of messages, the newest first: by their ids with a peer, else by arrival.
    pub async fn page(self: &Arc<Self>, query: Query) -> Result<Page, Failure> {
        let service = self.clone();
        blocking(move || Ok(service.store.page(&query)?)).await
    }

    /// A page of conversations, the one with the last activity first.
    pub async fn conversations(
        self: &Arc<Self>,
        before: Option<PageKey>,
        limit: usize,
    ) -> Result<ConversationPage, Failure> {
        let service = self.clone();
        blocking(move || Ok(service.store.conversations(before, limit)?)).await
    }

    /// Marks what was received in a conversation up to this id as read; `None`: all of it.
    pub async fn mark_read(self: &Arc<Self>, peer: Peer, up_to: Option<MessageId>) -> Result<MarkedRead, Failure> {
        let service = self.clone();
        blocking(move || {
            let up_to = up_to.unwrap_or(MessageId::HIGHEST);
            let mut marked = 0;
            // Each round marks some of what is unread, and what arrives meanwhile is less than that.
            loop {
                let round = service.store.mark_read(peer, up_to, MARK_READ_MESSAGES_MAX)?;
                marked += round.marked;
                if round.marked < MARK_READ_MESSAGES_MAX as u64 {
                    return Ok(MarkedRead { marked, ..round });
                }
            }
        })
        .await
    }

    /// A page of the texts with these words, the newest first.
    pub async fn search(self: &Arc<Self>, search: Search) -> Result<Page, Failure> {
        let service = self.clone();
        blocking(move || Ok(service.store.search(&search)?)).await
    }

    /// Deletes a message's content. Its key stays, so that a repeat of it is known.
    pub async fn delete(self: &Arc<Self>, id: MessageId) -> Result<(), Failure> {
        let service = self.clone();
        match blocking(move || Ok(service.store.delete(id, now_ms())?)).await? {
            Deletion::Done => Ok(()),
            Deletion::NotFound => Err(not_found(id)),
            Deletion::NotFinished(state) => {
                let text = format!("the message {id} is {state:?} still: cancel it, then delete it once it has ended");
                Err(Failure::new(Reason::MessageNotFinished, text).with("id", id))
            }
        }
    }

    /// Deletes some of what is older than the retention, the oldest first, and tells how many it deleted: a bounded
    /// number, so that it is to be called again and again. Without a retention it does nothing.
    pub async fn retain(self: &Arc<Self>, now_ms: u64) -> Result<u64, Failure> {
        let Some(days) = self.retention_days else { return Ok(0) };
        let (service, age_ms) = (self.clone(), u64::from(days.get()).saturating_mul(DAY_MS));
        blocking(move || Ok(service.store.delete_older(now_ms, age_ms, RETENTION_MESSAGES_MAX)?)).await
    }
}

fn not_found(id: MessageId) -> Failure {
    let text = format!("no message has the id {id}: list them to see which there are");
    Failure::new(Reason::MessageNotFound, text).with("id", id)
}
