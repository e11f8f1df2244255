//! Unary RPCs: what fills a request, and what an answer looks like.

use boltgram_api::{DESCRIPTOR_SET, messaging::SendMessageRequest, v1};
use boltgram_edge::{http::Limits, limits::QUERY_NAME_PARTS_MAX};
use prost_reflect::DescriptorPool;
use serde_json::json;

use crate::support::{Answer, Server, changed_descriptors, named};

#[tokio::test]
async fn existing_clients_of_send_message_find_their_contract() {
    let server = Server::start().await;
    let answer = server.post("/v1/message/send", r#"{"msg":"hi","pubkey":"02ab","amount":5,"reply_to_id":"r"}"#).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"id":"id of hi"}"#));
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["x-request-id"], "r-1");
    let seen = server.services.last().message::<SendMessageRequest>();
    let sent = SendMessageRequest { msg: "hi".into(), pubkey: "02ab".into(), amount: 5, reply_to_id: "r".into() };
    assert_eq!(seen, sent);
}

#[tokio::test]
async fn every_rpc_of_the_descriptor_set_is_reached() {
    let server = Server::start().await;
    let pool = DescriptorPool::decode(DESCRIPTOR_SET).unwrap();
    let annotation = pool.get_extension_by_name("google.api.http").unwrap();
    let mut reached = 0;
    for rpc in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        let options = rpc.options();
        let rule = options.get_extension(&annotation);
        let pattern = rule.as_message().unwrap().fields().find(|(field, _)| field.name() != "body");
        let (verb, template) = pattern.map(|(field, value)| (field.name().to_uppercase(), value.clone())).unwrap();
        let path = template.as_str().unwrap().replace(['{', '}'], "");
        let method = verb.parse::<reqwest::Method>().unwrap();
        let response = server.http.request(method, server.url(&path)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{}", rpc.full_name());
        assert_eq!(server.services.last().rpc, rpc.full_name());
        reached += 1;
    }
    assert!(reached >= 15, "{reached}");
}

#[tokio::test]
async fn integers_of_64_bits_come_as_number_or_string_and_names_in_both_forms() {
    let server = Server::start().await;
    for body in [
        r#"{"text":"t","amountSat":9007199254740993,"feeLimitSat":0}"#,
        r#"{"text":"t","amount_sat":"9007199254740993","fee_limit_sat":"0"}"#,
    ] {
        assert_eq!(server.post("/v1/messages", body).await.status, 200);
        let seen = server.services.last().message::<v1::SendRequest>();
        assert_eq!((seen.amount_sat, seen.fee_limit_sat), (9_007_199_254_740_993, Some(0)));
    }
}

#[tokio::test]
async fn an_empty_body_is_an_empty_message() {
    let server = Server::start().await;
    for body in ["", "{}", " {}\r\n"] {
        assert_eq!(server.post("/v1/messages", body).await.status, 200);
        assert_eq!(server.services.last().message::<v1::SendRequest>(), v1::SendRequest::default());
    }
    // White space alone is no JSON, and nobody means it.
    assert_eq!(server.post("/v1/messages", " \r\n").await.status, 400);
}

