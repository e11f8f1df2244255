//! What the suites share: keys as LDK uses them, a store's whole state, and copies of its files as a crash leaves them.

use std::{collections::BTreeMap, env, fs, io::ErrorKind as FileErrorKind, path::Path};

use boltgram_lightning::kv::kind::StoreKind;
use ldk_node::lightning::{
    io::ErrorKind,
    util::persist::{KVStore, KVStoreSync},
};

/// The kinds that live on disk.
pub const ON_DISK: [StoreKind; 2] = [StoreKind::Own, StoreKind::Stock];

/// The file of the node's own store, and its log.
pub const OWN_FILE: &str = "node.sqlite";
pub const OWN_LOG: &str = "node.sqlite-wal";

/// A count from the environment, where the long runs are asked for.
pub fn count(name: &str, default: usize) -> usize {
    env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

/// Two namespaces and a name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Key {
    pub primary: String,
    pub secondary: String,
    pub name: String,
}

impl Key {
    pub fn new(primary: &str, secondary: &str, name: &str) -> Self {
        Self { primary: primary.into(), secondary: secondary.into(), name: name.into() }
    }
}

/// A few keys of each sort that LDK and ldk-node have: some are synced before they are acknowledged, some need not be.
pub fn keys() -> Vec<Key> {
    [
        ("monitors", "", "ab_0"),
        ("monitor_updates", "ab_0", "1"),
        ("monitor_updates", "ab_0", "2"),
        ("monitor_updates", "cd_1", "1"),
        ("", "", "manager"),
        ("", "", "scorer"),
        ("payments", "", "aa"),
        ("payments", "", "bb"),
        ("bdk_wallet", "", "tx_graph"),
    ]
    .map(|(primary, secondary, name)| Key::new(primary, secondary, name))
    .to_vec()
}

/// What LDK reads and writes through.
pub trait Store: KVStore + KVStoreSync {
    fn get(&self, key: &Key) -> Option<Vec<u8>> {
        found(KVStoreSync::read(self, &key.primary, &key.secondary, &key.name))
    }

    fn put(&self, key: &Key, value: &[u8]) {
        KVStoreSync::write(self, &key.primary, &key.secondary, &key.name, value.to_vec()).unwrap();
    }

    fn take_away(&self, key: &Key, lazy: bool) {
        KVStoreSync::remove(self, &key.primary, &key.secondary, &key.name, lazy).unwrap();
    }

    fn names(&self, primary: &str, secondary: &str) -> Vec<String> {
        KVStoreSync::list(self, primary, secondary).unwrap()
    }
}

impl<T: KVStore + KVStoreSync + ?Sized> Store for T {}

/// Only what isn't there may be missing: every other error is one.
pub fn found<T>(answer: Result<T, ldk_node::lightning::io::Error>) -> Option<T> {
    match answer {
        Ok(value) => Some(value),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("{error}"),
    }
}

pub type State = BTreeMap<Key, Vec<u8>>;

/// What a store holds in the namespaces of these keys, by its lists; each must say the same as a read.
pub fn state_of(store: &(impl Store + ?Sized), keys: &[Key]) -> State {
    let mut state = State::new();
    for key in keys {
        let names = store.names(&key.primary, &key.secondary);
        let value = store.get(key);
        assert_eq!(names.contains(&key.name), value.is_some(), "list and read differ on {key:?}");
        state.extend(value.map(|value| (key.clone(), value)));
    }
    state
}

/// Copies a store's files while it works, as a process that ends now would leave them.
///
/// The main file is read before and after the others: as long as it stays the same, what the others held in between
/// belongs to it.
pub fn copy_as_a_crash_leaves_it(from: &Path, to: &Path) {
    let read = |name: &str| match fs::read(from.join(name)) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == FileErrorKind::NotFound => None,
        Err(error) => panic!("{error}"),
    };
    for main in [OWN_FILE, "ldk_node_data.sqlite"] {
        let logs = [format!("{main}-wal"), format!("{main}-journal")];
        let mut before = read(main);
        loop {
            let found = logs.each_ref().map(|name| read(name));
            let after = read(main);
            if before == after {
                let files = logs.iter().zip(&found).map(|(name, bytes)| (name.as_str(), bytes));
                for (name, bytes) in files.chain([(main, &after)]) {
                    bytes.iter().for_each(|bytes| fs::write(to.join(name), bytes).unwrap());
                }
                break;
            }
            before = after;
        }
    }
}
