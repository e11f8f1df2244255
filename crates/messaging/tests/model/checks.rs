//! What must hold after each step, and what must have come of everything when all is quiet.

use std::collections::HashMap;

use boltgram_core::{
    MessageId, NodeId,
    message::{Direction, Message, Peer, State},
};
use boltgram_store::{Store, read::Query};

use crate::{
    ledger::{Sent, is_over, may_follow},
    network::{Network, Weather},
    sender::locked,
    world::{WAIT_MS, World, look, receiver},
};

/// How often the network is looked after until all must be quiet. The waits between are longer than any after a failure.
const ROUNDS: usize = 20;

/// How often more when a budget of fees, or a message's own limit, lets payments wait until messages expire.
const ROUNDS_OF_A_DAY: usize = 12;

impl World {
    /// After a step that this sender took part in.
    pub fn check(&self, index: usize, in_flight_before: usize, has_crashed: bool) {
        let sender = self.sender(index);
        let recipient = receiver();
        let mut seen = sender.outbox.unfinished();
        seen.sort_by_key(|unfinished| unfinished.id);
        assert_eq!(seen, sender.store.unfinished().unwrap(), "the lane in memory isn't what the store would make");
        let in_flight = sender.outbox.in_flight(recipient);
        assert_eq!(in_flight, sender.store.unresolved().unwrap().len(), "payments in flight are miscounted");
        let slots = locked(&self.network).weather[index].slots;
        assert!(in_flight <= in_flight_before.max(slots), "more payments are in flight than the channels take");

        let endings: HashMap<_, _> = std::mem::take(&mut *locked(&sender.port.endings)).into_iter().collect();
        let messages = all(&sender.store, &Query { direction: Some(Direction::Out), ..Query::default() });
        let mut network = locked(&self.network);
        let now_ms = network.now_ms;
        for message in messages {
            let sent = network.ledger.of(message.id);
            let before = std::mem::replace(&mut sent.state, message.state);
            assert!(may_follow(before, message.state), "{before:?} became {:?}", message.state);
            match message.state {
                State::Expired => assert!(sent.expires_at_ms <= now_ms, "a message expired before its time"),
                State::Failed => assert!(!sent.queues, "a message failed that may wait"),
                State::Delivered => assert!(sent.has_arrived(), "a message is told to be delivered, and is not"),
                _ => {}
            }
            let is_told = endings.contains_key(&message.id);
            let has_ended = !is_over(before) && is_over(message.state);
            assert!(
                is_told || !has_ended || has_crashed,
                "a message ended as {:?}, and nobody was told",
                message.state
            );
        }
    }

    /// From now on nothing goes wrong: all ends.
    pub fn calm(&mut self) {
        {
            let mut network = locked(&self.network);
            network.weather = [Weather::GOOD; 2];
            network.tricks.iter_mut().for_each(|tricks| tricks.clear());
            network.meanwhile.iter_mut().for_each(|meanwhile| meanwhile.clear());
        }
        for sender in 0..2 {
            self.sender(sender).outbox.reachable(&[receiver()]);
        }
        let rounds = [(ROUNDS, WAIT_MS), (ROUNDS_OF_A_DAY, 3 * 3_600_000)];
        let has_budget = locked(&self.network).fee_budget_msat.is_some();
        let waits = rounds.into_iter().take(if has_budget { 2 } else { 1 });
        for wait_ms in waits.flat_map(|(count, wait_ms)| std::iter::repeat_n(wait_ms, count)) {
            (0..4).for_each(|_| self.round());
            if self.is_quiet() {
                return;
            }
            locked(&self.network).now_ms += wait_ms;
        }
        let network = locked(&self.network);
        let left = network.ledger.0.iter().filter(|sent| !is_over(sent.state));
        let left: Vec<_> = left.map(|sent| (&sent.draft, sent.state)).collect();
        panic!("it does not come to an end: {left:?}\nin flight: {:?}\nevents: {:?}", network.htlcs, network.events);
    }

    fn round(&mut self) {
        for sender in 0..2 {
            let before = self.sender(sender).outbox.in_flight(receiver());
            self.on(sender, look);
            self.check(sender, before, false);
        }
        {
            let mut network = locked(&self.network);
            while !network.htlcs.is_empty() {
                network.arrive(0, 100);
            }
        }
        for sender in 0..2 {
            while !locked(&self.network).events[sender].is_empty() {
                self.tell(sender, 0, true);
            }
            self.check(sender, usize::MAX, false);
        }
        while !locked(&self.network).receiver_events.is_empty() {
            self.receive(true);
        }
    }

