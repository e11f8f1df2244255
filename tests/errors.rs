//! The error table, row by row: each reason that messages and the chain make occur is provoked for real, through gRPC and
//! HTTP. The rest of it is in `refusals.rs`.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use std::time::Duration;

use boltgram_api::v1;
use boltgram_core::{
    Reason,
    limits::{AMOUNT_SAT_MAX, SUBSCRIBERS_MAX},
};
use serde_json::json;
use support::{
    chain::{Node, Opening, Regtest, USUAL},
    doors::{Call, is_for},
    eventually, free_address,
    proxy::{Mode, Proxy},
};

/// A key that is valid, and nobody's.
const NOBODY: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

/// A message id that is valid, and nobody's.
const NO_MESSAGE: &str = "0190163d-8694-739b-aea5-966c26f8ad91";

fn send(to: &str, text: &str) -> Call {
    Call::send(to, text)
}

/// The same through boltgram's own service.
fn send_v1(to: &str, text: &str) -> Call {
    Call::post("boltgram.v1.Messages/Send", "/v1/messages", json!({ "pubkey": to, "text": text }))
}

fn get(id: &str) -> Call {
    Call::get("boltgram.v1.Messages/Get", format!("/v1/messages/{id}"), json!({ "id": id }))
}

fn sync_call() -> Call {
    Call::post("boltgram.v1.Node/Sync", "/v1/node/sync", json!({}))
}

fn connect(to: &str, address: &str) -> Call {
    Call::post("boltgram.v1.Node/Connect", "/v1/node/peers", json!({ "pubkey": to, "address": address }))
}

fn open(to: &str, address: &str, capacity_sat: i64) -> Call {
    let body = json!({ "pubkey": to, "address": address, "capacity_sat": capacity_sat.to_string() });
    Call::post("boltgram.v1.Node/OpenChannel", "/v1/node/channels", body)
}

