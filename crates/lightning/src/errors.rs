//! Why a node can't be built, run or stopped, and how ldk-node's errors become failures of the API.
//!
//! [`LightningError`] is for who starts the program; what travels to a caller of the API is a
//! [`boltgram_core::Failure`].

use std::{io, path::PathBuf};

use boltgram_core::{Failure, Reason};
use ldk_node::{BuildError, NodeError};

/// Why a node can't be built, run or stopped.
#[derive(Debug, thiserror::Error)]
pub enum LightningError {
    /// A value of the configuration is wrong.
    #[error("{field} is not valid: {problem}")]
    Config {
        /// Which value.
        field: &'static str,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A file or folder can't be read or written.
    #[error("can't {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another process has this data folder.
    #[error(
        "{} is in use by another process: two nodes on one folder lose funds. Stop the other one, or give this \
        one a folder of its own",
        path.display()
    )]
    DataDirInUse {
        /// The data folder.
        path: PathBuf,
    },
    /// The data folder belongs to a node of another network.
    #[error(
        "{} belongs to a node on {found}, but {wanted} is configured: set network = \"{found}\", or give this \
        node a folder of its own",
        path.display()
    )]
    OtherNetwork {
        /// The data folder.
        path: PathBuf,
        /// The network that the folder is for.
        found: String,
        /// The network that was asked for.
        wanted: String,
    },
    /// The seed file holds no valid mnemonic. It is left as it is.
    #[error("{} is no valid seed: {problem}. Nothing was changed", path.display())]
    InvalidSeed {
        /// The seed file.
        path: PathBuf,
        /// What is wrong and what to do; never a word of the seed.
        problem: String,
    },
    /// There is a node's state, but no seed for it.
    #[error(
        "{} is missing, but {} holds a node's state: a new seed would lose its funds. Put the node's own seed \
        file back, or give this node another folder",
        seed.display(),
        state.display()
    )]
    SeedMissing {
        /// Where the seed should be.
        seed: PathBuf,
        /// The state that was found.
        state: PathBuf,
    },
    /// A listening address is taken.
    #[error(
        "can't listen for Lightning peers on {address}: {source}. Stop the program that has this port, or \
        configure another address"
    )]
    Listen {
        /// The address.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// ldk-node could not be set up.
    #[error("the node could not be set up from {}: {source}", path.display())]
    Build {
        /// ldk-node's folder.
        path: PathBuf,
        /// Why not.
        source: BuildError,
    },
    /// The node's store could not be opened.
    #[error("the node's store {} could not be opened: {problem}", path.display())]
    Store {
        /// Its file.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// The data folder's state is in another kind of store.
    #[error(
        "the data folder {} keeps its state in a store of kind {found}, not {wanted}: start it with the kind that it has, or give \
         another folder (its channels would be left behind, and that can cost their funds)",
        path.display()
    )]
    OtherStore {
        /// The data folder.
        path: PathBuf,
        /// The kind that it has.
        found: String,
        /// The kind that was asked for.
        wanted: String,
    },
    /// The state of a plain ldk-node could not be taken over. Nothing was changed.
    #[error("{} can't be taken over: {problem}", path.display())]
    Takeover {
        /// Its database.
        path: PathBuf,
        /// Why not, and what to do.
        problem: String,
    },
    /// A takeover was begun in this data folder, and has not ended.
    #[error(
        "a takeover was begun in {} and has not ended: run `boltgram takeover` again, with the same arguments",
        path.display()
    )]
    TakeoverUnfinished {
        /// The data folder.
        path: PathBuf,
    },
    /// The node's threads could not be started.
    #[error("the node's threads could not be started: {0}")]
    Threads(io::Error),
    /// The node runs already.
    #[error("the node runs already")]
    AlreadyRunning,
    /// The node failed and can't be run again in this process.
    #[error("the node failed and can't run again: {0}. Start the program again")]
    Failed(String),
    /// The node was told to stop and has not within the time that it has.
    #[error("the node did not stop within {timeout_ms} ms: its last steps go on")]
    StopTimeout {
        /// The time that it had.
        timeout_ms: u64,
    },
}

impl LightningError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Config { .. } => "CONFIG",
            Self::File { .. } => "FILE",
            Self::DataDirInUse { .. } => "DATA_DIR_IN_USE",
            Self::OtherNetwork { .. } => "OTHER_NETWORK",
            Self::InvalidSeed { .. } => "INVALID_SEED",
            Self::SeedMissing { .. } => "SEED_MISSING",
            Self::Listen { .. } => "LISTEN",
            Self::Build { .. } => "BUILD",
            Self::Store { .. } => "STORE",
            Self::OtherStore { .. } => "OTHER_STORE",
            Self::Takeover { .. } => "TAKEOVER",
            Self::TakeoverUnfinished { .. } => "TAKEOVER_UNFINISHED",
            Self::Threads(_) => "THREADS",
            Self::AlreadyRunning => "ALREADY_RUNNING",
            Self::Failed(_) => "FAILED",
            Self::StopTimeout { .. } => "STOP_TIMEOUT",
        }
    }

    /// For `map_err` on file work.
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}

/// The failure that ldk-node's `error` means when it was asked to `action`.
///
/// Where more is known (a payment, an opening), the caller finds the better reason first.
pub(crate) fn failure(action: &str, error: NodeError) -> Failure {
    let reason = match error {
        NodeError::NotRunning => Reason::Stopping,
        NodeError::ConnectionFailed => Reason::PeerOffline,
        NodeError::InvalidSocketAddress | NodeError::InvalidAddress => Reason::InvalidField,
        NodeError::InsufficientFunds => Reason::InsufficientFunds,
        NodeError::LiquiditySourceUnavailable => Reason::NoLsp,
        NodeError::LiquidityFeeTooHigh => Reason::LspFeeTooHigh,
        NodeError::LiquidityRequestFailed => Reason::LspFailed,
        NodeError::FeerateEstimationUpdateFailed
        | NodeError::FeerateEstimationUpdateTimeout
        | NodeError::WalletOperationTimeout
        | NodeError::TxSyncFailed
        | NodeError::TxSyncTimeout => Reason::ChainUnavailable,
        _ => Reason::NodeError,
    };
    Failure::new(reason, format!("the node could not {action}: {error} The log may have more"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_the_node_has_its_reason() {
        for (error, reason) in [
            (NodeError::NotRunning, Reason::Stopping),
            (NodeError::ConnectionFailed, Reason::PeerOffline),
            (NodeError::InvalidSocketAddress, Reason::InvalidField),
            (NodeError::InsufficientFunds, Reason::InsufficientFunds),
            (NodeError::LiquiditySourceUnavailable, Reason::NoLsp),
            (NodeError::LiquidityRequestFailed, Reason::LspFailed),
            (NodeError::LiquidityFeeTooHigh, Reason::LspFeeTooHigh),
            (NodeError::TxSyncFailed, Reason::ChainUnavailable),
            (NodeError::TxSyncTimeout, Reason::ChainUnavailable),
            (NodeError::FeerateEstimationUpdateTimeout, Reason::ChainUnavailable),
            (NodeError::PersistenceFailed, Reason::NodeError),
            (NodeError::ChannelClosingFailed, Reason::NodeError),
        ] {
            let failure = failure("sync", error);
            assert_eq!(failure.reason, reason, "{error:?}");
            assert!(failure.message.contains("sync"), "{}", failure.message);
        }
    }
}
