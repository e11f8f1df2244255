//! What the store promises about what this node receives: messages of many payments, put together once, within bounds;
//! and what it puts aside.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use bitcoin::secp256k1::{Secp256k1, SecretKey};
use boltgram_core::{
    IdSource, MessageId, NodeId,
    encoding::encode,
    frame::{Content, Encoding},
    limits::{
        DROPPED_PER_COMMIT_MAX, HELD_RECORD_BYTES_MAX, HELD_RECORD_MS_MAX, QUOTA_DAY_MS, WAITING_BYTES_MAX,
        WAITING_BYTES_PER_SENDER_MAX, WAITING_MS_MAX,
    },
    message::{Body, Message, PaymentHash},
    policy::{HeldReason, InboxPolicy},
    reassembly::{Piece, Range},
};
use boltgram_store::{
    Store,
    incoming::{Dropped, Incoming, IncomingContent, IncomingPart, PaymentCounts, Received},
    read::Query,
};
use proptest::prelude::*;
use prost::Message as _;

const NOW_MS: u64 = 1_700_000_000_000;

struct Inbox {
    _folder: tempfile::TempDir,
    path: PathBuf,
    store: Store,
    policy: Arc<InboxPolicy>,
    payments: u64,
    now_ms: u64,
}

fn inbox() -> Inbox {
    inbox_with(InboxPolicy::default())
}

fn inbox_with(policy: InboxPolicy) -> Inbox {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages.sqlite");
    let store = Store::open(&path).unwrap();
    Inbox { _folder: folder, path, store, policy: Arc::new(policy), payments: 0, now_ms: NOW_MS }
}

impl Inbox {
    fn reopened(self) -> Self {
        drop(self.store);
        Self { store: Store::open(&self.path).unwrap(), ..self }
    }

    /// A payment that wasn't there before.
    fn payment(&mut self, amount_msat: u64, record: &[u8], content: IncomingContent) -> Incoming {
        self.payments += 1;
        let payment_hash = PaymentHash([[0; 24].as_slice(), &self.payments.to_be_bytes()].concat().try_into().unwrap());
        Incoming { payment_hash, amount_msat, now_ms: self.now_ms, record: Body(record.to_vec()), content }
    }

    fn receive(&self, incoming: Incoming) -> Received {
        self.store.receive(incoming, &self.policy).unwrap()
    }

    /// Receives parts of this sender, 1 sat each, in a payment of their own.
    fn parts(&mut self, sender: NodeId, parts: Vec<IncomingPart>) -> (Vec<Message>, Option<HeldReason>) {
        let amount_msat = parts.iter().map(|part| part.amount_msat).sum();
        let payment = self.payment(amount_msat, b"record", IncomingContent::Parts { sender, parts });
        match self.receive(payment) {
            Received::New { messages, held } => (messages, held),
            Received::Known => panic!("a new payment is known"),
        }
    }

    fn part(&mut self, sender: NodeId, part: IncomingPart) -> (Vec<Message>, Option<HeldReason>) {
        self.parts(sender, vec![part])
    }

    fn shown(&self) -> Vec<Message> {
        self.store.page(&Query { limit: 500, ..Query::default() }).unwrap().messages
    }

    fn counts(&self) -> PaymentCounts {
        self.store.payment_counts().unwrap()
    }

    fn waiting_bytes(&self) -> u64 {
        self.store.inbox_counts().unwrap().waiting_bytes
    }
}

fn node(byte: u8) -> NodeId {
    SecretKey::from_slice(&[byte; 32]).unwrap().public_key(&Secp256k1::new()).into()
}

fn id(time_ms: u64) -> MessageId {
    IdSource::above(None).next(time_ms)
}

/// A message as it travels.
#[derive(Clone)]
struct Sent {
    sender: NodeId,
    id: MessageId,
    payload: Vec<u8>,
    encoding: Encoding,
    bytes: Vec<u8>,
}

fn sent(sender: u8, payload: Vec<u8>) -> Sent {
    let content = Content::new("application/octet-stream", None, payload.clone()).unwrap();
    let (encoding, bytes) = encode(content.encode_to_vec());
    Sent { sender: node(sender), id: id(7), payload, encoding, bytes }
}

