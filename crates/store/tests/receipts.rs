//! Receipts in the store: those that are owed are given once, and those that come are kept with what they are for.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use bitcoin::{
    Network,
    hashes::{Hash as _, sha256d},
    secp256k1::{Message as Digest, Secp256k1, SecretKey},
};
use boltgram_core::{
    Failure, MessageId, NodeId, Reason,
    frame::{Content, Encoding, Part},
    limits::QUOTA_DAY_MS,
    message::{Body, Direction, Message, PaymentHash, State},
    policy::{HeldReason, InboxPolicy},
    reassembly::Piece,
    receipt::{Budget, ContentHash, Receipt, signed_text},
    sign::Signature,
    transport::{Keysend, Preimage},
};
use boltgram_store::{
    delete::Deletion,
    incoming::{Incoming, IncomingContent, IncomingPart, Received},
    outgoing::{
        Attempt, AttemptPart, Outcome, Outgoing, Stopped,
        receipts::{Given, Owed},
    },
    read::Query,
};
use support::{Fixture, NOW_MS, all, fixture, id, node, receiver};

const PEER: u8 = 2;

fn sign(by: u8, text: &[u8]) -> Signature {
    let digest = sha256d::Hash::hash(&[b"Lightning Signed Message:", text].concat());
    let key = SecretKey::from_slice(&[by; 32]).unwrap();
    let digest = Digest::from_digest(digest.to_byte_array());
    let (recovery_id, compact) = Secp256k1::new().sign_ecdsa_recoverable(&digest, &key).serialize_compact();
    Signature([&[31 + u8::try_from(recovery_id.to_i32()).unwrap()], compact.as_slice()].concat().try_into().unwrap())
}

/// The receipt that `by` signs for a text of this node's.
fn receipt(by: u8, id: MessageId, text: &str) -> Receipt {
    let content = Content::new("text/plain", None, text.into()).unwrap();
    let content_hash = ContentHash::of(&content.to_bytes());
    let text = signed_text(Network::Regtest.into(), receiver().node_id, id, content_hash);
    Receipt { id, content_hash, signature: sign(by, &text) }
}

fn whole(id: MessageId, content: &Content, amount_msat: u64) -> IncomingPart {
    let part = Part { body: content.to_bytes(), ..Part::default() };
    IncomingPart { id, piece: Piece::of(part).unwrap(), amount_msat }
}

fn asking(text: &str) -> Content {
    Content::new("text/plain", None, text.into()).unwrap().asking_receipt(true)
}

impl Fixture {
    /// Receives parts of this sender in the payment of this number: the messages, those receipted, and what was put aside.
    fn brings(
        &self,
        payment: u8,
        sender: NodeId,
        parts: Vec<IncomingPart>,
    ) -> (Vec<Message>, Vec<Message>, Option<HeldReason>) {
        let incoming = Incoming {
            payment_hash: PaymentHash([payment; 32]),
            amount_msat: parts.iter().map(|part| part.amount_msat).sum(),
            now_ms: NOW_MS,
            receiver: receiver(),
            record: Body(vec![1]),
            content: IncomingContent::Parts { sender, parts },
        };
        // A receipt was asked for: neither the least amount nor the quota counts for it.
        let policy = InboxPolicy { amount_msat_min: 1_001, messages_per_day_max: Some(100), ..InboxPolicy::default() };
        match self.store.receive(incoming, &policy.into()).unwrap() {
            Received::New { messages, receipted, held } => (messages, receipted, held),
            Received::Known => panic!("a new payment is known"),
        }
    }

    fn takes(&self, payment: u8, sender: u8, receipt: &Receipt) -> (Vec<Message>, Option<HeldReason>) {
        let part = whole(id(1_000 + u64::from(payment)), &receipt.content(), 1_000);
        let (messages, receipted, held) = self.brings(payment, node(sender), vec![part]);
        assert!(messages.is_empty());
        (receipted, held)
    }

    fn asks(&self, payment: u8, id: MessageId, text: &str, amount_msat: u64) {
        let (messages, ..) = self.brings(payment, node(PEER), vec![whole(id, &asking(text), amount_msat)]);
        assert!(messages[0].asks_receipt);
    }

    fn owed(&self) -> Vec<Owed> {
        self.store.owed_receipts(100).unwrap()
    }

    fn give(&self, owed: Owed, receipt_id: MessageId, budget: Budget, now_ms: u64) -> Given {
        let outgoing = Outgoing {
            id: receipt_id,
            recipient: owed.sender,
            content_type: "application/vnd.boltgram.receipt".into(),
            body: Body::default(),
            reply_to: Some(owed.id),
            asks_receipt: false,
            encoding: Encoding::Plain,
            encoded: Body(vec![1; 160]),
            amount_msat: 1_000,
            wanted_msat: None,
            fee_limit_msat: Some(0),
            queues: true,
            expires_at_ms: now_ms + 1_000,
            idempotency_key: None,
            request_digest: [0; 32],
            now_ms,
        };
        self.store.give_receipts(vec![(owed, outgoing)], budget).unwrap().remove(0)
    }

