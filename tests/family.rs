//! A client that knows only what the API family has over HTTP: `/v1/message/send`, `/v1/subscribe`, `/v1/lightning/*`,
//! `/v1/sign` and `/v1/verify`. It has a whole conversation, with an invoice in it.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use serde_json::{Value, json};
use support::{NodeHandle, Stack, eventually};

async fn post(node: &NodeHandle, path: &str, body: Value) -> (u16, Value) {
    let request = reqwest::Client::new().post(node.url(path)).body(body.to_string());
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Posts what must succeed.
async fn ok(node: &NodeHandle, path: &str, body: Value) -> Value {
    let (status, answer) = post(node, path, body).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

/// Posts what must fail, and gives the HTTP status and the reason.
async fn refused(node: &NodeHandle, path: &str, body: Value) -> (u16, String) {
    let (status, answer) = post(node, path, body).await;
    let info = answer["details"].as_array().unwrap().iter().find(|detail| detail["reason"].is_string());
    (status, info.unwrap_or_else(|| panic!("{path}: {answer}"))["reason"].as_str().unwrap().to_owned())
}

/// What arrives at a node from now on, one JSON object a line.
struct Arrivals {
    answer: reqwest::Response,
    read: Vec<u8>,
}

impl Arrivals {
    async fn of(node: &NodeHandle) -> Self {
        let answer = reqwest::Client::new().get(node.url("/v1/subscribe")).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        Self { answer, read: Vec::new() }
    }

    async fn next(&mut self) -> Value {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return serde_json::from_slice::<Value>(&line).unwrap()["result"].take();
            }
            let chunk = tokio::time::timeout(support::DEADLINE, self.answer.chunk()).await.unwrap().unwrap();
            self.read.extend_from_slice(&chunk.unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_is_made_here_sent_as_a_message_paid_there_and_checked() {
    let stack = Stack::start().await;
    let (alice, bob) = (&stack.alice, &stack.bob);
    let mut arrivals = Arrivals::of(alice).await;

    let made = ok(bob, "/v1/lightning/generateinvoice", json!({"amount": "1234", "memo": "tea, two cups"})).await;
    let invoice = made["invoice"].as_str().unwrap().to_owned();
    assert!(invoice.starts_with("lnbcrt12340n1"), "{invoice}");
    let sent = ok(bob, "/v1/message/send", json!({"msg": invoice, "pubkey": alice.pubkey})).await;

    let arrived = arrivals.next().await;
    assert_eq!(
        arrived,
        json!({
            "id": sent["id"], "replyToId": "", "fromPubkey": bob.pubkey, "data": invoice, "serviceType": "message",
            "amount": "1"
        })
    );
    let invoice = json!({"invoice": arrived["data"]});
    assert_eq!(ok(bob, "/v1/lightning/checkinvoice", invoice.clone()).await, json!({"paid": false}));
    assert_eq!(refused(alice, "/v1/lightning/checkinvoice", invoice.clone()).await, (404, "INVOICE_NOT_FOUND".into()));
    assert_eq!(refused(bob, "/v1/lightning/payinvoice", invoice.clone()).await, (400, "OWN_PUBKEY".into()));

    let paid = ok(alice, "/v1/lightning/payinvoice", invoice.clone()).await;
    let preimage = paid["preimage"].as_str().unwrap();
    assert!(preimage.len() == 64 && preimage.bytes().all(|digit| digit.is_ascii_hexdigit()), "{preimage}");
    eventually("the invoice is paid", || async {
        (ok(bob, "/v1/lightning/checkinvoice", invoice.clone()).await == json!({"paid": true})).then_some(())
    })
    .await;
    assert_eq!(ok(alice, "/v1/lightning/checkinvoice", invoice.clone()).await, json!({"paid": true}));
    assert_eq!(refused(alice, "/v1/lightning/payinvoice", invoice).await, (400, "ALREADY_PAID".into()));

    // And an answer, so that the conversation goes both ways.
    let mut arrivals = Arrivals::of(bob).await;
    let answer = json!({"msg": "paid", "pubkey": bob.pubkey, "replyToId": sent["id"], "amount": 3});
    ok(alice, "/v1/message/send", answer).await;
    let arrived = arrivals.next().await;
    assert_eq!(
        (&arrived["data"], &arrived["replyToId"], &arrived["amount"]),
        (&json!("paid"), &sent["id"], &json!("3"))
    );
    stack.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_signed_here_and_verified_there() {
    let stack = Stack::start().await;
    let (alice, bob) = (&stack.alice, &stack.bob);
    let text = "I owe bob two cups of tea. 🫖";
    let signed = ok(alice, "/v1/sign", json!({"msg": text})).await;
    let signature = signed["signature"].as_str().unwrap();
    assert_eq!(signature.len(), 104);
    for (node, msg, signature, holds) in [
        (bob, text, signature, true),
        (alice, text, signature, true),
        (bob, "I owe bob three cups of tea.", signature, false),
        (bob, text, &signature[1..], false),
        (bob, text, "", false),
        (bob, text, "no signature", false),
    ] {
        let answer = ok(node, "/v1/verify", json!({"msg": msg, "signature": signature})).await;
        assert_eq!(answer, json!({"result": holds}), "{msg} {signature}");
    }
    // Whoever could have a frame signed could send messages in alice's name.
    for text in ["boltgram frame v1:", "boltgram frame v1:anything"] {
        assert_eq!(refused(alice, "/v1/sign", json!({"msg": text})).await, (400, "RESERVED_TEXT".into()));
    }
    stack.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_invoice_is_refused_with_its_reason_and_unknown_fields_are_ignored() {
    let stack = Stack::start().await;
    let alice = &stack.alice;
    let on_mainnet = "lnbc1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq9qrsgq357wnc5r2ueh7ck6q93dj32dlqnls087fxdwk8qakdyafkq3yap9us6v52vjjsrvywa6rt52cm9r9zqt8r2t7mlcwspyetp5h2tztugp9lfyql";
    for path in ["/v1/lightning/payinvoice", "/v1/lightning/checkinvoice"] {
        for invoice in ["", "lnbcrt1", on_mainnet] {
            let found = refused(alice, path, json!({"invoice": invoice})).await;
            assert_eq!(found, (400, "INVALID_INVOICE".into()), "{path} {invoice}");
        }
    }
    let negative = refused(alice, "/v1/lightning/generateinvoice", json!({"amount": -1})).await;
    assert_eq!(negative, (400, "INVALID_AMOUNT".into()));
    let long = refused(alice, "/v1/lightning/generateinvoice", json!({"memo": "x".repeat(640)})).await;
    assert_eq!(long, (400, "INVALID_FIELD".into()));
    let made = ok(alice, "/v1/lightning/generateinvoice", json!({"amount": 5, "colour": "red"})).await;
    assert!(made["invoice"].as_str().unwrap().starts_with("lnbcrt50n1"), "{made}");
    // One without an amount: this small service has no place to say how much.
    let any = ok(&stack.bob, "/v1/lightning/generateinvoice", json!({})).await;
    assert_eq!(refused(alice, "/v1/lightning/payinvoice", any).await, (400, "INVALID_FIELD".into()));
    stack.finish().await;
}
