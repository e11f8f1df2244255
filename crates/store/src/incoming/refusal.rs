//! Why a part isn't taken: it is put aside, or the store failed.

use boltgram_core::{frame::FrameError, policy::HeldReason, reassembly::Conflict};

use crate::StoreError;

/// Why a part isn't taken.
pub(super) enum Refusal {
    /// It is put aside, for this reason, in more words.
    Aside(HeldReason, String),
    /// The store failed, and with it the whole payment: its event comes again.
    Store(StoreError),
}

impl From<HeldReason> for Refusal {
    fn from(reason: HeldReason) -> Self {
        Self::Aside(reason, reason.meaning().to_owned())
    }
}

impl From<Conflict> for Refusal {
    fn from(conflict: Conflict) -> Self {
        Self::Aside(HeldReason::Conflict, conflict.to_string())
    }
}

impl From<FrameError> for Refusal {
    fn from(error: FrameError) -> Self {
        let reason = if error == FrameError::TooLarge { HeldReason::TooLarge } else { HeldReason::Unreadable };
        Self::Aside(reason, error.to_string())
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}
