//! The message store: messages, attempts, received payments and the event log, in one SQLite file.
//!
//! | module | what it holds |
//! |---|---|
//! | `schema` | the tables, as versioned migrations |
//! | `writer` | the one connection that writes, on a thread of its own: group commit |
//! | `readers` | the few connections that read |
//! | `rows` | SQLite's values to the domain's words and back |
//! | `insert` | the statements that both ways share |
//! | [`outgoing`] | what this node sends: a message, its attempt, what became of it |
//! | [`incoming`] | what this node receives: payments, the messages in them, the parts that wait, what is put aside |
//! | [`read`] | one message, a page of them, the log |
//! | [`conversations`] | who wrote to whom, and what is unread |
//! | [`search`] | the words of all texts |
//! | [`delete`] | what goes with a message, by hand or by its age |
//! | `backup` | a copy of the store while it is used |
//!
//! Every function blocks on the disk: an async caller moves it to a blocking thread. What a function has returned is
//! on disk, synced. What does not live here: when to send and what a record means (`boltgram-messaging`), and
//! the Lightning node's own state (`boltgram-lightning`).

mod backup;
pub mod conversations;
pub mod delete;
pub mod incoming;
mod insert;
pub mod outgoing;
#[cfg(test)]
mod plans;
pub mod read;
mod readers;
mod rows;
mod schema;
pub mod search;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use boltgram_core::{Failure, MessageId, Reason};
use rusqlite::{Connection, ErrorCode, OptionalExtension as _};
use tokio::sync::watch;

use crate::{readers::Readers, writer::Writer};

/// Why the store can't do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite failed: the disk is full or broken, the file is damaged or held by another program.
    #[error("the message store failed: {0}")]
    Sqlite(Arc<rusqlite::Error>),
    /// The file can't be brought to this program's schema.
    #[error("the message store can't be opened: {0}")]
    Schema(String),
    /// A stored value is none that this program writes.
    #[error("the message store holds a value that is not valid: {0}")]
    Corrupt(&'static str),
    /// The copy can't be written.
    #[error("the backup {} can't be written: {error}", path.display())]
    Backup {
        /// Where it was to be.
        path: PathBuf,
        /// Why.
        error: String,
    },
    /// The writer's thread is gone: the store is closing, or it failed.
    #[error("the message store is closed")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(Arc::new(error))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        if matches!(&error, StoreError::Sqlite(source) if source.sqlite_error_code() == Some(ErrorCode::DiskFull)) {
            return Failure::new(Reason::DiskLow, format!("{error}: make room on the disk that holds the data folder"));
        }
        Failure::new(Reason::StoreError, format!("{error}: check the disk that holds the data folder, then try again"))
    }
}

/// The store of one node.
#[derive(Debug)]
pub struct Store {
    writer: Writer,
    readers: Readers,
}

impl Store {
    /// Opens the store at `path`, made when it isn't there, and brings it to this program's schema. A file of a newer
    /// schema is refused and left as it is.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = schema::open(path)?;
        let writer = Writer::start(connection)?;
        Ok(Self { writer, readers: Readers::open(path)? })
    }

    /// The log's last committed sequence number, now and whenever it moves.
    pub fn watch_sequence(&self) -> watch::Receiver<u64> {
        self.writer.watch_sequence()
    }

    /// The highest message id that this node made, so that the next one stands above it.
    pub fn last_own_id(&self) -> Result<Option<MessageId>, StoreError> {
        self.readers.with(|connection| {
            let sql = "SELECT id FROM messages WHERE is_own_id = 1 ORDER BY id DESC LIMIT 1";
            let id = connection.query_row(sql, [], |row| row.get::<_, rows::Id>(0)).optional()?;
            Ok(id.map(|id| id.0))
        })
    }

    fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.write(job)
    }
}
