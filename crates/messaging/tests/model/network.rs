//! The Lightning network between the senders and the receiver, in memory.
//!
//! It plays what LDK and its channels may do: payments stay in flight as long as they like, end in any order, and their
//! events come late, twice or never. What it must not do is what LDK never does: claim a payment twice, or lose the
//! receiver's event of one. It knows what was sent, and refuses what no outbox may send.

use std::{
    collections::{HashSet, VecDeque},
    ops::Range,
};

use boltgram_core::{
    Failure, MessageId, NodeId, Reason,
    frame::Frame,
    message::PaymentHash,
    record::HEADER_BYTES,
    transport::{Keysend, SendError, TlvRecord, TransportEvent},
};

use crate::ledger::Ledger;

/// What a sender's channels are like.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    pub is_online: bool,
    pub slots: usize,
    pub room_bytes: usize,
    pub payment_msat_max: u64,
}

impl Weather {
    pub const GOOD: Self = Self { is_online: true, slots: 50, room_bytes: 1_204, payment_msat_max: u64::MAX };
}

/// What a sender's outbox has been told of a payment: a claim outranks a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    Nothing,
    Claimed { fee_msat: u64 },
    Failed,
}

/// A part of a message in a payment.
#[derive(Clone, Debug)]
pub struct Carried {
    pub id: MessageId,
    pub range: Range<u32>,
    pub amount_msat: u64,
}

/// What goes out under a preimage.
#[derive(Clone, Debug)]
pub struct Onion {
    pub keysend: Keysend,
    pub parts: Vec<Carried>,
}

/// A payment that a sender's outbox has started.
#[derive(Debug)]
pub struct Payment {
    pub sender: usize,
    /// As its outbox has it now: it may have been cut anew.
    pub onion: Onion,
    pub started_at_ms: u64,
    pub told: Told,
    /// Whether a crash or a false failure has made its end, or what it carries, unknowable for its sender.
    pub is_murky: bool,
    /// How often its node could not say anything of it.
    pub unclear: usize,
}

impl Payment {
    pub fn hash(&self) -> PaymentHash {
        self.onion.keysend.preimage.payment_hash()
    }

    /// What it costs in routing fees, or may still cost.
    pub fn fee_msat(&self) -> u64 {
        match self.told {
            Told::Nothing => self.onion.keysend.fee_limit_msat,
            Told::Claimed { fee_msat } => fee_msat,
            Told::Failed => 0,
        }
    }
}

/// A payment on its way. The same one can be twice: sent again after its node had forgotten it.
#[derive(Clone, Debug)]
pub struct Htlc {
    pub payment: usize,
    pub onion: Onion,
    /// Whether the sender's node knows of it, and so tells its end.
    pub is_tracked: bool,
    /// Whether its claim is told all the same, from a closed channel.
    pub tells_late: bool,
}

/// An event in a sender's node, until it is acknowledged.
#[derive(Clone, Debug)]
pub struct Event {
    pub payment: usize,
    /// The fee of a claim, or why it failed.
    pub end: Result<u64, Reason>,
}

/// What the next sign, send or resend of a sender meets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trick {
    /// The process dies; for a send, before or after the payment has left.
    Crash {
        has_left: bool,
    },
    /// The send fails, and nothing has left.
    NotSent(Reason),
    Busy,
    Unclear {
        has_left: bool,
    },
    /// The payment ends, and its event is handled, before its start returns.
    Ends {
        is_claimed: bool,
        is_unclear: bool,
    },
}

/// What another thread does while a payment is signed, or a little later while it is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meanwhile {
    Crash,
    Cancel(u8),
    Expire,
    Carry,
    Event,
}

