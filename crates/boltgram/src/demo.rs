//! `boltgram demo`: not in this build yet.

use crate::cli::DemoArgs;

/// Runs it until it ends or is stopped.
pub async fn run(args: DemoArgs) -> anyhow::Result<()> {
    anyhow::bail!("`boltgram demo` is not in this build yet ({args:?})")
}
