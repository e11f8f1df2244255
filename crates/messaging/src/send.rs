//! One message out: it is checked, stored with its attempt, sent, and waited for.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use boltgram_core::{
    Failure, MessageId, NodeId, Reason,
    frame::{Content, Frame},
    limits::AMOUNT_SAT_MAX,
    message::{Body, Message, PaymentHash},
    record,
    sign::signed_text,
    transport::{Keysend, Preimage, SendError, fee_limit_msat_default},
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
    /// Whether it waits in the outbox until it is delivered, expires or is cancelled, and the call returns at once.
    pub queue: bool,
    /// How long it is tried, in milliseconds; `None`: 24 hours.
    pub expires_in_ms: Option<u64>,
    /// The caller's key for it: the same request under the same key is one message.
    pub idempotency_key: Option<String>,
}

/// What sending a message would take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quote {
    /// How many payments carry it, one for each frame.
    pub frames: u32,
    /// What goes along, in satoshi.
    pub amount_sat: u64,
    /// The bytes of its record: version, signature and frame.
    pub record_bytes: usize,
    /// The bytes that a record to this recipient may have.
    pub record_bytes_max: usize,
    /// The most routing fee that would be paid, in millisatoshi.
    pub fee_limit_msat: u64,
}

/// A message that was checked, in its frame.
struct Framed {
    id: MessageId,
    frame: Vec<u8>,
    amount_msat: u64,
    fee_limit_msat: u64,
    room_bytes: usize,
    now_ms: u64,
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
        self.check_open()?;
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
            Err(error @ (SendError::NotSent(_) | SendError::Busy)) => {
                let failure = not_now(error);
                self.waiting.forget(payment_hash);
                self.store.settle(payment_hash, Outcome::Failed(failure.clone()), now_ms())?;
                return Err(failure);
            }
        }
        Ok(Started { id, payment_hash, outcome, _place: place })
    }

    /// Cancels a message: nothing more of it is sent.
    pub async fn cancel(self: &Arc<Self>, id: MessageId) -> Result<Message, Failure> {
        let message = self.message(id).await?;
        let text = format!("the message is {:?} already: there is nothing to cancel", message.state);
        Err(Failure::new(Reason::NotCancellable, text).with("id", id))
    }

    /// Tells what sending a message would take, and refuses what [`Messaging::send`] would refuse before it sends.
    /// Nothing is sent or stored.
    pub async fn quote(self: &Arc<Self>, new: NewMessage) -> Result<Quote, Failure> {
        self.check_open()?;
        let service = self.clone();
        let framed = blocking(move || service.frame(&new)).await?;
        Ok(Quote {
            frames: 1,
            amount_sat: framed.amount_msat / 1_000,
            record_bytes: record::HEADER_BYTES + framed.frame.len(),
            record_bytes_max: framed.room_bytes,
            fee_limit_msat: framed.fee_limit_msat,
        })
    }

    /// The message with its payment, as it will be stored and sent; nothing has happened yet.
    fn prepare(&self, new: NewMessage) -> Result<Outgoing, Failure> {
        let framed = self.frame(&new)?;
        let text = signed_text(self.transport.chain_hash(), new.recipient, &framed.frame);
        let signature = self.transport.sign(&text)?;
        let payment = Keysend {
            recipient: new.recipient,
            amount_msat: framed.amount_msat,
            fee_limit_msat: framed.fee_limit_msat,
            preimage: fresh_preimage()?,
            record_type: self.record_type,
            record: Body(record::write(&signature, &framed.frame)),
        };
        let NewMessage { content_type, body, reply_to, .. } = new;
        Ok(Outgoing { id: framed.id, content_type, body, reply_to, payment, now_ms: framed.now_ms })
    }

    /// Checks a message, and puts it into a frame under an id of its own.
    fn frame(&self, new: &NewMessage) -> Result<Framed, Failure> {
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
        match self.transport.check(new.recipient, amount_msat) {
            Ok(()) => {}
            Err(error) => return Err(not_now(error)),
        }
        let fee_limit_msat = new.fee_limit_msat.unwrap_or_else(|| fee_limit_msat_default(amount_msat));
        Ok(Framed { id, frame, amount_msat, fee_limit_msat, room_bytes, now_ms })
    }

    fn check_open(&self) -> Result<(), Failure> {
        match *self.phase.borrow() {
            Phase::Open => Ok(()),
            _ => Err(Failure::new(Reason::Stopping, "the node stops: send the message again once it runs")),
        }
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
    fn a_message_that_does_not_fit_is_told_what_would() {
        assert!(check_size(1_204, 1_100, 1_204).is_ok());
        let failure = check_size(1_205, 1_101, 1_204).unwrap_err();
        assert_eq!((failure.reason, failure.metadata["limit_bytes"].as_str()), (Reason::MessageTooLong, "1100"));
        assert_eq!(check_size(200, 10, 50).unwrap_err().metadata["limit_bytes"], "0");
    }
}

fn not_now(error: SendError) -> Failure {
    match error {
        SendError::NotSent(failure) => failure,
        _ => Failure::new(Reason::PaymentFailed, "the channel has as many payments in flight as it may"),
    }
}
