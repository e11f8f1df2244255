//! The payments that were put aside, with their reasons, and the counts of all that were received.

use boltgram_core::{
    MessageId, NodeId,
    limits::{HELD_RECORD_BYTES_MAX, HELD_RECORD_MS_MAX},
    message::PaymentHash,
    policy::HeldReason,
};
use rusqlite::{Connection, Row, named_params, params};

use super::{Incoming, PaymentOutcome, take::Aside};
use crate::{
    Store, StoreError,
    read::PageKey,
    rows::{Coded, Count, Hash, Id, Node},
};

impl Coded for HeldReason {
    const CODES: &'static [(Self, i64)] = &[
        (Self::Signature, 1),
        (Self::Unreadable, 2),
        (Self::Conflict, 3),
        (Self::TooLarge, 4),
        (Self::NoRoom, 5),
        (Self::Blocked, 6),
        (Self::AmountTooSmall, 7),
        (Self::Quota, 8),
        (Self::Unsigned, 9),
        (Self::Receipt, 10),
    ];
}

/// A payment of which something was put aside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// Its hash.
    pub payment_hash: PaymentHash,
    /// Who signed its frame; `None` when nobody did, or when the signature doesn't hold.
    pub sender: Option<NodeId>,
    /// The message that it is about, if that is known. Of several, the first.
    pub message_id: Option<MessageId>,
    /// What the payment brought, in millisatoshi.
    pub amount_msat: u64,
    /// When, Unix time in milliseconds.
    pub received_at_ms: u64,
    /// Why it was put aside; of several parts, the first.
    pub reason: HeldReason,
    /// The same in more words.
    pub detail: String,
    /// The bytes of its record.
    pub record_bytes: u64,
    /// Whether the record is kept.
    pub has_record: bool,
}

/// A page of payments that were put aside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldPage {
    /// The payments, the newest first.
    pub held: Vec<Held>,
    /// Where the next, older page begins; `None` when there is none.
    pub next: Option<PageKey>,
}

/// How many received payments there are, by the best of what they brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PaymentCounts {
    /// Payments that completed messages.
    pub messages: u64,
    /// Payments that brought parts of messages which weren't complete then.
    pub parts: u64,
    /// Payments that brought only what was there already.
    pub repeated: u64,
    /// Payments with a record that can't be read, or whose signature doesn't hold.
    pub unreadable: u64,
    /// Payments without a record of ours.
    pub plain: u64,
    /// Payments with a known message id and another content.
    pub conflicting: u64,
    /// Payments whose messages this node's policy doesn't take.
    pub put_aside: u64,
    /// Payments that brought receipts for what this node sent.
    pub receipts: u64,
}

/// What came in, in numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct InboxCounts {
    /// The payments.
    pub payments: PaymentCounts,
    /// Those of which something was put aside, by reason; only reasons that occurred.
    pub held: Vec<(HeldReason, u64)>,
    /// What the parts of unfinished messages take, in bytes.
    pub waiting_bytes: u64,
    /// The messages that were dropped because the rest of them didn't come.
    pub dropped_messages: u64,
    /// The bytes that were held of these.
    pub dropped_bytes: u64,
}

/// Counts one more payment.
pub(super) fn count(connection: &Connection, outcome: PaymentOutcome) -> Result<(), StoreError> {
    let sql = "INSERT INTO payment_counts VALUES (?1, 1) ON CONFLICT (outcome) DO UPDATE SET payments = payments + 1";
    connection.prepare_cached(sql)?.execute([outcome.code()])?;
    Ok(())
}

/// Lists a payment as put aside, and keeps its record if there is room.
pub(super) fn put(connection: &Connection, incoming: &Incoming, aside: &Aside) -> Result<(), StoreError> {
    let record = &incoming.record.0;
    let sql = "UPDATE inbox_totals SET held_record_bytes = held_record_bytes + ?1 WHERE held_record_bytes + ?1 <= ?2";
    let values = params![Count(record.len() as u64), Count(HELD_RECORD_BYTES_MAX)];
    let has_room = connection.prepare_cached(sql)?.execute(values)? == 1;
    let sql = "INSERT INTO held (payment_hash, sender, message_id, amount_msat, received_at_ms, reason, detail, \
               record_bytes, record) VALUES (:payment_hash, :sender, :message_id, :amount_msat, :received_at_ms, \
               :reason, :detail, :record_bytes, :record)";
    connection.prepare_cached(sql)?.execute(named_params! {
        ":payment_hash": Hash(incoming.payment_hash),
        ":sender": aside.sender.map(Node),
        ":message_id": aside.id.map(Id),
        ":amount_msat": Count(incoming.amount_msat),
        ":received_at_ms": Count(incoming.now_ms),
        ":reason": Coded::code(aside.reason),
        ":detail": aside.detail,
        ":record_bytes": Count(record.len() as u64),
        ":record": has_room.then_some(record),
    })?;
    let sql = "INSERT INTO held_counts VALUES (?1, 1) ON CONFLICT (reason) DO UPDATE SET payments = payments + 1";
    connection.prepare_cached(sql)?.execute([Coded::code(aside.reason)])?;
    Ok(())
}

