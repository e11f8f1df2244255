//! The rest of the error table: what is told about invoices, addresses, signatures, closes and providers, through
//! gRPC and HTTP; and the count of all rows.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use std::time::Duration;

use boltgram_api::v1;
use boltgram_core::{
    Reason,
    sign::{FRAME_TAG, RECEIPT_TAG},
};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use support::{
    chain::{Node, Regtest, USUAL},
    doors::Call,
    eventually,
};

/// The reasons that can't occur yet, each with why. Whoever makes one occur moves it into a test.
const NOT_YET: &[(Reason, &str)] = &[
    (Reason::Refused, "a recipient's ldk-node refuses keysends with records of even types alone, and ours are odd"),
    (Reason::OutboxFull, "it takes 10,000 messages that wait"),
    (Reason::NodeError, "it stands for what ldk-node does not tell; a healthy node has no way into it"),
];

fn node(rpc: &'static str, path: &str, body: Value) -> Call {
    Call::post(rpc, format!("/v1/node/{path}"), body)
}

fn pay(invoice: &str) -> Call {
    node("boltgram.v1.Node/PayInvoice", "payments", json!({ "invoice": invoice }))
}

fn jit(amount_msat: &str) -> Call {
    node("boltgram.v1.Node/CreateJitInvoice", "invoices/jit", json!({ "amount_msat": amount_msat }))
}

