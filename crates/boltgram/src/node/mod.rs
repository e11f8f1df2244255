//! `boltgram node`: one node wired together, from its settings to its end.
//!
//! Built in the order in which data flows back: the Lightning node (which locks the data folder), the message store,
//! the messaging service over both, the API over that. Stopped the other way round: new messages are refused, those
//! under way are waited for, the API closes, the Lightning node stops.

mod logging;

use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use boltgram_core::limits::{DRAIN_TIMEOUT_MS, RECORD_TYPE_DEFAULT};
use boltgram_edge::Edge;
use boltgram_lightning::{Node, NodeConfig, Phase};
use boltgram_messaging::{Messaging, Options};
use boltgram_store::Store;
use tokio::{net::TcpListener, sync::watch, task, time::timeout};

use crate::{cli::NodeArgs, config::Config, limits::API_CLOSE_TIMEOUT_MS, stop_signal::StopSignal};

/// The message store's file in the data folder.
const STORE_FILE: &str = "messages.sqlite";

/// The node ended by itself, for this reason.
#[derive(Debug, thiserror::Error)]
#[error("the node can't go on: {0}")]
pub struct CannotGoOn(String);

/// Runs a node until it is asked to stop, or can't go on.
pub async fn run(args: NodeArgs) -> anyhow::Result<()> {
    let config = Config::load(&args)?;
    logging::start(&config.log)?;
    boltgram_lightning::install_panic_hook();
    let stop = StopSignal::listen()?;

    // Listening first: a port that is taken is told before anything is touched.
    let grpc = listen("gRPC", &config.grpc.to_string(), "--grpc").await?;
    let http = listen("HTTP", &config.http.to_string(), "--http").await?;
    if config.insecure_listen {
        tracing::warn!(
            grpc = %config.grpc,
            http = %config.http,
            "insecure_listen: whoever reaches the API can read all messages and spend all funds"
        );
    }
    let node = built(&config).await?;
    let messaging = opened(&config, &node).await?;
    node.run(messaging.clone())?;
    tracing::info!(
        pubkey = %boltgram_core::transport::Transport::node_id(node.as_ref()),
        network = %config.network,
        data_dir = %config.data_dir.display(),
        grpc = %grpc.local_addr()?,
        http = %http.local_addr()?,
        "boltgram {} serves its API",
        env!("CARGO_PKG_VERSION"),
    );

    let edge = Edge::new(messaging.clone(), node.clone(), stop.sender())?;
    let close = watch::Sender::new(false);
    let mut serving = tokio::spawn(edge.serve(grpc, http, close.subscribe()));
    let failure = tokio::select! {
        failure = until_end(&stop, &node) => failure,
        served = &mut serving => Some(format!("its API ended: {served:?}")),
    };

    tracing::info!("stopping: new messages are refused, those under way are waited for");
    messaging.stop(Duration::from_millis(DRAIN_TIMEOUT_MS)).await;
    close.send_replace(true);
    if !serving.is_finished() && timeout(Duration::from_millis(API_CLOSE_TIMEOUT_MS), serving).await.is_err() {
        tracing::warn!("some callers did not leave; their connections are cut");
    }
    let stopped = task::spawn_blocking(move || node.stop()).await?;
    tracing::info!("stopped");
    match failure {
        Some(why) => Err(CannotGoOn(why).into()),
        None => Ok(stopped?),
    }
}

async fn listen(what: &str, address: &str, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "the {what} API can't listen on {address}: end what listens there, or choose another address with {flag}"
        )
    })
}

/// The Lightning node, with the data folder locked.
async fn built(config: &Config) -> anyhow::Result<Arc<Node>> {
    let mut settings = NodeConfig::new(&config.data_dir, config.network, &config.esplora_url);
    settings.listen.clone_from(&config.listen);
    settings.announce_addresses.clone_from(&config.announce_addresses);
    settings.alias.clone_from(&config.alias);
    settings.trusted_peers_0conf.clone_from(&config.trusted_peers_0conf);
    settings.store = config.store;
    settings.disk_low_water_bytes = config.disk_low_water_mib.saturating_mul(1_024 * 1_024);
    settings.gossip.clone_from(&config.gossip);
    settings.lsp.clone_from(&config.lsp);
    settings.record_type = RECORD_TYPE_DEFAULT;
    Ok(task::spawn_blocking(move || Node::build(settings)).await??)
}

/// The messaging service, over the store in the data folder.
async fn opened(config: &Config, node: &Arc<Node>) -> anyhow::Result<Arc<Messaging>> {
    let (file, node) = (config.data_dir.join(STORE_FILE), node.clone());
    let options = Options {
        record_type: RECORD_TYPE_DEFAULT,
        message_bytes_max: config.inbox.message_bytes_max,
        fee_limit_sat_per_day: config.fee_limit_sat_per_day,
        inbox: config.inbox.clone(),
        receipts: config.receipts,
        retention_days: config.retention_days,
    };
    task::spawn_blocking(move || {
        make_private(&file)?;
        let store = Arc::new(Store::open(&file)?);
        Ok(Messaging::new(store, node, &options)?)
    })
    .await?
}

/// Makes the file, if it isn't there, readable for its owner alone: messages stand in it.
fn make_private(file: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file)
        .with_context(|| format!("{} can't be opened", file.display()))?;
    Ok(())
}

/// Waits until the end is asked for; gives the reason when the node itself can't go on.
async fn until_end(stop: &StopSignal, node: &Node) -> Option<String> {
    let mut status = node.watch_status();
    tokio::select! {
        () = stop.received() => None,
        failed = status.wait_for(|status| status.phase == Phase::Failed) => {
            Some(failed.map(|status| status.message.clone()).unwrap_or_default())
        }
    }
}
