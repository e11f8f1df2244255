//! What the store did, counted exactly.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::key::Key;
pub use super::key::Kind;

/// The counts, kept while the store works.
#[derive(Default, Debug)]
pub(super) struct Counters {
    reads: AtomicU64,
    by_kind: [KindCounters; Kind::ALL.len()],
    commits: AtomicU64,
    syncs: AtomicU64,
    checkpoint_syncs: AtomicU64,
    snapshots_dropped: AtomicU64,
    depth_max: AtomicU64,
}

/// The counts of one kind of key.
#[derive(Default, Debug)]
struct KindCounters {
    operations: AtomicU64,
    bytes: AtomicU64,
    waiting: AtomicU64,
    waiting_max: AtomicU64,
}

/// What the operations on one kind of key came to, since the store was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KindValues {
    /// The kind of key.
    pub kind: Kind,
    /// Writes and removals that were asked for, lazy ones and old snapshots of the event queue too.
    pub operations: u64,
    /// The bytes of the values that were to be written.
    pub bytes: u64,
    /// How many of the operations wait now, lazy removals too.
    pub waiting: u64,
    /// The most that waited at the same time.
    pub waiting_max: u64,
}

/// The counts at one moment, since the store was opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CounterValues {
    /// Reads and lists.
    pub reads: u64,
    /// Writes and removals, by kind of key; every kind is there.
    pub by_kind: Vec<KindValues>,
    /// Transactions.
    pub commits: u64,
    /// Syncs of the log that operations waited for.
    pub syncs: u64,
    /// Syncs that SQLite made by itself, when the log was copied into the database and began anew.
    pub checkpoint_syncs: u64,
    /// Snapshots of the event queue that were old when they came.
    pub snapshots_dropped: u64,
    /// The most operations that waited at the same time.
    pub queue_operations_max: u64,
}

impl CounterValues {
    /// Writes and removals of every kind.
    pub fn operations(&self) -> u64 {
        self.by_kind.iter().map(|values| values.operations).sum()
    }

    /// Every fsync and fdatasync of the store's files that the kernel has seen since the store was opened.
    pub fn syncs_total(&self) -> u64 {
        self.syncs + self.checkpoint_syncs
    }

    /// The bytes written, of every kind.
    pub fn bytes(&self) -> u64 {
        self.by_kind.iter().map(|values| values.bytes).sum()
    }
}

/// Looks at a store's counts. Keeps neither the store nor its file open.
#[derive(Clone, Debug)]
pub struct StoreCounters(pub(super) Arc<Counters>);

impl StoreCounters {
    /// The counts now; after the store was closed, its last.
    pub fn values(&self) -> CounterValues {
        self.0.values()
    }
}

impl Counters {
    pub(super) fn read(&self) {
        self.reads.fetch_add(1, Relaxed);
    }

    /// An operation was asked for; it waits from now on.
    pub(super) fn asked(&self, key: &Key, bytes: usize) {
        if let Some(of_kind) = self.of(key) {
            of_kind.operations.fetch_add(1, Relaxed);
            of_kind.bytes.fetch_add(bytes as u64, Relaxed);
            let waiting = of_kind.waiting.fetch_add(1, Relaxed) + 1;
            of_kind.waiting_max.fetch_max(waiting, Relaxed);
        }
    }

    /// An operation waits no more. To be told once for each that was asked for, before it is acknowledged.
    pub(super) fn carried_out(&self, key: &Key) {
        if let Some(of_kind) = self.of(key) {
            of_kind.waiting.fetch_sub(1, Relaxed);
        }
    }

    fn of(&self, key: &Key) -> Option<&KindCounters> {
        let kind = key.kind();
        Kind::ALL.iter().position(|known| *known == kind).and_then(|at| self.by_kind.get(at))
    }

    pub(super) fn committed(&self) {
        self.commits.fetch_add(1, Relaxed);
    }

    pub(super) fn synced(&self) {
        self.syncs.fetch_add(1, Relaxed);
    }

    pub(super) fn synced_by_sqlite(&self, syncs: u64) {
        self.checkpoint_syncs.fetch_add(syncs, Relaxed);
    }

    pub(super) fn snapshot_dropped(&self) {
        self.snapshots_dropped.fetch_add(1, Relaxed);
    }

    pub(super) fn depth(&self, operations: usize) {
        self.depth_max.fetch_max(operations as u64, Relaxed);
    }

    pub(super) fn values(&self) -> CounterValues {
        let by_kind = Kind::ALL.iter().zip(&self.by_kind).map(|(kind, of_kind)| KindValues {
            kind: *kind,
            operations: of_kind.operations.load(Relaxed),
            bytes: of_kind.bytes.load(Relaxed),
            waiting: of_kind.waiting.load(Relaxed),
            waiting_max: of_kind.waiting_max.load(Relaxed),
        });
        CounterValues {
            reads: self.reads.load(Relaxed),
            by_kind: by_kind.collect(),
            commits: self.commits.load(Relaxed),
            syncs: self.syncs.load(Relaxed),
            checkpoint_syncs: self.checkpoint_syncs.load(Relaxed),
            snapshots_dropped: self.snapshots_dropped.load(Relaxed),
            queue_operations_max: self.depth_max.load(Relaxed),
        }
    }
}
