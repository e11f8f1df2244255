//! The model: what operations were asked for in which order, and which states of the store that allows.
//!
//! A store that works, or that was opened after a crash, shows what the first k operations leave, where k never
//! falls, and is at least the number of those that were acknowledged. A key that was removed lazily may be shown as before
//! until something is written to it; once it was seen as gone it stays gone.

use boltgram_lightning::kv::kind::StoreKind;

use super::support::{Key, State};

/// What is done to a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    Write(Vec<u8>),
    Remove,
    RemoveLazily,
}

/// Operations of one order.
#[derive(Clone, Default, Debug)]
pub struct History {
    before: State,
    operations: Vec<(Key, Change)>,
    /// So many have surely been carried out.
    done_min: usize,
}

impl History {
    /// Of a store that holds this.
    pub fn new(before: State) -> Self {
        Self { before, ..Self::default() }
    }

    /// Takes an operation in, and tells how many there are.
    pub fn push(&mut self, key: Key, change: Change) -> usize {
        self.operations.push((key, change));
        self.operations.len()
    }

    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// The first so many are acknowledged.
    pub fn acknowledge(&mut self, operations: usize) {
        self.done_min = self.done_min.max(operations);
    }

    /// What a key may show once so many operations were carried out.
    fn possible(&self, key: &Key, done: usize) -> Vec<Option<&[u8]>> {
        let mut possible = Vec::new();
        for (_, change) in self.operations[..done].iter().rev().filter(|(of, _)| of == key) {
            match change {
                Change::Write(value) => possible.push(Some(value.as_slice())),
                Change::Remove => possible.push(None),
                Change::RemoveLazily => {
                    possible.push(None);
                    continue;
                }
            }
            return possible;
        }
        possible.push(self.before.get(key).map(Vec::as_slice));
        possible
    }

    /// The fewest operations that explain what is seen, if any number does.
    fn explain(&self, is_seen: impl Fn(usize) -> bool) -> Option<usize> {
        (self.done_min..=self.operations.len()).find(|done| is_seen(*done))
    }

    /// Whether a key may show this now; from then on it may show nothing older.
    pub fn may_show(&mut self, key: &Key, value: Option<&[u8]>) -> bool {
        let Some(done) = self.explain(|done| self.possible(key, done).contains(&value)) else { return false };
        self.done_min = done;
        if value.is_none() {
            self.is_gone(key);
        }
        true
    }

    /// A key was seen as gone: what removed it lazily is no longer put off.
    fn is_gone(&mut self, key: &Key) {
        let last = self.operations[..self.done_min].iter_mut().rev().find(|(of, _)| of == key);
        if let Some((_, change @ Change::RemoveLazily)) = last {
            *change = Change::Remove;
        }
    }

    /// Whether a list may show exactly these of the keys now.
    pub fn may_list(&mut self, keys: &[Key], is_listed: impl Fn(&Key) -> bool) -> bool {
        let may_be = |key: &Key, done| self.possible(key, done).iter().any(|value| value.is_some() == is_listed(key));
        let Some(done) = self.explain(|done| keys.iter().all(|key| may_be(key, done))) else { return false };
        self.done_min = done;
        keys.iter().filter(|key| !is_listed(key)).for_each(|key| self.is_gone(key));
        true
    }

    /// After how many operations these keys may all together be as this state has them.
    pub fn may_leave(&self, keys: &[Key], state: &State) -> Option<usize> {
        let is_possible = |key: &Key, done| self.possible(key, done).contains(&state.get(key).map(Vec::as_slice));
        self.explain(|done| keys.iter().all(|key| is_possible(key, done)))
    }

    /// The same when so many are known to have been carried out.
    pub fn may_leave_after(&self, done_min: usize, keys: &[Key], state: &State) -> Option<usize> {
        Self { done_min, ..self.clone() }.may_leave(keys, state)
    }

    /// Everything was carried out, lazy removals too.
    pub fn finish(&mut self) {
        self.done_min = self.operations.len();
        for (_, change) in &mut self.operations {
            if *change == Change::RemoveLazily {
                *change = Change::Remove;
            }
        }
    }
}

/// The histories of a store: what each kind promises.
///
/// Our store has one order for all keys, that of the calls. The stock store has an order for each key alone: two writes of
/// different keys which wait at the same time may be carried out either way, and a crash may find the later one alone.
/// Neither it nor the one in memory puts off a lazy removal. In memory every call has been carried out when it returns.
#[derive(Clone, Debug)]
pub struct Model {
    kind: StoreKind,
    keys: Vec<Key>,
    histories: Vec<History>,
}

/// The place of an operation: which history, and how many operations there are with it.
pub type Place = (usize, usize);

impl Model {
    pub fn new(kind: StoreKind, keys: &[Key], before: &State) -> Self {
        let orders = if kind == StoreKind::Stock { keys.len() } else { 1 };
        Self { kind, keys: keys.to_vec(), histories: vec![History::new(before.clone()); orders] }
    }

    fn order_of(&self, key: &Key) -> usize {
        match self.kind {
            StoreKind::Stock => self.keys.iter().position(|known| known == key).unwrap(),
            StoreKind::Own | StoreKind::Memory => 0,
        }
    }