async fn invoice(of: &Node, amount_sat: i64, expiry_s: i64) -> v1::CreateInvoiceResponse {
    let request = v1::CreateInvoiceRequest { amount_sat, expiry_s, ..Default::default() };
    of.client().await.node().create_invoice(request).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_an_address_an_invoice_or_a_text_is_told() {
    let net = Regtest::start().await;
    let (mut alice, mut bob) = net.pair().await;
    for address in ["nonsense", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"] {
        let send = node("boltgram.v1.Node/SendOnchain", "onchain", json!({ "address": address, "amount_sat": "1000" }));
        send.told(&alice, Reason::InvalidAddress, &[]).await;
    }
    pay("lnbcrt1nonsense").told(&alice, Reason::InvalidInvoice, &[]).await;
    let of_bob = invoice(&bob, 5, 600).await.invoice;
    let path = format!("/v1/node/invoices/{of_bob}");
    let get = Call::get("boltgram.v1.Node/GetInvoice", path, json!({ "invoice": of_bob }));
    get.told(&alice, Reason::InvoiceNotFound, &[]).await;
    for tag in [FRAME_TAG, RECEIPT_TAG] {
        let text = format!("{} and more", String::from_utf8(tag.to_vec()).unwrap());
        node("boltgram.v1.Node/Sign", "sign", json!({ "text": text })).told(&alice, Reason::ReservedText, &[]).await;
    }
    jit("1000000").told(&alice, Reason::NoLsp, &[]).await;
    alice.process.stop().await;

    // A provider that is a plain node makes no offer.
    alice.argv.extend(["--lsps2-node".to_owned(), format!("{}@{}", bob.pubkey, bob.lightning)]);
    alice.again();
    let mut alice = alice.running().await;
    jit("1000000").told(&alice, Reason::LspFailed, &[]).await;
    alice.process.stop().await;
    bob.process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_channel_and_its_payments_do_not_allow_is_told() {
    let net = Regtest::start().await;
    let (mut alice, mut bob) = net.pair().await;
    net.fund(&[&alice, &bob], 1_000_000).await;
    let funding = net.channel(&alice, &bob, USUAL).await;

    let once = invoice(&bob, 5, 600).await.invoice;
    pay(&once).by_grpc(&alice).await.unwrap();
    pay(&once).told(&alice, Reason::AlreadyPaid, &[]).await;
    // For more than alice has, so that it can't be paid before it expires.
    let brief = invoice(&bob, 90_000_000, 1).await.invoice;
    eventually("the invoice expires", || async {
        let refused = pay(&brief).by_grpc(&alice).await.unwrap_err();
        (refused.reason == Reason::InvoiceExpired.code()).then_some(())
    })
    .await;
    pay(&brief).told(&alice, Reason::InvoiceExpired, &[]).await;

    let path = format!("/v1/node/peers/{}", bob.pubkey);
    let disconnect = Call::post("boltgram.v1.Node/Disconnect", path, json!({ "pubkey": bob.pubkey }));
    Call { method: "DELETE", ..disconnect }.told(&alice, Reason::PeerHasChannel, &[]).await;

    // The close waits for the frozen peer, and a second one for the first.
    let id = alice.channel(funding).await.unwrap().channel_id;
    bob.signal("STOP");
    alice.close(funding, false).await;
    let close = node("boltgram.v1.Node/CloseChannel", &format!("channels/{id}/close"), json!({ "channel_id": id }));
    close.told(&alice, Reason::ChannelBusy, &[]).await;
    bob.signal("CONT");
    alice.process.stop().await;
    bob.process.stop().await;
}

/// More than any disk has.
const NO_DISK_MIB: u64 = 1_000_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_disk_is_low_refuses_what_writes_and_answers_what_reads() {
    let net = Regtest::start().await;
    let (mut alice, mut bob) = net.pair_with_channel().await;
    let id = alice.send(&bob, "before").await.unwrap();
    bob.send(&alice, "hello").await.unwrap();
    let of_bob = invoice(&bob, 5, 600).await.invoice;
    alice.process.stop().await;
    let argv = alice.argv.clone();
    alice.argv.extend(["--disk-low-water-mib".to_owned(), NO_DISK_MIB.to_string()]);
    alice.again();
    let mut alice = alice.at(v1::Phase::DiskLow).await;

    let (to, capacity) = (bob.pubkey.clone(), json!({ "pubkey": bob.pubkey, "capacity_sat": "100000" }));
    let channel = alice.channels().await.remove(0).channel_id;
    let message = json!({ "pubkey": to, "text": "x" });
    let refused = [
        Call::send(&to, "x"),
        Call::post("boltgram.v1.Messages/Send", "/v1/messages", message.clone()),
        Call::post("boltgram.v1.Messages/Quote", "/v1/messages/quote", message),
        pay(&of_bob),
        node("boltgram.v1.Node/OpenChannel", "channels", capacity),
        node("boltgram.v1.Node/CloseChannel", &format!("channels/{channel}/close"), json!({ "channel_id": channel })),
        node("boltgram.v1.Node/Connect", "peers", json!({ "pubkey": to, "address": bob.lightning })),
        node("boltgram.v1.Node/SendOnchain", "onchain", json!({ "address": "nowhere", "amount_sat": "1000" })),
        node("boltgram.v1.Node/NewAddress", "addresses", json!({})),
        node("boltgram.v1.Node/CreateInvoice", "invoices", json!({ "amount_sat": "5" })),
        node("boltgram.v1.Node/Sync", "sync", json!({})),
    ];
    let needed_bytes = NO_DISK_MIB * 1_024 * 1_024 / 4 * 5;
    for call in refused {
        let needed = [("needed_bytes", needed_bytes.to_string())];
        for told in call.told(&alice, Reason::DiskLow, &needed).await {
            assert!(told.metadata["free_bytes"].parse::<u64>().unwrap() < needed_bytes, "{told:?}");
            assert!(told.message.contains("make room") && told.message.contains("disk_low_water_mib"), "{told:?}");
        }
    }

    let client = alice.client().await;
    assert_eq!(alice.messages().await.len(), 2);
    assert_eq!(
        client.messages().get(v1::GetRequest { id }).await.unwrap().into_inner().message.unwrap().text,
        "before"
    );
    let request = v1::SubscribeRequest { after_sequence: Some(0), include_sent: true };
    let mut events = client.messages().subscribe(request).await.unwrap().into_inner();
    assert!(events.next().await.unwrap().is_ok());
    assert!(alice.balances().await.total_lightning_sat > 0);
    assert!(!alice.channels().await[0].usable);
    let info = alice.info().await;
    assert!(info.status_message.contains("MiB are free"), "{}", info.status_message);
    let shown = support::boltgram_json(&["info", "--grpc", &alice.grpc]).await;
    assert_eq!(shown["phase"], "PHASE_DISK_LOW");
    assert!(!support::boltgram(&["health", "--grpc", &alice.grpc]).await.status.success());
    let output = support::boltgram(&["send", &to, "x", "--grpc", &alice.grpc]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(3) && said.contains("DISK_LOW") && said.contains("next: make room"), "{said}");

    // It stops in this phase too, and what it was about to do is there when the disk has room.
    alice.process.stop().await;
    alice.argv = argv;
    alice.again();
    let mut alice = alice.running().await;
    alice.usable().await;
    alice.send(&bob, "after").await.unwrap();
    eventually("it has arrived", || async { (bob.received("after").await == 1).then_some(()) }).await;
    alice.process.stop().await;
    bob.process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_message_does_not_allow_in_its_state_is_told() {
    let net = Regtest::start().await;
    let (mut alice, mut bob) = net.pair_with_channel().await;
    let delivered = alice.send(&bob, "delivered").await.unwrap();
    let cancel =
        |id: &str| Call::post("boltgram.v1.Messages/Cancel", format!("/v1/messages/{id}/cancel"), json!({ "id": id }));
    cancel(&delivered).told(&alice, Reason::NotCancellable, &[("id", delivered.clone())]).await;

    bob.signal("STOP");
    let late = Call::send(&bob.pubkey, "on its way").within(Duration::from_secs(2));
    let id = late.by_grpc(&alice).await.unwrap_err().metadata["id"].clone();
    let path = format!("/v1/messages/{id}");
    let delete = Call::post("boltgram.v1.Messages/Delete", path, json!({ "id": id }));
    Call { method: "DELETE", ..delete }.told(&alice, Reason::MessageNotFinished, &[("id", id.clone())]).await;
    bob.signal("CONT");
    alice.process.stop().await;
    bob.process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_outbox_does_not_take_or_has_ended_is_told() {
    let net = Regtest::start().await;
    let (mut alice, bob) = net.pair_with_channel().await;
    let v1 = |content: &str| {
        let body = json!({ "pubkey": bob.pubkey, "text": content });
        Call::post("boltgram.v1.Messages/Send", "/v1/messages", body)
    };
    // Letters that no compression makes small enough for one payment.
    let long: String = (0u32..700).map(|n| format!("{:08x}", n.wrapping_mul(2_654_435_761))).collect();
    let told = v1(&long).with("amount_sat", json!("1")).told(&alice, Reason::AmountTooSmall, &[]).await;
    assert!(told[0].metadata["needed_sat"].parse::<u32>().unwrap() > 1, "{told:?}");

    v1("one").with("idempotency_key", json!("1")).by_grpc(&alice).await.unwrap();
    v1("other").with("idempotency_key", json!("1")).told(&alice, Reason::IdempotencyConflict, &[]).await;

    // A payment that takes nearly all that may be in flight leaves no room for an invoice of as much.
    let most_sat = alice.channels().await[0].next_outbound_htlc_limit_msat / 1_000 * 4 / 5;
    let of_bob = invoice(&bob, most_sat, 600).await.invoice;
    bob.signal("STOP");
    let held = v1("held").with("amount_sat", json!(most_sat.to_string())).within(Duration::from_secs(2));
    assert_eq!(held.by_grpc(&alice).await.unwrap_err().reason, Reason::DeadlineExceeded.code());
    pay(&of_bob).told(&alice, Reason::PaymentFailed, &[]).await;
    bob.signal("CONT");
    eventually("it is delivered", || async { (bob.received("held").await == 1).then_some(()) }).await;

    // What has ended undelivered is told to whoever asks for it again.
    bob.process.signal("KILL");
    eventually("alice has noticed", || async { (alice.info().await.connected_peers == 0).then_some(()) }).await;
    let queued = |key: &str, seconds: &str| {
        let call = v1(key).with("idempotency_key", json!(key)).with("queue", json!(true));
        call.with("expires_in_seconds", json!(seconds))
    };
    queued("expires", "1").by_grpc(&alice).await.unwrap();
    queued("is cancelled", "600").by_grpc(&alice).await.unwrap();
    let waiting = alice.messages().await.into_iter().find(|message| message.text == "is cancelled").unwrap();
    alice.client().await.messages().cancel(v1::CancelRequest { id: waiting.id }).await.unwrap();
    eventually("the other has expired", || async {
        alice.messages().await.iter().any(|message| message.state() == v1::State::Expired).then_some(())
    })
    .await;
    v1("is cancelled").with("idempotency_key", json!("is cancelled")).told(&alice, Reason::Cancelled, &[]).await;
    v1("expires").with("idempotency_key", json!("expires")).told(&alice, Reason::Expired, &[]).await;
    alice.process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn routing_fees_beyond_their_budget_are_refused() {
    let net = Regtest::start().await;
    let (mut alice, mut bob) = net.pair_with_channel().await;
    alice.process.stop().await;
    alice.argv.extend(["--fee-limit-sat-per-day".to_owned(), "10".to_owned()]);
    alice.again();
    let mut alice = alice.running().await;
    alice.usable().await;
    let budget = [("budget_msat", "10000".to_owned()), ("spent_msat", "0".to_owned())];
    Call::send(&bob.pubkey, "dear").told(&alice, Reason::FeeBudgetSpent, &budget).await;
    // With a limit of its own that is within the budget it goes.
    let request = json!({ "pubkey": bob.pubkey, "text": "cheap", "fee_limit_sat": "5" });
    Call::post("boltgram.v1.Messages/Send", "/v1/messages", request).by_grpc(&alice).await.unwrap();
    assert_eq!(bob.received("dear").await, 0);
    alice.process.stop().await;
    bob.process.stop().await;
}

#[test]
fn every_reason_is_provoked_or_cannot_occur_yet() {
    // Without spaces and line ends, wherever they were broken.
    let squeezed = |source: &str| source.split_whitespace().collect::<String>();
    let tables = [squeezed(include_str!("errors.rs")), squeezed(include_str!("refusals.rs"))].concat();
    let providers = include_str!("jit.rs");
    let is_provoked = |reason: &Reason| {
        tables.contains(&format!(".told(&alice,Reason::{reason:?},")) || providers.contains(reason.code())
    };
    let is_excused = |reason: &Reason| NOT_YET.iter().any(|(excused, _)| excused == reason);
    let (provoked, rest): (Vec<&Reason>, Vec<&Reason>) = Reason::ALL.iter().partition(|reason| is_provoked(reason));
    let (excused, missing): (Vec<&Reason>, Vec<&Reason>) = rest.into_iter().partition(|reason| is_excused(reason));
    println!("{} reasons: {} provoked, {} can't occur yet", Reason::ALL.len(), provoked.len(), excused.len());
    assert!(missing.is_empty(), "neither provoked nor excused: {missing:?}");
    let both: Vec<&&Reason> = provoked.iter().filter(|reason| is_excused(reason)).collect();
    assert!(both.is_empty(), "provoked and excused: {both:?}");
    assert!(NOT_YET.iter().all(|(_, why)| !why.is_empty()));
}
