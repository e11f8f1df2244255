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
    #[error("the configuration file {} is not valid TOML: {message}", file.display())]
    Toml {
        /// Which.
        file: PathBuf,
        /// What is wrong, with line and column.
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
    /// There is no default for the Esplora server off regtest.
    #[error("esplora_url is not set, and {network} has no default: give --esplora URL, or BOLTGRAM_ESPLORA_URL")]
    NoEsplora {
        /// The network.
        network: Network,
    },
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
