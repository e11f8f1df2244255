//! `boltgram takeover`: the state of a plain ldk-node, taken over once into a data folder. No node may run.

use std::path::PathBuf;

use bitcoin::Network;
use boltgram_lightning::takeover::{TakenOver, Takeover};
use serde_json::json;
use tokio::task;

use super::confirm::confirm;
use crate::{
    config::presets,
    output::{Output, fields, grouped, note},
};

/// The arguments of `boltgram takeover`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The data directory that the node is to have with boltgram; it may be new
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// The ldk-node's folder, or its database in it [default: that of the data directory, when its store is stock]
    #[arg(long, value_name = "PATH")]
    from: Option<PathBuf>,
    /// The node's network; needed for a new data directory
    #[arg(long, value_name = "NETWORK", value_parser = network)]
    network: Option<Network>,
    /// Don't ask first; needed where nobody can be asked
    #[arg(long)]
    yes: bool,
    /// Write JSON, also on a terminal (in a pipe it is JSON always)
    #[arg(long)]
    json: bool,
}

fn network(name: &str) -> Result<Network, String> {
    presets::network(name).ok_or_else(|| "give bitcoin (or mainnet), testnet, signet or regtest".to_owned())
}

/// Runs the command.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let takeover = Takeover { data_dir: args.data_dir, network: args.network, from: args.from };
    let warning = format!(
        "From now on boltgram alone may run the node of {}. The file is renamed: no ldk-node may ever be started on it \
        again, nor on a copy or backup of it. Its channel state gets old with the first payment, and whoever runs a node \
        with old channel state can lose all that its channels hold to the far side.",
        takeover.old_file().display()
    );
    match args.yes {
        true => note(&format!("warning: {warning}")),
        false => {
            let what = format!("{warning} Stop the program that runs this node, if you have not.");
            confirm(&what, "whether the node may be taken over", "nothing was changed")?;
        }
    }
    let taken = task::spawn_blocking(move || takeover.run()).await??;
    Ok(Output::new(args.json).either(&as_json(&taken), &as_fields(&taken))?)
}

fn as_json(taken: &TakenOver) -> serde_json::Value {
    json!({
        "pubkey": taken.node_id.to_string(),
        "keys": taken.keys,
        "bytes": taken.bytes,
        "oldFile": taken.old_file.display().to_string(),
    })
}

fn as_fields(taken: &TakenOver) -> String {
    let count = |number: u64| grouped(i64::try_from(number).unwrap_or(i64::MAX));
    fields([
        ("public key", taken.node_id.to_string()),
        ("taken over", format!("{} keys, {} bytes", taken.keys, count(taken.bytes))),
        ("the old file is now", taken.old_file.display().to_string()),
    ])
}
