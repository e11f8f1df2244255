//! Every kind of store against a model, over random operations as LDK makes them, crashes, and closes.
//!
//! PROPTEST_CASES sets how many sequences are tried for each kind.

use std::{sync::LazyLock, task::Poll};

use boltgram_lightning::kv::kind::StoreKind;
use ldk_node::{
    DynStore,
    lightning::util::persist::{KVStore, KVStoreSync},
};
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{
    history::{Change, Model, Place},
    support::{Key, Store as _, copy_as_a_crash_leaves_it, count, found, keys, state_of},
};

#[derive(Clone, Debug)]
enum Step {
    Write {
        key: usize,
        bytes: usize,
        is_async: bool,
    },
    Remove {
        key: usize,
        is_lazy: bool,
        is_async: bool,
    },
    /// Waits for one of the asynchronous operations that are under way.
    Wait(usize),
    Read {
        key: usize,
        is_async: bool,
    },
    List {
        key: usize,
        is_async: bool,
    },
    /// The process ends here and now; what its files hold is opened again.
    Crash,
    /// The store is closed in order, and opened again.
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = || 0..keys().len();
    // What fits into a page, what spills over, and what LDK's larger monitors take.
    let bytes = prop_oneof![6 => 0..60_usize, 2 => 3_000..9_000_usize, 1 => 20_000..60_000_usize];
    let (flag, lazy) = (any::<bool>, any::<bool>);
    let step = prop_oneof![
        8 => (key(), bytes, flag()).prop_map(|(key, bytes, is_async)| Step::Write { key, bytes, is_async }),
        5 => (key(), lazy(), flag()).prop_map(|(key, is_lazy, is_async)| Step::Remove { key, is_lazy, is_async }),
        3 => any::<usize>().prop_map(Step::Wait),
        3 => (key(), flag()).prop_map(|(key, is_async)| Step::Read { key, is_async }),
        2 => (key(), flag()).prop_map(|(key, is_async)| Step::List { key, is_async }),
        2 => Just(Step::Crash),
        1 => Just(Step::Close),
    ];
    prop::collection::vec(step, 1..40)
}

/// The stock store's asynchronous calls need one.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap());

type Outcome = std::pin::Pin<Box<dyn Future<Output = Result<(), ldk_node::lightning::io::Error>> + Send>>;

/// A store and what it may show.
struct Trial {
    kind: StoreKind,
    keys: Vec<Key>,
    folder: TempDir,
    store: Option<std::sync::Arc<DynStore>>,
    model: Model,
    under_way: Vec<(Place, Outcome)>,
    /// Makes each value another one.
    written: u32,
}

impl Trial {
    fn new(kind: StoreKind) -> Self {
        let (keys, folder) = (keys(), tempfile::tempdir().unwrap());
        let store = Some(kind.open(folder.path()).unwrap());
        let model = Model::new(kind, &keys, &Default::default());
        Self { kind, keys, folder, store, model, under_way: Vec::new(), written: 0 }
    }

    fn store(&self) -> &DynStore {
        self.store.as_deref().unwrap()
    }

