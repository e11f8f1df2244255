//! What waits for one recipient: which parts go into the next payment, and when.
//!
//! A lane lives in memory. Messages go in their order; what waits at the same time and fits shares a payment. A part
//! that was picked is reserved until its payment has ended: then it is put back, or its message is done.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use super::{
    cut::{Piece, fitted, record_bytes},
    pace::{Backoff, Window},
};
use crate::{
    MessageId,
    frame::Encoding,
    limits::{
        BUSY_RETRY_MS, FRAME_PARTS_MAX, HOPS_EXTRA_MAX, PAYMENT_MSAT_MIN, RECORD_BYTES_PER_HOP, RETRY_MS_MAX,
        UNREACHABLE_RETRY_MS_MAX,
    },
    ranges::Ranges,
    transport::fee_limit_msat_default,
};

/// A message as its lane knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// The length of its joined, encoded bytes.
    pub total_bytes: u32,
    /// How they are encoded.
    pub encoding: Encoding,
    /// What has to be sent still.
    pub missing: Ranges,
    /// Whether it waits when the recipient can't be reached.
    pub queues: bool,
    /// What of the amount that was asked for no payment carries yet, in millisatoshi: below zero when payments carry
    /// more, since each carries the least at least. `None`: each carries just that.
    pub unassigned_msat: Option<i64>,
    /// What may be paid in routing fees still, in millisatoshi: below zero when a payment was claimed after all that was
    /// told to have failed. `None`: each payment has its own limit by its amount. A message with a limit of its own
    /// shares no payment, unless it rides.
    pub fee_left_msat: Option<i64>,
    /// Whether it may ride along in the payment of others, though it has a limit of its own: that payment's limit is
    /// the others' alone.
    pub rides: bool,
}

/// What the next payment carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pick {
    /// Its parts, at least one.
    pub pieces: Vec<Piece>,
    /// The most routing fee to pay, in millisatoshi.
    pub fee_limit_msat: u64,
    /// Whether that limit is one that the message's caller gave.
    pub has_own_limit: bool,
}

impl Pick {
    /// What the payment is worth, in millisatoshi.
    pub fn amount_msat(&self) -> u64 {
        self.pieces.iter().fold(0, |sum, piece| sum.saturating_add(piece.amount_msat))
    }

    /// The message that carries most of it.
    pub fn largest(&self) -> Option<MessageId> {
        self.pieces.iter().max_by_key(|piece| piece.amount_msat).map(|piece| piece.id)
    }
}

/// What the channels to a recipient offer at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Road {
    /// How many bytes a record may hold: exact for a direct peer with a usable channel, else for an assumed number of
    /// hops.
    pub room_bytes: usize,
    /// How many payments may be in flight at the same time: the HTLC slots of all the recipient's usable channels with
    /// this node, or of all usable channels when it has none. 0 when none can carry any. Each slot is counted, taken or
    /// free; one can stay taken for a little longer than its payment's event says.
    pub slots: usize,
    /// Whether a usable channel leads to the recipient itself, so that a payment need not cost a fee.
    pub is_direct: bool,
}

/// What waits for one recipient.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lane {
    messages: BTreeMap<MessageId, Waiting>,
    /// Those of which something is missing, and since when they may be tried.
    ready: BTreeSet<MessageId>,
    waits: BTreeMap<MessageId, Backoff>,
    /// What rides and can't go alone: until when it isn't looked whether it can.
    parked: BTreeMap<MessageId, u64>,
    /// Payments in flight, those included whose end isn't known.
    in_flight: usize,
    /// What the channels take, as the last pick was told.
    slots: usize,
    window: Window,
    backoff: Backoff,
    hops_extra: usize,
}

impl Lane {
    /// Adds a message.
    pub fn add(&mut self, id: MessageId, message: Waiting) {
        if !message.missing.is_empty() {
            self.ready.insert(id);
        }
        self.messages.insert(id, message);
    }

