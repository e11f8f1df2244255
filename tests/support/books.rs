//! What nodes have written down of messages and payments, read beside them while they run.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use boltgram_api::v1;
use rusqlite::{Connection, OpenFlags, backup::Backup, config::DbConfig};

use super::NodeHandle;

/// A payment's hash, in hex digits.
pub type Hash = String;

/// Messages on one page: with those of 20,000 bytes among them, an answer is bounded.
const PAGE_MESSAGES: i32 = 100;

/// What is known of a payment's end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Open,
    Successful,
    Failed,
}

/// A payment as its sender knows it.
#[derive(Debug)]
pub struct Attempt {
    pub end: End,
    /// The recipient's public key, in hex digits.
    pub recipient: String,
    pub amount_msat: u64,
    pub fee_msat: u64,
    /// Unix time in milliseconds.
    pub started_at_ms: u64,
    /// Which bytes of which message it carries.
    pub parts: Vec<(String, Range<u32>)>,
}

/// What a node has under way.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct UnderWay {
    pub messages: usize,
    pub payments: usize,
}

/// How often what messages have was paid for.
pub struct Paid {
    /// For each message, how often each byte of it was.
    pub bytes: BTreeMap<String, Vec<usize>>,
    /// How many payments brought nothing new.
    pub repeats: usize,
}

/// All messages of a node that went this way, the newest first.
pub async fn messages(node: &NodeHandle, direction: v1::Direction) -> Vec<v1::Message> {
    let all = listed(node, "").await;
    all.into_iter().filter(|message| message.direction() == direction).collect()
}

/// All messages with a peer, in the order of that conversation, the last first; with no peer all, the newest first.
pub async fn listed(node: &NodeHandle, peer: &str) -> Vec<v1::Message> {
    let client = node.client().await;
    let (mut messages, mut page_token) = (Vec::new(), String::new());
    loop {
        let peer_pubkey = peer.to_owned();
        let request = v1::ListRequest { page_size: PAGE_MESSAGES, page_token, peer_pubkey, ..Default::default() };
        let page = client.messages().list(request).await.unwrap().into_inner();
        messages.extend(page.messages);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return messages;
        }
    }
}

/// The payments that the node itself says it has received.
pub async fn claimed(node: &NodeHandle) -> BTreeSet<Hash> {
    let client = node.client().await;
    let (mut hashes, mut page_token) = (BTreeSet::new(), String::new());
    loop {
        let request = v1::ListPaymentsRequest { page_size: 500, page_token };
        let page = client.node().list_payments(request).await.unwrap().into_inner();
        let is_claimed = |payment: &v1::Payment| {
            payment.direction() == v1::Direction::In
                && payment.kind() == v1::PaymentKind::Keysend
                && payment.state() == v1::PaymentState::Succeeded
        };
        hashes.extend(page.payments.into_iter().filter(is_claimed).map(|payment| payment.payment_hash));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return hashes;
        }
    }
}

/// The payments that a node's message store has as received, with what each brought in millisatoshi.
pub fn booked(node: &NodeHandle) -> BTreeMap<Hash, u64> {
    let store = open(&node.data_dir);
    let mut statement = store.prepare("SELECT lower(hex(payment_hash)), amount_msat FROM payments").unwrap();
    statement.query_map([], |row| Ok((row.get(0)?, count(row.get(1)?)))).unwrap().map(Result::unwrap).collect()
}

