//! Two real nodes on a devnet: a channel, messages both ways, a restart, a close.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../../../tests/support/ports.rs"]
mod ports;

use std::{
    net::TcpListener,
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bitcoin::Address;
use boltgram_core::{
    Failure, NodeId, Reason,
    limits::{RECORD_BYTES_DIRECT_MAX, RECORD_TYPE_DEFAULT},
    message::{Body, PaymentHash},
    transport::{EventHandler, HandlerError, Keysend, Preimage, SendError, TlvRecord, Transport as _, TransportEvent},
};
use boltgram_devnet::{Devnet, DevnetConfig};
use boltgram_lightning::{Network, Node, NodeConfig, OpenChannel, Phase};
use ports::free_address;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until the condition yields something; the time between looks is no synchronisation.
fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(begin.elapsed() < DEADLINE, "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Keeps the events that come, and fails on demand.
#[derive(Default)]
struct Events {
    kept: Mutex<Vec<TransportEvent>>,
    came: Condvar,
    is_broken: AtomicBool,
}

impl EventHandler for Events {
    fn handle(&self, event: TransportEvent) -> Result<(), HandlerError> {
        if self.is_broken.load(Ordering::SeqCst) {
            return Err(HandlerError("the disk is full".into()));
        }
        self.kept.lock().unwrap().push(event);
        self.came.notify_all();
        Ok(())
    }
}

impl Events {
    /// Waits until an event came for which the question has an answer.
    fn wait_for<T>(&self, what: &str, question: impl Fn(&TransportEvent) -> Option<T>) -> T {
        let (mut kept, begin) = (self.kept.lock().unwrap(), Instant::now());
        loop {
            if let Some(answer) = kept.iter().find_map(&question) {
                return answer;
            }
            let left = DEADLINE.checked_sub(begin.elapsed()).unwrap_or_else(|| panic!("{what}: {kept:?}"));
            kept = self.came.wait_timeout(kept, left).unwrap().0;
        }
    }

    fn received(&self, hash: PaymentHash) -> (u64, Vec<TlvRecord>) {
        self.wait_for("no payment came", |event| match event {
            TransportEvent::PaymentReceived { payment_hash, amount_msat, records } if *payment_hash == hash => {
                Some((*amount_msat, records.clone()))
            }
            _ => None,
        })
    }

    fn succeeded(&self, hash: PaymentHash) -> u64 {
        self.wait_for("the payment did not succeed", |event| match event {
            TransportEvent::PaymentSuccessful { payment_hash, fee_msat } if *payment_hash == hash => Some(*fee_msat),
            _ => None,
        })
    }
}

struct Side {
    folder: PathBuf,
    esplora_url: String,
    address: String,
    /// Absent while the program is down.
    node: Option<Arc<Node>>,
    events: Arc<Events>,
}

impl Side {
    fn new(folder: PathBuf, esplora_url: String) -> Self {
        let mut side = Self { folder, esplora_url, address: free_address(), node: None, events: Arc::default() };
        side.begin();
        side
    }

    /// Makes an instance and runs it, as a start of the program does.
    fn begin(&mut self) {
        let config = NodeConfig::new(&self.folder, Network::Regtest, &self.esplora_url);
        let node = Node::build(NodeConfig { listen: vec![self.address.clone()], ..config }).unwrap();
        node.run(self.events.clone()).unwrap();
        wait_for("the node does not run", || (node.status().phase == Phase::Running).then_some(()));
        self.node = Some(node);
    }

    fn end(&mut self) {
        if let Some(node) = self.node.take() {
            node.stop().unwrap();
        }
    }

    fn node(&self) -> &Node {
        self.node.as_ref().unwrap()
    }

    fn id(&self) -> NodeId {
        self.node().node_id()
    }

    fn is_usable(&self) -> bool {
        self.node().list_channels().iter().any(|channel| channel.is_usable)
    }

    /// Sends a record and waits until both sides know that it arrived.
    fn deliver(&self, to: &Side, preimage: u8, record: &[u8]) {
        let payment = keysend(to.id(), preimage, record);
        let hash = payment.preimage.payment_hash();
        self.node().check(to.id(), payment.amount_msat).unwrap();
        self.node().send(&payment).unwrap();
        let records = vec![TlvRecord { record_type: RECORD_TYPE_DEFAULT, value: Body(record.to_vec()) }];
        assert_eq!(to.events.received(hash), (1_000, records));
        assert_eq!(self.events.succeeded(hash), 0);
    }
}

fn keysend(recipient: NodeId, preimage: u8, record: &[u8]) -> Keysend {
    Keysend {
        recipient,
        amount_msat: 1_000,
        fee_limit_msat: 50_000,
        preimage: Preimage([preimage; 32]),
        record_type: RECORD_TYPE_DEFAULT,
        record: Body(record.to_vec()),
    }
}

fn reason<T: std::fmt::Debug>(outcome: Result<T, Failure>) -> Reason {
    outcome.unwrap_err().reason
}

/// A devnet and two funded nodes on it.
struct World {
    runtime: Runtime,
    devnet: Devnet,
    alice: Side,
    bob: Side,
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
    fn begin() -> Self {
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
    fn mine(&self, blocks: u32) {
        self.runtime.block_on(self.devnet.mine(blocks)).unwrap();
        for side in [&self.alice, &self.bob] {
            let height = side.node().sync().unwrap();
            assert_eq!(side.node().info().block_height, Some(height));
        }
    }

    fn wait_for_mempool(&self) {
        self.runtime.block_on(self.devnet.wait_for_mempool(1, DEADLINE)).unwrap();
    }

    /// Opens a channel from Alice to Bob, of which Bob has two fifths.
    fn open_channel(&self) {
        let open = OpenChannel {
            peer: self.bob.id(),
            address: Some(self.bob.address.clone()),
            capacity_sat: 500_000,
            push_sat: 200_000,
            announce: false,
        };
        let user_channel_id = self.alice.node().open_channel(&open).unwrap();
        assert_eq!(self.alice.node().list_channels()[0].user_channel_id, user_channel_id);
        self.wait_for_mempool();
        assert_eq!(reason(self.alice.node().check(self.bob.id(), 1_000)), Reason::NoChannel);
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

/// Reads every log line of the process, of every level, for what must never stand there: the bodies that `deliver`
/// sends, as text, numbers or hex, and its preimages.
struct LogReader;

static LINES: AtomicUsize = AtomicUsize::new(0);
static LEAKS: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl tracing::Subscriber for LogReader {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = event.metadata().target().to_owned();
        event.record(&mut |_: &tracing::field::Field, value: &dyn std::fmt::Debug| line += &format!(" {value:?}"));
        LINES.fetch_add(1, Ordering::SeqCst);
        let preimages = (1..=5).map(|preimage| format!("{preimage:02x}").repeat(32));
        let bodies = ["hello", "104, 101, 108, 108, 111", "68656c6c6f"].map(String::from);
        if preimages.chain(bodies).any(|secret| line.contains(&secret)) {
            LEAKS.lock().unwrap().push(line);
        }
    }
}

#[test]
fn messages_go_both_ways_over_a_channel_that_survives_a_restart_and_closes() {
    tracing::subscriber::set_global_default(LogReader).unwrap();
    let mut world = World::begin();
    let stranger = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".parse().unwrap();
    assert_eq!(reason(world.alice.node().check(world.bob.id(), 1_000)), Reason::NoChannel);
    assert_eq!(reason(world.alice.node().check(world.alice.id(), 1_000)), Reason::OwnPubkey);
    world.open_channel();

    world.alice.deliver(&world.bob, 1, b"hello bob");
    world.bob.deliver(&world.alice, 2, b"hello alice");
    let largest = vec![b'x'; world.alice.node().record_bytes_max(world.bob.id())];
    assert_eq!(largest.len(), RECORD_BYTES_DIRECT_MAX);
    world.alice.deliver(&world.bob, 3, &largest);

    let again = world.alice.node().send(&keysend(world.bob.id(), 1, b"hello bob"));
    assert_eq!(again, Err(SendError::AlreadySent));
    // A young chain's heights are a byte shorter in the onion: one byte more might still fit.
    let too_large = [largest.as_slice(), b"xx"].concat();
    match world.alice.node().send(&keysend(world.bob.id(), 4, &too_large)) {
        Err(SendError::NotSent(failure)) => assert_eq!(failure.reason, Reason::MessageTooLong),
        other => panic!("{other:?}"),
    }
    assert_eq!(reason(world.alice.node().check(stranger, 1_000)), Reason::UnknownNode);
    let too_much = world.alice.node().check(world.bob.id(), 400_000_000).unwrap_err();
    assert_eq!(too_much.reason, Reason::InsufficientOutbound);
    assert!(too_much.metadata["available_msat"].parse::<u64>().unwrap() < 300_000_000, "{too_much:?}");
    assert_eq!(reason(world.alice.node().disconnect(world.bob.id())), Reason::PeerHasChannel);

    let bob = world.bob.id();
    world.bob.end();
    wait_for("Bob is not missed", || (!world.alice.is_usable()).then_some(()));
    assert_eq!(reason(world.alice.node().check(bob, 1_000)), Reason::PeerOffline);
    let channel_id = &world.alice.node().list_channels()[0].channel_id;
    assert_eq!(reason(world.alice.node().close_channel(channel_id, false)), Reason::PeerOffline);
    world.bob.begin();
    let begin = Instant::now();
    for side in [&world.alice, &world.bob] {
        wait_for("the channel does not come back", || side.is_usable().then_some(()));
    }
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    world.alice.deliver(&world.bob, 5, b"still there?");

    let channel_id = world.bob.node().list_channels()[0].user_channel_id.clone();
    world.bob.node().close_channel(&channel_id, false).unwrap();
    for side in [&world.alice, &world.bob] {
        side.events.wait_for("the channel is not closed", |event| {
            matches!(event, TransportEvent::ChannelClosed { .. }).then_some(())
        });
        assert!(side.node().list_channels().is_empty());
    }
    assert_eq!(reason(world.bob.node().close_channel(&channel_id, false)), Reason::ChannelNotFound);
    world.wait_for_mempool();
    world.mine(1);
    wait_for("Alice has her funds back", || {
        world.alice.node().sync().unwrap();
        (world.alice.node().balances().total_onchain_sat > 790_000).then_some(())
    });

    assert!(LINES.load(Ordering::SeqCst) > 1_000, "the log was not read");
    assert_eq!(*LEAKS.lock().unwrap(), Vec::<String>::new());
}

#[test]
fn an_event_that_could_not_be_kept_fails_the_node_and_comes_again() {
    let mut world = World::begin();
    world.open_channel();
    world.bob.events.is_broken.store(true, Ordering::SeqCst);
    let payment = keysend(world.bob.id(), 1, b"keep me");
    let hash = payment.preimage.payment_hash();
    world.alice.node().send(&payment).unwrap();
    wait_for("the node does not fail", || (world.bob.node().status().phase == Phase::Failed).then_some(()));
    assert!(world.bob.node().status().message.contains("the disk is full"));
    assert_eq!(world.bob.node().run(world.bob.events.clone()).unwrap_err().code(), "FAILED");

    world.bob.events.is_broken.store(false, Ordering::SeqCst);
    world.bob.end();
    world.bob.begin();
    assert_eq!(world.bob.events.received(hash).0, 1_000);
    // The node may have stopped before its claim had reached the sender: then it does so now.
    world.alice.events.succeeded(hash);
}

#[test]
fn a_channel_that_cannot_be_is_refused_with_what_is_missing() {
    let world = World::begin();
    let open = OpenChannel {
        peer: world.bob.id(),
        address: Some(world.bob.address.clone()),
        capacity_sat: 500_000,
        push_sat: 0,
        announce: false,
    };
    let refused = |open: OpenChannel| world.alice.node().open_channel(&open).unwrap_err();
    let poor = refused(OpenChannel { capacity_sat: 980_000, ..open.clone() });
    assert_eq!(poor.reason, Reason::InsufficientFunds);
    assert_eq!((poor.metadata["needed_sat"].as_str(), poor.metadata["available_sat"].as_str()), ("1005000", "1000000"));
    let away = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    assert_eq!(refused(OpenChannel { address: Some(away), ..open.clone() }).reason, Reason::PeerOffline);
    for (field, open) in [
        ("announce", OpenChannel { announce: true, ..open.clone() }),
        ("address", OpenChannel { address: Some("nowhere".into()), ..open.clone() }),
        ("address", OpenChannel { address: None, ..open.clone() }),
        ("capacity_sat", OpenChannel { capacity_sat: 1, ..open.clone() }),
        ("push_sat", OpenChannel { push_sat: 500_000, ..open }),
    ] {
        assert_eq!(refused(open).metadata["field"], field);
    }

    world.alice.node().connect(world.bob.id(), &world.bob.address, true).unwrap();
    let peers = world.alice.node().list_peers();
    assert_eq!((peers.len(), peers[0].node_id), (1, world.bob.id()));
    assert!(peers[0].is_connected && peers[0].is_persisted);
    world.alice.node().disconnect(world.bob.id()).unwrap();
    wait_for("Bob is still a peer", || world.alice.node().list_peers().is_empty().then_some(()));
}
