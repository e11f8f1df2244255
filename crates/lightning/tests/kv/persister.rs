//! LDK's own expectations of a store: real channels of two nodes, one on each kind that lives on disk, read back with LDK's
//! `MonitorUpdatingPersister`: while they work, after a crash at any time, after they were archived.

#[path = "../../../../tests/support/ports.rs"]
mod ports;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use boltgram_devnet::{Devnet, DevnetConfig};
use boltgram_lightning::{Network, kv::kind::StoreKind};
use ldk_node::{
    Builder, DynStore, Event, Node,
    bitcoin::Transaction,
    config::{Config, EsploraSyncConfig},
    lightning::{
        chain::chaininterface::{BroadcasterInterface, ConfirmationTarget, FeeEstimator},
        io::Error,
        sign::KeysManager,
        util::{
            logger::{Logger, Record},
            persist::{KVStore, KVStoreSync, MonitorUpdatingPersister},
        },
    },
    logger::{LogRecord, LogWriter},
};
use ports::free_address;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::support::{Key, Store as _, copy_as_a_crash_leaves_it};

const DEADLINE: Duration = Duration::from_secs(120);

/// ldk-node 0.7.1 has a monitor written whole after so many updates (its `builder.rs`).
const UPDATES_PENDING_MAX: u64 = 100;

/// LDK 0.2.7 archives a monitor so many blocks after its last balance is settled (`ARCHIVAL_DELAY_BLOCKS`).
const ARCHIVAL_DELAY_BLOCKS: u32 = 4_032;

type Answer<T> = std::pin::Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// A store that notes which state of each monitor was acknowledged.
struct Noted {
    store: Arc<DynStore>,
    /// By monitor: the newest update that is acknowledged, with those that came as a whole monitor.
    acknowledged: Mutex<BTreeMap<String, Acknowledged>>,
}

#[derive(Clone, Default, Debug)]
struct Acknowledged {
    newest: u64,
    whole: Vec<u64>,
    removed_lazily: usize,
}

/// The number of the newest update in a monitor that `MonitorUpdatingPersister` has written: behind its own mark of two
/// bytes and a version of two (`write_chanmon_internal` in LDK 0.2.7).
fn update_in(monitor: &[u8]) -> u64 {
    assert_eq!(monitor[..2], [0xff; 2]);
    u64::from_be_bytes(monitor[4..12].try_into().unwrap())
}

impl KVStoreSync for Noted {
    fn read(&self, primary: &str, secondary: &str, key: &str) -> Result<Vec<u8>, Error> {
        KVStoreSync::read(&*self.store, primary, secondary, key)
    }

    fn write(&self, primary: &str, secondary: &str, key: &str, value: Vec<u8>) -> Result<(), Error> {
        let (monitor, update, is_whole) = match primary {
            "monitors" => (key, update_in(&value), true),
            "monitor_updates" => (secondary, key.parse().unwrap(), false),
            _ => return KVStoreSync::write(&*self.store, primary, secondary, key, value),
        };
        KVStoreSync::write(&*self.store, primary, secondary, key, value)?;
        let mut acknowledged = self.acknowledged.lock().unwrap();
        let of_monitor = acknowledged.entry(monitor.to_owned()).or_default();
        of_monitor.newest = of_monitor.newest.max(update);
        of_monitor.whole.extend(is_whole.then_some(update));
        Ok(())
    }

    fn remove(&self, primary: &str, secondary: &str, key: &str, lazy: bool) -> Result<(), Error> {
        if primary == "monitor_updates" {
            assert!(lazy, "LDK removes updates lazily");
            self.acknowledged.lock().unwrap().entry(secondary.to_owned()).or_default().removed_lazily += 1;
        }
        KVStoreSync::remove(&*self.store, primary, secondary, key, lazy)
    }

    fn list(&self, primary: &str, secondary: &str) -> Result<Vec<String>, Error> {
        KVStoreSync::list(&*self.store, primary, secondary)
    }
}

impl KVStore for Noted {
    fn read(&self, primary: &str, secondary: &str, key: &str) -> Answer<Vec<u8>> {
        KVStore::read(&*self.store, primary, secondary, key)
    }

    fn write(&self, primary: &str, secondary: &str, key: &str, value: Vec<u8>) -> Answer<()> {
        assert!(!primary.starts_with("monitor"), "LDK writes monitors synchronously");
        KVStore::write(&*self.store, primary, secondary, key, value)
    }

    fn remove(&self, primary: &str, secondary: &str, key: &str, lazy: bool) -> Answer<()> {
        KVStore::remove(&*self.store, primary, secondary, key, lazy)
    }

    fn list(&self, primary: &str, secondary: &str) -> Answer<Vec<String>> {
        KVStore::list(&*self.store, primary, secondary)
    }
}

