//! Errors: their HTTP status, their JSON, and requests that reach no RPC.

use std::collections::HashMap;

use boltgram_edge::http::Limits;
use prost::Message as _;
use prost_types::Any;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _, pb};

use crate::support::{Answer, PATIENCE, Server};

#[tokio::test]
async fn each_code_has_its_usual_http_status() {
    let server = Server::start().await;
    for (code, http_status) in [
        (1, 499),
        (2, 500),
        (3, 400),
        (4, 504),
        (5, 404),
        (6, 409),
        (7, 403),
        (8, 429),
        (9, 400),
        (10, 409),
        (11, 400),
        (12, 501),
        (13, 500),
        (14, 503),
        (15, 500),
        (16, 401),
    ] {
        server.services.answer_with(Err::<(), _>(Status::new(Code::from_i32(code), "why")));
        let answer = server.get("/v1/messages/7").await;
        assert_eq!(answer.status, http_status, "{code}");
        assert_eq!(answer.body, format!(r#"{{"code":{code},"message":"why","details":[]}}"#));
        assert_eq!(answer.headers["content-type"], "application/json");
    }
}

#[tokio::test]
async fn an_error_carries_its_reason_and_numbers() {
    let server = Server::start().await;
    let metadata = HashMap::from([("needed_sat".to_owned(), "3".to_owned()), ("given_sat".to_owned(), "2".to_owned())]);
    let details = ErrorDetails::with_error_info("INVALID_AMOUNT", "boltgram", metadata);
    server.services.answer_with(Err::<(), _>(Status::with_error_details(Code::InvalidArgument, "3 sat", details)));
    let expected = concat!(
        r#"{"code":3,"message":"3 sat","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","#,
        r#""reason":"INVALID_AMOUNT","domain":"boltgram","metadata":{"given_sat":"2","needed_sat":"3"}}]}"#,
    );
    assert_eq!(server.get("/v1/messages/7").await.body, expected);
}

#[tokio::test]
async fn a_detail_of_another_type_comes_as_its_bytes() {
    let server = Server::start().await;
    let detail = Any { type_url: "type.googleapis.com/x.Y".into(), value: vec![0, 255] };
    let details = pb::Status { code: 5, message: "why".into(), details: vec![detail] };
    let status = Status::with_details(Code::NotFound, "why", details.encode_to_vec().into());
    server.services.answer_with(Err::<(), _>(status));
    let expected = r#"{"code":5,"message":"why","details":[{"@type":"type.googleapis.com/x.Y","value":"AP8="}]}"#;
    assert_eq!(server.get("/v1/messages/7").await.body, expected);
}

#[tokio::test]
async fn an_unknown_path_is_not_found() {
    let server = Server::start().await;
    for path in
        ["/", "/v1", "/v1/node/", "/v1/messages/", "/v1//node", "/v1/node/channels//close", "/v2/node", "/V1/node"]
    {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.error().0), (404, 5), "{path}");
    }
    server.get("/v1/messages/%ff").await.is_refused("UTF-8");
    assert_eq!(server.services.calls(), 0);
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let server = Server::start().await;
    for (method, path, allow) in [
        // As an id it would be another RPC's, but it is a path of its own.
        ("GET", "/v1/messages/quote", "POST"),
        ("DELETE", "/v1/messages", "GET, POST"),
        ("GET", "/v1/message/send", "POST"),
        ("HEAD", "/v1/message/send", "POST"),
        ("OPTIONS", "/v1/node", "GET"),
        ("POST", "/v1/messages/subscribe", "GET"),
    ] {
        let request = server.http.request(method.parse().unwrap(), server.url(path));
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((answer.status, &answer.headers["allow"]), (405, &allow.parse().unwrap()), "{method} {path}");
        assert!(method == "HEAD" || answer.error().0 == 12);
    }
    assert_eq!(server.services.calls(), 0);
}

