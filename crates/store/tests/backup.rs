//! A backup taken while messages come in: whole, a prefix of what came, and a store like any other.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use std::{
    os::unix::fs::PermissionsExt as _,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use boltgram_core::message::Peer;
use boltgram_store::{Store, StoreError, read::Query, search::Search};
use rusqlite::Connection;
use support::{fixture, id, node};

const PEERS: u8 = 3;

#[test]
fn a_backup_while_messages_flow_is_whole_and_a_prefix_of_them() {
    let fixture = fixture();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                n += 1;
                fixture.receive(id(n), Some(node(1 + (n % u64::from(PEERS)) as u8)), &format!("number{n} word"));
            }
            n
        });
        for round in 0..5 {
            let wanted = *fixture.store.watch_sequence().borrow() + 50;
            while *fixture.store.watch_sequence().borrow() < wanted {
                thread::yield_now();
            }
            let path = fixture.folder.path().join(format!("backup-{round}.sqlite"));
            fixture.store.backup(&path).unwrap();
            let after = *fixture.store.watch_sequence().borrow();
            let mode = path.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);

            let copy = Connection::open(&path).unwrap();
            let check: String = copy.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
            assert_eq!(check, "ok");
            copy.execute("INSERT INTO search (search) VALUES ('integrity-check')", []).unwrap();
            drop(copy);
            is_prefix(&Store::open(&path).unwrap(), wanted, after);
        }
        stop.store(true, Ordering::Relaxed);
        let written = writer.join().unwrap();
        assert_eq!(*fixture.store.watch_sequence().borrow(), written);
    });
    let names = std::fs::read_dir(fixture.folder.path()).unwrap().map(|file| file.unwrap().file_name());
    assert!(!names.into_iter().any(|name| name.to_string_lossy().contains(".part")), "nothing unfinished is left");
}

/// Whether a copy has the messages from 1 to some n without a gap, everywhere where messages are told.
fn is_prefix(copy: &Store, at_least: u64, at_most: u64) {
    let last = *copy.watch_sequence().borrow();
    assert!((at_least..=at_most).contains(&last), "{at_least} <= {last} <= {at_most}");
    let log = copy.log_after(0, true, usize::MAX >> 1).unwrap().entries;
    let told: Vec<String> = log.iter().map(|entry| entry.message.text().unwrap().to_owned()).collect();
    let expected: Vec<String> = (1..=last).map(|n| format!("number{n} word")).collect();
    assert_eq!(told, expected);
    let conversations = copy.conversations(None, 10).unwrap().conversations;
    assert_eq!(conversations.iter().map(|conversation| conversation.messages).sum::<u64>(), last);
    assert_eq!(copy.payment_counts().unwrap().messages, last);
    let peer = Some(Peer::Node(node(1 + (last % u64::from(PEERS)) as u8)));
    let newest = copy.page(&Query { peer, limit: 1, ..Query::default() }).unwrap().messages.remove(0);
    let words = format!("number{last}").parse().unwrap();
    let found = copy.search(&Search { words, peer, before: None, limit: 10 }).unwrap().messages;
    assert_eq!(found, [newest]);
}

#[test]
fn a_backup_overwrites_nothing_and_leaves_nothing_unfinished() {
    let fixture = fixture();
    let path = fixture.folder.path().join("backup.sqlite");
    fixture.store.backup(&path).unwrap();
    let error = fixture.store.backup(&path).unwrap_err();
    assert!(matches!(error, StoreError::Backup { .. }), "{error}");
    let nowhere = fixture.folder.path().join("no folder/backup.sqlite");
    let error = fixture.store.backup(&nowhere).unwrap_err().to_string();
    assert!(error.contains("no folder"), "{error}");
}
