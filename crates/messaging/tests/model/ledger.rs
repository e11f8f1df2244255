//! What the model knows of each message that an outbox has accepted, and what may become of it.

use std::ops::Range;

use boltgram_core::{
    MessageId,
    frame::{Encoding, Part},
    message::State,
    ranges::Ranges,
};

use crate::{network::Carried, steps::Draft};

/// Every message that was accepted, in the order of its acceptance.
#[derive(Debug, Default)]
pub struct Ledger(pub Vec<Sent>);

/// A message that was accepted.
#[derive(Debug)]
pub struct Sent {
    pub id: MessageId,
    pub draft: Draft,
    pub encoding: Encoding,
    /// Its joined, encoded bytes.
    pub encoded: Vec<u8>,
    pub expires_at_ms: u64,
    /// Whether its caller let it wait.
    pub queues: bool,
    /// Its state when it was last looked at.
    pub state: State,
    /// Whether its delivery, its cancel or its expiry was told: nothing more of it may start.
    pub is_stopped: bool,
    /// Whether its failure was told: nothing more of it may start, unless a part turns out to have arrived.
    pub has_failed: bool,
    /// Whether a payment of it has ever left.
    pub was_sent: bool,
    /// What of it the receiver's node has claimed.
    arrived: Ranges,
    /// What came along, each byte's payment counted once and every payment counted.
    pub arrived_msat: u64,
}

impl Ledger {
    pub fn of(&mut self, id: MessageId) -> &mut Sent {
        self.0.iter_mut().find(|sent| sent.id == id).unwrap()
    }

    pub fn find(&self, id: MessageId) -> Option<&Sent> {
        self.0.iter().find(|sent| sent.id == id)
    }

    /// A part of a frame: its bytes are those of its message.
    pub fn read(&self, part: &Part, amount_msat: u64) -> Carried {
        let id = part.id().unwrap();
        let sent = self.find(id).unwrap_or_else(|| panic!("a part of a message that nobody sent"));
        let total_bytes = if part.is_whole() { part.body.len() } else { part.total_bytes as usize };
        let range = part.offset..part.offset + part.body.len() as u32;
        assert_eq!(total_bytes, sent.encoded.len(), "a part names another length");
        assert_eq!(part.encoding, i32::from(sent.encoding), "a part names another encoding");
        assert_eq!(sent.encoded[range.start as usize..range.end as usize], part.body, "a part has other bytes");
        Carried { id, range, amount_msat }
    }

    pub fn may_start(&self, part: &Carried) {
        let sent = self.find(part.id).unwrap();
        assert!(!sent.is_stopped && !sent.has_failed, "a payment starts for a message that was told to have ended");
    }

    /// What a payment may take of a message's amount and of its own fee limit.
    pub fn may_cost(&self, part: &Carried, carried_msat: u64, fee_limit_msat: Option<u64>, fees_msat: u64) {
        let sent = self.find(part.id).unwrap();
        if let Some(wanted_msat) = sent.wanted_msat() {
            let most_msat = wanted_msat.saturating_sub(carried_msat).max(1_000);
            assert!(part.amount_msat <= most_msat, "a payment carries more than was asked for");
        } else {
            assert_eq!(part.amount_msat, 1_000, "a payment carries more than the least");
        }
        if let Some(own_limit_msat) = sent.draft.fee_limit_msat {
            let left_msat = own_limit_msat.saturating_sub(fees_msat);
            let limit_msat =
                fee_limit_msat.unwrap_or_else(|| panic!("a message with its own fee limit shares a payment"));
            assert!(limit_msat <= left_msat, "a message's fees are above its limit: {limit_msat} of {left_msat} msat");
        }
    }
}

impl Sent {
    pub fn new(id: MessageId, draft: Draft, encoded: (Encoding, Vec<u8>), queues: bool, expires_at_ms: u64) -> Self {
        Self {
            id,
            draft,
            encoding: encoded.0,
            encoded: encoded.1,
            expires_at_ms,
            queues,
            state: State::Queued,
            is_stopped: false,
            has_failed: false,
            was_sent: false,
            arrived: Ranges::default(),
            arrived_msat: 0,
        }
    }

    pub fn wanted_msat(&self) -> Option<u64> {
        self.draft.wanted_msat()
    }

    /// Takes note of a part that was claimed; says whether its bytes are new.
    pub fn arrived(&mut self, part: &Carried) -> bool {
        let before = self.arrived.bytes();
        self.arrived.insert(part.range.clone());
        let added = self.arrived.bytes() - before;
        if added > 0 {
            self.arrived_msat += part.amount_msat;
        }
        added as usize == part.range.len()
    }

    pub fn has_arrived(&self) -> bool {
        self.arrived.cover(self.encoded.len() as u32)
    }

    pub fn has_nothing(&self) -> bool {
        self.arrived.is_empty()
    }

    pub fn whole(&self) -> Range<u32> {
        0..self.encoded.len() as u32
    }
}

pub fn is_over(state: State) -> bool {
    !state.is_open()
}

/// Whether a message may go from one state to another in one step.
pub fn may_follow(before: State, after: State) -> bool {
    use State::{Cancelled, Delivered, Expired, Failed, Queued, Sending};
    before == after
        || match before {
            Queued | Sending => matches!(after, Queued | Sending | Delivered | Failed | Expired | Cancelled),
            // A late claim of all of it, or of a part, or its caller asks again.
            Failed => matches!(after, Delivered | Sending | Queued),
            // A late claim is a claim.
            Expired | Cancelled => after == Delivered,
            Delivered | State::Received => false,
        }
}
