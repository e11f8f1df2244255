//! The seam to the Lightning node: keysend payments out, payment events in.
//!
//! `boltgram-lightning` implements [`Transport`] over ldk-node and calls an [`EventHandler`]; `boltgram-messaging`
//! uses the first and is the second. Neither trait is async: both sides block on the disk, so callers on an async
//! runtime move them to a blocking thread.

use std::fmt;

use bitcoin::hashes::{Hash as _, sha256};

use crate::{
    ChainHash, Failure, NodeId,
    limits::{FEE_LIMIT_BASE_MSAT, FEE_LIMIT_PERCENT},
    message::{Body, PaymentHash},
    outbox::lane::Road,
    sign::Signature,
};

/// A payment's preimage: 32 random bytes, a secret until the payment settles.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Preimage(pub [u8; 32]);

impl fmt::Debug for Preimage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(preimage)")
    }
}

impl Preimage {
    /// The hash of the payment that this preimage settles.
    pub fn payment_hash(&self) -> PaymentHash {
        PaymentHash(sha256::Hash::hash(&self.0).to_byte_array())
    }
}

/// The most routing fee that a payment of this amount may cost when its caller names no limit, in millisatoshi.
pub fn fee_limit_msat_default(amount_msat: u64) -> u64 {
    FEE_LIMIT_BASE_MSAT.saturating_add((amount_msat / 100).saturating_mul(FEE_LIMIT_PERCENT))
}

/// A keysend payment with one custom TLV record (bLIP 3, bLIP 10).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keysend {
    /// Whom it goes to.
    pub recipient: NodeId,
    /// What the recipient gets, in millisatoshi.
    pub amount_msat: u64,
    /// The most routing fee to pay, in millisatoshi.
    pub fee_limit_msat: u64,
    /// The preimage, which travels in the onion.
    pub preimage: Preimage,
    /// The record's type.
    pub record_type: u64,
    /// The record's value, exact.
    pub record: Body,
}

/// What came of starting a payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SendError {
    /// Nothing was sent, and nothing will be.
    NotSent(Failure),
    /// Nothing was sent: the channels have as many payments in flight as they may. It works once some have arrived.
    Busy,
    /// A payment with this preimage is under way already: its event will tell.
    AlreadySent,
    /// It may have been sent or not, for this reason: an event will tell, or nothing.
    Unclear(String),
}

/// The node, as messaging sees it.
pub trait Transport: Send + Sync + 'static {
    /// This node's id.
    fn node_id(&self) -> NodeId;

    /// The chain it lives on.
    fn chain_hash(&self) -> ChainHash;

    /// Signs a text with the node's key, as `lncli signmessage` does.
    fn sign(&self, text: &[u8]) -> Result<Signature, Failure>;

    /// What the channels to this recipient offer at the moment.
    fn road(&self, recipient: NodeId) -> Road;

    /// Finds out beforehand, without sending, why a payment can't be sent now (`NotSent` or `Busy`): ldk-node itself
    /// tells the reasons apart neither before nor after. `Busy` when it could be sent once the payments that are in
    /// flight have arrived.
    fn check(&self, recipient: NodeId, amount_msat: u64) -> Result<(), SendError>;

    /// Starts a payment under a fresh preimage; blocks for some milliseconds. What becomes of it is told by an event.
    /// Called from several threads at once, a payment can be started that finds its place taken by another: it fails
    /// by an event, with [`Reason::NoRoute`](crate::Reason::NoRoute).
    fn send(&self, payment: &Keysend) -> Result<(), SendError>;

    /// Sends a payment again that may have been sent before a crash: the same preimage, the same bytes. Only after
    /// [`EventHandler::caught_up`]. Blocks for some milliseconds.
    ///
    /// - `Ok`: the node knew nothing of it, and has sent it now. An event will tell. (Nothing was known also of a
    ///   payment that was claimed more than some minutes ago: the recipient refuses it then, since it has it.)
    /// - `AlreadySent`: it is in flight, or has ended a moment ago: an event will tell, or has told.
    /// - `Unclear`: nothing is known, and nothing was sent now. The peer is away, all its channels' places are taken, or
    ///   the node stops, and the payment may be in flight all the same: ask again later.
    ///
    /// It answers nothing else.
    fn resend(&self, payment: &Keysend) -> Result<(), SendError>;

    /// Whether a payment that was told to have failed may still be claimed: a channel was closed, and the closing
    /// isn't in a block yet, so that the HTLC may be in it; or it has an output there that nobody has spent. Also
    /// `true` while it is simply in flight with an amount that isn't dust.
    ///
    /// For an amount that is dust in its channel (below 354 sat) it tells nothing: such an HTLC has no output. As long as
    /// a channel's closing is in no block, it is `true` for every hash.
    fn may_still_be_claimed(&self, payment_hash: PaymentHash) -> bool;

    /// Tells the node that what became of a payment of ours is kept elsewhere, after its event: the node's own row of
    /// it isn't needed any more. A row of a received payment is not touched: by it the node refuses the same
    /// payment a second time, for the 8 days that a message may be repeated. Blocks for a millisecond; an error is
    /// logged.
    fn forget(&self, payment_hash: PaymentHash) {
        let _ = payment_hash;
    }
}

/// A custom TLV record of a received payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlvRecord {
    /// Its type.
    pub record_type: u64,
    /// Its value.
    pub value: Body,
}

/// What the node tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TransportEvent {
    /// A payment arrived and is claimed.
    PaymentReceived {
        /// Its hash.
        payment_hash: PaymentHash,
        /// What arrived, in millisatoshi.
        amount_msat: u64,
        /// Its custom records; empty for a payment without any.
        records: Vec<TlvRecord>,
    },
    /// A payment of ours was claimed by the recipient.
    PaymentSuccessful {
        /// Its hash.
        payment_hash: PaymentHash,
        /// The routing fee paid, in millisatoshi.
        fee_msat: u64,
    },
    /// A payment of ours failed for good.
    PaymentFailed {
        /// Its hash.
        payment_hash: PaymentHash,
        /// Why.
        failure: Failure,
    },
    /// A channel can carry payments for the first time.
    ChannelReady {
        /// The far node, if known.
        peer: Option<NodeId>,
    },
    /// A channel was closed.
    ChannelClosed {
        /// The far node, if known.
        peer: Option<NodeId>,
        /// Why, in LDK's words.
        reason: String,
    },
}

/// An event could not be kept; it comes again after a restart.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the event could not be stored: {0}")]
pub struct HandlerError(pub String);

/// Who takes the node's events.
pub trait EventHandler: Send + Sync + 'static {
    /// Keeps one event. It is on disk when this returns `Ok`; only then is the node told that it was handled. The
    /// same event may come again after a crash. Blocks.
    fn handle(&self, event: TransportEvent) -> Result<(), HandlerError>;

    /// The node has started, its state is on disk, and all events from before the start were handled: what became of
    /// an open attempt can now be found out by [`Transport::resend`]. Told once for each start. Must not block.
    fn caught_up(&self) {}

    /// Channels to these peers became usable: they were opened, or the peer connected. Must not block.
    fn reachable(&self, peers: &[NodeId]) {
        let _ = peers;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_fee_limit_is_fifty_sat_and_one_percent() {
        assert_eq!(fee_limit_msat_default(1_000), 50_010);
        assert_eq!(fee_limit_msat_default(100_000_000_000), 50_000 + 1_000_000_000);
        assert_eq!(fee_limit_msat_default(u64::MAX), 50_000 + u64::MAX / 100);
    }
}