/// Bytes that don't compress.
fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u8::try_from(state >> 56).unwrap()
    };
    (0..bytes).map(|_| next()).collect()
}

impl Sent {
    fn part(&self, from: usize, to: usize) -> IncomingPart {
        let range = Range { offset: u32::try_from(from).unwrap(), body: Body(self.bytes[from..to].to_vec()) };
        let piece = Piece { total_bytes: u32::try_from(self.bytes.len()).unwrap(), encoding: self.encoding, range };
        IncomingPart { id: self.id, piece, amount_msat: 1_000 }
    }

    fn whole(&self) -> IncomingPart {
        self.part(0, self.bytes.len())
    }

    fn cut(&self, bytes: usize) -> Vec<IncomingPart> {
        let starts = (0..self.bytes.len()).step_by(bytes);
        starts.map(|from| self.part(from, (from + bytes).min(self.bytes.len()))).collect()
    }

    fn is(&self, message: &Message) -> bool {
        (message.id, message.peer, &message.body.0) == (self.id, Some(self.sender), &self.payload)
    }
}

#[test]
fn a_message_of_many_payments_arrives_once_whatever_order_and_restart() {
    let mut inbox = inbox();
    let long = sent(1, noise(5_000, 1));
    let mut parts = long.cut(700);
    parts.reverse();
    let last = parts.pop().unwrap();
    for part in parts.clone() {
        assert_eq!(inbox.part(long.sender, part), (vec![], None));
        assert!(inbox.shown().is_empty());
        inbox = inbox.reopened();
    }
    for part in parts.clone() {
        assert_eq!(inbox.part(long.sender, part), (vec![], None), "a doubled part");
    }
    let (messages, held) = inbox.part(long.sender, last.clone());
    assert!(long.is(&messages[0]) && held.is_none());
    assert_eq!((messages[0].amount_msat, messages[0].sequence), (8_000, 1));
    assert_eq!(inbox.waiting_bytes(), 0);

    let mut inbox = inbox.reopened();
    for part in [parts[0].clone(), last, long.whole()] {
        assert_eq!(inbox.part(long.sender, part), (vec![], None), "a part of a message that is there");
    }
    assert_eq!(inbox.shown(), messages);
    assert_eq!(inbox.store.log_after(0, true, 500).unwrap().entries.len(), 1);
    assert_eq!(inbox.counts(), PaymentCounts { messages: 1, parts: 7, repeated: 10, ..PaymentCounts::default() });
}

#[test]
fn a_replayed_payment_adds_nothing_neither_before_nor_after_the_message_is_complete() {
    let mut inbox = inbox();
    let long = sent(1, noise(1_000, 1));
    let payments: Vec<_> = long
        .cut(400)
        .into_iter()
        .map(|part| inbox.payment(1_000, b"record", IncomingContent::Parts { sender: long.sender, parts: vec![part] }))
        .collect();
    for payment in &payments {
        assert_ne!(inbox.receive(payment.clone()), Received::Known);
        assert_eq!(inbox.receive(payment.clone()), Received::Known);
    }
    for payment in &payments {
        assert_eq!(inbox.receive(payment.clone()), Received::Known);
    }
    let shown = inbox.shown();
    assert_eq!((shown.len(), shown[0].amount_msat), (1, 3_000));
    assert_eq!(shown[0].payment_hash, Some(payments[2].payment_hash));
    assert_eq!(inbox.counts(), PaymentCounts { messages: 1, parts: 2, ..PaymentCounts::default() });
}

#[test]
fn two_senders_with_the_same_id_are_kept_apart_while_their_parts_interleave() {
    let mut inbox = inbox();
    let first = sent(1, noise(2_000, 1));
    let second = Sent { id: first.id, ..sent(2, noise(2_000, 2)) };
    for (a, b) in first.cut(300).into_iter().zip(second.cut(300)) {
        inbox.part(first.sender, a);
        inbox.part(second.sender, b);
    }
    let shown = inbox.shown();
    assert!(shown.len() == 2 && second.is(&shown[0]) && first.is(&shown[1]));
}

