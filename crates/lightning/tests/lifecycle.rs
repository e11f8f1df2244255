//! A node's life with and without an Esplora server: build, wait, run, stop, and what is refused on the way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    fs,
    net::TcpListener,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use boltgram_core::{
    NodeId, Reason,
    transport::{EventHandler, HandlerError, SendError, Transport as _, TransportEvent},
};
use boltgram_devnet::{Devnet, DevnetConfig};
use boltgram_lightning::{Network, Node, NodeConfig, OpenChannel, Phase};

struct NoEvents;

impl EventHandler for NoEvents {
    fn handle(&self, event: TransportEvent) -> Result<(), HandlerError> {
        panic!("{event:?}");
    }
}

/// A configuration whose Esplora server isn't there.
fn config(data_dir: &Path) -> NodeConfig {
    NodeConfig::new(data_dir, Network::Regtest, "http://user:secret@127.0.0.1:1")
}

/// Waits until the node's status fulfils the condition.
async fn wait_for(node: &Node, phase: Phase, text: &str) {
    let mut status = node.watch_status();
    let fulfilled = status.wait_for(|status| status.phase == phase && status.message.contains(text));
    let waited = tokio::time::timeout(Duration::from_secs(20), fulfilled).await;
    assert!(waited.is_ok(), "{:?}", node.status());
}

/// Why nothing can be sent.
fn cannot_send(node: &Node, peer: NodeId) -> Reason {
    match node.check(peer, 1_000) {
        Err(SendError::NotSent(failure)) => failure.reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_esplora_says_what_it_waits_for_and_stops_promptly() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::build(config(folder.path())).unwrap();
    node.run(Arc::new(NoEvents)).unwrap();
    wait_for(&node, Phase::Starting, "waiting for Esplora at http://127.0.0.1:1").await;

    let info = node.info();
    assert_eq!((info.status.phase, info.network, info.block_height), (Phase::Starting, Network::Regtest, None));
    let peer = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".parse().unwrap();
    let open = OpenChannel { peer, address: None, capacity_sat: 100_000, push_sat: 0, announce: false };
    for reason in [
        cannot_send(&node, peer),
        node.connect(peer, "127.0.0.1:1", true).unwrap_err().reason,
        node.open_channel(&open).unwrap_err().reason,
        node.close_channel("1", false).unwrap_err().reason,
        node.sync().unwrap_err().reason,
    ] {
        assert_eq!(reason, Reason::Starting);
    }
    assert!(node.new_address().unwrap().starts_with("bcrt1"));
    assert!(node.list_channels().is_empty() && node.list_peers().is_empty());
    assert_eq!(node.run(Arc::new(NoEvents)).unwrap_err().code(), "ALREADY_RUNNING");

    let begin = Instant::now();
    node.stop().unwrap();
    node.stop().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    assert_eq!(node.status().phase, Phase::Stopped);
    assert_eq!(cannot_send(&node, peer), Reason::Stopping);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_node_can_be_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::build(config(folder.path())).unwrap();
    for _ in 0..2 {
        node.run(Arc::new(NoEvents)).unwrap();
        wait_for(&node, Phase::Starting, "waiting for Esplora").await;
        node.stop().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_runs_as_soon_as_esplora_is_there_and_runs_again_after_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = free.local_addr().unwrap();
    drop(free);
    let config = NodeConfig { esplora_url: format!("http://{listen}"), ..config(folder.path()) };
    let node = Node::build(config).unwrap();
    node.run(Arc::new(NoEvents)).unwrap();
    wait_for(&node, Phase::Starting, "waiting for Esplora").await;

    let _devnet = Devnet::start(DevnetConfig { listen, ..DevnetConfig::default() }).await.unwrap();
    wait_for(&node, Phase::Running, "").await;
    assert_eq!(node.status().message, "");
    assert!(node.info().block_height.is_some());
    node.stop().unwrap();
    node.run(Arc::new(NoEvents)).unwrap();
    wait_for(&node, Phase::Running, "").await;
    node.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_never_starts_on_another_networks_chain() {
    let folder = tempfile::tempdir().unwrap();
    let devnet = Devnet::start(DevnetConfig::default()).await.unwrap();
    let config = NodeConfig { network: Network::Signet, esplora_url: devnet.url(), ..config(folder.path()) };
    let node = Node::build(config).unwrap();
    node.run(Arc::new(NoEvents)).unwrap();
    wait_for(&node, Phase::Starting, "serves another network than signet").await;
    node.stop().unwrap();
}

#[test]
fn a_node_keeps_its_id_and_signs_as_it() {
    let folder = tempfile::tempdir().unwrap();
    let first = Node::build(config(folder.path())).unwrap();
    let id = first.node_id();
    assert_eq!(Node::build(config(folder.path())).unwrap_err().code(), "DATA_DIR_IN_USE");
    drop(first);
    let again = Node::build(config(folder.path())).unwrap();
    assert_eq!(again.node_id(), id);
    assert_eq!(again.sign(b"text").unwrap().signer(b"text"), Some(id));
    assert_eq!(again.chain_hash(), Network::Regtest.into());
    again.stop().unwrap();
}

#[test]
fn what_would_lose_funds_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(Node::build(config(folder.path())).unwrap());

    let other = NodeConfig { network: Network::Signet, ..config(folder.path()) };
    assert_eq!(Node::build(other).unwrap_err().code(), "OTHER_NETWORK");

    let seed = folder.path().join("seed");
    let words = fs::read_to_string(&seed).unwrap();
    fs::remove_file(&seed).unwrap();
    assert_eq!(Node::build(config(folder.path())).unwrap_err().code(), "SEED_MISSING");
    assert!(!seed.exists());

    fs::write(&seed, ["abandon"; 23].join(" ") + " art").unwrap();
    assert_eq!(Node::build(config(folder.path())).unwrap_err().code(), "BUILD");
    fs::write(&seed, words).unwrap();
    Node::build(config(folder.path())).unwrap();
}

#[test]
fn a_port_in_use_is_named_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = Node::build(NodeConfig { listen: vec![address.clone()], ..config(&data_dir) }).unwrap_err();
    assert_eq!(error.code(), "LISTEN");
    assert!(error.to_string().contains(&address), "{error}");
    assert!(!data_dir.exists());
}
