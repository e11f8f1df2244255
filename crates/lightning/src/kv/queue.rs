//! The operations in the one order in which they were asked for, until they are carried out.

use std::{
    collections::VecDeque,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    counters::Counters,
    events::Snapshots,
    key::{Durability, Key, Kind},
};
use crate::limits::KV_LAZY_REMOVES_MAX;

/// What is to be done with a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Action {
    Write(Vec<u8>),
    Remove,
    /// Acknowledged at once; joins the transaction of later operations.
    RemoveLazily,
    /// Nothing but the acknowledgement, in its turn: an old snapshot of the event queue.
    Nothing,
}

/// One operation.
#[derive(Debug)]
pub(super) struct Operation {
    /// Its place in the order, from 1 up.
    pub(super) number: u64,
    pub(super) key: Key,
    pub(super) action: Action,
}

/// What whoever asked for an operation has to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// To see to it that the operation with this number is carried out, and synced if its durability asks for it.
    CarryOut(u64, Durability),
    /// Nothing: it joins a later one.
    Later,
}

/// The queue. It holds the lazy removals, which are bounded, and one operation of each thread that is in a call.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    operations: VecDeque<Operation>,
    last_number: u64,
    snapshots: Snapshots,
}

impl Queue {
    /// An empty queue over a store whose event queue has this value.
    pub(super) fn new(queued_events: Option<&[u8]>) -> Self {
        let snapshots = Snapshots::new(queued_events);
        Self { state: Mutex::new(State { operations: VecDeque::new(), last_number: 0, snapshots }) }
    }

    /// Takes an operation into the order.
    pub(super) fn push(&self, key: Key, mut action: Action, counters: &Counters) -> Place {
        let mut state = self.lock();
        counters.asked(&key, action.bytes());
        if let Action::Write(snapshot) = &action
            && key.kind() == Kind::Events
            && !state.snapshots.is_new(snapshot)
        {
            counters.snapshot_dropped();
            action = Action::Nothing;
        }
        state.last_number += 1;
        let number = state.last_number;
        let durability = action.durability(&key);
        let may_wait = action == Action::RemoveLazily && state.operations.len() < KV_LAZY_REMOVES_MAX;
        state.operations.push_back(Operation { number, key, action });
        counters.depth(state.operations.len());
        if may_wait { Place::Later } else { Place::CarryOut(number, durability) }
    }

    /// All that wait, in order.
    pub(super) fn take(&self) -> VecDeque<Operation> {
        mem::take(&mut self.lock().operations)
    }

    /// The number of the last operation that was asked for.
    pub(super) fn last_number(&self) -> u64 {
        self.lock().last_number
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Action {
    fn durability(&self, key: &Key) -> Durability {
        match self {
            Self::RemoveLazily | Self::Nothing => Durability::Logged,
            Self::Write(_) | Self::Remove => key.durability(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Write(value) => value.len(),
            Self::Remove | Self::RemoveLazily | Self::Nothing => 0,
        }
    }
}
