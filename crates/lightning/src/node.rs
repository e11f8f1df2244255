//! The node: built once, run and stopped, and its own account of its state.
//!
//! ldk-node's code runs on a runtime of its own, so that a panic there is told from any other (see
//! [`crate::panics`]) and its blocking work takes no thread from the rest of the program.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use boltgram_core::{ChainHash, Failure, NodeId, Reason, limits::STOP_TIMEOUT_MS, transport::EventHandler};
use tokio::{
    runtime::{Handle, Runtime},
    sync::{Semaphore, watch},
};

use crate::{
    build::{self, Built},
    config::{Checked, NodeConfig},
    data_dir::DataDir,
    disk::Disk,
    errors::LightningError,
    kv::{
        counters::{CounterValues, StoreCounters},
        observed::Acknowledged,
    },
    limits::{DIALS_MAX, RUNTIME_BLOCKING_THREADS_MAX, RUNTIME_WORKERS, SENDING_MAX},
    panics::{self, Marker},
    seed,
    settled::Waiting,
    supervise,
};

/// The phases of a node's life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// It is built, or starts, or waits for its Esplora server.
    Starting,
    /// It runs.
    Running,
    /// It is stopped, or stops, because its disk has too little room; it starts by itself when there is more.
    DiskLow,
    /// It stops.
    Stopping,
    /// It has stopped, and may be run again.
    Stopped,
    /// It can't go on in this process: the program is to end, and be started again.
    Failed,
}

/// How the node does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// Its phase.
    pub phase: Phase,
    /// What it waits for, or what is wrong; empty when all is well.
    pub message: String,
}

/// A Lightning node. Dropping it asks it to stop, and doesn't wait.
pub struct Node {
    pub(crate) inner: Arc<Inner>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("id", &self.inner.id).field("status", &self.status()).finish_non_exhaustive()
    }
}

/// What a node and its threads share.
pub(crate) struct Inner {
    pub(crate) config: Checked,
    pub(crate) id: NodeId,
    pub(crate) chain_hash: ChainHash,
    pub(crate) disk: Disk,
    status: watch::Sender<Status>,
    stop: watch::Sender<bool>,
    life: Mutex<Life>,
    ended: Condvar,
    /// Bounds the dials that callers of the API ask for.
    pub(crate) dials: Arc<Semaphore>,
    /// Who waits for the end of which payment.
    pub(crate) waiting: Arc<Waiting>,
    /// The lost peers that are being dialled.
    pub(crate) redialling: Mutex<HashSet<NodeId>>,
    /// Held while a payment is started, by its recipient.
    sending: [Mutex<()>; SENDING_MAX],
    /// Held while channels are opened: one call after the other.
    pub(crate) opening: Mutex<()>,
    /// What its store tells.
    acknowledged: watch::Receiver<Acknowledged>,
    store_counters: Option<StoreCounters>,
    // Dropped in this order: the node, its runtime, the folder's lock.
    ldk: Arc<ldk_node::Node>,
    runtime: OwnRuntime,
    _data_dir: DataDir,
}

/// The thread that a running node has.
#[derive(Default)]
struct Life {
    is_alive: bool,
    thread: Option<JoinHandle<()>>,
}

