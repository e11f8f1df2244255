//! What both ways share: a message's row with all that hangs on it, and its entry in the log.

use boltgram_core::message::{Direction, Message};
use rusqlite::{Connection, named_params, params};

use crate::{
    StoreError, conversations,
    rows::{Coded as _, Count, Hash, Id, Node},
    search,
};

/// Inserts a message, its first log entry, its place in its conversation and its words, and returns its row. The message's own `sequence` is not read.
pub(crate) fn insert_message(connection: &Connection, message: &Message, is_own_id: bool) -> Result<i64, StoreError> {
    let row = insert_row(connection, message, is_own_id, true)?;
    append_log(connection, row, message.direction, message.stored_at_ms)?;
    conversations::add(connection, row, message)?;
    search::add(connection, row, message)?;
    Ok(row)
}

/// Inserts a message of this node's own that is never shown, and returns its row: for readers it is deleted from the
/// beginning.
pub(crate) fn insert_hidden(connection: &Connection, message: &Message) -> Result<i64, StoreError> {
    insert_row(connection, message, true, false)
}

fn insert_row(connection: &Connection, message: &Message, is_own_id: bool, is_shown: bool) -> Result<i64, StoreError> {
    let sql = "INSERT INTO messages (id, is_own_id, direction, peer, content_type, body, reply_to, amount_msat, \
               fee_msat, state, authenticity, stored_at_ms, failure_reason, payment_hash, is_read, sequence, \
               asks_receipt, deleted_at_ms) VALUES (:id, \
               :is_own_id, :direction, :peer, :content_type, :body, :reply_to, :amount_msat, :fee_msat, :state, \
               :authenticity, :stored_at_ms, :failure_reason, :payment_hash, :is_read, 0, :asks_receipt, :deleted_at_ms)";
    connection.prepare_cached(sql)?.execute(named_params! {
        ":id": Id(message.id),
        ":is_own_id": is_own_id,
        ":direction": message.direction.code(),
        ":peer": message.peer.map(Node),
        ":content_type": message.content_type,
        ":body": message.body.0,
        ":reply_to": message.reply_to.map(Id),
        ":amount_msat": Count(message.amount_msat),
        ":fee_msat": Count(message.fee_msat),
        ":state": message.state.code(),
        ":authenticity": message.authenticity.code(),
        ":stored_at_ms": Count(message.stored_at_ms),
        ":failure_reason": message.failure_reason,
        ":payment_hash": message.payment_hash.map(Hash),
        ":is_read": message.is_read,
        ":asks_receipt": message.asks_receipt,
        ":deleted_at_ms": (!is_shown).then_some(Count(message.stored_at_ms)),
    })?;
    Ok(connection.last_insert_rowid())
}

/// Adds an event of this message to the log.
pub(crate) fn append_log(
    connection: &Connection,
    message_row: i64,
    direction: Direction,
    now_ms: u64,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO log (message_row, direction, at_ms) VALUES (?1, ?2, ?3)";
    connection.prepare_cached(sql)?.execute(params![message_row, direction.code(), Count(now_ms)])?;
    let sequence = connection.last_insert_rowid();
    let sql = "UPDATE messages SET sequence = ?2 WHERE row_id = ?1";
    connection.prepare_cached(sql)?.execute([message_row, sequence])?;
    Ok(())
}
