//! Two real nodes on a devnet, what they tell, and a relay between them that can hold back what they say to each other.

#![allow(dead_code, reason = "each test uses a part of it")]

#[path = "../../../../tests/support/ports.rs"]
mod ports;
pub mod relay;
#[path = "../../../../tests/support/wait.rs"]
mod wait;

use std::{
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use bitcoin::Address;
use boltgram_core::{
    Failure, NodeId, Reason,
    limits::RECORD_TYPE_DEFAULT,
    message::{Body, PaymentHash},
    transport::{EventHandler, HandlerError, Keysend, Preimage, SendError, TlvRecord, Transport as _, TransportEvent},
};
use boltgram_devnet::{Devnet, DevnetConfig};
use boltgram_lightning::{Network, Node, NodeConfig, OpenChannel, Phase};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use ports::free_address;
pub use wait::{DEADLINE, wait_for};

/// What a node told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    Event(TransportEvent),
    CaughtUp,
    Reachable(Vec<NodeId>),
}

/// Keeps what comes, and fails on demand.
#[derive(Default)]
pub struct Events {
    told: Mutex<Vec<Told>>,
    came: Condvar,
    pub is_broken: AtomicBool,
}

impl EventHandler for Events {
    fn handle(&self, event: TransportEvent) -> Result<(), HandlerError> {
        if self.is_broken.load(Ordering::SeqCst) {
            return Err(HandlerError("the disk is full".into()));
        }
        self.keep(Told::Event(event));
        Ok(())
    }

    fn caught_up(&self) {
        self.keep(Told::CaughtUp);
    }

    fn reachable(&self, peers: &[NodeId]) {
        self.keep(Told::Reachable(peers.to_vec()));
    }
}

impl Events {
    fn keep(&self, told: Told) {
        self.told.lock().unwrap().push(told);
        self.came.notify_all();
    }

    /// All that was told so far, the oldest first.
    pub fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    /// How often something was told.
    pub fn count(&self, is_it: impl Fn(&Told) -> bool) -> usize {
        self.told.lock().unwrap().iter().filter(|told| is_it(told)).count()
    }

    /// Waits until as much of it was told.
    pub fn wait_for_count(&self, what: &str, count: usize, is_it: impl Fn(&Told) -> bool) {
        self.wait(what, |told| (told.iter().filter(|told| is_it(told)).count() >= count).then_some(()));
    }

    /// Waits until an event came for which the question has an answer.
    pub fn wait_for<T>(&self, what: &str, question: impl Fn(&TransportEvent) -> Option<T>) -> T {
        self.wait(what, |told| {
            told.iter().find_map(|told| match told {
                Told::Event(event) => question(event),
                _ => None,
            })
        })
    }

    fn wait<T>(&self, what: &str, question: impl Fn(&[Told]) -> Option<T>) -> T {
        let (mut told, begin) = (self.told.lock().unwrap(), Instant::now());
        loop {
            if let Some(answer) = question(&told) {
                return answer;
            }
            let left = DEADLINE.checked_sub(begin.elapsed()).unwrap_or_else(|| panic!("{what}: {told:?}"));
            told = self.came.wait_timeout(told, left).unwrap().0;
        }
    }

    pub fn received(&self, hash: PaymentHash) -> (u64, Vec<TlvRecord>) {
        self.wait_for("no payment came", |event| match event {
            TransportEvent::PaymentReceived { payment_hash, amount_msat, records } if *payment_hash == hash => {
                Some((*amount_msat, records.clone()))
            }
            _ => None,
        })
    }

    /// How often a payment came.
    pub fn receipts(&self, hash: PaymentHash) -> usize {
        self.count(|told| {
            matches!(told, Told::Event(TransportEvent::PaymentReceived { payment_hash, .. }) if *payment_hash == hash)
        })
    }

    pub fn succeeded(&self, hash: PaymentHash) -> u64 {
        self.wait_for("the payment did not succeed", |event| match event {
            TransportEvent::PaymentSuccessful { payment_hash, fee_msat } if *payment_hash == hash => Some(*fee_msat),
            _ => None,
        })
    }

    pub fn failed(&self, hash: PaymentHash) -> Failure {
        self.wait_for("the payment did not fail", |event| match event {
            TransportEvent::PaymentFailed { payment_hash, failure } if *payment_hash == hash => Some(failure.clone()),
            _ => None,
        })
    }
}

pub struct Side {
    folder: PathBuf,
    esplora_url: String,
    pub address: String,
    /// Absent while the program is down.
    node: Option<Arc<Node>>,
    pub events: Arc<Events>,
}

impl Side {
    pub fn new(folder: PathBuf, esplora_url: String) -> Self {
        let mut side = Self { folder, esplora_url, address: free_address(), node: None, events: Arc::default() };
        side.begin();
        side
    }

