//! Deadlines: the client's, the service's answer to them, and the gateway's own.

use std::time::{Duration, Instant};

use crate::support::{Answer, PATIENCE, Server, eventually};

async fn send(server: &Server, msg: &str, timeout: &str) -> Answer {
    let body = format!(r#"{{"msg":"{msg}"}}"#);
    let request = server.http.post(server.url("/v1/message/send")).header("Grpc-Timeout", timeout).body(body);
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_service_that_does_not_answer_in_time_is_given_up_with_504() {
    let server = Server::start().await;
    let start = Instant::now();
    let answer = send(&server, "hang", "100m").await;
    assert_eq!((answer.status, answer.error().0), (504, 4));
    assert!(start.elapsed() >= Duration::from_millis(100) && start.elapsed() < PATIENCE / 2);
    eventually("the RPC is dropped", || server.services.running() == 0).await;
}

#[tokio::test]
async fn the_services_own_word_on_its_deadline_wins() {
    let server = Server::start().await;
    let answer = send(&server, "too late", "200m").await;
    assert_eq!((answer.status, answer.error()), (504, (4, "it goes on under id 7".into())));
}

#[tokio::test]
async fn the_service_is_told_the_deadline_and_60_s_if_there_is_none() {
    let server = Server::start().await;
    assert_eq!(send(&server, "hi", "5S").await.status, 200);
    assert_eq!(server.services.last().header("grpc-timeout"), Some("5000000u"));
    assert_eq!(server.post("/v1/message/send", "").await.status, 200);
    assert_eq!(server.services.last().header("grpc-timeout"), Some("60000000u"));
    assert_eq!(send(&server, "hi", "99999999H").await.status, 200);
}

#[tokio::test]
async fn a_stream_has_no_deadline_of_its_own_and_ends_at_the_clients() {
    let server = Server::start().await;
    let request = server.http.get(server.url("/v1/subscribe"));
    let _stream = request.send().await.unwrap();
    assert_eq!(server.services.last().header("grpc-timeout"), None);

    let request = server.http.get(server.url("/v1/subscribe")).header("Grpc-Timeout", "100m");
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.starts_with(r#"{"error":{"code":4,"#) && answer.body.ends_with("}}\n"), "{}", answer.body);
}

#[tokio::test]
async fn a_timeout_that_is_none_is_refused() {
    let server = Server::start().await;
    for timeout in ["", "5", "5s", "0S", "-1S", "123456789S", "soon"] {
        send(&server, "hi", timeout).await.is_refused("Grpc-Timeout");
    }
    assert_eq!(server.services.calls(), 0);
}
