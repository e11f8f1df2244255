//! What the store did, counted exactly.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::key::Key;
pub use super::key::Kind;

/// The counts, kept while the store works.
#[derive(Default, Debug)]
pub(super) struct Counters {
    reads: AtomicU64,
    operations: [AtomicU64; Kind::ALL.len()],
    bytes: [AtomicU64; Kind::ALL.len()],
    commits: AtomicU64,
    syncs: AtomicU64,
    snapshots_dropped: AtomicU64,
    depth_max: AtomicU64,
}

/// The counts at one moment, since the store was opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CounterValues {
    /// Reads and lists.
    pub reads: u64,
    /// Writes and removals that were asked for, with the bytes written, by kind of key.
    pub by_kind: Vec<(Kind, u64, u64)>,
    /// Transactions.
    pub commits: u64,
    /// Syncs of the log. SQLite's own, with each checkpoint, aren't counted.
    pub syncs: u64,
    /// Snapshots of the event queue that were old when they came.
    pub snapshots_dropped: u64,
    /// The most operations that waited at the same time.
    pub queue_operations_max: u64,
}

impl CounterValues {
    /// Writes and removals of every kind.
    pub fn operations(&self) -> u64 {
        self.by_kind.iter().map(|(_, operations, _)| operations).sum()
    }
}

impl Counters {
    pub(super) fn read(&self) {
        self.reads.fetch_add(1, Relaxed);
    }

    pub(super) fn asked(&self, key: &Key, bytes: usize) {
        let kind = Kind::ALL.iter().position(|kind| *kind == key.kind());
        if let Some((operations, total)) = kind.and_then(|at| Some((self.operations.get(at)?, self.bytes.get(at)?))) {
            operations.fetch_add(1, Relaxed);
            total.fetch_add(bytes as u64, Relaxed);
        }
    }

    pub(super) fn committed(&self) {
        self.commits.fetch_add(1, Relaxed);
    }

    pub(super) fn synced(&self) {
        self.syncs.fetch_add(1, Relaxed);
    }

    pub(super) fn snapshot_dropped(&self) {
        self.snapshots_dropped.fetch_add(1, Relaxed);
    }

    pub(super) fn depth(&self, operations: usize) {
        self.depth_max.fetch_max(operations as u64, Relaxed);
    }

    pub(super) fn values(&self) -> CounterValues {
        let by_kind = Kind::ALL.iter().zip(&self.operations).zip(&self.bytes);
        CounterValues {
            reads: self.reads.load(Relaxed),
            by_kind: by_kind.map(|((kind, n), bytes)| (*kind, n.load(Relaxed), bytes.load(Relaxed))).collect(),
            commits: self.commits.load(Relaxed),
            syncs: self.syncs.load(Relaxed),
            snapshots_dropped: self.snapshots_dropped.load(Relaxed),
            queue_operations_max: self.depth_max.load(Relaxed),
        }
    }
}
