//! One call through both doors of the API, gRPC and HTTP, from one JSON body: how each tells its refusal.

use std::time::Duration;

use boltgram_api::DESCRIPTOR_SET;
use boltgram_core::{Kind, Reason};
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::{Value, json};
use tonic::{Code, Request, transport::Endpoint};

use super::{
    NodeHandle,
    chain::{Node, Refused},
};

/// A call: its RPC as gRPC names it, its HTTP method and path, and its request.
#[derive(Clone, Debug)]
pub struct Call {
    pub rpc: &'static str,
    pub method: &'static str,
    pub path: String,
    pub body: Value,
    pub timeout: Option<Duration>,
}

impl Call {
    pub fn post(rpc: &'static str, path: impl Into<String>, body: Value) -> Self {
        Self { rpc, method: "POST", path: path.into(), body, timeout: None }
    }

    /// The path has all of the request for HTTP, the body for gRPC.
    pub fn get(rpc: &'static str, path: impl Into<String>, body: Value) -> Self {
        Self { rpc, method: "GET", path: path.into(), body, timeout: None }
    }

    /// The small contract's way to send a text.
    pub fn send(to: &str, text: &str) -> Self {
        Self::post("messaging.Messaging/SendMessage", "/v1/message/send", json!({ "pubkey": to, "msg": text }))
    }

    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.body[field] = value;
        self
    }

    pub fn within(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    pub async fn by_grpc(&self, node: &NodeHandle) -> Result<(), Refused> {
        let pool = DescriptorPool::decode(DESCRIPTOR_SET).unwrap();
        let (service, method) = self.rpc.split_once('/').unwrap();
        let service = pool.get_service_by_name(service).unwrap();
        let method = service.methods().find(|known| known.name() == method).unwrap();
        let mut request = Request::new(DynamicMessage::deserialize(method.input(), &self.body).unwrap());
        if let Some(timeout) = self.timeout {
            request.set_timeout(timeout);
        }
        let channel = Endpoint::from_shared(format!("http://{}", node.grpc)).unwrap().connect().await.unwrap();
        let mut grpc = tonic::client::Grpc::new(channel);
        grpc.ready().await.unwrap();
        // What it answers is read as a message with no fields.
        let codec = tonic_prost::ProstCodec::<DynamicMessage, ()>::default();
        let path = format!("/{}", self.rpc).parse().unwrap();
        Ok(grpc.unary(request, path, codec).await.map(|_| ())?)
    }

    pub async fn by_http(&self, node: &NodeHandle) -> Result<Value, Refused> {
        let request = reqwest::Client::new().request(self.method.parse().unwrap(), node.url(&self.path));
        let request = if self.method == "GET" { request } else { request.body(self.body.to_string()) };
        let request = match self.timeout {
            Some(timeout) => request.header("Grpc-Timeout", format!("{}m", timeout.as_millis())),
            None => request,
        };
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        if status == 200 {
            return Ok(answer.json().await.unwrap());
        }
        Err(refused(status, &answer.json().await.unwrap()))
    }

    /// Makes the call through both doors, and requires that each refuses it for this reason, with these values in its
    /// metadata. Gives both refusals.
    pub async fn told(&self, node: &Node, reason: Reason, metadata: &[(&str, String)]) -> [Refused; 2] {
        let (by_grpc, by_http) = tokio::join!(self.by_grpc(node), self.by_http(node));
        let both = [by_grpc.map(|()| Value::Null), by_http].map(|answer| match answer {
            Ok(answer) => panic!("{self:?} was answered with {answer}, not with {reason:?}"),
            Err(refused) => refused,
        });
        for refused in &both {
            is_for(refused, reason);
            for (name, value) in metadata {
                assert_eq!(refused.metadata.get(*name), Some(value), "{name} in {refused:?}");
            }
        }
        assert!(both[0].metadata.keys().eq(both[1].metadata.keys()), "{both:?}");
        both
    }
}

/// Whether a refusal is this reason's as the table has it.
pub fn is_for(refused: &Refused, reason: Reason) {
    let found = (refused.reason.as_str(), refused.code, refused.domain.as_str());
    assert_eq!(found, (reason.code(), i32::from(code(reason)), "boltgram"), "{refused:?}");
    assert_eq!(refused.metadata["retryable"], reason.is_retryable().to_string());
    assert!(!refused.message.is_empty());
}

fn code(reason: Reason) -> Code {
    match reason.kind() {
        Kind::InvalidArgument => Code::InvalidArgument,
        Kind::NotFound => Code::NotFound,
        Kind::FailedPrecondition => Code::FailedPrecondition,
        Kind::Unavailable => Code::Unavailable,
        Kind::PermissionDenied => Code::PermissionDenied,
        Kind::Aborted => Code::Aborted,
        Kind::ResourceExhausted => Code::ResourceExhausted,
        Kind::DeadlineExceeded => Code::DeadlineExceeded,
        Kind::Internal => Code::Internal,
    }
}

/// A refusal out of HTTP: the status that belongs to the code, and one ErrorInfo.
fn refused(status: u16, json: &Value) -> Refused {
    let code = i32::try_from(json["code"].as_i64().unwrap()).unwrap();
    let usual = match Code::from(code) {
        Code::InvalidArgument | Code::FailedPrecondition => 400,
        Code::PermissionDenied => 403,
        Code::NotFound => 404,
        Code::Aborted => 409,
        Code::ResourceExhausted => 429,
        Code::Internal => 500,
        Code::Unavailable => 503,
        Code::DeadlineExceeded => 504,
        other => panic!("{other:?}: {json}"),
    };
    assert_eq!(status, usual, "{json}");
    let [info] = json["details"].as_array().unwrap().as_slice() else { panic!("not one detail: {json}") };
    assert_eq!(info["@type"], "type.googleapis.com/google.rpc.ErrorInfo");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let metadata = info["metadata"].as_object().unwrap().iter();
    Refused {
        code,
        message: text(&json["message"]),
        reason: text(&info["reason"]),
        domain: text(&info["domain"]),
        metadata: metadata.map(|(name, value)| (name.clone(), text(value))).collect(),
    }
}