    /// Takes an operation in when it is asked for.
    pub fn push(&mut self, key: &Key, change: Change) -> Place {
        let change = match (self.kind, change) {
            (StoreKind::Stock | StoreKind::Memory, Change::RemoveLazily) => Change::Remove,
            (_, change) => change,
        };
        let order = self.order_of(key);
        let place = (order, self.histories[order].push(key.clone(), change));
        if self.kind == StoreKind::Memory {
            self.acknowledge(place);
        }
        place
    }

    /// An operation was acknowledged, and with it all that were asked for before it in its order.
    pub fn acknowledge(&mut self, (order, operations): Place) {
        self.histories[order].acknowledge(operations);
    }

    pub fn may_show(&mut self, key: &Key, value: Option<&[u8]>) -> bool {
        let order = self.order_of(key);
        self.histories[order].may_show(key, value)
    }

    pub fn may_list(&mut self, primary: &str, secondary: &str, names: &[String]) -> bool {
        let is_here = |key: &Key| key.primary == primary && key.secondary == secondary;
        let is_listed = |key: &Key| names.contains(&key.name);
        let keys: Vec<Key> = self.keys.iter().filter(|key| is_here(key)).cloned().collect();
        match self.kind {
            StoreKind::Stock => keys.iter().all(|key| {
                let order = self.order_of(key);
                self.histories[order].may_list(std::slice::from_ref(key), is_listed)
            }),
            StoreKind::Own | StoreKind::Memory => self.histories[0].may_list(&keys, is_listed),
        }
    }

    /// Whether a store that is opened after a crash may hold this.
    pub fn may_leave(&self, state: &State) -> bool {
        match self.kind {
            StoreKind::Stock => self
                .keys
                .iter()
                .zip(&self.histories)
                .all(|(key, history)| history.may_leave(std::slice::from_ref(key), state).is_some()),
            StoreKind::Own | StoreKind::Memory => self.histories[0].may_leave(&self.keys, state).is_some(),
        }
    }

    /// The store was closed in order.
    pub fn finish(&mut self) {
        self.histories.iter_mut().for_each(History::finish);
    }
}

/// The model must be able to say no, or nothing that is checked with it can fail.
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("monitors", "", name)
    }

    fn state(values: &[(&str, &str)]) -> State {
        values.iter().map(|(name, value)| (key(name), value.as_bytes().to_vec())).collect()
    }

    /// Writes of a, then b, a lazy removal of a, a write of c.
    fn history(kind: StoreKind) -> (Model, Vec<Place>) {
        let mut model = Model::new(kind, &["a", "b", "c"].map(key), &state(&[("a", "0")]));
        let write = |value: &str| Change::Write(value.as_bytes().to_vec());
        let operations = [("a", write("1")), ("b", write("1")), ("a", Change::RemoveLazily), ("c", write("1"))];
        let places = operations.map(|(name, change)| model.push(&key(name), change)).to_vec();
        (model, places)
    }

    #[test]
    fn our_store_may_leave_each_prefix_and_nothing_else() {
        let (mut model, places) = history(StoreKind::Own);
        for possible in [
            &[("a", "0")][..],
            &[("a", "1")],
            &[("a", "1"), ("b", "1")],
            &[("b", "1")],
            &[("b", "1"), ("c", "1")],
            // The lazy removal was still put off.
            &[("a", "1"), ("b", "1"), ("c", "1")],
        ] {
            assert!(model.may_leave(&state(possible)), "{possible:?}");
        }
        for impossible in [&[][..], &[("b", "1"), ("a", "0")], &[("c", "1")], &[("a", "1"), ("c", "1")], &[("a", "2")]]
        {
            assert!(!model.may_leave(&state(impossible)), "{impossible:?}");
        }
        model.acknowledge(places[1]);
        assert!(!model.may_leave(&state(&[("a", "1")])), "b was acknowledged");
    }

    #[test]
    fn the_stock_store_may_leave_the_later_of_two_keys_alone_but_no_older_value_of_one() {
        let (mut model, places) = history(StoreKind::Stock);
        assert!(model.may_leave(&state(&[("a", "0"), ("c", "1")])));
        model.acknowledge(places[2]);
        assert!(model.may_leave(&state(&[])));
        assert!(!model.may_leave(&state(&[("a", "1")])), "it removes at once");
    }

    #[test]
    fn what_was_seen_is_never_older_afterwards() {
        let (mut model, _) = history(StoreKind::Own);
        assert!(model.may_show(&key("b"), Some(b"1")));
        assert!(!model.may_show(&key("a"), Some(b"0")), "b is newer than that");
        assert!(model.may_show(&key("a"), Some(b"1")));
        assert!(model.may_show(&key("a"), None));
        assert!(!model.may_show(&key("a"), Some(b"1")), "it was seen as gone");
        assert!(model.may_list("monitors", "", &["b".into()]));
        assert!(!model.may_list("monitors", "", &["a".into(), "b".into()]));
        assert!(!model.may_list("monitors", "", &[]));
    }
}
