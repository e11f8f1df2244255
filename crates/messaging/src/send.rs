//! One message out: it is checked, stored with its attempt, sent, and waited for.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use boltgram_core::{
    Failure, MessageId, NodeId, Reason,
    frame::{Content, Frame},
    limits::{AMOUNT_SAT_MAX, FEE_LIMIT_BASE_MSAT, FEE_LIMIT_PERCENT},
    message::{Body, Message, PaymentHash},
    record,
    sign::signed_text,
    transport::{Keysend, Preimage, SendError},
};
use boltgram_store::outgoing::{Outcome, Outgoing};
use prost::Message as _;
use tokio::{sync::oneshot, time::timeout};

use crate::{
    Messaging, Phase, blocking, now_ms,
    waiting::{self, Place},
};

/// A message to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewMessage {
    /// Whom it is for.
    pub recipient: NodeId,
    /// The media type of its body.
    pub content_type: String,
    /// The content.
    pub body: Body,
    /// Satoshi to send along; 0: 1 sat for each payment that it needs.
    pub amount_sat: u64,
    /// The id of the message that this one answers.
    pub reply_to: Option<MessageId>,
    /// The most routing fee to pay, in millisatoshi; `None`: 1 % of the amount and 50 sat.
    pub fee_limit_msat: Option<u64>,
}

/// A message whose payment has started.
struct Started {
    id: MessageId,
    payment_hash: PaymentHash,
    outcome: oneshot::Receiver<waiting::Outcome>,
    /// Held until the end, so that a stop waits for it.
    _place: Place,
}

impl Messaging {
    /// Sends one message and waits until the recipient has claimed its payment, at most for `wait`.
    ///
    /// After an error other than `DeadlineExceeded` nothing more is sent, and the recipient has nothing. After that one
    /// the payment goes on: the failure's metadata has the message's `id`. A caller that leaves stops nothing.
    pub async fn send(self: &Arc<Self>, new: NewMessage, wait: Duration) -> Result<Message, Failure> {
        let called = Instant::now();
        let place = self.waiting.place();
        // First: a stop takes every place, and that they are taken is not why this message is refused.
        if *self.phase.borrow() != Phase::Open {
            return Err(Failure::new(Reason::Stopping, "the node stops: send the message again once it runs"));
        }
        let place = place?;
        let service = self.clone();
        let started = blocking(move || service.start(new, place)).await?;
        // The start is part of the caller's wait: a loaded machine takes its time for it.
        let wait = wait.saturating_sub(called.elapsed());
        let outcome = tokio::select! {
            outcome = timeout(wait, started.outcome) => outcome.ok().and_then(Result::ok),
            () = self.ended() => None,
        };
        outcome.unwrap_or_else(|| {
            self.waiting.forget(started.payment_hash);
            Err(Failure::new(
                Reason::DeadlineExceeded,
                format!("the payment goes on: look the message up by its id, {}", started.id),
            )
            .with("id", started.id))
        })
    }

    /// Checks and stores the message, and starts its payment.
    fn start(&self, new: NewMessage, place: Place) -> Result<Started, Failure> {
        let outgoing = self.prepare(new)?;
        let (id, payment) = (outgoing.id, outgoing.payment.clone());
        let payment_hash = payment.preimage.payment_hash();
        self.store.insert_outgoing(outgoing)?;
        let outcome = self.waiting.register(payment_hash);
        match self.transport.send(&payment) {
            Ok(()) | Err(SendError::AlreadySent) => {}
            Err(SendError::Unclear(why)) => {
                tracing::warn!(%id, %payment_hash, why, "it isn't clear whether the payment was sent: its event will tell");
            }
            Err(SendError::NotSent(failure)) => {
                self.waiting.forget(payment_hash);
                self.store.settle(payment_hash, Outcome::Failed(failure.clone()), now_ms())?;
                return Err(failure);
            }
        }
        Ok(Started { id, payment_hash, outcome, _place: place })
    }