    /// Makes an instance and runs it, as a start of the program does.
    pub fn begin(&mut self) {
        let config = NodeConfig::new(&self.folder, Network::Regtest, &self.esplora_url);
        let node = Node::build(NodeConfig { listen: vec![self.address.clone()], ..config }).unwrap();
        node.run(self.events.clone()).unwrap();
        wait_for("the node does not run", || (node.status().phase == Phase::Running).then_some(()));
        self.node = Some(node);
    }

    pub fn end(&mut self) {
        if let Some(node) = self.node.take() {
            node.stop().unwrap();
        }
    }

    pub fn node(&self) -> &Node {
        self.node.as_ref().unwrap()
    }

    pub fn id(&self) -> NodeId {
        self.node().node_id()
    }

    pub fn is_usable(&self) -> bool {
        self.node().list_channels().iter().any(|channel| channel.is_usable)
    }

    /// Sends a record and waits until both sides know that it arrived.
    pub fn deliver(&self, to: &Side, preimage: u8, record: &[u8]) {
        let payment = keysend(to.id(), preimage, record);
        let hash = payment.preimage.payment_hash();
        self.node().check(to.id(), payment.amount_msat).unwrap();
        self.node().send(&payment).unwrap();
        let records = vec![TlvRecord { record_type: RECORD_TYPE_DEFAULT, value: Body(record.to_vec()) }];
        assert_eq!(to.events.received(hash), (1_000, records));
        assert_eq!(self.events.succeeded(hash), 0);
    }
}

pub fn keysend(recipient: NodeId, preimage: u8, record: &[u8]) -> Keysend {
    Keysend {
        recipient,
        amount_msat: 1_000,
        fee_limit_msat: 50_000,
        preimage: Preimage([preimage; 32]),
        record_type: RECORD_TYPE_DEFAULT,
        record: Body(record.to_vec()),
    }
}

pub fn reason<T: std::fmt::Debug>(outcome: Result<T, Failure>) -> Reason {
    outcome.unwrap_err().reason
}

/// Why an amount can't be sent.
pub fn cannot_send(from: &Side, to: NodeId, amount_msat: u64) -> Failure {
    match from.node().check(to, amount_msat) {
        Err(SendError::NotSent(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

/// A devnet and two funded nodes on it.
pub struct World {
    runtime: Runtime,
    devnet: Devnet,
    pub alice: Side,
    pub bob: Side,
    _folder: TempDir,
}

/// The nodes end before their folders do.
impl Drop for World {
    fn drop(&mut self) {
        self.alice.end();
        self.bob.end();
    }
}

impl World {
    pub fn begin() -> Self {
        let runtime = Runtime::new().unwrap();
        let devnet = runtime.block_on(Devnet::start(DevnetConfig::default())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let alice = Side::new(folder.path().join("alice"), devnet.url());
        let bob = Side::new(folder.path().join("bob"), devnet.url());
        let world = Self { runtime, devnet, alice, bob, _folder: folder };
        for side in [&world.alice, &world.bob] {
            let address = side.node().new_address().unwrap().parse::<Address<_>>().unwrap();
            world.runtime.block_on(world.devnet.fund(&address.assume_checked(), 1_000_000)).unwrap();
        }
        world.mine(1);
        assert_eq!(world.alice.node().balances().spendable_onchain_sat, 1_000_000);
        world
    }

    /// Mines and lets both nodes see it.
    pub fn mine(&self, blocks: u32) {
        self.runtime.block_on(self.devnet.mine(blocks)).unwrap();
        for side in [&self.alice, &self.bob] {
            let height = side.node().sync().unwrap();
            assert_eq!(side.node().info().block_height, Some(height));
        }
    }

    /// Waits until so many transactions wait for a block.
    pub fn wait_for_mempool(&self, transactions: usize) {
        self.runtime.block_on(self.devnet.wait_for_mempool(transactions, DEADLINE)).unwrap();
    }

    /// Opens a channel from Alice to Bob, of which Bob has two fifths.
    pub fn open_channel(&self) {
        self.open_channel_over(&self.bob.address);
    }

    /// The same over a relay, which Alice takes for Bob. Bob doesn't know where Alice listens.
    pub fn open_channel_over(&self, address: &str) {
        let open = OpenChannel {
            peer: self.bob.id(),
            address: Some(address.to_owned()),
            capacity_sat: 500_000,
            push_sat: 200_000,
            announce: false,
        };
        let user_channel_id = self.alice.node().open_channel(&open).unwrap();
        assert_eq!(self.alice.node().list_channels()[0].user_channel_id, user_channel_id);
        self.wait_for_mempool(1);
        assert_eq!(cannot_send(&self.alice, self.bob.id(), 1_000).reason, Reason::NoChannel);
        self.mine(6);
        for (side, far) in [(&self.alice, &self.bob), (&self.bob, &self.alice)] {
            wait_for("the channel is not usable", || side.is_usable().then_some(()));
            let peer = side.events.wait_for("no channel is ready", |event| match event {
                TransportEvent::ChannelReady { peer } => Some(*peer),
                _ => None,
            });
            assert_eq!(peer, Some(far.id()));
        }
    }
}
