//! Whatever is asked, the gateway itself answers below 500 and doesn't panic.

use std::sync::LazyLock;

use boltgram_edge::http::Limits;
use proptest::{collection::vec, prelude::*, sample::select};
use tower::ServiceExt as _;

use crate::support::{Services, app};

/// Words that lead deep into the gateway.
const WORDS: &[&str] = &[
    "v1",
    "message",
    "send",
    "messages",
    "subscribe",
    "node",
    "channels",
    "close",
    "peers",
    "msg",
    "pubkey",
    "amount",
    "reply_to_id",
    "text",
    "body",
    "amountSat",
    "feeLimitSat",
    "pageSize",
    "direction",
    "DIRECTION_IN",
    "afterSequence",
    "includeSent",
    "channelId",
    "force",
    "true",
    "null",
    "0",
    "-1",
    "1e400",
    "99999999999999999999",
    "AA==",
    "%ff",
    "%",
    "",
    ".",
    "..",
    "[",
    "é",
    "\u{0}",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![4 => select(WORDS).prop_map(str::to_owned), 1 => any::<String>()]
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        word().prop_map(|text| serde_json::to_string(&text).unwrap()),
        word(),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            vec((word(), inner), 0..6).prop_map(|members| {
                let members = members.iter().map(|(name, value)| format!("{}:{value}", serde_json::json!(name)));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![3 => json().prop_map(String::into_bytes), 1 => vec(any::<u8>(), 0..200)]
}

/// A path with a query that `http` takes for a URI; what it doesn't take no server sees.
fn target() -> impl Strategy<Value = http::Uri> {
    let known = select(&[
        "/v1/message/send",
        "/v1/messages",
        "/v1/messages/7",
        "/v1/messages/subscribe",
        "/v1/subscribe",
        "/v1/node/channels/7/close",
    ]);
    let path = prop_oneof![
        known.prop_map(str::to_owned),
        vec(word(), 0..6).prop_map(|segments| format!("/{}", segments.join("/"))),
    ];
    let query = vec((word(), word()), 0..4).prop_map(|pairs| {
        let pairs = pairs.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("&")
    });
    (path, query).prop_filter_map("no URI", |(path, query)| format!("{path}?{query}").parse().ok())
}

fn headers() -> impl Strategy<Value = Vec<(http::HeaderName, http::HeaderValue)>> {
    let name = select(&[
        "accept",
        "upgrade",
        "connection",
        "grpc-timeout",
        "last-event-id",
        "grpc-metadata-x",
        "grpc-metadata-x-bin",
        "grpc-metadata-",
        "authorization",
        "content-length",
        "content-type",
        "expect",
    ]);
    let value = prop_oneof![
        select(&["text/event-stream", "websocket", "upgrade", "5S", "7", "application/grpc"])
            .prop_map(|text| text.as_bytes().to_vec()),
        vec(any::<u8>(), 0..20),
    ];
    let header = (name, value).prop_filter_map("no header value", |(name, value)| {
        Some((http::HeaderName::from_static(name), http::HeaderValue::from_bytes(&value).ok()?))
    });
    vec(header, 0..4)
}

static APP: LazyLock<axum::Router> =
    LazyLock::new(|| app(&Services::new(), boltgram_api::DESCRIPTOR_SET, Limits::default()));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_request_makes_the_gateway_fail(
        method in select(&["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "X"]),
        target in target(),
        headers in headers(),
        body in body(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut request = http::Request::new(axum::body::Body::from(body));
        *request.method_mut() = method.parse().unwrap();
        *request.uri_mut() = target;
        request.headers_mut().extend(headers);
        // Nobody publishes, so a stream begins and is dropped.
        let response = runtime.block_on(APP.clone().oneshot(request)).unwrap();
        prop_assert!(response.status().as_u16() < 500, "{response:?}");
    }
}
