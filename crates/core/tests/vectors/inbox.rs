//! A receiver that begins with nothing and takes everything from everybody: the reading path of this crate, with what the
//! store does in between kept in memory.

use std::collections::{HashMap, HashSet};

use boltgram_core::{
    MessageId, NodeId,
    frame::{Content, FrameError, Part},
    limits::MESSAGE_BYTES_MAX_DEFAULT,
    policy::HeldReason,
    reassembly::{Assembly, Conflict, Piece, Range},
    receipt::{ContentHash, Receipt},
    record::{self, Received, RecordError},
};

use crate::file::{Hex, Message, Payment, Sent, Vector};

/// Why something is put aside.
#[derive(PartialEq, Debug)]
pub struct Refusal {
    pub reason: HeldReason,
    pub detail: String,
}

impl From<RecordError> for Refusal {
    fn from(error: RecordError) -> Self {
        let reason = if error == RecordError::Signature { HeldReason::Signature } else { HeldReason::Unreadable };
        Self { reason, detail: error.to_string() }
    }
}

impl From<FrameError> for Refusal {
    fn from(error: FrameError) -> Self {
        let reason = if error == FrameError::TooLarge { HeldReason::TooLarge } else { HeldReason::Unreadable };
        Self { reason, detail: error.to_string() }
    }
}

impl From<Conflict> for Refusal {
    fn from(conflict: Conflict) -> Self {
        Self { reason: HeldReason::Conflict, detail: conflict.to_string() }
    }
}

/// What is held of a message that isn't complete.
struct Waiting {
    assembly: Assembly,
    ranges: Vec<Range>,
    amount_msat: u64,
}

type Key = (NodeId, MessageId);

pub struct Inbox<'a> {
    vector: &'a Vector,
    known: HashMap<Key, Content>,
    waiting: HashMap<Key, Waiting>,
    receipted: HashSet<MessageId>,
    pub messages: Vec<Message>,
}

impl<'a> Inbox<'a> {
    pub fn of(vector: &'a Vector) -> Self {
        Self { vector, known: HashMap::new(), waiting: HashMap::new(), receipted: HashSet::new(), messages: Vec::new() }
    }

    /// Takes a payment, and gives the first reason for which anything of it is put aside.
    pub fn receive(&mut self, payment: &Payment) -> Option<Refusal> {
        self.try_receive(payment).err()
    }

    fn try_receive(&mut self, payment: &Payment) -> Result<(), Refusal> {
        let (sender, frame) = match record::read(&payment.record.0, self.vector.chain_hash(), self.vector.recipient())?
        {
            Received::Signed { sender, frame } => (sender, frame),
            Received::Unsigned(text) => {
                let content = Content { payload: text.into_bytes(), ..Content::default() };
                self.messages.push(message(None, &content, payment.amount_msat));
                return Ok(());
            }
        };
        let amounts_msat = frame.amounts_msat(payment.amount_msat)?;
        let parts = frame.parts.into_iter().zip(amounts_msat);
        let results: Vec<_> = parts.map(|(part, amount_msat)| self.part(sender, part, amount_msat)).collect();
        results.into_iter().collect()
    }

    fn part(&mut self, sender: NodeId, part: Part, amount_msat: u64) -> Result<(), Refusal> {
        let key = (sender, part.id().unwrap());
        let piece = Piece::of(part)?;
        if !piece.fits(MESSAGE_BYTES_MAX_DEFAULT) {
            return Err(FrameError::TooLarge.into());
        }
        if let Some(known) = self.known.get(&key) {
            let ranges = std::slice::from_ref(&piece.range);
            let read = || Assembly::begun_by(&piece).read(ranges, MESSAGE_BYTES_MAX_DEFAULT);
            let is_same = |content: Content| {
                (content.media_type(), &content.payload, content.reply_to(), content.asks_receipt())
                    == (known.media_type(), &known.payload, known.reply_to(), known.asks_receipt())
            };
            return if piece.is_whole() && !read().is_ok_and(is_same) { Err(Conflict.into()) } else { Ok(()) };
        }
        let begun = || Waiting { assembly: Assembly::begun_by(&piece), ranges: Vec::new(), amount_msat: 0 };
        let waiting = self.waiting.entry(key).or_insert_with(begun);
        let fresh = waiting.assembly.add(&piece, &waiting.ranges)?;
        if !fresh.is_empty() {
            waiting.amount_msat += amount_msat;
        }
        waiting.ranges.extend(fresh);
        waiting.ranges.sort_by_key(|range| range.offset);
        if !waiting.assembly.is_complete() {
            return Ok(());
        }
        let whole = self.waiting.remove(&key).unwrap();
        let content = whole.assembly.read(&whole.ranges, MESSAGE_BYTES_MAX_DEFAULT)?;
        let Some(receipt) = Receipt::read(&content) else {
            self.messages.push(message(Some(key), &content, whole.amount_msat));
            self.known.insert(key, content);
            return Ok(());
        };
        let receipt = receipt?;
        self.receipt(sender, &receipt)?;
        // One that comes again changes nothing.
        if self.receipted.insert(receipt.id) {
            self.messages.push(message(Some(key), &content, whole.amount_msat));
        }
        Ok(())
    }
}

impl Inbox<'_> {
    /// Whether a receipt is the sender's, for what was sent there.
    fn receipt(&self, sender: NodeId, receipt: &Receipt) -> Result<(), Refusal> {
        let refused = |detail: &str| Refusal { reason: HeldReason::Receipt, detail: detail.into() };
        if receipt.signer(self.vector.chain_hash(), self.vector.recipient()) != Some(sender) {
            return Err(refused("the receipt is not signed by its sender"));
        }
        let is_it = |sent: &&Sent| sent.id.0 == receipt.id.to_bytes() && sent.to.0 == sender.to_bytes();
        let sent = self.vector.sent.iter().find(is_it).ok_or_else(|| refused("no such message was sent there"))?;
        let is_same = ContentHash::of(&sent.content.0) == receipt.content_hash;
        if is_same { Ok(()) } else { Err(refused("another content was sent")) }
    }
}

/// A message as a vector lists it; without a key for an unsigned text.
pub fn message(key: Option<Key>, content: &Content, amount_msat: u64) -> Message {
    Message {
        id: key.map(|(_, id)| Hex(id.to_bytes().to_vec())),
        sender: key.map(|(sender, _)| Hex(sender.to_bytes().to_vec())),
        content_type: content.media_type().to_owned(),
        reply_to_id: content.reply_to().map(|id| Hex(id.to_bytes().to_vec())),
        payload: Hex(content.payload.clone()),
        amount_msat,
        flags: content.flags,
    }
}