/// What LDK needs to read monitors, and doesn't use there.
struct Nobody;

impl Logger for Nobody {
    fn log(&self, _: Record<'_>) {}
}

impl LogWriter for Nobody {
    fn log(&self, _: LogRecord<'_>) {}
}

impl BroadcasterInterface for Nobody {
    fn broadcast_transactions(&self, _: &[&Transaction]) {}
}

impl FeeEstimator for Nobody {
    fn get_est_sat_per_1000_weight(&self, _: ConfirmationTarget) -> u32 {
        253
    }
}

/// Every monitor as LDK reads it at a start, by its name: the number of its newest update.
fn monitors_in(kind: StoreKind, folder: &Path) -> BTreeMap<String, u64> {
    let store = kind.open(folder).unwrap();
    let keys = Arc::new(KeysManager::new(&[1; 32], 0, 0, true));
    let nobody = Arc::new(Nobody);
    let persister = MonitorUpdatingPersister::new(
        store,
        nobody.clone(),
        UPDATES_PENDING_MAX,
        keys.clone(),
        keys,
        nobody.clone(),
        nobody,
    );
    let monitors = persister.read_all_channel_monitors_with_updates().unwrap();
    monitors
        .iter()
        .map(|(_, monitor)| (monitor.persistence_key().to_string(), monitor.get_latest_update_id()))
        .collect()
}

struct Side {
    kind: StoreKind,
    folder: PathBuf,
    store: Arc<Noted>,
    node: Arc<Node>,
    address: String,
    delivered: Arc<AtomicUsize>,
}

impl Side {
    fn start(kind: StoreKind, folder: PathBuf, esplora: &str, runtime: &Runtime) -> Self {
        std::fs::create_dir_all(&folder).unwrap();
        let store = Arc::new(Noted { store: kind.open(&folder).unwrap(), acknowledged: Mutex::default() });
        let address = free_address();
        let mut builder = Builder::from_config(Config {
            network: Network::Regtest,
            storage_dir_path: folder.to_string_lossy().into_owned(),
            ..Config::default()
        });
        builder.set_runtime(runtime.handle().clone());
        builder.set_custom_logger(Arc::new(Nobody));
        builder.set_entropy_seed_bytes([kind as u8; 64]);
        builder.set_chain_source_esplora(esplora.into(), Some(EsploraSyncConfig { background_sync_config: None }));
        builder.set_listening_addresses(vec![address.parse().unwrap()]).unwrap();
        let node = Arc::new(builder.build_with_store(store.clone()).unwrap());
        node.start().unwrap();
        let side = Self { kind, folder, store, node, address, delivered: Arc::default() };
        side.handle_events();
        side
    }

    /// Handles events until the node is stopped, on a thread of its own.
    fn handle_events(&self) {
        let (node, delivered) = (self.node.clone(), self.delivered.clone());
        thread::spawn(move || {
            while node.status().is_running {
                match node.next_event() {
                    Some(event) => {
                        delivered.fetch_add(usize::from(matches!(event, Event::PaymentSuccessful { .. })), SeqCst);
                        node.event_handled().unwrap();
                    }
                    None => thread::sleep(Duration::from_millis(5)),
                }
            }
        });
    }

    /// A copy of the files as a crash leaves them now holds every monitor with all that was acknowledged before.
    fn check_crash(&self) {
        let acknowledged = self.acknowledged();
        let left = tempfile::tempdir().unwrap();
        copy_as_a_crash_leaves_it(&self.folder, left.path());
        let found = monitors_in(self.kind, left.path());
        for (monitor, Acknowledged { newest, .. }) in acknowledged {
            let there = found.get(&monitor).copied().unwrap_or(0);
            assert!(there >= newest, "{}: update {newest} was acknowledged, {there} is there", self.kind);
        }
    }

    /// The monitor was written whole, the updates before it are gone, and what is left gives back the newest state.
    fn check_consolidation(&self) {
        // Lazy removals join whatever is written next.
        self.store.store.put(&Key::new("test", "", "next"), b"");
        let (monitor, Acknowledged { newest, whole, removed_lazily }) = self.acknowledged().pop_first().unwrap();
        assert!(newest > UPDATES_PENDING_MAX, "{}: a consolidation within {newest} updates", self.kind);
        let consolidated = whole.iter().copied().max().unwrap();
        assert!(consolidated >= UPDATES_PENDING_MAX && removed_lazily >= 100, "{whole:?}, {removed_lazily} removed");
        let updates = updates_of(&*self.store.store, &monitor);
        assert!(updates.iter().all(|update| *update > consolidated), "{}: {updates:?} after {consolidated}", self.kind);
        let found = monitors_in_copy(self)[&monitor];
        // LDK may write another one meanwhile.
        let newest_now = self.acknowledged()[&monitor].newest;
        assert!((newest..=newest_now).contains(&found), "{}: {found}, not {newest} to {newest_now}", self.kind);
    }

