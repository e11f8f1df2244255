//! Who waits for which message. A send holds a place from its check to its end, so that a stop can wait until all
//! places are free.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use boltgram_core::{Failure, MessageId, Reason, limits::SENDS_WAITING_MAX, message::Message};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::timeout,
};

/// What a waiting call is told.
pub(crate) type Outcome = Result<Message, Failure>;

/// A send's place among those that are under way.
pub(crate) struct Place(
    #[allow(dead_code, reason = "held, never read: dropping it frees the place")] OwnedSemaphorePermit,
);

pub(crate) struct Waiting {
    places: Arc<Semaphore>,
    /// Several calls may wait for one message: each has a place, so they are bounded.
    messages: Mutex<HashMap<MessageId, Vec<oneshot::Sender<Outcome>>>>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(SENDS_WAITING_MAX)), messages: Mutex::default() }
    }
}

impl Waiting {
    /// A place for one send.
    pub(crate) fn place(&self) -> Result<Place, Failure> {
        self.places.clone().try_acquire_owned().map(Place).map_err(|_| {
            Failure::new(
                Reason::TooManyCalls,
                format!("{SENDS_WAITING_MAX} messages are being sent at the moment: try again when some have arrived"),
            )
            .with("limit", SENDS_WAITING_MAX)
        })
    }

    /// Waits for this message: call it before the message can end, or read it again afterwards.
    pub(crate) fn register(&self, id: MessageId) -> oneshot::Receiver<Outcome> {
        let (sender, receiver) = oneshot::channel();
        let mut messages = self.lock();
        let waiting = messages.entry(id).or_default();
        waiting.retain(|earlier| !earlier.is_closed());
        waiting.push(sender);
        receiver
    }

    /// Forgets those calls that no longer wait for this message.
    pub(crate) fn tidy(&self, id: MessageId) {
        let mut messages = self.lock();
        if let Some(waiting) = messages.get_mut(&id) {
            waiting.retain(|call| !call.is_closed());
            if waiting.is_empty() {
                messages.remove(&id);
            }
        }
    }

    /// Tells all who wait for this message, if the outcome holds still. Who takes a failed message up again waits for it
    /// afterwards, so what is asked here is asked before anybody new can wait.
    pub(crate) fn tell(&self, id: MessageId, outcome: &Outcome, holds: impl FnOnce() -> bool) {
        let mut messages = self.lock();
        if !messages.contains_key(&id) || !holds() {
            return;
        }
        for waiting in messages.remove(&id).into_iter().flatten() {
            // The caller may have left.
            let _ = waiting.send(outcome.clone());
        }
    }

    /// Waits until no send is under way, at most for `limit`; says whether that came about.
    pub(crate) async fn drained(&self, limit: Duration) -> bool {
        timeout(limit, self.places.acquire_many(SENDS_WAITING_MAX as u32)).await.is_ok()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<MessageId, Vec<oneshot::Sender<Outcome>>>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_is_told_what_holds_and_nothing_is_left_behind() {
        let (waiting, id) = (Waiting::default(), MessageId::LOWEST);
        let failure = |text| Err(Failure::new(Reason::PaymentFailed, text));
        let told = waiting.register(id);
        waiting.tell(id, &failure("before it was taken up again"), || false);
        waiting.tell(id, &failure("after it"), || true);
        assert_eq!(told.await.unwrap(), failure("after it"));
        drop(waiting.register(id));
        waiting.tidy(id);
        assert!(waiting.lock().is_empty());
    }
}
