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
    #[command(flatten)]
    pub bitcoind: BitcoindArgs,
}

/// Which bitcoind keeps the chain, if not the process itself.
#[derive(Args, Clone, Debug, Default)]
pub struct BitcoindArgs {
    /// Start a bitcoind for the chain: the program of BITCOIND_EXE, or bitcoind from PATH; gone when this stops
    #[arg(long, conflicts_with = "bitcoind_rpc")]
    pub bitcoind: bool,
    /// Take the chain of a bitcoind that runs already, a regtest with all its blocks
    #[arg(long, value_name = "URL")]
    pub bitcoind_rpc: Option<String>,
    /// The cookie file of that bitcoind [default: ~/.bitcoin/regtest/.cookie]
    #[arg(long, value_name = "FILE", requires = "bitcoind_rpc", conflicts_with = "bitcoind_user")]
    pub bitcoind_cookie: Option<PathBuf>,
    /// A user of that bitcoind, in place of the cookie
    #[arg(long, value_name = "NAME", requires_all = ["bitcoind_rpc", "bitcoind_password_file"])]
    pub bitcoind_user: Option<String>,
    /// The file that holds this user's password
    #[arg(long, value_name = "FILE", requires = "bitcoind_user")]
    pub bitcoind_password_file: Option<PathBuf>,
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
    /// Run the regtest on a real bitcoind: the program of BITCOIND_EXE, or bitcoind from PATH
    #[arg(long)]
    pub bitcoind: bool,
}
