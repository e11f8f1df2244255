//! A node's life on its one thread: start as soon as it can, hand on events until it is to stop, stop. A disk with too
//! little room stops it for as long as that lasts.

use std::{sync::Arc, thread, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use boltgram_core::{
    limits::{START_RETRY_MS_MAX, START_RETRY_MS_MIN},
    transport::EventHandler,
};
use ldk_node::NodeError;

use tokio::time::sleep;

use crate::{
    build,
    caught_up::CatchUp,
    disk,
    esplora::{self, Unfit},
    limits::DISK_POLL_MS,
    links,
    node::{Inner, Phase},
    pump, watch,
};

/// How a life, or a part of it, ended.
#[derive(PartialEq, Eq)]
pub(crate) enum Ended {
    /// The node was told to stop.
    Stopped,
    /// Its disk has too little room: it may start again when there is more.
    DiskLow,
    /// It can't run any more in this process.
    Failed(String),
}

/// Lives until the node is to stop or fails.
pub(crate) fn live(inner: &Arc<Inner>, handler: &Arc<dyn EventHandler>) {
    let _end = End(inner);
    let ended = loop {
        let catch_up = CatchUp::begin(inner.acknowledged());
        let ended = start(inner).map_or_else(|ended| ended, |()| run(inner, handler, catch_up));
        if ended != Ended::DiskLow {
            break ended;
        }
        if until_room(inner).is_none() {
            break Ended::Stopped;
        }
    };
    match ended {
        Ended::Failed(why) => {
            let why =
                [Some(why), disk::full(&inner.config.data_dir)].into_iter().flatten().collect::<Vec<_>>().join(". ");
            tracing::error!(%why, "the node failed");
            inner.set_status(Phase::Failed, why);
        }
        Ended::Stopped | Ended::DiskLow => inner.set_status(Phase::Stopped, ""),
    }
}

/// Hands on events until the node is to stop or its disk is low, stops it, and tells which it was.
fn run(inner: &Arc<Inner>, handler: &Arc<dyn EventHandler>, catch_up: CatchUp) -> Ended {
    inner.set_status(Phase::Running, "");
    tracing::info!(node_id = %inner.id, "the node runs");
    let links = inner.runtime().spawn(links::run(Arc::clone(inner), Arc::clone(handler)));
    let watch = inner.runtime().spawn(watch::run(Arc::clone(inner)));
    let ended = pump::run(inner, handler.as_ref(), catch_up);
    match &ended {
        Ended::Stopped => inner.set_status(Phase::Stopping, ""),
        Ended::DiskLow => tell_low(inner),
        Ended::Failed(why) => inner.set_status(Phase::Stopping, why.clone()),
    }
    for task in [links, watch] {
        task.abort();
        let _ = inner.runtime().block_on(task);
    }
    // Also after a failure: a clean stop keeps the channels.
    if let Err(error) = inner.call(ldk_node::Node::stop) {
        tracing::warn!(%error, "the node did not stop cleanly");
    }
    ended
}

/// Waits until the disk has room again; `None` when the node is to stop before.
fn until_room(inner: &Inner) -> Option<()> {
    loop {
        // First: a stop that was asked for meanwhile is what the status tells.
        until_stop(inner, std::future::ready(()))?;
        if inner.disk.has_room() {
            tracing::info!("the disk has room again: the node starts");
            inner.set_status(Phase::Starting, "");
            return Some(());
        }
        tell_low(inner);
        until_stop(inner, async { sleep(Duration::from_millis(DISK_POLL_MS)).await })?;
    }
}

fn tell_low(inner: &Inner) {
    let message = inner.disk.message();
    if inner.status().phase != Phase::DiskLow {
        tracing::warn!("the node is stopped: {message}");
    }
    inner.set_status(Phase::DiskLow, message);
}

/// Starts the node as soon as that is possible.
fn start(inner: &Inner) -> Result<(), Ended> {
    let mut delays = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(START_RETRY_MS_MIN))
        .with_max_delay(Duration::from_millis(START_RETRY_MS_MAX))
        .without_max_times()
        .build();
    loop {
        if inner.disk.is_low() {
            return Err(Ended::DiskLow);
        }
        let slow = Duration::from_millis(START_RETRY_MS_MAX);
        let (message, delay) = match until_stop(inner, esplora::probe(&inner.config.esplora_url, inner.config.network))
        {
            None => return Err(Ended::Stopped),
            Some(Ok(())) => match start_now(inner) {
                Ok(()) => return Ok(()),
                Err(StartError::Retry(error)) => {
                    (waiting_for(inner, &error.to_string()), delays.next().unwrap_or(slow))
                }
                Err(StartError::Fatal(why)) => return Err(Ended::Failed(why)),
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
        until_stop(inner, async { sleep(delay).await }).ok_or(Ended::Stopped)?;
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
    inner.disk.keep_reserve();
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