    /// Takes a message out: it is done, or nothing more of it is to be tried.
    pub fn remove(&mut self, id: MessageId) {
        self.messages.remove(&id);
        self.ready.remove(&id);
        self.waits.remove(&id);
        self.parked.remove(&id);
    }

    /// Whether nothing waits and nothing is in flight.
    pub fn is_idle(&self) -> bool {
        self.messages.is_empty() && self.in_flight == 0
    }

    /// The messages that it holds, in their order.
    pub fn messages(&self) -> impl Iterator<Item = (MessageId, &Waiting)> {
        self.messages.iter().map(|(id, message)| (*id, message))
    }

    /// How many messages it holds.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether it holds no message.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Payments in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether a payment could be made now, as far as is known here.
    pub fn is_due(&mut self, now_ms: u64) -> bool {
        let slots = self.slots.max(1);
        let has_room = self.slots == 0 || self.window.has_room(self.in_flight, slots);
        has_room && self.backoff.until_ms() <= now_ms && self.ready.iter().any(|id| self.goes_alone(*id, now_ms))
    }

    /// Picks the next payment and counts it as in flight. `None`: nothing waits, or it has to wait.
    pub fn pick(&mut self, road: Road, now_ms: u64) -> Option<Pick> {
        self.slots = road.slots;
        if self.backoff.until_ms() > now_ms || !self.window.has_room(self.in_flight, road.slots) {
            return None;
        }
        let room_bytes = road.room_bytes.saturating_sub(self.hops_extra * RECORD_BYTES_PER_HOP);
        let mut due: Vec<_> = self.ready.iter().copied().filter(|id| self.is_message_due(*id, now_ms)).collect();
        due.sort_by_key(|id| self.rides(*id));
        let mut pick: Option<Pick> = None;
        for id in due {
            let Some(message) = self.messages.get_mut(&id) else { continue };
            match &mut pick {
                // Alone it could only fail.
                None if message.rides && message.fee_left_msat.is_some_and(|left| left <= 0) && !road.is_direct => {
                    self.parked.insert(id, now_ms.saturating_add(RETRY_MS_MAX));
                }
                None => {
                    let Some(first) = message.first(id, room_bytes) else { continue };
                    // Where it was cut, the frame is full.
                    let is_full = first.has_own_limit || !message.missing.is_empty();
                    pick = Some(first);
                    if is_full {
                        break;
                    }
                }
                Some(pick) => {
                    if !message.join(id, pick, room_bytes) {
                        break;
                    }
                }
            }
        }
        let pick = pick?;
        for piece in &pick.pieces {
            if self.messages.get(&piece.id).is_none_or(|message| message.missing.is_empty()) {
                self.ready.remove(&piece.id);
            }
        }
        self.in_flight += 1;
        Some(pick)
    }

    /// The messages that may not wait and of which something is missing.
    pub fn impatient(&self) -> Vec<MessageId> {
        let is_impatient = |id: &MessageId| self.messages.get(id).is_some_and(|message| !message.queues);
        self.ready.iter().copied().filter(is_impatient).collect()
    }

    /// A part of this message was claimed: it need not go again, and what is left of the message may wait.
    pub fn delivered(&mut self, id: MessageId, range: &Range<u32>) {
        let Some(message) = self.messages.get_mut(&id) else { return };
        message.missing.remove(range);
        message.queues = true;
        if message.missing.is_empty() {
            self.ready.remove(&id);
        }
    }

    /// Whether it holds this message.
    pub fn holds(&self, id: MessageId) -> bool {
        self.messages.contains_key(&id)
    }

    /// Whether this message rides along where others go.
    pub fn rides(&self, id: MessageId) -> bool {
        self.messages.get(&id).is_some_and(|message| message.rides)
    }

    /// How many messages ride along where others go.
    pub fn riders(&self) -> usize {
        self.messages.values().filter(|message| message.rides).count()
    }

