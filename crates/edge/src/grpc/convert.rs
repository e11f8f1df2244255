//! Messages and numbers between the API and the domain.

use boltgram_api::v1;
use boltgram_core::{
    Failure, MessageId, Reason,
    message::{Authenticity, Direction, Message, State},
    receipt,
};
use boltgram_messaging::{Conversation, Held};
use tonic::Status;

use super::status::from_failure;

/// A message as `boltgram.v1` shows it.
pub(crate) fn message(message: Message) -> v1::Message {
    v1::Message {
        id: message.id.to_string(),
        direction: direction(message.direction).into(),
        peer_pubkey: message.peer.map(|peer| peer.to_string()).unwrap_or_default(),
        text: message.text().unwrap_or_default().to_owned(),
        reply_to_id: message.reply_to.map(|id| id.to_string()).unwrap_or_default(),
        amount_sat: signed(message.amount_msat / 1_000),
        amount_msat: signed(message.amount_msat),
        fee_msat: signed(message.fee_msat),
        state: state(message.state).into(),
        authenticity: authenticity(message.authenticity).into(),
        sent_at_ms: signed(message.id.time_ms()),
        stored_at_ms: signed(message.stored_at_ms),
        failure_reason: message.failure_reason.unwrap_or_default(),
        sequence: signed(message.sequence),
        payment_hash: message.payment_hash.map(|hash| hash.to_string()).unwrap_or_default(),
        is_read: message.is_read,
        expires_at_ms: signed(message.expires_at_ms.unwrap_or_default()),
        payments: i32::try_from(message.payments).unwrap_or(i32::MAX),
        delivered_bytes: signed(message.progress.map_or(0, |progress| progress.delivered_bytes)),
        total_bytes: signed(message.progress.map_or(0, |progress| progress.total_bytes)),
        asks_receipt: message.asks_receipt,
        receipt: message.receipt.map(receipt),
        content_type: message.content_type,
        body: message.body.0,
    }
}

fn receipt(receipt: receipt::Received) -> v1::Receipt {
    v1::Receipt {
        signature: receipt.signature.to_zbase32(),
        content_hash: receipt.content_hash.to_string(),
        received_at_ms: signed(receipt.received_at_ms),
    }
}

/// A conversation as `boltgram.v1` shows it.
pub(crate) fn conversation(conversation: Conversation) -> v1::Conversation {
    v1::Conversation {
        peer_pubkey: conversation.peer.node().map(|node| node.to_string()).unwrap_or_default(),
        messages: signed(conversation.messages),
        unread: signed(conversation.unread),
        last_at_ms: signed(conversation.last_at_ms),
        last_message: Some(message(conversation.last)),
    }
}

/// A payment whose content was put aside, as `boltgram.v1` shows it.
pub(crate) fn held(held: Held) -> v1::HeldPayment {
    v1::HeldPayment {
        payment_hash: held.payment_hash.to_string(),
        sender_pubkey: held.sender.map(|sender| sender.to_string()).unwrap_or_default(),
        amount_msat: signed(held.amount_msat),
        received_at_ms: signed(held.received_at_ms),
        reason: held.reason.code().to_owned(),
        record_bytes: signed(held.record_bytes),
        detail: held.detail,
        message_id: held.message_id.map(|id| id.to_string()).unwrap_or_default(),
        has_record: held.has_record,
    }
}

/// Which way a message or a payment went.
pub(crate) fn direction(direction: Direction) -> v1::Direction {
    match direction {
        Direction::In => v1::Direction::In,
        Direction::Out => v1::Direction::Out,
    }
}

fn state(state: State) -> v1::State {
    match state {
        State::Sending => v1::State::Sending,
        State::Queued => v1::State::Queued,
        State::Expired => v1::State::Expired,
        State::Cancelled => v1::State::Cancelled,
        State::Delivered => v1::State::Delivered,
        State::Failed => v1::State::Failed,
        State::Received => v1::State::Received,
    }
}

fn authenticity(authenticity: Authenticity) -> v1::Authenticity {
    match authenticity {
        Authenticity::Signed => v1::Authenticity::Signed,
        Authenticity::Unsigned => v1::Authenticity::Unsigned,
    }
}

/// A count as the API's signed number.
pub(crate) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The API's signed number as a count; a negative one is refused by its field's name.
pub(crate) fn count(field: &'static str, number: i64) -> Result<u64, Status> {
    u64::try_from(number).map_err(|_| invalid_field(field, "is negative: give 0 or more"))
}

/// The amount of a message in satoshi.
pub(crate) fn amount_sat(number: i64) -> Result<u64, Status> {
    u64::try_from(number).map_err(|_| {
        from_failure(Failure::new(Reason::InvalidAmount, "the amount is negative: give 0 or more satoshi"))
    })
}

/// The id of a message to answer: absent when the text is empty.
pub(crate) fn reply_to(text: &str) -> Result<Option<MessageId>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(from_failure)
}

/// A field that is wrong, by name.
pub(crate) fn invalid_field(field: &'static str, problem: &str) -> Status {
    from_failure(Failure::new(Reason::InvalidField, format!("{field} {problem}")).with("field", field))
}
