//! Nodes on a disk of a limited size, under messages: what they do when it gets low, and when it is full at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use boltgram_api::{client::Client, v1};
use boltgram_core::Reason;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tonic::Request;

use crate::support::{
    NodeHandle,
    books::{self, is_whole},
    chain::{Node, Regtest, USUAL},
    doors::Call,
    eventually,
    tmpfs::Tmpfs,
};

const MIB: u64 = 1_024 * 1_024;

/// How many senders there are each way.
const SENDERS: usize = 4;

/// How long a sender waits for its message.
const SEND_WAIT: Duration = Duration::from_secs(10);

/// How many messages must have arrived before something happens.
const DELIVERED_MIN: usize = 40;

/// Messages from one node to another, each with a text of its own.
struct Traffic {
    stop: watch::Sender<bool>,
    delivered: watch::Receiver<usize>,
    senders: JoinSet<BTreeSet<String>>,
}

impl Traffic {
    fn begin(from: &NodeHandle, to: &NodeHandle, name: &str) -> Self {
        let (stop, delivered) = (watch::Sender::new(false), watch::Sender::new(0));
        let mut senders = JoinSet::new();
        for sender in 0..SENDERS {
            let (grpc, to, name) = (from.grpc.clone(), to.pubkey.clone(), format!("{name} {sender}"));
            senders.spawn(send_until(stop.subscribe(), delivered.clone(), grpc, to, name));
        }
        let delivered = delivered.subscribe();
        Self { stop, delivered, senders }
    }

    /// Waits until so many more were delivered.
    async fn delivers(&self, more: usize) {
        let expected = *self.delivered.borrow() + more;
        eventually("messages are delivered", || async { (*self.delivered.borrow() >= expected).then_some(()) }).await;
    }

    /// Ends it, and gives the texts whose senders were told that they are delivered.
    async fn end(self) -> BTreeSet<String> {
        self.stop.send_replace(true);
        self.senders.join_all().await.into_iter().flatten().collect()
    }
}

async fn send_until(
    stop: watch::Receiver<bool>,
    delivered: watch::Sender<usize>,
    grpc: String,
    pubkey: String,
    name: String,
) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    // So that refusals in a row don't keep the machine busy.
    let mut ticks = interval(Duration::from_millis(5));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for n in 0.. {
        ticks.tick().await;
        if *stop.borrow() {
            break;
        }
        let text = format!("{name} {n}");
        let content = Some(v1::send_request::Content::Text(text.clone()));
        let mut request = Request::new(v1::SendRequest { pubkey: pubkey.clone(), content, ..Default::default() });
        request.set_timeout(SEND_WAIT);
        let Ok(client) = Client::connect(&grpc).await else { continue };
        if client.messages().send(request).await.is_ok() {
            texts.insert(text);
            delivered.send_modify(|count| *count += 1);
        }
    }
    texts
}

/// How often each text is in a node's inbox.
async fn inbox(node: &Node) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for message in messages(node).await.into_iter().filter(|message| message.direction() == v1::Direction::In) {
        *counts.entry(message.text).or_insert(0) += 1;
    }
    counts
}

/// All messages of a node.
async fn messages(node: &Node) -> Vec<v1::Message> {
    books::listed(node, "").await
}

/// Waits until all that was told to be delivered is in the inbox, each once.
async fn has_all(node: &Node, delivered: &BTreeSet<String>) {
    eventually("all that was acknowledged is there", || async {
        let inbox = inbox(node).await;
        let twice: Vec<_> = inbox.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "more than once: {twice:?}");
        delivered.iter().all(|text| inbox.contains_key(text)).then_some(())
    })
    .await;
}

/// Waits until nothing is under way, and requires that what is delivered by the sender's word is in the inbox.
async fn agree(sender: &Node, recipient: &Node) {
    eventually("nothing is under way any more", || async {
        messages(sender).await.iter().all(|message| message.state() != v1::State::Sending).then_some(())
    })
    .await;
    let sent = messages(sender).await.into_iter().filter(|message| message.direction() == v1::Direction::Out);
    let delivered = sent.filter(|message| message.state() == v1::State::Delivered).map(|message| message.text);
    has_all(recipient, &delivered.collect()).await;
}

async fn phase(node: &Node) -> Option<v1::Phase> {
    let client = Client::connect(&node.grpc).await.ok()?;
    Some(client.node().get_info(v1::GetInfoRequest {}).await.ok()?.into_inner().phase())
}

async fn comes_to(node: &Node, expected: v1::Phase) {
    let what = format!("{} is at {expected:?}, see {}", node.name, node.process.log.display());
    eventually(&what, || async { (phase(node).await == Some(expected)).then_some(()) }).await;
}

/// Stops a node and has SQLite look at its databases.
async fn stopped_whole(mut node: Node) {
    node.process.stop().await;
    are_whole(&node);
}

fn are_whole(node: &Node) {
    books::databases(node).iter().for_each(|path| is_whole(path));
}

