//! What two nodes have written down of the messages and payments from the one to the other.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::Path,
};

use boltgram_api::v1;
use rusqlite::{Connection, OpenFlags};

use crate::support::NodeHandle;

/// A payment's hash, in hex digits.
pub type Hash = String;

/// Messages on one page: with those of 20,000 bytes among them, an answer is bounded.
const PAGE_MESSAGES: i32 = 100;

/// A payment as its sender knows it.
pub struct Attempt {
    pub is_open: bool,
    /// Which bytes of which message it carries.
    pub parts: Vec<(String, Range<u32>)>,
}

/// All messages of a node that went this way.
pub async fn messages(node: &NodeHandle, direction: v1::Direction) -> Vec<v1::Message> {
    let (mut messages, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListRequest { page_size: PAGE_MESSAGES, page_token, ..Default::default() };
        let page = node.client().await.messages().list(request).await.unwrap().into_inner();
        messages.extend(page.messages.into_iter().filter(|message| message.direction() == direction));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return messages;
        }
    }
}

/// The payments that the node itself says it has received.
pub async fn claimed(node: &NodeHandle) -> BTreeSet<Hash> {
    let (mut hashes, mut page_token) = (BTreeSet::new(), String::new());
    loop {
        let request = v1::ListPaymentsRequest { page_size: 500, page_token };
        let page = node.client().await.node().list_payments(request).await.unwrap().into_inner();
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

/// The payments that a node's message store has as received.
pub fn booked(node: &NodeHandle) -> BTreeSet<Hash> {
    let store = open(&node.data_dir);
    let mut statement = store.prepare("SELECT lower(hex(payment_hash)) FROM payments").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// The payments that a node's message store has as tried.
pub fn attempts(node: &NodeHandle) -> BTreeMap<Hash, Attempt> {
    let store = open(&node.data_dir);
    let sql = "SELECT lower(hex(a.payment_hash)), a.state = 1, m.id, p.start, p.end FROM attempts a \
               JOIN attempt_parts p USING (attempt_row) JOIN messages m ON m.row_id = p.message_row";
    let mut statement = store.prepare(sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut attempts = BTreeMap::new();
    while let Some(row) = rows.next().unwrap() {
        let (hash, is_open): (Hash, bool) = (row.get(0).unwrap(), row.get(1).unwrap());
        let attempt = attempts.entry(hash).or_insert(Attempt { is_open, parts: Vec::new() });
        let id = boltgram_core::MessageId::from_slice(&row.get::<_, Vec<u8>>(2).unwrap()).unwrap();
        attempt.parts.push((id.to_string(), row.get(3).unwrap()..row.get(4).unwrap()));
    }
    attempts
}

fn open(data_dir: &Path) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let store = Connection::open_with_flags(data_dir.join("messages.sqlite"), flags).unwrap();
    store.busy_timeout(crate::support::DEADLINE).unwrap();
    store
}
