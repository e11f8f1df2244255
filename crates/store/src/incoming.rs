//! What this node receives: each payment once, by its hash, and each message once, by sender and id.

use boltgram_core::{
    MessageId, NodeId,
    message::{Authenticity, Body, Direction, Message, PaymentHash, State},
};
use rusqlite::{Connection, OptionalExtension as _, named_params, params};

use crate::{
    Store, StoreError,
    insert::insert_message,
    read::message_by_row,
    rows::{Coded, Count, Hash, Id, Node},
};

/// A payment that was received, with what was found in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Incoming {
    /// Its hash.
    pub payment_hash: PaymentHash,
    /// What arrived, in millisatoshi.
    pub amount_msat: u64,
    /// Now, Unix time in milliseconds.
    pub now_ms: u64,
    /// What was found in it.
    pub content: IncomingContent,
}

/// What was found in a payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IncomingContent {
    /// One or more whole messages.
    Messages(Vec<IncomingMessage>),
    /// A record that is no message: kept, with the reason, and never shown as one.
    Unreadable {
        /// Why it can't be read.
        reason: String,
        /// The record, as it came.
        record: Body,
    },
    /// No record of ours: a plain payment.
    Plain,
}

/// A message that was found in a payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IncomingMessage {
    /// Its id: the sender's, or for an unsigned text one that this node made.
    pub id: MessageId,
    /// Who signed it; `None` for an unsigned text.
    pub sender: Option<NodeId>,
    /// The media type of its body.
    pub content_type: String,
    /// The content.
    pub body: Body,
    /// The id of the message that this one answers.
    pub reply_to: Option<MessageId>,
    /// What it carries of the payment, in millisatoshi.
    pub amount_msat: u64,
}

/// What a received payment added.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Received {
    /// These messages, which were not there before; empty for a plain or unreadable payment.
    New(Vec<Message>),
    /// Nothing: this payment was stored before.
    Known,
}

/// What a payment was, as it is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum PaymentOutcome {
    /// It brought messages.
    Messages,
    /// It brought only messages that were there already: a second payment for the same.
    Repeated,
    /// It brought a record that can't be read.
    Unreadable,
    /// It brought no record.
    Plain,
    /// It brought a known id with another content.
    Conflicting,
}

impl Coded for PaymentOutcome {
    const CODES: &'static [(Self, i64)] =
        &[(Self::Messages, 1), (Self::Repeated, 2), (Self::Unreadable, 3), (Self::Plain, 4), (Self::Conflicting, 5)];
}

/// How many received payments there are, by what they were.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PaymentCounts {
    /// Payments that brought messages.
    pub messages: u64,
    /// Payments that brought only messages that were there already.
    pub repeated: u64,
    /// Payments with a record that can't be read.
    pub unreadable: u64,
    /// Payments without a record of ours.
    pub plain: u64,
    /// Payments with a known message id and another content.
    pub conflicting: u64,
}

impl Store {
    /// Stores a payment and the messages in it, in one transaction. A payment that is known by its hash changes
    /// nothing; a message that is known by sender and id isn't stored again.
    pub fn receive(&self, incoming: Incoming) -> Result<Received, StoreError> {
        self.write(move |connection| {
            let sql = "SELECT 1 FROM payments WHERE payment_hash = ?1";
            let known = connection.query_row(sql, [Hash(incoming.payment_hash)], |_| Ok(())).optional()?;
            if known.is_some() {
                return Ok(Received::Known);
            }
            let (outcome, messages, reason, record) = match &incoming.content {
                IncomingContent::Plain => (PaymentOutcome::Plain, Vec::new(), None, None),
                IncomingContent::Unreadable { reason, record } => {
                    (PaymentOutcome::Unreadable, Vec::new(), Some(reason.as_str()), Some(&record.0))
                }
                IncomingContent::Messages(found) => {
                    let (outcome, messages) = insert_messages(connection, &incoming, found)?;
                    (outcome, messages, None, None)
                }
            };
            let sql = "INSERT INTO payments (payment_hash, amount_msat, received_at_ms, outcome, reason, record) \
                       VALUES (:payment_hash, :amount_msat, :received_at_ms, :outcome, :reason, :record)";
            connection.prepare_cached(sql)?.execute(named_params! {
                ":payment_hash": Hash(incoming.payment_hash),
                ":amount_msat": Count(incoming.amount_msat),
                ":received_at_ms": Count(incoming.now_ms),
                ":outcome": outcome.code(),
                ":reason": reason,
                ":record": record,
            })?;
            Ok(Received::New(messages))
        })
    }

