//! Two nodes in this process, channels between them, and a loop that keeps payments in flight.

#![allow(dead_code, reason = "each bench uses a part of it")]

#[path = "../support/ports.rs"]
mod ports;

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use bitcoin::{Address, secp256k1::rand};
use boltgram_core::{
    NodeId,
    limits::RECORD_TYPE_DEFAULT,
    message::{Body, PaymentHash},
    transport::{EventHandler, HandlerError, Keysend, Preimage, Transport as _, TransportEvent},
};
use boltgram_devnet::Devnet;
use boltgram_lightning::{Network, Node, NodeConfig, OpenChannel, Phase, kv::kind::StoreKind};
use tokio::runtime::Handle;

pub use ports::free_address;

/// How long each wait may take.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// The record's size: that of a short signed message.
const RECORD_BYTES: usize = 100;

/// Threads that start payments: `send` blocks for a moment.
const SENDERS_MAX: usize = 16;

const CAPACITY_SAT: u64 = 1_000_000;

/// Two nodes with channels from the first to the second.
pub struct Pair {
    alice: Arc<Node>,
    bob: Arc<Node>,
    flight: Arc<Flight>,
}

/// What one block of payments came to.
pub struct Block {
    pub delivered: usize,
    pub failed: usize,
    pub elapsed: Duration,
    /// From the start of a payment to the event of its success, sorted.
    pub latencies: Vec<Duration>,
}

impl Block {
    pub fn per_second(&self) -> f64 {
        self.delivered as f64 / self.elapsed.as_secs_f64()
    }

    pub fn median_ms(&self) -> f64 {
        self.latencies.get(self.latencies.len() / 2).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1_000.0)
    }
}

impl Pair {
    pub fn new(handle: &Handle, devnet: &Devnet, folder: &Path, kind: StoreKind, channels: usize) -> Self {
        let flight = Arc::new(Flight::default());
        let address = free_address();
        let alice = node(&folder.join("alice"), &devnet.url(), kind, free_address(), flight.clone());
        let bob = node(&folder.join("bob"), &devnet.url(), kind, address.clone(), Arc::new(Nobody));
        for node in [&alice, &bob] {
            for _ in 0..channels {
                let address: Address<_> = node.new_address().unwrap().parse().unwrap();
                let address = address.require_network(Network::Regtest).unwrap();
                handle.block_on(devnet.fund(&address, CAPACITY_SAT + 200_000)).unwrap();
            }
        }
        let mine = |blocks| {
            handle.block_on(devnet.mine(blocks)).unwrap();
            for node in [&alice, &bob] {
                node.sync().unwrap();
            }
        };
        mine(1);
        for _ in 0..channels {
            let open = OpenChannel {
                peer: bob.node_id(),
                address: Some(address.clone()),
                capacity_sat: CAPACITY_SAT,
                push_sat: CAPACITY_SAT / 2,
                announce: false,
            };
            alice.open_channel(&open).unwrap();
            handle.block_on(devnet.wait_for_mempool(1, DEADLINE)).unwrap();
            mine(1);
        }
        mine(6);
        let usable = |node: &Node| node.list_channels().iter().filter(|channel| channel.is_usable).count();
        wait_for("the channels are usable", || usable(&alice) == channels && usable(&bob) == channels);
        Self { alice, bob, flight }
    }

    /// Keeps so many payments of 1 sat in flight for so long, then waits until each has ended.
    pub fn run(&self, in_flight: usize, duration: Duration) -> Block {
        self.flight.begin(in_flight);
        let begin = Instant::now();
        thread::scope(|scope| {
            for _ in 0..in_flight.min(SENDERS_MAX) {
                scope.spawn(|| {
                    while begin.elapsed() < duration {
                        send_one(&self.alice, self.bob.node_id(), &self.flight);
                    }
                });
            }
        });
        let mut block = self.flight.end();
        block.elapsed = begin.elapsed();
        block.latencies.sort_unstable();
        block
    }
}

