//! Torn writes: what a power failure may leave of the log is opened again, and compared with what was acknowledged.
//!
//! KV_TORN_COPIES sets how many copies are cut: half of the first log of a store, half of one that is written over an
//! older log after a checkpoint. The cuts are at every boundary of a frame, as far as there are copies for that, and at
//! random bytes in between. In every third copy the log goes on behind the cut with something else, as a disk leaves it that writes
//! in an order of its own.

use std::{collections::BTreeSet, fs, path::Path};

use boltgram_lightning::kv::KvStore;
use ldk_node::lightning::util::persist::KVStore;

use super::{
    history::{Change, History},
    support::{Key, OWN_FILE, OWN_LOG, State, Store as _, copy_as_a_crash_leaves_it, count, keys, state_of},
    workload::{Numbers, operation},
};

/// How SQLite lays its log out (<https://sqlite.org/fileformat2.html#walformat>), as far as it matters here.
struct Log<'a>(&'a [u8]);

impl Log<'_> {
    const HEADER_BYTES: usize = 32;
    const FRAME_HEADER_BYTES: usize = 24;

    fn number(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.0[at..at + 4].try_into().unwrap())
    }

    /// What is different in each log that is written over an older one.
    fn salt(&self) -> Option<&[u8]> {
        self.0.get(16..24)
    }

    /// Where each of its frames ends, the header first; older frames behind them don't count.
    fn ends(&self) -> Vec<usize> {
        if self.0.len() < Self::HEADER_BYTES {
            return Vec::new();
        }
        let frame_bytes = Self::FRAME_HEADER_BYTES + self.number(8) as usize;
        let frames = self.0[Self::HEADER_BYTES..].chunks_exact(frame_bytes);
        let of_now = frames.take_while(|frame| self.salt() == frame.get(8..16)).count();
        (0..=of_now).map(|frame| Self::HEADER_BYTES + frame * frame_bytes).collect()
    }
}

/// A store at work, and what was acknowledged when its log ended where.
struct Recorded {
    database: Vec<u8>,
    log: Vec<u8>,
    keys: Vec<Key>,
    history: History,
    /// So many operations were acknowledged when the log ended here.
    acknowledged: Vec<(usize, usize)>,
}

/// Waits, after so many operations, for a log that is written over the first one; then records what follows.
fn record(groups: usize, is_over_an_older_log: bool) -> Recorded {
    let folder = tempfile::tempdir().unwrap();
    let (path, log_path) = (folder.path().join(OWN_FILE), folder.path().join(OWN_LOG));
    let store = KvStore::open(&path).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (mut history, mut acknowledged, mut numbers) = (History::new(State::new()), Vec::new(), Numbers::new(7));
    let salt = || Log(&fs::read(&log_path).unwrap_or_default()).salt().map(<[u8]>::to_vec);
    let (mut salt_before, mut is_over_one) = (salt(), false);
    while acknowledged.len() <= groups || is_over_one != is_over_an_older_log {
        assert!(history.len() < 50_000, "no log was written over the first one");
        let acknowledged_before = acknowledged.last().map_or(0, |(_, operations)| *operations);
        for _ in 0..=numbers.below(6) {
            submit(&store, &mut history, &runtime);
        }
        // One synced write ends each group: with it all that came before is acknowledged.
        let (key, value) = (&keys()[4], u32::try_from(history.len()).unwrap().to_be_bytes());
        let operations = history.push(key.clone(), Change::Write(value.to_vec()));
        store.put(key, &value);
        let log = fs::read(&log_path).unwrap();
        if salt() != salt_before {
            (is_over_one, salt_before) = (salt_before.is_some(), salt());
            // What came before this log is in the main file.
            acknowledged = vec![(0, acknowledged_before)];
        }
        acknowledged.push((Log(&log).ends().last().copied().unwrap(), operations));
    }
    // A copy before the store is closed, which writes the log back.
    let left = tempfile::tempdir().unwrap();
    copy_as_a_crash_leaves_it(folder.path(), left.path());
    let (database, log) = (fs::read(left.path().join(OWN_FILE)).unwrap(), fs::read(left.path().join(OWN_LOG)).unwrap());
    assert_eq!(Log(&log).salt(), salt_before.as_deref());
    Recorded { database, log, keys: keys(), history, acknowledged }
}

