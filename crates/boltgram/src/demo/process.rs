//! A `boltgram node` process: started with flags alone, waited for, stopped through its API.

use std::{
    env, fs, iter,
    net::{Ipv4Addr, TcpListener},
    ops::Range,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU16, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use bitcoin::secp256k1::rand::{self, Rng as _};
use boltgram_api::{client::Client, v1};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::limits::PORT_TRIES_MAX;

/// How long a node may take to serve.
const START_TIMEOUT_S: u64 = 30;

/// How long a node may take to stop.
const STOP_TIMEOUT_S: u64 = 35;

/// How often a condition is looked at.
pub(super) const POLL_MS: u64 = 100;

/// Where ports are looked for: below Linux's ephemeral range, which begins at 32,768.
const PORTS: Range<u16> = 10_000..32_000;

/// How many of a log's last lines an error shows.
const LOG_LINES_SHOWN: usize = 5;

/// What a node is started with.
pub(super) struct NodePlan {
    pub name: &'static str,
    pub data_dir: PathBuf,
    pub esplora: String,
    pub grpc: String,
    pub http: String,
    pub lightning: String,
}

impl NodePlan {
    /// The command line that starts this node, again too.
    pub(super) fn argv(&self) -> anyhow::Result<Vec<String>> {
        let program = env::current_exe().context("the program's own path is unknown")?;
        let data_dir = self.data_dir.display().to_string();
        let program = program.display().to_string();
        let flags = [
            ("--data-dir", data_dir.as_str()),
            ("--network", "regtest"),
            ("--esplora", &self.esplora),
            ("--listen", &self.lightning),
            ("--grpc", &self.grpc),
            ("--http", &self.http),
            ("--alias", self.name),
        ];
        let flags = flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value.to_owned()]);
        Ok([program, "node".to_owned()].into_iter().chain(flags).collect())
    }

    /// Where the node's log goes.
    pub(super) fn log_file(&self) -> PathBuf {
        self.data_dir.join("node.log")
    }
}

/// A node that runs and serves. Dropped, it is killed.
pub(super) struct NodeProcess {
    pub plan: NodePlan,
    pub pubkey: String,
    pub client: Client,
    pub pid: u32,
    child: Child,
}

impl NodeProcess {
    /// Starts the process and waits until it serves.
    pub(super) async fn start(plan: NodePlan) -> anyhow::Result<Self> {
        fs::create_dir_all(&plan.data_dir)?;
        let log = fs::File::create(plan.log_file())?;
        let argv = plan.argv()?;
        let (program, flags) = argv.split_first().context("there is no program to start")?;
        let mut child = Command::new(program)
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::from(log.try_clone()?))
            .stderr(Stdio::from(log))
            // What the user's environment says of a node is not meant for these two.
            .env_clear()
            .envs(env::vars_os().filter(|(name, _)| !name.to_string_lossy().starts_with("BOLTGRAM_")))
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{program} can't be started"))?;
        let (client, pubkey) = serving(&plan, &mut child).await?;
        let pid = child.id().context("the node ended")?;
        Ok(Self { plan, pubkey, client, pid, child })
    }

    /// Stops the node in order and waits for its end, which must be a good one. A node that has ended by itself, or was
    /// restarted by the user from its command line, is left alone.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        let name = self.plan.name;
        if let Some(status) = self.child.try_wait()? {
            return self.ended_well(status);
        }
        self.client.admin().stop(v1::StopRequest {}).await.with_context(|| format!("{name} can't be stopped"))?;
        let ended = timeout(Duration::from_secs(STOP_TIMEOUT_S), self.child.wait()).await;
        let status = ended.with_context(|| format!("{name} did not stop within {STOP_TIMEOUT_S} s"))??;
        self.ended_well(status)
    }

    fn ended_well(&self, status: ExitStatus) -> anyhow::Result<()> {
        ensure!(status.success(), "{} ended with {status}: {}", self.plan.name, last_lines(&self.plan));
        Ok(())
    }
}

/// Waits until the node serves; gives a client and the node's public key.
async fn serving(plan: &NodePlan, child: &mut Child) -> anyhow::Result<(Client, String)> {
    let waited = wait_for(plan.name, "serve", START_TIMEOUT_S, async || {
        if let Some(status) = child.try_wait()? {
            bail!("{} ended with {status}: {}", plan.name, last_lines(plan));
        }
        let Ok(client) = Client::connect(&plan.grpc).await else { return Ok(None) };
        let info = client.node().get_info(v1::GetInfoRequest {}).await?.into_inner();
        let runs = info.phase() == v1::Phase::Running;
        Ok(runs.then_some((client, info.pubkey)))
    });
    waited.await.with_context(|| format!("see {}", plan.log_file().display()))
}

/// Looks again and again until there is something, at most for `limit_s`.
pub(super) async fn wait_for<T>(
    who: &str,
    what: &str,
    limit_s: u64,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + Duration::from_secs(limit_s);
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        ensure!(Instant::now() < deadline, "{who} did not {what} within {limit_s} s");
        sleep(Duration::from_millis(POLL_MS)).await;
    }
}

fn last_lines(plan: &NodePlan) -> String {
    let log = fs::read_to_string(plan.log_file()).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
}

/// This address if it is free, else one with a free port.
pub(super) fn free_address(preferred: &str) -> anyhow::Result<String> {
    match TcpListener::bind(preferred) {
        Ok(listener) => Ok(listener.local_addr()?.to_string()),
        Err(_) => any_address(),
    }
}

/// The next port to try, from a place of this process's own: each is given out once, so that no two of a demo's addresses
/// are the same.
static NEXT_PORT: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(rand::thread_rng().gen_range(0..PORTS.end)));

/// A loopback address with a port that is free, and stays so while its node is down: outgoing connections take theirs
/// from above this range.
pub(super) fn any_address() -> anyhow::Result<String> {
    let ports = iter::repeat_with(|| PORTS.start + NEXT_PORT.fetch_add(1, Relaxed) % (PORTS.end - PORTS.start));
    let free = ports.take(PORT_TRIES_MAX).find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
    Ok(free.context("there is no free port")?.local_addr()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_address_is_given_twice() {
        let addresses: Vec<String> = (0..500).map(|_| any_address().unwrap()).collect();
        assert_eq!(addresses.iter().collect::<HashSet<_>>().len(), addresses.len());
    }
}