impl Node {
    /// Reads or makes the seed and builds the node. Blocks on the disk and touches no network, but for a short try
    /// whether the listening addresses are free.
    pub fn build(config: NodeConfig) -> Result<Arc<Self>, LightningError> {
        let config = Checked::new(config)?;
        build::test_listening(&config.listen)?;
        let data_dir = DataDir::open(&config.data_dir, config.network)?;
        data_dir.claim_store(config.store)?;
        let disk = Disk::new(data_dir.path(), config.disk_low_water_bytes);
        disk.make_room_to_open();
        panics::look_at(data_dir.path());
        let seed = seed::read_or_make(&data_dir)?;
        let runtime = OwnRuntime::new()?;
        let Built { ldk, acknowledged, store_counters } = {
            let _context = runtime.handle.enter();
            let _marker = Marker::enter();
            build::build(&config, &data_dir, &seed, runtime.handle.clone())?
        };
        let inner = Inner {
            id: ldk.node_id().into(),
            chain_hash: config.network.into(),
            disk,
            config,
            status: watch::Sender::new(Status { phase: Phase::Starting, message: "it has not been run yet".into() }),
            stop: watch::Sender::new(false),
            life: Mutex::default(),
            ended: Condvar::new(),
            dials: Arc::new(Semaphore::new(DIALS_MAX)),
            waiting: Arc::default(),
            redialling: Mutex::default(),
            sending: Default::default(),
            opening: Mutex::default(),
            acknowledged,
            store_counters,
            ldk: Arc::new(ldk),
            runtime,
            _data_dir: data_dir,
        };
        Ok(Arc::new(Self { inner: Arc::new(inner) }))
    }

    /// Begins: starts the node as soon as its Esplora server answers, then hands its events to `handler` on a thread
    /// of its own, and dials lost peers. Returns at once; [`Node::status`] tells how far it is. A node that has stopped
    /// may be run again.
    pub fn run(&self, handler: Arc<dyn EventHandler>) -> Result<(), LightningError> {
        let mut life = self.inner.life();
        if life.is_alive {
            return Err(LightningError::AlreadyRunning);
        }
        let status = self.status();
        if status.phase == Phase::Failed {
            return Err(LightningError::Failed(status.message));
        }
        self.inner.stop.send_replace(false);
        self.inner.set_status(Phase::Starting, "");
        let inner = Arc::clone(&self.inner);
        let thread = thread::Builder::new()
            .name("node-events".into())
            .spawn(move || supervise::live(&inner, &handler))
            .map_err(LightningError::Threads)?;
        *life = Life { is_alive: true, thread: Some(thread) };
        Ok(())
    }

    /// How the node does. Never blocks.
    pub fn status(&self) -> Status {
        self.inner.status.borrow().clone()
    }

    /// What the node's store did since the node was built; `None` for a stock store or one in memory, which don't count.
    /// Never blocks, in no phase.
    pub fn store_counters(&self) -> Option<CounterValues> {
        self.inner.store_counters.as_ref().map(StoreCounters::values)
    }

    /// Tells each change of [`Node::status`]. At [`Phase::Failed`] the program is to end.
    pub fn watch_status(&self) -> watch::Receiver<Status> {
        self.inner.status.subscribe()
    }

    /// Stops the node and waits until it has, at most `STOP_TIMEOUT_MS`. Any number of calls, in every phase. Blocks:
    /// not for async workers.
    pub fn stop(&self) -> Result<(), LightningError> {
        self.inner.stop.send_replace(true);
        if self.inner.life().is_alive && self.status().phase != Phase::Failed {
            self.inner.set_status(Phase::Stopping, "");
        }
        let timeout = Duration::from_millis(STOP_TIMEOUT_MS);
        let (mut life, waited) = self
            .inner
            .ended
            .wait_timeout_while(self.inner.life(), timeout, |life| life.is_alive)
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Err(LightningError::StopTimeout { timeout_ms: STOP_TIMEOUT_MS });
        }
        // The thread is at its very end: with it goes its hold on the data folder.
        if let Some(thread) = life.thread.take() {
            let _ = thread.join();
        }
        if self.status().phase != Phase::Failed {
            self.inner.set_status(Phase::Stopped, "");
        }
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.inner.stop.send_replace(true);
    }
}

impl Inner {
    /// Calls ldk-node: a panic in it ends the process, and what it spawns lands on its own runtime. Many of its calls
    /// block, some for seconds, and panic on a single-threaded async runtime.
    pub(crate) fn call<T>(&self, call: impl FnOnce(&ldk_node::Node) -> T) -> T {
        let _context = self.runtime.handle.enter();
        let _marker = Marker::enter();
        call(&self.ldk)
    }

