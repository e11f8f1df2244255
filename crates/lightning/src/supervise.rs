//! A node's life on its one thread: start as soon as it can, hand on events until it is to stop, stop.

use std::{sync::Arc, thread, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use boltgram_core::{
    limits::{START_RETRY_MS_MAX, START_RETRY_MS_MIN},
    transport::EventHandler,
};
use ldk_node::NodeError;

use crate::{
    build,
    caught_up::CatchUp,
    esplora::{self, Unfit},
    links,
    node::{Inner, Phase},
    pump, watch,
};

/// How a start ended.
enum Started {
    /// The node runs.
    Yes,
    /// It was told to stop before.
    Stopped,
    /// It can't run in this process.
    Failed(String),
}

/// Lives until the node is to stop or fails.
pub(crate) fn live(inner: &Arc<Inner>, handler: &Arc<dyn EventHandler>) {
    let _end = End(inner);
    let catch_up = CatchUp::begin(inner.acknowledged());
    let failure = match start(inner) {
        Started::Yes => run(inner, handler, catch_up),
        Started::Stopped => None,
        Started::Failed(why) => Some(why),
    };
    match failure {
        Some(why) => {
            tracing::error!(%why, "the node failed");
            inner.set_status(Phase::Failed, why);
        }
        None => inner.set_status(Phase::Stopped, ""),
    }
}

/// Hands on events until the node is to stop, stops it, and tells why if that wasn't asked for.
fn run(inner: &Arc<Inner>, handler: &Arc<dyn EventHandler>, catch_up: CatchUp) -> Option<String> {
    inner.set_status(Phase::Running, "");
    tracing::info!(node_id = %inner.id, "the node runs");
    let links = inner.runtime().spawn(links::run(Arc::clone(inner), Arc::clone(handler)));
    let watch = inner.runtime().spawn(watch::run(Arc::clone(inner)));
    let failure = pump::run(inner, handler.as_ref(), catch_up).err();
    inner.set_status(Phase::Stopping, failure.clone().unwrap_or_default());
    for task in [links, watch] {
        task.abort();
        let _ = inner.runtime().block_on(task);
    }
    // Also after a failure: a clean stop keeps the channels.
    if let Err(error) = inner.call(ldk_node::Node::stop) {
        tracing::warn!(%error, "the node did not stop cleanly");
    }
    failure
}

fn start(inner: &Inner) -> Started {
    let mut delays = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(START_RETRY_MS_MIN))
        .with_max_delay(Duration::from_millis(START_RETRY_MS_MAX))
        .without_max_times()
        .build();
    loop {
        let slow = Duration::from_millis(START_RETRY_MS_MAX);
        let (message, delay) = match until_stop(inner, esplora::probe(&inner.config.esplora_url, inner.config.network))
        {
            None => return Started::Stopped,
            Some(Ok(())) => match start_now(inner) {
                Ok(()) => return Started::Yes,
                Err(StartError::Retry(error)) => {
                    (waiting_for(inner, &error.to_string()), delays.next().unwrap_or(slow))
                }
                Err(StartError::Fatal(why)) => return Started::Failed(why),
            },
            Some(Err(Unfit::Away(why))) => (waiting_for(inner, &why), delays.next().unwrap_or(slow)),
            Some(Err(Unfit::OtherNetwork(genesis))) => (
                format!(
                    "Esplora at {} serves another network than {} (its first block is {genesis}): correct the \
                    address or the network",
                    inner.config.esplora_shown(),
                    inner.config.network
                ),
                slow,
            ),
        };
        if inner.status().message != message {
            tracing::warn!("{message}");
        }
        inner.set_status(Phase::Starting, message);
        if until_stop(inner, async { tokio::time::sleep(delay).await }).is_none() {
            return Started::Stopped;
        }
    }
}

fn waiting_for(inner: &Inner, why: &str) -> String {
    format!("waiting for Esplora at {}: {why}", inner.config.esplora_shown())
}

/// Waits for `future`, or until the node is to stop: then `None`.
fn until_stop<T>(inner: &Inner, future: impl Future<Output = T>) -> Option<T> {
    let mut stop = inner.stop_asked();
    inner.runtime().block_on(async {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => None,
            done = future => Some(done),
        }
    })
}

enum StartError {
    Retry(NodeError),
    Fatal(String),
}

/// Starts ldk-node. Its `start` first updates the fee rates, and a failure of that leaves nothing behind. All later
/// ones leave a sync task that nothing can stop, which could write an old monitor: the process has to end.
fn start_now(inner: &Inner) -> Result<(), StartError> {
    build::test_listening(&inner.config.listen).map_err(|error| StartError::Fatal(error.to_string()))?;
    inner.call(ldk_node::Node::start).map_err(|error| match error {
        NodeError::FeerateEstimationUpdateFailed | NodeError::FeerateEstimationUpdateTimeout => {
            StartError::Retry(error)
        }
        NodeError::InvalidSocketAddress => {
            let shown: Vec<String> = inner.config.listen.iter().map(ToString::to_string).collect();
            StartError::Fatal(format!("can't listen for Lightning peers on {}", shown.join(", ")))
        }
        _ => StartError::Fatal(format!("the node could not start: {error} The log may have more")),
    })
}

/// Tells of the thread's end, also of one by a panic of the event handler.
struct End<'a>(&'a Inner);

impl Drop for End<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.set_status(Phase::Failed, "the thread that hands on the node's events panicked");
        }
        self.0.end();
    }
}
