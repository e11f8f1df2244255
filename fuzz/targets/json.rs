//! HTTP requests to messages and answers to JSON, through the gateway's own router, with every route of the API.
//!
//! Behind the router stands a service that keeps the message which reached it and answers what it is told to. The gateway
//! is taken in by its file: the edge's crate would bring the whole Lightning node into the build.
//!
//! An input's first byte chooses the route, the second what is tried; then come, on a line each, the variable of the path
//! and the query, and the rest is the body.

#![no_main]

use std::{cell::RefCell, convert::Infallible, sync::LazyLock};

use axum::{Router, body::Body};
use boltgram_api::{DESCRIPTOR_SET, json::OPTIONS};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use libfuzzer_sys::fuzz_target;
use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde_json::{Map, Value};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

#[allow(dead_code, unused_imports, reason = "what the rest of the edge uses of it")]
#[path = "../../crates/edge/src/http/mod.rs"]
mod gateway;
#[allow(dead_code, reason = "the bounds of the rest of the edge")]
#[path = "../../crates/edge/src/limits.rs"]
mod limits;
#[path = "../../crates/edge/src/timeout.rs"]
mod timeout;

/// A name that no message of the API has for a field.
const UNKNOWN: &str = "noSuchField";

/// An RPC's HTTP face.
struct Route {
    /// Where the RPC is called: `/package.Service/Method`.
    rpc: String,
    method: http::Method,
    path: String,
    input: MessageDescriptor,
    output: MessageDescriptor,
    takes_body: bool,
    is_streaming: bool,
    is_strict: bool,
}

static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| {
    let read = gateway::route::read_all(DESCRIPTOR_SET).expect("the descriptors are those of the API");
    let of = |route: gateway::route::Route| Route {
        rpc: format!("/{}/{}", route.rpc.parent_service().full_name(), route.rpc.name()),
        method: route.http_method.clone(),
        path: route.path_template(),
        input: route.input.clone(),
        output: route.output.clone(),
        takes_body: route.takes_body,
        is_streaming: route.is_streaming,
        is_strict: route.is_strict,
    };
    read.into_iter().map(of).collect()
});

/// A call of an RPC, with its message.
struct Reached {
    rpc: String,
    message: Bytes,
}

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().expect("there are resources");
    static ROUTER: Router = router();
    /// What the service answers, and what reached it since it was last looked at.
    static ANSWER: RefCell<Bytes> = const { RefCell::new(Bytes::new()) };
    static REACHED: RefCell<Option<Reached>> = const { RefCell::new(None) };
}

fuzz_target!(|input: &[u8]| {
    let Some((&[route, way], rest)) = input.split_first_chunk() else { return };
    let route = &ROUTES[usize::from(route) % ROUTES.len()];
    match way % 4 {
        0 => answer(route, rest),
        1 => unknown_path(rest),
        _ => request(route, rest, way % 4 == 2),
    }
});

/// Any path is answered, and never as if the server were at fault.
fn unknown_path(rest: &[u8]) {
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let (method, path) = text.split_once(' ').unwrap_or(("GET", text));
    let Ok(method) = method.parse() else { return };
    call(method, path, Bytes::new());
}

/// A request that is taken is the same once it is written and read again, and unknown fields are ruled.
fn request(route: &Route, rest: &[u8], tries_unknown: bool) {
    let mut lines = rest.splitn(3, |byte| *byte == b'\n');
    let mut line = || std::str::from_utf8(lines.next().unwrap_or_default()).unwrap_or_default();
    let (variable, query) = (line(), line());
    let body = lines.next().unwrap_or_default();
    if variable.contains(['?', '#']) {
        return;
    }
    let path = path(route, variable);
    let uri = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
    // A variable may be the literal of another route.
    let reply = call(route.method.clone(), &uri, body.to_vec().into());
    let Some(message) = reply.and_then(|reply| reply.message(route)) else { return };
    let json = json_of(&message);
    assert_eq!(message_of(&route.input, &json).as_ref(), Some(&message), "{json}");
    if route.takes_body {
        let again = call(route.method.clone(), &path, json.clone().into()).and_then(|reply| reply.message(route));
        assert_eq!(again.as_ref(), Some(&message), "{json}");
    }
    if tries_unknown {
        unknown_field(route, &path, &message, &json);
    }
}

/// A field that the message doesn't have is refused by its name in boltgram's own packages, and ignored in the family's.
fn unknown_field(route: &Route, path: &str, message: &DynamicMessage, json: &str) {
    let reply = if route.takes_body {
        let mut object: Map<String, Value> = serde_json::from_str(json).expect("a message is an object");
        object.insert(UNKNOWN.into(), 1.into());
        call(route.method.clone(), path, Value::Object(object).to_string().into())
    } else {
        call(route.method.clone(), &format!("{path}?{UNKNOWN}=1"), Bytes::new())
    };
    let reply = reply.expect("the path was good before");
    if route.is_strict {
        assert!(reply.reached.is_none() && reply.status == 400 && reply.body.contains(UNKNOWN), "{}", reply.body);
    } else {
        let reached = reply.message(route);
        assert!(reached.is_some() && (!route.takes_body || reached.as_ref() == Some(message)));
    }
}

