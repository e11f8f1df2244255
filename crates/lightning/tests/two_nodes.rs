//! Two real nodes on a devnet: a channel, messages both ways, a restart, a close.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod world;

use std::{
    net::TcpListener,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use boltgram_core::{
    Reason,
    limits::RECORD_BYTES_DIRECT_MAX,
    transport::{SendError, Transport as _, TransportEvent},
};
use boltgram_lightning::{OpenChannel, Phase};
use world::{World, cannot_send, keysend, reason, wait_for};

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
    assert_eq!(cannot_send(&world.alice, world.bob.id(), 1_000).reason, Reason::NoChannel);
    assert_eq!(cannot_send(&world.alice, world.alice.id(), 1_000).reason, Reason::OwnPubkey);
    world.open_channel();

    world.alice.deliver(&world.bob, 1, b"hello bob");
    world.bob.deliver(&world.alice, 2, b"hello alice");
    let largest = vec![b'x'; world.alice.node().road(world.bob.id()).room_bytes];
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
    assert_eq!(cannot_send(&world.alice, stranger, 1_000).reason, Reason::UnknownNode);
    let too_much = cannot_send(&world.alice, world.bob.id(), 400_000_000);
    assert_eq!(too_much.reason, Reason::InsufficientOutbound);
    assert!(too_much.metadata["available_msat"].parse::<u64>().unwrap() < 300_000_000, "{too_much:?}");
    assert_eq!(reason(world.alice.node().disconnect(world.bob.id())), Reason::PeerHasChannel);

    let bob = world.bob.id();
    world.bob.end();
    wait_for("Bob is not missed", || (!world.alice.is_usable()).then_some(()));
    assert_eq!(cannot_send(&world.alice, bob, 1_000).reason, Reason::PeerOffline);
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
    world.wait_for_mempool(1);
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

#[test]
fn several_channels_to_a_peer_are_opened_in_one_go_each_with_coins_of_its_own() {
    let world = World::begin();
    let open = OpenChannel {
        peer: world.bob.id(),
        address: Some(world.bob.address.clone()),
        capacity_sat: 200_000,
        push_sat: 20_000,
        announce: false,
    };
    let alice = world.alice.node();
    let refused = |count| alice.open_channels(&open, count).unwrap_err();
    for count in [0, 5] {
        assert_eq!(refused(count).metadata["field"], "count");
    }
    // A million satoshi are not enough for five times 200,000 and the reserves: nothing is begun.
    let dear = OpenChannel { capacity_sat: 300_000, ..open.clone() };
    let poor = alice.open_channels(&dear, 4).unwrap_err();
    assert_eq!(poor.reason, Reason::InsufficientFunds);
    assert_eq!(poor.metadata["needed_sat"], "1300000");
    assert!(alice.list_channels().is_empty());

    let opened = alice.open_channels(&open, 3).unwrap();
    assert_eq!((opened.user_channel_ids.len(), &opened.failure), (3, &None));
    // A fourth one in a call of its own is not paid with the third one's coins either.
    let fourth = alice.open_channel(&open).unwrap();
    world.wait_for_mempool(4);
    // The peer takes no fifth one before one of these is confirmed.
    let small = OpenChannel { capacity_sat: 20_000, push_sat: 0, ..open.clone() };
    let opened_late = alice.open_channels(&small, 2);
    assert_eq!(opened_late.unwrap_err().reason, Reason::ChannelBusy);
    world.mine(6);
    let usable = || alice.list_channels().into_iter().filter(|channel| channel.is_usable).collect::<Vec<_>>();
    wait_for("the channels are not usable", || (usable().len() == 4).then_some(()));
    let mut ids: Vec<String> = usable().into_iter().map(|channel| channel.user_channel_id).collect();
    let mut expected = [opened.user_channel_ids, vec![fourth]].concat();
    ids.sort();
    expected.sort();
    assert_eq!(ids, expected);
    assert_eq!(alice.road(world.bob.id()).slots, 200);
}