/// All that happens outside of the processes under test, and what is known of it.
#[derive(Debug)]
pub struct Network {
    pub now_ms: u64,
    pub receiver: NodeId,
    pub fee_budget_msat: Option<u64>,
    pub weather: [Weather; 2],
    pub payments: Vec<Payment>,
    pub htlcs: Vec<Htlc>,
    /// What the receiver's node has claimed, in this order.
    pub claimed: Vec<usize>,
    /// Payments whose bytes the receiver had already.
    pub doubled: usize,
    /// Payments that were cut anew.
    pub cuts: usize,
    /// What was taken out of them: it may have arrived by them all the same.
    pub cut_out: HashSet<MessageId>,
    pub events: [Vec<Event>; 2],
    pub receiver_events: Vec<TransportEvent>,
    pub tricks: [VecDeque<Trick>; 2],
    pub meanwhile: [VecDeque<Meanwhile>; 2],
    pub ledger: Ledger,
}

impl Network {
    pub fn new(receiver: NodeId, fee_budget_msat: Option<u64>, now_ms: u64) -> Self {
        Self {
            now_ms,
            receiver,
            fee_budget_msat,
            weather: [Weather::GOOD; 2],
            payments: Vec::new(),
            htlcs: Vec::new(),
            claimed: Vec::new(),
            doubled: 0,
            cuts: 0,
            cut_out: HashSet::new(),
            events: Default::default(),
            receiver_events: Vec::new(),
            tricks: Default::default(),
            meanwhile: Default::default(),
            ledger: Ledger::default(),
        }
    }

    pub fn check(&self, sender: usize, amount_msat: u64) -> Result<(), SendError> {
        let weather = self.weather[sender];
        let not_sent = |reason: Reason| Err(SendError::NotSent(Failure::new(reason, "the network says so")));
        match () {
            () if !weather.is_online => not_sent(Reason::PeerOffline),
            () if amount_msat > weather.payment_msat_max => not_sent(Reason::InsufficientOutbound),
            () if self.in_flight(sender) >= weather.slots => Err(SendError::Busy),
            () => Ok(()),
        }
    }

    fn in_flight(&self, sender: usize) -> usize {
        self.htlcs.iter().filter(|htlc| self.payments[htlc.payment].sender == sender).count()
    }

    /// Takes note of a payment that is about to start, and refuses one that may not.
    pub fn started(&mut self, sender: usize, keysend: &Keysend) -> usize {
        let parts = self.parts_of(keysend);
        assert!(self.find(keysend).is_none(), "a preimage was used twice");
        let sum = parts.iter().map(|part| part.amount_msat).sum::<u64>();
        assert_eq!(sum, keysend.amount_msat, "the parts' amounts and the payment's differ");
        if let Some(budget_msat) = self.fee_budget_msat {
            let is_counted =
                |payment: &&Payment| payment.sender == sender && payment.started_at_ms + DAY_MS > self.now_ms;
            let spent_msat = self.payments.iter().filter(is_counted).map(Payment::fee_msat).sum::<u64>();
            assert!(spent_msat + keysend.fee_limit_msat <= budget_msat, "the day's fees are above their budget");
        }
        for part in &parts {
            assert!(part.amount_msat >= 1_000, "a part carries too little for some channels");
            self.ledger.may_start(part);
            let earlier = self.payments.iter().enumerate().filter(|(_, payment)| payment.carries(part.id));
            let (mut carried_msat, mut fees_msat) = (0, 0);
            for (index, payment) in earlier {
                let is_watched = payment.onion.keysend.amount_msat >= 354_000;
                let is_ghost = payment.told == Told::Failed && self.htlcs.iter().any(|htlc| htlc.payment == index);
                assert!(!is_watched || !is_ghost, "an earlier payment of the same bytes may be claimed still");
                fees_msat += payment.fee_msat();
                let own = payment.onion.parts.iter().filter(|own| own.id == part.id && payment.told != Told::Failed);
                for own in own {
                    carried_msat += own.amount_msat;
                    let is_apart = own.range.end <= part.range.start || part.range.end <= own.range.start;
                    assert!(is_apart, "bytes were sent again that are delivered or in flight");
                }
            }
            self.ledger.may_cost(part, carried_msat, (parts.len() == 1).then_some(keysend.fee_limit_msat), fees_msat);
        }
        self.payments.push(Payment {
            sender,
            onion: Onion { keysend: keysend.clone(), parts },
            started_at_ms: self.now_ms,
            told: Told::Nothing,
            is_murky: false,
            unclear: 0,
        });
        self.payments.len() - 1
    }

