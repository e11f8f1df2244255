//! The flags of the commands that are processes of their own: `node`, `devnet` and `demo`.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, value_parser};

/// The settings of a node that are given as flags. Each that is absent comes from the environment
/// (`BOLTGRAM_…`), else from the configuration file, else it has its default.
#[derive(Args, Clone, Default, Debug)]
pub struct NodeArgs {
    /// The configuration file [default: boltgram.toml in the data directory, if it is there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the node keeps its keys, channels and messages [default: ~/.boltgram]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The chain: bitcoin, testnet, signet or regtest [default: regtest]
    #[arg(long)]
    pub network: Option<String>,
    /// The Esplora server that the node follows the chain through [default on regtest: http://127.0.0.1:3002]
    #[arg(long, value_name = "URL")]
    pub esplora: Option<String>,
    /// Where the node listens for Lightning peers; may be repeated [default: port 9735]
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    pub listen: Vec<String>,
    /// Where the gRPC API listens [default: 127.0.0.1:8881]
    #[arg(long, value_name = "IP:PORT")]
    pub grpc: Option<String>,
    /// Where the HTTP API listens [default: 127.0.0.1:8882]
    #[arg(long, value_name = "IP:PORT")]
    pub http: Option<String>,
    /// The name that the node announces
    #[arg(long, value_name = "NAME")]
    pub alias: Option<String>,
    /// Where the node says that it can be reached; may be repeated
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    pub announce_address: Vec<String>,
    /// What is logged: a level, or levels by module such as info,boltgram=debug [default: info]
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
}

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
