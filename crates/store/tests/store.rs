//! What the store promises to the service above it, on a real file.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::{path::PathBuf, sync::Arc, thread};

use bitcoin::{
    Network,
    secp256k1::{Secp256k1, SecretKey},
};
use boltgram_core::{
    Failure, IdSource, MessageId, NodeId, Reason,
    frame::{Content, Encoding, Part},
    message::{Authenticity, Body, Direction, Message, PaymentHash, Peer, State},
    policy::{HeldReason, InboxPolicy},
    reassembly::Piece,
    transport::{Keysend, Preimage},
};
use boltgram_store::{
    Store,
    incoming::{Incoming, IncomingContent, IncomingPart, PaymentCounts, Received},
    outgoing::{Accepted, Attempt, AttemptPart, Outcome, Outgoing, Started, Unresolved, receipts::Receiver},
    read::Query,
};
use prost::Message as _;

struct Fixture {
    _folder: tempfile::TempDir,
    path: PathBuf,
    store: Arc<Store>,
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages.sqlite");
    let store = Arc::new(Store::open(&path).unwrap());
    Fixture { _folder: folder, path, store }
}

impl Fixture {
    fn reopened(self) -> Self {
        drop(self.store);
        Self { store: Arc::new(Store::open(&self.path).unwrap()), ..self }
    }
}

fn node(byte: u8) -> NodeId {
    SecretKey::from_slice(&[byte; 32]).unwrap().public_key(&Secp256k1::new()).into()
}

fn id(time_ms: u64) -> MessageId {
    IdSource::above(None).next(time_ms)
}

fn outgoing(id: MessageId) -> Outgoing {
    Outgoing {
        id,
        recipient: node(2),
        content_type: "text/plain".into(),
        body: Body(b"out".to_vec()),
        reply_to: None,
        asks_receipt: false,
        encoding: Encoding::Plain,
        encoded: Body(b"encoded".to_vec()),
        amount_msat: 1_000,
        wanted_msat: None,
        fee_limit_msat: None,
        queues: false,
        expires_at_ms: 1_700_000_100_000,
        idempotency_key: None,
        request_digest: [0; 32],
        now_ms: 1_700_000_000_000,
    }
}

fn attempt(id: MessageId, preimage: u8) -> Attempt {
    Attempt {
        payment: Keysend {
            recipient: node(2),
            amount_msat: 1_000,
            fee_limit_msat: 50_010,
            preimage: Preimage([preimage; 32]),
            record_type: 400_001,
            record: Body(vec![1, 2, 3]),
        },
        parts: vec![AttemptPart { id, range: 0..7, amount_msat: 1_000 }],
        fee_budget_msat: None,
        now_ms: 1_700_000_000_000,
    }
}

/// Stores a message and the one payment that carries it.
fn begin(store: &Store, id: MessageId, preimage: u8) {
    assert!(matches!(store.accept(outgoing(id)).unwrap(), Accepted::New(_)));
    assert_eq!(store.start(attempt(id, preimage)).unwrap(), Started::Yes);
}

/// Settles a payment and returns its one message.
fn settle(store: &Store, preimage: u8, outcome: &Outcome) -> Message {
    let settled = store.settle(hash(preimage), outcome.clone(), 5).unwrap().unwrap();
    settled.parts.into_iter().next().unwrap().message
}

fn hash(preimage: u8) -> PaymentHash {
    Preimage([preimage; 32]).payment_hash()
}

fn incoming(hash: u8, id: MessageId, sender: Option<NodeId>, text: &str) -> Incoming {
    let content = match sender {
        None => IncomingContent::Unsigned { id, text: text.to_owned() },
        Some(sender) => {
            let content = Content { payload: text.into(), ..Content::default() };
            let part = Part { body: content.encode_to_vec(), ..Part::default() };
            let part = IncomingPart { id, piece: Piece::of(part).unwrap(), amount_msat: 1_000 };
            IncomingContent::Parts { sender, parts: vec![part] }
        }
    };
    Incoming {
        payment_hash: PaymentHash([hash; 32]),
        amount_msat: 1_000,
        now_ms: 1_700_000_000_000,
        receiver: Receiver { node_id: node(9), chain_hash: Network::Regtest.into() },
        record: Body(vec![1]),
        content,
    }
}

impl Fixture {
    /// Receives a payment under the policy that takes everything, and returns the messages that it added; `None` when
    /// it was known.
    fn receive(&self, incoming: Incoming) -> Option<Vec<Message>> {
        match self.store.receive(incoming, &Arc::new(InboxPolicy::default())).unwrap() {
            Received::New { messages, .. } => Some(messages),
            Received::Known => None,
        }
    }
}

fn all() -> Query {
    Query { limit: 100, ..Query::default() }
}

