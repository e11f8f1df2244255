//! What this node receives: each payment once, by its hash, and each message once, by sender and id.
//!
//! | module | what it holds |
//! |---|---|
//! | `take` | what becomes of each part that a payment brings |
//! | `refusal` | why a part isn't taken |
//! | `fragments` | the byte ranges of messages that aren't complete, and the room that they have |
//! | `senders` | what each sender has used of its quota |
//! | `aside` | the payments that were put aside, and all counts |
//!
//! A payment and all that it changes is one transaction. A message enters the log when it is complete, and only then.

mod aside;
mod fragments;
mod refusal;
mod senders;
mod take;

use std::sync::Arc;

use boltgram_core::{
    MessageId, NodeId,
    message::{Body, Message, PaymentHash},
    policy::{HeldReason, InboxPolicy},
    reassembly::Piece,
};
use rusqlite::{OptionalExtension as _, params};

use crate::{
    Store, StoreError,
    outgoing::receipts::Receiver,
    read::message_by_row,
    rows::{Coded, Count, Hash},
};

pub use aside::{Held, HeldPage, InboxCounts, PaymentCounts};
pub use fragments::Dropped;

/// A payment that was received, with what was found in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Incoming {
    /// Its hash.
    pub payment_hash: PaymentHash,
    /// What arrived, in millisatoshi.
    pub amount_msat: u64,
    /// Now, Unix time in milliseconds.
    pub now_ms: u64,
    /// Who receives it.
    pub receiver: Receiver,
    /// The record, as it came; empty when there is none. It is kept when something is put aside.
    pub record: Body,
    /// What was found in it.
    pub content: IncomingContent,
}

/// What was found in a payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IncomingContent {
    /// A frame that `sender` signed for this node, with its parts.
    Parts {
        /// Who signed it.
        sender: NodeId,
        /// The parts, in their order.
        parts: Vec<IncomingPart>,
    },
    /// A text from an unknown sender.
    Unsigned {
        /// An id that this node made for it.
        id: MessageId,
        /// The text.
        text: String,
    },
    /// A record that is no message.
    Unreadable {
        /// What it is put aside for.
        reason: HeldReason,
        /// Why in more words.
        detail: String,
    },
    /// No record of ours: a plain payment.
    Plain,
}

/// A part of a frame: a whole message, or a byte range of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IncomingPart {
    /// The message's id, the sender's.
    pub id: MessageId,
    /// The bytes, and where they belong.
    pub piece: Piece,
    /// What it carries of the payment, in millisatoshi.
    pub amount_msat: u64,
}

/// What a received payment added.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Received {
    /// It was new.
    New {
        /// The messages that it completed, which were not there before.
        messages: Vec<Message>,
        /// The messages of this node's own for which it brought the first receipt.
        receipted: Vec<Message>,
        /// What was put aside of it, if anything: the first reason.
        held: Option<HeldReason>,
    },
    /// Nothing: this payment was stored before.
    Known,
}

/// What a payment was, as it is stored: the best of what it brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum PaymentOutcome {
    /// It completed messages.
    Messages,
    /// It brought only what was there already: a second payment for the same.
    Repeated,
    /// It brought a record that can't be read.
    Unreadable,
    /// It brought no record.
    Plain,
    /// It brought a known id with another content.
    Conflicting,
    /// It brought parts of messages that weren't complete then.
    Parts,
    /// What it brought isn't taken by this node's policy.
    PutAside,
    /// It brought receipts.
    Receipts,
}

impl Coded for PaymentOutcome {
    const CODES: &'static [(Self, i64)] = &[
        (Self::Messages, 1),
        (Self::Repeated, 2),
        (Self::Unreadable, 3),
        (Self::Plain, 4),
        (Self::Conflicting, 5),
        (Self::Parts, 6),
        (Self::PutAside, 7),
        (Self::Receipts, 8),
    ];
}

impl From<HeldReason> for PaymentOutcome {
    fn from(reason: HeldReason) -> Self {
        match reason {
            HeldReason::Conflict => Self::Conflicting,
            reason if reason.is_policy() => Self::PutAside,
            _ => Self::Unreadable,
        }
    }
}

impl Store {
    /// Stores a payment and what it brings, in one transaction. A payment that is known by its hash changes nothing; a
    /// message that is known by sender and id isn't stored again.
    pub fn receive(&self, incoming: Incoming, policy: &Arc<InboxPolicy>) -> Result<Received, StoreError> {
        let policy = policy.clone();
        self.write(move |connection| {
            let sql = "SELECT 1 FROM payments WHERE payment_hash = ?1";
            let mut known = connection.prepare_cached(sql)?;
            if known.query_row([Hash(incoming.payment_hash)], |_| Ok(())).optional()?.is_some() {
                return Ok(Received::Known);
            }
            let taken = take::content(connection, &incoming, &policy)?;
            let outcome = outcome(&incoming.content, &taken);
            let sql =
                "INSERT INTO payments (payment_hash, amount_msat, received_at_ms, outcome) VALUES (?1, ?2, ?3, ?4)";
            connection.prepare_cached(sql)?.execute(params![
                Hash(incoming.payment_hash),
                Count(incoming.amount_msat),
                Count(incoming.now_ms),
                outcome.code()
            ])?;
            aside::count(connection, outcome)?;
            if let Some(held) = &taken.held {
                aside::put(connection, &incoming, held)?;
            }
            let read = |rows: &[i64]| rows.iter().map(|row| message_by_row(connection, *row)).collect::<Result<_, _>>();
            let (messages, receipted) = (read(&taken.message_rows)?, read(&taken.receipted_rows)?);
            Ok(Received::New { messages, receipted, held: taken.held.map(|held| held.reason) })
        })
    }
}

fn outcome(content: &IncomingContent, taken: &take::Taken) -> PaymentOutcome {
    match (&taken.held, content) {
        (_, IncomingContent::Plain) => PaymentOutcome::Plain,
        _ if !taken.message_rows.is_empty() => PaymentOutcome::Messages,
        _ if !taken.receipted_rows.is_empty() => PaymentOutcome::Receipts,
        _ if taken.kept_parts > 0 => PaymentOutcome::Parts,
        (Some(held), _) => held.reason.into(),
        (None, _) => PaymentOutcome::Repeated,
    }
}
