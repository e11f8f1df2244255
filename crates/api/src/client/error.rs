//! What can go wrong between a client and a node, said so that a person knows what to do.

use std::collections::BTreeMap;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// What to do when nobody answers.
const START_A_NODE: &str = "start one with `boltgram node`, or give its address with --grpc";

/// Why a call gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address can't be one.
    #[error("{address:?} is no address of a node: give HOST:PORT, such as 127.0.0.1:8881")]
    Address {
        /// What was given.
        address: String,
    },
    /// Nobody answers there.
    #[error("no boltgram node answers at {address}: {START_A_NODE}")]
    NoAnswer {
        /// The address, HOST:PORT.
        address: String,
        /// What the connection says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The node answered with an error, or the connection broke before it did.
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

impl From<Status> for ClientError {
    fn from(status: Status) -> Self {
        Self::Rpc(status.into())
    }
}

/// A gRPC status with its `google.rpc.ErrorInfo`, if it has one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct RpcError {
    /// The status code.
    pub code: Code,
    /// What is wrong, for a person; the code's description when the node gave no text.
    pub message: String,
    /// The stable reason (`boltgram_core::Reason`), for a program.
    pub reason: Option<String>,
    /// The numbers and ids that belong to it, by name.
    pub metadata: BTreeMap<String, String>,
}

impl From<Status> for RpcError {
    fn from(status: Status) -> Self {
        let info = status.get_details_error_info();
        let message = match status.message() {
            "" => status.code().description().to_owned(),
            message => message.to_owned(),
        };
        Self {
            code: status.code(),
            message,
            reason: info.as_ref().map(|info| info.reason.clone()).filter(|reason| !reason.is_empty()),
            metadata: info.map(|info| info.metadata.into_iter().collect()).unwrap_or_default(),
        }
    }
}

impl RpcError {
    /// Whether a stream that ended so is worth taking up again: the connection or the node went away, and nothing is
    /// wrong with the request.
    pub fn is_passing(&self) -> bool {
        use Code::{Aborted, Cancelled, DeadlineExceeded, Internal, ResourceExhausted, Unavailable, Unknown};
        matches!(
            self.code,
            Aborted | Cancelled | DeadlineExceeded | Internal | ResourceExhausted | Unavailable | Unknown
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    #[test]
    fn the_reason_and_its_numbers_come_out_of_the_status() {
        let details =
            ErrorDetails::with_error_info("NO_ROUTE", "boltgram", [("amount_sat".to_owned(), "5".to_owned())]);
        let error = RpcError::from(Status::with_error_details(Code::NotFound, "no path leads there", details));
        assert_eq!(error.code, Code::NotFound);
        assert_eq!(error.to_string(), "no path leads there");
        assert_eq!(error.reason.as_deref(), Some("NO_ROUTE"));
        assert_eq!(error.metadata["amount_sat"], "5");
    }

    #[test]
    fn a_status_without_text_or_details_is_still_readable() {
        let error = RpcError::from(Status::new(Code::Unimplemented, ""));
        assert_eq!(error.reason, None);
        assert!(!error.to_string().is_empty());
        assert!(!error.is_passing());
        assert!(RpcError::from(Status::unavailable("gone")).is_passing());
    }
}
