//! `boltgram devnet`: not in this build yet.

use crate::cli::DevnetArgs;

/// Runs it until it ends or is stopped.
pub async fn run(args: DevnetArgs) -> anyhow::Result<()> {
    anyhow::bail!("`boltgram devnet` is not in this build yet ({args:?})")
}
