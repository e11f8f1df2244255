//! What this node sends: a message and its attempt, stored before the payment starts, and what became of it.

use boltgram_core::{
    Failure, MessageId,
    message::{Authenticity, Body, Direction, Message, PaymentHash, State},
    transport::{Keysend, Preimage},
};
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};

use crate::{
    Store, StoreError,
    insert::{append_log, insert_message},
    read::message_by_row,
    rows::{Coded, Count, Hash, Node},
};

/// A message to send, with the payment that is about to carry it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outgoing {
    /// The message's id.
    pub id: MessageId,
    /// The media type of its body.
    pub content_type: String,
    /// The content.
    pub body: Body,
    /// The id of the message that this one answers.
    pub reply_to: Option<MessageId>,
    /// The payment: recipient, amount, preimage and the record's exact bytes.
    pub payment: Keysend,
    /// Now, Unix time in milliseconds.
    pub now_ms: u64,
}

/// What became of an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The recipient claimed it.
    Successful {
        /// The routing fee paid, in millisatoshi.
        fee_msat: u64,
    },
    /// It failed, and the recipient has nothing of it.
    Failed(Failure),
}

/// An attempt whose end isn't known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenAttempt {
    /// The message that it carries.
    pub id: MessageId,
    /// The payment, as it was or was about to be sent.
    pub payment: Keysend,
}

/// The state of an attempt, as it is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum AttemptState {
    Open,
    Successful,
    Failed,
}

impl Coded for AttemptState {
    const CODES: &'static [(Self, i64)] = &[(Self::Open, 1), (Self::Successful, 2), (Self::Failed, 3)];
}

impl Store {
    /// Stores a message in state `Sending` together with its attempt.
    pub fn insert_outgoing(&self, outgoing: Outgoing) -> Result<Message, StoreError> {
        self.write(move |connection| {
            let payment_hash = outgoing.payment.preimage.payment_hash();
            let message = Message {
                id: outgoing.id,
                direction: Direction::Out,
                peer: Some(outgoing.payment.recipient),
                content_type: outgoing.content_type,
                body: outgoing.body,
                reply_to: outgoing.reply_to,
                amount_msat: outgoing.payment.amount_msat,
                fee_msat: 0,
                state: State::Sending,
                authenticity: Authenticity::Signed,
                stored_at_ms: outgoing.now_ms,
                failure_reason: None,
                payment_hash: Some(payment_hash),
                sequence: 0,
                is_read: true,
                expires_at_ms: None,
                payments: 1,
                progress: None,
            };
            let message_row = insert_message(connection, &message, true)?;
            insert_attempt(connection, message_row, payment_hash, &outgoing.payment, outgoing.now_ms)?;
            message_by_row(connection, message_row)
        })
    }

    /// Stores what became of an attempt and returns its message, or `None` when no attempt has this hash.
    ///
    /// A success outranks a failure, whichever comes first: a failure after a success changes nothing, a success after a
    /// failure is delivery.
    pub fn settle(
        &self,
        payment_hash: PaymentHash,
        outcome: Outcome,
        now_ms: u64,
    ) -> Result<Option<Message>, StoreError> {
        self.write(move |connection| {
            let sql = "SELECT message_row, state FROM attempts WHERE payment_hash = ?1";
            let found = connection
                .query_row(sql, [Hash(payment_hash)], |row| Ok((row.get(0)?, AttemptState::column(row, "state")?)))
                .optional()?;
            let Some((message_row, before)) = found else { return Ok(None) };
            let after = match &outcome {
                Outcome::Successful { .. } => AttemptState::Successful,
                Outcome::Failed(_) => AttemptState::Failed,
            };
            if before == AttemptState::Open || (before, after) == (AttemptState::Failed, AttemptState::Successful) {
                let sql = "UPDATE attempts SET state = ?2 WHERE payment_hash = ?1";
                connection.execute(sql, params![Hash(payment_hash), after.code()])?;
                settle_message(connection, message_row, &outcome, now_ms)?;
            }
            message_by_row(connection, message_row).map(Some)
        })
    }

    /// The attempts whose end isn't known, the oldest first, at most `limit`.
    pub fn open_attempts(&self, limit: usize) -> Result<Vec<OpenAttempt>, StoreError> {
        self.readers.with(|connection| {
            let sql = "SELECT m.id, a.* FROM attempts a JOIN messages m ON m.row_id = a.message_row \
                       WHERE a.state = 1 ORDER BY a.message_row LIMIT ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([Count(limit as u64)], open_attempt)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

fn insert_attempt(
    connection: &Connection,
    message_row: i64,
    payment_hash: PaymentHash,
    payment: &Keysend,
    now_ms: u64,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO attempts (payment_hash, message_row, preimage, recipient, amount_msat, fee_limit_msat, \
               record_type, record, state, started_at_ms) VALUES (:payment_hash, :message_row, :preimage, :recipient, \
               :amount_msat, :fee_limit_msat, :record_type, :record, :state, :started_at_ms)";
    connection.prepare_cached(sql)?.execute(named_params! {
        ":payment_hash": Hash(payment_hash),
        ":message_row": message_row,
        ":preimage": payment.preimage.0,
        ":recipient": Node(payment.recipient),
        ":amount_msat": Count(payment.amount_msat),
        ":fee_limit_msat": Count(payment.fee_limit_msat),
        ":record_type": Count(payment.record_type),
        ":record": payment.record.0,
        ":state": AttemptState::Open.code(),
        ":started_at_ms": Count(now_ms),
    })?;
    Ok(())
}

fn settle_message(connection: &Connection, message_row: i64, outcome: &Outcome, now_ms: u64) -> Result<(), StoreError> {
    let (state, fee_msat, reason) = match outcome {
        Outcome::Successful { fee_msat } => (State::Delivered, *fee_msat, None),
        Outcome::Failed(failure) => (State::Failed, 0, Some(failure.reason.code())),
    };
    let sql = "UPDATE messages SET state = ?2, fee_msat = ?3, failure_reason = ?4 WHERE row_id = ?1";
    connection.execute(sql, params![message_row, state.code(), Count(fee_msat), reason])?;
    append_log(connection, message_row, Direction::Out, now_ms)
}

fn open_attempt(row: &Row<'_>) -> rusqlite::Result<OpenAttempt> {
    let count = |name: &str| row.get::<_, Count>(name).map(|count| count.0);
    Ok(OpenAttempt {
        id: row.get::<_, crate::rows::Id>("id")?.0,
        payment: Keysend {
            recipient: row.get::<_, Node>("recipient")?.0,
            amount_msat: count("amount_msat")?,
            fee_limit_msat: count("fee_limit_msat")?,
            preimage: Preimage(row.get("preimage")?),
            record_type: count("record_type")?,
            record: Body(row.get("record")?),
        },
    })
}
