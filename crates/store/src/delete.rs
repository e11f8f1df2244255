//! Deletion: a message's content goes, its key stays, so that a repeat of it is neither shown nor taken for new.

use boltgram_core::{MessageId, message::State};
use rusqlite::{Connection, OptionalExtension as _, named_params, params};

use crate::{
    Store, StoreError, conversations,
    rows::{Coded as _, Count, Id, Node},
    search,
};

/// What a deletion came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deletion {
    /// The message is deleted.
    Done,
    /// No message has this id.
    NotFound,
    /// It is still being sent: it is in this state.
    NotFinished(State),
}

impl Store {
    /// Deletes the message with this id: the one that [`Store::message`] gives. What stays is its key, its amounts, its
    /// times and the hashes of its payments.
    pub fn delete(&self, id: MessageId, now_ms: u64) -> Result<Deletion, StoreError> {
        self.write(move |connection| {
            let sql = "SELECT row_id, state FROM messages WHERE id = ?1 AND deleted_at_ms IS NULL \
                       ORDER BY is_own_id DESC, row_id LIMIT 1";
            let found = connection
                .prepare_cached(sql)?
                .query_row([Id(id)], |row| Ok((row.get(0)?, State::column(row, "state")?)))
                .optional()?;
            match found {
                None => Ok(Deletion::NotFound),
                Some((_, state @ (State::Queued | State::Sending))) => Ok(Deletion::NotFinished(state)),
                Some((message_row, _)) => delete_row(connection, message_row, now_ms).map(|()| Deletion::Done),
            }
        })
    }

    /// Deletes messages that were stored `age_ms` and longer ago, at most `limit` of them, the oldest first, and tells how
    /// many it deleted. Those that are still being sent stay.
    pub fn delete_older(&self, now_ms: u64, age_ms: u64, limit: usize) -> Result<u64, StoreError> {
        self.write(move |connection| {
            let until_ms = Count(now_ms.saturating_sub(age_ms).min(i64::MAX as u64));
            let mut statement = connection.prepare_cached(OLDER_SQL)?;
            let rows = statement.query_map(params![until_ms, Count(limit as u64)], |row| row.get(0))?;
            let rows: Vec<i64> = rows.collect::<Result<_, _>>()?;
            for row in &rows {
                delete_row(connection, *row, now_ms)?;
            }
            Ok(rows.len() as u64)
        })
    }
}

/// The rows of the messages that are older, the oldest first.
pub(crate) const OLDER_SQL: &str = "SELECT row_id FROM messages INDEXED BY messages_by_age WHERE stored_at_ms <= ?1 \
                                    AND state NOT IN (1, 5) AND deleted_at_ms IS NULL ORDER BY stored_at_ms LIMIT ?2";

fn delete_row(connection: &Connection, message_row: i64, now_ms: u64) -> Result<(), StoreError> {
    let sql = "SELECT peer, is_read FROM messages WHERE row_id = ?1";
    let (peer, is_read) = connection
        .prepare_cached(sql)?
        .query_row([message_row], |row| Ok((row.get::<_, Option<Node>>(0)?, row.get(1)?)))?;
    let peer = peer.map(|peer| peer.0).into();
    let sql = "UPDATE messages SET body = x'', content_type = '', reply_to = NULL, is_read = 1, \
               receipt_signature = NULL, receipt_content_hash = NULL, deleted_at_ms = :now_ms WHERE row_id = :row";
    connection.prepare_cached(sql)?.execute(named_params! { ":now_ms": Count(now_ms), ":row": message_row })?;
    forget_encoded(connection, message_row)?;
    conversations::take_out(connection, peer, is_read)?;
    search::take_out(connection, message_row)
}

/// Empties what would be sent again of a message that has failed. Its payments' records went when they ended, their hashes
/// stay.
fn forget_encoded(connection: &Connection, message_row: i64) -> Result<(), StoreError> {
    let sql = "UPDATE outbox SET encoded = x'' WHERE message_row = ?1";
    connection.prepare_cached(sql)?.execute([message_row])?;
    Ok(())
}