/// One `name = value` of the metadata.
fn data(name: &'static str, value: impl ToString) -> (&'static str, String) {
    (name, value.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request_is_told() {
    let net = Regtest::start().await;
    let mut alice = net.node("alice").await;
    for key in ["", "02ab", &"00".repeat(33), &NOBODY.replace("02", "05")] {
        send(key, "x").told(&alice, Reason::InvalidPubkey, &[]).await;
        send_v1(key, "x").told(&alice, Reason::InvalidPubkey, &[]).await;
    }
    connect("02ab", "127.0.0.1:9735").told(&alice, Reason::InvalidPubkey, &[]).await;
    let own = alice.pubkey.clone();
    send(&own, "x").told(&alice, Reason::OwnPubkey, &[]).await;
    connect(&own, &alice.lightning.clone()).told(&alice, Reason::OwnPubkey, &[]).await;
    open(&own, &alice.lightning.clone(), 100_000).told(&alice, Reason::OwnPubkey, &[]).await;
    send(NOBODY, "").told(&alice, Reason::EmptyMessage, &[]).await;
    send_v1(NOBODY, "").told(&alice, Reason::EmptyMessage, &[]).await;

    send(NOBODY, "x").with("amount", json!("-1")).told(&alice, Reason::InvalidAmount, &[]).await;
    let beyond = json!((AMOUNT_SAT_MAX + 1).to_string());
    let limit = [data("amount_sat_max", AMOUNT_SAT_MAX)];
    send(NOBODY, "x").with("amount", beyond.clone()).told(&alice, Reason::InvalidAmount, &limit).await;
    send_v1(NOBODY, "x").with("amount_sat", beyond).told(&alice, Reason::InvalidAmount, &limit).await;

    get("nonsense").told(&alice, Reason::InvalidId, &[]).await;
    // A version 4 UUID.
    get("c5c4b1f0-8a7e-4b5e-9b7e-2f1f6f0a9a55").told(&alice, Reason::InvalidId, &[]).await;
    send(NOBODY, "x").with("reply_to_id", json!("nonsense")).told(&alice, Reason::InvalidId, &[]).await;

    let field = |name: &str| [data("field", name)];
    let list = Call::get("boltgram.v1.Messages/List", "/v1/messages?page_size=-1", json!({ "page_size": -1 }));
    list.told(&alice, Reason::InvalidField, &field("page_size")).await;
    let typed = send_v1(NOBODY, "x").with("content_type", json!("no media type"));
    typed.told(&alice, Reason::InvalidField, &field("content_type")).await;
    connect(NOBODY, "nowhere").told(&alice, Reason::InvalidField, &field("address")).await;
    open(NOBODY, "127.0.0.1:9735", 1).told(&alice, Reason::InvalidField, &field("capacity_sat")).await;
    alice.process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_told() {
    let net = Regtest::start().await;
    let mut alice = net.node("alice").await;
    get(NO_MESSAGE).told(&alice, Reason::MessageNotFound, &[]).await;
    let id = "0".repeat(64);
    let close = Call::post(
        "boltgram.v1.Node/CloseChannel",
        format!("/v1/node/channels/{id}/close"),
        json!({ "channel_id": id, "force": false }),
    );
    close.told(&alice, Reason::ChannelNotFound, &[]).await;
    send(NOBODY, "x").told(&alice, Reason::NoChannel, &[]).await;
    connect(NOBODY, &free_address()).told(&alice, Reason::PeerOffline, &[]).await;

    net.fund(&[&alice], 60_000).await;
    // 25,000 sat are kept for a close.
    let both = [data("needed_sat", 125_000), data("available_sat", 60_000)];
    open(NOBODY, &free_address(), 100_000).told(&alice, Reason::InsufficientFunds, &both).await;
    open(NOBODY, &free_address(), 30_000).told(&alice, Reason::PeerOffline, &[]).await;
    alice.process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_its_esplora_server_tells_so() {
    let net = Regtest::start().await;
    let mut proxy = Proxy::start(&net.devnet.url()).await;
    proxy.set(Mode::Stopped).await;
    let alice = Node::start(net.folder.path(), "alice", &proxy.url());
    eventually("the API answers", || async { boltgram_api::client::Client::connect(&alice.grpc).await.ok() }).await;
    for call in [send(NOBODY, "x"), sync_call(), connect(NOBODY, "127.0.0.1:9735")] {
        call.told(&alice, Reason::Starting, &[]).await;
    }
    proxy.set(Mode::Pass).await;
    let mut alice = alice.running().await;
    sync_call().by_http(&alice).await.unwrap();
    proxy.set(Mode::Stopped).await;
    sync_call().told(&alice, Reason::ChainUnavailable, &[]).await;
    alice.process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_channel_cannot_carry_is_told_with_the_numbers() {
    let net = Regtest::start().await;
    let (mut alice, bob) = net.pair_with_channel().await;
    send(NOBODY, "x").told(&alice, Reason::UnknownNode, &[]).await;

    // Too much: one satoshi beyond what the channel shows.
    let limit_msat = alice.channels().await[0].next_outbound_htlc_limit_msat;
    let most_sat = limit_msat / 1_000;
    let numbers = [data("needed_msat", (most_sat + 1) * 1_000), data("available_msat", limit_msat)];
    let too_much = send(&bob.pubkey, "all of it").with("amount", json!((most_sat + 1).to_string()));
    too_much.told(&alice, Reason::InsufficientOutbound, &numbers).await;

    // Too long: the number told is exact, in bytes and not in letters.
    let [told, _] = send(&bob.pubkey, &"ü".repeat(40_000)).told(&alice, Reason::MessageTooLong, &[]).await;
    let limit_bytes: usize = told.metadata["limit_bytes"].parse().unwrap();
    assert_eq!(told.metadata["message_bytes"], "80000");
    let most = "m".repeat(limit_bytes);
    let numbers = [data("limit_bytes", limit_bytes), data("message_bytes", limit_bytes + 1)];
    send(&bob.pubkey, &format!("{most}m")).told(&alice, Reason::MessageTooLong, &numbers).await;
    alice.send(&bob, &most).await.unwrap();
    arrives(&bob, &most).await;

    // Exactly what it shows goes, as soon as the payment before is off the channel on both sides.
    let all = send(&bob.pubkey, "all of it").with("amount", json!(most_sat.to_string()));
    eventually("all of it goes", || async { all.by_http(&alice).await.ok() }).await;
    arrives(&bob, "all of it").await;
    assert_eq!(bob.received("m").await, 0, "what was refused never arrived");

    bob.process.signal("KILL");
    eventually("alice has noticed", || async { (alice.info().await.connected_peers == 0).then_some(()) }).await;
    send(&bob.pubkey, "x").told(&alice, Reason::PeerOffline, &[]).await;
    alice.process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_store_that_cannot_write_is_told_and_nothing_is_sent() {
    let net = Regtest::start().await;
    let (mut alice, mut bob) = net.pair_with_channel().await;
    // Another program holds the file for longer than the store waits.
    let file = rusqlite::Connection::open(alice.data_dir.join("messages.sqlite")).unwrap();
    file.execute_batch("BEGIN EXCLUSIVE").unwrap();
    send(&bob.pubkey, "not kept").told(&alice, Reason::StoreError, &[]).await;
    file.execute_batch("ROLLBACK").unwrap();
    drop(file);
    alice.send(&bob, "kept").await.unwrap();
    arrives(&bob, "kept").await;
    assert_eq!(bob.received("not kept").await, 0);
    for node in [&mut alice, &mut bob] {
        node.process.stop().await;
    }
}

/// Waits until a node has a text, and requires that it has it once.
async fn arrives(at: &Node, text: &str) {
    eventually("it has arrived", || async { (at.received(text).await > 0).then_some(()) }).await;
    assert_eq!(at.received(text).await, 1);
}

async fn state(of: &Node, id: &str) -> v1::State {
    let request = v1::GetRequest { id: id.to_owned() };
    of.client().await.messages().get(request).await.unwrap().into_inner().message.unwrap().state()
}

async fn is_delivered(of: &Node, id: &str) {
    eventually("it is delivered", || async { (state(of, id).await == v1::State::Delivered).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_past_its_deadline_goes_on_and_is_found_by_the_id_in_the_error() {
    let net = Regtest::start().await;
    let (mut alice, mut bob) = net.pair_with_channel().await;
    bob.process.signal("STOP");
    let late = send(&bob.pubkey, "late").within(Duration::from_secs(3));
    let mut ids = Vec::new();
    for told in late.told(&alice, Reason::DeadlineExceeded, &[]).await {
        ids.push(told.metadata["id"].clone());
    }
    assert_ne!(ids[0], ids[1], "each call is a message of its own");
    for id in &ids {
        assert_eq!(state(&alice, id).await, v1::State::Sending);
    }
    // The peer stays frozen: as many payments as the channel may take, and what comes after them waits for room.
    for _ in 0..60 {
        let call = send(&bob.pubkey, "one of many").within(Duration::from_millis(50));
        is_for(&call.by_http(&alice).await.unwrap_err(), Reason::DeadlineExceeded);
    }

    bob.process.signal("CONT");
    for id in &ids {
        is_delivered(&alice, id).await;
    }
    eventually("both have arrived", || async { (bob.received("late").await == 2).then_some(()) }).await;
    eventually("all are settled", || async {
        alice.messages().await.iter().all(|message| message.state() == v1::State::Delivered).then_some(())
    })
    .await;
    eventually("all have arrived", || async { (bob.received("one of many").await == 60).then_some(()) }).await;
    for node in [&mut alice, &mut bob] {
        node.process.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_node_refuses_new_messages_and_tells_the_fate_of_those_under_way() {
    let net = Regtest::start().await;
    let (mut alice, mut bob) = net.pair_with_channel().await;
    bob.process.signal("STOP");
    let (grpc, to) = (alice.grpc.clone(), bob.pubkey.clone());
    let sending =
        tokio::spawn(async move { support::boltgram(&["send", &to, "from the terminal", "--grpc", &grpc]).await });
    let id = eventually("it is under way", || async { alice.messages().await.pop().map(|message| message.id) }).await;
    alice.process.signal("TERM");
    eventually("the stop has begun", || async {
        let told = send(&bob.pubkey, "x").within(Duration::from_millis(100)).by_http(&alice).await.unwrap_err();
        (told.reason == Reason::Stopping.code()).then_some(())
    })
    .await;
    send(&bob.pubkey, "x").told(&alice, Reason::Stopping, &[]).await;
    let output = sending.await.unwrap();
    let shown = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(5), "{shown}");
    assert!(shown.contains(&id) && shown.contains(Reason::DeadlineExceeded.code()), "{shown}");
    assert!(alice.process.ended().await.success(), "{}", alice.process.logged());

    bob.process.signal("CONT");
    alice.again();
    let mut alice = alice.running().await;
    is_delivered(&alice, &id).await;
    arrives(&bob, "from the terminal").await;
    for node in [&mut alice, &mut bob] {
        node.process.stop().await;
    }
}

/// Sends a text from the first of these nodes to the last, once there is a way. LDK takes a channel into a route only when
/// it has the `channel_update` of both sides (lightning 0.2.7, `ChannelInfo::as_directed_to`), and a side drops the other's
/// when that comes before the channel's announcement. Both are sent again at every sixth block (`do_chain_event`).
async fn finds_a_way(net: &Regtest, nodes: &[&Node], text: &str) {
    let [from, .., to] = nodes else { panic!("two nodes at least") };
    eventually("there is a way", || async {
        match from.send(to, text).await {
            Ok(_) => Some(()),
            Err(_) => {
                net.mine(1, nodes).await;
                None
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_goes_over_two_hops_and_where_no_route_leads_is_told() {
    let net = Regtest::start().await;
    let (mut alice, mut bob) = net.pair().await;
    let mut carol = net.node("carol").await;
    net.fund(&[&bob, &carol], 1_000_000).await;
    let announced = Opening { announce: true, ..USUAL };
    net.channel(&alice, &bob, announced).await;
    // Whom nobody has heard of yet is told from whom no path leads to.
    send(&carol.pubkey, "x").told(&alice, Reason::UnknownNode, &[]).await;
    net.channel(&bob, &carol, Opening { capacity_sat: 100_000, push_sat: 50_000, ..announced }).await;
    finds_a_way(&net, &[&alice, &bob, &carol], "over two hops").await;
    arrives(&carol, "over two hops").await;
    finds_a_way(&net, &[&carol, &bob, &alice], "and back").await;
    arrives(&alice, "and back").await;
    let sent = alice.messages().await.into_iter().find(|message| message.text == "over two hops").unwrap();
    assert_eq!((sent.state(), sent.amount_sat), (v1::State::Delivered, 1));
    assert!(sent.fee_msat > 0, "the hop between is paid");

    // As long as it may be.
    let [told, _] = send(&carol.pubkey, &"m".repeat(100_000)).told(&alice, Reason::MessageTooLong, &[]).await;
    let most = "m".repeat(told.metadata["limit_bytes"].parse().unwrap());
    alice.send(&carol, &most).await.unwrap();
    arrives(&carol, &most).await;

    // More than the second channel holds, and then less fee than the hop asks for.
    send(&carol.pubkey, "x").with("amount", json!("20000")).told(&alice, Reason::NoRoute, &[]).await;
    let free = send_v1(&carol.pubkey, "x").with("fee_limit_sat", json!("0"));
    free.told(&alice, Reason::NoRoute, &[data("fee_limit_msat", 0)]).await;
    for node in [&mut alice, &mut bob, &mut carol] {
        node.process.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_beyond_the_limit_are_refused_with_it() {
    let net = Regtest::start().await;
    let mut alice = net.node("alice").await;
    let request = v1::SubscribeRequest { after_sequence: None, include_sent: false };
    let mut streams = Vec::new();
    // A connection carries some 200 calls.
    for _ in 0..SUBSCRIBERS_MAX / 128 {
        let client = alice.client().await;
        for _ in 0..128 {
            streams.push(client.messages().subscribe(request).await.unwrap());
        }
    }
    let one_more = Call::get("boltgram.v1.Messages/Subscribe", "/v1/messages/subscribe", json!({}));
    one_more.told(&alice, Reason::TooManyCalls, &[data("limit", SUBSCRIBERS_MAX)]).await;
    drop(streams);
    eventually("there is room again", || async {
        alice.client().await.messages().subscribe(request).await.ok().map(|_| ())
    })
    .await;
    alice.process.stop().await;
}
