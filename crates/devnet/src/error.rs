//! What can go wrong: refused transactions in bitcoind's words, and everything else.

use std::net::SocketAddr;

use bitcoin::BlockHash;

/// Why a transaction was refused, in the words of bitcoind (Core 29), so that both backends answer alike.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason}{}{}", if .detail.is_empty() { "" } else { ", " }, .detail)]
pub struct Rejection {
    /// The code of the RPC error (`rpc/protocol.h`): -22 not decodable, -25 failed, -26 refused, -27 already confirmed.
    pub code: i32,
    /// The reject reason, such as `dust` or `bad-txns-inputs-missingorspent`.
    pub reason: String,
    /// Numbers or names that belong to the reason; may be empty.
    pub detail: String,
}

impl Rejection {
    /// The transaction can't be decoded.
    pub const CODE_NOT_DECODABLE: i32 = -22;
    /// Inputs are missing, or a limit of the broadcast itself is passed.
    pub const CODE_FAILED: i32 = -25;
    /// Refused by consensus or relay rules.
    pub const CODE_REFUSED: i32 = -26;
    /// Confirmed already, with an output that is still unspent.
    pub const CODE_CONFIRMED: i32 = -27;

    /// Refused by consensus or relay rules.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::new(Self::CODE_REFUSED, reason)
    }

    /// A rejection with an RPC error code.
    pub fn new(code: i32, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), detail: String::new() }
    }

    /// The same with what belongs to the reason.
    #[must_use]
    pub fn with(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}

/// What can go wrong with a devnet.
#[derive(Debug, thiserror::Error)]
pub enum DevnetError {
    /// The address can't be listened on.
    #[error("the devnet can't listen on {listen} ({source}): free the port, or choose another one (0 takes any)")]
    Listen {
        /// The address that was asked for.
        listen: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The runtime that serves the API can't be started.
    #[error("the devnet's threads can't be started: {0}")]
    Runtime(std::io::Error),
    /// A setting or a request is wrong; the text says which and what is allowed.
    #[error("{0}")]
    Invalid(String),
    /// No block has this hash.
    #[error("no block has the hash {0}: take one of GET /blocks")]
    UnknownBlock(BlockHash),
    /// A transaction was refused.
    #[error("the transaction was refused: {0}")]
    Rejected(#[from] Rejection),
    /// The devnet's wallet can't pay so much.
    #[error(
        "the devnet's wallet has {available_sat} sat to spend and {needed_sat} sat are needed: mine a block to \
         confirm its change, or ask for less"
    )]
    InsufficientFunds {
        /// The amount asked for and its fee.
        needed_sat: u64,
        /// What can be spent in one transaction at the moment.
        available_sat: u64,
    },
    /// Blocks can't be mined because their time would stand too far ahead of the clock.
    #[error("the next block's time would stand more than 2 hours ahead of the clock: wait, or start a new devnet")]
    TimeTooNew,
    /// It took longer than the caller waits.
    #[error("{what} did not happen within {timeout_ms} ms")]
    Timeout {
        /// What was waited for.
        what: String,
        /// The caller's limit.
        timeout_ms: u64,
    },
    /// The backend doesn't answer as it should.
    #[error("the chain backend failed: {0}")]
    Backend(String),
}

impl DevnetError {
    /// The stable name of the kind of error, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Listen { .. } => "LISTEN_FAILED",
            Self::Runtime(_) => "RUNTIME_FAILED",
            Self::Invalid(_) => "INVALID_REQUEST",
            Self::UnknownBlock(_) => "UNKNOWN_BLOCK",
            Self::Rejected(_) => "TRANSACTION_REFUSED",
            Self::InsufficientFunds { .. } => "INSUFFICIENT_FUNDS",
            Self::TimeTooNew => "TIME_TOO_NEW",
            Self::Timeout { .. } => "TIMEOUT",
            Self::Backend(_) => "BACKEND_FAILED",
        }
    }
}
