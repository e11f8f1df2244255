//! Calls into the gRPC services in this process. The messages pass as bytes, so that no RPC's types are needed; the
//! calls pass every layer that the services have, as those from the network do.

use std::{net::SocketAddr, time::Duration};

use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use tonic::{
    Request, Response, Status, Streaming,
    body::Body,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::StdError,
    metadata::MetadataMap,
    transport::server::TcpConnectInfo,
};
use tower::{ServiceExt as _, util::BoxCloneSyncService};

use crate::limits::ANSWER_BYTES_MAX;

type Service = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Status>;

/// The gRPC services, their type hidden.
#[derive(Clone)]
pub(super) struct Services(Service);

/// One call: the encoded request and all that goes with it.
pub(super) struct Call {
    /// Where to: `/package.Service/Method`.
    pub(super) grpc_path: PathAndQuery,
    /// The request message, encoded.
    pub(super) message: Bytes,
    /// Its metadata.
    pub(super) metadata: MetadataMap,
    /// The deadline that the service is told.
    pub(super) timeout: Option<Duration>,
    /// How much longer the gateway itself waits.
    pub(super) grace: Duration,
    /// Whom it comes from, if the server knows.
    pub(super) remote_addr: Option<SocketAddr>,
}

impl Services {
    /// Takes any clonable gRPC service.
    pub(super) fn new<S, B>(services: S) -> Self
    where
        S: tower::Service<http::Request<Body>, Response = http::Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<StdError>,
        B: axum::body::HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<StdError>,
    {
        let services = services
            .map_response(|answer: http::Response<B>| answer.map(Body::new))
            .map_err(|error: S::Error| Status::from_error(error.into()));
        Self(Service::new(services))
    }

    /// Calls a unary RPC and waits for its answer, at most until its deadline and the grace.
    pub(super) async fn unary(&self, call: Call) -> Result<Response<Bytes>, Status> {
        let timeout = call.patience();
        within(timeout, async {
            let mut grpc = self.ready().await?;
            let path = call.grpc_path.clone();
            grpc.unary(call.into_request(), path, RawCodec).await
        })
        .await
    }

    /// Calls a streaming RPC and waits until it has accepted the call: its stream is live from then on.
    pub(super) async fn stream(&self, call: Call) -> Result<Response<Streaming<Bytes>>, Status> {
        let timeout = call.patience();
        within(timeout, async {
            let mut grpc = self.ready().await?;
            let path = call.grpc_path.clone();
            grpc.server_streaming(call.into_request(), path, RawCodec).await
        })
        .await
    }

    async fn ready(&self) -> Result<Grpc<Service>, Status> {
        let mut grpc = Grpc::new(self.0.clone()).max_decoding_message_size(ANSWER_BYTES_MAX);
        grpc.ready().await?;
        Ok(grpc)
    }
}

impl Call {
    /// How long the gateway waits.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.timeout.map(|timeout| timeout.saturating_add(self.grace))
    }

    fn into_request(self) -> Request<Bytes> {
        let mut request = Request::from_parts(self.metadata, http::Extensions::new(), self.message);
        if let Some(timeout) = self.timeout {
            request.set_timeout(timeout);
        }
        if self.remote_addr.is_some() {
            let connection = TcpConnectInfo { local_addr: None, remote_addr: self.remote_addr };
            request.extensions_mut().insert(connection);
        }
        request
    }
}

async fn within<T>(timeout: Option<Duration>, call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    match timeout {
        Some(timeout) => tokio::time::timeout(timeout, call).await.unwrap_or_else(|_| Err(deadline_exceeded())),
        None => call.await,
    }
}

/// The gateway's own word that a deadline has passed.
pub(super) fn deadline_exceeded() -> Status {
    Status::deadline_exceeded("the RPC did not answer within its deadline; what it began may go on")
}

/// Passes messages as they are.
#[derive(Clone, Copy)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        target.put(message);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(source.copy_to_bytes(source.remaining())))
    }
}
