//! The flags of the commands that are processes of their own: `devnet` and `demo`. Those of `node` are in [`super::node_args`].

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, value_parser};

/// The flags of `boltgram devnet`.
#[derive(Args, Clone, Debug)]
pub struct DevnetArgs {
    /// Where the Esplora API listens
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:3002")]
    pub listen: SocketAddr,
    /// Mine a block every so many milliseconds; absent: only on request
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub auto_mine_ms: Option<u64>,
}

/// The flags of `boltgram demo`.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Keep the regtest and the nodes running until Ctrl-C
    #[arg(long)]
    pub keep_running: bool,
    /// Write how to reach everything to this file, as JSON, once all is ready
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Choose free ports for all; without it alice takes the default ones (8881, 8882, 9735) where they are free
    #[arg(long)]
    pub any_ports: bool,
    /// Where the nodes keep their data [default: a temporary directory, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}
