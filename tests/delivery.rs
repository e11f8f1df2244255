//! What waits in the outbox: long messages over one hop and two, a queue for who is away, and readers that are stuck.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use std::{io::Write as _, time::Instant};

use boltgram_api::v1;
use futures_util::StreamExt as _;
use support::{
    NodeHandle,
    chain::{Opening, USUAL},
    eventually,
    web::Web,
};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

/// A text of which compression saves a quarter, no more.
fn long_text(bytes: usize) -> String {
    use bitcoin::secp256k1::rand::{
        distributions::{Alphanumeric, DistString as _},
        thread_rng,
    };
    Alphanumeric.sample_string(&mut thread_rng(), bytes)
}

async fn send(from: &NodeHandle, to: &NodeHandle, text: &str, queue: bool) -> v1::Message {
    let request = v1::SendRequest {
        pubkey: to.pubkey.clone(),
        content: Some(v1::send_request::Content::Text(text.to_owned())),
        queue,
        ..Default::default()
    };
    from.client().await.messages().send(request).await.unwrap().into_inner().message.unwrap()
}

/// The received texts with their ids, in the order in which they were stored.
async fn inbox(node: &NodeHandle) -> Vec<(String, String)> {
    let mut messages = node.messages().await;
    messages.retain(|message| message.direction() == v1::Direction::In);
    messages.reverse();
    messages.into_iter().map(|message| (message.id, message.text)).collect()
}

/// Waits until a message that was sent is delivered.
async fn delivered(node: &NodeHandle, id: &str) {
    eventually(&format!("{id} is delivered"), || async {
        let request = v1::GetRequest { id: id.to_owned() };
        let message = node.client().await.messages().get(request).await.unwrap().into_inner().message.unwrap();
        match message.state() {
            v1::State::Delivered => Some(()),
            v1::State::Queued | v1::State::Sending => None,
            other => panic!("{id} is {other:?}"),
        }
    })
    .await;
}

async fn payments_received(node: &NodeHandle) -> usize {
    let request = v1::ListPaymentsRequest { page_size: 500, ..Default::default() };
    let payments = node.client().await.node().list_payments(request).await.unwrap().into_inner().payments;
    payments.iter().filter(|payment| payment.kind() == v1::PaymentKind::Keysend).count()
}

fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_text_goes_over_a_direct_channel_in_one_call() {
    let mut web = Web::start(&["alice", "bob"], &[(ALICE, BOB, USUAL)]).await;
    let text = long_text(20_000);
    let sent = send(&web.nodes[ALICE], &web.nodes[BOB], &text, false).await;
    assert_eq!(sent.state(), v1::State::Delivered);
    eventually("it is in the inbox", || async {
        (inbox(&web.nodes[BOB]).await == [(sent.id.clone(), text.clone())]).then_some(())
    })
    .await;
    web.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_text_arrives_whole_over_a_hop_that_is_killed_in_the_middle() {
    let announced = Opening { announce: true, ..USUAL };
    let mut web = Web::start(&["alice", "bob", "carol"], &[(ALICE, CAROL, announced), (CAROL, BOB, announced)]).await;
    let (alice, bob) = (web.nodes[ALICE].handle.clone(), web.nodes[BOB].handle.clone());
    let first = send(&alice, &bob, "is there a way?", true).await;
    delivered(&alice, &first.id).await;
    let before = payments_received(&bob).await;

    let text = long_text(20_000);
    let sent = send(&alice, &bob, &text, true).await;
    eventually("a part of it has arrived", || async { (payments_received(&bob).await > before).then_some(()) }).await;
    assert_eq!(inbox(&bob).await.len(), 1, "the hop is killed before all of it is there");
    web.nodes[CAROL].process.signal("KILL");
    web.nodes[CAROL].process.ended().await;
    web.nodes[CAROL].again();
    web.nodes[CAROL].runs().await;
    let closed = web.mend().await;
    // Who was not told of a new channel when it was announced is told again every six blocks.
    web.net.mine(6, &web.nodes.iter().collect::<Vec<_>>()).await;
    delivered(&alice, &sent.id).await;
    eventually("it is in the inbox", || async {
        (inbox(&bob).await == [(first.id.clone(), "is there a way?".into()), (sent.id.clone(), text.clone())])
            .then_some(())
    })
    .await;
    let payments = payments_received(&bob).await - before;
    tell(&format!("20,000 bytes over a hop that was killed: {payments} payments arrived, {closed} channels closed"));
    web.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_for_who_is_away_arrives_in_order_and_in_few_payments() {
    let mut web = Web::start(&["alice", "bob"], &[(ALICE, BOB, USUAL)]).await;
    let (alice, bob) = (web.nodes[ALICE].handle.clone(), web.nodes[BOB].handle.clone());
    web.nodes[BOB].process.stop().await;
    let mut queued = Vec::new();
    for number in 0..200 {
        let text = format!("text {number}");
        queued.push((send(&alice, &bob, &text, true).await.id, text));
    }
    web.nodes[BOB].again();
    web.nodes[BOB].runs().await;
    web.nodes[BOB].usable().await;
    let returned = Instant::now();
    let mut conversation = eventually("all have arrived", || async {
        let inbox = inbox(&bob).await;
        (inbox.len() >= queued.len()).then_some(inbox)
    })
    .await;
    let elapsed = returned.elapsed();
    let payments = payments_received(&bob).await;
    tell(&format!("200 texts arrived {elapsed:.1?} after the recipient's return, in {payments} payments"));
    // The order of a conversation is that of its ids.
    conversation.sort();
    assert!(conversation == queued, "the conversation is what was sent, in its order");
    assert!(payments <= 40, "{payments} payments");
    web.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stuck_subscribers_leave_the_others_delivery_as_it_was() {
    let mut web = Web::start(&["alice", "bob"], &[(ALICE, BOB, USUAL)]).await;
    let (alice, bob) = (web.nodes[ALICE].handle.clone(), web.nodes[BOB].handle.clone());
    let request = v1::SubscribeRequest { after_sequence: Some(0), include_sent: false };
    let mut stuck = Vec::new();
    for round in 0..2 {
        let reader = bob.client().await;
        let mut events = reader.messages().subscribe(request).await.unwrap().into_inner();
        let begin = Instant::now();
        let mut sent = Vec::new();
        for number in 0..20 {
            // All together more than what is kept for a connection that nobody reads from.
            let text = format!("{round} {number} {}", long_text(20_000));
            sent.push((send(&alice, &bob, &text, true).await.id, text));
        }
        let mut seen = Vec::new();
        while seen.len() < sent.len() {
            let event = tokio::time::timeout(support::DEADLINE, events.next()).await.unwrap().unwrap().unwrap();
            let message = event.message.unwrap();
            if message.text.starts_with(&format!("{round} ")) {
                seen.push((message.id, message.text));
            }
        }
        tell(&format!(
            "{} long texts were read in {:.1?} beside {} stuck subscribers",
            seen.len(),
            begin.elapsed(),
            stuck.len()
        ));
        seen.sort();
        assert!(seen == sent, "the reader saw each message once");
        for _ in 0..10 {
            // Each has a connection of its own and reads nothing from it.
            let client = bob.client().await;
            let stream = client.messages().subscribe(request).await.unwrap();
            stuck.push((client, stream));
        }
    }
    drop(stuck);
    web.stop().await;
}
