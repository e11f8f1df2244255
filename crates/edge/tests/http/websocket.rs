//! Server streams over a WebSocket.

use std::time::{Duration, Instant};

use boltgram_api::v1;
use boltgram_edge::{http::Limits, limits::CLIENT_FRAME_BYTES_MAX};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, client::IntoClientRequest as _, protocol::frame::coding::CloseCode},
};
use tonic::Status;

use crate::support::{Answer, PATIENCE, Script, Server, arrival, end, eventually};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(server: &Server, path: &str) -> Socket {
    connect_async(format!("ws://{}{path}", server.addr)).await.unwrap().0
}

async fn next(socket: &mut Socket) -> Message {
    timeout(PATIENCE, socket.next()).await.expect("in time").expect("a frame").unwrap()
}

/// The next frame that isn't a ping.
async fn next_text(socket: &mut Socket) -> String {
    loop {
        match next(socket).await {
            Message::Text(text) => return text.as_str().to_owned(),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn next_close(socket: &mut Socket) -> CloseCode {
    match next(socket).await {
        Message::Close(Some(close)) => close.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn existing_listeners_find_their_contract_byte_for_byte() {
    let server = Server::start().await;
    let mut socket = connect(&server, "/v1/subscribe").await;
    // What is sent from here on, nothing of it may be missed. The client says something first, as listeners do.
    server.services.publish(arrival("1", "one"));
    socket.send(Message::text("{}")).await.unwrap();
    server.services.publish(arrival("2", "a \"quote\" and é"));
    let expected =
        r#"{"result":{"id":"1","replyToId":"","fromPubkey":"02ab","data":"one","serviceType":"message","amount":"1"}}"#;
    assert_eq!(next_text(&mut socket).await, expected);
    assert!(next_text(&mut socket).await.contains(r#""data":"a \"quote\" and é""#));
}

#[tokio::test]
async fn whatever_the_client_says_is_ignored_and_pings_are_answered() {
    let server = Server::start().await;
    let mut socket = connect(&server, "/v1/subscribe").await;
    socket.send(Message::text("x".repeat(CLIENT_FRAME_BYTES_MAX))).await.unwrap();
    socket.send(Message::binary(vec![0; 10])).await.unwrap();
    socket.send(Message::Ping("are you there".into())).await.unwrap();
    assert_eq!(next(&mut socket).await, Message::Pong("are you there".into()));
    server.services.publish(arrival("1", "one"));
    assert!(next_text(&mut socket).await.contains("one"));
}

#[tokio::test]
async fn a_client_that_says_too_much_at_once_is_shown_the_door() {
    let server = Server::start().await;
    let mut socket = connect(&server, "/v1/subscribe").await;
    socket.send(Message::text("x".repeat(CLIENT_FRAME_BYTES_MAX + 1))).await.unwrap();
    assert_eq!(next_close(&mut socket).await, CloseCode::Policy);
    eventually("the RPC is over", || server.services.running() == 0).await;
}

#[tokio::test]
async fn the_query_fills_the_request() {
    let server = Server::start().await;
    let mut socket = connect(&server, "/v1/messages/subscribe?afterSequence=7&include_sent=true").await;
    let expected = v1::SubscribeRequest { after_sequence: Some(7), include_sent: true };
    assert_eq!(server.services.last().message::<v1::SubscribeRequest>(), expected);
    server.services.publish(arrival("1", "one"));
    assert_eq!(next_text(&mut socket).await, r#"{"result":{"sequence":"1"}}"#);
}

#[tokio::test]
async fn a_stream_that_ends_closes_normally() {
    let server = Server::start().await;
    let mut socket = connect(&server, "/v1/subscribe").await;
    server.services.publish(end());
    assert_eq!(next_close(&mut socket).await, CloseCode::Normal);
    assert!(timeout(PATIENCE, socket.next()).await.unwrap().is_none());
}

#[tokio::test]
async fn an_error_is_one_frame_and_a_close_frame() {
    let server = Server::start().await;
    let mut socket = connect(&server, "/v1/subscribe").await;
    server.services.fail_streams(Status::unavailable("it stops"));
    let expected = r#"{"error":{"code":14,"message":"it stops","details":[]}}"#;
    assert_eq!(next_text(&mut socket).await, expected);
    assert_eq!(next_close(&mut socket).await, CloseCode::Error);
}

#[tokio::test]
async fn a_stream_that_is_refused_does_not_upgrade() {
    let server = Server::start().await;
    server.services.script(Script::Refuse(Status::unauthenticated("who are you")));
    match connect_async(format!("ws://{}/v1/subscribe", server.addr)).await {
        Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), 401),
        other => panic!("{other:?}"),
    }
    match connect_async(format!("ws://{}/v1/messages/subscribe?colour=red", server.addr)).await {
        Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), 400),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn half_a_handshake_is_refused_and_a_unary_rpc_never_upgrades() {
    let server = Server::start().await;
    let request = |path: &str| server.http.get(server.url(path)).header("upgrade", "websocket");
    Answer::of(request("/v1/subscribe").send().await.unwrap()).await.is_refused("Connection");
    let request = request("/v1/messages").header("connection", "upgrade");
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn headers_reach_the_service_over_a_websocket_too() {
    let server = Server::start().await;
    let mut request = format!("ws://{}/v1/subscribe", server.addr).into_client_request().unwrap();
    request.headers_mut().insert("authorization", "Bearer t".parse().unwrap());
    let _socket = connect_async(request).await.unwrap();
    let seen = server.services.last();
    assert_eq!(seen.header("authorization"), Some("Bearer t"));
    assert_eq!((seen.header("upgrade"), seen.header("sec-websocket-key")), (None, None));
}

#[tokio::test]
async fn when_an_idle_client_closes_or_vanishes_its_rpc_ends() {
    let server = Server::start().await;
    let mut socket = connect(&server, "/v1/subscribe").await;
    assert_eq!(server.services.running(), 1);
    socket.close(None).await.unwrap();
    assert!(matches!(next(&mut socket).await, Message::Close(_)));
    eventually("the RPC is over", || server.services.running() == 0).await;

    let socket = connect(&server, "/v1/subscribe").await;
    assert_eq!(server.services.running(), 1);
    drop(socket);
    eventually("the RPC is over", || server.services.running() == 0).await;
}

#[tokio::test]
async fn a_peer_that_answers_pings_is_kept_and_one_that_does_not_is_dropped() {
    let limits = Limits { ping_interval: Duration::from_millis(50), ..Limits::default() };
    let server = Server::start_with(limits).await;
    let mut alive = connect(&server, "/v1/subscribe").await;
    let mut dead = TcpStream::connect(server.addr).await.unwrap();
    let handshake = "GET /v1/subscribe HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                     sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    dead.write_all(handshake.as_bytes()).await.unwrap();
    eventually("both are served", || server.services.running() == 2).await;

    // The connection stays open on its side, but says nothing.
    let mut rest = Vec::new();
    let start = Instant::now();
    while server.services.running() == 2 {
        assert!(start.elapsed() < PATIENCE, "the dead peer is still served");
        assert_eq!(next(&mut alive).await, Message::Ping("".into()));
    }
    timeout(PATIENCE, dead.read_to_end(&mut rest)).await.expect("it is hung up on").unwrap();
    for _ in 0..5 {
        assert_eq!(next(&mut alive).await, Message::Ping("".into()));
    }
    server.services.publish(arrival("1", "one"));
    assert!(next_text(&mut alive).await.contains("one"));
}

#[tokio::test]
async fn a_client_that_reads_nothing_holds_up_its_rpc_and_gets_all_when_it_reads() {
    const MESSAGE_BYTES: usize = 256 * 1024;
    const BUFFERED_MESSAGES_MAX: usize = 128;
    let server = Server::start().await;
    server.services.script(Script::Flood(MESSAGE_BYTES));
    let mut socket = connect(&server, "/v1/subscribe").await;
    let (mut taken, mut still) = (0, 0);
    while still < 20 {
        tokio::time::sleep(Duration::from_millis(25)).await;
        let now = server.services.taken();
        still = if now > 0 && now == taken { still + 1 } else { 0 };
        taken = now;
    }
    assert!(taken < BUFFERED_MESSAGES_MAX, "{taken}");
    for number in 0..2 * BUFFERED_MESSAGES_MAX {
        assert!(next_text(&mut socket).await.ends_with(&format!(r#""amount":"{number}"}}}}"#)));
    }
}
