//! What is read, marked, found and deleted: promises to who looks at messages.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use std::collections::BTreeMap;

use boltgram_core::{
    limits::PAGE_BODY_BYTES_MAX,
    message::{Direction, Message, Peer, State},
};
use boltgram_store::{
    Store,
    conversations::MarkedRead,
    delete::Deletion,
    outgoing::Outcome,
    read::{Page, PageKey, Query},
    search::Search,
};
use proptest::prelude::*;
use rusqlite::Connection;
use support::{Fixture, NOW_MS, all, fixture, id, node, texts};

/// All pages of so many, one after the other, each key through its text form.
fn walked(limit: usize, page: impl Fn(Option<PageKey>, usize) -> Page) -> Vec<Message> {
    let (mut messages, mut before) = (Vec::new(), None);
    loop {
        let page = page(before, limit);
        assert!(page.messages.len() <= limit);
        messages.extend(page.messages);
        match page.next {
            Some(key) => before = Some(key.to_string().parse().unwrap()),
            None => return messages,
        }
    }
}

fn conversation(store: &Store, peer: Peer, limit: usize) -> Vec<Message> {
    let query = |before, limit| Query { peer: Some(peer), before, limit, ..Query::default() };
    walked(limit, |before, limit| store.page(&query(before, limit)).unwrap())
}

fn found(store: &Store, query: &str, peer: Option<Peer>, limit: usize) -> Vec<String> {
    let words: boltgram_store::search::Words = query.parse().unwrap();
    let search = |before, limit| Search { words: words.clone(), peer, before, limit };
    let messages = walked(limit, |before, limit| store.search(&search(before, limit)).unwrap());
    messages.iter().map(|message| message.text().unwrap().to_owned()).collect()
}

#[test]
fn a_conversation_stands_in_id_order_though_its_messages_overtook_each_other() {
    let fixture = fixture();
    let bob = node(2);
    for n in [3, 1, 5] {
        fixture.receive(id(n), Some(bob), &n.to_string());
    }
    for n in [4, 2] {
        fixture.deliver(id(n), bob, &n.to_string());
    }
    // Another sender's, an unsigned text, and a hostile message under an id of ours.
    fixture.receive(id(6), Some(node(3)), "other");
    fixture.receive(id(7), None, "unsigned");
    fixture.receive(id(4), Some(bob), "4 too");
    for limit in [1, 2, 10] {
        let messages = conversation(&fixture.store, Peer::Node(bob), limit);
        assert_eq!(texts(&messages), ["5", "4 too", "4", "3", "2", "1"]);
        assert_eq!(texts(&conversation(&fixture.store, Peer::Unsigned, limit)), ["unsigned"]);
    }
    let by_arrival = fixture.store.page(&all()).unwrap().messages;
    assert_eq!(texts(&by_arrival), ["4 too", "unsigned", "other", "2", "4", "5", "1", "3"]);
}