    fn is_quiet(&self) -> bool {
        let is_done = |index| {
            let sender = self.sender(index);
            sender.outbox.unfinished().is_empty() && sender.store.unresolved().unwrap().is_empty()
        };
        let network = locked(&self.network);
        network.htlcs.is_empty() && network.events.iter().all(Vec::is_empty) && (0..2).all(is_done)
    }

    /// When all is quiet: what has become of each message, on both sides.
    pub fn check_end(&mut self) {
        for sender in 0..2 {
            self.crash(sender, 0);
            self.check(sender, 0, true);
        }
        self.crash_receiver();
        let mut inbox = self.messages();
        let mut network = locked(&self.network);
        let murky: Vec<bool> = network.ledger.0.iter().map(|sent| network.is_murky(sent.id)).collect();
        for (sent, is_murky) in network.ledger.0.iter().zip(murky) {
            let sender = self.sender(sent.draft.sender);
            let message = sender.store.message(sent.id).unwrap().unwrap();
            let peer = sender.port.id();
            check_sent(sent, &message, is_murky);
            let received = inbox.remove(&(peer, sent.id));
            assert_eq!(received.is_some(), sent.has_arrived(), "what was claimed and what is shown differ");
            if let Some(received) = received {
                assert_eq!(received.body.0, sent.draft.body(), "a message has another content");
                assert_eq!(received.content_type, message.content_type);
                assert_eq!(received.amount_msat, sent.arrived_msat, "a message shows another amount");
            }
            let encoded = sender.store.encoded(sent.id, &sent.whole()).unwrap();
            assert_eq!(encoded.is_empty(), message.state != State::Failed, "the bytes of {:?} are kept", message.state);
        }
        assert!(inbox.is_empty(), "messages are shown that nobody sent");
        self.check_sums(&mut network);
    }

    /// What the receiver shows, by sender and id.
    fn messages(&self) -> HashMap<(NodeId, MessageId), Message> {
        let mut by_key = HashMap::new();
        for peer in [0, 1].map(|index| self.sender(index).port.id()) {
            let conversation = all(self.inbox(), &Query { peer: Some(Peer::Node(peer)), ..Query::default() });
            let is_in_order = conversation.is_sorted_by(|newer, older| newer.id > older.id);
            assert!(is_in_order, "a message is shown twice, or stands in the wrong place of its conversation");
            by_key.extend(conversation.into_iter().map(|message| ((peer, message.id), message)));
        }
        assert_eq!(by_key.len(), all(self.inbox(), &Query::default()).len(), "there are messages of nobody");
        by_key
    }

    fn check_sums(&self, network: &mut Network) {
        for index in 0..2 {
            let store = &self.sender(index).store;
            assert!(store.unfinished().unwrap().is_empty() && store.unresolved().unwrap().is_empty());
            let own = network.payments.iter().filter(|payment| payment.sender == index);
            let paid_msat: u64 = own.map(|payment| payment.fee_msat()).sum();
            let shown_msat: u64 = all(store, &Query::default()).iter().map(|message| message.fee_msat).sum();
            assert_eq!(paid_msat, shown_msat, "the fees paid and shown differ");
        }
        let counts = self.inbox().payment_counts().unwrap();
        assert_eq!((counts.unreadable, counts.conflicting, counts.plain, counts.put_aside), (0, 0, 0, 0));
        assert_eq!((counts.messages + counts.parts + counts.repeated) as usize, network.claimed.len());
    }
}

/// All that a query gives, page by page.
fn all(store: &Store, query: &Query) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut query = Query { limit: 100, ..query.clone() };
    loop {
        let page = store.page(&query).unwrap();
        messages.extend(page.messages);
        let Some(next) = page.next else { return messages };
        query.before = Some(next);
    }
}

/// What a sender shows of a message, against what has become of it.
fn check_sent(sent: &Sent, message: &Message, is_murky: bool) {
    assert!(is_over(message.state));
    assert_eq!((&message.body.0, message.state), (&sent.draft.body(), sent.state));
    assert!(sent.was_sent || sent.has_nothing());
    if is_murky {
        return;
    }
    assert_eq!(message.state == State::Delivered, sent.has_arrived(), "{:?} is told, which isn't so", message.state);
    assert!(
        message.state != State::Failed || sent.has_nothing(),
        "a part arrived of a message that is told to have failed"
    );
    if message.state == State::Delivered {
        assert_eq!(message.amount_msat, sent.arrived_msat, "another amount is shown than was paid");
        assert!(sent.wanted_msat().is_none_or(|wanted_msat| sent.arrived_msat >= wanted_msat), "too little was paid");
    }
}
