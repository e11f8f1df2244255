//! Why a request was refused or a message failed: one table of stable reasons.
//!
//! A [`Failure`] travels unchanged from where it is found to the edge, which turns it into a gRPC status with a
//! `google.rpc.ErrorInfo`, and into the store, which keeps the reason with a failed message.

use std::collections::BTreeMap;

/// The kind of a failure. Each is the gRPC status code of the same name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The request itself is wrong, whatever the node's state.
    InvalidArgument,
    /// What was asked for isn't there.
    NotFound,
    /// The node isn't in a state for it, and a repeat alone doesn't help.
    FailedPrecondition,
    /// It doesn't work at the moment; the same request may work later.
    Unavailable,
    /// A limit that the operator has set forbids it.
    PermissionDenied,
    /// The far side refused.
    Aborted,
    /// A limit or the disk is used up.
    ResourceExhausted,
    /// It took longer than the caller waits, and goes on.
    DeadlineExceeded,
    /// A fault of ours.
    Internal,
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $kind:ident, retry $retry:literal;)+) => {
        /// The reason of a failure: stable names for programs.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Reason] = &[$(Reason::$name),+];

            /// The stable name, as it stands in `google.rpc.ErrorInfo` and in the store.
            pub fn code(self) -> &'static str {
                match self { $(Reason::$name => $code,)+ }
            }

            /// The kind that the edge answers with.
            pub fn kind(self) -> Kind {
                match self { $(Reason::$name => Kind::$kind,)+ }
            }

            /// Whether the same request may work later, with nothing changed by the caller.
            pub fn is_retryable(self) -> bool {
                match self { $(Reason::$name => $retry,)+ }
            }

            /// What it means, in a sentence: the reason's own documentation.
            pub fn meaning(self) -> &'static str {
                match self { $(Reason::$name => concat!($($doc),+).trim(),)+ }
            }
        }
    };
}

