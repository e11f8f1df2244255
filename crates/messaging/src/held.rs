//! What was put aside of what came in, the counts of all of it, and what an hourly look gives and drops.

use std::sync::Arc;

use boltgram_core::{Failure, limits::TIDY_MS};
use boltgram_store::{
    StoreError,
    incoming::{HeldPage, InboxCounts},
    read::PageKey,
};

use crate::{Messaging, blocking, now_ms};

impl Messaging {
    /// A page of the payments of which something was put aside, the newest first: those before `before`, at most `limit`.
    pub async fn held(self: &Arc<Self>, before: Option<PageKey>, limit: usize) -> Result<HeldPage, Failure> {
        let service = self.clone();
        blocking(move || Ok(service.store.held(before, limit)?)).await
    }

    /// What came in, in numbers.
    pub async fn inbox_counts(self: &Arc<Self>) -> Result<InboxCounts, Failure> {
        let service = self.clone();
        blocking(move || Ok(service.store.inbox_counts()?)).await
    }

    /// Starts the tidying: now, then every hour. It ends with the service.
    pub(crate) fn start_tidying(&self) {
        self.every(TIDY_MS, |service| async move {
            if let Err(failure) = tidy(&service).await {
                tracing::error!(%failure, "what is kept for a time only could not be looked through");
            }
        });
    }

    /// Drops what is kept for a time only: the parts of messages whose rest doesn't come any longer, and old records of what
    /// was put aside. The service does it every hour by itself. `now_ms` is Unix time in milliseconds. Blocks on the disk.
    pub fn tidy_inbox(&self, now_ms: u64) -> Result<(), StoreError> {
        let dropped = self.store.drop_old_fragments(now_ms)?;
        if dropped.messages > 0 {
            let (messages, bytes) = (dropped.messages, dropped.bytes);
            tracing::warn!(messages, bytes, "parts of messages were dropped: the rest of them did not come in time");
        }
        let records = self.store.drop_old_held_records(now_ms)?;
        if records > 0 {
            tracing::info!(records, "old records of payments that were put aside were dropped");
        }
        Ok(())
    }
}

/// One look: the receipts that are owed still, what is kept for a time only, and the messages that are older than the retention.
async fn tidy(service: &Arc<Messaging>) -> Result<(), Failure> {
    let now_ms = now_ms();
    let inbox = service.clone();
    blocking(move || {
        inbox.give_receipts(now_ms);
        Ok(inbox.tidy_inbox(now_ms)?)
    })
    .await?;
    let mut deleted = 0;
    // Each round deletes a bounded number of those that were old when this began.
    while let round @ 1.. = service.retain(now_ms).await? {
        deleted += round;
    }
    if deleted > 0 {
        tracing::info!(deleted, "messages older than the retention were deleted");
    }
    Ok(())
}
