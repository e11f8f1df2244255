//! What becomes of each part that a payment brings: a message, a fragment that waits, a repeat, or something put aside.

use boltgram_core::{
    MessageId, NodeId,
    frame::{Content, TEXT},
    message::{Authenticity, Body, Direction, Message, State},
    policy::{HeldReason, InboxPolicy},
    reassembly::{Assembly, Conflict, Piece},
    receipt::Receipt,
};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Incoming, IncomingContent, IncomingPart, fragments, fragments::Unfinished, refusal::Refusal, senders};
use crate::{
    StoreError,
    insert::insert_message,
    outgoing::receipts,
    rows::{Id, Node},
};

/// What was taken of a payment.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// The rows of the messages that it completed.
    pub(super) message_rows: Vec<i64>,
    /// The rows of this node's own messages that have their receipt by it.
    pub(super) receipted_rows: Vec<i64>,
    /// How many of its parts wait for others.
    pub(super) kept_parts: usize,
    /// What was put aside of it: the first such part.
    pub(super) held: Option<Aside>,
}

/// What was put aside, and why.
#[derive(Debug)]
pub(super) struct Aside {
    pub(super) reason: HeldReason,
    pub(super) detail: String,
    pub(super) sender: Option<NodeId>,
    pub(super) id: Option<MessageId>,
}

/// What became of one part.
enum Part {
    Message(i64),
    Receipted(i64),
    Kept,
    Repeated,
}

/// Takes what a payment brings.
pub(super) fn content(connection: &Connection, incoming: &Incoming, policy: &InboxPolicy) -> Result<Taken, StoreError> {
    let mut taken = Taken::default();
    let mut add = |sender, id, result: Result<Part, Refusal>| {
        match result {
            Ok(Part::Message(row)) => taken.message_rows.push(row),
            Ok(Part::Receipted(row)) => taken.receipted_rows.push(row),
            Ok(Part::Kept) => taken.kept_parts += 1,
            Ok(Part::Repeated) => {}
            Err(Refusal::Aside(reason, detail)) => {
                taken.held.get_or_insert(Aside { reason, detail, sender, id });
            }
            Err(Refusal::Store(error)) => return Err(error),
        }
        Ok(())
    };
    let taking = Taking { connection, incoming, policy };
    match &incoming.content {
        IncomingContent::Plain => {}
        IncomingContent::Unreadable { reason, detail } => {
            add(None, None, Err(Refusal::Aside(*reason, detail.clone())))?;
        }
        IncomingContent::Unsigned { id, text } => add(None, None, taking.text(*id, text))?,
        IncomingContent::Parts { sender, parts } => {
            for part in parts {
                add(Some(*sender), Some(part.id), taking.part(*sender, part))?;
            }
        }
    }
    Ok(taken)
}

/// One payment on its way in.
struct Taking<'a> {
    connection: &'a Connection,
    incoming: &'a Incoming,
    policy: &'a InboxPolicy,
}