#[test]
fn conversations_are_listed_by_their_last_activity_with_what_is_unread() {
    let fixture = fixture();
    let [bob, carol] = [node(2), node(3)];
    fixture.receive(id(1), Some(bob), "from bob");
    fixture.receive(id(3), None, "unsigned");
    fixture.deliver(id(4), carol, "to carol");
    fixture.receive(id(2), Some(bob), "from bob again");
    let shown = |fixture: &Fixture| -> Vec<_> {
        let conversations = fixture.conversations().into_iter();
        conversations.map(|c| (c.peer, c.messages, c.unread, c.last.text().unwrap().to_owned())).collect()
    };
    let expected = [
        (Peer::Node(bob), 2, 2, "from bob again".to_owned()),
        (Peer::Node(carol), 1, 0, "to carol".to_owned()),
        (Peer::Unsigned, 1, 1, "unsigned".to_owned()),
    ];
    assert_eq!(shown(&fixture), expected);
    let mut paged = Vec::new();
    let mut before = None;
    loop {
        let page = fixture.store.conversations(before, 1).unwrap();
        paged.extend(page.conversations);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(paged, fixture.conversations());

    // What is below the highest id in its conversation is activity all the same.
    fixture.deliver(id(1), carol, "late");
    assert_eq!(shown(&fixture)[0], (Peer::Node(carol), 2, 0, "to carol".to_owned()));
}

#[test]
fn marking_as_read_is_exact_idempotent_and_leaves_what_comes_late_unread() {
    let fixture = fixture();
    let bob = Peer::Node(node(2));
    for n in [1, 2, 4, 6] {
        fixture.receive(id(n), bob.node(), &n.to_string());
        fixture.receive(id(n), None, &n.to_string());
    }
    fixture.deliver(id(5), node(2), "5");
    let mark = |n, limit| fixture.store.mark_read(bob, id(n), limit).unwrap();
    assert_eq!(mark(4, 2), MarkedRead { marked: 2, unread: 2 });
    assert_eq!(mark(5, 2), MarkedRead { marked: 1, unread: 1 });
    assert_eq!(mark(5, 2), MarkedRead { marked: 0, unread: 1 });
    fixture.receive(id(3), bob.node(), "3");
    let read: BTreeMap<String, bool> = conversation(&fixture.store, bob, 10)
        .into_iter()
        .map(|message| (message.text().unwrap().to_owned(), message.is_read))
        .collect();
    let expected = [("1", true), ("2", true), ("3", false), ("4", true), ("5", true), ("6", false)];
    assert_eq!(read, expected.map(|(text, is_read)| (text.to_owned(), is_read)).into());
    assert_eq!(mark(9, 10), MarkedRead { marked: 2, unread: 0 });
    assert_eq!(fixture.store.mark_read(Peer::Unsigned, id(2), 10).unwrap(), MarkedRead { marked: 2, unread: 2 });
    let nobody = fixture.store.mark_read(Peer::Node(node(9)), id(9), 10).unwrap();
    assert_eq!(nobody, MarkedRead { marked: 0, unread: 0 });
}

#[test]
fn every_filter_of_a_page_gives_what_it_says() {
    let fixture = fixture();
    let bob = node(2);
    fixture.receive(id(1), Some(bob), "in");
    fixture.send(id(2), bob, "sending");
    fixture.deliver(id(3), bob, "delivered");
    let failed = fixture.send(id(4), node(3), "failed");
    let failure = boltgram_core::Failure::new(boltgram_core::Reason::NoRoute, "no route");
    fixture.store.settle(failed, Outcome::Failed(failure), NOW_MS).unwrap();
    let of = |query: Query| {
        let page = fixture.store.page(&Query { limit: 10, ..query }).unwrap();
        texts(&page.messages).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let (bob, none) = (Some(Peer::Node(bob)), Query::default());
    assert_eq!(of(Query { pending_only: true, ..none.clone() }), ["sending"]);
    assert_eq!(of(Query { pending_only: true, peer: bob, ..none.clone() }), ["sending"]);
    assert_eq!(of(Query { pending_only: true, direction: Some(Direction::In), ..none.clone() }), [""; 0]);
    assert_eq!(of(Query { state: Some(State::Failed), ..none.clone() }), ["failed"]);
    assert_eq!(of(Query { state: Some(State::Failed), peer: bob, ..none.clone() }), [""; 0]);
    assert_eq!(of(Query { direction: Some(Direction::Out), peer: bob, ..none.clone() }), ["delivered", "sending"]);
    assert_eq!(of(Query { direction: Some(Direction::Out), ..none.clone() }), ["failed", "delivered", "sending"]);
    assert_eq!(of(none), ["failed", "delivered", "sending", "in"]);
}

#[test]
fn a_page_of_large_messages_is_shorter_and_none_is_lost() {
    let fixture = fixture();
    let sizes = [10, PAGE_BODY_BYTES_MAX, 20, PAGE_BODY_BYTES_MAX / 2, PAGE_BODY_BYTES_MAX / 2, 1];
    for (n, size) in sizes.into_iter().enumerate() {
        fixture.receive_at(NOW_MS, id(n as u64), Some(node(2)), "image/png", &vec![b'x'; size]);
    }
    let mut lengths = Vec::new();
    let messages =
        walked(100, |before, limit| fixture.store.page(&Query { before, limit, ..Query::default() }).unwrap());
    lengths.extend(messages.iter().rev().map(|message| message.body.0.len()));
    assert_eq!(lengths, sizes);
    let first = fixture.store.page(&all()).unwrap();
    assert_eq!((first.messages.len(), first.next.is_some()), (2, true));
}

#[test]
fn a_search_finds_words_whatever_their_case_and_accents_in_both_directions_newest_first() {
    let fixture = fixture();
    let [bob, carol] = [node(2), node(3)];
    fixture.receive(id(1), Some(bob), "Grüezi, ein Tee?");
    fixture.deliver(id(2), bob, "tee at four");
    fixture.receive(id(3), Some(carol), "TEA-TIME teE");
    fixture.receive(id(4), None, "tee, unsigned");
    fixture.receive_at(NOW_MS, id(5), Some(bob), "application/octet-stream", b"tee");
    let (found, of) = (|query: &str| found(&fixture.store, query, None, 1), Some);
    assert_eq!(found("tee"), ["tee, unsigned", "TEA-TIME teE", "tee at four", "Grüezi, ein Tee?"]);
    assert_eq!(found("GRUEZI"), ["Grüezi, ein Tee?"]);
    assert_eq!(found("grüe* OR four"), [""; 0], "OR is a word");
    assert_eq!(found("gru* tee"), ["Grüezi, ein Tee?"]);
    assert_eq!(found("four tee"), ["tee at four"]);
    assert_eq!(found("tea-time"), ["TEA-TIME teE"]);
    assert_eq!(found("time-tea"), [""; 0], "parts of a word stand in their order");
    assert_eq!(found("\"tee\" (at) 'four'"), ["tee at four"]);
    assert_eq!(found(&node(2).to_string()), [""; 0], "whom a text is from is none of its words");
    assert_eq!(found("unsigned"), ["tee, unsigned"]);
    let among = |query: &str, peer| self::found(&fixture.store, query, of(peer), 2);
    assert_eq!(among("tee", Peer::Node(bob)), ["tee at four", "Grüezi, ein Tee?"]);
    assert_eq!(among("tee", Peer::Unsigned), ["tee, unsigned"]);
    assert_eq!(among("four", Peer::Node(carol)), [""; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_query_breaks_the_search(query in "[ -~äß\u{0}\u{7f}\u{200b}\u{1F600}]{0,40}", peer in any::<bool>()) {
        // A store for each case would be slow, and none of them changes it.
        static STORE: std::sync::LazyLock<Fixture> = std::sync::LazyLock::new(fixture);
        if let Ok(words) = query.parse() {
            let peer = peer.then_some(Peer::Unsigned);
            STORE.store.search(&Search { words, peer, before: None, limit: 1 }).unwrap();
        }
    }

    #[test]
    fn what_conversations_tell_is_what_their_messages_come_to(
        steps in prop::collection::vec((0u8..5, 1u8..4, 1u64..12), 1..40)
    ) {
        let fixture = fixture();
        for (at, (step, peer, n)) in steps.into_iter().enumerate() {
            // Peer 3 stands for unknown senders. This node makes the ids of what it sends, and of what has no sender.
            let peer = (peer < 3).then(|| node(1 + peer));
            let (own, any) = (id(1_000 + at as u64), id(if n % 2 == 0 { n } else { 1_000 + n }));
            match (step, peer) {
                (0 | 1, Some(_)) => drop(fixture.receive(id(n), peer, "in")),
                (0 | 1, None) => drop(fixture.receive(own, None, "unsigned")),
                (2, Some(peer)) => fixture.deliver(own, peer, "out"),
                (3, _) => drop(fixture.store.mark_read(peer.into(), any, 2).unwrap()),
                _ => drop(fixture.store.delete(any, NOW_MS).unwrap()),
            }
        }
        let messages = fixture.store.page(&all()).unwrap().messages;
        let mut expected: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for message in &messages {
            let entry = expected.entry(Peer::from(message.peer).to_string()).or_default();
            *entry = (entry.0 + 1, entry.1 + u64::from(!message.is_read));
        }
        let told: BTreeMap<String, (u64, u64)> =
            fixture.conversations().into_iter().map(|c| (c.peer.to_string(), (c.messages, c.unread))).collect();
        prop_assert_eq!(told, expected);
    }
}

fn reader(fixture: &Fixture) -> Connection {
    Connection::open_with_flags(&fixture.path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

#[test]
fn a_deleted_message_is_nowhere_and_a_repeat_of_it_is_not_shown() {
    let fixture = fixture();
    let bob = node(2);
    fixture.receive(id(1), Some(bob), "secretword in");
    fixture.deliver(id(2), bob, "secretword out");
    fixture.receive(id(3), Some(node(3)), "stays");
    for n in [1, 2] {
        assert_eq!(fixture.store.delete(id(n), NOW_MS).unwrap(), Deletion::Done);
        assert_eq!(fixture.store.delete(id(n), NOW_MS).unwrap(), Deletion::NotFound);
        assert_eq!(fixture.store.message(id(n)).unwrap(), None);
    }
    assert_eq!(fixture.store.delete(id(9), NOW_MS).unwrap(), Deletion::NotFound);
    assert_eq!(texts(&fixture.store.page(&all()).unwrap().messages), ["stays"]);
    assert_eq!(found(&fixture.store, "secretword", None, 10), [""; 0]);
    assert_eq!(fixture.conversations().len(), 1);
    assert!(conversation(&fixture.store, Peer::Node(bob), 10).is_empty());
    let log = fixture.store.log_after(0, true, 100).unwrap();
    assert_eq!((log.entries.len(), log.read_to), (1, 4));

    assert_eq!(fixture.receive(id(1), Some(bob), "secretword in"), None);
    assert_eq!(fixture.receive(id(1), Some(bob), "another text"), None);
    assert_eq!(fixture.store.page(&all()).unwrap().messages.len(), 1);
    assert_eq!(fixture.store.payment_counts().unwrap().repeated, 2);
    // What is left: the key, and the payments' hashes.
    let reader = reader(&fixture);
    let sql = "SELECT COUNT(*) FROM messages WHERE body <> x'' OR reply_to IS NOT NULL OR payment_hash IS NULL";
    let with_content: i64 = reader.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(with_content, 1);
    for sql in ["SELECT SUM(length(record)) FROM attempts", "SELECT SUM(length(encoded)) FROM outbox"] {
        let bytes: i64 = reader.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(bytes, 0, "{sql}");
    }
    assert_eq!(fixture.store.last_own_id().unwrap(), Some(id(2)), "no id is made twice");
}

#[test]
fn a_failed_message_that_was_deleted_is_not_taken_up_again() {
    let fixture = fixture();
    let hash = fixture.send(id(1), node(2), "failed");
    let failure = boltgram_core::Failure::new(boltgram_core::Reason::NoRoute, "no route");
    fixture.store.settle(hash, Outcome::Failed(failure), NOW_MS).unwrap();
    assert_eq!(fixture.store.message(id(1)).unwrap().unwrap().state, State::Failed);
    assert_eq!(fixture.store.delete(id(1), NOW_MS).unwrap(), Deletion::Done);
    assert_eq!(fixture.store.take_up_again(id(1), false, NOW_MS * 2, NOW_MS).unwrap(), None);
    let known = fixture.store.accepted_as(&id(1).to_string(), &[0; 32]).unwrap();
    assert!(known.is_some(), "its idempotency key stays");
    let encoded: Vec<u8> = reader(&fixture).query_row("SELECT encoded FROM outbox", [], |row| row.get(0)).unwrap();
    assert!(encoded.is_empty());
}

#[test]
fn a_message_in_the_outbox_tells_how_far_it_has_come() {
    let fixture = fixture();
    let told = || {
        let message = fixture.store.message(id(1)).unwrap().unwrap();
        (message.payments, message.progress.map(|progress| (progress.delivered_bytes, progress.total_bytes)))
    };
    fixture.accept(id(1), node(2), "0123456789");
    assert_eq!(told(), (0, Some((0, 10))));
    let [first, second] = [fixture.pay(id(1), node(2), 0..4), fixture.pay(id(1), node(2), 4..10)];
    assert_eq!(told(), (2, Some((0, 10))));
    fixture.store.settle(first, Outcome::Successful { fee_msat: 0 }, NOW_MS).unwrap();
    assert_eq!(told(), (2, Some((4, 10))));
    fixture.store.settle(second, Outcome::Successful { fee_msat: 0 }, NOW_MS).unwrap();
    assert_eq!(told(), (2, Some((10, 10))));
    let message = fixture.store.message(id(1)).unwrap().unwrap();
    assert_eq!((message.state, message.expires_at_ms), (State::Delivered, Some(NOW_MS + 1_000)));
    let received = fixture.receive(id(2), Some(node(2)), "received").unwrap();
    assert_eq!((received.payments, received.progress, received.expires_at_ms), (0, None, None));
}

#[test]
fn a_message_that_is_being_sent_is_not_deleted() {
    let fixture = fixture();
    let hash = fixture.send(id(1), node(2), "on its way");
    assert_eq!(fixture.store.delete(id(1), NOW_MS).unwrap(), Deletion::NotFinished(State::Sending));
    assert_eq!(fixture.store.delete_older(NOW_MS * 2, 0, 10).unwrap(), 0);
    fixture.store.settle(hash, Outcome::Successful { fee_msat: 0 }, NOW_MS).unwrap();
    assert_eq!(fixture.store.delete(id(1), NOW_MS).unwrap(), Deletion::Done);
}

#[test]
fn the_retention_deletes_what_is_old_in_batches_and_nothing_else() {
    let fixture = fixture();
    for n in 1..=10 {
        fixture.receive_at(NOW_MS + n, id(n), Some(node(2)), "text/plain", format!("old {n}").as_bytes());
    }
    let older = |now_ms| fixture.store.delete_older(now_ms, 1_000, 4).unwrap();
    assert_eq!(older(NOW_MS), 0);
    assert_eq!([older(NOW_MS + 1_006), older(NOW_MS + 1_006), older(NOW_MS + 1_006)], [4, 2, 0]);
    assert_eq!(found(&fixture.store, "old", None, 10), ["old 10", "old 9", "old 8", "old 7"]);
    let conversations = fixture.conversations();
    assert_eq!((conversations[0].messages, conversations[0].unread), (4, 4));
    assert_eq!(fixture.receive(id(1), Some(node(2)), "old 1"), None);
}
