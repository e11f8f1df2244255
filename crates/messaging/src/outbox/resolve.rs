//! Payments whose end a crash or an error has left unknown.
//!
//! Such a payment may never have been sent, be in flight, or have ended untold. Sending it once more, the same preimage
//! and the same bytes, tells the first two apart, and is harmless for the third: the receiver refuses a payment that it
//! has, and a new one under the same message id settles it.
//!
//! The node looks for a route before it looks whether it knows the payment. So one that was cut for a shorter way than is
//! left would never be resolved: after some tries it is cut anew, under the same preimage.

use boltgram_core::{
    Failure, NodeId,
    frame::Frame,
    limits::{RECORD_BYTES_LONGEST_WAY_MIN, RECORD_BYTES_PER_HOP, UNRESOLVED_TRIES_MIN, UNTOLD_RETRY_MS},
    message::PaymentHash,
    outbox::cut::shortened,
    record::HEADER_BYTES,
    transport::{Keysend, SendError},
};
use boltgram_store::outgoing::{AttemptPart, SettledPart};

use super::{Ended, Outbox, Unresolved, carry::random, end_of};

impl Outbox {
    /// It isn't known whether this payment was sent.
    pub(super) fn unclear(&self, recipient: NodeId, payment_hash: PaymentHash, now_ms: u64) {
        let mut unresolved = Unresolved { recipient, backoff: Default::default() };
        unresolved.backoff.failed(now_ms, random());
        self.lock().unresolved.insert(payment_hash, unresolved);
    }

    /// Finds out what became of the payments that are unresolved, as far as that can be found out now. Returns the
    /// messages that ended by it.
    pub fn resolve(&self, now_ms: u64) -> Result<Vec<Ended>, Failure> {
        let due: Vec<(PaymentHash, NodeId)> = {
            let lanes = self.lock();
            let is_due = |unresolved: &Unresolved| lanes.is_caught_up && unresolved.backoff.until_ms() <= now_ms;
            let due = lanes.unresolved.iter().filter(|(_, unresolved)| is_due(unresolved));
            due.map(|(hash, unresolved)| (*hash, unresolved.recipient)).collect()
        };
        let mut ended = Vec::new();
        for (payment_hash, recipient) in due {
            let Some(payment) = self.store.open_payment(payment_hash)? else {
                self.lock().unresolved.remove(&payment_hash);
                continue;
            };
            // A try while the recipient can't be reached would prove nothing.
            let (outcome, is_open) = match self.transport.check(recipient, payment.amount_msat) {
                Err(error @ SendError::NotSent(_)) => (Err(error), false),
                checked => (self.transport.resend(&payment), checked.is_ok()),
            };
            match outcome {
                Ok(()) | Err(SendError::AlreadySent) => {
                    tracing::info!(%payment_hash, "a payment from before is in flight");
                    // Its event will tell. Should the crash have taken the event with it, the node forgets the payment in
                    // some minutes, and this is the way to find that out.
                    if let Some(unresolved) = self.lock().unresolved.get_mut(&payment_hash) {
                        unresolved.backoff.clear();
                        unresolved.backoff.wait(now_ms.saturating_add(UNTOLD_RETRY_MS));
                    }
                }
                Err(error) => {
                    tracing::debug!(%payment_hash, ?error, "what became of a payment is not known yet");
                    if is_open
                        && self.has_been_tried(payment_hash)
                        && let Some(ends) = self.cut_anew(&payment, now_ms)?
                    {
                        // The smaller one is tried at the next look.
                        ended.extend(ends);
                        continue;
                    }
                    if let Some(unresolved) = self.lock().unresolved.get_mut(&payment_hash) {
                        unresolved.backoff.failed(now_ms, random());
                    }
                }
            }
        }
        Ok(ended)
    }

    /// Whether the next try of this payment may be with a smaller record.
    fn has_been_tried(&self, payment_hash: PaymentHash) -> bool {
        let lanes = self.lock();
        let unresolved = lanes.unresolved.get(&payment_hash);
        unresolved.is_some_and(|unresolved| unresolved.backoff.failures() >= UNRESOLVED_TRIES_MIN)
    }

    /// Cuts the record of a payment for a longer way; what is taken out goes in others. If the payment was sent after all,
    /// its success is one of what is left in it, too. `None` when it is short enough for any way.
    fn cut_anew(&self, payment: &Keysend, now_ms: u64) -> Result<Option<Vec<Ended>>, Failure> {
        let recipient = payment.recipient;
        let smaller_bytes = payment.record.0.len().saturating_sub(RECORD_BYTES_PER_HOP);
        let room_bytes = smaller_bytes.min(self.transport.road(recipient).room_bytes);
        let frame = payment.record.0.get(HEADER_BYTES..).and_then(|frame| Frame::read(frame).ok());
        let is_short = room_bytes < RECORD_BYTES_LONGEST_WAY_MIN;
        let kept = frame.filter(|_| !is_short).and_then(|frame| shortened(frame, payment.amount_msat, room_bytes));
        let Some(kept) = kept else { return Ok(None) };
        let parts: Vec<AttemptPart> = kept.iter().map(|(piece, _)| piece.into()).collect();
        let names_amount = kept.len() > 1;
        let record =
            self.record(recipient, kept.into_iter().map(|(piece, body)| piece.part(body, names_amount)).collect())?;
        let amount_msat = parts.iter().fold(0, |sum: u64, part| sum.saturating_add(part.amount_msat));
        let payment = Keysend { amount_msat, record, ..payment.clone() };
        let mut ended = Vec::new();
        for SettledPart { part, missing, message } in self.store.shrink(payment, parts.clone(), now_ms)? {
            let is_kept = parts.iter().any(|kept| kept.id == part.id);
            let amount_msat = if is_kept { 0 } else { part.amount_msat };
            self.lock().of(recipient).put_back(part.id, &missing, amount_msat, 0);
            ended.extend(end_of(&message, None).map(|end| (part.id, end)));
        }
        Ok(Some(ended))
    }
}
