//! Failures as gRPC statuses: the code of the reason's kind, the message, and a `google.rpc.ErrorInfo`.

use std::collections::HashMap;

use boltgram_core::{Failure, Kind};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The `domain` of every ErrorInfo that boltgram makes.
const ERROR_DOMAIN: &str = "boltgram";

/// The status that a failure is answered with.
pub(crate) fn from_failure(failure: Failure) -> Status {
    let mut metadata: HashMap<String, String> =
        failure.metadata.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    metadata.insert("retryable".to_owned(), failure.reason.is_retryable().to_string());
    let details = ErrorDetails::with_error_info(failure.reason.code(), ERROR_DOMAIN, metadata);
    Status::with_error_details(code(failure.reason.kind()), failure.message, details)
}

/// The gRPC code of the same name.
pub(crate) fn code(kind: Kind) -> Code {
    match kind {
        Kind::InvalidArgument => Code::InvalidArgument,
        Kind::NotFound => Code::NotFound,
        Kind::FailedPrecondition => Code::FailedPrecondition,
        Kind::Unavailable => Code::Unavailable,
        Kind::PermissionDenied => Code::PermissionDenied,
        Kind::Aborted => Code::Aborted,
        Kind::ResourceExhausted => Code::ResourceExhausted,
        Kind::DeadlineExceeded => Code::DeadlineExceeded,
        Kind::Internal => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boltgram_core::Reason;

    #[test]
    fn a_failure_keeps_its_reason_and_numbers() {
        let failure = Failure::new(Reason::InsufficientOutbound, "too little").with("needed_msat", 5);
        let status = from_failure(failure);
        assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "too little"));
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("INSUFFICIENT_OUTBOUND_LIQUIDITY", "boltgram"));
        assert_eq!(info.metadata["needed_msat"], "5");
        assert_eq!(info.metadata["retryable"], "false");
    }
}
