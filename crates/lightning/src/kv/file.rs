//! The SQLite file: one connection that writes, one that reads.
//!
//! The bundled SQLite (3.45.0) is in the range of a reported corruption that needs two connections which write or
//! checkpoint: there is one here, and the other can only read.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::key::{Durability, Key};
use crate::limits::{KV_BUSY_TIMEOUT_MS, KV_STATEMENTS_CACHED_MAX};

/// The version of the table below, kept as SQLite's `user_version`.
const SCHEMA_VERSION: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS kv (
    primary_namespace TEXT NOT NULL,
    secondary_namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (primary_namespace, secondary_namespace, name)
) STRICT, WITHOUT ROWID;
";

/// A change of one key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change<'a> {
    Write(&'a [u8]),
    Remove,
}

/// The connection that writes.
pub(super) struct WriteFile {
    connection: Connection,
    /// What `synchronous` is set to now.
    synced: bool,
}

impl WriteFile {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_millis(KV_BUSY_TIMEOUT_MS))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.set_prepared_statement_cache_capacity(KV_STATEMENTS_CACHED_MAX);
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version > SCHEMA_VERSION {
            let message = format!("it is of version {version}, which only a newer boltgram knows: use that one");
            return Err(rusqlite::Error::ToSqlConversionFailure(message.into()));
        }
        connection.execute_batch(SCHEMA)?;
        connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        Ok(Self { connection, synced: true })
    }

    /// Makes these changes together. When this returns they are in the log, and synced if asked.
    pub(super) fn commit<'a>(
        &mut self,
        changes: impl IntoIterator<Item = (&'a Key, Change<'a>)>,
        durability: Durability,
    ) -> rusqlite::Result<()> {
        // FULL syncs the log at each commit, and with it all that was logged before; NORMAL leaves that to a later
        // commit, and to the checkpoint, which always syncs the log first.
        let synced = durability == Durability::Synced;
        if synced != self.synced {
            self.connection.pragma_update(None, "synchronous", if synced { "FULL" } else { "NORMAL" })?;
            self.synced = synced;
        }
        let transaction = self.connection.transaction()?;
        for (key, change) in changes {
            match change {
                Change::Write(value) => transaction
                    .prepare_cached("INSERT OR REPLACE INTO kv VALUES (?1, ?2, ?3, ?4)")?
                    .execute(params![key.primary, key.secondary, key.name, value])?,
                Change::Remove => transaction
                    .prepare_cached(
                        "DELETE FROM kv WHERE primary_namespace = ?1 AND secondary_namespace = ?2 AND name = ?3",
                    )?
                    .execute(params![key.primary, key.secondary, key.name])?,
            };
        }
        transaction.commit()
    }
}

/// The connection that reads: what was committed, never half of it.
pub(super) struct ReadFile {
    connection: Connection,
}

impl ReadFile {
    /// Opens the file that a [`WriteFile`] has made.
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_millis(KV_BUSY_TIMEOUT_MS))?;
        Ok(Self { connection })
    }

    pub(super) fn read(&self, key: &Key) -> rusqlite::Result<Option<Vec<u8>>> {
        let sql = "SELECT value FROM kv WHERE primary_namespace = ?1 AND secondary_namespace = ?2 AND name = ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        statement.query_row(params![key.primary, key.secondary, key.name], |row| row.get(0)).optional()
    }

    pub(super) fn list(&self, primary: &str, secondary: &str) -> rusqlite::Result<Vec<String>> {
        let sql = "SELECT name FROM kv WHERE primary_namespace = ?1 AND secondary_namespace = ?2 ORDER BY name";
        let mut statement = self.connection.prepare_cached(sql)?;
        statement.query_map([primary, secondary], |row| row.get(0))?.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_newer_version_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kv.sqlite");
        WriteFile::open(&path).unwrap().connection.pragma_update(None, "user_version", 9).unwrap();
        let Err(error) = WriteFile::open(&path) else { panic!("it was opened") };
        assert!(error.to_string().contains("newer"), "{error}");
        let version: i64 =
            Connection::open(&path).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, 9);
    }

    #[test]
    fn changes_are_made_together_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kv.sqlite");
        let mut file = WriteFile::open(&path).unwrap();
        let reader = ReadFile::open(&path).unwrap();
        let key = |name| Key::new("a", "b", name).unwrap();
        let (one, two) = (key("1"), key("2"));
        file.commit([(&one, Change::Write(b"x")), (&two, Change::Write(b""))], Durability::Synced).unwrap();
        assert_eq!(reader.list("a", "b").unwrap(), ["1", "2"]);
        file.commit([(&one, Change::Remove), (&two, Change::Write(b"y"))], Durability::Logged).unwrap();
        assert_eq!((reader.read(&one).unwrap(), reader.read(&two).unwrap()), (None, Some(b"y".to_vec())));
        assert_eq!(reader.list("a", "").unwrap(), Vec::<String>::new());
    }
}
