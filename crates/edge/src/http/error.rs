//! What goes wrong: at the router's build ([`GatewayError`]), and with one request (`Refusal`, as JSON).
//!
//! The JSON is `google.rpc.Status` as protobuf maps it: `{"code":N,"message":"…","details":[…]}`.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use prost::Message as _;
use serde::Serialize;
use tonic::{Code, Status};
use tonic_types::pb;

use super::headers;

/// Why the router can't be built: the descriptor set or an annotation in it is broken.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The bytes are no descriptor set, or one that doesn't fit together.
    #[error("the descriptor set can't be read: {0}; build it with its imports")]
    Descriptors(#[from] prost_reflect::DescriptorError),
    /// The set has no `google.api.http` extension, so no RPC has a path.
    #[error("the descriptor set has no extension google.api.http; keep google/api/annotations.proto in it")]
    NoAnnotations,
    /// The description can't be written as JSON.
    #[error("the OpenAPI document can't be written: {0}")]
    Document(#[from] serde_json::Error),
    /// One RPC can't be mapped.
    #[error("RPC {rpc} can't be mapped to HTTP: {problem}")]
    Rpc {
        /// The RPC's full name, `package.Service.Method`.
        rpc: String,
        /// What is wrong with its annotation or type.
        problem: String,
    },
    /// Two RPCs can't be told apart by method and path.
    #[error("RPCs {first} and {second} have the same HTTP method and path; give one of them another path")]
    Conflict {
        /// The full name of one.
        first: String,
        /// The full name of the other.
        second: String,
    },
}

/// Why a request isn't answered with a result: a gRPC status with its HTTP status.
#[derive(Debug)]
pub(crate) struct Refusal {
    http_status: StatusCode,
    status: Status,
    allow: Option<HeaderValue>,
}

impl Refusal {
    /// A refusal whose HTTP status isn't the usual one of its gRPC code.
    pub(super) fn new(http_status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self { http_status, status: Status::new(code, message), allow: None }
    }

    /// The path is right and the method is not; `allow` lists those that are, separated by commas.
    pub(crate) fn method_not_allowed(allow: &str) -> Self {
        let message = format!("this path has no such method; use {allow}");
        let refusal = Self::new(StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented, message);
        Self { allow: HeaderValue::from_str(allow).ok(), ..refusal }
    }

    /// The body is longer than `bytes_max`.
    pub(super) fn body_too_long(bytes_max: usize) -> Self {
        let message = format!("the request body is longer than {bytes_max} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted, message)
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self { http_status: http_status(status.code()), status, allow: None }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, allow);
        }
        headers::copy_from_answer(self.status.metadata(), &mut headers);
        (self.http_status, headers, status_json(&self.status)).into_response()
    }
}

/// The usual HTTP status of a gRPC code (the comments in google/rpc/code.proto).
pub(crate) fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        // 499, "client closed request", has no name in the registry.
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[derive(Serialize)]
struct StatusJson<'a> {
    code: i32,
    message: &'a str,
    details: Vec<DetailJson>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum DetailJson {
    ErrorInfo {
        #[serde(rename = "@type")]
        type_url: String,
        reason: String,
        domain: String,
        metadata: BTreeMap<String, String>,
    },
    /// Any other type: its bytes as base64.
    Other {
        #[serde(rename = "@type")]
        type_url: String,
        value: String,
    },
}

impl From<prost_types::Any> for DetailJson {
    fn from(any: prost_types::Any) -> Self {
        if any.type_url.ends_with("/google.rpc.ErrorInfo")
            && let Ok(info) = pb::ErrorInfo::decode(any.value.as_slice())
        {
            let metadata = info.metadata.into_iter().collect();
            return Self::ErrorInfo { type_url: any.type_url, reason: info.reason, domain: info.domain, metadata };
        }
        Self::Other { type_url: any.type_url, value: BASE64.encode(&any.value) }
    }
}

/// A status as JSON: code, message, and the details that its `grpc-status-details-bin` carries.
pub(super) fn status_json(status: &Status) -> String {
    let details = pb::Status::decode(status.details()).map(|status| status.details).unwrap_or_default();
    let details = details.into_iter().map(DetailJson::from).collect();
    let json = StatusJson { code: status.code().into(), message: status.message(), details };
    // Strings and numbers alone always serialize; the fallback keeps the shape.
    serde_json::to_string(&json).unwrap_or_else(|_| r#"{"code":13,"message":"","details":[]}"#.into())
}
