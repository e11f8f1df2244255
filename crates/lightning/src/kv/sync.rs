//! Syncs of the log: one serves all that were in the log before it began.
//!
//! A caller that waits syncs by itself, if nobody does already; a thread does it for the futures, which can't.

use std::{
    fs::File,
    path::Path,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use ldk_node::lightning::io;
use tokio::sync::oneshot;

use super::{counters::Counters, writer::Writer};

/// Told when an operation is synced, or can't be any more.
pub(super) type Synced = oneshot::Receiver<Result<(), io::Error>>;

pub(super) struct Syncs {
    /// Syncs the log, whoever wrote it.
    sync_log: Box<dyn Fn() -> std::io::Result<()> + Send + Sync>,
    state: Mutex<State>,
    /// A sync has ended.
    ended: Condvar,
    /// There is something to do for the futures' thread.
    asked: Condvar,
}

#[derive(Default)]
struct State {
    /// The number of the last operation that is synced.
    synced: u64,
    is_syncing: bool,
    has_failed: bool,
    futures: Vec<(u64, oneshot::Sender<Result<(), io::Error>>)>,
    is_closed: bool,
}

impl Syncs {
    /// Of the log at `log`, which is there.
    pub(super) fn of(log: &Path) -> std::io::Result<Self> {
        // Some systems sync only what could be written.
        let file = File::options().write(true).open(log)?;
        // What a killed process left unsynced in the log is read from now on, and acted on.
        file.sync_data()?;
        // A log that was just made has to be found again, too: SQLite leaves that to its first own sync.
        #[cfg(unix)]
        if let Some(folder) = log.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(Self::new(move || file.sync_data()))
    }

    fn new(sync_log: impl Fn() -> std::io::Result<()> + Send + Sync + 'static) -> Self {
        let sync_log = Box::new(sync_log);
        Self { sync_log, state: Mutex::default(), ended: Condvar::new(), asked: Condvar::new() }
    }

    /// Waits until the operation with this number, which is in the log, is synced.
    pub(super) fn wait(&self, number: u64, writer: &Writer, counters: &Counters) -> Result<(), io::Error> {
        let mut state = self.lock();
        while state.synced < number {
            if state.has_failed {
                return writer.check();
            }
            state = if state.is_syncing {
                self.ended.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.sync(state, writer, counters)
            };
        }
        Ok(())
    }

    /// Tells when the operation with this number, which is in the log, is synced.
    pub(super) fn tell(&self, number: u64, writer: &Writer) -> Synced {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        state.futures.push((number, sender));
        state.tell_futures(writer);
        drop(state);
        self.asked.notify_one();
        receiver
    }

    /// Syncs for the futures until the store is closed and none waits.
    pub(super) fn run(&self, writer: &Writer, counters: &Counters) {
        let mut state = self.lock();
        while !(state.futures.is_empty() && state.is_closed) {
            state = if state.futures.is_empty() || state.is_syncing {
                self.asked.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.sync(state, writer, counters)
            };
        }
    }

    /// Lets [`Self::run`] end.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.asked.notify_one();
    }

    /// Syncs all that is in the log by now.
    fn sync<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        writer: &Writer,
        counters: &Counters,
    ) -> MutexGuard<'a, State> {
        state.is_syncing = true;
        drop(state);
        // Read before the sync begins: what is committed while it runs may or may not be in it.
        let committed = writer.committed();
        let outcome = (self.sync_log)();
        counters.synced();
        let mut state = self.lock();
        state.is_syncing = false;
        match outcome {
            Ok(()) => state.synced = state.synced.max(committed),
            Err(error) => {
                // What the system could not write it may have dropped, and a second try would not notice.
                let _ = writer.fail(&error);
                state.has_failed = true;
            }
        }
        state.tell_futures(writer);
        self.ended.notify_all();
        self.asked.notify_one();
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Tells those that are synced; all, when that will never be.
    fn tell_futures(&mut self, writer: &Writer) {
        let (synced, has_failed) = (self.synced, self.has_failed);
        for (number, sender) in self.futures.extract_if(.., |(number, _)| *number <= synced || has_failed) {
            let _ = sender.send(if number <= synced { Ok(()) } else { writer.check() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            file::{ReadFile, WriteFile},
            key::{Durability, Key},
            queue::{Action, Place, Queue},
        },
        *,
    };
    use std::sync::{Arc, mpsc};

    /// A store whose syncs the test lets through one at a time, with an outcome.
    struct Held {
        folder: tempfile::TempDir,
        queue: Queue,
        writer: Writer,
        syncs: Syncs,
        counters: Counters,
        begun: Mutex<mpsc::Receiver<()>>,
        outcomes: mpsc::Sender<std::io::Result<()>>,
    }

    impl Held {
        fn new() -> Arc<Self> {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("kv.sqlite");
            let writer = Writer::new(WriteFile::open(&path).unwrap());
            let (begins, begun) = mpsc::channel();
            let (outcomes, next_outcome) = mpsc::channel();
            let held = Mutex::new((begins, next_outcome));
            let syncs = Syncs::new(move || {
                let (begins, next_outcome) = &*held.lock().unwrap();
                begins.send(()).unwrap();
                next_outcome.recv().unwrap()
            });
            Arc::new(Self {
                folder,
                queue: Queue::new(None),
                writer,
                syncs,
                counters: Counters::default(),
                begun: Mutex::new(begun),
                outcomes,
            })
        }

        /// Commits a write under this name, which is to be synced; gives its number.
        fn commit(&self, name: &str) -> Result<u64, io::Error> {
            let key = Key::new("monitors", "", name).unwrap();
            let place = self.queue.push(key, Action::Write(b"x".to_vec()), &self.counters);
            let Place::CarryOut(number, Durability::Synced) = place else { panic!("{place:?}") };
            self.writer.carry_out(number, &self.queue, &self.counters).map(|()| number)
        }

        fn wait_in_a_thread(self: &Arc<Self>, number: u64) -> mpsc::Receiver<Result<(), io::Error>> {
            let (done, outcome) = mpsc::channel();
            let held = Arc::clone(self);
            std::thread::spawn(move || done.send(held.syncs.wait(number, &held.writer, &held.counters)));
            outcome
        }

        fn wait_for_a_sync_to_begin(&self) {
            self.begun.lock().unwrap().recv().unwrap();
        }
    }

    #[test]
    fn a_sync_serves_what_was_committed_before_it_began_and_nothing_else() {
        let held = Held::new();
        let (one, two) = (held.commit("1").unwrap(), held.commit("2").unwrap());
        let mut future_two = held.syncs.tell(two, &held.writer);
        let waits_one = held.wait_in_a_thread(one);
        held.wait_for_a_sync_to_begin();
        // It runs: a commit isn't held up by it, and isn't covered either.
        let three = held.commit("3").unwrap();
        let mut future_three = held.syncs.tell(three, &held.writer);
        let reader = ReadFile::open(&held.folder.path().join("kv.sqlite")).unwrap();
        assert!(reader.read(&Key::new("monitors", "", "3").unwrap()).unwrap().is_some());
        assert!(waits_one.try_recv().is_err() && future_two.try_recv().is_err());

        held.outcomes.send(Ok(())).unwrap();
        waits_one.recv().unwrap().unwrap();
        future_two.blocking_recv().unwrap().unwrap();
        assert!(future_three.try_recv().is_err());
        let waits_three = held.wait_in_a_thread(three);
        held.wait_for_a_sync_to_begin();
        held.outcomes.send(Ok(())).unwrap();
        waits_three.recv().unwrap().unwrap();
        future_three.blocking_recv().unwrap().unwrap();
        assert_eq!(held.counters.values().syncs, 2);
    }

    #[test]
    fn after_a_sync_that_failed_nothing_is_acknowledged_any_more() {
        let held = Held::new();
        let (one, two) = (held.commit("1").unwrap(), held.commit("2").unwrap());
        held.outcomes.send(Ok(())).unwrap();
        held.wait_in_a_thread(two).recv().unwrap().unwrap();
        let three = held.commit("3").unwrap();
        let future_three = held.syncs.tell(three, &held.writer);
        held.outcomes.send(Err(std::io::Error::other("the disk is gone"))).unwrap();
        let error = held.wait_in_a_thread(three).recv().unwrap().unwrap_err();
        assert!(error.to_string().contains("the disk is gone"), "{error}");
        assert!(future_three.blocking_recv().unwrap().is_err());
        // Neither by a second try, nor for what comes later; what was synced stays so.
        assert!(held.syncs.wait(three, &held.writer, &held.counters).is_err());
        assert!(held.commit("4").is_err());
        held.syncs.wait(one, &held.writer, &held.counters).unwrap();
        assert_eq!(held.counters.values().syncs, 2);
    }

    #[test]
    fn the_futures_have_a_thread_that_syncs_for_them() {
        let held = Held::new();
        let one = held.commit("1").unwrap();
        let future = held.syncs.tell(one, &held.writer);
        let for_thread = Arc::clone(&held);
        let thread = std::thread::spawn(move || for_thread.syncs.run(&for_thread.writer, &for_thread.counters));
        held.outcomes.send(Ok(())).unwrap();
        future.blocking_recv().unwrap().unwrap();
        held.syncs.close();
        thread.join().unwrap();
    }
}