    /// What a payment carries. The bytes must be the message's own; the signature is for the receiver to check.
    fn parts_of(&self, keysend: &Keysend) -> Vec<Carried> {
        let frame = Frame::read(&keysend.record.0[HEADER_BYTES..]).unwrap();
        let amounts = frame.amounts_msat(keysend.amount_msat).unwrap();
        let parts = frame.parts.into_iter().zip(amounts);
        parts.map(|(part, amount_msat)| self.ledger.read(&part, amount_msat)).collect()
    }

    pub fn find(&self, keysend: &Keysend) -> Option<usize> {
        self.payments.iter().position(|payment| payment.onion.keysend.preimage == keysend.preimage)
    }

    pub fn leave(&mut self, payment: usize) {
        let onion = self.payments[payment].onion.clone();
        self.htlcs.push(Htlc { payment, onion: onion.clone(), is_tracked: true, tells_late: false });
        onion.parts.iter().for_each(|part| self.ledger.of(part.id).was_sent = true);
    }

    /// The outbox has a payment now as this, with less in it. Only one of which nothing can be known for long may change.
    pub fn was_cut_anew(&mut self, payment: usize, keysend: Keysend) {
        let parts = self.parts_of(&keysend);
        let payment = &mut self.payments[payment];
        assert!(payment.unclear > 0 && payment.told == Told::Nothing, "a payment was cut anew that may be known");
        for part in &parts {
            let was = payment.onion.parts.iter().find(|was| was.id == part.id).unwrap();
            assert!(was.range.start == part.range.start && part.range.end <= was.range.end && !part.range.is_empty());
            assert_eq!(was.amount_msat, part.amount_msat, "what is left of a payment carries another amount");
        }
        assert!(keysend.record.0.len() < payment.onion.keysend.record.0.len());
        self.cut_out.extend(payment.onion.parts.iter().map(|part| part.id));
        payment.onion = Onion { keysend, parts };
        payment.is_murky = true;
        self.cuts += 1;
    }

    /// What the sender's node answers that is asked to send a payment again.
    pub fn resend(&mut self, sender: usize, keysend: &Keysend) -> Result<(), SendError> {
        let payment = self.find(keysend);
        let payment = payment.unwrap_or_else(|| panic!("a payment is sent again that was never started"));
        assert_eq!(&self.payments[payment].onion.keysend, keysend, "a payment is sent again with other bytes");
        // It looks for a route before it looks whether it knows the payment.
        if !self.weather[sender].is_online || keysend.record.0.len() > self.weather[sender].room_bytes {
            self.payments[payment].unclear += 1;
            return Err(SendError::Unclear("there is no route".into()));
        }
        let is_known = self.htlcs.iter().any(|htlc| htlc.payment == payment && htlc.is_tracked)
            || self.events[sender].iter().any(|event| event.payment == payment);
        if is_known {
            return Err(SendError::AlreadySent);
        }
        if self.in_flight(sender) >= self.weather[sender].slots {
            return Err(SendError::Unclear("the channels are full".into()));
        }
        self.leave(payment);
        Ok(())
    }

    /// A payment arrives: the receiver's node claims it, or refuses it when it has claimed it before.
    pub fn arrive(&mut self, htlc: usize, fee_permille: u64) {
        let Htlc { payment, onion, is_tracked, tells_late } = self.htlcs[htlc].clone();
        if self.claimed.contains(&payment) {
            return self.fail(htlc, Reason::Refused);
        }
        self.htlcs.remove(htlc);
        self.claimed.push(payment);
        let found = &self.payments[payment];
        self.receiver_events.push(received(&onion.keysend));
        if is_tracked || tells_late {
            let fee_msat = onion.keysend.fee_limit_msat * fee_permille / 1_000;
            self.events[found.sender].push(Event { payment, end: Ok(fee_msat) });
        }
        for part in onion.parts {
            let is_murky = self.is_murky(part.id);
            if !self.ledger.of(part.id).arrived(&part) {
                self.doubled += 1;
                assert!(is_murky, "bytes were paid for twice, and nothing had been unclear");
            }
        }
    }