/// Two nodes with a channel, the one of this name on a disk of its own.
async fn pair(net: &Regtest, on_disk: &str, mib: u64, mark_mib: &str) -> (Tmpfs, Node, Node) {
    let disk = Tmpfs::mount(&net.folder.path().join(on_disk), mib);
    let [alice, bob] = ["alice", "bob"].map(|name| {
        let mark = if name == on_disk { &["--disk-low-water-mib", mark_mib][..] } else { &[] };
        Node::start_with(net.folder.path(), name, &net.devnet.url(), mark)
    });
    let (alice, bob) = tokio::join!(alice.running(), bob.running());
    net.fund(&[&alice, &bob], 1_000_000).await;
    net.channel(&alice, &bob, USUAL).await;
    (disk, alice, bob)
}

pub async fn the_disk_gets_low_and_has_room_again() {
    let net = Regtest::start().await;
    let (disk, mut alice, bob) = pair(&net, "alice", 160, "48").await;
    let (pid, channels) = (alice.pid, alice.channels().await);
    let (out, back) = (Traffic::begin(&alice, &bob, "out"), Traffic::begin(&bob, &alice, "back"));
    for round in 1..=2 {
        out.delivers(DELIVERED_MIN).await;
        back.delivers(DELIVERED_MIN).await;
        disk.fill(32 * MIB);
        comes_to(&alice, v1::Phase::DiskLow).await;
        let needed = [("needed_bytes", (60 * MIB).to_string())];
        for call in [Call::send(&bob.pubkey, "x"), invoice()] {
            for told in call.told(&alice, Reason::DiskLow, &needed).await {
                let free_bytes: u64 = told.metadata["free_bytes"].parse().unwrap();
                assert!((24 * MIB..48 * MIB).contains(&free_bytes), "{told:?}");
            }
        }
        // What was there is read, and the stop was in order: nothing panicked, and the log says what it waits for.
        assert!(messages(&alice).await.len() >= 2 * DELIVERED_MIN);
        let logged = alice.process.logged();
        assert!(logged.contains("the node is stopped: ") && !logged.contains("panicked"), "{logged}");
        disk.make_room();
        comes_to(&alice, v1::Phase::Running).await;
        alice.usable().await;
        println!("  round {round}: stopped and started again, {} messages in its inbox", inbox(&alice).await.len());
    }
    assert_eq!(alice.pid, pid, "it is the same process");

    // Stopped while it waits for room, and started again on a disk with none left at all.
    disk.fill(32 * MIB);
    comes_to(&alice, v1::Phase::DiskLow).await;
    alice.process.stop().await;
    // A look by SQLite leaves no log behind, whose room the node could use again: it needs what it has kept aside.
    are_whole(&alice);
    assert!(!alice.data_dir.join("ldk/node.sqlite-wal").exists());
    disk.fill(0);
    alice.again();
    comes_to(&alice, v1::Phase::DiskLow).await;
    assert!(messages(&alice).await.len() >= 4 * DELIVERED_MIN);
    disk.make_room();
    alice.usable().await;
    out.delivers(DELIVERED_MIN).await;
    back.delivers(DELIVERED_MIN).await;
    let (out, back) = (out.end().await, back.end().await);
    has_all(&bob, &out).await;
    has_all(&alice, &back).await;
    agree(&alice, &bob).await;
    agree(&bob, &alice).await;
    let id = |channels: Vec<v1::Channel>| channels.into_iter().map(|channel| channel.channel_id).collect::<Vec<_>>();
    assert_eq!(id(alice.channels().await), id(channels), "the channel is kept");
    println!("  {} delivered one way, {} the other", out.len(), back.len());
    stopped_whole(alice).await;
    stopped_whole(bob).await;
}

fn invoice() -> Call {
    let body = serde_json::json!({ "amount_sat": "5" });
    Call::post("boltgram.v1.Node/CreateInvoice", "/v1/node/invoices", body)
}

pub async fn the_disk_is_full_at_once(victim: &str) {
    let net = Regtest::start().await;
    // It isn't looked how much is free, so a write fails.
    let (disk, mut alice, mut bob) = pair(&net, victim, 64, "0").await;
    let (out, back) = (Traffic::begin(&alice, &bob, "out"), Traffic::begin(&bob, &alice, "back"));
    out.delivers(DELIVERED_MIN).await;
    back.delivers(DELIVERED_MIN).await;
    disk.fill(0);
    let node = if victim == "alice" { &mut alice } else { &mut bob };
    let status = node.process.ended().await;
    let logged = node.process.logged();
    assert_eq!(status.code(), Some(70), "{logged}");
    assert!(logged.contains("is full (") && logged.contains("make room there"), "{logged}");
    println!("  {victim} ended with {status}");

    // Still full: it comes up, reads, and waits for room.
    disk.fill(0);
    let mark = node.argv.last_mut().unwrap();
    assert_eq!(std::mem::replace(mark, "16".to_owned()), "0");
    node.again();
    comes_to(node, v1::Phase::DiskLow).await;
    Call::send(&node.pubkey.clone(), "x").by_grpc(node).await.unwrap_err();
    invoice().told(node, Reason::DiskLow, &[]).await;
    let read = messages(node).await.len();
    assert!(read >= DELIVERED_MIN, "{read} messages");
    disk.make_room();
    comes_to(node, v1::Phase::Running).await;

    let (out, back) = (out.end().await, back.end().await);
    has_all(&bob, &out).await;
    has_all(&alice, &back).await;
    println!("  {} delivered one way, {} the other; all are there", out.len(), back.len());
    stopped_whole(alice).await;
    stopped_whole(bob).await;
}
