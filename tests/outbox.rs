//! The durable outbox by the commands: what is queued waits, is delivered when its recipient is back, or is cancelled.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use serde_json::Value;
use support::{
    NodeHandle, Stack,
    commands::{fails, on, text},
    eventually,
};

/// A message that a node sent, as it stands now.
async fn message(of: &NodeHandle, id: &str) -> Value {
    let answer: Value = reqwest::get(of.url(&format!("/v1/messages/{id}"))).await.unwrap().json().await.unwrap();
    answer["message"].clone()
}

fn ids(page: &Value) -> Vec<String> {
    page["messages"].as_array().unwrap().iter().map(|message| text(&message["id"]).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_message_waits_for_its_recipient_and_is_delivered_when_it_is_back() {
    let mut stack = Stack::start().await;
    let (alice, bob) = (stack.alice.clone(), stack.bob.clone());
    stack.end(&bob, "TERM").await;
    let queued = on(&alice, &["send", &bob.pubkey, "for later", "--queue", "--expires", "2h"]).await;
    let id = text(&queued["message"]["id"]).to_owned();
    let stored: i64 = text(&queued["message"]["storedAtMs"]).parse().unwrap();
    let expires: i64 = text(&queued["message"]["expiresAtMs"]).parse().unwrap();
    assert_eq!(expires - stored, 2 * 3_600 * 1_000);
    assert_eq!(ids(&on(&alice, &["outbox"]).await), std::slice::from_ref(&id));
    let (code, said) = fails(&alice, &["delete", &id]).await;
    assert!(code == 4 && said.contains("MESSAGE_NOT_FINISHED") && said.contains("boltgram cancel"), "{said}");

    stack.start_again(&bob).await;
    eventually("it is delivered", || async {
        (message(&alice, &id).await["state"] == "STATE_DELIVERED").then_some(())
    })
    .await;
    assert!(ids(&on(&alice, &["outbox"]).await).is_empty());
    eventually("it has arrived", || async {
        let inbox = on(&bob, &["inbox"]).await;
        ids(&inbox).contains(&id).then_some(())
    })
    .await;
    stack.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_message_is_not_sent_and_can_be_deleted() {
    let mut stack = Stack::start().await;
    let (alice, bob) = (stack.alice.clone(), stack.bob.clone());
    stack.end(&bob, "TERM").await;
    let queue = async |content| {
        let queued = on(&alice, &["send", &bob.pubkey, content, "--queue"]).await;
        text(&queued["message"]["id"]).to_owned()
    };
    let (cancelled, kept) = (queue("not this").await, queue("but this").await);
    let answer = on(&alice, &["cancel", &cancelled]).await;
    assert_eq!(text(&answer["message"]["state"]), "STATE_CANCELLED");
    assert_eq!(ids(&on(&alice, &["outbox"]).await), std::slice::from_ref(&kept));
    let (code, said) = fails(&alice, &["cancel", &cancelled]).await;
    assert!(code == 4 && said.contains("NOT_CANCELLABLE"), "{said}");
    on(&alice, &["delete", &cancelled]).await;

    stack.start_again(&bob).await;
    eventually("the other one has arrived", || async {
        let inbox = on(&bob, &["inbox"]).await;
        ids(&inbox).contains(&kept).then_some(())
    })
    .await;
    assert!(!ids(&on(&bob, &["inbox", "--all"]).await).contains(&cancelled));
    stack.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_run_again_with_its_key_sends_one_message() {
    let stack = Stack::start().await;
    let (alice, bob) = (&stack.alice, &stack.bob);
    let send = ["send", &bob.pubkey, "once", "--idempotency-key", "order 66"];
    let [first, again] = [on(alice, &send).await, on(alice, &send).await];
    assert_eq!(first["message"]["id"], again["message"]["id"]);
    assert_eq!(text(&again["message"]["state"]), "STATE_DELIVERED");
    let (code, said) = fails(alice, &["send", &bob.pubkey, "another", "--idempotency-key", "order 66"]).await;
    assert!(code == 4 && said.contains("IDEMPOTENCY_CONFLICT"), "{said}");
    // By the family's call it is the same key for the same text.
    let body = serde_json::json!({ "pubkey": bob.pubkey, "msg": "once" }).to_string();
    let request = reqwest::Client::new().post(alice.url("/v1/message/send")).header("Idempotency-Key", "order 66");
    let answer: Value = request.body(body).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["id"], first["message"]["id"], "{answer}");
    let found = on(bob, &["search", "once"]).await;
    assert_eq!(ids(&found).len(), 1);
    stack.finish().await;
}
