//! Server streams as JSON lines and server-sent events.

use std::time::Duration;

use boltgram_api::v1;
use boltgram_edge::http::Limits;
use reqwest::Response;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tonic::Status;

use crate::support::{Answer, PATIENCE, Script, Server, arrival, end, eventually};

async fn lines(server: &Server, path: &str) -> Response {
    server.http.get(server.url(path)).send().await.unwrap()
}

async fn events(server: &Server, path: &str) -> Response {
    server.http.get(server.url(path)).header("accept", "text/event-stream").send().await.unwrap()
}

/// Reads until the text ends in this.
async fn read_until(response: &mut Response, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let chunk = timeout(PATIENCE, response.chunk()).await.expect("in time").unwrap().expect("more");
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    text
}

#[tokio::test]
async fn json_lines_begin_before_the_first_message_and_miss_none_after() {
    let server = Server::start().await;
    let mut response = lines(&server, "/v1/subscribe").await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"application/x-ndjson".parse().unwrap())
    );
    server.services.publish(arrival("1", "one"));
    let expected = concat!(
        r#"{"result":{"id":"1","replyToId":"","fromPubkey":"02ab","data":"one","serviceType":"message","amount":"1"}}"#,
        "\n"
    );
    assert_eq!(read_until(&mut response, "\n").await, expected);
    server.services.publish(arrival("2", "line\nbreak"));
    assert!(read_until(&mut response, "\n").await.contains(r#""data":"line\nbreak""#));
    server.services.publish(end());
    assert_eq!(response.chunk().await.unwrap(), None);
    eventually("the RPC is over", || server.services.running() == 0).await;
}

#[tokio::test]
async fn an_error_later_is_the_last_line() {
    let server = Server::start().await;
    let mut response = lines(&server, "/v1/subscribe").await;
    server.services.publish(arrival("1", "one"));
    read_until(&mut response, "\n").await;
    server.services.fail_streams(Status::unavailable("it stops"));
    let expected = "{\"error\":{\"code\":14,\"message\":\"it stops\",\"details\":[]}}\n";
    assert_eq!(response.text().await.unwrap(), expected);
}

#[tokio::test]
async fn an_rpc_that_fails_before_its_first_message_has_an_http_status() {
    let server = Server::start().await;
    for script in [Script::Refuse(Status::permission_denied("no")), Script::FailAtOnce(Status::permission_denied("no"))]
    {
        server.services.script(script);
        for accept in ["*/*", "text/event-stream"] {
            let request = server.http.get(server.url("/v1/subscribe")).header("accept", accept);
            let answer = Answer::of(request.send().await.unwrap()).await;
            assert_eq!((answer.status, answer.error()), (403, (7, "no".into())));
        }
    }
}

#[tokio::test]
async fn a_stream_without_messages_is_an_empty_body() {
    let server = Server::start().await;
    server.services.script(Script::EndAtOnce);
    for response in [lines(&server, "/v1/subscribe").await, events(&server, "/v1/subscribe").await] {
        assert_eq!((response.status().as_u16(), response.text().await.unwrap().as_str()), (200, ""));
    }
}

#[tokio::test]
async fn events_carry_the_sequence_as_their_id() {
    let server = Server::start().await;
    let mut response = events(&server, "/v1/messages/subscribe").await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    server.services.publish(arrival("1", "one"));
    let event = read_until(&mut response, "\n\n").await;
    assert_eq!(event, "id: 1\ndata: {\"result\":{\"sequence\":\"1\"}}\n\n");
    server.services.fail_streams(Status::unavailable("it stops"));
    let event = read_until(&mut response, "\n\n").await;
    assert_eq!(event, "data: {\"error\":{\"code\":14,\"message\":\"it stops\",\"details\":[]}}\n\n");
    assert_eq!(response.chunk().await.unwrap(), None);
}

#[tokio::test]
async fn events_of_a_type_without_a_sequence_have_no_id() {
    let server = Server::start().await;
    let mut response = events(&server, "/v1/subscribe").await;
    server.services.publish(arrival("1", "one"));
    assert!(read_until(&mut response, "\n\n").await.starts_with("data: {\"result\":{\"id\":\"1\","));
}

#[tokio::test]
async fn a_client_that_comes_again_resumes_after_its_last_event() {
    let server = Server::start().await;
    let resume = async |path: &str, last: &str| {
        let request = server.http.get(server.url(path)).header("Last-Event-ID", last);
        request.header("accept", "text/html;q=0.9, Text/Event-Stream ; q=1").send().await.unwrap()
    };
    assert_eq!(resume("/v1/messages/subscribe?after_sequence=3", "41").await.status(), 200);
    assert_eq!(server.services.last().message::<v1::SubscribeRequest>().after_sequence, Some(41));
    assert_eq!(resume("/v1/messages/subscribe?after_sequence=3", "").await.status(), 200);
    assert_eq!(server.services.last().message::<v1::SubscribeRequest>().after_sequence, Some(3));
    Answer::of(resume("/v1/messages/subscribe", "x").await).await.is_refused("Last-Event-ID");
    // A request type that can't resume leaves it.
    assert_eq!(resume("/v1/subscribe", "x").await.status(), 200);
}

#[tokio::test]
async fn idle_events_are_kept_alive_by_comments() {
    let limits = Limits { keep_alive_interval: Duration::from_millis(20), ..Limits::default() };
    let server = Server::start_with(limits).await;
    let mut response = events(&server, "/v1/subscribe").await;
    for _ in 0..3 {
        assert_eq!(read_until(&mut response, "\n\n").await, ":\n\n");
    }
}

#[tokio::test]
async fn when_an_idle_client_leaves_its_rpc_ends() {
    let server = Server::start().await;
    for accept in ["*/*", "text/event-stream"] {
        let request = server.http.get(server.url("/v1/subscribe")).header("accept", accept);
        let response = request.send().await.unwrap();
        assert_eq!(server.services.running(), 1);
        drop(response);
        eventually("the RPC is over", || server.services.running() == 0).await;
    }
}

#[tokio::test]
async fn when_a_client_leaves_before_its_unary_rpc_is_done_the_rpc_ends() {
    let server = Server::start().await;
    let call = tokio::spawn(server.http.post(server.url("/v1/message/send")).body(r#"{"msg":"hang"}"#).send());
    eventually("the RPC runs", || server.services.running() == 1).await;
    call.abort();
    eventually("the RPC is over", || server.services.running() == 0).await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_holds_up_its_rpc_and_nothing_piles_up() {
    const MESSAGE_BYTES: usize = 256 * 1024;
    // What the kernel's socket buffers and hyper's write buffer may take together.
    const BUFFERED_BYTES_MAX: usize = 32 * 1024 * 1024;
    let server = Server::start().await;
    server.services.script(Script::Flood(MESSAGE_BYTES));
    for accept in ["*/*", "text/event-stream"] {
        let taken_before = server.services.taken();
        let mut client = TcpStream::connect(server.addr).await.unwrap();
        let request = format!("GET /v1/subscribe HTTP/1.1\r\nhost: x\r\naccept: {accept}\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let taken = until_it_stands(&server).await - taken_before;
        assert!(taken > 0 && taken * MESSAGE_BYTES < BUFFERED_BYTES_MAX, "{taken}");
        // It goes on as the client does.
        let mut read = vec![0; BUFFERED_BYTES_MAX];
        timeout(PATIENCE, client.read_exact(&mut read)).await.expect("in time").unwrap();
        assert!(server.services.taken() - taken_before > taken);
        drop(client);
        eventually("the RPC is over", || server.services.running() == 0).await;
    }
}

/// Waits until the flood has not moved for a while, and tells how many messages were taken.
async fn until_it_stands(server: &Server) -> usize {
    let mut taken = (server.services.taken(), 0);
    eventually("the flood starts", || server.services.taken() > 0).await;
    while taken.1 < 20 {
        tokio::time::sleep(Duration::from_millis(25)).await;
        let now = server.services.taken();
        taken = if now == taken.0 { (now, taken.1 + 1) } else { (now, 0) };
    }
    taken.0
}
