//! What is put aside: with its reason, its payment booked, and never shown as a message.

use boltgram_core::{
    frame::Encoding,
    limits::{HELD_RECORD_BYTES_MAX, HELD_RECORD_MS_MAX, QUOTA_DAY_MS},
    policy::{HeldReason, InboxPolicy},
};
use boltgram_store::incoming::{IncomingContent, PaymentCounts, Received};

use crate::support::*;

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
    assert_eq!(inbox.receive(unsigned.clone()), Received::New { messages: vec![], receipted: vec![], held });
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