#[test]
fn a_message_and_its_attempt_survive_a_reopening() {
    let fixture = fixture();
    let id = id(1_700_000_000_000);
    begin(&fixture.store, id, 7);
    let stored = fixture.store.message(id).unwrap().unwrap();
    assert_eq!((stored.state, stored.sequence), (State::Sending, 1));

    let fixture = fixture.reopened();
    assert_eq!(fixture.store.message(id).unwrap().unwrap(), stored);
    assert_eq!(fixture.store.last_own_id().unwrap(), Some(id));
    let open = Unresolved { payment_hash: hash(7), recipient: node(2) };
    assert_eq!(fixture.store.unresolved().unwrap(), [open]);
    assert_eq!(fixture.store.open_payment(hash(7)).unwrap(), Some(attempt(id, 7).payment));
}

#[test]
fn a_success_outranks_a_failure_whichever_comes_first() {
    let fixture = fixture();
    let success = Outcome::Successful { fee_msat: 12 };
    let failure = Outcome::Failed(Failure::new(Reason::NoRoute, "no route"));
    for (preimage, first, second) in [(1, &success, &failure), (2, &failure, &success)] {
        let id = id(u64::from(preimage));
        begin(&fixture.store, id, preimage);
        settle(&fixture.store, preimage, first);
        let message = settle(&fixture.store, preimage, second);
        assert_eq!((message.state, message.fee_msat, message.failure_reason), (State::Delivered, 12, None));
    }
    assert!(fixture.store.unresolved().unwrap().is_empty());
}

#[test]
fn a_failure_keeps_its_reason_and_a_repeat_of_it_adds_nothing_to_the_log() {
    let fixture = fixture();
    let id = id(1);
    begin(&fixture.store, id, 1);
    let failure = Outcome::Failed(Failure::new(Reason::NoRoute, "no route"));
    let message = settle(&fixture.store, 1, &failure);
    assert_eq!((message.state, message.failure_reason.as_deref()), (State::Failed, Some("NO_ROUTE")));
    assert_eq!(message.sequence, 2);
    assert_eq!(settle(&fixture.store, 1, &failure).sequence, 2);
    assert_eq!(fixture.store.settle(hash(9), failure, 6).unwrap(), None);
}

#[test]
fn a_part_of_a_failed_message_that_is_claimed_late_begins_it_anew_and_the_log_says_so() {
    let fixture = fixture();
    let id = id(1);
    assert!(matches!(fixture.store.accept(outgoing(id)).unwrap(), Accepted::New(_)));
    let part = AttemptPart { id, range: 0..3, amount_msat: 1_000 };
    fixture.store.start(Attempt { parts: vec![part], ..attempt(id, 1) }).unwrap();
    let failed = settle(&fixture.store, 1, &Outcome::Failed(Failure::new(Reason::PaymentFailed, "a closed channel")));
    let claimed = settle(&fixture.store, 1, &Outcome::Successful { fee_msat: 0 });
    assert_eq!((failed.state, claimed.state, claimed.sequence), (State::Failed, State::Sending, failed.sequence + 1));
    let unfinished = fixture.store.unfinished_message(id).unwrap().unwrap();
    assert!(unfinished.waiting.missing.iter().eq(std::iter::once(3..7)));
}

#[test]
fn the_bytes_of_a_message_that_has_ended_are_gone_and_can_be_asked_for() {
    let fixture = fixture();
    let (sent, cancelled) = (id(1), id(2));
    begin(&fixture.store, sent, 1);
    fixture.store.accept(outgoing(cancelled)).unwrap();
    assert_eq!(fixture.store.encoded(cancelled, &(2..5)).unwrap(), b"cod");
    settle(&fixture.store, 1, &Outcome::Successful { fee_msat: 0 });
    fixture.store.cancel(cancelled, 5).unwrap();
    for ended in [sent, cancelled] {
        assert!(fixture.store.encoded(ended, &(2..5)).unwrap().is_empty());
    }
}

#[test]
fn a_replayed_payment_and_a_second_payment_show_the_message_once() {
    let fixture = fixture();
    let id = id(1);
    let first = incoming(1, id, Some(node(3)), "hello");
    let new = fixture.receive(first.clone()).unwrap();
    assert_eq!(new.len(), 1);
    assert_eq!((new[0].state, new[0].authenticity), (State::Received, Authenticity::Signed));
    assert_eq!(fixture.receive(first), None);
    let second = incoming(2, id, Some(node(3)), "hello");
    assert_eq!(fixture.receive(second), Some(vec![]));
    let other_content = incoming(3, id, Some(node(3)), "other");
    assert_eq!(fixture.receive(other_content), Some(vec![]));

    assert_eq!(fixture.store.page(&all()).unwrap().messages, new);
    let counts = fixture.store.payment_counts().unwrap();
    assert_eq!(counts, PaymentCounts { messages: 1, repeated: 1, conflicting: 1, ..PaymentCounts::default() });
}