    fn log(&self) -> Vec<(MessageId, State)> {
        let read = self.store.log_after(0, true, 1_000).unwrap();
        read.entries.into_iter().map(|entry| (entry.message.id, entry.message.state)).collect()
    }
}

#[test]
fn what_asks_is_owed_from_its_own_transaction_on_and_given_once() {
    let fixture = fixture();
    let content = asking("hello");
    fixture.asks(1, id(1), "hello", 2_000);
    let owed = fixture.owed();
    assert_eq!((owed.len(), owed[0].id, owed[0].sender, owed[0].amount_msat), (1, id(1), node(PEER), 2_000));
    assert_eq!(owed[0].content_hash, ContentHash::of(&content.to_bytes()));
    // The same message in another payment, and one that doesn't ask.
    let (messages, ..) = fixture.brings(2, node(PEER), vec![whole(id(1), &content, 2_000)]);
    assert!(messages.is_empty());
    fixture.receive(id(2), Some(node(PEER)), "no receipt, please");
    assert_eq!(fixture.owed(), owed);

    let Given::Yes(unfinished) = fixture.give(owed[0], id(10), Budget::default(), NOW_MS) else { panic!("not given") };
    assert_eq!((unfinished.id, unfinished.recipient, unfinished.waiting.rides), (id(10), node(PEER), true));
    assert_eq!(unfinished.waiting.fee_left_msat, Some(1_000));
    assert_eq!(fixture.store.unfinished().unwrap(), [unfinished]);
    assert!(fixture.owed().is_empty());
    assert_eq!(fixture.give(owed[0], id(11), Budget::default(), NOW_MS), Given::Known);
    assert_eq!(fixture.store.last_own_id().unwrap(), Some(id(10)));
}

#[test]
fn a_flag_less_is_another_content() {
    let fixture = fixture();
    fixture.asks(1, id(1), "hello", 2_000);
    let plain = Content::new("text/plain", None, b"hello".to_vec()).unwrap();
    let (_, _, held) = fixture.brings(2, node(PEER), vec![whole(id(1), &plain, 2_000)]);
    assert_eq!(held, Some(HeldReason::Conflict));
}

#[test]
fn a_receipt_that_is_sent_is_never_shown() {
    let fixture = fixture();
    fixture.asks(1, id(1), "hello", 2_000);
    let (shown, log) = (fixture.store.page(&all()).unwrap(), fixture.log());
    let conversations = fixture.conversations();
    let sequence = *fixture.store.watch_sequence().borrow();
    fixture.give(fixture.owed()[0], id(10), Budget::default(), NOW_MS);
    let payment = fixture.pay(id(10), node(PEER), 0..160);
    fixture.store.settle(payment, Outcome::Successful { fee_msat: 3 }, NOW_MS).unwrap();

    assert_eq!(fixture.store.page(&all()).unwrap(), shown);
    for direction in [Direction::In, Direction::Out] {
        let page = fixture.store.page(&Query { direction: Some(direction), ..all() }).unwrap();
        assert!(page.messages.iter().all(|message| message.id != id(10)));
    }
    assert_eq!((fixture.log(), fixture.conversations()), (log, conversations));
    assert_eq!(*fixture.store.watch_sequence().borrow(), sequence, "it wakes no subscriber");
    assert_eq!(fixture.store.message(id(10)).unwrap(), None);
    assert_eq!(fixture.store.cancel(id(10), NOW_MS).unwrap(), Stopped::Unknown);
    assert_eq!(fixture.store.delete(id(10), NOW_MS).unwrap(), Deletion::NotFound);
    assert_eq!(fixture.store.delete_older(NOW_MS * 2, 0, 10).unwrap(), 1);
}

