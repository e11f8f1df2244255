//! The node's own key-value store: what ldk-node keeps (monitors, the channel manager, payments, events), on SQLite
//! with a write-ahead log and one connection that writes.
//!
//! | module | what it holds |
//! |---|---|
//! | `key` | a key, and how durable what stands under it must be |
//! | `queue` | the operations in the one order in which they were asked for |
//! | `writer` | carrying them out: whoever asks commits all that wait at that moment |
//! | `sync` | syncing the log: one sync for all that was committed before it began |
//! | `file` | the SQLite file itself, and why its commits need not sync |
//! | `events` | which of two snapshots of the event queue is the newer one |
//! | [`counters`] | what was done, counted exactly |
//! | [`kind`], [`memory`] | the kinds of store to choose from; the one in memory |
//! | `observed` | a store of any kind that tells of the writes which a start waits for |
//!
//! **The order.** Operations are carried out in the order of the calls, and what a crash leaves is what the first so many
//! of them made. What must be on disk is synced before it is acknowledged ([`key::Durability::Synced`]); the rest may
//! be acknowledged once it is in the log, unsynced: it outlives the process, and the next sync carries it.
//!
//! **The manager comes at once.** LDK closes a channel whose monitor on disk is ahead of the channel manager on disk,
//! and it writes the monitor first. So the time from the one to the other is kept short: a write is in the log when its
//! call returns, after at most one other commit, and no commit waits for a sync. What LDK writes in between
//! (payments, events, the scorer) is acknowledged without a sync and without another thread; and checkpoints are made
//! right after the manager's commit.
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
pub(crate) mod observed;
mod queue;
mod sync;
mod writer;

use std::{
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use ldk_node::lightning::{
    io,
    util::persist::{KVStore, KVStoreSync},
};

pub(crate) use self::events::EventHandledMark;
use self::{
    counters::{CounterValues, Counters, StoreCounters},
    file::{ReadFile, WriteFile},
    key::{Durability, Key},
    queue::{Action, Place, Queue},
    sync::Syncs,
    writer::Writer,
};

/// A future as [`KVStore`] gives it.
type AsyncResult<T> = Pin<Box<dyn Future<Output = Result<T, io::Error>> + Send>>;

/// The store. Dropping it carries out what was asked for, and closes the file.
pub struct KvStore {
    shared: Arc<Shared>,
    /// Syncs for the futures.
    syncer: Option<JoinHandle<()>>,
}

/// What the callers and the syncing thread share.
struct Shared {
    queue: Queue,
    // Closed before the writer, which so is the last and takes the log into the database.
    reader: Mutex<ReadFile>,
    writer: Writer,
    syncs: Syncs,
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
            writer: Writer::new(file),
            syncs: Syncs::of(&WriteFile::log(path))?,
            reader: Mutex::new(reader),
            counters: Arc::default(),
        });
        let for_syncer = Arc::clone(&shared);
        let syncer = std::thread::Builder::new()
            .name("kv-syncer".into())
            .spawn(move || for_syncer.syncs.run(&for_syncer.writer, &for_syncer.counters))?;
        Ok(Self { shared, syncer: Some(syncer) })
    }

    /// What was done so far.
    pub fn counters(&self) -> CounterValues {
        self.shared.counters.values()
    }

    /// What looks at the counts without the store.
    pub fn store_counters(&self) -> StoreCounters {
        StoreCounters(Arc::clone(&self.shared.counters))
    }

    fn write_and_wait(&self, key: Key, action: Action) -> Result<(), io::Error> {
        let Shared { writer, syncs, counters, .. } = &*self.shared;
        match self.shared.commit(key, action)? {
            Some(to_sync) => syncs.wait(to_sync, writer, counters),
            None => Ok(()),
        }
    }

    fn write_async(&self, key: Result<Key, io::Error>, action: Action) -> AsyncResult<()> {
        // Now, not when the future is polled: the order is that of the calls, and the manager must not wait for a poll.
        let committed = key.and_then(|key| self.shared.commit(key, action));
        match committed {
            Ok(Some(to_sync)) => {
                let synced = self.shared.syncs.tell(to_sync, &self.shared.writer);
                Box::pin(async move { synced.await.unwrap_or_else(|_| Err(closed())) })
            }
            outcome => Box::pin(std::future::ready(outcome.map(drop))),
        }
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

impl Shared {
    /// Carries the operation out. When this returns it is in the log; the number is that of one that is to be synced.
    fn commit(&self, key: Key, action: Action) -> Result<Option<u64>, io::Error> {
        match self.queue.push(key, action, &self.counters) {
            Place::Later => Ok(None),
            Place::CarryOut(number, durability) => {
                self.writer.carry_out(number, &self.queue, &self.counters)?;
                Ok((durability == Durability::Synced).then_some(number))
            }
        }
    }
}

impl Drop for KvStore {
    fn drop(&mut self) {
        // Lazy removals may be left. An error was logged, and they come again.
        let _ =
            self.shared.writer.carry_out(self.shared.queue.last_number(), &self.shared.queue, &self.shared.counters);
        self.shared.syncs.close();
        if let Some(syncer) = self.syncer.take() {
            let _ = syncer.join();
        }
    }
}

impl KVStoreSync for KvStore {
    fn read(&self, primary: &str, secondary: &str, key: &str) -> Result<Vec<u8>, io::Error> {
        self.read_now(&Key::new(primary, secondary, key)?)
    }

    fn write(&self, primary: &str, secondary: &str, key: &str, buf: Vec<u8>) -> Result<(), io::Error> {
        self.write_and_wait(Key::new(primary, secondary, key)?, Action::Write(buf))
    }

    fn remove(&self, primary: &str, secondary: &str, key: &str, lazy: bool) -> Result<(), io::Error> {
        let key = Key::new(primary, secondary, key)?;
        if lazy {
            return self.write_and_wait(key, Action::RemoveLazily);
        }
        self.write_and_wait(key, Action::Remove)
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
        self.write_async(Key::new(primary, secondary, key), Action::Write(buf))
    }

    fn remove(&self, primary: &str, secondary: &str, key: &str, lazy: bool) -> AsyncResult<()> {
        if lazy {
            return Box::pin(std::future::ready(KVStoreSync::remove(self, primary, secondary, key, true)));
        }
        self.write_async(Key::new(primary, secondary, key), Action::Remove)
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
