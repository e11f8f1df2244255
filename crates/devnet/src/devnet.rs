//! The running devnet: a chain, its HTTP API, and the automatic miner.
//!
//! It has threads of its own: a caller that blocks its runtime (ldk-node's calls do) doesn't stop it, and a stop can
//! cut every connection, whoever holds it open.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    middleware::{Next, from_fn},
    response::Response,
};
use bitcoin::{Address, BlockHash, Transaction, Txid};
use tokio::{
    runtime::{Builder, Runtime},
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use crate::{
    backend::{Backend, BlockId},
    chain::Chain,
    control,
    error::DevnetError,
    esplora,
    http::App,
    limits::{
        AUTO_MINE_MS_MAX, AUTO_MINE_MS_MIN, BODY_BYTES_MAX, PREMINED_BLOCKS, SERVER_THREADS, STOP_GRACE_MS,
        WAIT_POLL_MS,
    },
};

/// How a devnet is started.
#[derive(Clone, Debug)]
pub struct DevnetConfig {
    /// The address of the HTTP API; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// How often the mempool is looked at, in milliseconds: when it isn't empty, a block is mined. `None`: never.
    pub auto_mine_ms: Option<u64>,
    /// The blocks that the embedded chain has from the start. The rewards of all but the last 99 can be spent.
    pub premined_blocks: u32,
}

impl Default for DevnetConfig {
    /// Any free port of the loopback address, no automatic mining, [`PREMINED_BLOCKS`].
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 0)), auto_mine_ms: None, premined_blocks: PREMINED_BLOCKS }
    }
}

/// A running devnet. Dropping it cuts its connections at once; [`Devnet::stop`] lets running requests end.
#[derive(Debug)]
pub struct Devnet {
    backend: Shared,
    listen: SocketAddr,
    stopping: watch::Sender<bool>,
    serving: Option<JoinHandle<std::io::Result<()>>>,
    /// There until it is stopped.
    runtime: Option<Runtime>,
}

/// The backend, with a name in debug output alone.
struct Shared(Arc<dyn Backend>);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Backend")
    }
}

impl Devnet {
    /// Starts a devnet on a new embedded chain.
    ///
    /// Fails with [`DevnetError::Listen`] when the address can't be had, with [`DevnetError::Invalid`] on an
    /// interval out of bounds, and with [`DevnetError::Runtime`].
    pub async fn start(config: DevnetConfig) -> Result<Self, DevnetError> {
        let premined_blocks = config.premined_blocks;
        let chain = tokio::task::spawn_blocking(move || Chain::new(premined_blocks)).await;
        let chain = chain.map_err(|error| DevnetError::Backend(error.to_string()))??;
        Self::start_on(config, Arc::new(chain)).await
    }

    /// Starts a devnet on any backend; `premined_blocks` is not looked at. Fails like [`Devnet::start`].
    pub async fn start_on(config: DevnetConfig, backend: Arc<dyn Backend>) -> Result<Self, DevnetError> {
        if let Some(ms) = config.auto_mine_ms.filter(|ms| !(AUTO_MINE_MS_MIN..=AUTO_MINE_MS_MAX).contains(ms)) {
            let message = format!("auto_mine_ms must be {AUTO_MINE_MS_MIN} to {AUTO_MINE_MS_MAX}, not {ms}");
            return Err(DevnetError::Invalid(message));
        }
        let failed = |source| DevnetError::Listen { listen: config.listen, source };
        let listener = TcpListener::bind(config.listen).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let listen = listener.local_addr().map_err(failed)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(SERVER_THREADS)
            .thread_name("devnet")
            .enable_all()
            .build()
            .map_err(DevnetError::Runtime)?;
        let (stopping, stop) = watch::channel(false);
        let serving = runtime.spawn(serve(listener, backend.clone(), stop.clone()));
        if let Some(interval_ms) = config.auto_mine_ms {
            runtime.spawn(auto_mine(backend.clone(), interval_ms, stop));
        }
        tracing::info!(%listen, "the devnet is up");
        Ok(Self { backend: Shared(backend), listen, stopping, serving: Some(serving), runtime: Some(runtime) })
    }

    /// The address of the Esplora API, such as `http://127.0.0.1:3002`.
    pub fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// The chain behind it.
    pub fn backend(&self) -> Arc<dyn Backend> {
        self.backend.0.clone()
    }

    /// The height of the tip. Fails with [`DevnetError::Backend`].
    pub async fn height(&self) -> Result<u32, DevnetError> {
        self.call(|chain| Ok(chain.tip()?.height)).await
    }

    /// Mines blocks, with their rewards to the devnet's wallet, and gives their hashes. Fails like
    /// [`Backend::mine`].
    pub async fn mine(&self, blocks: u32) -> Result<Vec<BlockHash>, DevnetError> {
        self.call(move |chain| chain.mine(blocks, None)).await
    }

    /// Mines blocks with their rewards to an address, and gives their hashes. Fails like [`Backend::mine`].
    pub async fn mine_to(&self, blocks: u32, address: &Address) -> Result<Vec<BlockHash>, DevnetError> {
        let address = address.clone();
        self.call(move |chain| chain.mine(blocks, Some(&address))).await
    }

