//! The HTTP/JSON face of every RPC in a descriptor set, with no route written by hand.
//!
//! A request goes this way: `route` finds its RPC by the `google.api.http` annotation, `request` makes the RPC's
//! message of path, query and JSON body, `call` hands its bytes to the gRPC services in this process, and `response`
//! or `stream` (as JSON lines, `sse` or `websocket`) makes JSON of what they answer. So HTTP passes every gRPC
//! layer, and a new RPC needs nothing here. What an RPC means, and who may call it, is the services' matter.

mod call;
pub(crate) mod error;
mod headers;
mod json;
mod request;
mod response;
pub(crate) mod route;
mod sse;
mod stream;
mod websocket;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::request::Parts;
use prost::Message as _;
use tokio::time::Instant;
use tonic::{body::Body, codegen::StdError};
use tower::Service;

pub use self::error::GatewayError;
pub(crate) use self::headers::IDEMPOTENCY_KEY;
use self::{
    call::{Call, Services},
    error::Refusal,
    route::{Route, Routes},
    stream::RpcStream,
};
pub use crate::limits::Limits;

/// Makes the router for all RPCs of an encoded `google.protobuf.FileDescriptorSet`.
///
/// `services` is the gRPC side with all its layers, for example a `tonic::service::Routes`. The router is one
/// fallback: routes that are added beside it come first. Serve it with connection info
/// (`into_make_service_with_connect_info::<SocketAddr>()`) if the services are to know the caller's address.
///
/// # Errors
/// The descriptor set or an annotation is broken; the error names the RPC.
pub fn router<S, B>(descriptor_set: &[u8], services: S, limits: Limits) -> Result<Router, GatewayError>
where
    S: Service<http::Request<Body>, Response = http::Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Into<StdError>,
    B: axum::body::HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<StdError>,
{
    let routes = Routes::read(descriptor_set)?;
    let gateway = Arc::new(Gateway { routes, services: Services::new(services), limits });
    Ok(Router::new().fallback(move |request: Request| async move {
        gateway.answer(request).await.unwrap_or_else(|refusal| refusal.into_response())
    }))
}

struct Gateway {
    routes: Routes,
    services: Services,
    limits: Limits,
}

impl Gateway {
    async fn answer(&self, request: Request) -> Result<Response, Refusal> {
        let (parts, body) = request.into_parts();
        let (route, variables) = self.routes.find(&parts.method, parts.uri.path())?;
        let timeout = headers::timeout(&parts.headers)?;
        let body = if route.takes_body {
            request::read_body(&parts.headers, body, self.limits.body_bytes_max).await?
        } else {
            Bytes::new()
        };
        let mut message = request::message(&route, variables, &parts.uri, &body)?;
        if route.is_streaming && sse::is_wanted(&parts.headers) {
            sse::resume(&parts.headers, &mut message)?;
        }
        let default_timeout = (!route.is_streaming).then_some(self.limits.unary_timeout);
        let call = Call {
            grpc_path: route.grpc_path.clone(),
            message: message.encode_to_vec().into(),
            metadata: headers::metadata(&parts.headers)?,
            timeout: timeout.or(default_timeout),
            grace: self.limits.deadline_grace,
            remote_addr: parts.extensions.get().map(|ConnectInfo(addr): &ConnectInfo<SocketAddr>| *addr),
        };
        if route.is_streaming {
            return self.answer_stream(&route, call, parts).await;
        }
        let answer = self.services.unary(call).await?;
        Ok(response::unary(&route.output, answer)?)
    }

    /// Answers once the RPC has accepted the call and not before, so that a client that has the response's head
    /// misses nothing.
    async fn answer_stream(&self, route: &Route, call: Call, mut parts: Parts) -> Result<Response, Refusal> {
        let upgrade =
            if websocket::is_wanted(&parts.headers) { Some(websocket::accept(&mut parts).await?) } else { None };
        let deadline = call.patience().and_then(|patience| Instant::now().checked_add(patience));
        let (metadata, messages, _) = self.services.stream(call).await?.into_parts();
        let mut rpc = RpcStream::new(messages, route.output.clone(), deadline);
        if let Some(upgrade) = upgrade {
            let ping_interval = self.limits.ping_interval;
            return Ok(upgrade.on_upgrade(move |socket| websocket::serve(socket, rpc, ping_interval)));
        }
        rpc.check_begin()?;
        if sse::is_wanted(&parts.headers) {
            return Ok(sse::events(rpc, &metadata, self.limits.keep_alive_interval));
        }
        Ok(stream::json_lines(rpc, &metadata))
    }
}
