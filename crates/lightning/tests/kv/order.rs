//! The order of writes, from many threads, and what whoever reads meanwhile is shown.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    thread,
};

use boltgram_lightning::kv::{KvStore, kind::StoreKind};
use ldk_node::{
    DynStore,
    lightning::{
        io::ErrorKind,
        util::persist::{KVStore, KVStoreSync},
    },
};
use tempfile::TempDir;

use super::support::{Key, ON_DISK, OWN_FILE, Store as _, copy_as_a_crash_leaves_it};

fn update(n: u32) -> Key {
    Key::new("monitor_updates", "ab_0", &n.to_string())
}

fn monitor() -> Key {
    Key::new("monitors", "", "ab_0")
}

/// A value that is n all through, and larger than a page.
fn filled(n: u32) -> Vec<u8> {
    n.to_be_bytes().repeat(3_000)
}

/// What a value is filled with; a mixture of two is none.
fn number_in(value: &[u8]) -> u32 {
    let number = u32::from_be_bytes(value[..4].try_into().unwrap());
    assert!(value == filled(number), "a mixture of values");
    number
}

#[test]
fn the_order_is_that_of_the_calls_also_when_the_futures_are_polled_the_other_way_round() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let _context = runtime.enter();
    for kind in StoreKind::ALL {
        let folder = tempfile::tempdir().unwrap();
        let store = kind.open(folder.path()).unwrap();
        let first = KVStore::write(&*store, "", "", "manager", b"first".to_vec());
        let second = KVStore::write(&*store, "", "", "manager", b"second".to_vec());
        runtime.block_on(async {
            second.await.unwrap();
            assert_eq!(store.get(&Key::new("", "", "manager")).unwrap(), b"second");
            first.await.unwrap();
        });
        assert_eq!(store.get(&Key::new("", "", "manager")).unwrap(), b"second");
    }
}

#[test]
fn every_key_that_ldk_allows_can_be_written_read_listed_and_removed() {
    let longest = "Az09_-".repeat(20);
    for kind in StoreKind::ALL {
        let folder = tempfile::tempdir().unwrap();
        let store = kind.open(folder.path()).unwrap();
        for (primary, secondary) in [("", ""), ("a", ""), ("a", "b"), (longest.as_str(), longest.as_str())] {
            let key = Key::new(primary, secondary, &longest);
            assert!(store.names(primary, secondary).is_empty());
            assert_eq!(store.get(&key), None);
            store.take_away(&key, false);
            store.put(&key, &filled(1));
            store.put(&key, b"");
            assert_eq!((store.get(&key).unwrap(), store.names(primary, secondary)), (vec![], vec![longest.clone()]));
            store.take_away(&key, false);
            assert_eq!((store.get(&key), store.names(primary, secondary)), (None, vec![]));
        }
        // The stock store panics there in a debug build.
        if kind != StoreKind::Stock {
            assert!(KVStoreSync::write(&*store, "a", "", "", vec![]).is_err());
            assert!(KVStoreSync::write(&*store, "", "b", "c", vec![]).is_err());
        }
        assert_eq!(KVStoreSync::read(&*store, "a", "", "b").unwrap_err().kind(), ErrorKind::NotFound);
    }
}

/// A thread that writes as LDK does, in a loop: an update after the other, and every 10th time the whole monitor instead,
/// after which the older updates are removed lazily.
fn write_updates(store: &DynStore, acknowledged: &AtomicU32, is_over: &AtomicBool) {
    for n in 1.. {
        if n % 10 == 0 {
            store.put(&monitor(), &filled(n));
            for old in n - 10..n {
                store.take_away(&update(old), true);
            }
        } else {
            store.put(&update(n), &filled(n));
        }
        acknowledged.store(n, SeqCst);
        if is_over.load(SeqCst) {
            return;
        }
    }
}

/// Ends the thread that writes, also when the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// The newest state of the channel, read as LDK reads it at a start: the monitor, then each update after it. Read again
/// when the monitor has changed meanwhile, since the updates before it may be gone then.
fn newest(store: &DynStore) -> u32 {
    let monitor = || store.get(&monitor()).map_or(0, |value| number_in(&value));
    loop {
        let begin = monitor();
        let mut newest = begin;
        while let Some(value) = store.get(&update(newest + 1)) {
            assert_eq!(number_in(&value), newest + 1);
            newest += 1;
        }
        if begin == monitor() {
            return newest;
        }
    }
}

