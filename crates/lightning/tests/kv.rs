//! What the node's store promises to LDK, on real files: against a model, over torn logs, and over kills.
//!
//! KV_TORN_COPIES and KV_KILLS set how often the long ones are done.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
};

use boltgram_lightning::kv::{KvStore, kind::StoreKind};
use ldk_node::lightning::{
    io::ErrorKind,
    util::persist::{KVStore, KVStoreSync},
};
use proptest::prelude::*;

/// A count from the environment.
fn count(name: &str, default: usize) -> usize {
    env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

fn read(store: &(impl KVStoreSync + ?Sized), namespace: &str, name: &str) -> Option<Vec<u8>> {
    match KVStoreSync::read(store, namespace, "", name) {
        Ok(value) => Some(value),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("{error}"),
    }
}

fn write(store: &(impl KVStoreSync + ?Sized), namespace: &str, name: &str, value: &[u8]) {
    KVStoreSync::write(store, namespace, "", name, value.to_vec()).unwrap();
}

#[derive(Clone, Debug)]
enum Step {
    Write(usize, Vec<u8>),
    WriteAsync(usize, Vec<u8>),
    Remove(usize),
    RemoveLazily(usize),
    Reopen,
}

/// A key that must be synced, and one that need not.
const KEYS: [(&str, &str); 4] = [("monitors", "a"), ("monitors", "b"), ("payments", "a"), ("payments", "b")];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..KEYS.len();
    let value = prop::collection::vec(any::<u8>(), 0..40);
    let step = prop_oneof![
        4 => (key.clone(), value.clone()).prop_map(|(key, value)| Step::Write(key, value)),
        4 => (key.clone(), value).prop_map(|(key, value)| Step::WriteAsync(key, value)),
        2 => key.clone().prop_map(Step::Remove),
        3 => key.prop_map(Step::RemoveLazily),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 0..40)
}

/// Does the steps on a store and on a map, and compares what both show after each.
fn compare_with_a_map(kind: StoreKind, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut store = kind.open(folder.path()).unwrap();
    let mut model: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
    // What was removed lazily may still be seen, until it is written again or the store is reopened.
    let mut lazily: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Write(key, value) => {
                write(&*store, KEYS[key].0, KEYS[key].1, &value);
                model.insert(key, value);
                lazily.remove(&key);
            }
            Step::WriteAsync(key, value) => {
                let written = async { KVStore::write(&*store, KEYS[key].0, "", KEYS[key].1, value.clone()).await };
                runtime.block_on(written).unwrap();
                model.insert(key, value);
                lazily.remove(&key);
            }
            Step::Remove(key) => {
                KVStoreSync::remove(&*store, KEYS[key].0, "", KEYS[key].1, false).unwrap();
                model.remove(&key);
                lazily.remove(&key);
            }
            Step::RemoveLazily(key) => {
                KVStoreSync::remove(&*store, KEYS[key].0, "", KEYS[key].1, true).unwrap();
                if let Some(value) = model.remove(&key) {
                    lazily.insert(key, value);
                }
            }
            Step::Reopen if kind == StoreKind::Memory => {}
            Step::Reopen => {
                drop(store);
                store = kind.open(folder.path()).unwrap();
                lazily.clear();
            }
        }
        for (key, (namespace, name)) in KEYS.iter().enumerate() {
            let seen = read(&*store, namespace, name);
            let is_listed = KVStoreSync::list(&*store, namespace, "").unwrap().contains(&(*name).to_owned());
            let is_right = seen.as_ref() == model.get(&key) || (seen.is_some() && seen.as_ref() == lazily.get(&key));
            prop_assert!(is_right, "{}/{}: {:?}, not {:?}", namespace, name, seen, model.get(&key));
            prop_assert!(is_listed || !model.contains_key(&key));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn our_store_behaves_as_a_map_that_may_forget_lazy_removals_late(steps in steps()) {
        compare_with_a_map(StoreKind::Own, steps)?;
    }

    #[test]
    fn the_stock_store_behaves_alike(steps in steps()) {
        compare_with_a_map(StoreKind::Stock, steps)?;
    }

    #[test]
    fn the_store_in_memory_behaves_alike(steps in steps()) {
        compare_with_a_map(StoreKind::Memory, steps)?;
    }
}