impl Pair {
    /// How many syncs each side's store has counted, if it counts.
    pub fn syncs(&self) -> [Option<u64>; 2] {
        [&self.alice, &self.bob].map(|node| node.store_counters().map(|values| values.syncs_total()))
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for node in [&self.alice, &self.bob] {
            let _ = node.stop();
        }
    }
}

/// Waits for a place in the flight, and starts one payment; false if the node refused to.
pub fn send_one(from: &Node, to: NodeId, flight: &Flight) -> bool {
    let preimage = Preimage(rand::random());
    flight.take_off(preimage.payment_hash());
    let payment = Keysend {
        recipient: to,
        amount_msat: 1_000,
        fee_limit_msat: 50_000,
        preimage,
        record_type: RECORD_TYPE_DEFAULT,
        record: Body(vec![7; RECORD_BYTES]),
    };
    let is_started = from.send(&payment).is_ok();
    if !is_started {
        flight.land(preimage.payment_hash(), false);
    }
    is_started
}

/// A node that runs, alone in its folder.
pub fn node(
    folder: &Path,
    esplora_url: &str,
    kind: StoreKind,
    address: String,
    handler: Arc<dyn EventHandler>,
) -> Arc<Node> {
    let config = NodeConfig::new(folder, Network::Regtest, esplora_url);
    let node = Node::build(NodeConfig { listen: vec![address], store: kind, ..config }).unwrap();
    node.run(handler).unwrap();
    wait_for("a node runs", || node.status().phase == Phase::Running);
    node
}

pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The payments that are in flight.
#[derive(Default)]
pub struct Flight {
    state: Mutex<FlightState>,
    landed: Condvar,
}

#[derive(Default)]
struct FlightState {
    at_most: usize,
    started: HashMap<PaymentHash, Instant>,
    latencies: Vec<Duration>,
    failed: usize,
}

impl Flight {
    pub fn begin(&self, at_most: usize) {
        *self.state.lock().unwrap() = FlightState { at_most, ..FlightState::default() };
    }

    /// Waits for a place.
    fn take_off(&self, payment_hash: PaymentHash) {
        let is_full = |state: &mut FlightState| state.started.len() >= state.at_most;
        let mut state = self.landed.wait_while(self.state.lock().unwrap(), is_full).unwrap();
        state.started.insert(payment_hash, Instant::now());
    }

    fn land(&self, payment_hash: PaymentHash, is_delivered: bool) {
        let mut state = self.state.lock().unwrap();
        if let Some(started) = state.started.remove(&payment_hash) {
            match is_delivered {
                true => state.latencies.push(started.elapsed()),
                false => state.failed += 1,
            }
        }
        self.landed.notify_all();
    }

    /// How many were delivered since the begin.
    pub fn delivered(&self) -> usize {
        self.state.lock().unwrap().latencies.len()
    }

    /// How many are in flight.
    pub fn flying(&self) -> usize {
        self.state.lock().unwrap().started.len()
    }

    fn end(&self) -> Block {
        let is_flying = |state: &mut FlightState| !state.started.is_empty();
        let (state, waited) = self.landed.wait_timeout_while(self.state.lock().unwrap(), DEADLINE, is_flying).unwrap();
        assert!(!waited.timed_out(), "{} payments did not end", state.started.len());
        let mut state = state;
        let latencies = std::mem::take(&mut state.latencies);
        Block { delivered: latencies.len(), failed: state.failed, elapsed: Duration::ZERO, latencies }
    }
}

impl EventHandler for Flight {
    fn handle(&self, event: TransportEvent) -> Result<(), HandlerError> {
        match event {
            TransportEvent::PaymentSuccessful { payment_hash, .. } => self.land(payment_hash, true),
            TransportEvent::PaymentFailed { payment_hash, .. } => self.land(payment_hash, false),
            _ => {}
        }
        Ok(())
    }
}

pub struct Nobody;

impl EventHandler for Nobody {
    fn handle(&self, _: TransportEvent) -> Result<(), HandlerError> {
        Ok(())
    }
}
