//! What the store says it did. That the syncs are those which the kernel sees is measured by `cargo bench -p boltgram
//! --bench store -- --syncs`.

use std::thread;

use boltgram_lightning::{
    Network, Node, NodeConfig,
    kv::{
        KvStore,
        counters::{Kind, KindValues},
        kind::StoreKind,
    },
};
use ldk_node::lightning::util::persist::KVStoreSync;

use super::{
    order::own_store,
    support::{Key, Store as _},
};

fn of(store: &KvStore, kind: Kind) -> KindValues {
    store.counters().by_kind.into_iter().find(|values| values.kind == kind).unwrap()
}

/// A key of each kind, with the number of bytes that is written to it here.
fn one_of_each() -> Vec<(Kind, Key, usize)> {
    [
        (Kind::Monitor, ("monitors", "", "ab_0"), 1),
        (Kind::MonitorUpdate, ("monitor_updates", "ab_0", "1"), 20),
        (Kind::Manager, ("", "", "manager"), 300),
        (Kind::Payment, ("payments", "", "aa"), 4_000),
        (Kind::Events, ("", "", "events"), 2),
        (Kind::Gossip, ("", "", "scorer"), 50_000),
        (Kind::Other, ("bdk_wallet", "", "tx_graph"), 600_000),
    ]
    .map(|(kind, (primary, secondary, name), bytes)| (kind, Key::new(primary, secondary, name), bytes))
    .to_vec()
}

#[test]
fn operations_and_bytes_are_counted_by_kind_of_key() {
    let (_folder, store) = own_store();
    for (times, (kind, key, bytes)) in (1..).zip(one_of_each()) {
        for _ in 0..times {
            store.put(&key, &vec![0; bytes]);
        }
        store.take_away(&key, false);
        let values = of(&store, kind);
        assert_eq!((values.operations, values.bytes), (times + 1, times * bytes as u64), "{kind:?}");
        assert_eq!((values.waiting, values.waiting_max), (0, 1), "{kind:?}");
    }
    assert_eq!(store.counters().operations(), (1..=7).sum::<u64>() + 7);
    assert_eq!(store.counters().bytes(), 1 + 2 * 20 + 3 * 300 + 4 * 4_000 + 5 * 2 + 6 * 50_000 + 7 * 600_000);
}

#[test]
fn only_what_must_be_on_disk_is_synced() {
    let (_folder, store) = own_store();
    for (kind, key, bytes) in one_of_each() {
        let before = store.counters();
        store.put(&key, &vec![0; bytes]);
        let after = store.counters();
        let syncs = u64::from(!matches!(kind, Kind::Payment | Kind::Events | Kind::Gossip));
        assert_eq!((after.commits - before.commits, after.syncs - before.syncs), (1, syncs), "{kind:?}");
    }
}

#[test]
fn reads_and_lists_are_counted_and_lazy_removals_wait() {
    let (_folder, store) = own_store();
    let key = Key::new("monitor_updates", "ab_0", "1");
    assert_eq!(store.get(&key), None);
    KVStoreSync::list(&*store, "monitor_updates", "ab_0").unwrap();
    assert_eq!(store.counters().reads, 2);
    for n in 1..=30 {
        store.take_away(&Key::new("monitor_updates", "ab_0", &n.to_string()), true);
        assert_eq!(of(&store, Kind::MonitorUpdate).waiting, n);
    }
    store.put(&Key::new("monitors", "", "ab_0"), b"x");
    let updates = of(&store, Kind::MonitorUpdate);
    assert_eq!((updates.operations, updates.waiting, updates.waiting_max), (30, 0, 30));
    assert_eq!(of(&store, Kind::Monitor).waiting_max, 1);
    assert!(store.counters().queue_operations_max >= 30);
}

#[test]
fn what_many_threads_write_is_counted_exactly_and_shares_syncs() {
    let (_folder, store) = own_store();
    thread::scope(|scope| {
        for thread in 0..16 {
            let store = &store;
            scope.spawn(move || {
                for n in 0..20_u8 {
                    let key = Key::new("monitors", "", &thread.to_string());
                    store.put(&key, &[n]);
                    assert_eq!(store.get(&key).unwrap(), [n]);
                }
            });
        }
    });
    let (counters, monitors) = (store.counters(), of(&store, Kind::Monitor));
    assert_eq!((counters.reads, monitors.operations, monitors.bytes, monitors.waiting), (320, 320, 320, 0));
    assert!(counters.commits < 320 && counters.syncs < 320, "{counters:?}");
    assert_eq!(store.names("monitors", "").len(), 16);
}

#[test]
fn an_old_snapshot_of_the_event_queue_is_counted_acknowledged_and_not_stored() {
    let (_folder, store) = own_store();
    let events = Key::new("", "", "events");
    // Of a snapshot only the length in front matters: 2 events were queued and popped, then one comes of the time when
    // all 3 were still there, then a new one.
    let (first, second) = (vec![0, 0, 7], vec![0, 0, 8]);
    store.put(&events, &first);
    assert_eq!(store.get(&events), Some(first));
    store.put(&events, &second);
    store.put(&events, &[0, 3, 9]);
    assert_eq!((store.get(&events), store.counters().snapshots_dropped), (Some(second), 1));
    store.put(&events, &[0, 1, 10]);
    assert_eq!((store.get(&events), store.counters().snapshots_dropped), (Some(vec![0, 1, 10]), 1));
    assert_eq!(of(&store, Kind::Events).operations, 4);
}

#[test]
fn the_counts_outlive_the_store() {
    let (_folder, store) = own_store();
    let counters = store.store_counters();
    store.put(&Key::new("", "", "manager"), b"x");
    let last = store.counters();
    drop(store);
    assert_eq!(counters.values(), last);
}

#[test]
fn a_node_shows_the_counts_of_its_own_store_and_none_of_another() {
    for kind in StoreKind::ALL {
        let folder = tempfile::tempdir().unwrap();
        let config = NodeConfig::new(folder.path(), Network::Regtest, "http://127.0.0.1:1");
        let node = Node::build(NodeConfig { store: kind, ..config }).unwrap();
        let counters = node.store_counters();
        assert_eq!(counters.is_some(), kind == StoreKind::Own);
        if let Some(before) = counters {
            // The wallet keeps which addresses it has given out.
            node.new_address().unwrap();
            let after = node.store_counters().unwrap();
            assert!(after.operations() > before.operations() && after.syncs > before.syncs, "{before:?}, {after:?}");
        }
    }
}
