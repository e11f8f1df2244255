//! Messages between two real nodes: each way, by each door of the API.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use boltgram_api::{messaging::SendMessageRequest, v1, websocket};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use support::{NodeHandle, Stack, boltgram, boltgram_json, eventually};
use tokio_tungstenite::tungstenite::Message as Frame;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

/// What a client knows that was compiled from the contract's three fields and nothing else.
mod contract {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct SendMessageRequest {
        #[prost(string, tag = "1")]
        pub msg: String,
        #[prost(string, tag = "2")]
        pub pubkey: String,
        #[prost(int64, tag = "3")]
        pub amount: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct SendMessageResponse {
        #[prost(string, tag = "1")]
        pub id: String,
    }
}

async fn send(from: &NodeHandle, to: &NodeHandle, text: &str) -> Result<String, tonic::Status> {
    let request = SendMessageRequest { msg: text.into(), pubkey: to.pubkey.clone(), ..Default::default() };
    Ok(from.client().await.messaging().send_message(request).await?.into_inner().id)
}

async fn post(url: String, body: impl Into<reqwest::Body>) -> (u16, Value) {
    let answer = reqwest::Client::new().post(url).body(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn received(by: &NodeHandle, id: &str) -> v1::Message {
    let request = v1::GetRequest { id: id.into() };
    eventually("the message is in the inbox", || async {
        by.client().await.messages().get(request.clone()).await.ok().and_then(|answer| answer.into_inner().message)
    })
    .await
}

fn reason(status: &tonic::Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_goes_each_way_by_grpc_http_and_command_line() {
    let stack = Stack::start().await;
    for (from, to) in [(&stack.alice, &stack.bob), (&stack.bob, &stack.alice)] {
        let by_grpc = send(from, to, "by gRPC: grüezi 👋").await.unwrap();
        let body = json!({ "msg": "by HTTP", "pubkey": to.pubkey, "amount": "7" }).to_string();
        let (status, answer) = post(from.url("/v1/message/send"), body).await;
        assert_eq!(status, 200, "{answer}");
        let by_cli = boltgram_json(&["send", &to.pubkey, "by CLI", "--amount-sat", "3", "--grpc", &from.grpc]).await;
        let by_cli = by_cli["message"]["id"].as_str().unwrap_or_else(|| by_cli["id"].as_str().unwrap()).to_owned();

        for (id, text, amount_sat) in [
            (by_grpc.as_str(), "by gRPC: grüezi 👋", 1),
            (answer["id"].as_str().unwrap(), "by HTTP", 7),
            (by_cli.as_str(), "by CLI", 3),
        ] {
            let message = received(to, id).await;
            assert_eq!((message.text.as_str(), message.amount_sat), (text, amount_sat));
            assert_eq!(message.peer_pubkey, from.pubkey);
            assert_eq!(message.direction(), v1::Direction::In);
            assert_eq!(message.authenticity(), v1::Authenticity::Signed);
            let sent = received(from, id).await;
            assert_eq!((sent.state(), sent.direction()), (v1::State::Delivered, v1::Direction::Out));
            assert_eq!(sent.payment_hash, message.payment_hash);
        }
        let inbox = boltgram_json(&["inbox", "--grpc", &to.grpc]).await;
        let texts: Vec<&str> =
            inbox["messages"].as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap()).collect();
        assert_eq!(texts[..3], ["by CLI", "by HTTP", "by gRPC: grüezi 👋"]);
    }
    stack.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_the_three_field_contract_alone_is_served() {
    let stack = Stack::start().await;
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", stack.alice.grpc)).unwrap();
    let mut grpc = tonic::client::Grpc::new(channel.connect().await.unwrap());
    grpc.ready().await.unwrap();
    let request =
        contract::SendMessageRequest { msg: "old friend".into(), pubkey: stack.bob.pubkey.clone(), amount: 0 };
    let codec = tonic_prost::ProstCodec::<_, contract::SendMessageResponse>::default();
    let path = "/messaging.Messaging/SendMessage".parse().unwrap();
    let answer = grpc.unary(Request::new(request), path, codec).await.unwrap().into_inner();
    let message = received(&stack.bob, &answer.id).await;
    assert_eq!((message.text.as_str(), message.amount_sat), ("old friend", 1));
    stack.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn websocket_frames_are_the_contracts_byte_for_byte() {
    let stack = Stack::start().await;
    let (mut socket, _) =
        tokio_tungstenite::connect_async(format!("ws://{}/v1/subscribe", stack.bob.http)).await.unwrap();
    // A client of the family may say one thing after it opens; it is ignored.
    futures_util::SinkExt::send(&mut socket, Frame::text("{\"hello\":1}")).await.unwrap();
    let first = send(&stack.alice, &stack.bob, "one \"quoted\"").await.unwrap();
    let request = SendMessageRequest {
        msg: "two".into(),
        pubkey: stack.bob.pubkey.clone(),
        amount: 5,
        reply_to_id: first.clone(),
    };
    let second = stack.alice.client().await.messaging().send_message(request).await.unwrap().into_inner().id;
    let from = &stack.alice.pubkey;
    for expected in [
        format!(
            r#"{{"result":{{"id":"{first}","replyToId":"","fromPubkey":"{from}","data":"one \"quoted\"","serviceType":"message","amount":"1"}}}}"#
        ),
        format!(
            r#"{{"result":{{"id":"{second}","replyToId":"{first}","fromPubkey":"{from}","data":"two","serviceType":"message","amount":"5"}}}}"#
        ),
    ] {
        let frame = tokio::time::timeout(support::DEADLINE, next_text(&mut socket)).await.unwrap();
        assert_eq!(frame, expected);
    }
    stack.finish().await;
}

async fn next_text<S>(socket: &mut S) -> String
where
    S: futures_util::Stream<Item = Result<Frame, tokio_tungstenite::tungstenite::Error>> + Unpin,
{
    loop {
        match socket.next().await.unwrap().unwrap() {
            Frame::Text(text) => return text.to_string(),
            Frame::Ping(_) | Frame::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_of_every_kind_see_the_same_messages() {
    let stack = Stack::start().await;
    let client = stack.bob.client().await;
    let mut family = client.websocket().subscribe(websocket::SubscribeRequest {}).await.unwrap().into_inner();
    let request = v1::SubscribeRequest { after_sequence: Some(0), include_sent: true };
    let mut whole_log = client.messages().subscribe(request).await.unwrap().into_inner();
    let mut lines = reqwest::Client::new().get(stack.bob.url("/v1/messages/subscribe")).send().await.unwrap();

    let id = send(&stack.alice, &stack.bob, "to all").await.unwrap();
    let seen = family.next().await.unwrap().unwrap();
    assert_eq!((seen.id.as_str(), seen.data.as_str(), seen.service_type.as_str()), (id.as_str(), "to all", "message"));
    let line: Value = serde_json::from_slice(&lines.chunk().await.unwrap().unwrap()).unwrap();
    assert_eq!(
        (line["result"]["message"]["id"].as_str().unwrap(), line["result"]["message"]["text"].as_str().unwrap()),
        (id.as_str(), "to all")
    );

    // The log holds what the demo sent and received before, each sequence number once, up to this message.
    let mut last_sequence = 0;
    loop {
        let event = whole_log.next().await.unwrap().unwrap();
        assert_eq!(event.sequence, last_sequence + 1);
        last_sequence = event.sequence;
        if event.message.unwrap().id == id {
            break;
        }
    }
    assert!(last_sequence > 3);
    stack.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_are_told_apart_and_leave_nothing_behind() {
    let stack = Stack::start().await;
    let before = stack.alice.messages().await.len();
    let unknown = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    let bob = stack.bob.pubkey.as_str();
    for (msg, pubkey, amount, code, expected) in [
        ("x", "02ab", 0, Code::InvalidArgument, "INVALID_PUBKEY"),
        ("x", stack.alice.pubkey.as_str(), 0, Code::InvalidArgument, "OWN_PUBKEY"),
        ("", bob, 0, Code::InvalidArgument, "EMPTY_MESSAGE"),
        (&"x".repeat(65_537), bob, 0, Code::InvalidArgument, "MESSAGE_TOO_LONG"),
        ("x", bob, -1, Code::InvalidArgument, "INVALID_AMOUNT"),
        ("x", bob, 99_000_000, Code::FailedPrecondition, "INSUFFICIENT_OUTBOUND_LIQUIDITY"),
        ("x", unknown, 0, Code::NotFound, "UNKNOWN_NODE"),
    ] {
        let request = SendMessageRequest { msg: msg.into(), pubkey: pubkey.into(), amount, ..Default::default() };
        let status = stack.alice.client().await.messaging().send_message(request).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (code, expected), "{status}");
        assert!(!status.message().is_empty());
    }
    let (status, answer) = post(stack.alice.url("/v1/message/send"), r#"{"msg":"x","pubkey":"02ab"}"#).await;
    assert_eq!(
        (status, answer["code"].as_i64(), answer["details"][0]["reason"].as_str()),
        (400, Some(3), Some("INVALID_PUBKEY"))
    );
    assert_eq!(stack.alice.messages().await.len(), before);

    let output = boltgram(&["send", unknown, "x", "--grpc", &stack.alice.grpc]).await;
    assert_eq!(output.status.code(), Some(4));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("UNKNOWN_NODE") && error.contains("next:"), "{error}");
    stack.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_with_a_content_type_and_a_reply_arrive_as_they_were() {
    let stack = Stack::start().await;
    let first = send(&stack.alice, &stack.bob, "question").await.unwrap();
    let body: Vec<u8> = (0..=255).collect();
    let request = v1::SendRequest {
        pubkey: stack.alice.pubkey.clone(),
        content: Some(v1::send_request::Content::Body(body.clone())),
        content_type: "image/x-test".into(),
        amount_sat: 2,
        reply_to_id: first.clone(),
        fee_limit_sat: Some(0),
        ..Default::default()
    };
    let sent = stack.bob.client().await.messages().send(request).await.unwrap().into_inner().message.unwrap();
    let message = received(&stack.alice, &sent.id).await;
    assert_eq!((message.body, message.content_type.as_str()), (body, "image/x-test"));
    assert_eq!((message.reply_to_id, message.amount_msat, message.text.as_str()), (first, 2_000, ""));
    stack.finish().await;
}
