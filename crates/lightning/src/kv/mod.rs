//! The node's own key-value store: what ldk-node keeps (monitors, the channel manager, payments, events), on SQLite
//! with a write-ahead log and one writer.
//!
//! | module | what it holds |
//! |---|---|
//! | `key` | a key, and how durable what stands under it must be |
//! | `queue` | the operations in the one order in which they were asked for, and who waits for each |
//! | `writer` | the thread that carries them out: group commit, one sync for all that need one |
//! | `file` | the SQLite file itself |
//! | `events` | which of two snapshots of the event queue is the newer one |
//! | [`counters`] | what was done, counted exactly |
//! | [`kind`], [`memory`] | the kinds of store to choose from; the one in memory |
//!
//! **The order.** Operations are carried out in the order of the calls. One that was acknowledged is on disk before, or
//! together with, any that is acknowledged after it. What must be on disk is synced before it is acknowledged
//! ([`key::Durability::Synced`]); the rest may be acknowledged once it is in the log, unsynced: the next sync of the
//! same log carries it.
//!
//! **A failure is final.** After one failed commit every later write fails too: what LDK has in memory is then ahead of
//! the disk, and a later write could make the two disagree. The process has to end. Reads go on.
//!
//! What does not live here: messages (`boltgram-store`).

pub mod counters;
mod events;
mod file;
mod key;
pub mod kind;
pub mod memory;
mod queue;
mod writer;

use std::{
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::JoinHandle,
};

use ldk_node::lightning::{
    io,
    util::persist::{KVStore, KVStoreSync},
};
use tokio::sync::oneshot;

pub(crate) use self::events::EventHandledMark;
use self::{
    counters::{CounterValues, Counters, StoreCounters},
    file::{ReadFile, WriteFile},
    key::Key,
    queue::{Acknowledge, Action, Operation, Queue},
};

/// A future as [`KVStore`] gives it.
type AsyncResult<T> = Pin<Box<dyn Future<Output = Result<T, io::Error>> + Send>>;

/// The store. Dropping it carries out what was asked for, and closes the file.
pub struct KvStore {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

/// What the callers and the writer's thread share.
struct Shared {
    queue: Queue,
    reader: Mutex<ReadFile>,
    counters: Arc<Counters>,
}

impl KvStore {
    /// Opens the store at `path`; makes it when it isn't there.
    pub fn open(path: &Path) -> Result<Self, io::Error> {
        let file = WriteFile::open(path).map_err(|error| failed("open", &error))?;
        let reader = ReadFile::open(path).map_err(|error| failed("open", &error))?;
        let queued_events = reader.read(&Key::events()).map_err(|error| failed("read", &error))?;
        let shared = Arc::new(Shared {
            queue: Queue::new(queued_events.as_deref()),
            reader: Mutex::new(reader),
            counters: Arc::default(),
        });
        let for_writer = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("kv-writer".into())
            .spawn(move || writer::run(file, &for_writer.queue, &for_writer.counters))?;
        Ok(Self { shared, writer: Some(writer) })
    }

    /// What was done so far.
    pub fn counters(&self) -> CounterValues {
        self.shared.counters.values()
    }

    /// What looks at the counts without the store.
    pub fn store_counters(&self) -> StoreCounters {
        StoreCounters(Arc::clone(&self.shared.counters))
    }

    /// Takes the operation into the order and returns at once; it is acknowledged through `acknowledge`.
    fn submit(&self, key: Key, action: Action, acknowledge: Acknowledge) {
        self.shared.queue.push(Operation { key, action, acknowledge }, &self.shared.counters);
    }

    fn submit_and_wait(&self, key: Key, action: Action) -> Result<(), io::Error> {
        let (done, outcome) = mpsc::sync_channel(1);
        self.submit(key, action, Acknowledge::Sync(done));
        outcome.recv().unwrap_or_else(|_| Err(closed()))
    }

    fn submit_async(&self, key: Result<Key, io::Error>, action: Action) -> AsyncResult<()> {
        let key = match key {
            Ok(key) => key,
            Err(error) => return Box::pin(std::future::ready(Err(error))),
        };
        let (done, outcome) = oneshot::channel();
        // Now, not when the future is polled: the order is that of the calls.
        self.submit(key, action, Acknowledge::Async(done));
        Box::pin(async move { outcome.await.unwrap_or_else(|_| Err(closed())) })
    }

    fn read_now(&self, key: &Key) -> Result<Vec<u8>, io::Error> {
        self.shared.counters.read();
        let found = self.reader(|reader| reader.read(key)).map_err(|error| failed("read", &error))?;
        found.ok_or_else(|| not_found(key))
    }

    fn list_now(&self, primary: &str, secondary: &str) -> Result<Vec<String>, io::Error> {
        self.shared.counters.read();
        self.reader(|reader| reader.list(primary, secondary)).map_err(|error| failed("list", &error))
    }

    fn reader<T>(&self, read: impl FnOnce(&ReadFile) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        read(&self.shared.reader.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for KvStore {
    fn drop(&mut self) {
        self.shared.queue.close();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl KVStoreSync for KvStore {
    fn read(&self, primary: &str, secondary: &str, key: &str) -> Result<Vec<u8>, io::Error> {
        self.read_now(&Key::new(primary, secondary, key)?)
    }

    fn write(&self, primary: &str, secondary: &str, key: &str, buf: Vec<u8>) -> Result<(), io::Error> {
        self.submit_and_wait(Key::new(primary, secondary, key)?, Action::Write(buf))
    }

    fn remove(&self, primary: &str, secondary: &str, key: &str, lazy: bool) -> Result<(), io::Error> {
        let key = Key::new(primary, secondary, key)?;
        if lazy {
            self.submit(key, Action::RemoveLazily, Acknowledge::Nobody);
            return Ok(());
        }
        self.submit_and_wait(key, Action::Remove)
    }

    fn list(&self, primary: &str, secondary: &str) -> Result<Vec<String>, io::Error> {
        self.list_now(primary, secondary)
    }
}

impl KVStore for KvStore {
    fn read(&self, primary: &str, secondary: &str, key: &str) -> AsyncResult<Vec<u8>> {
        Box::pin(std::future::ready(KVStoreSync::read(self, primary, secondary, key)))
    }

    fn write(&self, primary: &str, secondary: &str, key: &str, buf: Vec<u8>) -> AsyncResult<()> {
        self.submit_async(Key::new(primary, secondary, key), Action::Write(buf))
    }

    fn remove(&self, primary: &str, secondary: &str, key: &str, lazy: bool) -> AsyncResult<()> {
        if lazy {
            return Box::pin(std::future::ready(KVStoreSync::remove(self, primary, secondary, key, true)));
        }
        self.submit_async(Key::new(primary, secondary, key), Action::Remove)
    }

    fn list(&self, primary: &str, secondary: &str) -> AsyncResult<Vec<String>> {
        Box::pin(std::future::ready(self.list_now(primary, secondary)))
    }
}

fn failed(what: &str, error: &rusqlite::Error) -> io::Error {
    io::Error::new(io::ErrorKind::Other, format!("the node's store failed to {what}: {error}"))
}

fn not_found(key: &Key) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("nothing is stored under {key}"))
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::Other, "the node's store is closed")
}
