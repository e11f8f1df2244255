//! SQLite's values to the domain's words and back.
//!
//! The numbers that stand for directions and states are on disk: they never change their meaning.

use boltgram_core::{
    MessageId, NodeId,
    frame::Encoding,
    message::{Authenticity, Body, Direction, Message, PaymentHash, Progress, State},
    receipt::{ContentHash, Received},
    sign::Signature,
};
use rusqlite::{
    Row, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};

/// A message id as a blob of 16 bytes.
pub(crate) struct Id(pub MessageId);

/// A node id as a blob of 33 bytes.
pub(crate) struct Node(pub NodeId);

/// A payment hash as a blob of 32 bytes.
pub(crate) struct Hash(pub PaymentHash);

/// A content hash as a blob of 32 bytes.
pub(crate) struct Sha256(pub ContentHash);

/// A signature as a blob of 65 bytes.
pub(crate) struct Signed(pub Signature);

/// A count of millisatoshi or milliseconds, or a sequence number.
pub(crate) struct Count(pub u64);

macro_rules! blob {
    ($name:ident, $read:expr, $write:expr) => {
        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let read = $read;
                read(value.as_blob()?).map(Self).ok_or(FromSqlError::InvalidType)
            }
        }

        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                let write = $write;
                Ok(ToSqlOutput::from(write(&self.0).to_vec()))
            }
        }
    };
}

blob!(Id, MessageId::from_slice, |id: &MessageId| id.to_bytes());
blob!(Node, NodeId::from_slice, |id: &NodeId| id.to_bytes());
blob!(Hash, |bytes: &[u8]| bytes.try_into().ok().map(PaymentHash), |hash: &PaymentHash| hash.0);
blob!(Sha256, |bytes: &[u8]| bytes.try_into().ok().map(ContentHash), |hash: &ContentHash| hash.0);
blob!(Signed, |bytes: &[u8]| bytes.try_into().ok().map(Signature), |signature: &Signature| signature.0);

impl FromSql for Count {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        u64::try_from(number).map(Self).map_err(|_| FromSqlError::OutOfRange(number))
    }
}

impl ToSql for Count {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let number = i64::try_from(self.0).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        Ok(ToSqlOutput::from(number))
    }
}

/// A value that is kept as a small number.
pub(crate) trait Coded: Copy + PartialEq + 'static {
    /// Each value with its number.
    const CODES: &'static [(Self, i64)];

    /// Its number.
    fn code(self) -> i64 {
        Self::CODES.iter().find(|(value, _)| *value == self).map_or(0, |(_, code)| *code)
    }

    /// The value of a column.
    fn column(row: &Row<'_>, name: &str) -> rusqlite::Result<Self> {
        let code: i64 = row.get(name)?;
        let value = Self::CODES.iter().find(|(_, known)| *known == code).map(|(value, _)| *value);
        value.ok_or(rusqlite::Error::IntegralValueOutOfRange(0, code))
    }
}

impl Coded for Direction {
    const CODES: &'static [(Self, i64)] = &[(Direction::In, 1), (Direction::Out, 2)];
}

impl Coded for State {
    const CODES: &'static [(Self, i64)] = &[
        (State::Sending, 1),
        (State::Delivered, 2),
        (State::Failed, 3),
        (State::Received, 4),
        (State::Queued, 5),
        (State::Expired, 6),
        (State::Cancelled, 7),
    ];
}

impl Coded for Encoding {
    const CODES: &'static [(Self, i64)] = &[(Encoding::Plain, 0), (Encoding::Zstd, 1)];
}

impl Coded for Authenticity {
    const CODES: &'static [(Self, i64)] = &[(Authenticity::Signed, 1), (Authenticity::Unsigned, 2)];
}

/// The columns that [`message`] reads. What a delivered message has delivered is all of it, and needs no sum; 2 is that
/// state, of a message as of an attempt, and 4 is `Received`.
pub(crate) const MESSAGE_COLUMNS: &str = "m.id, m.direction, m.peer, m.content_type, m.body, m.reply_to, \
    m.amount_msat, m.fee_msat, m.state, m.authenticity, m.stored_at_ms, m.failure_reason, m.payment_hash, m.is_read, \
    m.sequence, m.asks_receipt, m.receipt_signature, m.receipt_content_hash, m.receipt_at_ms, (SELECT expires_at_ms FROM outbox WHERE message_row = m.row_id) AS expires_at_ms, \
    (SELECT total_bytes FROM outbox WHERE message_row = m.row_id) AS total_bytes, \
    (SELECT COUNT(*) FROM attempt_parts WHERE message_row = m.row_id) AS payments, \
    CASE WHEN m.state IN (2, 4) THEN NULL ELSE (SELECT SUM(p.end - p.start) FROM attempt_parts p JOIN attempts a \
    USING (attempt_row) WHERE p.message_row = m.row_id AND a.state = 2) END AS delivered_bytes";

/// A row of `messages`.
pub(crate) fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let count = |name: &str| row.get::<_, Count>(name).map(|count| count.0);
    let state = Coded::column(row, "state")?;
    Ok(Message {
        id: row.get::<_, Id>("id")?.0,
        direction: Coded::column(row, "direction")?,
        peer: row.get::<_, Option<Node>>("peer")?.map(|peer| peer.0),
        content_type: row.get("content_type")?,
        body: Body(row.get("body")?),
        reply_to: row.get::<_, Option<Id>>("reply_to")?.map(|id| id.0),
        amount_msat: count("amount_msat")?,
        fee_msat: count("fee_msat")?,
        state,
        authenticity: Coded::column(row, "authenticity")?,
        stored_at_ms: count("stored_at_ms")?,
        failure_reason: row.get("failure_reason")?,
        payment_hash: row.get::<_, Option<Hash>>("payment_hash")?.map(|hash| hash.0),
        sequence: count("sequence")?,
        is_read: row.get("is_read")?,
        expires_at_ms: row.get::<_, Option<Count>>("expires_at_ms")?.map(|at_ms| at_ms.0),
        payments: row.get("payments")?,
        progress: progress(row, state)?,
        asks_receipt: row.get("asks_receipt")?,
        receipt: receipt(row)?,
    })
}

fn receipt(row: &Row<'_>) -> rusqlite::Result<Option<Received>> {
    let Some(Signed(signature)) = row.get("receipt_signature")? else { return Ok(None) };
    Ok(Some(Received {
        signature,
        content_hash: row.get::<_, Sha256>("receipt_content_hash")?.0,
        received_at_ms: row.get::<_, Count>("receipt_at_ms")?.0,
    }))
}

/// How much has arrived, of a message that this node sent.
fn progress(row: &Row<'_>, state: State) -> rusqlite::Result<Option<Progress>> {
    let Some(Count(total_bytes)) = row.get("total_bytes")? else { return Ok(None) };
    let sum = row.get::<_, Option<Count>>("delivered_bytes")?.map_or(0, |sum| sum.0);
    // Ranges may overlap, when a payment that was given up has arrived after all.
    let is_whole = matches!(state, State::Delivered | State::Received);
    let delivered_bytes = if is_whole { total_bytes } else { sum.min(total_bytes) };
    Ok(Some(Progress { delivered_bytes, total_bytes }))
}