#[test]
fn the_order_is_that_of_the_calls_also_when_the_futures_are_polled_the_other_way_round() {
    let folder = tempfile::tempdir().unwrap();
    let store = KvStore::open(&folder.path().join("kv.sqlite")).unwrap();
    let first = KVStore::write(&store, "", "", "manager", b"first".to_vec());
    let second = KVStore::write(&store, "", "", "manager", b"second".to_vec());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        second.await.unwrap();
        assert_eq!(read(&store, "", "manager").unwrap(), b"second");
        first.await.unwrap();
    });
    assert_eq!(read(&store, "", "manager").unwrap(), b"second");
}

#[test]
fn many_threads_write_at_once_and_share_syncs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kv.sqlite");
    let store = Arc::new(KvStore::open(&path).unwrap());
    let writers: Vec<_> = (0..16)
        .map(|thread| {
            let store = Arc::clone(&store);
            thread::spawn(move || {
                for n in 0..20u8 {
                    write(&*store, "monitors", &format!("{thread}"), &[n]);
                    assert_eq!(read(&*store, "monitors", &format!("{thread}")).unwrap(), [n]);
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    let counters = store.counters();
    assert_eq!(counters.operations(), 320);
    assert!(counters.syncs < 320 && counters.commits <= 320, "{counters:?}");
    drop(store);
    let store = KvStore::open(&path).unwrap();
    assert_eq!(KVStoreSync::list(&store, "monitors", "").unwrap().len(), 16);
}

#[test]
fn what_need_not_be_synced_is_not_and_lazy_removals_cost_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = KvStore::open(&folder.path().join("kv.sqlite")).unwrap();
    for n in 0..50 {
        write(&store, "payments", &n.to_string(), b"x");
    }
    assert_eq!((store.counters().commits, store.counters().syncs), (50, 0));
    for n in 0..50 {
        KVStoreSync::remove(&store, "payments", "", &n.to_string(), true).unwrap();
    }
    assert_eq!(store.counters().commits, 50);
    write(&store, "monitors", "a", b"x");
    assert_eq!((store.counters().commits, store.counters().syncs), (51, 1));
    assert!(KVStoreSync::list(&store, "payments", "").unwrap().is_empty());
}

#[test]
fn what_is_no_key_is_refused_and_what_is_not_there_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = KvStore::open(&folder.path().join("kv.sqlite")).unwrap();
    assert_eq!(KVStoreSync::write(&store, "a", "", "", vec![]).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(KVStoreSync::read(&store, "a", "", "b").unwrap_err().kind(), ErrorKind::NotFound);
    KVStoreSync::remove(&store, "a", "", "b", false).unwrap();
    assert!(KVStoreSync::list(&store, "a", "").unwrap().is_empty());
}

/// The n-th operation of the sequential workload: small and large values, synced and not, on a few keys.
fn operation(n: u32) -> (&'static str, String, Vec<u8>) {
    let namespace = if n.is_multiple_of(3) { "payments" } else { "monitor_updates" };
    let value = n.to_be_bytes().into_iter().chain(std::iter::repeat_n(b'v', (n as usize * 37) % 9_000)).collect();
    (namespace, (n % 7).to_string(), value)
}

/// What the first `n` operations leave.
fn state_after(n: u32) -> BTreeMap<(String, String), Vec<u8>> {
    (0..n).map(operation).map(|(namespace, name, value)| ((namespace.to_owned(), name), value)).collect()
}

fn state_of(path: &Path) -> BTreeMap<(String, String), Vec<u8>> {
    let store = KvStore::open(path).unwrap();
    let names = |namespace: &'static str| {
        KVStoreSync::list(&store, namespace, "").unwrap().into_iter().map(move |name| (namespace, name))
    };
    names("payments")
        .chain(names("monitor_updates"))
        .map(|(namespace, name)| {
            let value = read(&store, namespace, &name).unwrap();
            ((namespace.to_owned(), name), value)
        })
        .collect()
}

/// How many operations this state is the state after, if it is one.
fn operations_in(state: &BTreeMap<(String, String), Vec<u8>>, at_most: u32) -> Option<u32> {
    let last = state.values().map(|value| u32::from_be_bytes(value[..4].try_into().unwrap())).max();
    let n = last.map_or(0, |last| last + 1);
    (n <= at_most && *state == state_after(n)).then_some(n)
}

#[test]
fn a_log_that_is_cut_anywhere_gives_back_a_prefix_that_holds_all_that_was_acknowledged_before_the_cut() {
    let copies = count("KV_TORN_COPIES", 60);
    let operations: u32 = 60;
    let folder = tempfile::tempdir().unwrap();
    let (path, log) = (folder.path().join("kv.sqlite"), folder.path().join("kv.sqlite-wal"));
    let store = KvStore::open(&path).unwrap();
    let mut log_bytes_after = Vec::new();
    for n in 0..operations {
        let (namespace, name, value) = operation(n);
        write(&store, namespace, &name, &value);
        log_bytes_after.push(fs::metadata(&log).unwrap().len());
    }
    let (database, whole_log) = (fs::read(&path).unwrap(), fs::read(&log).unwrap());
    drop(store);

    // Each boundary of a frame (a header of 32 bytes, frames of 24 bytes and a page), and bytes in between.
    let frames = (whole_log.len() - 32) / (24 + 4_096);
    let boundaries = (0..=frames).map(|frame| 32 + frame * (24 + 4_096));
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let between = std::iter::repeat_with(|| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % whole_log.len() as u64).unwrap()
    });
    let every = (frames / (copies / 2).max(1)).max(1);
    let cuts: BTreeSet<usize> = boundaries.step_by(every).chain(between.take(copies / 2)).collect();
    let mut prefixes = BTreeSet::new();
    for cut in cuts {
        let torn = tempfile::tempdir().unwrap();
        let path = torn.path().join("kv.sqlite");
        fs::write(&path, &database).unwrap();
        fs::write(torn.path().join("kv.sqlite-wal"), &whole_log[..cut]).unwrap();
        let found = operations_in(&state_of(&path), operations).unwrap_or_else(|| panic!("no prefix at {cut}"));
        let acknowledged = log_bytes_after.iter().filter(|bytes| **bytes <= cut as u64).count();
        assert!(found as usize >= acknowledged, "cut at {cut}: {found} operations, {acknowledged} acknowledged");
        prefixes.insert(found);
    }
    assert!(prefixes.len() > 10, "the cuts give different prefixes: {prefixes:?}");
}

