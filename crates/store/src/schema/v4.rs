//! Version 4: what reading needs.
//!
//! A deleted message stays as a row without content, so that a repeat of it is still known; `deleted_at_ms` tells it, and
//! none of the indexes that reading goes by has it. `conversations` has a row for each peer with messages, and one with an
//! empty blob for the texts of unknown senders; `activity` is the row of the message that came last. `search` has
//! the words of every text, and the peer as one more word, so that a search among one peer's messages needn't look at
//! those of the others. It keeps no text of its own.

/// The statements. 1 and 5 are the states `Sending` and `Queued`.
pub(super) const V4: &str = "
ALTER TABLE messages ADD COLUMN is_read INTEGER NOT NULL DEFAULT 1;
ALTER TABLE messages ADD COLUMN deleted_at_ms INTEGER;
UPDATE messages SET is_read = 0 WHERE direction = 1;

DROP INDEX messages_by_direction;
DROP INDEX messages_by_peer;
CREATE INDEX messages_kept ON messages (row_id) WHERE deleted_at_ms IS NULL;
CREATE INDEX messages_by_direction ON messages (direction, row_id) WHERE deleted_at_ms IS NULL;
CREATE INDEX messages_by_state ON messages (state, row_id) WHERE deleted_at_ms IS NULL;
CREATE INDEX messages_by_conversation ON messages (peer, id, row_id) WHERE deleted_at_ms IS NULL;
CREATE INDEX messages_pending ON messages (row_id) WHERE state IN (1, 5) AND deleted_at_ms IS NULL;
CREATE INDEX messages_unread ON messages (peer, id) WHERE is_read = 0;
CREATE INDEX messages_by_age ON messages (stored_at_ms) WHERE state NOT IN (1, 5) AND deleted_at_ms IS NULL;

CREATE TABLE conversations (
    peer BLOB PRIMARY KEY,
    messages INTEGER NOT NULL,
    unread INTEGER NOT NULL,
    activity INTEGER NOT NULL,
    last_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX conversations_by_activity ON conversations (activity);
INSERT INTO conversations (peer, messages, unread, activity, last_at_ms)
    SELECT ifnull(peer, x''), COUNT(*), SUM(is_read = 0), MAX(row_id), MAX(stored_at_ms) FROM messages GROUP BY 1;

CREATE VIRTUAL TABLE search USING fts5 (
    peer, text, content = '', contentless_delete = 1, prefix = '2 3', tokenize = 'unicode61 remove_diacritics 2'
);
INSERT INTO search (rowid, peer, text)
    SELECT row_id, iif(peer IS NULL, 'unsigned', lower(hex(peer))), CAST(body AS TEXT) FROM messages
    WHERE content_type LIKE 'text/%';
";

#[cfg(test)]
mod tests {
    use boltgram_core::message::Peer;
    use rusqlite_migration::{M, Migrations};

    use crate::{Store, read::Query, schema::V1, search::Search};

    #[test]
    fn messages_of_an_older_file_are_in_conversations_and_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages.sqlite");
        let mut old = rusqlite::Connection::open(&path).unwrap();
        Migrations::new(vec![M::up(V1)]).to_latest(&mut old).unwrap();
        let insert = "INSERT INTO messages (id, is_own_id, direction, content_type, body, amount_msat, fee_msat, state, \
                      authenticity, stored_at_ms, sequence) VALUES (?1, 1, 1, ?2, ?3, 0, 0, 4, 2, ?4, 1)";
        for n in 1..4 {
            let mut id = [0u8; 16];
            (id[5], id[6], id[8]) = (n, 0x70, 0x80);
            let kind = if n < 3 { "text/plain" } else { "image/png" };
            let body = format!("grüezi {n}").into_bytes();
            old.execute(insert, rusqlite::params![id, kind, body, n]).unwrap();
        }
        drop(old);

        let store = Store::open(&path).unwrap();
        let [conversation] = store.conversations(None, 10).unwrap().conversations.try_into().unwrap();
        assert_eq!((conversation.peer, conversation.messages, conversation.unread), (Peer::Unsigned, 3, 3));
        assert_eq!(conversation.last_at_ms, 3);
        let search = Search { words: "GRUEZI".parse().unwrap(), peer: Some(Peer::Unsigned), before: None, limit: 10 };
        assert_eq!(store.search(&search).unwrap().messages.len(), 2);
        assert_eq!(store.page(&Query { limit: 10, ..Query::default() }).unwrap().messages.len(), 3);
        let check = "PRAGMA integrity_check";
        let check: String = rusqlite::Connection::open(&path).unwrap().query_row(check, [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");
    }
}
