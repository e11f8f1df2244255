//! What can be wrong with a configuration, and where.

use std::{io, net::SocketAddr, path::PathBuf};

use bitcoin::Network;

/// Why there is no configuration to run with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A key that nobody reads, which would otherwise be a setting that silently does nothing.
    #[error("{place} is no setting: {hint}")]
    UnknownKey {
        /// The key and where it stands.
        place: String,
        /// The nearest key, or all of them.
        hint: String,
    },
    /// A value that can't be used.
    #[error("{place} is {value:?}: it must be {expected}")]
    Wrong {
        /// The key and where its value comes from.
        place: String,
        /// The value.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The file can't be read.
    #[error("the configuration file {} can't be read: {source}", file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file isn't TOML.
    #[error("the configuration file {} is not valid TOML, line {line}: {message}", file.display())]
    Toml {
        /// Which.
        file: PathBuf,
        /// The line's number, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// The file was found through the data directory, and names another one.
    #[error(
        "{} names another data_dir than the one it is in: give it with --config, or take data_dir out of it",
        file.display()
    )]
    Circular {
        /// Which.
        file: PathBuf,
    },
    /// A setting that is needed and that no source has.
    #[error("{key} is not set: give --{flag} {value_name}, or {key} in the configuration file")]
    Missing {
        /// Which.
        key: &'static str,
        /// Its flag.
        flag: &'static str,
        /// What stands for its value.
        value_name: &'static str,
    },
    /// Bitcoin itself, without the yes.
    #[error(
        "network is bitcoin, where the money is real, and boltgram is experimental: a fault in it can lose all that \
        the node holds. If you accept that, give --accept-mainnet, or set accept_mainnet = true; with signet nothing \
        can be lost"
    )]
    MainnetNotAccepted,
    /// An API for everybody, where it could cost real money or a public test chain's.
    #[error(
        "insecure_listen is true and network is {network}: it is for regtest alone, since whoever reaches the API can \
        spend what the node holds; take it out, and reach the API on a loopback address"
    )]
    InsecureListen {
        /// The network.
        network: Network,
    },
    /// A token for nobody.
    #[error("lsps2_token is set and lsps2_node is not: give --lsps2-node PUBKEY@HOST:PORT, or take the token out")]
    TokenWithoutProvider,
    /// Both APIs at one address.
    #[error("grpc and http are both {address}: give one of them another port")]
    SameAddress {
        /// The address.
        address: SocketAddr,
    },
    /// There is no home directory for the default data directory.
    #[error("there is no home directory: give --data-dir DIR, or BOLTGRAM_DATA_DIR")]
    NoHome,
}
