//! The node's log: tracing, to standard error. Never a message's content, a preimage or the seed: see the invariants.

use std::io::{self, IsTerminal as _};

use anyhow::Context as _;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// Starts the log with this filter, such as `info` or `info,boltgram=debug`.
pub(super) fn start(filter: &str) -> anyhow::Result<()> {
    let filter: Targets = filter.parse().context("the log filter is not valid")?;
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    tracing_subscriber::registry().with(filter).with(lines).try_init().context("the log can't be started")
}
