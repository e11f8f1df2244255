//! Reading: one message, a page of them.

use std::sync::Arc;

use boltgram_core::{Failure, MessageId, Reason, message::Message};
use boltgram_store::read::{Page, Query};

use crate::{Messaging, blocking};

impl Messaging {
    /// The message with this id.
    pub async fn message(self: &Arc<Self>, id: MessageId) -> Result<Message, Failure> {
        let service = self.clone();
        let found = blocking(move || Ok(service.store.message(id)?)).await?;
        found.ok_or_else(|| {
            Failure::new(
                Reason::MessageNotFound,
                format!("no message has the id {id}: list them to see which there are"),
            )
            .with("id", id)
        })
    }

    /// A page of messages, the newest first.
    pub async fn page(self: &Arc<Self>, query: Query) -> Result<Page, Failure> {
        let service = self.clone();
        blocking(move || Ok(service.store.page(&query)?)).await
    }
}