/// Asks for the next operation; nobody waits for it.
fn submit(store: &KvStore, history: &mut History, runtime: &tokio::runtime::Runtime) {
    let (key, change) = operation(u32::try_from(history.len()).unwrap());
    history.push(key.clone(), change.clone());
    let Key { primary, secondary, name } = &key;
    match change {
        Change::Write(value) => drop(KVStore::write(store, primary, secondary, name, value)),
        Change::Remove => drop(KVStore::remove(store, primary, secondary, name, false)),
        Change::RemoveLazily => {
            runtime.block_on(KVStore::remove(store, primary, secondary, name, true)).unwrap();
        }
    }
}

impl Recorded {
    /// Where so many copies are cut: at every frame as long as half of them suffice, else at frames all over the log; the
    /// rest at bytes in between.
    fn cuts(&self, copies: usize, numbers: &mut Numbers) -> Vec<usize> {
        let ends = Log(&self.log).ends();
        let at_frames = if copies > ends.len() { ends.len() } else { copies / 2 };
        let mut cuts: BTreeSet<usize> = (0..at_frames).map(|n| ends[n * ends.len() / at_frames]).collect();
        while cuts.len() < copies {
            cuts.insert(numbers.below(*ends.last().unwrap()));
        }
        cuts.into_iter().collect()
    }

    /// Opens a copy of the files with this log; tells after how many operations the store is in the state that it finds.
    fn open(&self, log: &[u8], cut: usize) -> usize {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(OWN_FILE);
        fs::write(&path, &self.database).unwrap();
        fs::write(folder.path().join(OWN_LOG), log).unwrap();
        let state = state_in(&path, &self.keys);
        let before_the_cut = self.acknowledged.iter().filter(|(end, _)| *end <= cut);
        let acknowledged = before_the_cut.map(|(_, operations)| *operations).max().unwrap_or(0);
        let found = self.history.may_leave_after(acknowledged, &self.keys, &state);
        found
            .unwrap_or_else(|| panic!("cut at {cut}, {acknowledged} acknowledged: no prefix leaves {:?}", state.keys()))
    }
}

fn state_in(path: &Path, keys: &[Key]) -> State {
    state_of(&KvStore::open(path).unwrap(), keys)
}

#[test]
fn a_log_that_is_cut_anywhere_gives_back_a_prefix_that_holds_all_that_was_acknowledged_before_the_cut() {
    let copies = count("KV_TORN_COPIES", 60);
    let mut numbers = Numbers::new(1);
    let mut opened = 0;
    for (is_over_an_older_log, copies) in [(false, copies.div_ceil(2)), (true, copies / 2)] {
        let recorded = record(40, is_over_an_older_log);
        let mut prefixes = BTreeSet::new();
        for cut in recorded.cuts(copies, &mut numbers) {
            let mut log = recorded.log[..cut].to_vec();
            if opened % 3 == 2 {
                // Behind the cut stands what a disk leaves: here the log's own later part, with a hole before it.
                log.extend(std::iter::repeat_n(0, 512.min(recorded.log.len() - cut)));
                log.extend(&recorded.log[log.len()..]);
            }
            prefixes.insert(recorded.open(&log, cut));
            opened += 1;
        }
        println!(
            "{copies} copies of a log of {} frames: {} prefixes",
            Log(&recorded.log).ends().len() - 1,
            prefixes.len()
        );
        assert!(prefixes.len() > copies.min(40) / 2, "the cuts give different prefixes: {prefixes:?}");
        // A log that isn't torn gives back everything.
        assert_eq!(recorded.open(&recorded.log, recorded.log.len()), recorded.history.len());
    }
    assert_eq!(opened, copies, "as many copies as were asked for");
}
