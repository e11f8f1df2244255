//! What this node sends: messages, the payments that were tried for them, and what became of both.
//!
//! | module | what it holds |
//! |---|---|
//! | `accept` | a message enters the outbox, or is found to be there already |
//! | `attempt` | a payment is stored before it starts |
//! | `shrink` | a payment without an end carries less from now on |
//! | `settle` | what became of a payment, and so of its messages |
//! | `stop` | a message is cancelled, or its time is over |
//! | `resume` | what a start finds |
//! | [`receipts`] | the receipts that are owed and given, and those that come |
//! | `entry` | the rows of one message, read for the rules of `boltgram_core::outbox` and written after them |
//!
//! The rules themselves are core's: here they are applied inside the writer's transaction, so the disk is the only
//! truth.

mod accept;
mod attempt;
mod entry;
pub mod receipts;
mod resume;
mod settle;
mod shrink;
mod stop;

use std::ops::Range;

use boltgram_core::{
    Failure, MessageId, NodeId,
    frame::Encoding,
    message::{Body, Message, PaymentHash},
    outbox::{cut::Piece, entry::Stop, lane::Waiting},
    ranges::Ranges,
    transport::Keysend,
};

use crate::rows::Coded;

/// A message that enters the outbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outgoing {
    /// The message's id.
    pub id: MessageId,
    /// Whom it is for.
    pub recipient: NodeId,
    /// The media type of its body.
    pub content_type: String,
    /// The content.
    pub body: Body,
    /// The id of the message that this one answers.
    pub reply_to: Option<MessageId>,
    /// Whether it asks for a receipt.
    pub asks_receipt: bool,
    /// How its joined bytes are encoded.
    pub encoding: Encoding,
    /// Its joined, encoded bytes.
    pub encoded: Body,
    /// What it is expected to carry, in millisatoshi.
    pub amount_msat: u64,
    /// The amount that was asked for, in millisatoshi; `None`: each payment carries the least.
    pub wanted_msat: Option<u64>,
    /// The most routing fee to pay for all of it, in millisatoshi; `None`: each payment has its own limit.
    pub fee_limit_msat: Option<u64>,
    /// Whether it is tried until it expires, whatever happens.
    pub queues: bool,
    /// Until when it is tried, Unix time in milliseconds.
    pub expires_at_ms: u64,
    /// The caller's key, under which it is accepted once.
    pub idempotency_key: Option<String>,
    /// What tells the same request from another under the same key.
    pub request_digest: [u8; 32],
    /// Now, Unix time in milliseconds.
    pub now_ms: u64,
}

/// What came of accepting a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Accepted {
    /// It is in the outbox now.
    New(Message),
    /// A message of the same request was accepted before.
    Known(Message),
    /// Another request was accepted under the same key; this is its message.
    Conflicting(MessageId),
}

/// A part of a message in a payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttemptPart {
    /// The message.
    pub id: MessageId,
    /// Which of its joined, encoded bytes.
    pub range: Range<u32>,
    /// What it carries of the payment, in millisatoshi.
    pub amount_msat: u64,
}

impl From<&Piece> for AttemptPart {
    fn from(piece: &Piece) -> Self {
        Self { id: piece.id, range: piece.range.clone(), amount_msat: piece.amount_msat }
    }
}

/// A payment that is about to start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempt {
    /// The payment, as it will be sent.
    pub payment: Keysend,
    /// What it carries.
    pub parts: Vec<AttemptPart>,
    /// What may be paid in routing fees in 24 hours, in millisatoshi; `None`: no limit.
    pub fee_budget_msat: Option<u64>,
    /// Now, Unix time in milliseconds.
    pub now_ms: u64,
}

/// Whether a payment may start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Started {
    /// It is stored, and may.
    Yes,
    /// It may not, and isn't stored: these messages are stopped, or have these bytes already.
    Stopped(Vec<MessageId>),
    /// It may not, and isn't stored: with it, the fees of 24 hours would be above the budget.
    OverBudget {
        /// What was paid or is reserved in the last 24 hours, in millisatoshi.
        spent_msat: u64,
    },
}

/// What became of an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The recipient claimed it.
    Successful {
        /// The routing fee paid, in millisatoshi.
        fee_msat: u64,
    },
    /// It failed, and the recipient has nothing of it.
    Failed(Failure),
    /// It never began, for want of room in the channels: that is no failure.
    NotSent,
}

/// A payment whose end was stored, with the messages in it as they are now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settled {
    /// Whom it went to.
    pub recipient: NodeId,
    /// What may have been paid in routing fees, in millisatoshi.
    pub fee_limit_msat: u64,
    /// Whether this changed anything: the same end may be told twice, and a failure after a success says nothing.
    pub is_news: bool,
    /// Whether it was counted as ended before, so that a success came late.
    pub was_ended: bool,
    /// Its parts.
    pub parts: Vec<SettledPart>,
}

/// A part of a payment whose end was stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettledPart {
    /// What the payment carried of the message.
    pub part: AttemptPart,
    /// What of that has to be sent still: it is neither delivered nor in another payment.
    pub missing: Ranges,
    /// The message, as it is now.
    pub message: Message,
}

/// What came of stopping a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stopped {
    /// Nothing more of it is tried. It is `Sending` still while a payment of it is in flight.
    Yes(Message),
    /// It had ended already.
    Ended(Message),
    /// No message that this node sent has this id.
    Unknown,
}

/// A message that a start finds unfinished.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unfinished {
    /// The message.
    pub id: MessageId,
    /// Whom it is for.
    pub recipient: NodeId,
    /// What is to be sent still.
    pub waiting: Waiting,
}

/// A payment that a start finds without an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unresolved {
    /// Its hash.
    pub payment_hash: PaymentHash,
    /// Whom it went to.
    pub recipient: NodeId,
}

/// The state of an attempt, as it is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum AttemptState {
    Open,
    Successful,
    Failed,
}

impl Coded for AttemptState {
    const CODES: &'static [(Self, i64)] = &[(Self::Open, 1), (Self::Successful, 2), (Self::Failed, 3)];
}

impl Coded for Option<Stop> {
    const CODES: &'static [(Self, i64)] =
        &[(None, 0), (Some(Stop::Cancelled), 1), (Some(Stop::Expired), 2), (Some(Stop::Failed), 3)];
}
