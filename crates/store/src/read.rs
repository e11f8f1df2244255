//! Reading: one message, a page of them, the log.
//!
//! Each filter of a page has an index that it is read by, named in the statement, so that a page costs the same however
//! many messages there are. Deleted messages are in none of them.

use std::{fmt, str::FromStr};

use boltgram_core::{
    MessageId,
    limits::PAGE_BODY_BYTES_MAX,
    message::{Direction, Message, Peer, State},
};
use rusqlite::{Connection, OptionalExtension as _, Row, Rows, ToSql, params};

use crate::{
    Store, StoreError,
    rows::{Coded as _, Count, Id, MESSAGE_COLUMNS, Node, message},
};

/// Which messages a page holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Query {
    /// Only those that went this way.
    pub direction: Option<Direction>,
    /// Only those of this conversation, which makes their ids the order.
    pub peer: Option<Peer>,
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those that are queued or being sent.
    pub pending_only: bool,
    /// Only those that come after the page that gave this.
    pub before: Option<PageKey>,
    /// At most so many.
    pub limit: usize,
}

/// Where the next, older page begins: after this row, and in a conversation after this id. In text form `ROW` or
/// `ROW.ID`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageKey {
    pub(crate) row: u64,
    pub(crate) id: Option<MessageId>,
}

impl PageKey {
    /// Whether it is of a conversation, whose order is that of the ids.
    pub fn is_by_id(&self) -> bool {
        self.id.is_some()
    }

    /// The row to read below, as SQLite has it; without a key the highest there can be.
    pub(crate) fn row_or_max(key: Option<Self>) -> Count {
        Count(key.map_or(i64::MAX as u64, |key| key.row))
    }
}

impl FromStr for PageKey {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (row, id) = match text.split_once('.') {
            Some((row, id)) => (row, Some(id.parse().map_err(drop)?)),
            None => (text, None),
        };
        let row = row.parse().ok().filter(|row| *row <= i64::MAX as u64).ok_or(())?;
        Ok(Self { row, id })
    }
}

impl fmt::Display for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            Some(id) => write!(f, "{}.{id}", self.row),
            None => write!(f, "{}", self.row),
        }
    }
}

/// A page of messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// The messages, the newest first; fewer than asked for when their bodies are large.
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
                "SELECT {MESSAGE_COLUMNS} FROM messages m WHERE m.id = ?1 AND m.deleted_at_ms IS NULL \
                 ORDER BY m.is_own_id DESC, m.row_id LIMIT 1"
            );
            Ok(connection.prepare_cached(&sql)?.query_row([Id(id)], message).optional()?)
        })
    }

    /// A page of messages: the newest by arrival, or with a peer by id.
    pub fn page(&self, query: &Query) -> Result<Page, StoreError> {
        self.readers.with(|connection| {
            let row = PageKey::row_or_max(query.before);
            let id = query.before.and_then(|key| key.id).map(Id);
            let direction = query.direction.map(Direction::code);
            let state = query.state.map(State::code);
            let peer = query.peer.map(|peer| peer.node().map(Node));
            let mut values: Vec<(&str, &dyn ToSql)> = Vec::new();
            if query.peer.is_none() || id.is_some() {
                values.push((":row", &row));
            }
            if let Some(id) = &id {
                values.push((":id", id));
            }
            if let Some(direction) = &direction {
                values.push((":direction", direction));
            }
            if let Some(state) = &state {
                values.push((":state", state));
            }
            if let Some(peer) = &peer {
                values.push((":peer", peer));
            }
            let mut statement = connection.prepare_cached(&page_sql(query))?;
            page(statement.query(&*values)?, query.limit, |row| key(row, query.peer.is_some()))
        })
    }

    /// Reads the log after this sequence number, at most `limit` entries; those of sent messages only if asked,
    /// those of deleted ones never.
    pub fn log_after(&self, after: u64, include_sent: bool, limit: usize) -> Result<LogRead, StoreError> {
        self.readers.with(|connection| {
            let sql = format!(
                "SELECT {MESSAGE_COLUMNS}, l.sequence AS log_sequence, \
                 m.deleted_at_ms IS NOT NULL AS is_deleted, l.direction AS log_direction FROM log l JOIN messages m ON m.row_id = l.message_row WHERE l.sequence > ?1 \
                 ORDER BY l.sequence LIMIT ?2"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let after_sql = Count(after.min(i64::MAX as u64));
            let mut rows = statement.query(params![after_sql, Count(limit as u64)])?;
            let mut read = LogRead { entries: Vec::new(), read_to: after };
            while let Some(row) = rows.next()? {
                read.read_to = row.get::<_, Count>("log_sequence")?.0;
                let is_asked_for = include_sent || row.get::<_, i64>("log_direction")? == Direction::In.code();
                if is_asked_for && !row.get::<_, bool>("is_deleted")? {
                    read.entries.push(LogEntry { sequence: read.read_to, message: message(row)? });
                }
            }
            Ok(read)
        })
    }
}

