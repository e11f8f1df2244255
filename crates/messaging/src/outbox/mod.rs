//! The outbox over its disk and its node: messages become payments, and payments' ends become messages' ends.
//!
//! | module | what it holds |
//! |---|---|
//! | `carry` | the next payment to a recipient: picked, signed, stored, started |
//! | `settle` | what became of a payment; messages that are cancelled or whose time is over |
//! | `resolve` | payments whose end a crash or an error has left unknown |
//!
//! Everything here blocks and is told the time, so that tests can turn the clock. What waits for whom is kept in lanes
//! ([`boltgram_core::outbox::lane`]); the truth is in the store, and a lane is made anew from it at each start.

mod carry;
mod resolve;
mod settle;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use boltgram_core::{
    Failure, MessageId, NodeId, Reason,
    limits::{OUTBOX_MESSAGES_MAX, RECEIPTS_WAITING_MAX},
    message::{Message, PaymentHash, State},
    outbox::{
        lane::{Lane, Waiting},
        pace::Backoff,
    },
    transport::Transport,
};
use boltgram_store::{Store, StoreError, outgoing::Unfinished};

/// A message that has ended, for whoever waits for it.
pub type Ended = (MessageId, Result<Message, Failure>);

/// The outbox of one node.
pub struct Outbox {
    store: Arc<Store>,
    transport: Arc<dyn Transport>,
    /// The type of the TLV record that carries frames.
    record_type: u64,
    /// What may be paid in routing fees in 24 hours, in millisatoshi; `None`: no limit.
    fee_budget_msat: Option<u64>,
    lanes: Mutex<Lanes>,
}

#[derive(Default)]
struct Lanes {
    by_recipient: HashMap<NodeId, Lane>,
    /// Payments whose end isn't known, and of which no event may tell.
    unresolved: HashMap<PaymentHash, Unresolved>,
    /// Whether the node has told all that it knows from before its start.
    is_caught_up: bool,
}

struct Unresolved {
    recipient: NodeId,
    backoff: Backoff,
}

impl Outbox {
    /// The outbox over an open store, with all that the store holds unfinished.
    pub fn new(
        store: Arc<Store>,
        transport: Arc<dyn Transport>,
        record_type: u64,
        fee_budget_msat: Option<u64>,
    ) -> Result<Self, StoreError> {
        let mut lanes = Lanes::default();
        for unfinished in store.unfinished()? {
            lanes.of(unfinished.recipient).add(unfinished.id, unfinished.waiting);
        }
        for payment in store.unresolved()? {
            lanes.of(payment.recipient).was_in_flight();
            let unresolved = Unresolved { recipient: payment.recipient, backoff: Backoff::default() };
            lanes.unresolved.insert(payment.payment_hash, unresolved);
        }
        Ok(Self { store, transport, record_type, fee_budget_msat, lanes: Mutex::new(lanes) })
    }

    /// Takes in a message that was stored. A caller who wants to send now finds out at once whether it works.
    pub fn add(&self, recipient: NodeId, id: MessageId, waiting: Waiting) {
        let mut lanes = self.lock();
        let lane = lanes.of(recipient);
        if !waiting.queues {
            lane.resume();
        }
        lane.add(id, waiting);
    }

    /// Refuses when as many messages wait as may.
    pub fn check_room(&self) -> Result<(), Failure> {
        let waiting: usize = self.lock().by_recipient.values().map(Lane::len).sum();
        if waiting < OUTBOX_MESSAGES_MAX {
            return Ok(());
        }
        let message =
            format!("{waiting} messages wait in the outbox: try again when some are delivered, or cancel some");
        Err(Failure::new(Reason::OutboxFull, message).with("limit", OUTBOX_MESSAGES_MAX))
    }

    /// How many more receipts may wait: they take a part of the outbox only, since who asks for them fills it.
    pub fn room_for_receipts(&self) -> usize {
        let lanes = self.lock();
        let sum = |count: fn(&Lane) -> usize| lanes.by_recipient.values().map(count).sum::<usize>();
        let (waiting, receipts) = (sum(Lane::len), sum(Lane::riders));
        OUTBOX_MESSAGES_MAX.saturating_sub(waiting).min(RECEIPTS_WAITING_MAX.saturating_sub(receipts))
    }

    /// Whether a payment to this recipient could be made now, as far as is known.
    pub fn is_due(&self, recipient: NodeId, now_ms: u64) -> bool {
        self.lock().by_recipient.get_mut(&recipient).is_some_and(|lane| lane.is_due(now_ms))
    }

    /// The recipients to whom a payment could be made now. Recipients for whom nothing waits are forgotten.
    pub fn due(&self, now_ms: u64) -> Vec<NodeId> {
        let mut lanes = self.lock();
        lanes.by_recipient.retain(|_, lane| !lane.is_idle());
        lanes.by_recipient.iter_mut().filter_map(|(node, lane)| lane.is_due(now_ms).then_some(*node)).collect()
    }

    /// What waits, as [`Store::unfinished`] would tell it while no payment is being made.
    pub fn unfinished(&self) -> Vec<Unfinished> {
        let lanes = self.lock();
        let all = lanes.by_recipient.iter().flat_map(|(recipient, lane)| {
            lane.messages().map(|(id, waiting)| Unfinished { id, recipient: *recipient, waiting: waiting.clone() })
        });
        all.collect()
    }

    /// How many payments to this recipient are in flight, or may be.
    pub fn in_flight(&self, recipient: NodeId) -> usize {
        self.lock().by_recipient.get(&recipient).map_or(0, Lane::in_flight)
    }

    /// Channels to these peers became usable: nothing waits any longer, for them or for whom they lead to.
    pub fn reachable(&self, peers: &[NodeId]) {
        let peers: HashSet<&NodeId> = peers.iter().collect();
        let mut lanes = self.lock();
        for (recipient, lane) in &mut lanes.by_recipient {
            if peers.contains(recipient) { lane.channels_changed() } else { lane.resume() }
        }
        lanes.unresolved.values_mut().for_each(|unresolved| unresolved.backoff.clear());
    }

    /// The node has told all that it knows from before its start: what is unresolved can be found out.
    pub fn caught_up(&self) {
        self.lock().is_caught_up = true;
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    fn of(&mut self, recipient: NodeId) -> &mut Lane {
        self.by_recipient.entry(recipient).or_default()
    }
}

/// What a message's end is for whoever waits for it, or `None` while it has none.
pub fn end_of(message: &Message, failure: Option<&Failure>) -> Option<Result<Message, Failure>> {
    let told = |reason, text: &str| Failure::new(reason, text).with("id", message.id);
    match message.state {
        State::Queued | State::Sending => None,
        State::Delivered | State::Received => Some(Ok(message.clone())),
        State::Failed => Some(Err(failure.cloned().unwrap_or_else(|| {
            let reason = message.failure_reason.as_deref().and_then(Reason::from_code);
            told(reason.unwrap_or(Reason::PaymentFailed), "the message could not be sent")
        }))),
        State::Expired => Some(Err(told(
            Reason::Expired,
            "the message wasn't delivered before its time was over: send it again with a longer one",
        ))),
        State::Cancelled => Some(Err(told(Reason::Cancelled, "the message was cancelled before it was delivered"))),
    }
}
