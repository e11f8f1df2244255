//! A stock ldk-node's database, read whole for a takeover, and written to a file of the node's own store.
//!
//! When it may be taken over, and in which steps, is in [`crate::takeover`].

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use ldk_node::{io::sqlite_store::KV_TABLE_NAME, lightning::util::persist::KVStoreSync as _};
use rusqlite::{Connection, OpenFlags};

use crate::{
    kv::{
        file::{Change, WriteFile},
        key::Key,
        memory::MemoryStore,
    },
    limits::KV_BUSY_TIMEOUT_MS,
};

/// The schema that ldk-node 0.7.1 writes (its `sqlite_store`, `SCHEMA_USER_VERSION`).
const STOCK_SCHEMA: i64 = 2;

/// A stock database that no other program can read or write until this is dropped.
pub(crate) struct StockFile {
    connection: Connection,
}

/// All that a store holds.
pub(crate) struct Entries(BTreeMap<Key, Vec<u8>>);

impl StockFile {
    /// Opens and locks the database. What a killed process has left half written is rolled back by that: SQLite finds
    /// its journal. An error says what is wrong.
    pub(crate) fn lock(path: &Path) -> Result<Self, String> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(text)?;
        connection.busy_timeout(Duration::from_millis(KV_BUSY_TIMEOUT_MS)).map_err(text)?;
        let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).map_err(text)?;
        if mode == "wal" {
            let next = "take that back first: sqlite3 FILE 'PRAGMA journal_mode = DELETE'";
            return Err(format!("it has a write-ahead log, which ldk-node doesn't make; {next}"));
        }
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(text)?;
        if version != STOCK_SCHEMA {
            return Err(format!(
                "it has schema version {version}, and ldk-node 0.7.1 writes {STOCK_SCHEMA}: run it there once, stop it, and \
                 try again"
            ));
        }
        connection.execute_batch("BEGIN EXCLUSIVE").map_err(|error| format!("another program uses it ({error})"))?;
        Ok(Self { connection })
    }

    /// All that it holds, each under a key that our own store takes.
    pub(crate) fn entries(&self) -> Result<Entries, String> {
        let sql = format!("SELECT primary_namespace, secondary_namespace, key, value FROM {KV_TABLE_NAME}");
        let mut statement = self.connection.prepare(&sql).map_err(text)?;
        let mut rows = statement.query([]).map_err(text)?;
        let mut entries = BTreeMap::new();
        while let Some(row) = rows.next().map_err(text)? {
            let part = |at: usize| row.get::<_, String>(at).map_err(text);
            let key = Key::new(&part(0)?, &part(1)?, &part(2)?).map_err(text)?;
            entries.insert(key, row.get(3).map_err(text)?);
        }
        Ok(Entries(entries))
    }
}

impl Entries {
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The bytes of all values.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.values().map(|value| value.len() as u64).sum()
    }

    /// The same in memory, to be tried out.
    pub(crate) fn in_memory(&self) -> Result<MemoryStore, String> {
        let store = MemoryStore::default();
        for (key, value) in &self.0 {
            store.write(&key.primary, &key.secondary, &key.name, value.clone()).map_err(text)?;
        }
        Ok(store)
    }

    /// Writes all to a file of our own store that isn't there yet, in one transaction, and looks whether it is there.
    pub(crate) fn write_to(&self, path: &Path) -> Result<(), String> {
        let mut file = WriteFile::open(path).map_err(text)?;
        let changes = self.0.iter().map(|(key, value)| (key, Change::Write(value)));
        file.commit(changes).map_err(text)?;
        // With its last connection the log goes into the file, synced.
        drop(file);
        if log_of(path).exists() {
            return Err("its log could not be taken into the file".to_owned());
        }
        File::open(path).and_then(|file| file.sync_all()).map_err(text)?;
        self.is_in(path)
    }

    /// Whether a file of our own store holds exactly this.
    pub(crate) fn is_in(&self, path: &Path) -> Result<(), String> {
        // One that may write, so that nothing is left beside the file when it is closed.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(text)?;
        let sql = "SELECT primary_namespace, secondary_namespace, name, value FROM kv ORDER BY 1, 2, 3";
        let mut statement = connection.prepare(sql).map_err(text)?;
        let mut rows = statement.query([]).map_err(text)?;
        // SQLite orders texts by their bytes, as Rust does.
        let mut expected = self.0.iter();
        loop {
            let next = expected.next();
            let Some(row) = rows.next().map_err(text)? else {
                return next.map_or(Ok(()), |(key, _)| Err(format!("its copy {} has no {key}", path.display())));
            };
            let part = |at: usize| row.get::<_, String>(at).map_err(text);
            let key = Key::new(&part(0)?, &part(1)?, &part(2)?).map_err(text)?;
            let value: Vec<u8> = row.get(3).map_err(text)?;
            if next != Some((&key, &value)) {
                return Err(format!("its copy {} has something else under {key}", path.display()));
            }
        }
    }
}