/// The statement of a page. A filter that isn't given is left out of it, so that one index serves what remains.
pub(crate) fn page_sql(query: &Query) -> String {
    let index = match query {
        Query { pending_only: true, .. } => "messages_pending",
        Query { peer: Some(_), .. } => "messages_by_conversation",
        Query { state: Some(_), .. } => "messages_by_state",
        Query { direction: Some(_), .. } => "messages_by_direction",
        _ => "messages_kept",
    };
    let mut filters = String::new();
    let mut filter = |is_given: bool, sql: &str| {
        if is_given {
            filters.push_str(sql);
        }
    };
    filter(query.pending_only, " AND m.state IN (1, 5)");
    filter(query.peer.is_some(), " AND m.peer IS :peer");
    filter(query.state.is_some(), " AND m.state = :state");
    filter(query.direction.is_some(), " AND m.direction = :direction");
    filter(query.before.is_some_and(|key| key.is_by_id()), " AND (m.id, m.row_id) < (:id, :row)");
    filter(query.peer.is_none(), " AND m.row_id < :row");
    let order = if query.peer.is_some() { "m.id DESC, m.row_id DESC" } else { "m.row_id DESC" };
    format!(
        "SELECT {MESSAGE_COLUMNS}, m.row_id FROM messages m INDEXED BY {index} WHERE m.deleted_at_ms IS NULL{filters} \
         ORDER BY {order}"
    )
}

/// Where a page that ends with this row goes on.
pub(crate) fn key(row: &Row<'_>, is_by_id: bool) -> rusqlite::Result<PageKey> {
    let id = if is_by_id { Some(row.get::<_, Id>("id")?.0) } else { None };
    Ok(PageKey { row: row.get::<_, Count>("row_id")?.0, id })
}

/// The page of these rows: as many as were asked for, or as their bodies allow.
pub(crate) fn page(
    mut rows: Rows<'_>,
    limit: usize,
    key: impl Fn(&Row<'_>) -> rusqlite::Result<PageKey>,
) -> Result<Page, StoreError> {
    let mut page = Page { messages: Vec::new(), next: None };
    let (mut body_bytes, mut last) = (0, None);
    while let Some(row) = rows.next()? {
        let message = message(row)?;
        body_bytes += message.body.0.len();
        if page.messages.len() >= limit || (body_bytes > PAGE_BODY_BYTES_MAX && last.is_some()) {
            page.next = last;
            break;
        }
        last = Some(key(row)?);
        page.messages.push(message);
    }
    Ok(page)
}

pub(crate) fn message_by_row(connection: &Connection, row: i64) -> Result<Message, StoreError> {
    let sql = format!("SELECT {MESSAGE_COLUMNS} FROM messages m WHERE m.row_id = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([row], message)?)
}
