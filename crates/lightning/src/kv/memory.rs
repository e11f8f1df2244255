//! A store in memory, for comparison: the ceiling of what a store on disk can reach. Nothing survives the process.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ldk_node::lightning::{
    io,
    util::persist::{KVStore, KVStoreSync},
};

use super::{AsyncResult, key::Key};

/// The store.
#[derive(Default)]
pub struct MemoryStore {
    values: Mutex<BTreeMap<Key, Vec<u8>>>,
}

impl MemoryStore {
    fn values(&self) -> MutexGuard<'_, BTreeMap<Key, Vec<u8>>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KVStoreSync for MemoryStore {
    fn read(&self, primary: &str, secondary: &str, key: &str) -> Result<Vec<u8>, io::Error> {
        let key = Key::new(primary, secondary, key)?;
        self.values().get(&key).cloned().ok_or_else(|| super::not_found(&key))
    }

    fn write(&self, primary: &str, secondary: &str, key: &str, buf: Vec<u8>) -> Result<(), io::Error> {
        self.values().insert(Key::new(primary, secondary, key)?, buf);
        Ok(())
    }

    fn remove(&self, primary: &str, secondary: &str, key: &str, _lazy: bool) -> Result<(), io::Error> {
        self.values().remove(&Key::new(primary, secondary, key)?);
        Ok(())
    }

    fn list(&self, primary: &str, secondary: &str) -> Result<Vec<String>, io::Error> {
        let values = self.values();
        let listed = values.keys().filter(|key| key.primary == primary && key.secondary == secondary);
        Ok(listed.map(|key| key.name.clone()).collect())
    }
}

impl KVStore for MemoryStore {
    fn read(&self, primary: &str, secondary: &str, key: &str) -> AsyncResult<Vec<u8>> {
        Box::pin(std::future::ready(KVStoreSync::read(self, primary, secondary, key)))
    }

    fn write(&self, primary: &str, secondary: &str, key: &str, buf: Vec<u8>) -> AsyncResult<()> {
        Box::pin(std::future::ready(KVStoreSync::write(self, primary, secondary, key, buf)))
    }

    fn remove(&self, primary: &str, secondary: &str, key: &str, lazy: bool) -> AsyncResult<()> {
        Box::pin(std::future::ready(KVStoreSync::remove(self, primary, secondary, key, lazy)))
    }

    fn list(&self, primary: &str, secondary: &str) -> AsyncResult<Vec<String>> {
        Box::pin(std::future::ready(KVStoreSync::list(self, primary, secondary)))
    }
}