#[tokio::test]
async fn bytes_and_enums_are_read_as_json_has_them() {
    let server = Server::start().await;
    assert_eq!(server.post("/v1/messages", r#"{"body":"AP8+/w=="}"#).await.status, 200);
    let seen = server.services.last().message::<v1::SendRequest>();
    assert_eq!(seen.content, Some(v1::send_request::Content::Body(vec![0, 255, 62, 255])));
}

#[tokio::test]
async fn the_query_fills_the_request_of_a_get() {
    let server = Server::start().await;
    for query in [
        "pageSize=7&pageToken=a%20b%2Bc&direction=DIRECTION_OUT&peerPubkey=02ab",
        "page_size=7&page_token=a+b%2bc&direction=2&peer_pubkey=02ab",
    ] {
        assert_eq!(server.get(&format!("/v1/messages?{query}")).await.status, 200);
        let seen = server.services.last().message::<v1::ListRequest>();
        let direction = v1::Direction::Out.into();
        let expected = v1::ListRequest {
            page_size: 7,
            page_token: "a b+c".into(),
            direction,
            peer_pubkey: "02ab".into(),
            ..Default::default()
        };
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn words_in_a_path_are_not_taken_for_ids() {
    let server = Server::start().await;
    let rpc = |name: &str| format!("boltgram.v1.Messages.{name}");
    for (path, name) in [
        ("/v1/messages/search?query=tea", "Search"),
        ("/v1/messages/held", "ListHeld"),
        ("/v1/messages/7", "Get"),
        ("/v1/conversations", "ListConversations"),
    ] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
        assert_eq!(server.services.last().rpc, rpc(name));
    }
    let delete = server.http.delete(server.url("/v1/messages/7")).send().await.unwrap();
    assert_eq!((delete.status().as_u16(), server.services.last().rpc), (200, rpc("Delete")));
    assert_eq!(server.post("/v1/messages/7/cancel", "").await.status, 200);
    assert_eq!(server.services.last().message::<v1::CancelRequest>().id, "7");
    assert_eq!(server.post("/v1/conversations/unsigned/read", r#"{"upToId":"7"}"#).await.status, 200);
    let read = v1::MarkReadRequest { peer_pubkey: "unsigned".into(), up_to_id: "7".into() };
    assert_eq!(server.services.last().message::<v1::MarkReadRequest>(), read);
}

#[tokio::test]
async fn an_optional_zero_in_the_query_is_not_the_same_as_none() {
    let server = Server::start().await;
    for (query, expected) in [("", None), ("?afterSequence=0&includeSent=true", Some(0))] {
        let response = server.http.get(server.url(&format!("/v1/messages/subscribe{query}"))).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let seen = server.services.last().message::<v1::SubscribeRequest>();
        assert_eq!((seen.after_sequence, seen.include_sent), (expected, expected.is_some()));
    }
}

#[tokio::test]
async fn a_wrong_query_is_refused_by_the_parameters_name() {
    let server = Server::start().await;
    for (query, why) in [
        ("pageSize=many", "pageSize"),
        ("pageSize=99999999999", "pageSize"),
        ("pageSize=1&page_size=1", "given twice"),
        ("direction=UP", "direction"),
        ("direction=", "direction"),
        ("color=red", "color"),
        ("pageToken.x=1", "pageToken.x"),
        ("=1", "query parameter "),
    ] {
        server.get(&format!("/v1/messages?{query}")).await.is_refused(why);
    }
    let answer = server.http.get(server.url("/v1/messages/subscribe?includeSent=1")).send().await.unwrap();
    Answer::of(answer).await.is_refused("give true or false");
    assert_eq!(server.services.calls(), 0);
}

#[tokio::test]
async fn a_variable_in_the_middle_of_a_path_is_decoded() {
    let server = Server::start().await;
    let answer = server.post("/v1/node/channels/a%2Fb%20%C3%A9+/close", r#"{"force":true}"#).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "{}"));
    let seen = server.services.last();
    assert_eq!(seen.rpc, "boltgram.v1.Node.CloseChannel");
    let expected = v1::CloseChannelRequest { channel_id: "a/b é+".into(), force: true };
    assert_eq!(seen.message::<v1::CloseChannelRequest>(), expected);
}

#[tokio::test]
async fn the_path_and_the_body_may_agree_but_not_differ() {
    let server = Server::start().await;
    assert_eq!(server.post("/v1/node/channels/7/close", r#"{"channelId":"7"}"#).await.status, 200);
    server.post("/v1/node/channels/7/close", r#"{"channelId":"8"}"#).await.is_refused("channelId");
    server.get("/v1/messages/7?id=8").await.is_refused("id");
}

#[tokio::test]
async fn a_static_path_wins_over_a_variable() {
    let server = Server::start().await;
    assert_eq!(server.get("/v1/messages/subscriber").await.status, 200);
    assert_eq!(server.services.last().rpc, "boltgram.v1.Messages.Get");
    let response = server.http.get(server.url("/v1/messages/subscribe")).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    assert_eq!(server.services.last().rpc, "boltgram.v1.Messages.Subscribe");
}

#[tokio::test]
async fn an_answer_has_camel_case_strings_for_64_bits_and_its_empty_fields() {
    let server = Server::start().await;
    let message = v1::Message {
        id: "i".into(),
        direction: v1::Direction::In.into(),
        body: vec![0, 255],
        amount_msat: i64::MAX,
        state: 99,
        ..Default::default()
    };
    server.services.answer_with(Ok(v1::GetResponse { message: Some(message) }));
    let expected = concat!(
        r#"{"message":{"id":"i","direction":"DIRECTION_IN","peerPubkey":"","body":"AP8=","text":"","contentType":"","#,
        r#""replyToId":"","amountSat":"0","amountMsat":"9223372036854775807","feeMsat":"0","state":99,"#,
        r#""authenticity":"AUTHENTICITY_UNSPECIFIED","sentAtMs":"0","storedAtMs":"0","failureReason":"","#,
        r#""sequence":"0","paymentHash":"","isRead":false,"expiresAtMs":"0","payments":0,"deliveredBytes":"0","#,
        r#""totalBytes":"0","asksReceipt":false}}"#,
    );
    assert_eq!(server.get("/v1/messages/i").await.body, expected);
    // What has presence and is not set is absent; a list is there, and empty.
    assert_eq!(server.get("/v1/messages/i").await.body, "{}");
    assert_eq!(server.get("/v1/messages").await.body, r#"{"messages":[],"nextPageToken":""}"#);
}

#[tokio::test]
async fn an_answer_of_many_megabytes_comes_whole() {
    let server = Server::start().await;
    let message = v1::Message { body: vec![7; 8_000_000], ..Default::default() };
    server.services.answer_with(Ok(v1::GetResponse { message: Some(message) }));
    assert!(server.get("/v1/messages/i").await.body.len() > 10_000_000);
}

#[tokio::test]
async fn an_unknown_field_is_refused_by_name_in_our_packages_and_ignored_in_the_family() {
    let server = Server::start().await;
    server.post("/v1/messages", r#"{"text":"t","colour":"red"}"#).await.is_refused("colour");
    server.post("/v1/messages?text=t", "{}").await.is_refused("text");
    assert_eq!(server.services.calls(), 0);
    let body = r#"{"msg":"hi","colour":{"a":[1,null,{"b":1.5}]},"colour":2}"#;
    assert_eq!(server.post("/v1/message/send?x=1", body).await.status, 200);
    let response = server.http.get(server.url("/v1/subscribe?x=1")).send().await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn headers_that_are_meant_for_the_services_reach_them_and_no_others() {
    let server = Server::start().await;
    let request = server.http.post(server.url("/v1/message/send")).body(r#"{"msg":"hi"}"#);
    let request = request
        .header("authorization", "Bearer t")
        .header("Idempotency-Key", "k")
        .header("x-request-id", "r")
        .header("Grpc-Metadata-X-Color", "red")
        .header("Grpc-Metadata-Authorization", "Bearer other")
        .header("Grpc-Metadata-Content-Type", "application/grpc+json")
        .header("Grpc-Metadata-Connection", "close")
        .header("cookie", "c=1")
        .header("te", "trailers");
    assert_eq!(request.send().await.unwrap().status(), 200);
    let seen = server.services.last();
    assert_eq!(seen.header("authorization"), Some("Bearer t"));
    assert_eq!(seen.metadata.get_all("authorization").iter().count(), 1);
    assert_eq!(seen.header("idempotency-key"), Some("k"));
    assert_eq!(seen.header("x-request-id"), Some("r"));
    assert_eq!(seen.header("x-color"), Some("red"));
    assert_eq!(seen.header("content-type"), Some("application/grpc"));
    for absent in ["cookie", "connection", "grpc-metadata-x-color", "content-length", "host"] {
        assert_eq!(seen.header(absent), None, "{absent}");
    }
    assert!(seen.remote_addr.is_some_and(|addr| addr.ip().is_loopback()), "{:?}", seen.remote_addr);
}

/// `BalancesRequest` as a later version might have it.
#[derive(PartialEq, prost::Message)]
struct Grown {
    #[prost(int32, repeated, tag = "1")]
    some_numbers: Vec<i32>,
    #[prost(message, optional, tag = "2")]
    send: Option<v1::SendRequest>,
}

async fn server_with_grown_request() -> Server {
    let descriptors = changed_descriptors(|files| {
        let file = files.iter_mut().find(|file| file["name"] == "boltgram/v1/node.proto").unwrap();
        file["dependency"].as_array_mut().unwrap().push("boltgram/v1/messages.proto".into());
        let fields = json!([
            {"name": "some_numbers", "number": 1, "label": "LABEL_REPEATED", "type": "TYPE_INT32"},
            {"name": "send", "number": 2, "label": "LABEL_OPTIONAL", "type": "TYPE_MESSAGE",
             "typeName": ".boltgram.v1.SendRequest"},
            {"name": "more", "number": 3, "label": "LABEL_OPTIONAL", "type": "TYPE_MESSAGE",
             "typeName": ".boltgram.v1.BalancesRequest"},
        ]);
        named(files, "messageType", "BalancesRequest")["field"] = fields;
        let balances = &mut named(files, "service", "Node")["method"][1];
        assert_eq!(balances["name"], "Balances");
        balances["options"]["[google.api.http]"] = json!({"get": "/v1/node/{send.pubkey}/balances"});
    });
    Server::start_over(&descriptors, Limits::default()).await
}

#[tokio::test]
async fn a_request_that_grows_gets_lists_and_nested_fields_from_query_and_path() {
    let server = server_with_grown_request().await;
    let query = "someNumbers=1&send.text=a&some_numbers=-2&send.reply_to_id=r&send.feeLimitSat=3";
    let answer = server.get(&format!("/v1/node/02ab/balances?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let send = v1::SendRequest {
        pubkey: "02ab".into(),
        content: Some(v1::send_request::Content::Text("a".into())),
        reply_to_id: "r".into(),
        fee_limit_sat: Some(3),
        ..Default::default()
    };
    let grown = Grown { some_numbers: vec![1, -2], send: Some(send) };
    assert_eq!(server.services.last().message::<Grown>(), grown);
}

#[tokio::test]
async fn what_does_not_fit_a_nested_field_is_refused() {
    let server = server_with_grown_request().await;
    let deep = format!("{}someNumbers=1", "more.".repeat(QUERY_NAME_PARTS_MAX - 1));
    assert_eq!(server.get(&format!("/v1/node/02ab/balances?{deep}")).await.status, 200);
    for (query, why) in [
        ("someNumbers=1&someNumbers=x", "someNumbers"),
        ("send=1", "expected a map"),
        ("send.text=a&send.body=AA", "it excludes text"),
        ("send.text.x=a", "no such field"),
        ("send.pubkey=03cd", "another value"),
        (&format!("{}someNumbers=1", "more.".repeat(QUERY_NAME_PARTS_MAX)), "no such field"),
    ] {
        server.get(&format!("/v1/node/02ab/balances?{query}")).await.is_refused(why);
    }
}
