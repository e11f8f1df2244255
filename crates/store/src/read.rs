//! Reading: one message, a page of them, the log.

use boltgram_core::{
    MessageId, NodeId,
    message::{Direction, Message},
};
use rusqlite::{Connection, OptionalExtension as _, ToSql, params};

use crate::{
    Store, StoreError,
    rows::{Coded as _, Count, Id, MESSAGE_COLUMNS, Node, message},
};

/// Which messages a page holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Query {
    /// Only those that went this way.
    pub direction: Option<Direction>,
    /// Only those from or to this node.
    pub peer: Option<NodeId>,
    /// Only those stored before the page that gave this.
    pub before: Option<PageKey>,
    /// At most so many.
    pub limit: usize,
}

/// Where the next, older page begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageKey(pub u64);

/// A page of messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// The messages, the newest first.
    pub messages: Vec<Message>,
    /// Where the next, older page begins; `None` when there is none.
    pub next: Option<PageKey>,
}

/// One event of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogEntry {
    /// Its sequence number.
    pub sequence: u64,
    /// The message, in the state that it has now.
    pub message: Message,
}

/// What was read of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogRead {
    /// The entries that were asked for, in order.
    pub entries: Vec<LogEntry>,
    /// Where to read on.
    pub read_to: u64,
}

impl Store {
    /// The message with this id. Where a sender used an id of this node's own, this node's message is meant.
    pub fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        self.readers.with(|connection| {
            let sql = format!(
                "SELECT {MESSAGE_COLUMNS} FROM messages m WHERE m.id = ?1 ORDER BY m.is_own_id DESC, m.row_id LIMIT 1"
            );
            Ok(connection.prepare_cached(&sql)?.query_row([Id(id)], message).optional()?)
        })
    }

    /// A page of messages.
    pub fn page(&self, query: &Query) -> Result<Page, StoreError> {
        self.readers.with(|connection| {
            let before = Count(query.before.map_or(i64::MAX as u64, |key| key.0.min(i64::MAX as u64)));
            let limit = Count(query.limit as u64 + 1);
            let direction = query.direction.map(Direction::code);
            let peer = query.peer.map(Node);
            // A filter that isn't given is left out of the statement, so that an index serves what remains.
            let mut filters = String::new();
            let mut values: Vec<(&str, &dyn ToSql)> = vec![(":before", &before), (":limit", &limit)];
            if let Some(direction) = &direction {
                filters.push_str("AND m.direction = :direction ");
                values.push((":direction", direction));
            }
            if let Some(peer) = &peer {
                filters.push_str("AND m.peer = :peer ");
                values.push((":peer", peer));
            }
            let sql = format!(
                "SELECT {MESSAGE_COLUMNS}, m.row_id FROM messages m WHERE m.row_id < :before {filters} \
                 ORDER BY m.row_id DESC LIMIT :limit"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(&*values, |row| Ok((row.get::<_, Count>("row_id")?.0, message(row)?)))?;
            let mut rows: Vec<(u64, Message)> = rows.collect::<Result<_, _>>()?;
            let has_more = rows.len() > query.limit;
            rows.truncate(query.limit);
            let next = rows.last().filter(|_| has_more).map(|(row, _)| PageKey(*row));
            Ok(Page { messages: rows.into_iter().map(|(_, message)| message).collect(), next })
        })
    }

    /// Reads the log after this sequence number, at most `limit` entries; those of sent messages only if asked.
    pub fn log_after(&self, after: u64, include_sent: bool, limit: usize) -> Result<LogRead, StoreError> {
        self.readers.with(|connection| {
            let sql = format!(
                "SELECT {MESSAGE_COLUMNS}, l.sequence AS log_sequence, l.direction AS log_direction \
                 FROM log l JOIN messages m ON m.row_id = l.message_row WHERE l.sequence > ?1 \
                 ORDER BY l.sequence LIMIT ?2"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let after_sql = Count(after.min(i64::MAX as u64));
            let mut rows = statement.query(params![after_sql, Count(limit as u64)])?;
            let mut read = LogRead { entries: Vec::new(), read_to: after };
            while let Some(row) = rows.next()? {
                read.read_to = row.get::<_, Count>("log_sequence")?.0;
                if include_sent || row.get::<_, i64>("log_direction")? == Direction::In.code() {
                    read.entries.push(LogEntry { sequence: read.read_to, message: message(row)? });
                }
            }
            Ok(read)
        })
    }
}

pub(crate) fn message_by_row(connection: &Connection, row: i64) -> Result<Message, StoreError> {
    let sql = format!("SELECT {MESSAGE_COLUMNS} FROM messages m WHERE m.row_id = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([row], message)?)
}
