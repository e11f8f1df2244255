//! `boltgram demo`: a private regtest and two real nodes in one go, and messages between them.
//!
//! | module | what it holds |
//! |---|---|
//! | `steps` | progress, step by step |
//! | `process` | a `boltgram node` process: started, waited for, stopped |
//! | `channel` | from empty wallets to a usable channel |
//! | `talk` | the messages, and what both inboxes show afterwards |
//! | `ready` | what `--json FILE` and `--keep-running` tell |
//!
//! It does nothing that a user could not do: each step is a command or a call of the public API.

mod channel;
mod process;
mod ready;
mod steps;
mod talk;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use boltgram_devnet::{Devnet, DevnetConfig};
use tempfile::TempDir;

use self::{
    process::{NodePlan, NodeProcess},
    steps::Steps,
};
use crate::{
    bitcoind::BitcoindChain,
    cli::DemoArgs,
    config::{GRPC_DEFAULT, HTTP_DEFAULT},
    output::line,
    stop_signal::StopSignal,
};

/// Where a Lightning node listens when nothing else is asked for.
const LIGHTNING_DEFAULT: &str = "127.0.0.1:9735";

/// How many steps the demo shows.
const STEPS: usize = 7;

/// Runs the demo to its end, or until it is stopped.
pub async fn run(args: DemoArgs) -> anyhow::Result<()> {
    let stop = StopSignal::listen()?;
    let data_dir = DataDir::new(args.data_dir.as_deref())?;
    let mut steps = Steps::new(STEPS);
    // What is dropped here ends what it started.
    tokio::select! {
        result = tell(&args, data_dir.path(), &mut steps, &stop) => result,
        () = stop.received(), if !args.keep_running => bail!("the demo was stopped before its end"),
    }
}

async fn tell(args: &DemoArgs, data_dir: &Path, steps: &mut Steps, stop: &StopSignal) -> anyhow::Result<()> {
    steps.begin("a private regtest with an Esplora API");
    let chain = match args.bitcoind {
        true => Some(BitcoindChain::start_in(&data_dir.join("bitcoind")).await?),
        false => None,
    };
    let devnet = match &chain {
        Some(chain) => chain.devnet(DevnetConfig::default()).await?,
        None => Devnet::start(DevnetConfig::default()).await?,
    };
    let over = chain.as_ref().map(|chain| format!(" over {}", chain.about)).unwrap_or_default();
    steps.done(&format!("{}{over}", devnet.url()));

    steps.begin("two nodes, each a process of its own");
    let mut alice = NodeProcess::start(plan("alice", data_dir, &devnet.url(), !args.any_ports)?).await?;
    let mut bob = NodeProcess::start(plan("bob", data_dir, &devnet.url(), false)?).await?;
    steps.done(&format!("alice at {}, bob at {}", alice.plan.grpc, bob.plan.grpc));

    let told = with_nodes(args, &devnet, [&alice, &bob], steps, stop).await;
    if told.is_ok() {
        steps.begin("stop");
    }
    let (alice_ended, bob_ended) = tokio::join!(alice.stop(), bob.stop());
    devnet.stop().await;
    let chain_ended = match chain {
        Some(chain) => chain.stop().await,
        None => Ok(()),
    };
    told.and(alice_ended).and(bob_ended).and(chain_ended)?;
    steps.done("both nodes ended with exit code 0");
    if !args.keep_running {
        line("\nNext: `boltgram demo --keep-running` leaves it all up, and shows how to send a message yourself.")?;
    }
    Ok(())
}

async fn with_nodes(
    args: &DemoArgs,
    devnet: &Devnet,
    nodes: [&NodeProcess; 2],
    steps: &mut Steps,
    stop: &StopSignal,
) -> anyhow::Result<()> {
    channel::open(devnet, nodes, steps).await?;
    talk::talk(nodes, steps).await?;
    if let Some(file) = &args.json {
        ready::write(file, &devnet.url(), nodes)?;
    }
    if args.keep_running {
        line(&ready::human(&devnet.url(), nodes))?;
        stop.received().await;
    }
    Ok(())
}

/// What a node is started with; the first one takes the default ports where they are free.
fn plan(name: &'static str, data_dir: &Path, esplora: &str, takes_defaults: bool) -> anyhow::Result<NodePlan> {
    let preferred =
        |default: &str| if takes_defaults { process::free_address(default) } else { process::any_address() };
    Ok(NodePlan {
        name,
        data_dir: data_dir.join(name),
        esplora: esplora.to_owned(),
        grpc: preferred(&GRPC_DEFAULT.to_string())?,
        http: preferred(&HTTP_DEFAULT.to_string())?,
        lightning: preferred(LIGHTNING_DEFAULT)?,
    })
}

/// The folder with both nodes' data: the user's, or a temporary one that is removed at the end.
enum DataDir {
    Given(PathBuf),
    Temporary(TempDir),
}

impl DataDir {
    fn new(given: Option<&Path>) -> anyhow::Result<Self> {
        let Some(given) = given else {
            return Ok(Self::Temporary(tempfile::Builder::new().prefix("boltgram-demo-").tempdir()?));
        };
        let cannot = || format!("the folder {} can't be used", given.display());
        fs::create_dir_all(given).with_context(cannot)?;
        let is_empty = fs::read_dir(given).with_context(cannot)?.next().is_none();
        // The regtest begins anew each time: nodes of an earlier one would wait for blocks that are gone.
        ensure!(is_empty, "the folder {} is not empty: give the demo one of its own", given.display());
        Ok(Self::Given(given.canonicalize().with_context(cannot)?))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Given(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}
