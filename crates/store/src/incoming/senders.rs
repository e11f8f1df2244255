//! What each sender has used of its quota, and what its fragments take.
//!
//! A sender has a row while either is more than nothing; all unsigned texts count as one sender's, under an empty blob.

use boltgram_core::{
    NodeId,
    policy::{InboxPolicy, Usage, day},
};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::refusal::Refusal;
use crate::{StoreError, rows::Count};

fn key(sender: Option<NodeId>) -> Vec<u8> {
    sender.map(|sender| sender.to_bytes().to_vec()).unwrap_or_default()
}

/// Counts one more message of so many bytes; refused when the sender's quota is used up.
pub(super) fn charge(
    connection: &Connection,
    policy: &InboxPolicy,
    sender: Option<NodeId>,
    bytes: u64,
    now_ms: u64,
) -> Result<(), Refusal> {
    let sql = "SELECT day, day_messages, day_bytes FROM senders WHERE sender = ?1";
    let used = connection.prepare_cached(sql)?.query_row([key(sender)], |row| {
        let count = |column: usize| row.get::<_, Count>(column).map(|count| count.0);
        Ok(Usage { day: count(0)?, messages: count(1)?, bytes: count(2)? })
    });
    let used = policy.charge(used.optional()?.unwrap_or_default(), bytes, now_ms)?;
    let sql = "INSERT INTO senders (sender, day, day_messages, day_bytes, room_bytes) VALUES (?1, ?2, ?3, ?4, 0) \
               ON CONFLICT (sender) DO UPDATE SET day = ?2, day_messages = ?3, day_bytes = ?4";
    let values = params![key(sender), Count(used.day), Count(used.messages), Count(used.bytes)];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Counts more bytes of a message that was let in.
pub(super) fn add_bytes(connection: &Connection, sender: NodeId, bytes: u64) -> Result<(), StoreError> {
    let sql = "UPDATE senders SET day_bytes = day_bytes + ?2 WHERE sender = ?1";
    connection.prepare_cached(sql)?.execute(params![key(Some(sender)), Count(bytes)])?;
    Ok(())
}

/// What the fragments of a sender take.
pub(super) fn room_bytes(connection: &Connection, sender: NodeId) -> Result<u64, StoreError> {
    let sql = "SELECT room_bytes FROM senders WHERE sender = ?1";
    let bytes = connection.prepare_cached(sql)?.query_row([key(Some(sender))], |row| row.get::<_, Count>(0));
    Ok(bytes.optional()?.map_or(0, |bytes| bytes.0))
}

/// Adds to what the fragments of a sender take.
pub(super) fn move_room(connection: &Connection, sender: NodeId, bytes: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO senders (sender, day, day_messages, day_bytes, room_bytes) VALUES (?1, 0, 0, 0, ?2) \
               ON CONFLICT (sender) DO UPDATE SET room_bytes = room_bytes + ?2";
    connection.prepare_cached(sql)?.execute(params![key(Some(sender)), bytes])?;
    Ok(())
}

/// Removes the rows that say nothing any longer.
pub(super) fn forget(connection: &Connection, now_ms: u64) -> Result<(), StoreError> {
    let sql = "DELETE FROM senders WHERE day <> ?1 AND room_bytes = 0";
    connection.prepare_cached(sql)?.execute([Count(day(now_ms))])?;
    Ok(())
}
