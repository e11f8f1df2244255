//! Who waits for which payment. A send holds a place from its check to its end, so that a stop can wait until all
//! places are free.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use boltgram_core::{
    Failure, Reason,
    limits::SENDS_WAITING_MAX,
    message::{Message, PaymentHash},
};
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
    payments: Mutex<HashMap<PaymentHash, oneshot::Sender<Outcome>>>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(SENDS_WAITING_MAX)), payments: Mutex::default() }
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

    /// Waits for this payment: call it before the payment starts, or its event may come first.
    pub(crate) fn register(&self, payment_hash: PaymentHash) -> oneshot::Receiver<Outcome> {
        let (sender, receiver) = oneshot::channel();
        self.lock().insert(payment_hash, sender);
        receiver
    }

    /// No longer waits for this payment.
    pub(crate) fn forget(&self, payment_hash: PaymentHash) {
        self.lock().remove(&payment_hash);
    }

    /// Tells who waits for this payment, if anybody does.
    pub(crate) fn tell(&self, payment_hash: PaymentHash, outcome: Outcome) {
        if let Some(waiting) = self.lock().remove(&payment_hash) {
            // The caller may have left.
            let _ = waiting.send(outcome);
        }
    }

    /// Waits until no send is under way, at most for `limit`; says whether that came about.
    pub(crate) async fn drained(&self, limit: Duration) -> bool {
        timeout(limit, self.places.acquire_many(SENDS_WAITING_MAX as u32)).await.is_ok()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PaymentHash, oneshot::Sender<Outcome>>> {
        self.payments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
