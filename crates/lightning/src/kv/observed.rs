//! A store that tells what of two things was acknowledged: the channel manager's state, and the event queue. Everything
//! else passes through as it is.
//!
//! A start has caught up with what was before it by these two: see `caught_up`.

use std::sync::Arc;

use ldk_node::{
    DynStore,
    lightning::{
        io,
        util::persist::{
            CHANNEL_MANAGER_PERSISTENCE_KEY, CHANNEL_MANAGER_PERSISTENCE_PRIMARY_NAMESPACE,
            CHANNEL_MANAGER_PERSISTENCE_SECONDARY_NAMESPACE, KVStore, KVStoreSync,
        },
    },
};
use tokio::sync::watch;

use super::AsyncResult;

/// The event queue's key, in the two empty namespaces (ldk-node 0.7.1, `EVENT_QUEUE_PERSISTENCE_KEY`).
const EVENT_QUEUE_KEY: &str = "events";

/// How many writes were acknowledged since the store was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Acknowledged {
    /// Of the channel manager's state.
    pub(crate) manager: u64,
    /// Of the event queue.
    pub(crate) event_queue: u64,
}

struct Observed {
    store: Arc<DynStore>,
    acknowledged: watch::Sender<Acknowledged>,
}

/// The same store, and what it tells.
pub(crate) fn observe(store: Arc<DynStore>) -> (Arc<DynStore>, watch::Receiver<Acknowledged>) {
    let (acknowledged, seen) = watch::channel(Acknowledged::default());
    (Arc::new(Observed { store, acknowledged }), seen)
}

#[derive(Clone, Copy)]
enum Kind {
    Manager,
    EventQueue,
    Other,
}

impl Kind {
    fn of(primary: &str, secondary: &str, key: &str) -> Self {
        let manager = (
            CHANNEL_MANAGER_PERSISTENCE_PRIMARY_NAMESPACE,
            CHANNEL_MANAGER_PERSISTENCE_SECONDARY_NAMESPACE,
            CHANNEL_MANAGER_PERSISTENCE_KEY,
        );
        match (primary, secondary, key) {
            written if written == manager => Self::Manager,
            ("", "", EVENT_QUEUE_KEY) => Self::EventQueue,
            _ => Self::Other,
        }
    }

    fn note(self, outcome: &Result<(), io::Error>, acknowledged: &watch::Sender<Acknowledged>) {
        if outcome.is_ok() {
            match self {
                Self::Manager => acknowledged.send_modify(|seen| seen.manager = seen.manager.wrapping_add(1)),
                Self::EventQueue => {
                    acknowledged.send_modify(|seen| seen.event_queue = seen.event_queue.wrapping_add(1));
                }
                Self::Other => {}
            }
        }
    }
}

impl KVStoreSync for Observed {
    fn read(&self, primary: &str, secondary: &str, key: &str) -> Result<Vec<u8>, io::Error> {
        KVStoreSync::read(&*self.store, primary, secondary, key)
    }

    fn write(&self, primary: &str, secondary: &str, key: &str, buf: Vec<u8>) -> Result<(), io::Error> {
        let outcome = KVStoreSync::write(&*self.store, primary, secondary, key, buf);
        Kind::of(primary, secondary, key).note(&outcome, &self.acknowledged);
        outcome
    }

    fn remove(&self, primary: &str, secondary: &str, key: &str, lazy: bool) -> Result<(), io::Error> {
        KVStoreSync::remove(&*self.store, primary, secondary, key, lazy)
    }

    fn list(&self, primary: &str, secondary: &str) -> Result<Vec<String>, io::Error> {
        KVStoreSync::list(&*self.store, primary, secondary)
    }
}

impl KVStore for Observed {
    fn read(&self, primary: &str, secondary: &str, key: &str) -> AsyncResult<Vec<u8>> {
        KVStore::read(&*self.store, primary, secondary, key)
    }

    fn write(&self, primary: &str, secondary: &str, key: &str, buf: Vec<u8>) -> AsyncResult<()> {
        // Now, on this thread: the order is that of the calls, and the event queue's mark is the thread's.
        let written = KVStore::write(&*self.store, primary, secondary, key, buf);
        let (kind, acknowledged) = (Kind::of(primary, secondary, key), self.acknowledged.clone());
        match kind {
            Kind::Other => written,
            Kind::Manager | Kind::EventQueue => Box::pin(async move {
                let outcome = written.await;
                kind.note(&outcome, &acknowledged);
                outcome
            }),
        }
    }

    fn remove(&self, primary: &str, secondary: &str, key: &str, lazy: bool) -> AsyncResult<()> {
        KVStore::remove(&*self.store, primary, secondary, key, lazy)
    }

    fn list(&self, primary: &str, secondary: &str) -> AsyncResult<Vec<String>> {
        KVStore::list(&*self.store, primary, secondary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::memory::MemoryStore;

    #[tokio::test]
    async fn the_managers_and_the_event_queues_writes_are_told_and_no_others() {
        let (store, seen) = observe(Arc::new(MemoryStore::default()));
        KVStoreSync::write(&*store, "", "", "manager", vec![1]).unwrap();
        KVStore::write(&*store, "", "", "manager", vec![2]).await.unwrap();
        KVStore::write(&*store, "", "", "events", vec![3]).await.unwrap();
        KVStore::write(&*store, "", "", "peers", vec![4]).await.unwrap();
        KVStoreSync::write(&*store, "monitors", "", "manager", vec![5]).unwrap();
        assert!(KVStoreSync::write(&*store, "", "a", "manager", vec![6]).is_err());
        assert_eq!(*seen.borrow(), Acknowledged { manager: 2, event_queue: 1 });
        assert_eq!(KVStoreSync::read(&*store, "", "", "manager").unwrap(), [2]);
    }
}
