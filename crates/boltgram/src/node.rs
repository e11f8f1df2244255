//! `boltgram node`: not in this build yet.

use crate::{cli::NodeArgs, config::Config};

/// Runs it until it ends or is stopped.
pub async fn run(args: NodeArgs) -> anyhow::Result<()> {
    let config = Config::load(&args)?;
    anyhow::bail!("`boltgram node` is not in this build yet ({config:?})")
}
