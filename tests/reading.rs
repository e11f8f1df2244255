//! Conversations, search, deletion, files and a listener that resumes: by the commands, on two real nodes.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::{
    BOLTGRAM, NodeHandle, Process, Stack,
    commands::{fails, on, text},
    eventually,
};

/// The texts of a page of messages, in its order.
fn texts(page: &Value) -> Vec<&str> {
    page["messages"].as_array().unwrap().iter().map(|message| text(&message["text"])).collect()
}

/// Sends a text, waits until it is in the other's inbox, and gives its id.
async fn sent(from: &NodeHandle, to: &NodeHandle, content: &str) -> String {
    let sent = on(from, &["send", &to.pubkey, content]).await;
    let id = text(&sent["message"]["id"]).to_owned();
    arrived(to, &id).await;
    id
}

async fn arrived(at: &NodeHandle, id: &str) -> Value {
    let url = at.url(&format!("/v1/messages/{id}"));
    eventually("the message is in the inbox", || async {
        let answer = reqwest::get(&url).await.unwrap();
        match answer.status().is_success() {
            true => Some(answer.json::<Value>().await.unwrap()["message"].clone()),
            false => None,
        }
    })
    .await
}

/// The conversation with this peer, as it is listed.
async fn conversation(of: &NodeHandle, with: &NodeHandle) -> Value {
    let list = on(of, &["conversations"]).await;
    let found = list["conversations"].as_array().unwrap().iter().find(|one| one["peerPubkey"] == *with.pubkey);
    found.cloned().unwrap_or(Value::Null)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_listed_with_what_is_unread_and_read() {
    let stack = Stack::start().await;
    let (alice, bob) = (&stack.alice, &stack.bob);
    // What the demo itself has sent is read first.
    on(bob, &["read", &alice.pubkey, "--mark-only"]).await;
    assert_eq!(conversation(bob, alice).await["unread"], "0");
    for content in ["one", "two", "three"] {
        sent(alice, bob, content).await;
    }
    let before = conversation(bob, alice).await;
    assert_eq!((&before["unread"], &before["lastMessage"]["text"]), (&json!("3"), &json!("three")));
    let inbox = on(bob, &["inbox", "--limit", "3"]).await;
    assert!(inbox["messages"].as_array().unwrap().iter().all(|message| message["isRead"] == false), "{inbox}");

    let kept = on(bob, &["read", &alice.pubkey, "--keep-unread", "--limit", "2"]).await;
    assert_eq!(texts(&kept), ["three", "two"]);
    assert_eq!(conversation(bob, alice).await["unread"], "3");
    let read = on(bob, &["read", &alice.pubkey, "--limit", "3"]).await;
    assert_eq!(texts(&read), ["three", "two", "one"]);
    let after = conversation(bob, alice).await;
    assert_eq!((&after["unread"], &after["messages"]), (&json!("0"), &before["messages"]));

    sent(alice, bob, "four").await;
    assert_eq!(on(bob, &["read", &alice.pubkey, "--mark-only"]).await, json!({"marked": "1", "unread": "0"}));
    assert_eq!(on(bob, &["read", &alice.pubkey, "--mark-only"]).await, json!({"marked": "0", "unread": "0"}));
    // What a node sends is part of the conversation, and never unread.
    sent(bob, alice, "five").await;
    let shown = conversation(bob, alice).await;
    assert_eq!((&shown["unread"], &shown["lastMessage"]["text"]), (&json!("0"), &json!("five")));
    assert_eq!(texts(&on(bob, &["read", &alice.pubkey, "--limit", "2"]).await), ["five", "four"]);
    assert_eq!(texts(&on(bob, &["read", "unsigned"]).await), [""; 0]);
    stack.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_found_by_their_words_until_they_are_deleted() {
    let stack = Stack::start().await;
    let (alice, bob) = (&stack.alice, &stack.bob);
    let first = sent(alice, bob, "Grüner Tee um vier?").await;
    let second = sent(bob, alice, "lieber schwarzer Tee").await;
    for node in [alice, bob] {
        assert_eq!(texts(&on(node, &["search", "tee"]).await), ["lieber schwarzer Tee", "Grüner Tee um vier?"]);
        assert_eq!(texts(&on(node, &["search", "TEE", "grun*"]).await), ["Grüner Tee um vier?"]);
        assert_eq!(texts(&on(node, &["search", "kaffee"]).await), [""; 0]);
        assert_eq!(texts(&on(node, &["search", "tee", "--peer", "unsigned"]).await), [""; 0]);
    }
    assert_eq!(texts(&on(bob, &["search", "tee", "--peer", &alice.pubkey]).await).len(), 2);
    let page: Value =
        reqwest::get(bob.url("/v1/messages/search?query=tee&pageSize=1")).await.unwrap().json().await.unwrap();
    let next = format!("/v1/messages/search?query=tee&pageSize=1&pageToken={}", text(&page["nextPageToken"]));
    let older: Value = reqwest::get(bob.url(&next)).await.unwrap().json().await.unwrap();
    assert_eq!([texts(&page), texts(&older)].concat(), ["lieber schwarzer Tee", "Grüner Tee um vier?"]);
    assert_eq!(text(&older["nextPageToken"]), "");
    let (code, said) = fails(bob, &["search", "t*"]).await;
    assert!(code == 4 && said.contains("INVALID_FIELD"), "{said}");

    for id in [&first, &second] {
        assert_eq!(on(bob, &["delete", id]).await, json!({}));
        let (code, said) = fails(bob, &["delete", id]).await;
        assert!(code == 4 && said.contains("MESSAGE_NOT_FOUND"), "{said}");
    }
    assert_eq!(texts(&on(bob, &["search", "tee"]).await), [""; 0]);
    let inbox = on(bob, &["inbox", "--all"]).await;
    assert!(!texts(&inbox).iter().any(|text| text.contains("Tee")), "{inbox}");
    assert_eq!(texts(&on(alice, &["search", "tee"]).await).len(), 2, "what is deleted here stays there");

    // A message that has ended can't be cancelled; nothing waits, and nothing was put aside.
    let (code, said) = fails(alice, &["cancel", &first]).await;
    assert!(code == 4 && said.contains("NOT_CANCELLABLE"), "{said}");
    assert_eq!(texts(&on(alice, &["outbox"]).await), [""; 0]);
    let held = on(bob, &["held"]).await;
    assert_eq!(held, json!({"payments": [], "counts": [], "nextPageToken": ""}));
    stack.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_arrives_as_it_is_with_its_media_type() {
    let stack = Stack::start().await;
    let (alice, bob) = (&stack.alice, &stack.bob);
    let bytes: Vec<u8> = (0..=255).collect();
    let picture = stack.folder.path().join("picture.png");
    std::fs::write(&picture, &bytes).unwrap();
    let path = picture.display().to_string();
    for (args, media_type) in
        [(&[][..], "image/png"), (&["--content-type", "application/x-test"], "application/x-test")]
    {
        let args = [&["send", &bob.pubkey, "--file", &path, "--fee-limit-sat", "0"], args].concat();
        let sent = on(alice, &args).await;
        let id = text(&sent["message"]["id"]);
        arrived(bob, id).await;
        let message = bob.messages().await.into_iter().find(|message| message.id == id).unwrap();
        assert_eq!((message.content_type.as_str(), &message.body), (media_type, &bytes));
    }
    let (code, said) = fails(alice, &["send", &bob.pubkey, "--file", "/no/such/file"]).await;
    assert!(code == 1 && said.contains("/no/such/file"), "{said}");
    stack.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_given_once_or_twice_the_same() {
    let stack = Stack::start().await;
    let (alice, bob) = (&stack.alice, &stack.bob);
    let post = async |path: &str, keys: &[&str], body: Value| {
        let mut request = reqwest::Client::new().post(alice.url(path)).body(body.to_string());
        for key in keys {
            request = request.header("Idempotency-Key", *key);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let v1 = json!({ "pubkey": bob.pubkey, "text": "with a key", "idempotencyKey": "key-1" });
    let family = json!({ "pubkey": bob.pubkey, "msg": "with a key" });
    for (path, keys, body) in [
        ("/v1/messages", &["another"][..], &v1),
        ("/v1/messages", &["key-1", "key-1"], &v1),
        ("/v1/message/send", &[""], &family),
    ] {
        let (status, answer) = post(path, keys, body.clone()).await;
        assert_eq!((status, text(&answer["details"][0]["reason"])), (400, "INVALID_FIELD"), "{answer}");
        assert_eq!(text(&answer["details"][0]["metadata"]["field"]), "idempotency_key");
    }
    let (status, answer) = post("/v1/messages", &["key-1"], v1).await;
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = post("/v1/message/send", &["key-2"], family).await;
    assert_eq!(status, 200, "{answer}");
    for expires in [0, 604_801] {
        let body = json!({ "pubkey": bob.pubkey, "text": "x", "expiresInSeconds": expires });
        let (status, answer) = post("/v1/messages", &[], body).await;
        assert_eq!((status, text(&answer["details"][0]["metadata"]["field"])), (400, "expires_in_seconds"));
    }
    stack.finish().await;
}

/// A listener that keeps its place, with what it writes in a file of this name.
fn listener(stack: &Stack, resume: &str, log: &Path) -> Process {
    let state = format!("XDG_STATE_HOME={}", stack.folder.path().join("state").display());
    let argv = ["env", &state, BOLTGRAM, "listen", resume, "--grpc", &stack.bob.grpc];
    Process::start(&argv.map(str::to_owned), log.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_shows_each_message_once_over_its_own_restarts() {
    let stack = Stack::start().await;
    let (alice, bob) = (&stack.alice, &stack.bob);
    let place = stack.folder.path().join("place");
    for (resume, file) in [
        ("--resume".to_owned(), stack.folder.path().join(format!("state/boltgram/listen-{}", bob.pubkey))),
        (format!("--resume={}", place.display()), place),
    ] {
        let log = stack.folder.path().join(format!("{}.log", resume.len()));
        let shown = |content: &str| {
            let logged = std::fs::read_to_string(&log).unwrap_or_default();
            logged.matches(&format!("\"text\":\"{content}\"")).count()
        };
        for round in ["first", "second"] {
            let missed = format!("{round} missed, {}", resume.len());
            let live = format!("{round} live, {}", resume.len());
            sent(alice, bob, &missed).await;
            let mut process = listener(&stack, &resume, &log);
            eventually("what it missed is shown", || async { (shown(&missed) == 1).then_some(()) }).await;
            sent(alice, bob, &live).await;
            let id = on(bob, &["inbox", "--limit", "1"]).await["messages"][0]["sequence"].clone();
            eventually("its place is kept", || async {
                let kept = std::fs::read_to_string(&file).unwrap_or_default();
                (shown(&live) == 1 && kept.trim() == text(&id)).then_some(())
            })
            .await;
            process.signal("INT");
            assert!(process.ended().await.success(), "{}", process.logged());
        }
        let logged = std::fs::read_to_string(&log).unwrap();
        let mut lines: Vec<&str> = logged.lines().collect();
        let all = lines.len();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), all, "each is shown once: {logged}");
        assert!(logged.contains(&format!("first missed, {}", resume.len())), "{logged}");

        // A place of another node's log is none of this one's.
        std::fs::write(&file, "1000000\n").unwrap();
        let mut process = listener(&stack, &resume, &log);
        assert_eq!(process.ended().await.code(), Some(4));
        assert!(process.logged().contains("not of this node's log"), "{}", process.logged());
    }
    stack.finish().await;
}
