//! Headers between HTTP and gRPC: what is passed on either way, and the deadline.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tonic::{Status, metadata::MetadataMap};

use crate::timeout::{self, TIMEOUT_HEADER};

/// The header, and gRPC metadata, with a caller's key for a message.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Request headers that are passed on under their own name.
const PASSED_IN: &[&str] = &["authorization", IDEMPOTENCY_KEY, "x-request-id"];

/// Other metadata comes as a header with this prefix, as grpc-gateway has it.
const METADATA_PREFIX: &str = "grpc-metadata-";

/// Answer metadata that is passed on under its own name.
const PASSED_OUT: &[&str] = &["x-request-id", "retry-after", "www-authenticate"];

/// Names that belong to the connection or the framing (RFC 9110, section 7.6.1; the gRPC protocol): no metadata.
const NEVER_METADATA: &[&str] = &[
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// The gRPC metadata of an HTTP request. A header under its own name outranks the same name with the prefix. What isn't
/// text is left out; but to send a message without its key could send it twice, so that is refused.
pub(super) fn metadata(headers: &HeaderMap) -> Result<MetadataMap, Status> {
    if !headers.get_all(IDEMPOTENCY_KEY).iter().all(is_text) {
        return Err(Status::invalid_argument("header Idempotency-Key: not a text; give visible ASCII characters"));
    }
    let mut passed = HeaderMap::new();
    for name in PASSED_IN {
        for value in headers.get_all(*name).iter().filter(|value| is_text(value)) {
            passed.append(*name, value.clone());
        }
    }
    for (name, value) in headers.iter().filter(|(_, value)| is_text(value)) {
        let Some(name) = name.as_str().strip_prefix(METADATA_PREFIX) else { continue };
        let reserved = NEVER_METADATA.contains(&name) || name.starts_with("grpc-") || headers.contains_key(name);
        if !reserved && let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
            passed.append(name, value.clone());
        }
    }
    Ok(MetadataMap::from_headers(passed))
}

fn is_text(value: &HeaderValue) -> bool {
    value.to_str().is_ok()
}

/// Copies what of an answer's metadata is meant for HTTP clients.
pub(super) fn copy_from_answer(metadata: &MetadataMap, headers: &mut HeaderMap) {
    for name in PASSED_OUT {
        if let Some(value) = metadata.as_ref().get(*name) {
            headers.insert(*name, value.clone());
        }
    }
}

/// The deadline that the client asks for by `Grpc-Timeout`: one to eight digits and a unit of `HMSmun`.
pub(super) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let mut values = headers.get_all(TIMEOUT_HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let timeout = value.to_str().ok().and_then(timeout::parse);
    match (timeout, values.next()) {
        (Some(timeout), None) => Ok(Some(timeout)),
        _ => Err(Status::invalid_argument(
            "header Grpc-Timeout: not a timeout; give 1 to 8 digits, not 0, and a unit: \
             H, M, S, m (milliseconds), u or n, such as 5S",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_headers_become_metadata() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer a"),
            ("grpc-metadata-authorization", "Bearer b"),
            ("grpc-metadata-x-color", "red"),
            ("grpc-metadata-te", "x"),
            ("grpc-metadata-grpc-timeout", "1n"),
            ("cookie", "c"),
            ("connection", "close"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers.append("x-request-id", HeaderValue::from_bytes(b"\xff").unwrap());
        let metadata = metadata(&headers).unwrap().into_headers();
        let mut seen: Vec<_> = metadata.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        seen.sort_unstable();
        assert_eq!(seen, [("authorization", "Bearer a"), ("x-color", "red")]);
    }

    #[test]
    fn a_key_that_cannot_be_passed_on_is_refused() {
        let mut headers = HeaderMap::new();
        headers.append(IDEMPOTENCY_KEY, HeaderValue::from_static("key"));
        assert!(metadata(&headers).unwrap().contains_key(IDEMPOTENCY_KEY));
        headers.append(IDEMPOTENCY_KEY, HeaderValue::from_bytes(b"\xff").unwrap());
        assert!(metadata(&headers).unwrap_err().message().contains("Idempotency-Key"));
    }
}