    /// Pays an address from the devnet's wallet; it waits for a block. Fails like [`Backend::fund`].
    pub async fn fund(&self, address: &Address, amount_sat: u64) -> Result<Txid, DevnetError> {
        let address = address.clone();
        self.call(move |chain| chain.fund(&address, amount_sat)).await
    }

    /// Takes a transaction into the mempool. Fails with [`DevnetError::Rejected`].
    pub async fn broadcast(&self, tx: Transaction) -> Result<Txid, DevnetError> {
        self.call(move |chain| chain.broadcast(tx)).await
    }

    /// Takes a block and all above it out of the best chain, and gives the new tip. Fails like
    /// [`Backend::invalidate`].
    pub async fn invalidate(&self, hash: BlockHash) -> Result<BlockId, DevnetError> {
        self.call(move |chain| chain.invalidate(&hash)).await
    }

    /// The ids of the mempool's transactions, in the order of arrival. Fails with [`DevnetError::Backend`].
    pub async fn mempool(&self) -> Result<Vec<Txid>, DevnetError> {
        self.call(|chain| Ok(chain.mempool()?.into_iter().map(|tx| tx.txid).collect())).await
    }

    /// Waits until the mempool holds at least so many transactions, and gives their ids. Fails with
    /// [`DevnetError::Timeout`].
    pub async fn wait_for_mempool(&self, txs_min: usize, timeout: Duration) -> Result<Vec<Txid>, DevnetError> {
        let deadline = Instant::now() + timeout;
        loop {
            let txids = self.mempool().await?;
            if txids.len() >= txs_min {
                return Ok(txids);
            }
            self.pause(deadline, timeout, || format!("{txs_min} transactions in the mempool")).await?;
        }
    }

    /// Waits until a transaction is known, in the mempool or in a block. Fails with [`DevnetError::Timeout`].
    pub async fn wait_for_tx(&self, txid: Txid, timeout: Duration) -> Result<(), DevnetError> {
        let deadline = Instant::now() + timeout;
        while self.call(move |chain| chain.tx(&txid)).await?.is_none() {
            self.pause(deadline, timeout, || format!("transaction {txid}")).await?;
        }
        Ok(())
    }

    async fn pause(
        &self,
        deadline: Instant,
        timeout: Duration,
        what: impl FnOnce() -> String,
    ) -> Result<(), DevnetError> {
        if Instant::now() >= deadline {
            return Err(DevnetError::Timeout { what: what(), timeout_ms: timeout.as_millis() as u64 });
        }
        sleep(Duration::from_millis(WAIT_POLL_MS)).await;
        Ok(())
    }

    /// Stops it: no new connection is taken, running requests may end for [`STOP_GRACE_MS`], then all is cut.
    pub async fn stop(mut self) {
        self.stopping.send_replace(true);
        if let Some(serving) = self.serving.take()
            && timeout(Duration::from_millis(STOP_GRACE_MS), serving).await.is_err()
        {
            tracing::debug!("connections of the devnet were cut");
        }
        tracing::info!(listen = %self.listen, "the devnet has stopped");
    }

    /// Makes a call that may block off the caller's async threads.
    async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Backend) -> Result<T, DevnetError> + Send + 'static,
    ) -> Result<T, DevnetError> {
        let backend = self.backend();
        let running = tokio::task::spawn_blocking(move || {
            backend.refresh()?;
            call(backend.as_ref())
        });
        running.await.map_err(|error| DevnetError::Backend(error.to_string()))?
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        self.stopping.send_replace(true);
        if let Some(runtime) = self.runtime.take() {
            // The plain drop of a runtime would block, which is not allowed on an async thread.
            runtime.shutdown_background();
        }
    }
}

async fn serve(listener: TcpListener, backend: Arc<dyn Backend>, stop: watch::Receiver<bool>) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let router = Router::new()
        .merge(esplora::routes())
        .merge(control::routes())
        .fallback(esplora::no_such_endpoint)
        .method_not_allowed_fallback(esplora::no_such_endpoint)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(log))
        .with_state(App::new(backend));
    axum::serve(listener, router).with_graceful_shutdown(stopped(stop)).await
}

/// Logs a request with its answer's status.
async fn log(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    tracing::debug!(%method, path = %path, status = %response.status(), "answered");
    response
}

/// Ends when the devnet stops.
async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that the handle is gone, which is a stop too.
    stop.wait_for(|is_stopping| *is_stopping).await.ok();
}

/// Mines a block whenever the mempool isn't empty, until the devnet stops.
async fn auto_mine(backend: Arc<dyn Backend>, interval_ms: u64, stop: watch::Receiver<bool>) {
    let mut ticks = interval(Duration::from_millis(interval_ms));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stopped = std::pin::pin!(stopped(stop));
    loop {
        tokio::select! {
            () = &mut stopped => return,
            _ = ticks.tick() => {}
        }
        let backend = backend.clone();
        let mined = tokio::task::spawn_blocking(move || {
            backend.refresh()?;
            if backend.mempool()?.is_empty() { Ok(()) } else { backend.mine(1, None).map(|_| ()) }
        });
        match mined.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "no block was mined"),
            Err(_) => return,
        }
    }
}
