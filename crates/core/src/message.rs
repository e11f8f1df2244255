//! A message as the services and the store speak of it, whichever way it went.

use std::fmt;

use crate::{MessageId, NodeId, frame::TEXT};

/// Which way a message went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Direction {
    /// This node received it.
    In,
    /// This node sent it.
    Out,
}

/// What has become of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum State {
    /// Accepted and stored; nothing of it is under way, and it will be tried until it is delivered, expires or is
    /// cancelled.
    Queued,
    /// A payment of it is under way or was claimed, or what became of one is not known yet.
    Sending,
    /// Sent, and the far node claimed its payment.
    Delivered,
    /// Nothing more will be tried, and the recipient has nothing of it.
    Failed,
    /// It wasn't delivered in time; nothing more will be tried.
    Expired,
    /// It was cancelled before it was delivered; nothing more will be tried.
    Cancelled,
    /// Received and stored.
    Received,
}

/// How sure it is who wrote a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Authenticity {
    /// The sender's node key signed it for this recipient on this chain.
    Signed,
    /// A plain text without a signature.
    Unsigned,
}

/// A payment hash: the SHA-256 of a payment's preimage.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaymentHash(pub [u8; 32]);

impl fmt::Display for PaymentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for PaymentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A message's body. Its `Debug` form tells the length alone, so that no body reaches a log by accident.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Body(pub Vec<u8>);

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} bytes)", self.0.len())
    }
}

/// One message, sent or received, as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Its id: the same on both sides.
    pub id: MessageId,
    /// Which way it went.
    pub direction: Direction,
    /// The far node; `None` for an unsigned text, whose sender is unknown.
    pub peer: Option<NodeId>,
    /// The media type of its body.
    pub content_type: String,
    /// The content.
    pub body: Body,
    /// The id of the message that this one answers.
    pub reply_to: Option<MessageId>,
    /// What went along, in millisatoshi.
    pub amount_msat: u64,
    /// Routing fees that this node paid for it, in millisatoshi.
    pub fee_msat: u64,
    /// What has become of it.
    pub state: State,
    /// How sure it is who wrote it.
    pub authenticity: Authenticity,
    /// When this node stored it, Unix time in milliseconds.
    pub stored_at_ms: u64,
    /// The stable reason code of a failed message.
    pub failure_reason: Option<String>,
    /// The payment that carried it, the last one tried.
    pub payment_hash: Option<PaymentHash>,
    /// The log's sequence number of its last event.
    pub sequence: u64,
}

impl Message {
    /// The body as text, when its type says that it is one and it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        let is_text = self.content_type == TEXT || self.content_type.starts_with("text/");
        is_text.then(|| std::str::from_utf8(&self.body.0).ok()).flatten()
    }
}