    fn do_step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Write { key, bytes, is_async } => self.write(key, bytes, is_async),
            Step::Remove { key, is_lazy, is_async } => self.remove(key, is_lazy, is_async),
            Step::Wait(which) => self.wait(which),
            Step::Read { key, is_async } => self.read(key, is_async)?,
            Step::List { key, is_async } => self.list(key, is_async)?,
            Step::Crash if self.kind != StoreKind::Memory => self.crash()?,
            Step::Close if self.kind != StoreKind::Memory => self.close()?,
            Step::Crash | Step::Close => {}
        }
        Ok(())
    }

    fn write(&mut self, key: usize, bytes: usize, is_async: bool) {
        self.written += 1;
        let value: Vec<u8> = self.written.to_be_bytes().into_iter().cycle().take(bytes).collect();
        let key = self.keys[key].clone();
        let place = self.model.push(&key, Change::Write(value.clone()));
        if is_async {
            let outcome = KVStore::write(self.store(), &key.primary, &key.secondary, &key.name, value);
            return self.under_way.push((place, outcome));
        }
        self.store().put(&key, &value);
        self.model.acknowledge(place);
    }

    fn remove(&mut self, key: usize, is_lazy: bool, is_async: bool) {
        let key = self.keys[key].clone();
        let place = self.model.push(&key, if is_lazy { Change::RemoveLazily } else { Change::Remove });
        if is_async {
            let mut outcome = KVStore::remove(self.store(), &key.primary, &key.secondary, &key.name, is_lazy);
            let is_acknowledged = is_lazy && self.kind == StoreKind::Own;
            if is_acknowledged {
                // At once; nothing is promised with it.
                let polled =
                    RUNTIME.block_on(std::future::poll_fn(|context| Poll::Ready(outcome.as_mut().poll(context))));
                return assert!(matches!(polled, Poll::Ready(Ok(()))), "a lazy removal waits for nothing");
            }
            return self.under_way.push((place, outcome));
        }
        self.store().take_away(&key, is_lazy);
        if !(is_lazy && self.kind == StoreKind::Own) {
            self.model.acknowledge(place);
        }
    }

    fn wait(&mut self, which: usize) {
        if !self.under_way.is_empty() {
            let (place, outcome) = self.under_way.swap_remove(which % self.under_way.len());
            RUNTIME.block_on(outcome).unwrap();
            self.model.acknowledge(place);
        }
    }

    fn read(&mut self, key: usize, is_async: bool) -> Result<(), TestCaseError> {
        let key = self.keys[key].clone();
        let value = match is_async {
            true => found(RUNTIME.block_on(KVStore::read(self.store(), &key.primary, &key.secondary, &key.name))),
            false => self.store().get(&key),
        };
        let is_right = self.model.may_show(&key, value.as_deref());
        prop_assert!(is_right, "{:?} can't be {:?}", key, value.map(|value| value.len()));
        Ok(())
    }

    fn list(&mut self, key: usize, is_async: bool) -> Result<(), TestCaseError> {
        let Key { primary, secondary, .. } = self.keys[key].clone();
        let names = match is_async {
            true => RUNTIME.block_on(KVStore::list(self.store(), &primary, &secondary)).unwrap(),
            false => KVStoreSync::list(self.store(), &primary, &secondary).unwrap(),
        };
        let is_right = self.model.may_list(&primary, &secondary, &names);
        prop_assert!(is_right, "{}/{} can't hold {:?}", primary, secondary, names);
        Ok(())
    }

    fn crash(&mut self) -> Result<(), TestCaseError> {
        let left = tempfile::tempdir().unwrap();
        copy_as_a_crash_leaves_it(self.folder.path(), left.path());
        // Nothing that happens to the old files from here on is looked at.
        self.end_old_store();
        self.folder = left;
        self.open_again("a crash")
    }

    fn close(&mut self) -> Result<(), TestCaseError> {
        if self.kind == StoreKind::Own {
            // It carries out what was asked for; whoever asked may be gone.
            self.under_way.clear();
        }
        self.end_old_store();
        self.model.finish();
        self.open_again("a close")
    }

    fn end_old_store(&mut self) {
        for (_, outcome) in self.under_way.drain(..) {
            RUNTIME.block_on(outcome).unwrap();
        }
        self.store = None;
    }

    fn open_again(&mut self, after: &str) -> Result<(), TestCaseError> {
        let store = self.kind.open(self.folder.path()).unwrap();
        let state = state_of(&*store, &self.keys);
        prop_assert!(self.model.may_leave(&state), "{} can't leave {:?}", after, state.keys());
        self.model = Model::new(self.kind, &self.keys, &state);
        self.store = Some(store);
        Ok(())
    }
}

fn compare_with_the_model(kind: StoreKind, steps: &[Step]) -> Result<(), TestCaseError> {
    let _context = RUNTIME.enter();
    let mut trial = Trial::new(kind);
    for step in steps {
        trial.do_step(step)?;
    }
    for key in 0..trial.keys.len() {
        trial.read(key, false)?;
        trial.list(key, false)?;
    }
    if kind != StoreKind::Memory {
        trial.crash()?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn our_store_behaves_as_the_model_with_crashes_between_the_steps(steps in steps()) {
        compare_with_the_model(StoreKind::Own, &steps)?;
    }

    #[test]
    fn the_stock_store_behaves_as_its_model_with_crashes_between_the_steps(steps in steps()) {
        compare_with_the_model(StoreKind::Stock, &steps)?;
    }

    #[test]
    fn the_store_in_memory_behaves_as_its_model(steps in steps()) {
        compare_with_the_model(StoreKind::Memory, &steps)?;
    }
}

fn cases() -> u32 {
    u32::try_from(count("PROPTEST_CASES", 48)).unwrap()
}
