//! Who waits for the end of which payment, among callers of the API. The pump tells them, after the payment's event is
//! on disk. What became of messages is not told here: messaging keeps its own account.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use boltgram_core::{Failure, Reason, message::PaymentHash, transport::Preimage};
use ldk_node::Event;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::{limits::PAYMENTS_WAITING_MAX, pump};

/// What became of a payment.
pub(crate) type Outcome = Result<Settled, Failure>;

/// A payment that the recipient claimed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Settled {
    /// The proof that it was paid.
    pub(crate) preimage: Preimage,
    /// The routing fee paid, in millisatoshi.
    pub(crate) fee_msat: u64,
}

/// The payments that are waited for.
pub(crate) struct Waiting {
    places: Arc<Semaphore>,
    payments: Mutex<HashMap<PaymentHash, Vec<oneshot::Sender<Outcome>>>>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(PAYMENTS_WAITING_MAX)), payments: Mutex::default() }
    }
}

/// One caller's wait for one payment. Dropped, it takes no room any longer.
pub(crate) struct Wait {
    waiting: Arc<Waiting>,
    payment_hash: PaymentHash,
    outcome: oneshot::Receiver<Outcome>,
    _place: OwnedSemaphorePermit,
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wait").field(&self.payment_hash).finish()
    }
}

impl Waiting {
    /// Waits for this payment from now on: call it before the payment starts, or its event may come first.
    pub(crate) fn wait_for(self: &Arc<Self>, payment_hash: PaymentHash) -> Result<Wait, Failure> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| {
            let message =
                format!("{PAYMENTS_WAITING_MAX} payments are waited for at the moment: try again when some have ended");
            Failure::new(Reason::TooManyCalls, message).with("limit", PAYMENTS_WAITING_MAX)
        })?;
        let (sender, outcome) = oneshot::channel();
        self.lock().entry(payment_hash).or_default().push(sender);
        Ok(Wait { waiting: Arc::clone(self), payment_hash, outcome, _place: place })
    }

    /// Tells all who wait for this payment.
    pub(crate) fn tell(&self, payment_hash: PaymentHash, outcome: &Outcome) {
        for waiting in self.lock().remove(&payment_hash).unwrap_or_default() {
            // The caller may have left.
            let _ = waiting.send(outcome.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PaymentHash, Vec<oneshot::Sender<Outcome>>>> {
        self.payments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wait {
    /// The payment's end, or `None` when nobody is left to tell it.
    pub(crate) async fn ended(&mut self) -> Option<Outcome> {
        (&mut self.outcome).await.ok()
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.outcome.close();
        let mut payments = self.waiting.lock();
        if let Some(senders) = payments.get_mut(&self.payment_hash) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                payments.remove(&self.payment_hash);
            }
        }
    }
}

/// The payment whose end an event tells, and how it ended.
pub(crate) fn told_by(event: &Event) -> Option<(PaymentHash, Outcome)> {
    match event {
        Event::PaymentSuccessful { payment_hash, payment_preimage, fee_paid_msat, .. } => {
            // ldk-node 0.7.1 always gives the preimage; it is optional for events that older versions stored.
            let preimage = Preimage(payment_preimage.as_ref()?.0);
            Some((PaymentHash(payment_hash.0), Ok(Settled { preimage, fee_msat: fee_paid_msat.unwrap_or(0) })))
        }
        Event::PaymentFailed { payment_hash: Some(payment_hash), reason, .. } => {
            Some((PaymentHash(payment_hash.0), Err(pump::failure(*reason))))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: PaymentHash = PaymentHash([1; 32]);

    fn paid() -> Outcome {
        Ok(Settled { preimage: Preimage([7; 32]), fee_msat: 3 })
    }

    #[tokio::test]
    async fn each_who_waits_for_a_payment_is_told_its_end_and_nobody_else_is() {
        let waiting = Arc::new(Waiting::default());
        let (mut first, mut second) = (waiting.wait_for(HASH).unwrap(), waiting.wait_for(HASH).unwrap());
        let mut other = waiting.wait_for(PaymentHash([2; 32])).unwrap();
        waiting.tell(HASH, &paid());
        assert_eq!((first.ended().await, second.ended().await), (Some(paid()), Some(paid())));
        assert!(other.outcome.try_recv().is_err());
    }

    #[tokio::test]
    async fn who_left_takes_no_room() {
        let waiting = Arc::new(Waiting::default());
        let first = waiting.wait_for(HASH).unwrap();
        let mut second = waiting.wait_for(HASH).unwrap();
        drop(first);
        assert_eq!(waiting.lock()[&HASH].len(), 1);
        waiting.tell(HASH, &paid());
        assert_eq!(second.ended().await, Some(paid()));
        drop(second);
        assert!(waiting.lock().is_empty());
        assert_eq!(waiting.places.available_permits(), PAYMENTS_WAITING_MAX);
    }

    #[test]
    fn the_number_of_waits_is_bounded() {
        let waiting = Arc::new(Waiting::default());
        let places: Vec<Wait> = (0..PAYMENTS_WAITING_MAX).map(|_| waiting.wait_for(HASH).unwrap()).collect();
        assert_eq!(waiting.wait_for(HASH).unwrap_err().reason, Reason::TooManyCalls);
        drop(places);
        assert!(waiting.wait_for(HASH).is_ok());
    }
}