reasons! {
    /// The public key is no compressed point of secp256k1.
    InvalidPubkey = "INVALID_PUBKEY", InvalidArgument, retry false;
    /// The recipient is this node itself.
    OwnPubkey = "OWN_PUBKEY", InvalidArgument, retry false;
    /// The message has no content.
    EmptyMessage = "EMPTY_MESSAGE", InvalidArgument, retry false;
    /// The message doesn't fit; the metadata has the limit in bytes.
    MessageTooLong = "MESSAGE_TOO_LONG", InvalidArgument, retry false;
    /// The amount is negative or beyond what may be sent with one message.
    InvalidAmount = "INVALID_AMOUNT", InvalidArgument, retry false;
    /// The amount is less than 1 sat for each payment that the message needs; the metadata has what it needs.
    AmountTooSmall = "AMOUNT_TOO_SMALL", InvalidArgument, retry false;
    /// Another request was accepted under this idempotency key; the metadata has its message's id.
    IdempotencyConflict = "IDEMPOTENCY_CONFLICT", InvalidArgument, retry false;
    /// The message id is no version 7 UUID.
    InvalidId = "INVALID_ID", InvalidArgument, retry false;
    /// The on-chain address is none, or of another network.
    InvalidAddress = "INVALID_ADDRESS", InvalidArgument, retry false;
    /// The invoice can't be read, or is of another network.
    InvalidInvoice = "INVALID_INVOICE", InvalidArgument, retry false;
    /// The text to sign begins as the node's own frames or receipts do.
    ReservedText = "RESERVED_TEXT", InvalidArgument, retry false;
    /// Another field of the request is wrong; the message names it.
    InvalidField = "INVALID_FIELD", InvalidArgument, retry false;
    /// No message has this id.
    MessageNotFound = "MESSAGE_NOT_FOUND", NotFound, retry false;
    /// The message is still queued or being sent: cancel it before it is deleted.
    MessageNotFinished = "MESSAGE_NOT_FINISHED", FailedPrecondition, retry false;
    /// The message has ended already: there is nothing to cancel.
    NotCancellable = "NOT_CANCELLABLE", FailedPrecondition, retry false;
    /// The message was cancelled before it was delivered.
    Cancelled = "MESSAGE_CANCELLED", Aborted, retry false;
    /// The message wasn't delivered before its time was over.
    Expired = "MESSAGE_EXPIRED", FailedPrecondition, retry false;
    /// As many messages wait in the outbox as it holds.
    OutboxFull = "OUTBOX_FULL", ResourceExhausted, retry true;
    /// The routing fees of the last 24 hours have used up their budget; the metadata has both numbers.
    FeeBudgetSpent = "FEE_BUDGET_SPENT", PermissionDenied, retry true;
    /// No channel has this id.
    ChannelNotFound = "CHANNEL_NOT_FOUND", NotFound, retry false;
    /// This node neither made nor paid this invoice.
    InvoiceNotFound = "INVOICE_NOT_FOUND", NotFound, retry false;
    /// The recipient is neither a peer nor known from gossip.
    UnknownNode = "UNKNOWN_NODE", NotFound, retry true;
    /// The recipient is known, but no path leads there for this amount.
    NoRoute = "NO_ROUTE", NotFound, retry true;
    /// This node's channels can't send the amount; the metadata has both numbers.
    InsufficientOutbound = "INSUFFICIENT_OUTBOUND_LIQUIDITY", FailedPrecondition, retry false;
    /// This node's wallet holds too little on chain.
    InsufficientFunds = "INSUFFICIENT_FUNDS", FailedPrecondition, retry false;
    /// The invoice can't be paid any longer.
    InvoiceExpired = "INVOICE_EXPIRED", FailedPrecondition, retry false;
    /// This node has paid the invoice already; the metadata has the payment's hash.
    AlreadyPaid = "ALREADY_PAID", FailedPrecondition, retry false;
    /// The peer has a channel with this node.
    PeerHasChannel = "PEER_HAS_CHANNEL", FailedPrecondition, retry false;
    /// This node has no channel that is ready.
    NoChannel = "NO_USABLE_CHANNEL", FailedPrecondition, retry false;
    /// The channel is being closed already, or is in the middle of a change; or no further one can be begun now.
    ChannelBusy = "CHANNEL_BUSY", FailedPrecondition, retry true;
    /// No provider of just-in-time channels is configured.
    NoLsp = "NO_LSP", FailedPrecondition, retry false;
    /// The provider of just-in-time channels asks for more than the caller's limit.
    LspFeeTooHigh = "LSP_FEE_TOO_HIGH", FailedPrecondition, retry false;
    /// The provider of just-in-time channels is connected, and did not make an offer.
    LspFailed = "LSP_FAILED", Unavailable, retry true;
    /// The peer could not be reached or is not connected.
    PeerOffline = "PEER_OFFLINE", Unavailable, retry true;
    /// The node starts, or waits for its Esplora server.
    Starting = "STARTING", Unavailable, retry true;
    /// The node stops.
    Stopping = "STOPPING", Unavailable, retry true;
    /// The Esplora server doesn't answer as it should.
    ChainUnavailable = "CHAIN_UNAVAILABLE", Unavailable, retry true;
    /// The recipient refused the payment.
    Refused = "REFUSED_BY_RECIPIENT", Aborted, retry false;
    /// The far node or one on the way failed the payment, with no clearer word.
    PaymentFailed = "PAYMENT_FAILED", Unavailable, retry true;
    /// The payment goes on past the caller's deadline; the metadata has the message's id or the payment's hash.
    DeadlineExceeded = "DEADLINE_EXCEEDED", DeadlineExceeded, retry false;
    /// So many calls of this kind are under way that no other is taken.
    TooManyCalls = "TOO_MANY_CALLS", ResourceExhausted, retry true;
    /// The node's disk has too little room: nothing was sent. It goes on by itself when there is more.
    DiskLow = "DISK_LOW", ResourceExhausted, retry true;
    /// The node couldn't do it, for a reason that its library doesn't tell; the log has more.
    NodeError = "NODE_ERROR", Internal, retry false;
    /// The message store failed; the log has more.
    StoreError = "STORE_ERROR", Internal, retry false;
}

impl Reason {
    /// The reason of this stable name, or `None` when no reason has it.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code)
    }
}

/// Why a request was refused or a message failed, with what to do about it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The stable reason.
    pub reason: Reason,
    /// What is wrong and what to do, for a person.
    pub message: String,
    /// Numbers and ids for a program, by name; never a secret or a message's content.
    pub metadata: BTreeMap<&'static str, String>,
}

impl Failure {
    /// A failure with no metadata.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), metadata: BTreeMap::new() }
    }

    /// The same with one more entry of metadata.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.metadata.insert(name, value.to_string());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_reason_says_what_it_means_in_a_sentence() {
        for reason in Reason::ALL {
            let meaning = reason.meaning();
            assert!(meaning.len() > 10 && meaning.ends_with('.') && !meaning.contains("  "), "{meaning:?}");
        }
    }

    #[test]
    fn every_reason_has_a_name_of_its_own_that_leads_back_to_it() {
        let codes: HashSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Some(*reason));
        }
        assert_eq!(Reason::from_code("NO_SUCH_REASON"), None);
    }
}
