//! A message is cancelled, or its time is over: nothing more of it is tried.

use boltgram_core::{MessageId, Reason, message::Message, outbox::entry::Stop};
use rusqlite::{Connection, params};

use super::{Stopped, entry};
use crate::{Store, StoreError, read::message_by_row, rows::Count};

impl Store {
    /// Cancels a message.
    pub fn cancel(&self, id: MessageId, now_ms: u64) -> Result<Stopped, StoreError> {
        self.write(move |connection| {
            let Some(message_row) = entry::row_of(connection, id)? else { return Ok(Stopped::Unknown) };
            if !entry::load(connection, message_row)?.is_shown {
                return Ok(Stopped::Unknown);
            }
            let changed = stop(connection, message_row, Stop::Cancelled, now_ms)?;
            let message = message_by_row(connection, message_row)?;
            Ok(if changed { Stopped::Yes(message) } else { Stopped::Ended(message) })
        })
    }

    /// Ends those of these messages that may not wait, if nothing of them was claimed or is in flight; the others keep
    /// the reason why they wait. Returns those that it ended.
    pub fn not_now(&self, ids: Vec<MessageId>, reason: Reason, now_ms: u64) -> Result<Vec<Message>, StoreError> {
        self.write(move |connection| {
            let mut ended = Vec::new();
            for id in ids {
                let Some(message_row) = entry::row_of(connection, id)? else { continue };
                let mut stored = entry::load(connection, message_row)?;
                if !stored.entry.is_live() {
                    continue;
                }
                let sql = "UPDATE messages SET failure_reason = ?2 WHERE row_id = ?1";
                connection.prepare_cached(sql)?.execute(params![message_row, reason.code()])?;
                stored.entry.after_failure();
                if !stored.entry.is_live() {
                    stored.save(connection, now_ms)?;
                    ended.push(message_by_row(connection, message_row)?);
                }
            }
            Ok(ended)
        })
    }

    /// Stops the messages whose time is over, at most `limit`, and returns them.
    pub fn expire(&self, now_ms: u64, limit: usize) -> Result<Vec<Message>, StoreError> {
        // Most looks find nothing: they cost no transaction.
        let find = move |connection: &Connection| -> Result<Vec<i64>, StoreError> {
            let sql = "SELECT message_row FROM outbox WHERE is_open = 1 AND stop = 0 AND expires_at_ms <= ?1 \
                       ORDER BY expires_at_ms LIMIT ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params![Count(now_ms), Count(limit as u64)], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        if self.readers.with(find)?.is_empty() {
            return Ok(Vec::new());
        }
        self.write(move |connection| {
            let rows = find(connection)?;
            for row in &rows {
                stop(connection, *row, Stop::Expired, now_ms)?;
            }
            rows.into_iter().map(|row| message_by_row(connection, row)).collect()
        })
    }
}

fn stop(connection: &Connection, message_row: i64, stop: Stop, now_ms: u64) -> Result<bool, StoreError> {
    let mut stored = entry::load(connection, message_row)?;
    let changed = stored.stop(stop);
    if changed {
        stored.save(connection, now_ms)?;
    }
    Ok(changed)
}
