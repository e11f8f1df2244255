//! The tables, as migrations: each is applied once, in order, and never changed after it has shipped.
//!
//! Timestamps are Unix time in milliseconds, amounts are millisatoshi, ids and hashes are blobs.

mod outbox;
mod v3;
mod v4;
mod v5;

use std::{path::Path, sync::LazyLock, time::Duration};

use boltgram_core::limits::STORE_BUSY_TIMEOUT_MS;
use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};

use crate::StoreError;

/// Version 1.
///
/// `messages` holds both ways; `is_own_id` is 1 where this node made the id. `attempts` holds each payment that was
/// tried for an outgoing message: preimage and record are written before the payment starts. `payments` holds each
/// payment that was received, by hash: a replayed event is known by it. `log` is append-only: its sequence
/// numbers are the only order in which subscribers read.
const V1: &str = "
CREATE TABLE messages (
    row_id INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL,
    is_own_id INTEGER NOT NULL,
    direction INTEGER NOT NULL,
    peer BLOB,
    content_type TEXT NOT NULL,
    body BLOB NOT NULL,
    reply_to BLOB,
    amount_msat INTEGER NOT NULL,
    fee_msat INTEGER NOT NULL,
    state INTEGER NOT NULL,
    authenticity INTEGER NOT NULL,
    stored_at_ms INTEGER NOT NULL,
    failure_reason TEXT,
    payment_hash BLOB,
    sequence INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX messages_by_own_id ON messages (id) WHERE is_own_id = 1;
CREATE UNIQUE INDEX messages_by_sender_and_id ON messages (peer, id) WHERE is_own_id = 0;
CREATE INDEX messages_by_id ON messages (id);
CREATE INDEX messages_by_direction ON messages (direction, row_id);
CREATE INDEX messages_by_peer ON messages (peer, row_id);

CREATE TABLE attempts (
    payment_hash BLOB PRIMARY KEY,
    message_row INTEGER NOT NULL REFERENCES messages (row_id),
    preimage BLOB NOT NULL,
    recipient BLOB NOT NULL,
    amount_msat INTEGER NOT NULL,
    fee_limit_msat INTEGER NOT NULL,
    record_type INTEGER NOT NULL,
    record BLOB NOT NULL,
    state INTEGER NOT NULL,
    started_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_by_message ON attempts (message_row);
CREATE INDEX attempts_open ON attempts (state) WHERE state = 1;

CREATE TABLE payments (
    payment_hash BLOB PRIMARY KEY,
    amount_msat INTEGER NOT NULL,
    received_at_ms INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    reason TEXT,
    record BLOB
) STRICT, WITHOUT ROWID;

CREATE TABLE log (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    message_row INTEGER NOT NULL REFERENCES messages (row_id),
    direction INTEGER NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;
";

static MIGRATIONS: LazyLock<Migrations<'static>> = LazyLock::new(|| {
    Migrations::new(vec![
        M::up(V1),
        M::up_with_hook(outbox::V2, outbox::take_over),
        M::up(v3::V3),
        M::up(v4::V4),
        M::up(v5::V5),
    ])
});

/// Opens the writing connection and applies what migrations are missing.
pub(crate) fn open(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_millis(STORE_BUSY_TIMEOUT_MS))?;
    // WAL with full sync: a commit is on disk when it returns.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    MIGRATIONS.to_latest(&mut connection).map_err(|error| {
        StoreError::Schema(format!(
            "{} does not have a schema that this version of boltgram knows ({error}): use the version that wrote it, \
             or a newer one",
            path.display()
        ))
    })?;
    Ok(connection)
}

/// Opens a connection that can only read. The writing one must be open.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_millis(STORE_BUSY_TIMEOUT_MS))?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use boltgram_core::policy::HeldReason;

    #[test]
    fn the_migrations_are_valid() {
        MIGRATIONS.validate().unwrap();
    }

    #[test]
    fn a_file_of_a_newer_schema_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages.sqlite");
        open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let error = open(&path).unwrap_err().to_string();
        assert!(error.contains("newer"), "{error}");
        let connection = Connection::open(&path).unwrap();
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, 99);
    }

    #[test]
    fn a_file_that_is_no_database_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages.sqlite");
        std::fs::write(&path, vec![b'x'; 8_192]).unwrap();
        assert!(open(&path).is_err());
    }

    #[test]
    fn what_version_2_put_aside_is_listed_and_counted_in_version_3() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages.sqlite");
        let mut connection = Connection::open(&path).unwrap();
        MIGRATIONS.to_version(&mut connection, 2).unwrap();
        let sql = "INSERT INTO payments VALUES (?1, 1000, ?2, ?3, ?4, ?5)";
        for (hash, outcome, reason, record) in
            [(1u8, 1, None, None), (2, 3, Some("broken"), Some(vec![7u8, 8])), (3, 5, None, None), (4, 4, None, None)]
        {
            connection.execute(sql, rusqlite::params![[hash; 32], hash, outcome, reason, record]).unwrap();
        }
        drop(connection);

        let store = crate::Store::open(&path).unwrap();
        let held = store.held(None, 10).unwrap().held;
        let reasons: Vec<_> = held.iter().map(|held| (held.reason, held.record_bytes, held.has_record)).collect();
        assert_eq!(reasons, [(HeldReason::Conflict, 0, false), (HeldReason::Unreadable, 2, true)]);
        assert_eq!((held[1].detail.as_str(), held[1].received_at_ms, held[1].amount_msat), ("broken", 2, 1_000));
        let counts = store.inbox_counts().unwrap();
        assert_eq!(counts.held, [(HeldReason::Unreadable, 1), (HeldReason::Conflict, 1)]);
        let payments = counts.payments;
        assert_eq!((payments.messages, payments.unreadable, payments.conflicting, payments.plain), (1, 1, 1, 1));
    }
}
