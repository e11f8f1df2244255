//! Just-in-time channels through the real binary: a fresh node is paid over a channel that its provider opens for it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../crates/lightning/tests/provider/mod.rs"]
mod provider;
mod support;

use std::path::Path;

use ldk_node::lightning_invoice::Bolt11Invoice;
use provider::{FEE_MSAT, TOKEN, World, wait_for};
use serde_json::{Value, json};
use support::{BOLTGRAM, Process, boltgram, boltgram_json, eventually, free_address};

/// A node by itself, on the devnet at `esplora`, and its provider if it has one.
struct Solo {
    grpc: String,
    http: String,
    process: Process,
}

impl Solo {
    async fn start(folder: &Path, esplora: &str, provider: Option<&str>) -> Self {
        let [grpc, http, listen] = [free_address(), free_address(), free_address()];
        let data_dir = folder.display().to_string();
        let flags = [("--data-dir", data_dir.as_str()), ("--esplora", esplora), ("--grpc", &grpc), ("--http", &http)];
        let provider = provider.into_iter().flat_map(|provider| [("--lsps2-node", provider), ("--lsps2-token", TOKEN)]);
        let flags = flags.into_iter().chain([("--listen", listen.as_str())]).chain(provider);
        let argv = [BOLTGRAM, "node"].into_iter().chain(flags.flat_map(|(flag, value)| [flag, value]));
        let argv: Vec<String> = argv.map(str::to_owned).collect();
        let process = Process::start(&argv, folder.with_extension("log"));
        let node = Self { grpc, http, process };
        eventually("the node runs", || async {
            boltgram(&["health", "--grpc", &node.grpc]).await.status.success().then_some(())
        })
        .await;
        node
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        boltgram_json(&[arguments, &["--grpc", &self.grpc]].concat()).await
    }

    /// The exit code and the error of a command that fails.
    async fn refused(&self, arguments: &[&str]) -> (i32, String) {
        let output = boltgram(&[arguments, &["--grpc", &self.grpc]].concat()).await;
        assert!(output.stdout.is_empty(), "{output:?}");
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

#[test]
fn a_fresh_node_is_paid_over_a_channel_that_its_provider_opens() {
    let world = World::begin();
    let esplora = world.devnet.url();
    let provider = format!("{}@{}", world.provider.node.node_id(), world.provider.address);
    let (mut node, made) = world.runtime.block_on(async {
        let node = Solo::start(&world.folder.path().join("node"), &esplora, Some(&provider)).await;
        let made = node.json(&["jit-invoice", "100000", "--description", "a first", "--max-fee-sat", "1000"]).await;
        let (code, error) = node.refused(&["jit-invoice", "100000", "--max-fee-sat", "999"]).await;
        assert_eq!(code, 4);
        assert!(error.contains("LSP_FEE_TOO_HIGH") && error.contains("--max-fee-sat"), "{error}");
        (node, made)
    });
    assert_eq!(made["feeMsat"], FEE_MSAT.to_string());
    let invoice: Bolt11Invoice = made["invoice"].as_str().unwrap().parse().unwrap();
    assert_eq!(made["paymentHash"], invoice.payment_hash().to_string());
    assert_eq!(
        (invoice.amount_milli_satoshis(), invoice.description().to_string()),
        (Some(100_000_000), "a first".into())
    );

    world.payer.node.bolt11_payment().send(&invoice, None).unwrap();
    let channel = wait_for("no channel with the payment in it", || {
        world.provider.drain();
        world.payer.drain();
        let channels = world.runtime.block_on(node.json(&["channel", "list"]));
        let channel = channels["channels"].get(0)?.clone();
        let outbound_msat: u64 = channel["outboundMsat"].as_str()?.parse().ok()?;
        (outbound_msat > 50_000_000).then_some(channel)
    });
    assert_eq!(channel["pubkey"], world.provider.node.node_id().to_string());
    assert_eq!((&channel["usable"], &channel["confirmations"]), (&json!(true), &json!(0)));
    world.runtime.block_on(async {
        let balance = node.json(&["wallet", "balance"]).await;
        assert_eq!((&balance["totalOnchainSat"], &balance["totalLightningSat"]), (&json!("0"), &json!("99000")));
        node.process.stop().await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_provider_that_answers_a_jit_invoice_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let devnet = boltgram_devnet::Devnet::start(boltgram_devnet::DevnetConfig::default()).await.unwrap();
    let mut alone = Solo::start(&folder.path().join("alone"), &devnet.url(), None).await;
    let (code, error) = alone.refused(&["jit-invoice", "1000"]).await;
    assert_eq!(code, 4);
    assert!(error.contains("NO_LSP") && error.contains("next: start the node with --lsps2-node"), "{error}");

    let url = format!("http://{}/v1/node/invoices/jit", alone.http);
    let answer = reqwest::Client::new().post(&url).json(&json!({ "amountMsat": "1000000" })).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!((&answer["code"], &answer["details"][0]["reason"]), (&json!(9), &json!("NO_LSP")), "{answer}");
    let answer = reqwest::Client::new().post(&url).json(&json!({})).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["details"][0]["metadata"]["field"], "amount_msat", "{answer}");
    alone.process.stop().await;

    let key = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    let away = format!("{key}@{}", free_address());
    let mut node = Solo::start(&folder.path().join("node"), &devnet.url(), Some(&away)).await;
    let (code, error) = node.refused(&["jit-invoice", "1000"]).await;
    assert!(code == 3 && error.contains("PEER_OFFLINE") && error.contains(key), "{code}: {error}");
    assert!(!node.process.logged().contains(TOKEN), "the token is in the log");
    node.process.stop().await;
}