    /// A payment that was stored at an earlier run is in flight, or may be.
    pub fn was_in_flight(&mut self) {
        self.in_flight += 1;
    }

    /// A payment was claimed.
    pub fn claimed(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.window.claimed(self.slots);
        self.backoff.clear();
    }

    /// A payment failed, or wasn't sent at all; its parts are put back one by one.
    pub fn failed(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Puts back what is missing of a part whose payment failed or was not sent, with its amount and with what of the fee
    /// limit it had taken.
    pub fn put_back(&mut self, id: MessageId, missing: &Ranges, amount_msat: u64, fee_limit_msat: u64) {
        let Some(message) = self.messages.get_mut(&id) else { return };
        missing.iter().for_each(|range| message.missing.insert(range));
        if !message.missing.is_empty() {
            self.ready.insert(id);
        }
        message.take(-signed(amount_msat), -signed(fee_limit_msat));
    }

    /// Gives back what of a message's fee limit a payment did not use, in millisatoshi.
    pub fn give_back(&mut self, id: MessageId, fee_msat: u64) {
        if let Some(message) = self.messages.get_mut(&id) {
            message.take(0, -signed(fee_msat));
        }
    }

    /// A payment was claimed that had been put back: it carries a part of the message's amount and has cost its fee, in
    /// millisatoshi, after all.
    pub fn take_again(&mut self, id: MessageId, amount_msat: u64, fee_msat: u64) {
        if let Some(message) = self.messages.get_mut(&id) {
            message.take(signed(amount_msat), signed(fee_msat));
        }
    }

    /// Nothing is missing of this message but what is missing here too.
    pub fn keep_missing(&mut self, id: MessageId, missing: &Ranges) {
        if let Some(message) = self.messages.get_mut(&id) {
            message.missing = message.missing.intersection(missing);
            if message.missing.is_empty() {
                self.ready.remove(&id);
            }
        }
    }

    /// This message waits before its next payment, ever longer.
    pub fn delay(&mut self, id: MessageId, now_ms: u64, random: u64) {
        if self.messages.contains_key(&id) {
            self.waits.entry(id).or_default().failed(now_ms, random);
        }
    }

    /// All wait before the next payment, longer each time up to a few seconds: the recipient can't be reached. To look
    /// whether it can costs little, and nothing tells when gossip makes it known.
    pub fn pause(&mut self, now_ms: u64, random: u64) {
        self.backoff.failed_within(UNREACHABLE_RETRY_MS_MAX, now_ms, random);
    }

    /// The channels are full. What is in flight will make room; when nothing is, time has to.
    pub fn channels_full(&mut self, now_ms: u64) {
        self.window.is_full(self.in_flight);
        if self.in_flight == 0 {
            self.backoff.wait(now_ms.saturating_add(BUSY_RETRY_MS));
        }
    }

    /// No route was found: the next records are cut for longer ones.
    pub fn no_route(&mut self) {
        self.hops_extra = (self.hops_extra + 1).min(HOPS_EXTRA_MAX);
    }

    /// No route was found for a record of so many bytes. Says whether the next ones are cut smaller for it: not when it is
    /// a short one already.
    pub fn cuts_smaller(&mut self, record_bytes: usize, road: Road) -> bool {
        let room_bytes = |hops_extra| road.room_bytes.saturating_sub(hops_extra * RECORD_BYTES_PER_HOP);
        let hops_extra = (self.hops_extra..=HOPS_EXTRA_MAX).find(|hops| room_bytes(*hops) < record_bytes);
        self.hops_extra = hops_extra.unwrap_or(self.hops_extra);
        hops_extra.is_some()
    }

    /// The recipient can be reached, or a caller wants to know whether: nothing waits any longer.
    pub fn resume(&mut self) {
        self.backoff.clear();
        self.waits.clear();
        self.parked.clear();
    }

    /// The channels have changed: what was learnt of them is forgotten.
    pub fn channels_changed(&mut self) {
        self.resume();
        self.window.forget();
        self.hops_extra = 0;
    }

    /// Whether this message is a reason to look for a payment now.
    fn goes_alone(&self, id: MessageId, now_ms: u64) -> bool {
        self.is_message_due(id, now_ms) && self.parked.get(&id).is_none_or(|until_ms| *until_ms <= now_ms)
    }

    /// Whether this message may be tried now.
    pub fn is_message_due(&self, id: MessageId, now_ms: u64) -> bool {
        self.waits.get(&id).is_none_or(|wait| wait.until_ms() <= now_ms)
    }
}

impl Waiting {
    /// The part of this message that begins a payment; taken out of what is missing.
    fn first(&mut self, id: MessageId, room_bytes: usize) -> Option<Pick> {
        let range = self.missing.first()?;
        let mut piece = Piece { id, range, total_bytes: self.total_bytes, encoding: self.encoding, amount_msat: 0 };
        piece = fitted(&piece, room_bytes)?;
        let payments = u64::from(self.missing.bytes().div_ceil(piece.range.len() as u32)).max(1);
        self.missing.remove(&piece.range);
        piece.amount_msat = self.assign(payments);
        let fee_limit_msat = match &mut self.fee_left_msat {
            Some(left) => {
                let share = unsigned(*left) / payments;
                *left = left.saturating_sub(signed(share));
                share
            }
            None => fee_limit_msat_default(piece.amount_msat),
        };
        Some(Pick { pieces: vec![piece], fee_limit_msat, has_own_limit: self.fee_left_msat.is_some() })
    }