#[test]
fn one_payment_carries_several_messages_and_parts_each_with_its_amount() {
    let mut inbox = inbox();
    let (long, small) = (sent(1, noise(900, 1)), Sent { id: id(9), ..sent(1, b"small".to_vec()) });
    let [a, b] = long.cut(500).try_into().unwrap();
    let with = |part: IncomingPart, amount_msat| IncomingPart { amount_msat, ..part };
    let (messages, _) = inbox.parts(long.sender, vec![with(a, 300), with(small.whole(), 1_200)]);
    assert!(messages.len() == 1 && small.is(&messages[0]) && messages[0].amount_msat == 1_200);
    let (messages, _) = inbox.parts(long.sender, vec![with(small.whole(), 50), with(b, 700)]);
    assert!(messages.len() == 1 && long.is(&messages[0]) && messages[0].amount_msat == 1_000);
    assert_eq!(inbox.counts(), PaymentCounts { messages: 2, ..PaymentCounts::default() });
}

#[test]
fn a_whole_message_completes_what_waited_of_it() {
    let mut inbox = inbox();
    let long = sent(1, noise(900, 1));
    inbox.part(long.sender, long.part(100, 300));
    let (messages, _) = inbox.part(long.sender, long.whole());
    assert!(long.is(&messages[0]) && messages[0].amount_msat == 2_000);
    assert_eq!(inbox.waiting_bytes(), 0);
}

#[test]
fn what_disagrees_with_the_message_or_its_parts_is_put_aside_and_changes_nothing() {
    let mut inbox = inbox();
    let long = sent(1, noise(900, 1));
    inbox.part(long.sender, long.part(0, 500));
    let mut forged = long.part(400, 600);
    forged.piece.range.body.0[0] ^= 1;
    let mut other_size = long.part(500, 600);
    other_size.piece.total_bytes += 1;
    for part in [forged, other_size] {
        assert_eq!(inbox.part(long.sender, part), (vec![], Some(HeldReason::Conflict)));
    }
    let (messages, _) = inbox.part(long.sender, long.part(500, long.bytes.len()));
    assert!(long.is(&messages[0]));

    let other = Sent { id: long.id, ..sent(1, b"other".to_vec()) };
    assert_eq!(inbox.part(long.sender, other.whole()), (vec![], Some(HeldReason::Conflict)));
    assert_eq!(inbox.shown(), messages);
    let counts = PaymentCounts { messages: 1, parts: 1, conflicting: 3, ..PaymentCounts::default() };
    assert_eq!(inbox.counts(), counts);
    let held = inbox.store.held(None, 10).unwrap().held;
    assert_eq!(held.len(), 3);
    assert_eq!((held[0].sender, held[0].message_id, held[0].has_record), (Some(long.sender), Some(long.id), true));
}

#[test]
fn of_a_payment_with_good_and_bad_parts_the_good_are_shown_and_the_bad_are_listed() {
    let mut inbox = inbox();
    let good = sent(1, b"good".to_vec());
    let bad = Sent { id: id(8), bytes: vec![0xff; 9], ..good.clone() };
    let (messages, held) = inbox.parts(good.sender, vec![bad.whole(), good.whole()]);
    assert!(good.is(&messages[0]) && held == Some(HeldReason::Unreadable));
    assert_eq!(inbox.counts(), PaymentCounts { messages: 1, ..PaymentCounts::default() });
    assert_eq!(inbox.store.inbox_counts().unwrap().held, [(HeldReason::Unreadable, 1)]);
}

#[test]
fn parts_that_join_to_nothing_readable_are_put_aside_and_leave_nothing_behind() {
    let mut inbox = inbox();
    for (payload, encoding, reason) in [
        (vec![0xff; 600], Encoding::Plain, HeldReason::Unreadable),
        (vec![0xff; 600], Encoding::Zstd, HeldReason::Unreadable),
    ] {
        let junk = Sent { encoding, bytes: payload, ..sent(1, b"x".to_vec()) };
        inbox.part(junk.sender, junk.part(0, 300));
        assert_eq!(inbox.part(junk.sender, junk.part(300, 600)), (vec![], Some(reason)));
    }
    let bomb = sent(1, vec![7; 64 * 1_024 + 1]);
    assert!(bomb.bytes.len() < 200);
    inbox.part(bomb.sender, bomb.part(0, 20));
    let end = bomb.bytes.len();
    assert_eq!(inbox.part(bomb.sender, bomb.part(20, end)), (vec![], Some(HeldReason::TooLarge)));
    assert!(inbox.shown().is_empty());
    assert_eq!(inbox.waiting_bytes(), 0);
}