impl Taking<'_> {
    fn text(&self, id: MessageId, text: &str) -> Result<Part, Refusal> {
        self.policy.admits_sender(None)?;
        if text.len() > self.policy.message_bytes_max {
            return Err(HeldReason::TooLarge.into());
        }
        self.policy.admits_amount(self.incoming.amount_msat)?;
        senders::charge(self.connection, self.policy, None, text.len() as u64, self.incoming.now_ms)?;
        let content = Content { payload: text.as_bytes().to_vec(), ..Content::default() };
        let message = self.as_stored(id, None, content, self.incoming.amount_msat);
        Ok(Part::Message(insert_message(self.connection, &message, true)?))
    }

    fn part(&self, sender: NodeId, part: &IncomingPart) -> Result<Part, Refusal> {
        self.policy.admits_sender(Some(sender))?;
        if !part.piece.fits(self.policy.message_bytes_max) {
            return Err(HeldReason::TooLarge.into());
        }
        if let Some(known) = self.known(sender, part.id)? {
            return self.repeated(&part.piece, &known);
        }
        let found = fragments::find(self.connection, sender, part.id)?;
        let is_first = found.is_none();
        let mut unfinished =
            found.unwrap_or_else(|| Unfinished::begun_by(sender, part.id, &part.piece, self.incoming.now_ms));
        let overlapping = unfinished.ranges(self.connection, Some(&part.piece.range))?;
        let fresh = unfinished.assembly.add(&part.piece, &overlapping)?;
        if fresh.is_empty() {
            return Ok(Part::Repeated);
        }
        unfinished.amount_msat = unfinished.amount_msat.saturating_add(part.amount_msat);
        if !unfinished.assembly.is_complete() {
            let room_bytes = unfinished.room_for(self.connection, &fresh)?;
            if is_first {
                self.charge(sender, part.piece.total_bytes.into())?;
            }
            unfinished.keep(self.connection, &fresh, room_bytes)?;
            return Ok(Part::Kept);
        }
        let mut ranges = unfinished.ranges(self.connection, None)?;
        ranges.extend(fresh);
        ranges.sort_by_key(|range| range.offset);
        // From here on nothing of it waits any longer, whether it is taken or not.
        unfinished.remove(self.connection)?;
        let (content, hash) = unfinished.assembly.read_hashed(&ranges, self.policy.message_bytes_max)?;
        if let Some(receipt) = Receipt::read(&content) {
            return self.receipt(sender, &receipt?);
        }
        self.policy.admits_amount(unfinished.amount_msat)?;
        let (payload_bytes, total_bytes) = (content.payload.len() as u64, u64::from(part.piece.total_bytes));
        if is_first {
            self.charge(sender, payload_bytes.max(total_bytes))?;
        } else {
            // It was let in with its first part; what it unfolded to counts all the same.
            senders::add_bytes(self.connection, sender, payload_bytes.saturating_sub(total_bytes))?;
        }
        let message = self.as_stored(part.id, Some(sender), content, unfinished.amount_msat);
        let row = insert_message(self.connection, &message, false)?;
        if message.asks_receipt {
            receipts::owe(self.connection, row, hash)?;
        }
        Ok(Part::Message(row))
    }

    /// A receipt was asked for, so neither the least amount nor the quota counts for it.
    fn receipt(&self, sender: NodeId, receipt: &Receipt) -> Result<Part, Refusal> {
        let Incoming { receiver, now_ms, .. } = *self.incoming;
        match receipts::take(self.connection, receiver, sender, receipt, now_ms)? {
            receipts::Taken::New(row) => Ok(Part::Receipted(row)),
            receipts::Taken::Nothing => Ok(Part::Repeated),
            receipts::Taken::Refused => Err(HeldReason::Receipt.into()),
        }
    }

    fn charge(&self, sender: NodeId, bytes: u64) -> Result<(), Refusal> {
        senders::charge(self.connection, self.policy, Some(sender), bytes, self.incoming.now_ms)
    }

    /// This sender's message of this id, if it is complete.
    fn known(&self, sender: NodeId, id: MessageId) -> Result<Option<Known>, StoreError> {
        let sql = "SELECT content_type, body, reply_to, asks_receipt, deleted_at_ms IS NOT NULL AS is_deleted FROM messages \
                   WHERE peer = ?1 AND id = ?2 AND is_own_id = 0";
        let read = |row: &rusqlite::Row<'_>| {
            let reply_to = row.get::<_, Option<Id>>("reply_to")?.map(|id| id.0);
            Ok(Known {
                content_type: row.get("content_type")?,
                body: row.get("body")?,
                reply_to,
                asks_receipt: row.get("asks_receipt")?,
                is_deleted: row.get("is_deleted")?,
            })
        };
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row(params![Node(sender), Id(id)], read).optional()?)
    }

    /// A part of a message that is there. A whole one is compared with it; of a range that can't be done, since the message
    /// isn't kept as it travelled, nor of a deleted one.
    fn repeated(&self, piece: &Piece, known: &Known) -> Result<Part, Refusal> {
        if !piece.is_whole() || known.is_deleted {
            return Ok(Part::Repeated);
        }
        let ranges = std::slice::from_ref(&piece.range);
        let whole = Assembly::begun_by(piece).read(ranges, self.policy.message_bytes_max);
        let is_same = whole.is_ok_and(|content| {
            content.payload == known.body
                && content.media_type() == known.content_type
                && content.reply_to() == known.reply_to
                && content.asks_receipt() == known.asks_receipt
        });
        if is_same { Ok(Part::Repeated) } else { Err(Conflict.into()) }
    }

    fn as_stored(&self, id: MessageId, sender: Option<NodeId>, content: Content, amount_msat: u64) -> Message {
        Message {
            id,
            direction: Direction::In,
            asks_receipt: content.asks_receipt(),
            peer: sender,
            content_type: if content.content_type.is_empty() { TEXT.to_owned() } else { content.content_type.clone() },
            reply_to: content.reply_to(),
            body: Body(content.payload),
            amount_msat,
            fee_msat: 0,
            state: State::Received,
            authenticity: if sender.is_some() { Authenticity::Signed } else { Authenticity::Unsigned },
            stored_at_ms: self.incoming.now_ms,
            failure_reason: None,
            payment_hash: Some(self.incoming.payment_hash),
            sequence: 0,
            is_read: false,
            expires_at_ms: None,
            payments: 0,
            progress: None,
            receipt: None,
        }
    }
}

/// What is compared of a message that is there.
struct Known {
    content_type: String,
    body: Vec<u8>,
    reply_to: Option<MessageId>,
    asks_receipt: bool,
    is_deleted: bool,
}