    /// How many payments were received, by what they were.
    pub fn payment_counts(&self) -> Result<PaymentCounts, StoreError> {
        self.readers.with(|connection| {
            let mut statement = connection.prepare_cached("SELECT outcome, COUNT(*) AS n FROM payments GROUP BY 1")?;
            let mut rows = statement.query([])?;
            let mut counts = PaymentCounts::default();
            while let Some(row) = rows.next()? {
                let count: Count = row.get("n")?;
                *match PaymentOutcome::column(row, "outcome")? {
                    PaymentOutcome::Messages => &mut counts.messages,
                    PaymentOutcome::Repeated => &mut counts.repeated,
                    PaymentOutcome::Unreadable => &mut counts.unreadable,
                    PaymentOutcome::Plain => &mut counts.plain,
                    PaymentOutcome::Conflicting => &mut counts.conflicting,
                } = count.0;
            }
            Ok(counts)
        })
    }
}

/// Inserts those messages that aren't there yet, and tells what the payment was.
fn insert_messages(
    connection: &Connection,
    incoming: &Incoming,
    found: &[IncomingMessage],
) -> Result<(PaymentOutcome, Vec<Message>), StoreError> {
    let mut outcome = PaymentOutcome::Repeated;
    let mut messages = Vec::new();
    for message in found {
        match known_as(connection, message)? {
            None => {
                let row = insert_message(connection, &as_stored(incoming, message), message.sender.is_none())?;
                messages.push(message_by_row(connection, row)?);
                outcome = PaymentOutcome::Messages;
            }
            Some(same_content) if !same_content && messages.is_empty() => outcome = PaymentOutcome::Conflicting,
            Some(_) => {}
        }
    }
    Ok((outcome, messages))
}

/// Whether this sender's message is stored already, and if so, whether with the same content.
fn known_as(connection: &Connection, message: &IncomingMessage) -> Result<Option<bool>, StoreError> {
    let Some(sender) = message.sender else { return Ok(None) };
    // Of a deleted one nothing is there to compare: it was known, and that is all that is known.
    let sql = "SELECT deleted_at_ms IS NOT NULL OR (body = ?3 AND content_type = ?4 AND reply_to IS ?5) FROM messages \
               WHERE peer = ?1 AND id = ?2 AND is_own_id = 0";
    let values = params![Node(sender), Id(message.id), message.body.0, message.content_type, message.reply_to.map(Id)];
    Ok(connection.query_row(sql, values, |row| row.get(0)).optional()?)
}

fn as_stored(incoming: &Incoming, message: &IncomingMessage) -> Message {
    Message {
        id: message.id,
        direction: Direction::In,
        peer: message.sender,
        content_type: message.content_type.clone(),
        body: message.body.clone(),
        reply_to: message.reply_to,
        amount_msat: message.amount_msat,
        fee_msat: 0,
        state: State::Received,
        authenticity: if message.sender.is_some() { Authenticity::Signed } else { Authenticity::Unsigned },
        stored_at_ms: incoming.now_ms,
        failure_reason: None,
        payment_hash: Some(incoming.payment_hash),
        sequence: 0,
        is_read: false,
        expires_at_ms: None,
        payments: 1,
        progress: None,
    }
}