/// The log of a file of our own store.
pub(crate) fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ldk_node::io::sqlite_store::{SQLITE_DB_FILE_NAME, SqliteStore};
    use std::fs;
    use tempfile::TempDir;

    /// A database as ldk-node's own store writes it.
    fn stock() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (file, table) = (SQLITE_DB_FILE_NAME.to_owned(), KV_TABLE_NAME.to_owned());
        let store = SqliteStore::new(folder.path().to_owned(), Some(file), Some(table)).unwrap();
        for n in 0..50 {
            ldk_node::lightning::util::persist::KVStoreSync::write(
                &store,
                "monitors",
                "",
                &n.to_string(),
                vec![n; 5_000],
            )
            .unwrap();
        }
        let path = folder.path().join(SQLITE_DB_FILE_NAME);
        (folder, path)
    }

    fn error<T>(result: Result<T, String>) -> String {
        result.err().unwrap()
    }

    #[test]
    fn a_copy_holds_all_and_a_changed_one_is_told() {
        let (folder, path) = stock();
        let entries = StockFile::lock(&path).unwrap().entries().unwrap();
        assert_eq!((entries.count(), entries.bytes()), (50, 250_000));
        let copy = folder.path().join("node.sqlite");
        entries.write_to(&copy).unwrap();
        let connection = Connection::open(&copy).unwrap();
        connection.execute("UPDATE kv SET value = x'00' WHERE name = '7'", []).unwrap();
        assert!(error(entries.is_in(&copy)).ends_with("something else under monitors//7"));
        connection.execute("DELETE FROM kv WHERE name = '9'", []).unwrap();
        connection.execute("UPDATE kv SET value = ?1 WHERE name = '7'", [vec![7u8; 5_000]]).unwrap();
        assert!(error(entries.is_in(&copy)).ends_with("has no monitors//9"));
        connection.execute("INSERT INTO kv VALUES ('monitors', '', '9', ?1)", [vec![9u8; 5_000]]).unwrap();
        entries.is_in(&copy).unwrap();
        connection.execute("INSERT INTO kv VALUES ('monitors', '', 'more', x'')", []).unwrap();
        assert!(error(entries.is_in(&copy)).ends_with("something else under monitors//more"));
    }

    #[test]
    fn what_a_killed_process_left_half_written_is_rolled_back() {
        let (folder, path) = stock();
        let writing = Connection::open(&path).unwrap();
        // So small that the transaction reaches the file before its end.
        writing.execute_batch("PRAGMA cache_size = 1; BEGIN; UPDATE ldk_node_data SET value = x'ff'").unwrap();
        let crashed = folder.path().join("crashed");
        fs::create_dir(&crashed).unwrap();
        let copied = crashed.join(SQLITE_DB_FILE_NAME);
        let journal = |path: &Path| PathBuf::from(format!("{}-journal", path.display()));
        fs::copy(&path, &copied).unwrap();
        fs::copy(journal(&path), journal(&copied)).unwrap();
        drop(writing);
        assert_ne!(fs::read(&path).unwrap(), fs::read(&copied).unwrap(), "the transaction has reached the file");
        let entries = StockFile::lock(&copied).unwrap().entries().unwrap();
        assert_eq!((entries.count(), entries.bytes()), (50, 250_000));
        assert!(!journal(&copied).exists());
    }

    #[test]
    fn a_database_that_is_in_use_or_none_of_ldk_nodes_is_refused() {
        let (folder, path) = stock();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert!(error(StockFile::lock(&path)).contains("another program uses it"));
        other.execute_batch("ROLLBACK; PRAGMA user_version = 1").unwrap();
        assert!(error(StockFile::lock(&path)).contains("schema version 1"));
        other.execute_batch("PRAGMA user_version = 2; PRAGMA journal_mode = WAL").unwrap();
        assert!(error(StockFile::lock(&path)).contains("write-ahead log"));
        let text = folder.path().join("text");
        fs::write(&text, "this is no database, and it is long enough to be one".repeat(100)).unwrap();
        assert!(StockFile::lock(&text).is_err());
        assert!(StockFile::lock(&folder.path().join("absent")).is_err());
    }
}