#[test]
fn the_same_id_from_another_sender_is_another_message_and_never_hides_our_own() {
    let fixture = fixture();
    let id = id(1);
    fixture.receive(incoming(1, id, Some(node(3)), "hostile")).unwrap();
    begin(&fixture.store, id, 1);
    fixture.receive(incoming(2, id, Some(node(4)), "hostile")).unwrap();
    assert_eq!(fixture.store.page(&all()).unwrap().messages.len(), 3);
    assert_eq!(fixture.store.message(id).unwrap().unwrap().direction, Direction::Out);
}

#[test]
fn plain_and_unreadable_payments_are_kept_and_shown_as_no_message() {
    let fixture = fixture();
    let plain = Incoming { content: IncomingContent::Plain, ..incoming(1, id(1), None, "") };
    let unreadable = IncomingContent::Unreadable { reason: HeldReason::Unreadable, detail: "broken".into() };
    let unreadable = Incoming { content: unreadable, ..incoming(2, id(1), None, "") };
    for payment in [plain, unreadable] {
        assert_eq!(fixture.receive(payment.clone()), Some(vec![]));
        assert_eq!(fixture.receive(payment), None);
    }
    assert!(fixture.store.page(&all()).unwrap().messages.is_empty());
    let counts = fixture.store.payment_counts().unwrap();
    assert_eq!(counts, PaymentCounts { plain: 1, unreadable: 1, ..PaymentCounts::default() });
}

#[test]
fn pages_give_every_message_once_newest_first_under_each_filter() {
    let fixture = fixture();
    for n in 1..=9u8 {
        fixture.receive(incoming(n, id(n.into()), Some(node(3 + n % 2)), "in")).unwrap();
        begin(&fixture.store, id(100 + u64::from(n)), n);
    }
    let whole = fixture.store.page(&all()).unwrap();
    assert_eq!((whole.messages.len(), whole.next), (18, None));
    for query in [
        all(),
        Query { direction: Some(Direction::In), ..all() },
        Query { peer: Some(Peer::Node(node(3))), ..all() },
        Query { peer: Some(Peer::Node(node(3))), direction: Some(Direction::Out), ..all() },
    ] {
        let expected: Vec<_> = whole
            .messages
            .iter()
            .filter(|m| {
                query.direction.is_none_or(|d| m.direction == d) && query.peer.is_none_or(|p| Peer::from(m.peer) == p)
            })
            .cloned()
            .collect();
        let mut paged = Vec::new();
        let mut next = Query { limit: 4, ..query };
        loop {
            let page = fixture.store.page(&next).unwrap();
            paged.extend(page.messages);
            next.before = page.next;
            if page.next.is_none() {
                break;
            }
        }
        assert_eq!(paged, expected);
    }
}

#[test]
fn the_log_reads_on_from_any_number_and_skips_what_was_not_asked_for() {
    let fixture = fixture();
    begin(&fixture.store, id(1), 1);
    fixture.receive(incoming(1, id(2), Some(node(3)), "a")).unwrap();
    settle(&fixture.store, 1, &Outcome::Successful { fee_msat: 0 });
    fixture.receive(incoming(2, id(3), None, "b")).unwrap();
    assert_eq!(*fixture.store.watch_sequence().borrow(), 4);

    let sequences = |after, sent, limit| {
        let read = fixture.store.log_after(after, sent, limit).unwrap();
        (read.entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), read.read_to)
    };
    assert_eq!(sequences(0, true, 10), (vec![1, 2, 3, 4], 4));
    assert_eq!(sequences(0, false, 10), (vec![2, 4], 4));
    assert_eq!(sequences(2, false, 1), (vec![], 3));
    assert_eq!(sequences(4, true, 10), (vec![], 4));
    let fixture = fixture.reopened();
    assert_eq!(*fixture.store.watch_sequence().borrow(), 4);
}

#[test]
fn concurrent_writers_are_all_answered_and_all_on_disk() {
    let fixture = fixture();
    let threads: Vec<_> = (0..8u8)
        .map(|n| {
            let store = fixture.store.clone();
            thread::spawn(move || {
                for k in 0..25u8 {
                    let payment = incoming(0, id(1), Some(node(1 + n)), "x");
                    let payment_hash = PaymentHash([[n, k].as_slice(), &[0; 30]].concat().try_into().unwrap());
                    store.receive(Incoming { payment_hash, ..payment }, &Arc::new(InboxPolicy::default())).unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let fixture = fixture.reopened();
    assert_eq!(fixture.store.log_after(0, true, 500).unwrap().entries.len(), 200);
}

#[test]
fn a_write_that_fails_takes_none_of_the_others_with_it() {
    let fixture = fixture();
    let own = id(1);
    begin(&fixture.store, own, 1);
    let error = fixture.store.accept(outgoing(own)).unwrap_err();
    assert!(error.to_string().contains("UNIQUE"), "{error}");
    begin(&fixture.store, id(2), 3);
    assert_eq!(fixture.store.page(&all()).unwrap().messages.len(), 2);
    assert_eq!(fixture.store.unresolved().unwrap().len(), 2);
}