#[test]
fn no_update_of_a_monitor_is_ever_hidden_or_rolled_back_for_who_reads_nor_by_a_crash() {
    for kind in StoreKind::ALL {
        let folder = tempfile::tempdir().unwrap();
        let store = kind.open(folder.path()).unwrap();
        let (acknowledged, is_over) = (AtomicU32::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| write_updates(&*store, &acknowledged, &is_over));
            let _over = Over(&is_over);
            let mut reads = 0;
            while acknowledged.load(SeqCst) < 250 {
                let before = acknowledged.load(SeqCst);
                let found = newest(&*store);
                assert!(found >= before, "{kind}: {found} is shown, {before} were acknowledged");
                reads += 1;
                if kind != StoreKind::Memory && reads % 20 == 0 {
                    let before = acknowledged.load(SeqCst);
                    let left = tempfile::tempdir().unwrap();
                    copy_as_a_crash_leaves_it(folder.path(), left.path());
                    let found = newest(&*kind.open(left.path()).unwrap());
                    assert!(found >= before, "{kind}: a crash left {found}, {before} were acknowledged");
                }
            }
        });
    }
}

/// Each thread writes its own key, with a rising number; every second key need not be synced.
const THREADS: u32 = 8;

fn key_of(thread: u32) -> Key {
    Key::new(if thread.is_multiple_of(2) { "monitors" } else { "payments" }, "", &thread.to_string())
}

/// A moment is when a write was asked for, or acknowledged.
#[derive(Clone, Copy)]
struct Write {
    asked_at: u32,
    acknowledged_at: u32,
}

fn write_from_threads(store: &DynStore, writes: u32) -> Vec<Vec<Write>> {
    let clock = AtomicU32::new(0);
    let write_one = |thread, n| {
        let asked_at = clock.fetch_add(1, SeqCst);
        store.put(&key_of(thread), &filled(n));
        Write { asked_at, acknowledged_at: clock.fetch_add(1, SeqCst) }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(move || (0..writes).map(|n| write_one(thread, n)).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// So many writes of each thread are there, if they are in order: with a write all that were acknowledged before it was asked
/// for.
fn check_order(store: &DynStore, writes: &[Vec<Write>]) {
    let found: Vec<usize> = (0..THREADS)
        .map(|thread| store.get(&key_of(thread)).map_or(0, |value| number_in(&value) as usize + 1))
        .collect();
    for (later, there) in found.iter().enumerate() {
        let Some(last) = there.checked_sub(1) else { continue };
        for (earlier, there) in found.iter().enumerate() {
            let acknowledged =
                writes[earlier].iter().filter(|write| write.acknowledged_at < writes[later][last].asked_at).count();
            assert!(
                *there >= acknowledged,
                "thread {later} wrote {last} after {earlier} had {acknowledged}: {found:?}"
            );
        }
    }
}

#[test]
fn over_many_threads_no_write_is_on_disk_without_those_that_were_acknowledged_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = StoreKind::Own.open(folder.path()).unwrap();
    let writes = write_from_threads(&*store, 12);
    let left = tempfile::tempdir().unwrap();
    copy_as_a_crash_leaves_it(folder.path(), left.path());
    drop(store);
    let log_name = super::support::OWN_LOG;
    let log = std::fs::read(left.path().join(log_name)).unwrap();
    for cut in (0..log.len()).step_by(log.len() / 50) {
        let torn = tempfile::tempdir().unwrap();
        std::fs::copy(left.path().join(OWN_FILE), torn.path().join(OWN_FILE)).unwrap();
        std::fs::write(torn.path().join(log_name), &log[..cut]).unwrap();
        check_order(&*StoreKind::Own.open(torn.path()).unwrap(), &writes);
    }
    let whole = StoreKind::Own.open(left.path()).unwrap();
    assert!((0..THREADS).all(|thread| whole.get(&key_of(thread)) == Some(filled(11))));
}

#[test]
fn what_many_threads_write_is_there_after_a_crash_on_each_kind_that_lives_on_disk() {
    for kind in ON_DISK {
        let folder = tempfile::tempdir().unwrap();
        let store = kind.open(folder.path()).unwrap();
        write_from_threads(&*store, 5);
        let left = tempfile::tempdir().unwrap();
        copy_as_a_crash_leaves_it(folder.path(), left.path());
        let found = kind.open(left.path()).unwrap();
        assert!((0..THREADS).all(|thread| found.get(&key_of(thread)) == Some(filled(4))), "{kind}");
    }
}

/// A store of our own kind with its counters.
pub fn own_store() -> (TempDir, Arc<KvStore>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(KvStore::open(&folder.path().join(OWN_FILE)).unwrap());
    (folder, store)
}