#[test]
fn a_message_larger_than_allowed_is_put_aside_at_its_first_part() {
    let mut inbox = inbox();
    let large = sent(1, noise(64 * 1_024 + 300, 1));
    assert_eq!(inbox.part(large.sender, large.part(0, 100)), (vec![], Some(HeldReason::TooLarge)));
    assert_eq!(inbox.waiting_bytes(), 0);
    let policy = InboxPolicy { message_bytes_max: 1_024 * 1_024, ..InboxPolicy::default() };
    let mut inbox = inbox_with(policy);
    assert_eq!(inbox.part(large.sender, large.part(0, 100)), (vec![], None));
}

#[test]
fn parts_that_wait_are_bounded_for_each_sender_and_in_all() {
    let mut inbox = inbox();
    // Payments of ten parts of 60,000 bytes, each of a message of its own, until one is refused.
    let fill = |inbox: &mut Inbox, sender: u8| {
        let long = Sent { bytes: vec![7; 65_000], encoding: Encoding::Plain, ..sent(sender, b"x".to_vec()) };
        let begin = |n| IncomingPart { id: id(n), ..long.part(1, 60_001) };
        (0..20).find_map(|n| inbox.parts(long.sender, (10 * n..10 * n + 10).map(begin).collect()).1)
    };
    assert_eq!(fill(&mut inbox, 1), Some(HeldReason::NoRoom));
    let one = inbox.waiting_bytes();
    assert!((WAITING_BYTES_PER_SENDER_MAX - 61_000..=WAITING_BYTES_PER_SENDER_MAX).contains(&one), "{one}");
    // A message that needs no room, and another sender's, are taken.
    let small = sent(1, b"small".to_vec());
    assert_eq!(inbox.part(small.sender, small.whole()).0.len(), 1);

    for sender in 2..=17 {
        assert_eq!(fill(&mut inbox, sender), Some(HeldReason::NoRoom));
    }
    let all = inbox.waiting_bytes();
    assert!((WAITING_BYTES_MAX - 61_000..=WAITING_BYTES_MAX).contains(&all), "{all}");
    // Once they are dropped there is room again.
    let dropped = inbox.store.drop_old_fragments(inbox.now_ms + WAITING_MS_MAX).unwrap();
    assert!(dropped.messages > DROPPED_PER_COMMIT_MAX as u64);
    assert_eq!(inbox.waiting_bytes(), 0);
    assert_eq!(fill(&mut inbox, 18), Some(HeldReason::NoRoom));
    assert_eq!(inbox.waiting_bytes(), one);
}

#[test]
fn many_tiny_parts_are_bounded_too() {
    let mut inbox = inbox();
    let long = sent(1, noise(40_000, 1));
    let every_other: Vec<_> = (0..40_000).step_by(2).map(|at| long.part(at, at + 1)).collect();
    let mut kept = 0;
    for parts in every_other.chunks(64) {
        if inbox.parts(long.sender, parts.to_vec()).1.is_some() {
            break;
        }
        kept += parts.len();
    }
    assert!(kept < 17_000, "{kept}");
    assert!(inbox.waiting_bytes() <= WAITING_BYTES_PER_SENDER_MAX);
}

#[test]
fn parts_are_kept_eight_days_then_dropped_and_counted() {
    let mut inbox = inbox();
    let (old, young) = (sent(1, noise(900, 1)), Sent { id: id(8), ..sent(1, noise(900, 2)) });
    inbox.part(old.sender, old.part(0, 500));
    inbox.now_ms += WAITING_MS_MAX - 1;
    inbox.part(young.sender, young.part(0, 500));
    assert_eq!(inbox.store.drop_old_fragments(inbox.now_ms).unwrap(), Dropped::default());
    let dropped = Dropped { messages: 1, bytes: 500 };
    assert_eq!(inbox.store.drop_old_fragments(inbox.now_ms + 1).unwrap(), dropped);

    let mut inbox = inbox.reopened();
    let counts = inbox.store.inbox_counts().unwrap();
    assert_eq!((counts.dropped_messages, counts.dropped_bytes), (1, 500));
    assert_eq!(inbox.part(old.sender, old.part(500, old.bytes.len())), (vec![], None));
    let (messages, _) = inbox.part(young.sender, young.part(500, young.bytes.len()));
    assert!(young.is(&messages[0]));
    assert_eq!(inbox.shown().len(), 1);
}