    /// The same while the node runs; else a failure that says why it doesn't.
    pub(crate) fn call_running<T>(&self, call: impl FnOnce(&ldk_node::Node) -> T) -> Result<T, Failure> {
        self.check_running()?;
        Ok(self.call(call))
    }

    /// A failure that says so when the node doesn't run.
    pub(crate) fn check_running(&self) -> Result<(), Failure> {
        self.check_room()?;
        let status = self.status.borrow();
        let hint = if status.message.is_empty() { String::new() } else { format!(": {}", status.message) };
        match status.phase {
            Phase::Running => Ok(()),
            Phase::Starting | Phase::DiskLow => {
                Err(Failure::new(Reason::Starting, format!("the node is starting{hint}")))
            }
            Phase::Stopping | Phase::Stopped | Phase::Failed => {
                Err(Failure::new(Reason::Stopping, format!("the node is stopping{hint}")))
            }
        }
    }

    /// Waits for the turn to start a payment to this recipient. LDK finds a route and takes its places in two steps: two
    /// payments at once can find the same last place, and the second one then fails by an event, as if there were
    /// no route.
    pub(crate) fn turn_to_send(&self, recipient: NodeId) -> Option<MutexGuard<'_, ()>> {
        let last_byte = recipient.public_key().serialize().last().copied().unwrap_or(0);
        let turn = self.sending.get(usize::from(last_byte) % SENDING_MAX)?;
        Some(turn.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A failure that says so when the node writes nothing because its disk has too little room.
    pub(crate) fn check_room(&self) -> Result<(), Failure> {
        match self.status.borrow().phase {
            Phase::DiskLow => Err(self.disk.failure()),
            _ => Ok(()),
        }
    }

    pub(crate) fn ldk(&self) -> Arc<ldk_node::Node> {
        Arc::clone(&self.ldk)
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime.handle
    }

    pub(crate) fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    pub(crate) fn set_status(&self, phase: Phase, message: impl Into<String>) {
        let status = Status { phase, message: message.into() };
        self.status.send_if_modified(|now| {
            let is_new = *now != status;
            *now = status;
            is_new
        });
    }

    /// What is wrong while the node runs; empty when all is well. Other phases have messages of their own.
    pub(crate) fn set_running_message(&self, message: String) {
        self.status.send_if_modified(|now| {
            let is_new = now.phase == Phase::Running && now.message != message;
            if is_new {
                // The seconds in a message change all the time; the log tells the change from well to not well.
                match (now.message.is_empty(), message.is_empty()) {
                    (true, false) => tracing::warn!("{message}"),
                    (false, true) => tracing::info!("Esplora answers again"),
                    _ => {}
                }
                now.message = message;
            }
            is_new
        });
    }

    /// Tells which writes its store has acknowledged.
    pub(crate) fn acknowledged(&self) -> watch::Receiver<Acknowledged> {
        self.acknowledged.clone()
    }

    /// Tells when the node is to stop.
    pub(crate) fn stop_asked(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Tells whoever waits in [`Node::stop`] that the node's thread has ended.
    pub(crate) fn end(&self) {
        self.life().is_alive = false;
        self.ended.notify_all();
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The runtime that ldk-node runs on. Dropping it waits for nothing, so that it can happen anywhere.
pub(crate) struct OwnRuntime {
    pub(crate) handle: Handle,
    runtime: Option<Runtime>,
}

impl OwnRuntime {
    pub(crate) fn new() -> Result<Self, LightningError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("ldk-node")
            .worker_threads(RUNTIME_WORKERS)
            .max_blocking_threads(RUNTIME_BLOCKING_THREADS_MAX)
            .on_thread_start(panics::mark_thread)
            .enable_all()
            .build()
            .map_err(LightningError::Threads)?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
