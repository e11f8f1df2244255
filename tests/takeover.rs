//! `boltgram takeover`: a node with a channel and payments goes on, as the same node, with the store of this program, and
//! its old database is never opened again.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use std::{path::Path, sync::Arc};

use boltgram_api::v1;
use ldk_node::{
    Builder, Event,
    bitcoin::{Network, secp256k1::PublicKey},
    config::{BackgroundSyncConfig, EsploraSyncConfig},
    logger::{LogRecord, LogWriter},
};
use serde_json::Value;
use support::{
    DEADLINE, boltgram, boltgram_json,
    chain::{Node, Regtest, USUAL},
    eventually, free_address,
};
use tokio::runtime::Handle;

/// Takes over, which must fail, and gives what it said.
async fn refused(data_dir: &str, more: &[&str]) -> String {
    let output = boltgram(&[&["takeover", "--data-dir", data_dir], more].concat()).await;
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

/// Sends a text each way, and waits until both have arrived.
async fn talk(alice: &Node, bob: &Node, text: &str) {
    for (from, to) in [(alice, bob), (bob, alice)] {
        from.send(to, text).await.unwrap();
        eventually("it has arrived", || async { (to.received(text).await == 1).then_some(()) }).await;
    }
}

async fn channel_ids(node: &Node) -> Vec<String> {
    node.channels().await.into_iter().map(|channel| channel.channel_id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_a_stock_store_goes_on_with_its_channel_in_a_store_of_its_own() {
    let net = Regtest::start().await;
    let stock = Node::start_with(net.folder.path(), "alice", &net.devnet.url(), &["--store", "stock"]);
    let (mut alice, mut bob) = tokio::join!(stock.running(), net.node("bob"));
    net.fund(&[&alice, &bob], 1_000_000).await;
    net.channel(&alice, &bob, USUAL).await;
    talk(&alice, &bob, "before").await;
    let (pubkey, channels) = (alice.pubkey.clone(), channel_ids(&alice).await);
    let data_dir = alice.data_dir.display().to_string();
    let said = refused(&data_dir, &["--yes"]).await;
    assert!(said.contains("in use by another process") && said.contains("can lose all"), "{said}");

    alice.process.stop().await;
    let said = refused(&data_dir, &[]).await;
    assert!(said.contains("--yes"), "{said}");
    let old = alice.data_dir.join("ldk/ldk_node_data.sqlite");
    assert!(old.exists());
    let taken = boltgram_json(&["takeover", "--data-dir", &data_dir, "--yes"]).await;
    assert_eq!(taken["pubkey"], Value::from(pubkey.clone()));
    assert!(taken["keys"].as_u64().unwrap() > 10 && taken["bytes"].as_u64().unwrap() > 10_000, "{taken}");
    let renamed = format!("{}.taken-over", old.display());
    assert!(taken["oldFile"] == *renamed && Path::new(&renamed).exists() && !old.exists());
    assert!(refused(&data_dir, &["--yes"]).await.contains("already"));

    // With the old kind of store it doesn't start any more, and with its own it is the same node.
    alice.again();
    assert_eq!(alice.process.ended().await.code(), Some(1));
    assert!(alice.process.logged().contains("a store of kind own, not stock"), "{}", alice.process.logged());
    assert!(!old.exists());
    let at = alice.argv.iter().position(|arg| arg == "--store").unwrap();
    alice.argv.drain(at..at + 2);
    alice.again();
    let mut alice = alice.running().await;
    alice.usable().await;
    assert_eq!((&alice.pubkey, channel_ids(&alice).await), (&pubkey, channels));
    assert_eq!(alice.received("before").await, 1);
    talk(&alice, &bob, "after").await;
    alice.process.stop().await;
    bob.process.stop().await;
}

struct NoLog;

impl LogWriter for NoLog {
    fn log(&self, _: LogRecord<'_>) {}
}

/// A plain ldk-node, as its own documentation builds it.
fn plain(folder: &Path, esplora: &str, runtime: Handle) -> ldk_node::Node {
    let mut builder = Builder::new();
    builder.set_network(Network::Regtest);
    builder.set_storage_dir_path(folder.display().to_string());
    builder.set_listening_addresses(vec![free_address().parse().unwrap()]).unwrap();
    let background = BackgroundSyncConfig { onchain_wallet_sync_interval_secs: 10, ..Default::default() };
    let sync = EsploraSyncConfig { background_sync_config: Some(background) };
    builder.set_chain_source_esplora(esplora.to_owned(), Some(sync));
    builder.set_custom_logger(Arc::new(NoLog));
    builder.set_runtime(runtime);
    let node = builder.build().unwrap();
    node.start().unwrap();
    node
}

/// Opens a channel from a plain ldk-node, pays over it, and gives the node's key.
async fn with_a_channel(net: &Regtest, bob: &Node, folder: &Path) -> String {
    let node = plain(folder, &net.devnet.url(), Handle::current());
    let to: PublicKey = bob.pubkey.parse().unwrap();
    net.devnet.fund(&node.onchain_payment().new_address().unwrap(), 1_000_000).await.unwrap();
    net.mine(1, &[bob]).await;
    // A sync that was under way already may have asked before the block.
    eventually("the coins are there", || async {
        node.sync_wallets().unwrap();
        (node.list_balances().spendable_onchain_balance_sats > 0).then_some(())
    })
    .await;
    node.open_channel(to, bob.lightning.parse().unwrap(), 500_000, Some(200_000_000), None).unwrap();
    let funding = eventually("the channel has its funding", || async {
        node.list_channels().first().and_then(|channel| channel.funding_txo)
    });
    net.devnet.wait_for_tx(funding.await.txid, DEADLINE).await.unwrap();
    eventually("the channel is usable", || async {
        net.mine(1, &[bob]).await;
        node.sync_wallets().unwrap();
        node.list_channels().iter().any(|channel| channel.is_usable).then_some(())
    })
    .await;
    node.spontaneous_payment().send(10_000, to, None).unwrap();
    eventually("the payment is made", || async {
        let event = node.next_event()?;
        node.event_handled().unwrap();
        matches!(event, Event::PaymentSuccessful { .. }).then_some(())
    })
    .await;
    node.stop().unwrap();
    node.node_id().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_ldk_node_with_a_channel_becomes_a_node_of_this_program() {
    let net = Regtest::start().await;
    let mut bob = net.node("bob").await;
    net.fund(&[&bob], 1_000_000).await;
    let (old, data_dir) = (net.folder.path().join("plain"), net.folder.path().join("alice"));
    let pubkey = with_a_channel(&net, &bob, &old).await;
    let [old, data_dir] = [old, data_dir].map(|path| path.display().to_string());

    let from = ["--from", &old, "--yes", "--network"];
    let said = refused(&data_dir, &[&from[..], &["signet"]].concat()).await;
    assert!(said.contains("another network than signet"), "{said}");
    let taken = boltgram_json(&[&["takeover", "--data-dir", &data_dir], &from[..], &["regtest"]].concat()).await;
    assert_eq!(taken["pubkey"], Value::from(pubkey.clone()));
    assert!(refused(&data_dir, &[&from[..], &["regtest"]].concat()).await.contains("already"));
    let seed = boltgram_json(&["seed", "show", "--data-dir", &data_dir, "--yes", "--json"]).await;
    let bytes = std::fs::read(Path::new(&old).join("keys_seed")).unwrap();
    assert_eq!(seed["seed"], bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());

    let mut alice = Node::start(net.folder.path(), "alice", &net.devnet.url()).running().await;
    assert_eq!(alice.pubkey, pubkey);
    alice.usable().await;
    talk(&alice, &bob, "the same node").await;
    let request = v1::ListPaymentsRequest::default();
    let payments = alice.client().await.node().list_payments(request).await.unwrap().into_inner().payments;
    assert!(payments.iter().any(|payment| payment.amount_msat == 10_000), "what it had paid before is there");
    alice.process.stop().await;
    bob.process.stop().await;
}
