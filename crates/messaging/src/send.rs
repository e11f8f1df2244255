//! One message out: it is checked, stored in the outbox, and waited for; or only quoted.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use boltgram_core::{
    Failure, MessageId, NodeId, Reason,
    encoding::encode,
    frame::{Content, Encoding},
    limits::{AMOUNT_SAT_MAX, EXPIRY_MS_DEFAULT, EXPIRY_MS_MAX, IDEMPOTENCY_KEY_BYTES_MAX},
    message::{Body, Message, State},
    outbox::{
        cut::{Piece, fitted, record_bytes, records},
        lane::{Waiting, signed},
    },
    ranges::Ranges,
    receipt,
    transport::{SendError, fee_limit_msat_default},
};
use boltgram_failpoints::kill_point;
use boltgram_store::outgoing::{Accepted, Outgoing};
use prost::Message as _;
use tokio::{sync::oneshot, time::timeout};

use crate::{
    Messaging, Phase, blocking, digest, now_ms,
    outbox::end_of,
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
    /// The most routing fee to pay for all of it, in millisatoshi; `None`: for each payment 1 % of its amount and 50 sat.
    pub fee_limit_msat: Option<u64>,
    /// Whether it waits in the outbox until it is delivered, expires or is cancelled, and the call returns at once.
    pub queue: bool,
    /// How long it is tried, in milliseconds; `None`: 24 hours.
    pub expires_in_ms: Option<u64>,
    /// The caller's key for it: the same request under the same key is one message.
    pub idempotency_key: Option<String>,
    /// Whether it asks the recipient for a receipt.
    pub receipt: bool,
}

/// What sending a message would take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quote {
    /// How many payments carry it, one for each frame.
    pub frames: u32,
    /// What goes along, in satoshi.
    pub amount_sat: u64,
    /// The bytes of its largest record: version, signature and frame.
    pub record_bytes: usize,
    /// The bytes that a record to this recipient may have.
    pub record_bytes_max: usize,
    /// The most routing fee that would be paid for all of it, in millisatoshi.
    pub fee_limit_msat: u64,
}

/// A message that was checked, and encoded.
struct Prepared {
    encoding: Encoding,
    encoded: Vec<u8>,
    room_bytes: usize,
    payments: u32,
    /// What was asked for; `None`: the least for each payment.
    wanted_msat: Option<u64>,
}

/// A message that is in the outbox.
struct Begun {
    message: Message,
    /// Its end, if that is waited for and not known yet.
    end: Option<oneshot::Receiver<waiting::Outcome>>,
    /// Held until the end, so that a stop waits for it.
    _place: Place,
}

impl Messaging {
    /// Sends one message. Waits until the recipient has claimed all its payments, at most for `wait`; a message that
    /// queues is only stored.
    ///
    /// After an error other than `DeadlineExceeded` nothing more is sent, and the recipient has nothing. After that one
    /// the message goes on: the failure's metadata has its `id`. A caller that leaves stops nothing.
    pub async fn send(self: &Arc<Self>, new: NewMessage, wait: Duration) -> Result<Message, Failure> {
        let called = Instant::now();
        let place = self.waiting.place();
        // First: a stop takes every place, and that they are taken is not why this message is refused.
        self.check_open()?;
        let place = place?;
        let service = self.clone();
        let begun = blocking(move || service.begin(&new, place)).await?;
        let Some(end) = begun.end else { return Ok(begun.message) };
        // The begin is part of the caller's wait: a loaded machine takes its time for it.
        let wait = wait.saturating_sub(called.elapsed());
        let outcome = tokio::select! {
            outcome = timeout(wait, end) => outcome.ok().and_then(Result::ok),
            () = self.ended() => None,
        };
        let id = begun.message.id;
        outcome.unwrap_or_else(|| {
            self.waiting.tidy(id);
            let text = format!("the message goes on: look it up by its id, {id}");
            Err(Failure::new(Reason::DeadlineExceeded, text).with("id", id))
        })
    }

    /// Cancels a message: nothing more of it is sent. It is `Sending` still while a payment of it is in flight, which
    /// may deliver it.
    pub async fn cancel(self: &Arc<Self>, id: MessageId) -> Result<Message, Failure> {
        let service = self.clone();
        blocking(move || {
            let (message, ended) = service.outbox.cancel(id, now_ms())?;
            service.tell(ended.into_iter().collect());
            Ok(message)
        })
        .await
    }

    /// Tells what sending a message would take, and refuses what [`Messaging::send`] would refuse before it sends.
    /// Nothing is sent or stored.
    pub async fn quote(self: &Arc<Self>, new: NewMessage) -> Result<Quote, Failure> {
        self.check_open()?;
        let service = self.clone();
        blocking(move || service.quoted(&new)).await
    }

