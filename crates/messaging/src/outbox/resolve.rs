//! Payments whose end a crash or an error has left unknown.
//!
//! Such a payment may never have been sent, be in flight, or have ended untold. Sending it once more, the same preimage
//! and the same bytes, tells the first two apart, and is harmless for the third: the receiver refuses a payment that it
//! has, and a new one under the same message id settles it.

use boltgram_core::{Failure, NodeId, message::PaymentHash, transport::SendError};

use super::{Outbox, Unresolved, carry::random};

impl Outbox {
    /// It isn't known whether this payment was sent.
    pub(super) fn unclear(&self, recipient: NodeId, payment_hash: PaymentHash, now_ms: u64) {
        let mut unresolved = Unresolved { recipient, backoff: Default::default() };
        unresolved.backoff.failed(now_ms, random());
        self.lock().unresolved.insert(payment_hash, unresolved);
    }

    /// Finds out what became of the payments that are unresolved, as far as that can be found out now.
    pub fn resolve(&self, now_ms: u64) -> Result<(), Failure> {
        let due: Vec<(PaymentHash, NodeId)> = {
            let lanes = self.lock();
            let is_due = |unresolved: &Unresolved| lanes.is_caught_up && unresolved.backoff.until_ms() <= now_ms;
            let due = lanes.unresolved.iter().filter(|(_, unresolved)| is_due(unresolved));
            due.map(|(hash, unresolved)| (*hash, unresolved.recipient)).collect()
        };
        for (payment_hash, recipient) in due {
            let Some(payment) = self.store.open_payment(payment_hash)? else {
                self.lock().unresolved.remove(&payment_hash);
                continue;
            };
            // A try while the recipient can't be reached would prove nothing.
            let outcome = match self.transport.check(recipient, payment.amount_msat) {
                Err(error @ SendError::NotSent(_)) => Err(error),
                _ => self.transport.resend(&payment),
            };
            let mut lanes = self.lock();
            match outcome {
                Ok(()) | Err(SendError::AlreadySent) => {
                    tracing::info!(%payment_hash, "a payment from before is in flight");
                    lanes.unresolved.remove(&payment_hash);
                }
                Err(error) => {
                    tracing::debug!(%payment_hash, ?error, "what became of a payment is not known yet");
                    if let Some(unresolved) = lanes.unresolved.get_mut(&payment_hash) {
                        unresolved.backoff.failed(now_ms, random());
                    }
                }
            }
        }
        Ok(())
    }
}
