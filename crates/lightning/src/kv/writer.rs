//! Carries the operations out: whoever asked for one commits all that wait at that moment, its own among them.
//!
//! No thread stands between a caller and the log, and no commit stands still for a sync (see `sync`): the channel
//! manager is in the log as soon as it was asked for, after at most the one commit that is under way.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use ldk_node::lightning::io;

use super::{
    counters::Counters,
    file::{Change, WriteFile},
    key::{Key, Kind},
    queue::{Action, Operation, Queue},
};

pub(super) struct Writer {
    file: Mutex<WriteFile>,
    /// The number of the last operation that is in the log.
    committed: AtomicU64,
    /// After a failure nothing is written any more: see the module's rule.
    failure: OnceLock<String>,
}

impl Writer {
    pub(super) fn new(file: WriteFile) -> Self {
        Self { file: Mutex::new(file), committed: AtomicU64::new(0), failure: OnceLock::new() }
    }

    /// The number of the last operation that is in the log. It only grows.
    pub(super) fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// When this returns the operation with this number is in the log, and all before it.
    pub(super) fn carry_out(&self, number: u64, queue: &Queue, counters: &Counters) -> Result<(), io::Error> {
        while self.committed() < number {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            // Whoever had the file until now may have carried it out, or failed to.
            if self.committed() >= number {
                break;
            }
            self.check()?;
            let batch = queue.take();
            let Some(last) = batch.back() else { return Err(self.fail(&"a write was lost")) };
            batch.iter().for_each(|operation| counters.carried_out(&operation.key));
            commit(&mut file, &batch, counters).map_err(|error| self.fail(&error))?;
            self.committed.store(last.number, Ordering::Release);
        }
        Ok(())
    }

    /// An error after a failure.
    pub(super) fn check(&self) -> Result<(), io::Error> {
        self.failure.get().map_or(Ok(()), |failure| Err(failed(failure)))
    }

    /// Ends all writing.
    pub(super) fn fail(&self, error: &dyn fmt::Display) -> io::Error {
        let failure = self.failure.get_or_init(|| {
            tracing::error!(%error, "the node's store can't write any more; the process has to end");
            error.to_string()
        });
        failed(failure)
    }
}

fn failed(failure: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Other, format!("the node's store failed to write: {failure}"))
}

/// Commits a batch. Of several changes of one key the last one counts: nobody was told of the others yet.
fn commit(file: &mut WriteFile, batch: &VecDeque<Operation>, counters: &Counters) -> rusqlite::Result<()> {
    let mut changes: BTreeMap<&Key, Change<'_>> = BTreeMap::new();
    for operation in batch {
        let change = match &operation.action {
            Action::Write(value) => Change::Write(value),
            Action::Remove | Action::RemoveLazily => Change::Remove,
            Action::Nothing => continue,
        };
        changes.insert(&operation.key, change);
    }
    if changes.is_empty() {
        return Ok(());
    }
    let holds_manager = changes.keys().any(|key| key.kind() == Kind::Manager);
    file.commit(changes)?;
    counters.committed();
    // With the manager no monitor in the log is ahead of it: what takes a while is best done in this moment.
    let checkpointed = file.checkpoint_when_due(holds_manager);
    counters.synced_by_sqlite(file.take_sqlite_syncs());
    checkpointed
}