    fn quoted(&self, new: &NewMessage) -> Result<Quote, Failure> {
        let prepared = self.prepare(new)?;
        self.check_now(new, &prepared)?;
        let total_bytes = prepared.encoded.len() as u32;
        let (id, encoding) = (MessageId::LOWEST, prepared.encoding);
        let whole = Piece { id, range: 0..total_bytes, total_bytes, encoding, amount_msat: 0 };
        let largest = fitted(&whole, prepared.room_bytes).unwrap_or(whole);
        let amount_msat = prepared.amount_msat();
        let each_msat = fee_limit_msat_default(amount_msat / u64::from(prepared.payments));
        Ok(Quote {
            frames: prepared.payments,
            amount_sat: amount_msat / 1_000,
            record_bytes: record_bytes(&[largest]),
            record_bytes_max: prepared.room_bytes,
            fee_limit_msat: new.fee_limit_msat.unwrap_or(each_msat * u64::from(prepared.payments)),
        })
    }

    /// Checks and stores the message, and lets its first payment start.
    fn begin(self: &Arc<Self>, new: &NewMessage, place: Place) -> Result<Begun, Failure> {
        let prepared = self.prepare(new)?;
        let digest = digest::of(new);
        if let Some(key) = &new.idempotency_key
            && let Some(known) = self.store.accepted_as(key, &digest)?
        {
            return self.known(new, known, place);
        }
        self.check_now(new, &prepared).or_else(|failure| match failure.reason {
            // What queues waits for whatever it may be, but it has to be stored.
            reason if new.queue && reason != Reason::DiskLow => Ok(()),
            _ => Err(failure),
        })?;
        self.outbox.check_room()?;
        let now_ms = now_ms();
        let waiting = prepared.waiting(new);
        let outgoing = Outgoing {
            id: self.next_id(now_ms),
            recipient: new.recipient,
            content_type: new.content_type.clone(),
            body: new.body.clone(),
            reply_to: new.reply_to,
            asks_receipt: new.receipt,
            encoding: prepared.encoding,
            amount_msat: prepared.amount_msat(),
            wanted_msat: prepared.wanted_msat,
            fee_limit_msat: new.fee_limit_msat,
            queues: new.queue,
            expires_at_ms: expires_at_ms(new, now_ms),
            idempotency_key: new.idempotency_key.clone(),
            request_digest: digest,
            encoded: Body(prepared.encoded),
            now_ms,
        };
        match self.store.accept(outgoing)? {
            Accepted::New(message) => {
                kill_point!("message-stored");
                Ok(self.go(new, message, waiting, place))
            }
            known => self.known(new, known, place),
        }
    }

    /// Hands a message that is stored to the outbox.
    fn go(self: &Arc<Self>, new: &NewMessage, message: Message, waiting: Waiting, place: Place) -> Begun {
        // Before the outbox has it, or its end may come first.
        let end = (!new.queue).then(|| self.waiting.register(message.id));
        self.outbox.add(new.recipient, message.id, waiting);
        self.pump(new.recipient);
        Begun { message, end, _place: place }
    }

    /// What a call does whose idempotency key is known.
    fn known(self: &Arc<Self>, new: &NewMessage, known: Accepted, place: Place) -> Result<Begun, Failure> {
        let message = match known {
            Accepted::New(message) | Accepted::Known(message) => message,
            Accepted::Conflicting(id) => {
                let text = "another message was sent under this idempotency key: give each message one of its own";
                return Err(Failure::new(Reason::IdempotencyConflict, text).with("id", id));
            }
        };
        if message.state == State::Failed {
            let now_ms = now_ms();
            if !new.queue {
                let prepared = self.prepare(new)?;
                self.check_now(new, &prepared)?;
            }
            let expires_at_ms = expires_at_ms(new, now_ms);
            let again = self.store.take_up_again(message.id, new.queue, expires_at_ms, now_ms)?;
            if let (Some(message), Some(unfinished)) = (again, self.store.unfinished_message(message.id)?) {
                return Ok(self.go(new, message, unfinished.waiting, place));
            }
        }
        let end = (!new.queue).then(|| self.waiting.register(message.id));
        // It may have ended before it was waited for.
        let message = self.store.message(message.id)?.unwrap_or(message);
        let Some(ended) = end_of(&message, None).filter(|_| end.is_some()) else {
            return Ok(Begun { message, end, _place: place });
        };
        drop(end);
        self.waiting.tidy(message.id);
        Ok(Begun { message: ended?, end: None, _place: place })
    }

