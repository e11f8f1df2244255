//! The SQLite file: one connection that writes, one that reads.
//!
//! The bundled SQLite (3.45.0) is in the range of a reported corruption that needs two connections which write or
//! checkpoint: there is one here, and the other can only read.
//!
//! **Commits don't sync.** With `synchronous=NORMAL` a commit ends when its frames are written to the log; `sync` syncs the
//! log file through a descriptor of its own, while this connection goes on. What SQLite still syncs by itself is all
//! that its file format needs (`walFrames` and `walCheckpoint` in its source): the log's header before the first frame
//! of a log that begins anew, or old frames could pass for new ones; the log before a checkpoint copies from it; and
//! the database before the log may begin anew. So what a sync has covered stays covered when the log begins anew: it is in
//! the synced database by then. A log that broke off ends, for whoever opens it, at its last whole transaction: each
//! frame's checksum is made over all frames before it. SQLite's file locks are on the database and the `-shm` file, so
//! that a descriptor of the `-wal` file may come and go; its inode stays while a connection is open.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, params};

use super::key::Key;
use crate::limits::{
    KV_BUSY_TIMEOUT_MS, KV_CHECKPOINT_BYTES_MAX, KV_CHECKPOINT_LATE_BYTES_MAX, KV_STATEMENTS_CACHED_MAX,
};

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

/// SQLite's page, and how many of them a small change takes in the log.
const PAGE_BYTES: usize = 4_096;
const PAGES_PER_CHANGE: usize = 2;

/// A change of one key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change<'a> {
    Write(&'a [u8]),
    Remove,
}

/// The connection that writes.
pub(super) struct WriteFile {
    connection: Connection,
    /// About how much the log has grown since the last checkpoint.
    logged_bytes: usize,
    sqlite_syncs: SqliteSyncs,
}

/// The syncs that SQLite makes by itself, counted by what it has done: a checkpoint that copies anything syncs the log
/// first, and the database when it has copied all; the log's header is synced when it begins anew, in the next commit.
struct SqliteSyncs {
    log: File,
    /// How many of the log's frames are copied.
    copied: i64,
    /// The log's generation while it may begin anew.
    generation: Option<u32>,
    /// Those that nobody has asked for yet.
    uncounted: u64,
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
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        let sqlite_syncs = SqliteSyncs::of(&Self::log(path)).map_err(cannot_read)?;
        Ok(Self { connection, logged_bytes: 0, sqlite_syncs })
    }

    /// The log of the store at `path`.
    pub(super) fn log(path: &Path) -> PathBuf {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        log.into()
    }

    /// Makes these changes together. When this returns they are in the log, unsynced.
    pub(super) fn commit<'a>(
        &mut self,
        changes: impl IntoIterator<Item = (&'a Key, Change<'a>)>,
    ) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for (key, change) in changes {
            match change {
                Change::Write(value) => {
                    self.logged_bytes += value.len();
                    transaction
                        .prepare_cached("INSERT OR REPLACE INTO kv VALUES (?1, ?2, ?3, ?4)")?
                        .execute(params![key.primary, key.secondary, key.name, value])?
                }
                Change::Remove => transaction
                    .prepare_cached(
                        "DELETE FROM kv WHERE primary_namespace = ?1 AND secondary_namespace = ?2 AND name = ?3",
                    )?
                    .execute(params![key.primary, key.secondary, key.name])?,
            };
            self.logged_bytes += PAGES_PER_CHANGE * PAGE_BYTES;
        }
        transaction.commit()?;
        self.sqlite_syncs.committed().map_err(cannot_read)
    }

    /// Copies the log into the database when it has grown long, so that it begins anew; at a bad moment only when it is
    /// longer still.
    pub(super) fn checkpoint_when_due(&mut self, is_good_moment: bool) -> rusqlite::Result<()> {
        let bytes_max = if is_good_moment { KV_CHECKPOINT_BYTES_MAX } else { KV_CHECKPOINT_LATE_BYTES_MAX };
        if self.logged_bytes < bytes_max {
            return Ok(());
        }
        self.logged_bytes = 0;
        // What a reader still needs is left for the next one.
        let frames = |row: &Row<'_>| Ok((row.get(1)?, row.get(2)?));
        let (logged, copied) = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], frames)?;
        self.sqlite_syncs.checkpointed(logged, copied).map_err(cannot_read)
    }

    /// How many syncs SQLite has made by itself since this was asked last.
    pub(super) fn take_sqlite_syncs(&mut self) -> u64 {
        std::mem::take(&mut self.sqlite_syncs.uncounted)
    }
}

impl SqliteSyncs {
    fn of(log: &Path) -> std::io::Result<Self> {
        Ok(Self { log: File::open(log)?, copied: 0, generation: None, uncounted: 0 })
    }

    /// A checkpoint found so many frames in the log, and so many of them are copied now.
    fn checkpointed(&mut self, logged: i64, copied: i64) -> std::io::Result<()> {
        if copied > self.copied {
            self.uncounted += 1 + u64::from(copied == logged);
            self.copied = copied;
        }
        if copied == logged {
            self.generation = Some(self.generation_now()?);
        }
        Ok(())
    }

    /// A transaction was committed.
    fn committed(&mut self) -> std::io::Result<()> {
        if let Some(generation) = self.generation
            && generation != self.generation_now()?
        {
            self.uncounted += 1;
            (self.copied, self.generation) = (0, None);
        }
        Ok(())
    }

    /// The "checkpoint sequence number" of the log's header (<https://sqlite.org/fileformat2.html#walformat>).
    fn generation_now(&mut self) -> std::io::Result<u32> {
        let mut number = [0; 4];
        self.log.seek(SeekFrom::Start(12))?;
        self.log.read_exact(&mut number)?;
        Ok(u32::from_be_bytes(number))
    }
}

fn cannot_read(error: std::io::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
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
        file.commit([(&one, Change::Write(b"x")), (&two, Change::Write(b""))]).unwrap();
        assert_eq!(reader.list("a", "b").unwrap(), ["1", "2"]);
        file.commit([(&one, Change::Remove), (&two, Change::Write(b"y"))]).unwrap();
        assert_eq!((reader.read(&one).unwrap(), reader.read(&two).unwrap()), (None, Some(b"y".to_vec())));
        assert_eq!(reader.list("a", "").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn the_log_begins_anew_when_it_has_grown_long() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kv.sqlite");
        let mut file = WriteFile::open(&path).unwrap();
        let manager = Key::new("", "", "manager").unwrap();
        let mut value = vec![0; 256 * 1_024];
        for n in 0..10 * KV_CHECKPOINT_BYTES_MAX / value.len() {
            // SQLite doesn't log a page that stays as it is.
            value.fill(n.to_le_bytes()[0]);
            file.commit([(&manager, Change::Write(&value))]).unwrap();
            file.checkpoint_when_due(true).unwrap();
        }
        let log_bytes = WriteFile::log(&path).metadata().unwrap().len();
        assert!(log_bytes < 2 * KV_CHECKPOINT_BYTES_MAX as u64, "{log_bytes}");
        // Each checkpoint syncs log and database, and the log's next beginning its header; the last is still to begin.
        assert_eq!((file.take_sqlite_syncs(), file.take_sqlite_syncs()), (3 * 9 + 2, 0));
    }
}