    fn acknowledged(&self) -> BTreeMap<String, Acknowledged> {
        self.store.acknowledged.lock().unwrap().clone()
    }
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Two nodes with a channel, and the chain they are on.
struct World {
    runtime: Runtime,
    devnet: Devnet,
    own: Side,
    stock: Side,
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let devnet = runtime.block_on(Devnet::start(DevnetConfig::default())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let start = |kind: StoreKind| Side::start(kind, folder.path().join(kind.to_string()), &devnet.url(), &runtime);
        let (own, stock) = (start(StoreKind::Own), start(StoreKind::Stock));
        let world = Self { runtime, own, stock, devnet, _folder: folder };
        for side in [&world.own, &world.stock] {
            let address = side.node.onchain_payment().new_address().unwrap();
            world.runtime.block_on(world.devnet.fund(&address, 1_000_000)).unwrap();
        }
        world.mine(1);
        let Side { node, address, .. } = &world.stock;
        world
            .own
            .node
            .open_channel(node.node_id(), address.parse().unwrap(), 500_000, Some(200_000_000), None)
            .unwrap();
        world.runtime.block_on(world.devnet.wait_for_mempool(1, DEADLINE)).unwrap();
        world.mine(6);
        let is_usable = |side: &Side| side.node.list_channels().iter().any(|channel| channel.is_usable);
        wait_for("the channel is usable", || is_usable(&world.own) && is_usable(&world.stock));
        world
    }

    fn mine(&self, blocks: u32) {
        self.runtime.block_on(self.devnet.mine(blocks)).unwrap();
        for side in [&self.own, &self.stock] {
            side.node.sync_wallets().unwrap();
        }
    }

    /// Payments of 1 sat, a few at a time, each way; with a crash looked at after each round.
    fn pay(&self, rounds: usize) {
        for round in 1..=rounds {
            for (from, to) in [(&self.own, &self.stock), (&self.stock, &self.own)] {
                for _ in 0..4 {
                    from.node.spontaneous_payment().send(1_000, to.node.node_id(), None).unwrap();
                }
            }
            // Some are still under way.
            for side in [&self.own, &self.stock] {
                side.check_crash();
            }
            wait_for("the payments are delivered", || {
                [&self.own, &self.stock].iter().all(|side| side.delivered.load(SeqCst) == 4 * round)
            });
        }
    }

    fn close_and_archive(&self) {
        let channel = self.own.node.list_channels().remove(0);
        self.own.node.close_channel(&channel.user_channel_id, self.stock.node.node_id()).unwrap();
        self.runtime.block_on(self.devnet.wait_for_mempool(1, DEADLINE)).unwrap();
        // From its confirmation on LDK waits for reorganisations, then for the delay; it looks every few blocks.
        for blocks in [6, 6, 6] {
            self.mine(blocks);
        }
        let part = ARCHIVAL_DELAY_BLOCKS / 8;
        (0..7).for_each(|_| self.mine(part));
        for side in [&self.own, &self.stock] {
            assert_eq!(monitors_in_copy(side).len(), 1, "it isn't archived before its time");
        }
        self.mine(part);
        self.mine(6);
    }
}

fn monitors_in_copy(side: &Side) -> BTreeMap<String, u64> {
    let left = tempfile::tempdir().unwrap();
    copy_as_a_crash_leaves_it(&side.folder, left.path());
    monitors_in(side.kind, left.path())
}

/// The names of the updates that are stored for a monitor.
fn updates_of(store: &DynStore, monitor: &str) -> Vec<u64> {
    store.names("monitor_updates", monitor).iter().map(|name| name.parse().unwrap()).collect()
}

#[test]
fn real_channels_are_read_back_by_ldks_persister_after_crashes_consolidations_and_archiving() {
    let world = World::new();
    world.pay(16);
    for side in [&world.own, &world.stock] {
        side.check_consolidation();
    }
    world.close_and_archive();
    for side in [&world.own, &world.stock] {
        assert_eq!(monitors_in_copy(side), BTreeMap::new(), "{}", side.kind);
        side.node.stop().unwrap();
        let (monitor, newest) = side.acknowledged().pop_first().map(|(name, of)| (name, of.newest)).unwrap();
        let archived = side.store.store.get(&Key::new("archived_monitors", "", &monitor)).unwrap();
        // Archived monitors have no mark in front.
        assert_eq!(u64::from_be_bytes(archived[2..10].try_into().unwrap()), newest);
        assert_eq!(side.store.store.names("monitors", ""), Vec::<String>::new());
    }
}