fn held(row: &Row<'_>) -> rusqlite::Result<Held> {
    let count = |name: &str| row.get::<_, Count>(name).map(|count| count.0);
    Ok(Held {
        payment_hash: row.get::<_, Hash>("payment_hash")?.0,
        sender: row.get::<_, Option<Node>>("sender")?.map(|sender| sender.0),
        message_id: row.get::<_, Option<Id>>("message_id")?.map(|id| id.0),
        amount_msat: count("amount_msat")?,
        received_at_ms: count("received_at_ms")?,
        reason: Coded::column(row, "reason")?,
        detail: row.get("detail")?,
        record_bytes: count("record_bytes")?,
        has_record: row.get("has_record")?,
    })
}

impl Store {
    /// A page of the payments of which something was put aside, those before `before`, at most `limit`.
    pub fn held(&self, before: Option<PageKey>, limit: usize) -> Result<HeldPage, StoreError> {
        self.readers.with(|connection| {
            let sql = "SELECT row_id, payment_hash, sender, message_id, amount_msat, received_at_ms, reason, detail, \
                       record_bytes, record IS NOT NULL AS has_record FROM held WHERE row_id < ?1 \
                       ORDER BY row_id DESC LIMIT ?2";
            let before = PageKey::row_or_max(before);
            let mut statement = connection.prepare_cached(sql)?;
            let read = |row: &Row<'_>| Ok((row.get::<_, Count>("row_id")?.0, held(row)?));
            let rows = statement.query_map([before, Count(limit as u64 + 1)], read)?;
            let mut rows: Vec<(u64, Held)> = rows.collect::<Result<_, _>>()?;
            let has_more = rows.len() > limit;
            rows.truncate(limit);
            let next = rows.last().filter(|_| has_more).map(|(row, _)| PageKey { row: *row, id: None });
            Ok(HeldPage { held: rows.into_iter().map(|(_, held)| held).collect(), next })
        })
    }

    /// What came in, in numbers. It costs the same whatever came before.
    pub fn inbox_counts(&self) -> Result<InboxCounts, StoreError> {
        self.readers.with(|connection| {
            let sql = "SELECT room_bytes, dropped_messages, dropped_bytes FROM inbox_totals";
            let mut counts = connection.query_row(sql, [], |row| {
                let count = |column: usize| row.get::<_, Count>(column).map(|count| count.0);
                Ok(InboxCounts {
                    waiting_bytes: count(0)?,
                    dropped_messages: count(1)?,
                    dropped_bytes: count(2)?,
                    ..InboxCounts::default()
                })
            })?;
            counts.payments = payment_counts(connection)?;
            let mut statement =
                connection.prepare_cached("SELECT reason, payments FROM held_counts ORDER BY reason")?;
            let rows = statement
                .query_map([], |row| Ok((Coded::column(row, "reason")?, row.get::<_, Count>("payments")?.0)))?;
            counts.held = rows.collect::<Result<_, _>>()?;
            Ok(counts)
        })
    }

    /// How many payments were received, by what they were.
    pub fn payment_counts(&self) -> Result<PaymentCounts, StoreError> {
        self.readers.with(payment_counts)
    }

    /// Drops the records of payments that were put aside 30 days ago ([`HELD_RECORD_MS_MAX`]), and returns how many. The
    /// payments stay listed.
    pub fn drop_old_held_records(&self, now_ms: u64) -> Result<u64, StoreError> {
        let until_ms = now_ms.saturating_sub(HELD_RECORD_MS_MAX);
        self.write(move |connection| {
            let sql = "UPDATE inbox_totals SET held_record_bytes = held_record_bytes - (SELECT \
                       ifnull(SUM(record_bytes), 0) FROM held WHERE received_at_ms <= ?1 AND record IS NOT NULL)";
            connection.execute(sql, [Count(until_ms)])?;
            let sql = "UPDATE held SET record = NULL WHERE received_at_ms <= ?1 AND record IS NOT NULL";
            Ok(connection.execute(sql, [Count(until_ms)])? as u64)
        })
    }
}

fn payment_counts(connection: &Connection) -> Result<PaymentCounts, StoreError> {
    let mut statement = connection.prepare_cached("SELECT outcome, payments FROM payment_counts")?;
    let mut rows = statement.query([])?;
    let mut counts = PaymentCounts::default();
    while let Some(row) = rows.next()? {
        let count: Count = row.get("payments")?;
        *match PaymentOutcome::column(row, "outcome")? {
            PaymentOutcome::Messages => &mut counts.messages,
            PaymentOutcome::Parts => &mut counts.parts,
            PaymentOutcome::Repeated => &mut counts.repeated,
            PaymentOutcome::Unreadable => &mut counts.unreadable,
            PaymentOutcome::Plain => &mut counts.plain,
            PaymentOutcome::Conflicting => &mut counts.conflicting,
            PaymentOutcome::PutAside => &mut counts.put_aside,
            PaymentOutcome::Receipts => &mut counts.receipts,
        } = count.0;
    }
    Ok(counts)
}
