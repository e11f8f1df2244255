//! Receipts: those that this node owes and gives, and those that come for what it sent.
//!
//! What is owed is written down with the message that asks, so that neither a kill nor a repeat loses or doubles it; it is
//! given later, in a transaction of its own, since its signature is the node's to make.

use boltgram_core::{
    ChainHash, MessageId, NodeId,
    message::Direction,
    outbox::entry::Entry,
    policy::day,
    receipt::{Budget, ContentHash, Receipt},
};
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};

use super::{Outgoing, Unfinished, accept, entry, resume};
use crate::{
    Store, StoreError,
    insert::insert_hidden,
    read::message_by_row,
    rows::{Coded as _, Count, Id, Node, Sha256, Signed},
};

/// Who receives: by it a receipt is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Receiver {
    /// This node's id.
    pub node_id: NodeId,
    /// The chain it lives on.
    pub chain_hash: ChainHash,
}

/// A receipt that this node owes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Owed {
    /// Its place in the order in which they came to be owed.
    row: i64,
    /// The message that it is for.
    pub id: MessageId,
    /// Who sent that, and gets the receipt.
    pub sender: NodeId,
    /// The hash of its content.
    pub content_hash: ContentHash,
    /// What it brought along, in millisatoshi.
    pub amount_msat: u64,
}

/// What came of giving a receipt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Given {
    /// It is in the outbox.
    Yes(Unfinished),
    /// It isn't given, and no longer owed: the budget has nothing for it.
    Declined,
    /// It was given or declined before.
    Known,
}

