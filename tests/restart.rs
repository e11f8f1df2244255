//! What survives the end of a process: keys, channels, messages, subscriptions, and sends that were under way.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use std::collections::BTreeMap;

use boltgram_api::{client::Client, messaging::SendMessageRequest, v1};
use futures_util::StreamExt as _;
use support::{BOLTGRAM, NodeHandle, Process, Stack, eventually};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

async fn send(client: &Client, to: &NodeHandle, text: String) -> Result<String, Status> {
    let request = SendMessageRequest { msg: text, pubkey: to.pubkey.clone(), ..Default::default() };
    Ok(client.messaging().send_message(request).await?.into_inner().id)
}

async fn sent(from: &NodeHandle, to: &NodeHandle, text: &str) -> String {
    send(&from.client().await, to, text.into()).await.unwrap()
}

fn texts(messages: &[v1::Message]) -> Vec<&str> {
    messages.iter().map(|message| message.text.as_str()).collect()
}

/// How often each text is in the inbox.
async fn inbox(node: &NodeHandle) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for message in node.messages().await {
        if message.direction() == v1::Direction::In {
            *counts.entry(message.text).or_insert(0) += 1;
        }
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_either_node_keeps_its_key_channel_and_messages() {
    let mut stack = Stack::start().await;
    let (alice, bob) = (stack.alice.clone(), stack.bob.clone());
    for (node, other) in [(&alice, &bob), (&bob, &alice)] {
        let id =
            |channels: Vec<v1::Channel>| channels.into_iter().map(|channel| channel.channel_id).collect::<Vec<_>>();
        let before = (id(node.channels().await), node.messages().await);
        let seed = std::fs::read(node.data_dir.join("seed")).unwrap();
        stack.end(node, "TERM").await;
        stack.start_again(node).await;
        let info = node.client().await.node().get_info(v1::GetInfoRequest {}).await.unwrap().into_inner();
        assert_eq!(info.pubkey, node.pubkey);
        assert_eq!((id(node.channels().await), node.messages().await), before);
        assert_eq!(std::fs::read(node.data_dir.join("seed")).unwrap(), seed);
        other.usable().await;
        sent(node, other, "after the restart").await;
        sent(other, node, "welcome back").await;
        assert_eq!(inbox(node).await["welcome back"], 1);
    }
    stack.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_goes_on_over_a_restart_and_misses_nothing() {
    let mut stack = Stack::start().await;
    let (alice, bob) = (stack.alice.clone(), stack.bob.clone());
    let after = |sequence| v1::SubscribeRequest { after_sequence: Some(sequence), include_sent: false };
    let mut events = bob.client().await.messages().subscribe(after(0)).await.unwrap().into_inner();
    let log = stack.folder.path().join("listen.log");
    let argv = [BOLTGRAM, "listen", "--after", "0", "--json", "--grpc", &bob.grpc].map(str::to_owned);
    let mut listener = Process::start(&argv, log);
    sent(&alice, &bob, "before").await;
    let mut last = events.next().await.unwrap().unwrap();
    while last.message.as_ref().unwrap().text != "before" {
        last = events.next().await.unwrap().unwrap();
    }

    stack.end(&bob, "TERM").await;
    assert!(!matches!(events.next().await, Some(Ok(_))), "the stream ended with the node");
    let offline = eventually("alice has noticed", || async {
        send(&alice.client().await, &bob, "into the void".into()).await.err()
    });
    assert_eq!(offline.await.code(), Code::Unavailable);

    stack.start_again(&bob).await;
    alice.usable().await;
    for n in 0..3 {
        sent(&alice, &bob, &format!("after {n}")).await;
    }
    let events = bob.client().await.messages().subscribe(after(last.sequence)).await.unwrap().into_inner();
    let seen: Vec<_> = events.take(3).map(|event| event.unwrap().message.unwrap()).collect().await;
    assert_eq!(texts(&seen), ["after 0", "after 1", "after 2"]);

    // The command line's listener has seen each message once, in order, over the restart.
    let expected = ["before", "after 0", "after 1", "after 2"];
    eventually("the listener saw all", || async { listener.logged().contains("after 2").then_some(()) }).await;
    let logged = listener.logged();
    let seen: Vec<&str> = logged.lines().filter(|line| expected.iter().any(|text| line.contains(text))).collect();
    assert_eq!(seen.len(), expected.len(), "{logged}");
    assert!(seen.iter().zip(expected).all(|(line, text)| line.contains(text)), "{logged}");
    listener.signal("INT");
    listener.ended().await;
    stack.finish().await;
}

/// Sends many at once, ends `victim` by SIGTERM in the middle, starts it again, and compares what the callers were told
/// with what is in the far inbox.
async fn sigterm_in_the_middle(ends_sender: bool) {
    let mut stack = Stack::start().await;
    let (alice, bob) = (stack.alice.clone(), stack.bob.clone());
    let victim = if ends_sender { &alice } else { &bob };
    let client = alice.client().await;
    let sends: Vec<_> = (0..20)
        .map(|n| {
            let (client, bob) = (client.clone(), bob.clone());
            tokio::spawn(async move { (n, send(&client, &bob, format!("burst {n}")).await) })
        })
        .collect();
    eventually("the first has arrived", || async { (inbox(&bob).await.len() > 2).then_some(()) }).await;
    stack.end(victim, "TERM").await;
    stack.start_again(victim).await;

    let mut told = Vec::new();
    for send in sends {
        told.push(send.await.unwrap());
    }
    let request = v1::ListRequest { page_size: 500, ..v1::ListRequest::default() };
    eventually("nothing is under way any more", || async {
        let list = alice.client().await.messages().list(request.clone()).await.ok()?.into_inner();
        list.messages.iter().all(|message| message.state() != v1::State::Sending).then_some(())
    })
    .await;
    let inbox = inbox(&bob).await;
    assert!(inbox.iter().filter(|(text, _)| text.starts_with("burst")).all(|(_, count)| *count == 1), "{inbox:?}");
    let states: BTreeMap<String, v1::State> =
        alice.messages().await.into_iter().map(|message| (message.text.clone(), message.state())).collect();
    for (n, result) in told {
        let text = format!("burst {n}");
        let is_there = inbox.contains_key(&text);
        assert_eq!(is_there, states.get(&text) == Some(&v1::State::Delivered), "{text}: {:?}", states.get(&text));
        match result {
            Ok(_) => assert!(is_there, "{text} was answered"),
            Err(status) => {
                let reason = status.get_details_error_info().map(|info| info.reason);
                // A call that the connection's end cut off was told nothing; any other error but this one is final.
                let is_final = reason.is_some() && status.code() != Code::DeadlineExceeded;
                assert!(!(is_final && is_there), "{text} was refused: {status}");
            }
        }
    }
    stack.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sigterm_of_the_sender_in_the_middle_of_sends_tells_the_truth() {
    sigterm_in_the_middle(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sigterm_of_the_recipient_in_the_middle_of_sends_tells_the_truth() {
    sigterm_in_the_middle(false).await;
}
