//! One node as its operator meets it: start and stop, health, files, the command line.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use std::{
    collections::BTreeSet,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use boltgram_api::{
    client::{Client, health::HealthCheckRequest, health::health_check_response::ServingStatus},
    messaging::SendMessageRequest,
    v1,
};
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use support::{BOLTGRAM, Process, Stack, boltgram, boltgram_json, chain::Regtest, eventually, free_address};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

struct Solo {
    grpc: String,
    argv: Vec<String>,
    process: Process,
}

/// Starts a node by itself.
fn solo(folder: &Path, esplora: &str) -> Solo {
    let [listen, grpc, http] = [free_address(), free_address(), free_address()];
    let data_dir = folder.join("node").display().to_string();
    let esplora = format!("http://{esplora}");
    let argv = [
        BOLTGRAM,
        "node",
        "--data-dir",
        &data_dir,
        "--esplora",
        &esplora,
        "--listen",
        &listen,
        "--grpc",
        &grpc,
        "--http",
        &http,
    ]
    .map(str::to_owned)
    .to_vec();
    let process = Process::start(&argv, folder.join("node.log"));
    Solo { grpc, argv, process }
}

async fn connected(address: &str) -> Client {
    eventually("the API answers", || async {
        let client = Client::connect(address).await.ok()?;
        client.node().get_info(v1::GetInfoRequest {}).await.ok().map(|_| client)
    })
    .await
}

async fn serving(client: &Client) -> ServingStatus {
    client.health().check(HealthCheckRequest::default()).await.unwrap().into_inner().status()
}