#[tokio::test]
async fn malformed_json_is_refused_with_its_place() {
    let server = Server::start().await;
    for (body, why) in [
        ("{\n \"text\": }", "line 2 column 10"),
        ("{\"text\":\"t\"", "line 1 column 11"),
        ("{\"text\":\"t\"} x", "line 1 column 14"),
        ("[]", "line 1"),
        ("null", "line 1"),
        ("\u{1}", "line 1"),
        (r#"{"amountSat":"many"}"#, "amountSat: "),
        (r#"{"amountSat":1.5}"#, "amountSat: "),
        (r#"{"text":7}"#, "text: "),
        (r#"{"body":"?"}"#, "body: "),
        (r#"{"pubkey":{"a":1}}"#, "pubkey: "),
    ] {
        server.post("/v1/messages", body).await.is_refused(why);
    }
    server.post("/v1/messages", vec![0xff, 0xfe]).await.is_refused("line 1");
    server.post("/v1/messages", "[".repeat(100_000)).await.is_refused("line 1");
    assert_eq!(server.services.calls(), 0);
}

#[tokio::test]
async fn a_field_that_is_given_twice_is_refused() {
    let server = Server::start().await;
    for (body, why) in [
        (r#"{"replyToId":"a","reply_to_id":"a"}"#, "reply_to_id is given twice"),
        (r#"{"feeLimitSat":1,"feeLimitSat":2}"#, "fee_limit_sat is given twice"),
        (r#"{"text":"t","body":"AA=="}"#, "oneof 'content'"),
    ] {
        server.post("/v1/messages", body).await.is_refused(why);
    }
    server.post("/v1/message/send", r#"{"msg":"a","msg":"b"}"#).await.is_refused("msg is given twice");
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_with_413() {
    let server = Server::start().await;
    let bytes_max = boltgram_edge::limits::BODY_BYTES_MAX;
    let body_of = |bytes: usize| format!("{}{{}}", " ".repeat(bytes - 2));
    assert_eq!(server.post("/v1/messages", body_of(bytes_max)).await.status, 200);
    for bytes in [bytes_max + 1, bytes_max * 3] {
        let answer = server.post("/v1/messages", body_of(bytes)).await;
        assert_eq!((answer.status, answer.error().0), (413, 8));
    }
    assert_eq!(server.services.calls(), 1);
}

#[tokio::test]
async fn a_chunked_body_that_is_too_long_is_refused_with_413() {
    let limits = Limits { body_bytes_max: 1000, ..Limits::default() };
    let server = Server::start_with(limits).await;
    let mut client = TcpStream::connect(server.addr).await.unwrap();
    let chunk = format!("1f5\r\n{}\r\n", " ".repeat(501));
    let head = "POST /v1/messages HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    client.write_all(format!("{head}{chunk}{chunk}0\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, client.read_to_string(&mut answer)).await.expect("in time").unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains(r#"{"code":8,"#), "{answer}");
}

#[tokio::test]
async fn a_client_that_sends_all_before_it_reads_still_gets_the_413() {
    let server = Server::start().await;
    let body_bytes = 2 * boltgram_edge::limits::BODY_BYTES_MAX;
    let mut client = TcpStream::connect(server.addr).await.unwrap();
    let head =
        format!("POST /v1/messages HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {body_bytes}\r\n\r\n");
    client.write_all(head.as_bytes()).await.unwrap();
    timeout(PATIENCE, client.write_all(&vec![b' '; body_bytes])).await.expect("in time").expect("it is read");
    let mut answer = String::new();
    timeout(PATIENCE, client.read_to_string(&mut answer)).await.expect("in time").unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_too_much_is_refused_at_once() {
    let server = Server::start().await;
    let mut client = TcpStream::connect(server.addr).await.unwrap();
    let head = "POST /v1/messages HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9999999\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, client.read_to_string(&mut answer)).await.expect("in time").unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}