    /// A payment ends without having been claimed.
    pub fn fail(&mut self, htlc: usize, reason: Reason) {
        let Htlc { payment, is_tracked, .. } = self.htlcs.remove(htlc);
        if is_tracked {
            self.events[self.payments[payment].sender].push(Event { payment, end: Err(reason) });
        }
    }

    /// A payment is told to have failed, and is in flight all the same: its channel was closed.
    pub fn fail_falsely(&mut self, htlc: usize, tells_late: bool) {
        let Htlc { payment, is_tracked, .. } = self.htlcs[htlc];
        if is_tracked {
            (self.htlcs[htlc].is_tracked, self.htlcs[htlc].tells_late) = (false, tells_late);
            self.payments[payment].is_murky = true;
            self.events[self.payments[payment].sender].push(Event { payment, end: Err(Reason::PaymentFailed) });
        }
    }

    /// A sender's node died. What it has forgotten of its payments is chosen by `fates`.
    pub fn crashed(&mut self, sender: usize, mut fates: u64) {
        let mut fate = |count: u64| {
            let fate = fates % count;
            fates = (fates / count).rotate_left(7) ^ 0x9e37_79b9;
            fate
        };
        let mut kept = Vec::new();
        for mut htlc in std::mem::take(&mut self.htlcs) {
            if self.payments[htlc.payment].sender != sender || !htlc.is_tracked {
                kept.push(htlc);
                continue;
            }
            let fate = fate(6);
            self.payments[htlc.payment].is_murky |= fate > 1;
            match fate {
                // The node remembers it.
                0 | 1 => {}
                // It had not left yet, and is forgotten.
                2 => continue,
                // It is forgotten, and may arrive.
                3 => htlc.is_tracked = false,
                // It is told to have failed, and may arrive.
                _ => {
                    (htlc.is_tracked, htlc.tells_late) = (false, fate == 5);
                    self.events[sender].push(Event { payment: htlc.payment, end: Err(Reason::PaymentFailed) });
                }
            }
            kept.push(htlc);
        }
        self.htlcs = kept;
        // An event that was not acknowledged comes again, or its payment is forgotten.
        let payments = &mut self.payments;
        self.events[sender].retain(|event| {
            let is_kept = fate(4) > 0;
            payments[event.payment].is_murky |= !is_kept;
            is_kept
        });
        self.tricks[sender].clear();
        self.meanwhile[sender].clear();
    }

    /// Whether a message was in a payment whose end its sender could not know.
    pub fn is_murky(&self, id: MessageId) -> bool {
        self.cut_out.contains(&id) || self.payments.iter().any(|payment| payment.is_murky && payment.carries(id))
    }

    /// What a sender's outbox was told.
    pub fn was_told(&mut self, event: &Event) {
        let told = &mut self.payments[event.payment].told;
        match event.end {
            Ok(fee_msat) if !matches!(told, Told::Claimed { .. }) => *told = Told::Claimed { fee_msat },
            Err(_) if *told == Told::Nothing => *told = Told::Failed,
            _ => {}
        }
    }
}

impl Payment {
    pub fn carries(&self, id: MessageId) -> bool {
        self.onion.parts.iter().any(|part| part.id == id)
    }
}

fn received(keysend: &Keysend) -> TransportEvent {
    TransportEvent::PaymentReceived {
        payment_hash: keysend.preimage.payment_hash(),
        amount_msat: keysend.amount_msat,
        records: vec![TlvRecord { record_type: keysend.record_type, value: keysend.record.clone() }],
    }
}

const DAY_MS: u64 = 24 * 3_600 * 1_000;
