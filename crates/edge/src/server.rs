//! The two listeners, gRPC and HTTP, over one set of services.

use std::{future::IntoFuture as _, net::SocketAddr, sync::Arc};

use boltgram_api::{
    DESCRIPTOR_SET, lightning::lightning_server::LightningServer, messaging::messaging_server::MessagingServer,
    signing::signing_server::SigningServer, v1, websocket::websocket_server::WebsocketServer,
};
use boltgram_lightning::Node as LightningNode;
use boltgram_messaging::Messaging;
use tokio::{net::TcpListener, sync::watch};
use tonic::{
    service::Routes,
    transport::{Server, server::TcpIncoming},
};

use crate::{
    grpc::{
        admin::Admin, ask::Ask, family::Family, health, lightning::Lightning, messages::Messages, node::Node,
        signing::Signing,
    },
    http::{self, GatewayError},
    openapi,
};

/// Why the API can't be served.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// The HTTP routes can't be made from the descriptors.
    #[error("the HTTP routes can't be made: {0}")]
    Gateway(#[from] GatewayError),
    /// The reflection service can't be made from the descriptors.
    #[error("gRPC reflection can't be set up: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The gRPC listener failed.
    #[error("the gRPC listener failed: {0}")]
    Grpc(#[from] tonic::transport::Error),
    /// The HTTP listener failed.
    #[error("the HTTP listener failed: {0}")]
    Http(#[from] std::io::Error),
}

/// What is served, ready to run.
pub struct Edge {
    routes: Routes,
    http: axum::Router,
}

impl Edge {
    /// The services of one node. `stop` is set to `true` when a caller asks for the process's end. Must be called within a
    /// tokio runtime: health follows the node from here on.
    pub fn new(
        messaging: Arc<Messaging>,
        node: Arc<LightningNode>,
        stop: watch::Sender<bool>,
    ) -> Result<Self, EdgeError> {
        let (reporter, health_service) = tonic_health::server::health_reporter();
        tokio::spawn(health::follow(reporter, node.watch_status()));
        let ask = Ask::new(node, stop.subscribe());
        let family = Family::new(messaging.clone());
        let services = Routes::new(MessagingServer::new(family.clone()))
            .add_service(WebsocketServer::new(family))
            .add_service(LightningServer::new(Lightning::new(ask.clone())))
            .add_service(SigningServer::new(Signing::new(ask.clone())))
            .add_service(v1::messages_server::MessagesServer::new(Messages::new(messaging)))
            .add_service(v1::node_server::NodeServer::new(Node::new(ask)))
            .add_service(v1::admin_server::AdminServer::new(Admin::new(stop)));
        let http = http::router(DESCRIPTOR_SET, services.clone(), http::Limits::default())?
            .merge(openapi::router(DESCRIPTOR_SET)?);
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        // Both versions of reflection: grpcurl and older tools ask for v1alpha.
        let routes = services
            .add_service(health_service)
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?);
        Ok(Self { routes, http })
    }

    /// Serves both listeners until `close` becomes `true` and what is under way has ended.
    pub async fn serve(
        self,
        grpc_listener: TcpListener,
        http_listener: TcpListener,
        close: watch::Receiver<bool>,
    ) -> Result<(), EdgeError> {
        let incoming = TcpIncoming::from(grpc_listener).with_nodelay(Some(true));
        let grpc =
            Server::builder().add_routes(self.routes).serve_with_incoming_shutdown(incoming, closed(close.clone()));
        let http = self.http.into_make_service_with_connect_info::<SocketAddr>();
        let http = axum::serve(http_listener, http).with_graceful_shutdown(closed(close)).into_future();
        tokio::try_join!(async { Ok::<_, EdgeError>(grpc.await?) }, async { Ok(http.await?) })?;
        Ok(())
    }
}

async fn closed(mut close: watch::Receiver<bool>) {
    // An error means that whoever could say so is gone, which is an end too.
    let _ = close.wait_for(|close| *close).await;
}
