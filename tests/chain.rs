//! An Esplora server in trouble while a node runs: the node stays up, says so, carries messages, recovers, and can be
//! stopped.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use std::time::{Duration, Instant};

use boltgram_api::{
    client::{
        Client,
        health::{HealthCheckRequest, health_check_response::ServingStatus},
    },
    v1,
};
use support::{
    chain::{Node, Refused, Regtest, USUAL},
    eventually,
    proxy::{Mode, Proxy},
};

/// A stop may take so long.
const STOP_MAX: Duration = Duration::from_secs(30);

/// Runs a node through one kind of trouble. `told` is what its status is to say.
async fn in_trouble(mode: Mode, told: &str) {
    let net = Regtest::start().await;
    let mut proxy = Proxy::start(&net.devnet.url()).await;
    let (mut alice, bob) = (net.node_at("alice", &proxy.url()).await, net.node("bob").await);
    net.fund(&[&alice, &bob], 1_000_000).await;
    net.channel(&alice, &bob, USUAL).await;

    proxy.set(mode).await;
    net.devnet.mine(3).await.unwrap();
    let height = i64::from(net.devnet.height().await.unwrap());
    let syncing = tokio::spawn(sync(alice.client().await));
    says(&alice, told).await;
    assert_eq!(serving(&alice).await, ServingStatus::Serving, "it carries messages, so it serves");
    for (from, to) in [(&alice, &bob), (&bob, &alice)] {
        from.send(to, "in spite of it").await.unwrap();
        eventually("it has arrived", || async { (to.received("in spite of it").await == 1).then_some(()) }).await;
    }
    let refused = syncing.await.unwrap().unwrap_err();
    assert_eq!((refused.code, refused.reason.as_str()), (tonic::Code::Unavailable.into(), "CHAIN_UNAVAILABLE"));

    // Of itself it comes up to the blocks that it missed.
    assert!(alice.info().await.block_height < height);
    proxy.set(Mode::Pass).await;
    eventually("it has caught up", || async { (alice.info().await.block_height == height).then_some(()) }).await;
    says(&alice, "").await;
    alice.send(&bob, "afterwards").await.unwrap();

    proxy.set(mode).await;
    stops(&mut alice, &bob).await;
    // A start in the same trouble waits, and a stop ends that too.
    alice.again();
    eventually("it says what it waits for", || async {
        let client = Client::connect(&alice.grpc).await.ok()?;
        let info = client.node().get_info(v1::GetInfoRequest {}).await.ok()?.into_inner();
        (info.phase() == v1::Phase::Starting).then_some(())
    })
    .await;
    alice.process.stop().await;
}

/// The worst time to be stopped: the peer is frozen with a payment in flight, and a sync is waited for.
async fn stops(node: &mut Node, peer: &Node) {
    peer.process.signal("STOP");
    let (client, request) = (
        node.client().await,
        v1::SendRequest {
            pubkey: peer.pubkey.clone(),
            content: Some(v1::send_request::Content::Text("in flight".into())),
            ..Default::default()
        },
    );
    let sending = tokio::spawn(async move { client.messages().send(request).await });
    eventually("the payment is under way", || async {
        node.messages().await.iter().any(|message| message.state() == v1::State::Sending).then_some(())
    })
    .await;
    let syncing = tokio::spawn(sync(node.client().await));
    let asked = Instant::now();
    node.process.stop().await;
    assert!(asked.elapsed() < STOP_MAX, "{:?}", asked.elapsed());
    let told = Refused::from(sending.await.unwrap().unwrap_err());
    assert_eq!(told.reason, "DEADLINE_EXCEEDED", "{told:?}");
    // A slow server may have answered it in time.
    let _ = syncing.await.unwrap();
    peer.process.signal("CONT");
}

async fn sync(client: Client) -> Result<i64, Refused> {
    Ok(client.node().sync(v1::SyncRequest {}).await?.into_inner().block_height)
}

/// Waits until the node, running, says something that contains `told`, or nothing at all when that is empty.
async fn says(node: &Node, told: &str) {
    eventually(&format!("its status says {told:?}"), || async {
        let info = node.info().await;
        assert_eq!(info.phase(), v1::Phase::Running);
        let is_told = if told.is_empty() { info.status_message.is_empty() } else { info.status_message.contains(told) };
        is_told.then_some(())
    })
    .await;
}

async fn serving(node: &Node) -> ServingStatus {
    node.client().await.health().check(HealthCheckRequest::default()).await.unwrap().into_inner().status()
}

// A request to a server that answers 500 is tried 6 times by ldk-node's client, with growing waits; a sync gives up after
// 10 s (channels) or 20 s (wallet), and both are its own constants. So with new blocks to read, a server that takes 2 s
// for each answer never gets a sync done, and only a call that finds nothing new succeeds.
#[tokio::test(flavor = "multi_thread")]
async fn an_esplora_server_that_takes_two_seconds_for_each_answer() {
    in_trouble(Mode::Slow(Duration::from_secs(2)), "too slowly").await;
}

// Three at once: they wait most of the time.
#[tokio::test(flavor = "multi_thread")]
async fn an_esplora_server_that_stops_and_comes_back_or_answers_500_or_answers_garbage() {
    tokio::join!(
        in_trouble(Mode::Stopped, "refused"),
        in_trouble(Mode::Failing, "HTTP 500"),
        in_trouble(Mode::Garbage, "not of the Esplora API"),
    );
}
