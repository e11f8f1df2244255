//! `grpc.health.v1.Health`: it follows the node's real state, for the whole and for each service.
//!
//! A service that needs the running node serves while it runs. The whole (`""`) does too: what isn't running can't
//! carry a message. Why it isn't is told by `Node.GetInfo`, which answers in every phase.

use boltgram_api::{lightning, messaging, signing, v1, websocket};
use boltgram_lightning::{Phase, Status};
use tokio::sync::watch;
use tonic::server::NamedService;
use tonic_health::{ServingStatus, server::HealthReporter};

/// The services that serve while the node runs; the empty name is the whole.
const FOLLOWING: &[&str] = &[
    "",
    name_of::<messaging::messaging_server::MessagingServer<()>>(),
    name_of::<websocket::websocket_server::WebsocketServer<()>>(),
    name_of::<lightning::lightning_server::LightningServer<()>>(),
    name_of::<v1::messages_server::MessagesServer<()>>(),
];

/// The services that answer in every phase.
const ALWAYS: &[&str] = &[
    name_of::<v1::node_server::NodeServer<()>>(),
    name_of::<v1::admin_server::AdminServer<()>>(),
    name_of::<signing::signing_server::SigningServer<()>>(),
];

const fn name_of<S: NamedService>() -> &'static str {
    S::NAME
}

/// Reports the node's state as it changes, until it is gone.
pub(crate) async fn follow(reporter: HealthReporter, mut status: watch::Receiver<Status>) {
    for name in ALWAYS {
        reporter.set_service_status(name, ServingStatus::Serving).await;
    }
    loop {
        let runs = status.borrow_and_update().phase == Phase::Running;
        let serving = if runs { ServingStatus::Serving } else { ServingStatus::NotServing };
        for name in FOLLOWING {
            reporter.set_service_status(name, serving).await;
        }
        if status.changed().await.is_err() {
            return;
        }
    }
}