    /// Checks a message as far as it can be told without the channels, and encodes it.
    fn prepare(&self, new: &NewMessage) -> Result<Prepared, Failure> {
        if new.recipient == self.transport.node_id() {
            return Err(Failure::new(Reason::OwnPubkey, "this is the node's own public key: give the recipient's"));
        }
        check_fields(new)?;
        let wanted_msat = wanted_msat(new.amount_sat)?;
        let content = Content::new(&new.content_type, new.reply_to, new.body.0.clone())?.asking_receipt(new.receipt);
        self.check_length(new.body.0.len())?;
        let (encoding, encoded) = encode(content.encode_to_vec());
        let room_bytes = self.transport.road(new.recipient).room_bytes;
        let payments = records(encoded.len() as u32, encoding, room_bytes).ok_or_else(|| {
            Failure::new(Reason::NodeError, format!("a record of {room_bytes} bytes holds no part of a message"))
        })?;
        if wanted_msat.is_some_and(|wanted_msat| wanted_msat < u64::from(payments) * 1_000) {
            let text =
                format!("the message needs {payments} payments of at least 1 sat each: give {payments} sat, or none");
            return Err(Failure::new(Reason::AmountTooSmall, text)
                .with("needed_sat", payments)
                .with("amount_sat", new.amount_sat));
        }
        Ok(Prepared { encoding, encoded, room_bytes, payments, wanted_msat })
    }

    fn check_length(&self, body_bytes: usize) -> Result<(), Failure> {
        let limit_bytes = self.message_bytes_max;
        if body_bytes <= limit_bytes {
            return Ok(());
        }
        let text = format!("the message has {body_bytes} bytes and may have {limit_bytes}: send it in pieces");
        Err(Failure::new(Reason::MessageTooLong, text)
            .with("limit_bytes", limit_bytes)
            .with("message_bytes", body_bytes))
    }

    /// Checks whether the message's payments could start now. That the channels are full is no reason against it.
    fn check_now(&self, new: &NewMessage, prepared: &Prepared) -> Result<(), Failure> {
        let each_msat = prepared.amount_msat().div_ceil(u64::from(prepared.payments));
        match self.transport.check(new.recipient, each_msat) {
            Err(SendError::NotSent(failure)) => Err(failure),
            _ => Ok(()),
        }
    }

    fn check_open(&self) -> Result<(), Failure> {
        match *self.phase.borrow() {
            Phase::Open => Ok(()),
            _ => Err(Failure::new(Reason::Stopping, "the node stops: send the message again once it runs")),
        }
    }
}

impl Prepared {
    /// What it is expected to carry, in millisatoshi.
    fn amount_msat(&self) -> u64 {
        self.wanted_msat.unwrap_or(u64::from(self.payments) * 1_000)
    }

    fn waiting(&self, new: &NewMessage) -> Waiting {
        let total_bytes = self.encoded.len() as u32;
        Waiting {
            total_bytes,
            encoding: self.encoding,
            missing: Ranges::whole(total_bytes),
            queues: new.queue,
            unassigned_msat: self.wanted_msat.map(signed),
            fee_left_msat: new.fee_limit_msat.map(signed),
            rides: false,
        }
    }
}

/// What a message of this amount carries; 0 sat asks for the least.
fn wanted_msat(amount_sat: u64) -> Result<Option<u64>, Failure> {
    if amount_sat > AMOUNT_SAT_MAX {
        return Err(Failure::new(
            Reason::InvalidAmount,
            format!("the amount is too large: at most {AMOUNT_SAT_MAX} sat go along with one message"),
        )
        .with("amount_sat_max", AMOUNT_SAT_MAX));
    }
    Ok((amount_sat > 0).then_some(amount_sat * 1_000))
}

fn check_fields(new: &NewMessage) -> Result<(), Failure> {
    let invalid = |field, text: String| Err(Failure::new(Reason::InvalidField, text).with("field", field));
    if new.content_type == receipt::CONTENT_TYPE {
        return invalid(
            "content_type",
            "the content type is that of receipts, which a node gives by itself".to_owned(),
        );
    }
    if let Some(key) = &new.idempotency_key
        && (key.is_empty() || key.len() > IDEMPOTENCY_KEY_BYTES_MAX)
    {
        return invalid(
            "idempotency_key",
            format!("the idempotency key is not valid: give 1 to {IDEMPOTENCY_KEY_BYTES_MAX} bytes"),
        );
    }
    if let Some(expires_in_ms) = new.expires_in_ms
        && !(1..=EXPIRY_MS_MAX).contains(&expires_in_ms)
    {
        let limit_s = EXPIRY_MS_MAX / 1_000;
        return invalid("expires_in_seconds", format!("the message may be tried for 1 to {limit_s} seconds"));
    }
    Ok(())
}

fn expires_at_ms(new: &NewMessage, now_ms: u64) -> u64 {
    now_ms.saturating_add(new.expires_in_ms.unwrap_or(EXPIRY_MS_DEFAULT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_amount_asks_for_the_least_and_the_amount_is_bounded() {
        assert_eq!(wanted_msat(0).unwrap(), None);
        assert_eq!(wanted_msat(7).unwrap(), Some(7_000));
        assert_eq!(wanted_msat(AMOUNT_SAT_MAX + 1).unwrap_err().reason, Reason::InvalidAmount);
    }
}
