//! The log, followed from any sequence number: first what is there, then what comes, nothing missed in between.
//!
//! A subscriber reads the log, not a copy of what passes by: a slow one is behind, and neither loses anything nor slows
//! another.

use std::sync::Arc;

use boltgram_core::{
    Failure, Reason,
    limits::{LOG_READ_ENTRIES_MAX, SUBSCRIBER_QUEUE_ENTRIES_MAX, SUBSCRIBERS_MAX},
};
use boltgram_store::read::LogEntry;
use tokio::sync::mpsc;

use crate::{Messaging, blocking};

/// What a subscriber receives: entries in order, or one last error. It ends when the node stops.
pub type Subscription = mpsc::Receiver<Result<LogEntry, Failure>>;

impl Messaging {
    /// Follows the log after this sequence number; `None`: from now on. Entries of sent messages only if asked. It is
    /// live when this returns. Must be called within a tokio runtime.
    pub fn subscribe(self: &Arc<Self>, after: Option<u64>, include_sent: bool) -> Result<Subscription, Failure> {
        let place = self.subscribers.clone().try_acquire_owned().map_err(|_| {
            Failure::new(
                Reason::TooManyCalls,
                format!("{SUBSCRIBERS_MAX} subscribers follow the log: end one of them, then try again"),
            )
            .with("limit", SUBSCRIBERS_MAX)
        })?;
        let tip = *self.store.watch_sequence().borrow();
        let after = after.unwrap_or(tip);
        if after > tip {
            return Err(Failure::new(
                Reason::InvalidField,
                format!("the log ends at {tip}: give a sequence number of at most that"),
            )
            .with("field", "after_sequence")
            .with("last_sequence", tip));
        }
        let (sender, receiver) = mpsc::channel(SUBSCRIBER_QUEUE_ENTRIES_MAX);
        let service = self.clone();
        tokio::spawn(async move {
            let closed = sender.clone();
            tokio::select! {
                () = service.follow(after, include_sent, sender) => {}
                () = closed.closed() => {}
                () = service.ended() => {}
            }
            drop(place);
        });
        Ok(receiver)
    }

    /// Reads on and on; returns only at an error.
    async fn follow(
        self: &Arc<Self>,
        mut after: u64,
        include_sent: bool,
        sender: mpsc::Sender<Result<LogEntry, Failure>>,
    ) {
        let mut tip = self.store.watch_sequence();
        while tip.wait_for(|tip| *tip > after).await.is_ok() {
            let service = self.clone();
            let read = blocking(move || Ok(service.store.log_after(after, include_sent, LOG_READ_ENTRIES_MAX)?)).await;
            let read = match read {
                Ok(read) => read,
                Err(failure) => {
                    // The subscriber may have left; there is nobody else to tell.
                    let _ = sender.send(Err(failure)).await;
                    return;
                }
            };
            after = read.read_to;
            for entry in read.entries {
                if sender.send(Ok(entry)).await.is_err() {
                    return;
                }
            }
        }
    }
}