/// The payments that a node's message store has as tried.
pub fn attempts(node: &NodeHandle) -> BTreeMap<Hash, Attempt> {
    let store = open(&node.data_dir);
    let sql = "SELECT lower(hex(a.payment_hash)), a.state, lower(hex(a.recipient)), a.amount_msat, a.fee_msat, \
               a.started_at_ms, m.id, p.start, p.end FROM attempts a \
               JOIN attempt_parts p USING (attempt_row) JOIN messages m ON m.row_id = p.message_row";
    let mut statement = store.prepare(sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut attempts = BTreeMap::new();
    while let Some(row) = rows.next().unwrap() {
        let attempt = attempts.entry(row.get::<_, Hash>(0).unwrap()).or_insert_with(|| Attempt {
            end: match row.get(1).unwrap() {
                1 => End::Open,
                2 => End::Successful,
                state => {
                    assert_eq!(state, 3, "an attempt's state");
                    End::Failed
                }
            },
            recipient: row.get(2).unwrap(),
            amount_msat: count(row.get(3).unwrap()),
            fee_msat: count(row.get(4).unwrap()),
            started_at_ms: count(row.get(5).unwrap()),
            parts: Vec::new(),
        });
        let id = boltgram_core::MessageId::from_slice(&row.get::<_, Vec<u8>>(6).unwrap()).unwrap();
        attempt.parts.push((id.to_string(), row.get(7).unwrap()..row.get(8).unwrap()));
    }
    attempts
}

/// What a node's message store has without an end: payments to one node, or to all.
pub fn in_flight(node: &NodeHandle, recipient: Option<&str>) -> usize {
    let sql = "SELECT COUNT(*) FROM attempts WHERE state = 1 AND (?1 IS NULL OR lower(hex(recipient)) = ?1)";
    open(&node.data_dir).query_row(sql, [recipient], |row| row.get(0).map(as_usize)).unwrap()
}

/// The messages and payments that a node's message store has without an end.
pub fn under_way(node: &NodeHandle) -> UnderWay {
    let messages = "SELECT COUNT(*) FROM outbox WHERE is_open = 1";
    let messages = open(&node.data_dir).query_row(messages, [], |row| row.get(0).map(as_usize)).unwrap();
    UnderWay { messages, payments: in_flight(node, None) }
}

/// Waits until the node of a process has events in its queue that nobody has taken yet, at most so long.
pub fn wait_for_events(node: &NodeHandle, patience: Duration) {
    let [_, path] = databases(node);
    let (store, begin) = (reader(&path), Instant::now());
    // The queue's length stands in front (ldk-node 0.7.1, `EventQueue`).
    let sql = "SELECT substr(value, 1, 2) != x'0000' FROM kv WHERE primary_namespace = '' AND name = 'events'";
    let mut statement = store.prepare(sql).unwrap();
    while begin.elapsed() < patience && !statement.query_row([], |row| row.get(0)).unwrap_or(false) {
        thread::sleep(Duration::from_micros(100));
    }
}

/// Keeps a node's message store from writing, until it is dropped, as a slow disk does.
pub fn stall(node: &NodeHandle) -> Connection {
    let [path, _] = databases(node);
    let store = Connection::open(path).unwrap();
    // It writes nothing, not even when it is the last one.
    store.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    store.busy_timeout(super::DEADLINE).unwrap();
    store.execute_batch("BEGIN IMMEDIATE").unwrap();
    store
}

/// Counts how often what messages have was paid for by these payments, each of which was tried.
pub fn paid<'a>(payments: impl IntoIterator<Item = &'a Hash>, attempts: &BTreeMap<Hash, Attempt>) -> Paid {
    let mut paid = Paid { bytes: BTreeMap::new(), repeats: 0 };
    for hash in payments {
        let attempt = attempts.get(hash).unwrap_or_else(|| panic!("payment {hash} arrived, and was never tried"));
        let mut is_new = false;
        for (id, range) in &attempt.parts {
            let bytes = paid.bytes.entry(id.clone()).or_default();
            let end = range.end as usize;
            bytes.resize(bytes.len().max(end), 0);
            for byte in &mut bytes[range.start as usize..end] {
                is_new |= *byte == 0;
                *byte += 1;
            }
        }
        paid.repeats += usize::from(!is_new);
    }
    paid
}

/// What SQLite's own check finds wrong in a database of a node that runs: in a copy, since the words of a search can't be
/// checked by who only reads.
pub fn broken(path: &Path) -> Option<String> {
    let mut copy = Connection::open_in_memory().unwrap();
    let all = i32::MAX;
    Backup::new(&reader(path), &mut copy).unwrap().run_to_completion(all, Duration::ZERO, None).unwrap();
    let found = checked(&copy);
    (found != "ok").then(|| format!("{}: {found}", path.display()))
}

/// SQLite's own check of a database of a node that has ended.
pub fn is_whole(path: &Path) {
    assert_eq!(checked(&Connection::open(path).unwrap()), "ok", "{}", path.display());
}

/// Both databases of a node.
pub fn databases(node: &NodeHandle) -> [PathBuf; 2] {
    ["messages.sqlite", "ldk/node.sqlite"].map(|name| node.data_dir.join(name))
}

fn open(data_dir: &Path) -> Connection {
    reader(&data_dir.join("messages.sqlite"))
}

fn reader(path: &Path) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let store = Connection::open_with_flags(path, flags).unwrap();
    store.busy_timeout(super::DEADLINE).unwrap();
    store
}

fn checked(connection: &Connection) -> String {
    connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
}

fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap()
}

fn as_usize(value: i64) -> usize {
    usize::try_from(value).unwrap()
}
