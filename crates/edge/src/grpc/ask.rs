//! How the services reach the Lightning node: its calls block, so they run on blocking threads.

use std::{sync::Arc, time::Duration};

use boltgram_core::{Failure, Reason};
use boltgram_lightning::{
    Node,
    control::{Paid, PayInvoice},
};
use tokio::{
    sync::watch,
    task,
    time::{Instant, sleep, sleep_until},
};
use tonic::Status;

use super::status::from_failure;
use crate::limits::STOP_GRACE_MS;

/// The Lightning node, asked from async code.
#[derive(Clone)]
pub struct Ask {
    node: Arc<Node>,
    /// Becomes `true` when the process is asked to stop.
    stop: watch::Receiver<bool>,
}

impl Ask {
    /// Over this node. `stop` becomes `true` when the process is asked to stop.
    pub fn new(node: Arc<Node>, stop: watch::Receiver<bool>) -> Self {
        Self { node, stop }
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

    /// Pays an invoice, and waits for the payment's end, at most for `wait` in all. When the process is asked to stop, the
    /// caller is told in time that the payment goes on: its connection is about to be cut.
    pub(crate) async fn pay(&self, pay: PayInvoice, wait: Duration) -> Result<Paid, Status> {
        let deadline = Instant::now() + wait;
        let paying = self.ask(move |node| node.pay_invoice(&pay)).await?;
        let mut stop = self.stop.clone();
        let given_up = async {
            let stopping = async {
                // An error means that nobody can ask any longer, which is a stop too.
                drop(stop.wait_for(|stop| *stop).await);
                sleep(Duration::from_millis(STOP_GRACE_MS)).await;
            };
            tokio::select! {
                () = sleep_until(deadline) => {}
                () = stopping => {}
            }
        };
        paying.ended(given_up).await.map_err(from_failure)
    }
}