/// The variable that makes this test binary the process that is killed.
const WRITER: &str = "KV_TEST_WRITER";

#[test]
fn a_killed_process_leaves_all_that_was_acknowledged_in_order() {
    if let Some(path) = env::var_os(WRITER) {
        return write_until_killed(Path::new(&path));
    }
    for kill in 0..count("KV_KILLS", 10) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kv.sqlite");
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "a_killed_process_leaves_all_that_was_acknowledged_in_order"])
            .env(WRITER, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = 0;
        for line in lines {
            let Some(n) = line.unwrap().strip_prefix("acknowledged ").map(|n| n.parse::<u32>().unwrap()) else {
                continue;
            };
            acknowledged = n + 1;
            if acknowledged as usize > 20 + 7 * kill {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(acknowledged > 20);
        let found = operations_in(&state_of(&path), u32::MAX).expect("a prefix of the operations");
        assert!(found >= acknowledged, "{found} operations are there, {acknowledged} were acknowledged");
    }
}

fn write_until_killed(path: &Path) {
    let store = KvStore::open(path).unwrap();
    let mut out = std::io::stdout();
    for n in 0.. {
        let (namespace, name, value) = operation(n);
        write(&store, namespace, &name, &value);
        // Whoever reads may have stopped listening: the kill is on its way.
        if writeln!(out, "acknowledged {n}").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}
