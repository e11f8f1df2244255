//! The rows of one message to send, read for the rules and written after them.

use boltgram_core::{
    MessageId,
    message::{Direction, State},
    outbox::entry::{Entry, Stop},
    ranges::Ranges,
};
use rusqlite::{Connection, OptionalExtension as _, named_params, params};

use super::AttemptState;
use crate::{
    StoreError,
    insert::append_log,
    rows::{Coded, Count, Id},
};

/// One message to send, with where it stands.
pub(super) struct Stored {
    pub(super) message_row: i64,
    pub(super) entry: Entry,
    /// Its state as it is stored.
    before: State,
    /// Whether it is shown: neither deleted nor a receipt.
    pub(super) is_shown: bool,
}

/// The row of the message that this node made under this id.
pub(super) fn row_of(connection: &Connection, id: MessageId) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT m.row_id FROM messages m JOIN outbox o ON o.message_row = m.row_id \
               WHERE m.id = ?1 AND m.is_own_id = 1";
    Ok(connection.prepare_cached(sql)?.query_row([Id(id)], |row| row.get(0)).optional()?)
}

/// Reads a message's entry.
pub(super) fn load(connection: &Connection, message_row: i64) -> Result<Stored, StoreError> {
    let sql = "SELECT o.total_bytes, o.queues, o.stop, m.state, m.deleted_at_ms IS NULL AS is_shown FROM outbox o \
               JOIN messages m ON m.row_id = o.message_row WHERE o.message_row = ?1";
    let mut stored = connection.prepare_cached(sql)?.query_row([message_row], |row| {
        let mut entry = Entry::new(row.get("total_bytes")?, row.get("queues")?);
        entry.stop = Coded::column(row, "stop")?;
        let before = Coded::column(row, "state")?;
        entry.is_received = before == State::Received;
        Ok(Stored { message_row, entry, before, is_shown: row.get("is_shown")? })
    })?;
    let sql = "SELECT p.start, p.end, a.state FROM attempt_parts p JOIN attempts a USING (attempt_row) \
               WHERE p.message_row = ?1 AND a.state != 3";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([message_row])?;
    while let Some(row) = rows.next()? {
        let range = row.get(0)?..row.get(1)?;
        let ranges: &mut Ranges = match AttemptState::column(row, "state")? {
            AttemptState::Successful => &mut stored.entry.delivered,
            AttemptState::Open | AttemptState::Failed => &mut stored.entry.open,
        };
        ranges.insert(range);
    }
    Ok(stored)
}

impl Stored {
    /// Writes what the rules have made of it. Its end and a new beginning are events of the log; that a payment of it
    /// starts or failed is none, and of what isn't shown nothing is.
    pub(super) fn save(&self, connection: &Connection, now_ms: u64) -> Result<(), StoreError> {
        let state = self.entry.state();
        let is_open = state.is_open();
        let sql = "UPDATE outbox SET queues = :queues, stop = :stop, is_open = :is_open, encoded = CASE WHEN :is_done \
                   THEN x'' ELSE encoded END WHERE message_row = :row";
        connection.prepare_cached(sql)?.execute(named_params! {
            ":row": self.message_row,
            ":queues": self.entry.queues,
            ":stop": self.entry.stop.code(),
            ":is_open": is_open,
            ":is_done": matches!(state, State::Delivered | State::Received | State::Expired | State::Cancelled),
        })?;
        if state != self.before {
            let sql = "UPDATE messages SET state = ?2 WHERE row_id = ?1";
            connection.prepare_cached(sql)?.execute(params![self.message_row, state.code()])?;
            let was_open = self.before.is_open();
            if self.is_shown && (!is_open || !was_open) {
                append_log(connection, self.message_row, Direction::Out, now_ms)?;
            }
        }
        Ok(())
    }

    /// Stops it, and tells whether that changed anything.
    pub(super) fn stop(&mut self, stop: Stop) -> bool {
        self.entry.stop(stop)
    }

    /// What the message has carried and cost, from its claimed payments, in millisatoshi: kept with the message.
    pub(super) fn save_amounts(&self, connection: &Connection, fee_msat: u64) -> Result<(), StoreError> {
        let sql = "UPDATE messages SET fee_msat = fee_msat + ?2, amount_msat = CASE WHEN ?3 THEN \
                   (SELECT SUM(p.amount_msat) FROM attempt_parts p JOIN attempts a USING (attempt_row) \
                    WHERE p.message_row = ?1 AND a.state = 2) ELSE amount_msat END WHERE row_id = ?1";
        let values = params![self.message_row, Count(fee_msat), self.entry.is_delivered()];
        connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}
