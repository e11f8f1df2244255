//! Lazy removals, which LDK makes by the hundred when it writes a monitor whole.
//!
//! What LDK's documentation of `KVStoreSync::remove` leaves open is decided so: until a lazy removal is carried out, the
//! key is shown by reads and lists alike, as it was. Nothing that was asked for earlier is carried out after it.

use std::{
    path::Path,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use boltgram_lightning::{kv::KvStore, limits::KV_LAZY_REMOVES_MAX};
use ldk_node::lightning::util::persist::KVStore;

use super::{
    order::own_store,
    support::{Key, OWN_FILE, Store as _, copy_as_a_crash_leaves_it},
};

const DEADLINE: Duration = Duration::from_secs(20);

fn payment(n: usize) -> Key {
    Key::new("payments", "", &n.to_string())
}

fn monitor() -> Key {
    Key::new("monitors", "", "ab_0")
}

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
        thread::yield_now();
    }
}

/// Holds the file's lock as a foreign program may, so that nothing is carried out while it lives.
struct Held(rusqlite::Connection);

impl Held {
    fn new(folder: &Path) -> Self {
        let connection = rusqlite::Connection::open(folder.join(OWN_FILE)).unwrap();
        connection.busy_timeout(DEADLINE).unwrap();
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self(connection)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.execute_batch("ROLLBACK").unwrap();
    }
}

#[test]
fn a_lazy_removal_is_acknowledged_while_the_disk_is_busy_and_shown_when_it_is_carried_out() {
    let (folder, store) = own_store();
    store.put(&payment(1), b"old");
    let held = Held::new(folder.path());
    let (acknowledged, is_acknowledged) = mpsc::channel();
    thread::scope(|scope| {
        let store = &store;
        scope.spawn(move || {
            store.take_away(&payment(1), true);
            acknowledged.send(()).unwrap();
            store.put(&monitor(), b"x");
            acknowledged.send(()).unwrap();
        });
        is_acknowledged.recv_timeout(DEADLINE).expect("the lazy removal waited for the disk");
        assert_eq!(store.get(&payment(1)).unwrap(), b"old");
        assert_eq!(store.names("payments", ""), ["1"]);
        assert!(is_acknowledged.try_recv().is_err(), "the write must wait for the disk, or this test shows nothing");
        drop(held);
        is_acknowledged.recv_timeout(DEADLINE).unwrap();
    });
    assert_eq!(store.get(&payment(1)), None);
    assert!(store.names("payments", "").is_empty());
}

#[test]
fn lazy_removals_make_no_transaction_of_their_own_and_join_the_next() {
    let (_folder, store) = own_store();
    for n in 0..50 {
        store.put(&payment(n), b"x");
    }
    let before = store.counters();
    for n in 0..50 {
        store.take_away(&payment(n), true);
    }
    assert_eq!(store.counters().commits, before.commits);
    assert_eq!(store.names("payments", "").len(), 50);
    store.put(&monitor(), b"x");
    assert_eq!((store.counters().commits, store.counters().syncs), (before.commits + 1, before.syncs + 1));
    assert!(store.names("payments", "").is_empty());
}

#[test]
fn lazy_removals_that_nothing_follows_are_carried_out_when_they_are_many_or_the_store_is_closed() {
    let (folder, store) = own_store();
    for n in 0..KV_LAZY_REMOVES_MAX + 100 {
        // Nobody waits for them; what follows does.
        drop(KVStore::write(&*store, "payments", "", &n.to_string(), b"x".to_vec()));
    }
    store.put(&monitor(), b"x");
    assert_eq!(store.names("payments", "").len(), KV_LAZY_REMOVES_MAX + 100);
    for n in 0..KV_LAZY_REMOVES_MAX + 100 {
        store.take_away(&payment(n), true);
    }
    wait_for("most are carried out", || store.names("payments", "").len() <= 100);
    assert!(!store.names("payments", "").is_empty(), "the last few wait");
    drop(store);
    let store = KvStore::open(&folder.path().join(OWN_FILE)).unwrap();
    assert!(store.names("payments", "").is_empty());
}

#[test]
fn a_later_write_cancels_a_lazy_removal_for_good() {
    let (folder, store) = own_store();
    store.put(&payment(1), b"old");
    store.put(&payment(2), b"old");
    // In the transaction that would carry the removal out, and in a later one than that.
    let held = Held::new(folder.path());
    let before = store.counters().operations();
    store.take_away(&payment(1), true);
    thread::scope(|scope| {
        scope.spawn(|| store.put(&payment(1), b"new"));
        wait_for("the write is asked for", || store.counters().operations() == before + 2);
        store.take_away(&payment(2), true);
        drop(held);
    });
    store.put(&payment(2), b"new");
    let check = |store: &KvStore| {
        for n in [1, 2] {
            assert_eq!(store.get(&payment(n)).as_deref(), Some(&b"new"[..]), "{n}");
        }
        assert_eq!(store.names("payments", ""), ["1", "2"]);
    };
    check(&store);
    store.put(&monitor(), b"x");
    check(&store);
    let left = tempfile::tempdir().unwrap();
    copy_as_a_crash_leaves_it(folder.path(), left.path());
    check(&KvStore::open(&left.path().join(OWN_FILE)).unwrap());
    drop(store);
    check(&KvStore::open(&folder.path().join(OWN_FILE)).unwrap());
}

#[test]
fn a_crash_may_forget_a_lazy_removal_and_what_was_acknowledged_before_it_stays() {
    let (folder, store) = own_store();
    store.put(&payment(1), b"x");
    store.put(&monitor(), b"x");
    store.take_away(&payment(1), true);
    let left = tempfile::tempdir().unwrap();
    copy_as_a_crash_leaves_it(folder.path(), left.path());
    let found = KvStore::open(&left.path().join(OWN_FILE)).unwrap();
    assert_eq!((found.get(&payment(1)), found.get(&monitor())), (Some(b"x".to_vec()), Some(b"x".to_vec())));
    // It can be removed again.
    found.take_away(&payment(1), false);
    assert_eq!(found.get(&payment(1)), None);
}
