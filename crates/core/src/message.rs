//! A message as the services and the store speak of it, whichever way it went.

use std::{fmt, str::FromStr};

use crate::{
    Failure, MessageId, NodeId,
    frame::{Content, TEXT},
    receipt,
};

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
    /// Received and stored: by this node, or by the far one, which has signed for it.
    Received,
}

impl State {
    /// Whether something of it may still be sent, or is under way.
    pub fn is_open(self) -> bool {
        matches!(self, State::Queued | State::Sending)
    }
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

/// How much of a message has arrived. The bytes are those that travel: the content as it was encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// The bytes whose payments were claimed.
    pub delivered_bytes: u64,
    /// The bytes that it has in all.
    pub total_bytes: u64,
}

/// Whom a conversation is with. In text form a node's public key, or `unsigned`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Peer {
    /// A node: what it signed, and what was sent to it.
    Node(NodeId),
    /// Unknown senders: all unsigned texts.
    Unsigned,
}

/// The text form of [`Peer::Unsigned`].
const UNSIGNED: &str = "unsigned";

impl Peer {
    /// The node, unless the senders are unknown.
    pub fn node(self) -> Option<NodeId> {
        match self {
            Self::Node(node) => Some(node),
            Self::Unsigned => None,
        }
    }
}

impl From<Option<NodeId>> for Peer {
    fn from(peer: Option<NodeId>) -> Self {
        peer.map_or(Self::Unsigned, Self::Node)
    }
}

impl FromStr for Peer {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        if text == UNSIGNED { Ok(Self::Unsigned) } else { text.parse().map(Self::Node) }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => fmt::Display::fmt(node, f),
            Self::Unsigned => f.write_str(UNSIGNED),
        }
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
    /// Whether it was marked as read; always `true` for what this node sent.
    pub is_read: bool,
    /// Until when it is tried, Unix time in milliseconds; `None` for what was received.
    pub expires_at_ms: Option<u64>,
    /// How many payments were made for it, those that failed too; 0 for what was received.
    pub payments: u32,
    /// How much of it has arrived, where that is known.
    pub progress: Option<Progress>,
    /// Whether its sender asked for a receipt.
    pub asks_receipt: bool,
    /// The far node's receipt for what this node sent.
    pub receipt: Option<receipt::Received>,
}

impl Message {
    /// Its content as it travels, for what this node sent.
    pub fn content(&self) -> Content {
        let content_type = if self.content_type == TEXT { String::new() } else { self.content_type.clone() };
        let reply_to_id = self.reply_to.map(|id| id.to_bytes().to_vec()).unwrap_or_default();
        Content { content_type, reply_to_id, payload: self.body.0.clone(), flags: 0 }.asking_receipt(self.asks_receipt)
    }

    /// The body as text, when its type says that it is one and it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        let is_text = self.content_type == TEXT || self.content_type.starts_with("text/");
        is_text.then(|| std::str::from_utf8(&self.body.0).ok()).flatten()
    }
}