impl Store {
    /// Receipts that are owed, the oldest first, at most `limit`.
    pub fn owed_receipts(&self, limit: usize) -> Result<Vec<Owed>, StoreError> {
        self.readers.with(|connection| {
            let mut statement = connection.prepare_cached(OWED_SQL)?;
            let rows = statement.query_map([Count(limit as u64)], owed)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Puts receipts into the outbox, each once, as far as the budget allows it; the fee limit is the budget's, not that of
    /// the [`Outgoing`]. They are never shown as messages. What came of each is told in their order.
    pub fn give_receipts(&self, receipts: Vec<(Owed, Outgoing)>, budget: Budget) -> Result<Vec<Given>, StoreError> {
        self.write(move |connection| {
            receipts.into_iter().map(|(owed, outgoing)| give(connection, owed, outgoing, budget)).collect()
        })
    }
}

fn give(connection: &Connection, owed: Owed, outgoing: Outgoing, budget: Budget) -> Result<Given, StoreError> {
    let sql = "SELECT 1 FROM receipts WHERE message_row = ?1 AND receipt_row IS NULL";
    if connection.prepare_cached(sql)?.query_row([owed.row], |_| Ok(())).optional()?.is_none() {
        return Ok(Given::Known);
    }
    let today = day(outgoing.now_ms);
    let Some(means) = budget.means(owed.amount_msat, spent_msat(connection, today)?) else {
        connection.prepare_cached("DELETE FROM receipts WHERE message_row = ?1")?.execute([owed.row])?;
        return Ok(Given::Declined);
    };
    let outgoing = Outgoing { fee_limit_msat: means.fee_limit_msat, ..outgoing };
    let entry = Entry::new(outgoing.encoded.0.len() as u32, outgoing.queues);
    let receipt_row = insert_hidden(connection, &accept::as_stored(&outgoing, &entry))?;
    accept::insert(connection, receipt_row, &outgoing, &entry)?;
    let sql = "UPDATE receipts SET receipt_row = :receipt_row, day = :day, operator_msat_max = :operator \
               WHERE message_row = :row";
    connection.prepare_cached(sql)?.execute(named_params! {
        ":row": owed.row,
        ":receipt_row": receipt_row,
        ":day": Count(today),
        ":operator": Count(means.operator_msat_max),
    })?;
    resume::unfinished(connection, receipt_row, &entry).map(Given::Yes)
}

/// The receipts that are owed, by an index that has no others. None is for an unsigned text.
const OWED_SQL: &str = "SELECT r.message_row, m.id, m.peer, r.content_hash, m.amount_msat \
                        FROM receipts r INDEXED BY receipts_owed JOIN messages m ON m.row_id = r.message_row \
                        WHERE r.receipt_row IS NULL ORDER BY r.message_row LIMIT ?1";

fn owed(row: &Row<'_>) -> rusqlite::Result<Owed> {
    Ok(Owed {
        row: row.get("message_row")?,
        id: row.get::<_, Id>("id")?.0,
        sender: row.get::<_, Node>("peer")?.0,
        content_hash: row.get::<_, Sha256>("content_hash")?.0,
        amount_msat: row.get::<_, Count>("amount_msat")?.0,
    })
}

/// What the operator adds to the receipts of a day, in millisatoshi: of those that are under way, what it may be. 1, 5, 2
/// and 4 are the states `Sending`, `Queued`, `Delivered` and `Received`.
fn spent_msat(connection: &Connection, day: u64) -> Result<u64, StoreError> {
    let spent: Count = connection.prepare_cached(SPENT_SQL)?.query_row([Count(day)], |row| row.get(0))?;
    Ok(spent.0)
}

/// The statement of that.
pub(crate) const SPENT_SQL: &str = "SELECT ifnull(SUM(CASE WHEN o.state IN (1, 5) THEN r.operator_msat_max \
                                    WHEN o.state IN (2, 4) THEN max(0, o.amount_msat + o.fee_msat - m.amount_msat) \
                                    ELSE 0 END), 0) FROM receipts r INDEXED BY receipts_by_day \
                                    JOIN messages o ON o.row_id = r.receipt_row \
                                    JOIN messages m ON m.row_id = r.message_row \
                                    WHERE r.day = ?1 AND r.operator_msat_max > 0";

/// Writes down that a receipt is owed for a message that was just stored.
pub(crate) fn owe(connection: &Connection, message_row: i64, content_hash: ContentHash) -> Result<(), StoreError> {
    let sql = "INSERT INTO receipts (message_row, content_hash) VALUES (?1, ?2)";
    connection.prepare_cached(sql)?.execute(params![message_row, Sha256(content_hash)])?;
    Ok(())
}

/// What a receipt turned out to be.
pub(crate) enum Taken {
    /// The message of this row is received now.
    New(i64),
    /// Genuine, and it changes nothing: the message has one already, or is deleted, so that what it was for can't be told.
    Nothing,
    /// It proves nothing to this node.
    Refused,
}

/// Takes a receipt that `sender` sent.
pub(crate) fn take(
    connection: &Connection,
    receiver: Receiver,
    sender: NodeId,
    receipt: &Receipt,
    now_ms: u64,
) -> Result<Taken, StoreError> {
    if receipt.signer(receiver.chain_hash, receiver.node_id) != Some(sender) {
        return Ok(Taken::Refused);
    }
    let sql = "SELECT m.row_id, m.deleted_at_ms IS NOT NULL AS is_deleted FROM messages m WHERE m.id = ?1 \
               AND m.is_own_id = 1 AND m.direction = ?2 AND m.peer = ?3 \
               AND NOT EXISTS (SELECT 1 FROM receipts WHERE receipt_row = m.row_id)";
    let values = params![Id(receipt.id), Direction::Out.code(), Node(sender)];
    let found = connection.prepare_cached(sql)?.query_row(values, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((message_row, is_deleted)): Option<(i64, bool)> = found else { return Ok(Taken::Refused) };
    if is_deleted {
        return Ok(Taken::Nothing);
    }
    let message = message_by_row(connection, message_row)?;
    if ContentHash::of(&message.content().to_bytes()) != receipt.content_hash {
        return Ok(Taken::Refused);
    }
    if message.receipt.is_some() {
        return Ok(Taken::Nothing);
    }
    let sql = "UPDATE messages SET receipt_signature = :signature, receipt_content_hash = :hash, receipt_at_ms = :now_ms, \
               failure_reason = NULL WHERE row_id = :row";
    connection.prepare_cached(sql)?.execute(named_params! {
        ":row": message_row,
        ":signature": Signed(receipt.signature),
        ":hash": Sha256(receipt.content_hash),
        ":now_ms": Count(now_ms),
    })?;
    let mut stored = entry::load(connection, message_row)?;
    stored.entry.is_received = true;
    stored.save(connection, now_ms)?;
    Ok(Taken::New(message_row))
}