    /// The message with its payment, as it will be stored and sent; nothing has happened yet.
    fn prepare(&self, new: NewMessage) -> Result<Outgoing, Failure> {
        let own_id = self.transport.node_id();
        if new.recipient == own_id {
            return Err(Failure::new(Reason::OwnPubkey, "this is the node's own public key: give the recipient's"));
        }
        let amount_msat = amount_msat(new.amount_sat)?;
        let content = Content::new(&new.content_type, new.reply_to, new.body.0.clone())?;
        // Before anything about the route: what doesn't fit never will.
        let room_bytes = self.transport.record_bytes_max(new.recipient);
        let now_ms = now_ms();
        let id = self.next_id(now_ms);
        let frame = Frame::whole(own_id, id, &content).encode_to_vec();
        check_size(record::HEADER_BYTES + frame.len(), new.body.0.len(), room_bytes)?;
        self.transport.check(new.recipient, amount_msat)?;
        let signature = self.transport.sign(&signed_text(self.transport.chain_hash(), new.recipient, &frame))?;
        let payment = Keysend {
            recipient: new.recipient,
            amount_msat,
            fee_limit_msat: new.fee_limit_msat.unwrap_or_else(|| fee_limit_msat(amount_msat)),
            preimage: fresh_preimage()?,
            record_type: self.record_type,
            record: Body(record::write(&signature, &frame)),
        };
        let NewMessage { content_type, body, reply_to, .. } = new;
        Ok(Outgoing { id, content_type, body, reply_to, payment, now_ms })
    }
}

/// A preimage of the operating system's randomness: who could guess it could claim the payment on its way.
fn fresh_preimage() -> Result<Preimage, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::new(Reason::NodeError, format!("the system gives no random numbers: {error}")))?;
    Ok(Preimage(bytes))
}

/// What a message of this amount carries; 0 sat asks for the least, 1 sat for its one payment.
fn amount_msat(amount_sat: u64) -> Result<u64, Failure> {
    if amount_sat > AMOUNT_SAT_MAX {
        return Err(Failure::new(
            Reason::InvalidAmount,
            format!("the amount is too large: at most {AMOUNT_SAT_MAX} sat go along with one message"),
        )
        .with("amount_sat_max", AMOUNT_SAT_MAX));
    }
    Ok(amount_sat.max(1) * 1_000)
}

/// The routing fee limit when none is given.
fn fee_limit_msat(amount_msat: u64) -> u64 {
    FEE_LIMIT_BASE_MSAT + amount_msat * FEE_LIMIT_PERCENT / 100
}

/// Refuses a record that doesn't fit, with the longest content that would.
fn check_size(record_bytes: usize, body_bytes: usize, room_bytes: usize) -> Result<(), Failure> {
    if record_bytes <= room_bytes {
        return Ok(());
    }
    let overhead_bytes = record_bytes - body_bytes;
    let limit_bytes = room_bytes.saturating_sub(overhead_bytes);
    Err(Failure::new(
        Reason::MessageTooLong,
        format!("the message has {body_bytes} bytes and only {limit_bytes} fit: shorten it, or send it in pieces"),
    )
    .with("limit_bytes", limit_bytes)
    .with("message_bytes", body_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_amount_is_at_least_one_sat_and_bounded() {
        assert_eq!(amount_msat(0).unwrap(), 1_000);
        assert_eq!(amount_msat(7).unwrap(), 7_000);
        assert_eq!(amount_msat(AMOUNT_SAT_MAX + 1).unwrap_err().reason, Reason::InvalidAmount);
    }

    #[test]
    fn the_fee_limit_is_fifty_sat_and_one_percent() {
        assert_eq!(fee_limit_msat(1_000), 50_010);
        assert_eq!(fee_limit_msat(AMOUNT_SAT_MAX * 1_000), 50_000 + AMOUNT_SAT_MAX * 10);
    }

    #[test]
    fn a_message_that_does_not_fit_is_told_what_would() {
        assert!(check_size(1_204, 1_100, 1_204).is_ok());
        let failure = check_size(1_205, 1_101, 1_204).unwrap_err();
        assert_eq!((failure.reason, failure.metadata["limit_bytes"].as_str()), (Reason::MessageTooLong, "1100"));
        assert_eq!(check_size(200, 10, 50).unwrap_err().metadata["limit_bytes"], "0");
    }
}
