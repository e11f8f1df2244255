//! Version 5: receipts.
//!
//! A message knows whether its sender asked for a receipt; what this node sent has the receipt that came for it. `receipts`
//! has each received message whose sender asked, from the transaction that stored it until it is decided that none is given,
//! or for good: without `receipt_row` the receipt is owed still, and with it that one, in the outbox, is the message's only
//! one. A receipt that is sent has a row in `messages` that no reading index has, as a deleted message does.

/// The statements.
pub(super) const V5: &str = "
ALTER TABLE messages ADD COLUMN asks_receipt INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN receipt_signature BLOB;
ALTER TABLE messages ADD COLUMN receipt_content_hash BLOB;
ALTER TABLE messages ADD COLUMN receipt_at_ms INTEGER;

CREATE TABLE receipts (
    message_row INTEGER PRIMARY KEY REFERENCES messages (row_id),
    content_hash BLOB NOT NULL,
    receipt_row INTEGER UNIQUE REFERENCES messages (row_id),
    day INTEGER,
    operator_msat_max INTEGER
) STRICT;
CREATE INDEX receipts_owed ON receipts (message_row) WHERE receipt_row IS NULL;
CREATE INDEX receipts_by_day ON receipts (day) WHERE operator_msat_max > 0;
";

#[cfg(test)]
mod tests {
    use boltgram_core::message::{Direction, State};
    use rusqlite::{Connection, params};
    use rusqlite_migration::{M, Migrations};

    use crate::{
        Store,
        read::Query,
        schema::{V1, outbox, v3, v4},
    };

    #[test]
    fn messages_of_an_older_file_have_no_receipt_and_none_is_owed_for_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages.sqlite");
        let mut old = Connection::open(&path).unwrap();
        let to_v4 = vec![M::up(V1), M::up_with_hook(outbox::V2, outbox::take_over), M::up(v3::V3), M::up(v4::V4)];
        Migrations::new(to_v4).to_latest(&mut old).unwrap();
        let insert = "INSERT INTO messages (id, is_own_id, direction, content_type, body, amount_msat, fee_msat, state, \
                      authenticity, stored_at_ms, sequence) VALUES (?1, 1, ?2, 'text/plain', x'61', 1000, 0, ?3, 2, 1, 1)";
        for (n, direction, state) in [(1, 1, 4), (2, 2, 2), (3, 2, 3)] {
            let mut id = [0u8; 16];
            (id[5], id[6], id[8]) = (n, 0x70, 0x80);
            old.execute(insert, params![id, direction, state]).unwrap();
        }
        drop(old);

        let store = Store::open(&path).unwrap();
        let messages = store.page(&Query { limit: 10, ..Query::default() }).unwrap().messages;
        let states: Vec<_> = messages.iter().rev().map(|message| (message.direction, message.state)).collect();
        let expected =
            [(Direction::In, State::Received), (Direction::Out, State::Delivered), (Direction::Out, State::Failed)];
        assert_eq!(states, expected);
        assert!(messages.iter().all(|message| message.receipt.is_none() && !message.asks_receipt));
        assert!(store.owed_receipts(10).unwrap().is_empty());
        let check = "PRAGMA integrity_check";
        let check: String = Connection::open(&path).unwrap().query_row(check, [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");
    }
}
