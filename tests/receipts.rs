//! Receipts between real nodes, by the commands: asked for, shown, checked without a node; and given once, though the node
//! that owes one is killed.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use std::{fs, path::Path};

use boltgram_api::v1;
use serde_json::Value;
use support::{
    NodeHandle, Stack, boltgram, boltgram_json,
    commands::{fails, on, text},
    eventually,
};

/// Waits until a message that a node sent has its receipt.
async fn received(by: &NodeHandle, id: &str) -> Value {
    eventually(&format!("the receipt for {id}"), || async {
        let answer: Value = reqwest::get(by.url(&format!("/v1/messages/{id}"))).await.ok()?.json().await.ok()?;
        (answer["message"]["state"] == "STATE_RECEIVED").then(|| answer["message"].clone())
    })
    .await
}

/// Sends with these arguments, asking for a receipt; gives the message's id.
async fn asks(from: &NodeHandle, to: &NodeHandle, args: &[&str]) -> String {
    let sent = on(from, &[&["send", &to.pubkey, "--receipt"], args].concat()).await;
    assert_eq!(sent["message"]["asksReceipt"], true);
    text(&sent["message"]["id"]).to_owned()
}

/// What `verify-receipt` says of a file that proves nothing.
async fn disproved(args: &[&str]) -> String {
    let output = boltgram(&[&["verify-receipt"], args].concat()).await;
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["valid"], false);
    text(&said["problem"]).to_owned()
}

fn write(file: &Path, proof: &Value) -> String {
    fs::write(file, proof.to_string()).unwrap();
    file.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_comes_back_and_is_checked_without_a_node() {
    let stack = Stack::start().await;
    let (alice, bob) = (&stack.alice, &stack.bob);
    let before = (alice.messages().await.len(), bob.messages().await.len());
    let id = asks(alice, bob, &["did you get this?"]).await;
    let notes = stack.folder.path().join("notes.md");
    // Of several payments.
    fs::write(&notes, (0..900).map(|n| format!("{}\n", n * n * 7)).collect::<String>()).unwrap();
    let notes = notes.display().to_string();
    let long = asks(alice, bob, &["--file", &notes, "--queue"]).await;
    let unasked = on(alice, &["send", &bob.pubkey, "no receipt"]).await;
    let message = received(alice, &id).await;
    assert_eq!(message["direction"], "DIRECTION_OUT");
    assert!(message["receipt"]["receivedAtMs"].is_string() && text(&message["receipt"]["signature"]).len() == 104);
    received(alice, &long).await;
    let found = on(alice, &["inbox", "--all"]).await;
    let states = found["messages"].as_array().unwrap().iter().filter(|message| message["state"] == "STATE_RECEIVED");
    assert!(states.filter(|message| message["direction"] == "DIRECTION_OUT").count() == 2, "{found}");
    // Nobody is shown a receipt as a message.
    assert_eq!((alice.messages().await.len(), bob.messages().await.len()), (before.0 + 3, before.1 + 3));

    let file = stack.folder.path().join("proof.json");
    let proof = on(alice, &["receipt", &id]).await;
    let path = write(&file, &proof);
    let proven =
        boltgram_json(&["verify-receipt", &path, "--text", "did you get this?", "--pubkey", &bob.pubkey]).await;
    assert_eq!((text(&proven["messageId"]), text(&proven["recipientPubkey"])), (id.as_str(), bob.pubkey.as_str()));
    assert_eq!((text(&proven["senderPubkey"]), &proven["valid"]), (alice.pubkey.as_str(), &Value::Bool(true)));
    let of_notes = write(&stack.folder.path().join("notes.json"), &on(alice, &["receipt", &long]).await);
    boltgram_json(&["verify-receipt", &of_notes, "--file", &notes]).await;

    assert!(disproved(&[&path, "--text", "did you get that?"]).await.contains("another content"));
    assert!(disproved(&[&of_notes, "--file", &path]).await.contains("another content"));
    assert!(disproved(&[&path, "--pubkey", &alice.pubkey]).await.contains("somebody else"));
    let mut tampered = proof.clone();
    tampered["recipientPubkey"] = alice.pubkey.clone().into();
    let tampered = write(&stack.folder.path().join("tampered.json"), &tampered);
    assert!(disproved(&[&tampered]).await.contains("not the recipient's"));
    let (code, said) = fails(alice, &["receipt", text(&unasked["message"]["id"])]).await;
    assert!(code == 1 && said.contains("none was asked for"), "{said}");
    let (code, said) = fails(bob, &["receipt", &id]).await;
    assert!(code == 1 && said.contains("its sender"), "{said}");
    stack.finish().await;
}

#[cfg(debug_assertions)]
mod kills {
    use super::{NodeHandle, eventually, on, received, text, v1};
    use crate::support::{chain::USUAL, web::Web};
    use std::os::unix::process::ExitStatusExt as _;

    const ALICE: usize = 0;
    const BOB: usize = 1;

    /// How many receipts a node has put into its outbox, and how many payments brought one to it.
    fn receipts(node: &NodeHandle) -> (i64, i64) {
        let store = rusqlite::Connection::open(node.data_dir.join("messages.sqlite")).unwrap();
        let count = |sql: &str| store.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        let given = count("SELECT COUNT(*) FROM messages WHERE direction = 2 AND deleted_at_ms IS NOT NULL");
        (given, count("SELECT ifnull(SUM(payments), 0) FROM payment_counts WHERE outcome = 8"))
    }

    /// The recipient dies with the message on disk and no receipt yet, then with the receipt's payment stored and not sent.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_node_that_is_killed_before_its_receipt_is_sent_gives_it_once() {
        let mut web = Web::start(&["alice", "bob"], &[(ALICE, BOB, USUAL)]).await;
        let alice = web.nodes[ALICE].handle.clone();
        let (mut asked, places) = (0, ["after-inbox-commit", "attempt-stored"]);
        for place in places {
            let bob = &mut web.nodes[BOB];
            bob.process.stop().await;
            bob.again_with(&[("FAILPOINTS", &format!("{place}=return"))]);
            bob.comes_to(v1::Phase::Running).await;
            let args = ["send", &bob.pubkey, place, "--receipt", "--queue", "--amount-sat", "2"];
            let sent = on(&alice, &args).await;
            asked += 1;
            let status = web.nodes[BOB].process.ended().await;
            assert_eq!(status.signal(), Some(9), "{place}: {status}");
            web.nodes[BOB].again();
            web.nodes[BOB].runs().await;
            web.mend().await;
            received(&alice, text(&sent["message"]["id"])).await;
            eventually("nothing is under way any more", || async {
                let outbox = on(&alice, &["outbox"]).await;
                outbox["messages"].as_array().unwrap().is_empty().then_some(())
            })
            .await;
            assert_eq!(receipts(&web.nodes[BOB].handle), (asked, 0));
            assert_eq!(receipts(&alice), (0, asked), "each came once, in a payment or more");
        }
        web.stop().await;
    }
}