/// What a service answers is the same once it was JSON.
fn answer(route: &Route, bytes: &[u8]) {
    let Ok(message) = DynamicMessage::decode(route.output.clone(), bytes) else { return };
    ANSWER.set(bytes.to_vec().into());
    let reply = call(route.method.clone(), &path(route, "x"), Bytes::new());
    ANSWER.take();
    let reply = reply.expect("the path is a literal");
    assert!(reply.message(route).is_some(), "{}", reply.body);
    assert_eq!(reply.status, 200, "{}", reply.body);
    let json = if route.is_streaming {
        let frame = reply.body.strip_suffix('\n').expect("a line for each message");
        frame.strip_prefix("{\"result\":").and_then(|frame| frame.strip_suffix('}')).expect("a result").to_owned()
    } else {
        reply.body
    };
    assert_eq!(json, json_of(&message));
    let read = message_of(&route.output, &json).expect("the gateway's JSON is that of the message");
    // What isn't in the JSON are fields that the message's type doesn't have.
    assert_eq!(json_of(&read), json);
}

fn json_of(message: &DynamicMessage) -> String {
    let mut json = Vec::new();
    message.serialize_with_options(&mut serde_json::Serializer::new(&mut json), &OPTIONS).expect("it has a JSON form");
    String::from_utf8(json).expect("JSON is UTF-8")
}

fn message_of(descriptor: &MessageDescriptor, json: &str) -> Option<DynamicMessage> {
    let mut json = serde_json::Deserializer::from_str(json);
    let message = DynamicMessage::deserialize(descriptor.clone(), &mut json).ok()?;
    // As it is sent: fields that were given with their default value aren't there.
    DynamicMessage::decode(descriptor.clone(), message.encode_to_vec().as_slice()).ok()
}

/// The route's path with this text for its variables.
fn path(route: &Route, variable: &str) -> String {
    let variable = if variable.is_empty() { "x" } else { variable };
    let segment = |segment: &str| if segment.starts_with('{') { variable.to_owned() } else { segment.to_owned() };
    route.path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// What a client gets to see, and what reached the service.
struct Reply {
    status: u16,
    body: String,
    reached: Option<Reached>,
}

impl Reply {
    /// The message that reached this route's RPC, if one did.
    fn message(&self, route: &Route) -> Option<DynamicMessage> {
        let reached = self.reached.as_ref().filter(|reached| reached.rpc == route.rpc)?;
        let message = DynamicMessage::decode(route.input.clone(), reached.message.clone());
        Some(message.expect("the gateway writes what the RPC reads"))
    }
}

/// Asks the gateway, and checks what holds of every answer. `None` when this is no HTTP request at all.
fn call(method: http::Method, uri: &str, body: Bytes) -> Option<Reply> {
    let asked_bytes = uri.len() + body.len();
    let request = http::Request::builder().method(method).uri(uri).body(Body::from(body)).ok()?;
    REACHED.take();
    let (status, body) = RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let response = ROUTER.with(Clone::clone).oneshot(request).await.unwrap_or_else(|never| match never {});
            let status = response.status().as_u16();
            (status, response.into_body().collect().await.expect("the body is in memory").to_bytes())
        })
    });
    let body = String::from_utf8(body.to_vec()).expect("answers are text");
    let reached = REACHED.take();
    if reached.is_none() {
        assert!((400..500).contains(&status), "{status} for what a client sent: {body}");
        let error: Value = serde_json::from_str(&body).expect("a refusal is JSON");
        assert!(error["code"].as_i64().is_some_and(|code| code != 0 && code != 13), "{body}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()) && error["details"].is_array());
        // It may quote what was asked, escaped.
        assert!(body.len() <= 1_024 + 16 * asked_bytes, "{} bytes for a request of {asked_bytes}", body.len());
    }
    Some(Reply { status, body, reached })
}

/// The gateway over a service that knows no types.
fn router() -> Router {
    let service = tower::service_fn(|request: http::Request<tonic::body::Body>| async {
        let rpc = request.uri().path().to_owned();
        let message = request.into_body().collect().await.expect("the body is in memory").to_bytes();
        // A byte for the compression and four for the length stand before the message.
        REACHED.set(Some(Reached { rpc, message: message.slice(5..) }));
        let answer = ANSWER.with_borrow(Bytes::clone);
        let mut frame = vec![0];
        frame.extend((answer.len() as u32).to_be_bytes());
        frame.extend(answer);
        let trailers = http::HeaderMap::from_iter([(
            http::HeaderName::from_static("grpc-status"),
            http::HeaderValue::from_static("0"),
        )]);
        let body = Full::new(Bytes::from(frame)).with_trailers(std::future::ready(Some(Ok(trailers))));
        let response = http::Response::builder().header("content-type", "application/grpc");
        Ok::<_, Infallible>(response.body(tonic::body::Body::new(body)).expect("the parts are valid"))
    });
    gateway::router(DESCRIPTOR_SET, service, gateway::Limits::default()).expect("the descriptors are those of the API")
}