    /// Adds what is missing of this message to a payment that has room; says whether it did, or need not have.
    fn join(&mut self, id: MessageId, pick: &mut Pick, room_bytes: usize) -> bool {
        let rides_free = self.rides && self.fee_left_msat.is_some();
        if self.fee_left_msat.is_some() && !rides_free {
            return true;
        }
        let Some(range) = self.missing.first() else { return true };
        if pick.pieces.len() >= FRAME_PARTS_MAX {
            return false;
        }
        let amount_msat = self.unassigned_msat.map_or(0, unsigned).max(PAYMENT_MSAT_MIN);
        let piece = Piece { id, range, total_bytes: self.total_bytes, encoding: self.encoding, amount_msat };
        pick.pieces.push(piece.clone());
        if record_bytes(&pick.pieces) > room_bytes {
            pick.pieces.pop();
            return false;
        }
        self.missing.remove(&piece.range);
        if self.missing.is_empty() {
            self.take(signed(amount_msat), 0);
        } else if let Some(last) = pick.pieces.last_mut() {
            last.amount_msat = self.assign(2);
        }
        if !rides_free {
            pick.fee_limit_msat = fee_limit_msat_default(pick.amount_msat());
        }
        true
    }

    /// What the next of so many payments carries: an equal share in whole satoshi, the last one all that is left.
    fn assign(&mut self, payments: u64) -> u64 {
        let left_msat = self.unassigned_msat.map_or(0, unsigned);
        let share = if payments == 1 { left_msat } else { left_msat / payments / 1_000 * 1_000 };
        let amount_msat = share.max(PAYMENT_MSAT_MIN);
        self.take(signed(amount_msat), 0);
        amount_msat
    }

    /// Takes so much from what its payments have to carry and from what they may cost.
    fn take(&mut self, amount_msat: i64, fee_msat: i64) {
        for (left, taken) in [(&mut self.unassigned_msat, amount_msat), (&mut self.fee_left_msat, fee_msat)] {
            *left = left.map(|left| left.saturating_sub(taken));
        }
    }
}

/// An amount that something is taken from; none is that large.
pub fn signed(amount_msat: u64) -> i64 {
    i64::try_from(amount_msat).unwrap_or(i64::MAX)
}

fn unsigned(amount_msat: i64) -> u64 {
    u64::try_from(amount_msat).unwrap_or(0)
}

#[cfg(test)]
mod tests;
