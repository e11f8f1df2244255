//! How the services reach the Lightning node: its calls block, so they run on blocking threads.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use boltgram_core::{Failure, Reason};
use boltgram_lightning::{
    Node,
    control::{Paid, PayInvoice},
};
use tokio::task;
use tonic::Status;

use super::status::from_failure;

/// The Lightning node, asked from async code.
#[derive(Clone)]
pub(crate) struct Ask {
    node: Arc<Node>,
}

impl Ask {
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self { node }
    }

    /// Asks the node on a blocking thread: most of its calls wait for the disk, a peer or the chain.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Node) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Status> {
        let node = self.node.clone();
        let answer = task::spawn_blocking(move || question(&node)).await.unwrap_or_else(|error| {
            tracing::error!(%error, "a call of the node ended badly");
            Err(Failure::new(Reason::NodeError, "the node failed at this request: see its log"))
        });
        answer.map_err(from_failure)
    }

    /// Pays an invoice, and waits for the payment's end, at most for `wait` in all.
    pub(crate) async fn pay(&self, pay: PayInvoice, wait: Duration) -> Result<Paid, Status> {
        let began = Instant::now();
        let paying = self.ask(move |node| node.pay_invoice(&pay)).await?;
        paying.ended(wait.saturating_sub(began.elapsed())).await.map_err(from_failure)
    }
}
