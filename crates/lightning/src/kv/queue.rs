//! The operations, in the one order in which they were asked for, until the writer takes them.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc},
};

use ldk_node::lightning::io;
use tokio::sync::oneshot;

use super::{
    counters::Counters,
    events::Snapshots,
    key::{Durability, Key, Kind},
};
use crate::limits::{KV_BATCH_BYTES_MAX, KV_BATCH_OPERATIONS_MAX, KV_LAZY_REMOVES_MAX, KV_QUEUE_OPERATIONS_MAX};

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

/// Who is told, once it is durable enough.
pub(super) enum Acknowledge {
    Sync(mpsc::SyncSender<Result<(), io::Error>>),
    Async(oneshot::Sender<Result<(), io::Error>>),
    Nobody,
}

impl Acknowledge {
    /// Tells; whoever waited may be gone.
    pub(super) fn tell(self, outcome: Result<(), io::Error>) {
        match self {
            Self::Sync(sender) => drop(sender.send(outcome)),
            Self::Async(sender) => drop(sender.send(outcome)),
            Self::Nobody => {}
        }
    }
}

/// One operation.
pub(super) struct Operation {
    pub(super) key: Key,
    pub(super) action: Action,
    pub(super) acknowledge: Acknowledge,
}

impl Operation {
    /// Whether the writer has to be woken for it.
    fn is_urgent(&self) -> bool {
        self.action != Action::RemoveLazily
    }

    /// Whether it must be synced before it is acknowledged.
    pub(super) fn durability(&self) -> Durability {
        match self.action {
            Action::RemoveLazily | Action::Nothing => Durability::Logged,
            Action::Write(_) | Action::Remove => self.key.durability(),
        }
    }

    fn bytes(&self) -> usize {
        match &self.action {
            Action::Write(value) => value.len(),
            Action::Remove | Action::RemoveLazily | Action::Nothing => 0,
        }
    }
}

pub(super) struct Queue {
    state: Mutex<State>,
    /// There is something to do.
    filled: Condvar,
    /// There is room again.
    drained: Condvar,
}

struct State {
    operations: VecDeque<Operation>,
    urgent: usize,
    snapshots: Snapshots,
    is_closed: bool,
}

impl Queue {
    /// An empty queue over a store whose event queue has this value.
    pub(super) fn new(queued_events: Option<&[u8]>) -> Self {
        let state = State {
            operations: VecDeque::new(),
            urgent: 0,
            snapshots: Snapshots::new(queued_events),
            is_closed: false,
        };
        Self { state: Mutex::new(state), filled: Condvar::new(), drained: Condvar::new() }
    }

    /// Takes an operation into the order. Waits while the queue is full, which the writer's own thread ends.
    pub(super) fn push(&self, mut operation: Operation, counters: &Counters) {
        let mut state = self
            .drained
            .wait_while(self.lock(), |state| state.operations.len() >= KV_QUEUE_OPERATIONS_MAX && !state.is_closed)
            .unwrap_or_else(PoisonError::into_inner);
        if state.is_closed {
            operation.acknowledge.tell(Err(super::closed()));
            return;
        }
        counters.asked(&operation.key, operation.bytes());
        if let Action::Write(snapshot) = &operation.action
            && operation.key.kind() == Kind::Events
            && !state.snapshots.is_new(snapshot)
        {
            counters.snapshot_dropped();
            operation.action = Action::Nothing;
        }
        state.urgent += usize::from(operation.is_urgent());
        state.operations.push_back(operation);
        counters.depth(state.operations.len());
        if state.urgent > 0 || state.operations.len() >= KV_LAZY_REMOVES_MAX {
            self.filled.notify_one();
        }
    }

    /// The next operations, in order; waits until there are some that shouldn't wait. `None` when the queue is closed
    /// and empty.
    pub(super) fn take(&self) -> Option<Vec<Operation>> {
        let is_idle =
            |state: &mut State| state.urgent == 0 && state.operations.len() < KV_LAZY_REMOVES_MAX && !state.is_closed;
        let mut state = self.filled.wait_while(self.lock(), is_idle).unwrap_or_else(PoisonError::into_inner);
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < KV_BATCH_OPERATIONS_MAX && bytes < KV_BATCH_BYTES_MAX {
            let Some(operation) = state.operations.pop_front() else { break };
            state.urgent -= usize::from(operation.is_urgent());
            bytes += operation.bytes();
            batch.push(operation);
        }
        self.drained.notify_all();
        (!batch.is_empty()).then_some(batch)
    }

    /// Takes no more; what is there is still carried out.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.filled.notify_all();
        self.drained.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