#[test]
fn the_policy_puts_aside_with_its_reason_and_books_the_payment() {
    let policy = InboxPolicy {
        amount_msat_min: 3_000,
        blocked: [node(9)].into(),
        accepts_unsigned: false,
        ..InboxPolicy::default()
    };
    let mut inbox = inbox_with(policy);
    let blocked = sent(9, b"hello".to_vec());
    assert_eq!(inbox.part(blocked.sender, blocked.whole()), (vec![], Some(HeldReason::Blocked)));
    let cheap = sent(1, b"hello".to_vec());
    assert_eq!(inbox.part(cheap.sender, cheap.whole()), (vec![], Some(HeldReason::AmountTooSmall)));
    let unsigned = inbox.payment(9_000, b"text", IncomingContent::Unsigned { id: id(1), text: "text".into() });
    let held = Some(HeldReason::Unsigned);
    assert_eq!(inbox.receive(unsigned.clone()), Received::New { messages: vec![], held });
    assert_eq!(inbox.receive(unsigned), Received::Known);
    // What all parts bring together is what counts.
    let long = sent(1, noise(900, 1));
    let mut parts = long.cut(300);
    let last = parts.pop().unwrap();
    parts.into_iter().for_each(|part| assert_eq!(inbox.part(long.sender, part), (vec![], None)));
    assert!(long.is(&inbox.part(long.sender, last).0[0]));
    assert_eq!(inbox.counts().put_aside, 3);

    let first = inbox.store.held(None, 2).unwrap();
    let rest = inbox.store.held(first.next, 2).unwrap();
    let reasons: Vec<_> = first.held.iter().chain(&rest.held).map(|held| held.reason).collect();
    assert_eq!(reasons, [HeldReason::Unsigned, HeldReason::AmountTooSmall, HeldReason::Blocked]);
    assert_eq!(
        (first.held[0].amount_msat, first.held[0].received_at_ms, first.held[0].record_bytes),
        (9_000, NOW_MS, 4)
    );
    assert_eq!((first.held[0].sender, rest.held[0].sender, rest.next), (None, Some(node(9)), None));
}

#[test]
fn each_sender_has_its_own_quota_for_a_day() {
    let policy =
        InboxPolicy { messages_per_day_max: Some(2), bytes_per_day_max: Some(5_000), ..InboxPolicy::default() };
    let mut inbox = inbox_with(policy);
    let message = |sender, n, bytes| Sent { id: id(n), ..sent(sender, noise(bytes, n)) };
    let held = |inbox: &mut Inbox, sent: &Sent| inbox.part(sent.sender, sent.whole()).1;
    // A long message counts once, with all its bytes, when its first part comes.
    let long = message(1, 1, 3_000);
    assert_eq!(inbox.part(long.sender, long.part(0, 10)).1, None);
    assert_eq!(held(&mut inbox, &message(1, 2, 3_000)), Some(HeldReason::Quota));
    let second = message(1, 3, 1_000);
    assert_eq!(held(&mut inbox, &second), None);
    assert_eq!(held(&mut inbox, &message(1, 4, 1)), Some(HeldReason::Quota));
    assert_eq!(held(&mut inbox, &message(2, 4, 1)), None);
    let mut inbox = inbox.reopened();
    assert_eq!(held(&mut inbox, &message(1, 4, 1)), Some(HeldReason::Quota));
    assert!(long.is(&inbox.part(long.sender, long.part(10, long.bytes.len())).0[0]), "the rest of what was let in");
    // A repeat costs nothing.
    assert_eq!(held(&mut inbox, &second), None);
    inbox.now_ms += QUOTA_DAY_MS;
    inbox.store.drop_old_fragments(inbox.now_ms).unwrap();
    assert_eq!(held(&mut inbox, &message(1, 5, 1)), None);
}