#[tokio::test(flavor = "multi_thread")]
async fn health_follows_the_node_from_not_serving_to_serving_when_esplora_comes() {
    let folder = tempfile::tempdir().unwrap();
    let esplora = free_address();
    let mut node = solo(folder.path(), &esplora);
    let client = connected(&node.grpc).await;
    assert_eq!(serving(&client).await, ServingStatus::NotServing);
    let info = || async { client.node().get_info(v1::GetInfoRequest {}).await.unwrap().into_inner() };
    let waiting = eventually("the node says what it waits for", || async {
        let info = info().await;
        (!info.status_message.is_empty()).then_some(info)
    })
    .await;
    assert_eq!(waiting.phase(), v1::Phase::Starting);
    assert!(waiting.status_message.contains(&esplora), "{}", waiting.status_message);
    assert_eq!(boltgram(&["health", "--grpc", &node.grpc]).await.status.code(), Some(1));
    let request = SendMessageRequest {
        msg: "x".into(),
        pubkey: "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".into(),
        ..Default::default()
    };
    let status = client.messaging().send_message(request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unavailable, "{status}");

    let argv = [BOLTGRAM, "devnet", "--listen", &esplora].map(str::to_owned);
    let mut devnet = Process::start(&argv, folder.path().join("devnet.log"));
    eventually("the node serves", || async { (serving(&client).await == ServingStatus::Serving).then_some(()) }).await;
    assert_eq!(info().await.phase(), v1::Phase::Running);
    assert_eq!(boltgram(&["health", "--grpc", &node.grpc]).await.status.code(), Some(0));
    assert_eq!(boltgram_json(&["info", "--grpc", &node.grpc]).await["phase"], "PHASE_RUNNING");

    let asked = Instant::now();
    node.process.stop().await;
    assert!(asked.elapsed() < Duration::from_secs(30));
    devnet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_stops_while_it_waits_for_esplora_and_by_its_api() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = solo(folder.path(), &free_address());
    connected(&node.grpc).await;
    let output = boltgram(&["stop", "--grpc", &node.grpc]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(node.process.ended().await.success());

    node.process = Process::start(&node.argv, folder.path().join("again.log"));
    connected(&node.grpc).await;
    node.process.signal("INT");
    assert!(node.process.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = solo(folder.path(), &free_address());
    connected(&node.grpc).await;
    // Other ports, the same folder.
    let mut argv = node.argv.clone();
    for at in [7, 9, 11] {
        argv[at] = free_address();
    }
    let mut second = Process::start(&argv, folder.path().join("second.log"));
    assert!(!second.ended().await.success());
    assert!(second.logged().contains("another process"), "{}", second.logged());
    node.process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seed_has_24_words_is_its_owners_alone_and_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = solo(folder.path(), &free_address());
    connected(&node.grpc).await;
    let data_dir = folder.path().join("node");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let seed = std::fs::read_to_string(data_dir.join("seed")).unwrap();
    assert_eq!(seed.split_whitespace().count(), 24);
    assert_eq!((mode(&data_dir.join("seed")), mode(&data_dir)), (0o600, 0o700));
    assert_eq!(mode(&data_dir.join("messages.sqlite")), 0o600);
    node.process.stop().await;

    std::fs::write(data_dir.join("seed"), "no mnemonic\n").unwrap();
    let mut broken = Process::start(&node.argv, folder.path().join("broken.log"));
    assert!(!broken.ended().await.success());
    assert!(broken.logged().contains("seed"), "{}", broken.logged());
    assert_eq!(std::fs::read_to_string(data_dir.join("seed")).unwrap(), "no mnemonic\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_lists_every_service() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = solo(folder.path(), &free_address());
    connected(&node.grpc).await;
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", node.grpc)).unwrap();
    let mut client = ServerReflectionClient::new(endpoint.connect().await.unwrap());
    let ask = |request| ServerReflectionRequest { host: String::new(), message_request: Some(request) };
    let questions = [
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol("messaging.Messaging".into())),
    ];
    let mut answers = client.server_reflection_info(stream::iter(questions)).await.unwrap().into_inner();
    let Some(MessageResponse::ListServicesResponse(list)) = answers.next().await.unwrap().unwrap().message_response
    else {
        panic!("no list of services")
    };
    let names: BTreeSet<&str> = list.service.iter().map(|service| service.name.as_str()).collect();
    for name in [
        "messaging.Messaging",
        "websocket.Websocket",
        "lightning.Lightning",
        "signing.Signing",
        "boltgram.v1.Messages",
        "boltgram.v1.Node",
        "boltgram.v1.Admin",
        "grpc.health.v1.Health",
    ] {
        assert!(names.contains(name), "{names:?}");
    }
    let Some(MessageResponse::FileDescriptorResponse(files)) = answers.next().await.unwrap().unwrap().message_response
    else {
        panic!("no file")
    };
    assert!(!files.file_descriptor_proto.is_empty());
    drop((answers, client));
    node.process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_seed_or_preimage_reaches_the_log_at_any_level() {
    let mut stack = Stack::start().await;
    for node in [stack.alice.clone(), stack.bob.clone()] {
        stack.end(&node, "TERM").await;
        let mut verbose = node.clone();
        verbose.argv.extend(["--log".to_owned(), "trace".into()]);
        stack.start_again(&verbose).await;
    }
    stack.alice.usable().await;
    let text = "xyzzy-plugh-53cr3t";
    for (from, to) in [(&stack.alice, &stack.bob), (&stack.bob, &stack.alice)] {
        let request = SendMessageRequest { msg: text.into(), pubkey: to.pubkey.clone(), ..Default::default() };
        from.client().await.messaging().send_message(request).await.unwrap();
    }
    let request = v1::CreateInvoiceRequest { amount_sat: 5, description: text.into(), expiry_s: 0 };
    let invoice = stack.bob.client().await.node().create_invoice(request).await.unwrap().into_inner().invoice;
    let request = v1::PayInvoiceRequest { invoice: invoice.clone(), ..Default::default() };
    let preimage = stack.alice.client().await.node().pay_invoice(request).await.unwrap().into_inner().preimage;
    let as_hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let as_list = text.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
    for node in [&stack.alice, &stack.bob] {
        let log = std::fs::read_to_string(stack.folder.path().join(format!("{}-again.log", node.name))).unwrap();
        assert!(log.contains("TRACE"), "the log is verbose");
        let seed = std::fs::read_to_string(node.data_dir.join("seed")).unwrap();
        let first_words = seed.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
        for secret in [text, &as_hex, &as_list, &first_words, &invoice, &preimage] {
            let line = log.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret} in the log of {}", node.name);
        }
    }
    stack.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wallet_peers_and_channels_are_managed_from_the_command_line() {
    let stack = Stack::start().await;
    let (alice, bob) = (&stack.alice, &stack.bob);
    let on = |args: &[&str]| {
        let args: Vec<String> =
            args.iter().map(|arg| (*arg).to_owned()).chain(["--grpc".into(), alice.grpc.clone()]).collect();
        async move { boltgram_json(&args.iter().map(String::as_str).collect::<Vec<_>>()).await }
    };
    let peer = format!("{}@{}", bob.pubkey, bob.lightning);
    on(&["connect", &peer]).await;
    let peers = on(&["peers"]).await;
    assert_eq!(
        peers["peers"][0],
        json!({"pubkey": bob.pubkey, "address": bob.lightning, "connected": true, "persisted": true})
    );

    // Paid from outside, then spent into a second channel, then closed together.
    let address = on(&["wallet", "address"]).await["address"].as_str().unwrap().to_owned();
    let before = on(&["wallet", "balance"]).await["totalOnchainSat"].as_str().unwrap().parse::<u64>().unwrap();
    let fund = json!({"address": address, "amount_sat": 300_000}).to_string();
    let paid = reqwest::Client::new().post(format!("{}/devnet/fund", stack.esplora)).body(fund).send().await.unwrap();
    assert!(paid.status().is_success());
    stack.mine(1).await;
    on(&["sync"]).await;
    let after = on(&["wallet", "balance"]).await["totalOnchainSat"].as_str().unwrap().parse::<u64>().unwrap();
    assert_eq!(after, before + 300_000);

    let opened = on(&["channel", "open", &peer, "100000", "--push-sat", "20000"]).await;
    let id = opened["userChannelId"].as_str().unwrap().to_owned();
    let second = || async {
        let channels = on(&["channel", "list"]).await;
        channels["channels"].as_array().unwrap().iter().find(|channel| channel["userChannelId"] == *id).cloned()
    };
    eventually("the funding is there", || async { second().await.filter(|channel| channel["fundingOutpoint"] != "") })
        .await;
    eventually("the second channel is usable", || async {
        stack.mine(1).await;
        on(&["sync"]).await;
        bob.client().await.node().sync(v1::SyncRequest {}).await.unwrap();
        second().await.filter(|channel| channel["usable"] == true)
    })
    .await;
    on(&["channel", "close", &id]).await;
    eventually("the second channel is gone", || async { second().await.is_none().then_some(()) }).await;
    stack.mine(1).await;
    on(&["sync"]).await;
    assert_eq!(on(&["channel", "list"]).await["channels"].as_array().unwrap().len(), 1);
    stack.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_channels_are_opened_in_one_go_and_what_the_peer_does_not_take_is_told() {
    let net = Regtest::start().await;
    let (mut alice, mut bob) = net.pair().await;
    let peer = format!("{}@{}", bob.pubkey, bob.lightning);
    let open = async |capacity_sat: &str, count: &str| {
        boltgram(&["channel", "open", &peer, capacity_sat, "--count", count, "--grpc", &alice.grpc]).await
    };

    // The funds for all are looked at before the first is begun.
    let refused = open("400000", "4").await;
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("INSUFFICIENT_FUNDS") && said.contains("1700000"), "{said}");
    assert!(alice.channels().await.is_empty());

    let opened = open("100000", "3").await;
    let answer: serde_json::Value = serde_json::from_slice(&opened.stdout).unwrap();
    assert!(opened.status.success() && answer["reason"] == "", "{answer}");
    assert_eq!(answer["userChannelIds"].as_array().unwrap().len(), 3);

    // ldk-node takes four from one peer that aren't confirmed: of two more, one.
    let partly = open("50000", "3").await;
    let answer: serde_json::Value = serde_json::from_slice(&partly.stdout).unwrap();
    let said = String::from_utf8(partly.stderr).unwrap();
    assert!(partly.status.code() == Some(1) && said.contains("1 of 3 channels were begun"), "{said}");
    assert_eq!((answer["userChannelIds"].as_array().unwrap().len(), &answer["reason"]), (1, &json!("CHANNEL_BUSY")));

    net.devnet.wait_for_mempool(4, support::DEADLINE).await.unwrap();
    net.mine(6, &[&alice, &bob]).await;
    eventually("all four are usable", || async {
        (alice.channels().await.iter().filter(|channel| channel.usable).count() == 4).then_some(())
    })
    .await;
    let balances = alice.balances().await;
    assert_eq!(balances.anchor_reserve_sat, 4 * 25_000);
    for node in [&mut alice, &mut bob] {
        node.process.stop().await;
    }
}
