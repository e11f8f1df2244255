//! Conversations: who wrote to whom, how much of it is unread, and what came last.
//!
//! A conversation's counts change in the transaction that changes its messages, so they are exact.

use boltgram_core::{
    MessageId,
    limits::PAGE_BODY_BYTES_MAX,
    message::{Message, Peer},
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::{
    Store, StoreError,
    read::PageKey,
    rows::{Count, Id, MESSAGE_COLUMNS, Node, message},
};

/// All messages with one peer, or all unsigned texts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conversation {
    /// Whom it is with.
    pub peer: Peer,
    /// How many messages it has.
    pub messages: u64,
    /// How many of them were received and not marked as read.
    pub unread: u64,
    /// When its newest message was stored, Unix time in milliseconds; that one may be deleted by now.
    pub last_at_ms: u64,
    /// The message with the highest id.
    pub last: Message,
}

/// A page of conversations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConversationPage {
    /// The conversations, the one with the last activity first.
    pub conversations: Vec<Conversation>,
    /// Where the next page begins; `None` when there is none.
    pub next: Option<PageKey>,
}

/// What a marking as read did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MarkedRead {
    /// How many messages were unread and now are read.
    pub marked: u64,
    /// How many of the conversation are unread still.
    pub unread: u64,
}

/// Marks the oldest unread ones. 1 and 0 are `true` and `false`.
pub(crate) const MARK_SQL: &str = "UPDATE messages SET is_read = 1 WHERE row_id IN (SELECT row_id FROM messages \
                                   INDEXED BY messages_unread WHERE peer IS ?1 AND id <= ?2 AND is_read = 0 \
                                   ORDER BY id LIMIT ?3)";

/// The statement of a page of conversations: each with its message of the highest id.
pub(crate) fn page_sql() -> String {
    format!(
        "SELECT {MESSAGE_COLUMNS}, c.activity, c.messages, c.unread, c.last_at_ms FROM conversations c \
         JOIN messages m ON m.row_id = (SELECT l.row_id FROM messages l INDEXED BY messages_by_conversation \
         WHERE l.peer IS NULLIF(c.peer, x'') AND l.deleted_at_ms IS NULL ORDER BY l.id DESC, l.row_id DESC LIMIT 1) \
         WHERE c.activity < ?1 ORDER BY c.activity DESC"
    )
}

impl Store {
    /// A page of conversations, at most `limit`, after the page that gave `before`.
    pub fn conversations(&self, before: Option<PageKey>, limit: usize) -> Result<ConversationPage, StoreError> {
        self.readers.with(|connection| {
            let mut statement = connection.prepare_cached(&page_sql())?;
            let mut rows = statement.query([PageKey::row_or_max(before)])?;
            let mut page = ConversationPage { conversations: Vec::new(), next: None };
            let (mut body_bytes, mut last) = (0, None);
            while let Some(row) = rows.next()? {
                let conversation = conversation(row)?;
                body_bytes += conversation.last.body.0.len();
                if page.conversations.len() >= limit || (body_bytes > PAGE_BODY_BYTES_MAX && last.is_some()) {
                    page.next = last;
                    break;
                }
                last = Some(PageKey { row: row.get::<_, Count>("activity")?.0, id: None });
                page.conversations.push(conversation);
            }
            Ok(page)
        })
    }

    /// Marks received messages of a conversation as read whose id is at most `up_to`, at most `limit` of them, the
    /// oldest first. Fewer than `limit`: there are no more.
    pub fn mark_read(&self, peer: Peer, up_to: MessageId, limit: usize) -> Result<MarkedRead, StoreError> {
        self.write(move |connection| {
            let values = params![peer.node().map(Node), Id(up_to), Count(limit as u64)];
            let marked = connection.prepare_cached(MARK_SQL)?.execute(values)? as u64;
            let sql = "UPDATE conversations SET unread = unread - ?2 WHERE peer = ?1 RETURNING unread";
            let values = params![blob(peer), Count(marked)];
            let unread: Option<Count> =
                connection.prepare_cached(sql)?.query_row(values, |row| row.get(0)).optional()?;
            Ok(MarkedRead { marked, unread: unread.map_or(0, |unread| unread.0) })
        })
    }
}

/// Counts a message that was just inserted.
pub(crate) fn add(connection: &Connection, message_row: i64, message: &Message) -> Result<(), StoreError> {
    let sql = "INSERT INTO conversations (peer, messages, unread, activity, last_at_ms) VALUES (?1, 1, ?2, ?3, ?4) \
               ON CONFLICT (peer) DO UPDATE SET messages = messages + 1, unread = unread + excluded.unread, \
               activity = excluded.activity, last_at_ms = excluded.last_at_ms";
    let values = params![blob(message.peer.into()), !message.is_read, message_row, Count(message.stored_at_ms)];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// No longer counts a message: it is deleted. A conversation without messages is none.
pub(crate) fn take_out(connection: &Connection, peer: Peer, is_read: bool) -> Result<(), StoreError> {
    let sql = "UPDATE conversations SET messages = messages - 1, unread = unread - ?2 WHERE peer = ?1";
    connection.prepare_cached(sql)?.execute(params![blob(peer), !is_read])?;
    let sql = "DELETE FROM conversations WHERE peer = ?1 AND messages = 0";
    connection.prepare_cached(sql)?.execute([blob(peer)])?;
    Ok(())
}

/// A conversation's key: a node id's 33 bytes, or nothing.
fn blob(peer: Peer) -> Vec<u8> {
    peer.node().map(|node| node.to_bytes().to_vec()).unwrap_or_default()
}

fn conversation(row: &Row<'_>) -> rusqlite::Result<Conversation> {
    let count = |name: &str| row.get::<_, Count>(name).map(|count| count.0);
    let last = message(row)?;
    Ok(Conversation {
        peer: last.peer.into(),
        messages: count("messages")?,
        unread: count("unread")?,
        last_at_ms: count("last_at_ms")?,
        last,
    })
}