#[test]
fn a_budget_is_spent_within_a_day_and_counts_what_receipts_have_cost() {
    let fixture = fixture();
    // What the operator adds to a message of 2 sat is at most 49.01 sat, and 1 sat once it has cost 1 sat in fees.
    (1..=4).for_each(|n| fixture.asks(n, id(u64::from(n)), "hello", 2_000));
    let budget = Budget { gives: true, msat_per_day: 60_000 };
    let owed = fixture.owed();
    let limit = |given: Given| match given {
        Given::Yes(unfinished) => Some(unfinished.waiting.fee_left_msat),
        _ => None,
    };
    assert_eq!(limit(fixture.give(owed[0], id(11), budget, NOW_MS)), Some(None));
    assert_eq!(limit(fixture.give(owed[1], id(12), budget, NOW_MS)), Some(Some(1_000)), "only the amount pays");
    let payment = fixture.pay(id(11), node(PEER), 0..160);
    fixture.store.settle(payment, Outcome::Successful { fee_msat: 2_000 }, NOW_MS).unwrap();
    let fixture = fixture.reopened();
    assert_eq!(limit(fixture.give(owed[2], id(13), budget, NOW_MS)), Some(None), "it was 1 sat alone");
    assert_eq!(limit(fixture.give(owed[3], id(14), budget, NOW_MS + QUOTA_DAY_MS)), Some(None), "another day");
    fixture.asks(5, id(5), "hello", 1_500);
    let none = Budget { gives: false, msat_per_day: 60_000 };
    assert_eq!(fixture.give(fixture.owed()[0], id(15), none, NOW_MS), Given::Declined);
    assert!(fixture.owed().is_empty(), "what was declined is owed no longer");
}

#[test]
fn what_rides_takes_no_fee_limit_from_the_payment_of_others_at_a_start_either() {
    let fixture = fixture();
    fixture.asks(1, id(1), "hello", 3_000);
    let Given::Yes(given) = fixture.give(fixture.owed()[0], id(11), Budget::default(), NOW_MS) else {
        panic!("not given")
    };
    fixture.accept(id(10), node(PEER), "answer");
    let payment = Keysend {
        recipient: node(PEER),
        amount_msat: 2_000,
        fee_limit_msat: 50_010,
        preimage: Preimage([7; 32]),
        record_type: 400_001,
        record: Body(vec![7; 10]),
    };
    let part = |id, bytes| AttemptPart { id, range: 0..bytes, amount_msat: 1_000 };
    let parts = vec![part(id(10), 6), part(id(11), 160)];
    fixture.store.start(Attempt { payment, parts, fee_budget_msat: None, now_ms: NOW_MS }).unwrap();
    let fixture = fixture.reopened();
    let waiting = fixture.store.unfinished().unwrap().pop().unwrap();
    assert_eq!((waiting.id, waiting.waiting.missing.is_empty()), (id(11), true));
    assert_eq!((waiting.waiting.fee_left_msat, given.waiting.fee_left_msat), (Some(2_000), Some(2_000)));
}

#[test]
fn a_receipt_makes_its_message_received_and_a_second_one_changes_nothing() {
    let fixture = fixture();
    fixture.deliver(id(1), node(PEER), "hello");
    let good = receipt(PEER, id(1), "hello");
    let (receipted, held) = fixture.takes(1, PEER, &good);
    assert_eq!((receipted.len(), held), (1, None));
    let message = fixture.store.message(id(1)).unwrap().unwrap();
    assert_eq!(receipted[0], message);
    let kept = message.receipt.unwrap();
    assert_eq!((kept.signature, kept.content_hash, kept.received_at_ms), (good.signature, good.content_hash, NOW_MS));
    assert_eq!((message.state, message.direction), (State::Received, Direction::Out));
    let progress = message.progress.unwrap();
    assert_eq!(progress.delivered_bytes, progress.total_bytes);
    let log = fixture.log();
    assert_eq!(log.last(), Some(&(id(1), State::Received)));
    let found = fixture.store.page(&Query { state: Some(State::Received), ..all() }).unwrap().messages;
    assert_eq!(found, std::slice::from_ref(&message));

    assert_eq!(fixture.takes(2, PEER, &good), (vec![], None));
    assert_eq!((fixture.store.message(id(1)).unwrap().unwrap(), fixture.log()), (message, log));
    let counts = fixture.store.payment_counts().unwrap();
    assert_eq!((counts.receipts, counts.repeated, counts.messages), (1, 1, 0));
}

#[test]
fn whatever_was_told_of_its_payments_a_message_with_a_receipt_is_received_for_good() {
    let fixture = fixture();
    let failure = || Outcome::Failed(Failure::new(Reason::PaymentFailed, "it failed"));
    let failed = fixture.send(id(1), node(PEER), "failed");
    fixture.store.settle(failed, failure(), NOW_MS).unwrap();
    let open = fixture.send(id(2), node(PEER), "open");
    fixture.accept(id(3), node(PEER), "cancelled");
    fixture.store.cancel(id(3), NOW_MS).unwrap();
    for (n, text) in [(1u8, "failed"), (2, "open"), (3, "cancelled")] {
        assert_eq!(fixture.takes(n, PEER, &receipt(PEER, id(n.into()), text)).0.len(), 1, "{text}");
    }
    let received = |n| {
        let message = fixture.store.message(id(n)).unwrap().unwrap();
        (message.state, message.failure_reason)
    };
    assert_eq!([1, 2, 3].map(received), [(State::Received, None), (State::Received, None), (State::Received, None)]);
    assert!(fixture.store.unfinished().unwrap().is_empty(), "nothing more of them is tried");
    assert_eq!(fixture.store.take_up_again(id(1), true, NOW_MS + 1_000, NOW_MS).unwrap(), None);

    let log = fixture.log();
    fixture.store.settle(failed, Outcome::Successful { fee_msat: 1 }, NOW_MS).unwrap();
    fixture.store.settle(open, failure(), NOW_MS).unwrap();
    assert_eq!(fixture.store.expire(NOW_MS * 2, 10).unwrap(), []);
    assert!(matches!(fixture.store.cancel(id(2), NOW_MS).unwrap(), Stopped::Ended(_)));
    assert_eq!([1, 2, 3].map(received), [(State::Received, None), (State::Received, None), (State::Received, None)]);
    assert_eq!(fixture.log(), log);
}

