//! `boltgram.v1.Admin`: the process itself.

use boltgram_api::v1::{StopRequest, StopResponse, admin_server};
use tokio::sync::watch;
use tonic::{Request, Response, Status, async_trait};

/// Serves it over the process's stop signal.
#[derive(Clone, Debug)]
pub struct Admin {
    stop: watch::Sender<bool>,
}

impl Admin {
    /// Asks for a stop by setting this to `true`.
    pub fn new(stop: watch::Sender<bool>) -> Self {
        Self { stop }
    }
}

#[async_trait]
impl admin_server::Admin for Admin {
    async fn stop(&self, _: Request<StopRequest>) -> Result<Response<StopResponse>, Status> {
        tracing::info!("a stop was asked for through the API");
        self.stop.send_replace(true);
        Ok(Response::new(StopResponse {}))
    }
}
