//! Messages of many payments: put together once, in any order, within bounds, over restarts.

use std::collections::HashMap;

use boltgram_core::{
    MessageId,
    frame::Encoding,
    limits::{DROPPED_PER_COMMIT_MAX, WAITING_BYTES_MAX, WAITING_BYTES_PER_SENDER_MAX, WAITING_MS_MAX},
    policy::HeldReason,
};
use boltgram_store::incoming::{Dropped, IncomingContent, IncomingPart, PaymentCounts, Received};
use proptest::prelude::*;

use crate::support::*;

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