#[test]
fn what_a_message_unfolds_to_counts_against_the_quota() {
    let policy = InboxPolicy { bytes_per_day_max: Some(10_000), ..InboxPolicy::default() };
    let mut inbox = inbox_with(policy);
    let small = sent(1, vec![7; 9_000]);
    assert!(small.bytes.len() < 200);
    inbox.part(small.sender, small.part(0, 10));
    assert_eq!(inbox.part(small.sender, small.part(10, small.bytes.len())).0.len(), 1);
    let next = Sent { id: id(8), ..sent(1, vec![8; 2_000]) };
    assert_eq!(inbox.part(next.sender, next.whole()).1, Some(HeldReason::Quota));
}

#[test]
fn records_of_what_was_put_aside_are_kept_within_a_bound_and_for_a_time() {
    let mut inbox = inbox();
    let record = noise(65_536, 1);
    let junk = || IncomingContent::Unreadable { reason: HeldReason::Signature, detail: "broken".into() };
    let fit = HELD_RECORD_BYTES_MAX / 65_536;
    for _ in 0..fit + 3 {
        let payment = inbox.payment(1_000, &record, junk());
        inbox.receive(payment);
    }
    let page = inbox.store.held(None, 500).unwrap();
    assert_eq!(page.held.iter().filter(|held| held.has_record).count() as u64, fit);
    assert_eq!(page.held.len() as u64, fit + 3);
    assert!(!page.held[0].has_record && page.held[0].record_bytes == 65_536);
    assert_eq!(inbox.store.inbox_counts().unwrap().held, [(HeldReason::Signature, fit + 3)]);

    assert_eq!(inbox.store.drop_old_held_records(NOW_MS + HELD_RECORD_MS_MAX - 1).unwrap(), 0);
    assert_eq!(inbox.store.drop_old_held_records(NOW_MS + HELD_RECORD_MS_MAX).unwrap(), fit);
    let payment = inbox.payment(1_000, &record, junk());
    inbox.receive(payment);
    let page = inbox.store.held(None, 500).unwrap();
    assert_eq!(page.held.len() as u64, fit + 4);
    assert!(page.held[0].has_record && page.held[1..].iter().all(|held| !held.has_record));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Parts of several messages of two senders in any order, doubled, replayed, with a reopening anywhere.
    #[test]
    fn every_message_is_shown_once_and_whole_in_any_order(
        sizes in prop::collection::vec((1u8..3, 1usize..3_000, any::<bool>()), 1..5),
        cut in 50usize..900,
        turns in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 40..80),
    ) {
        let mut inbox = inbox();
        let messages: HashMap<MessageId, Sent> = sizes
            .into_iter()
            .enumerate()
            .map(|(n, (sender, bytes, repeats))| {
                let payload = if repeats { vec![7; bytes] } else { noise(bytes, n as u64) };
                let sent = Sent { id: id(n as u64), ..sent(sender, payload) };
                (sent.id, sent)
            })
            .collect();
        let mut left: Vec<_> = messages.values().flat_map(|sent| sent.cut(cut).into_iter().map(|part| (sent.sender, part))).collect();
        let (mut done, mut turn) = (Vec::new(), 0);
        while !left.is_empty() {
            let (at, what) = &turns[turn % turns.len()];
            turn += 1;
            let (sender, part) = left.swap_remove(at.index(left.len()));
            let payment = inbox.payment(1_000, b"r", IncomingContent::Parts { sender, parts: vec![part.clone()] });
            inbox.receive(payment.clone());
            done.push((sender, part));
            match what {
                0 => prop_assert_eq!(inbox.receive(payment), Received::Known),
                1 => inbox = inbox.reopened(),
                2 => {
                    let (sender, part) = done[at.index(done.len())].clone();
                    prop_assert_eq!(inbox.part(sender, part), (vec![], None));
                }
                _ => {}
            }
        }
        let shown = inbox.shown();
        prop_assert_eq!(shown.len(), messages.len());
        for message in &shown {
            let sent = &messages[&message.id];
            prop_assert!(sent.is(message));
            prop_assert_eq!(message.amount_msat, 1_000 * sent.cut(cut).len() as u64);
        }
        prop_assert_eq!(inbox.waiting_bytes(), 0);
        prop_assert_eq!(inbox.store.log_after(0, true, 500).unwrap().entries.len(), messages.len());
    }
}