#[test]
fn what_proves_nothing_is_put_aside_and_changes_nothing() {
    let fixture = fixture();
    fixture.deliver(id(1), node(PEER), "hello");
    let before = fixture.store.message(id(1)).unwrap();
    let good = receipt(PEER, id(1), "hello");
    let refused = [
        ("signed by another", PEER, receipt(3, id(1), "hello")),
        ("brought by another than its signer", 3, good),
        ("another node's own", 3, receipt(3, id(1), "hello")),
        ("of another content", PEER, receipt(PEER, id(1), "jello")),
        ("of a message that was never sent", PEER, receipt(PEER, id(7), "hello")),
        ("with another hash than it signed", PEER, Receipt { content_hash: ContentHash([7; 32]), ..good }),
    ];
    for (n, (what, sender, receipt)) in (1u8..).zip(refused) {
        assert_eq!(fixture.takes(n, sender, &receipt), (vec![], Some(HeldReason::Receipt)), "{what}");
    }
    let broken = Content { payload: vec![1; 96], ..good.content() };
    let (.., held) = fixture.brings(50, node(PEER), vec![whole(id(50), &broken, 1_000)]);
    assert_eq!(held, Some(HeldReason::Unreadable));
    assert_eq!(fixture.store.message(id(1)).unwrap(), before);
    assert_eq!(fixture.store.held(None, 10).unwrap().held.len(), 7);

    // A receipt for a receipt, and one for what was received.
    fixture.asks(60, id(60), "hello", 2_000);
    fixture.give(fixture.owed()[0], id(61), Budget::default(), NOW_MS);
    for (n, id) in [(62, id(61)), (63, id(60))] {
        assert_eq!(fixture.takes(n, PEER, &receipt(PEER, id, "hello")).1, Some(HeldReason::Receipt));
    }
}

#[test]
fn nobody_gives_a_receipt_of_a_receipt() {
    let fixture = fixture();
    fixture.deliver(id(1), node(PEER), "hello");
    let content = Content { flags: 1, ..receipt(PEER, id(1), "hello").content() };
    let (messages, receipted, held) = fixture.brings(1, node(PEER), vec![whole(id(2), &content, 5_000)]);
    assert_eq!((messages.len(), receipted.len(), held), (0, 1, None));
    assert!(fixture.owed().is_empty());
}

#[test]
fn a_deleted_message_takes_its_receipt_and_stays_deleted() {
    let fixture = fixture();
    fixture.deliver(id(1), node(PEER), "hello");
    assert_eq!(fixture.store.delete(id(1), NOW_MS).unwrap(), Deletion::Done);
    assert_eq!(fixture.takes(1, PEER, &receipt(PEER, id(1), "hello")), (vec![], None));
    assert_eq!(fixture.store.message(id(1)).unwrap(), None);
}

#[test]
fn a_receipt_in_the_parts_of_two_payments_beside_a_message_counts() {
    let fixture = fixture();
    fixture.deliver(id(1), node(PEER), "hello");
    let bytes = receipt(PEER, id(1), "hello").content().to_bytes();
    let part = |from: usize, to: usize| {
        let total_bytes = u32::try_from(bytes.len()).unwrap();
        let offset = u32::try_from(from).unwrap();
        let part = Part { offset, total_bytes, body: bytes[from..to].to_vec(), ..Part::default() };
        IncomingPart { id: id(2), piece: Piece::of(part).unwrap(), amount_msat: 500 }
    };
    assert_eq!(fixture.brings(1, node(PEER), vec![part(0, 70)]), (vec![], vec![], None));
    let beside = whole(id(3), &asking("and me"), 2_000);
    let (messages, receipted, held) = fixture.brings(2, node(PEER), vec![beside, part(70, bytes.len())]);
    assert_eq!((messages.len(), receipted.len(), held), (1, 1, None));
    assert_eq!((fixture.owed()[0].id, receipted[0].id), (id(3), id(1)));
}
