//! What the message store takes for its work when its history is short and when it is long:
//! `cargo bench -p boltgram --bench history -- --messages 1000000`.
//!
//! One store is filled up to each size in turn, and at each the same questions are asked: the table has the medians and the
//! slowest of them side by side. `--json FILE` writes every time. Without `--messages` it is a short smoke, which measures
//! nothing worth keeping. The texts are made of a fixed vocabulary by a fixed generator, so that each run has the same.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, missing_docs)]

use std::{
    collections::BTreeMap,
    env, fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use bitcoin::{
    Network,
    secp256k1::{Secp256k1, SecretKey},
};
use boltgram_core::{
    MessageId, NodeId,
    frame::{Content, Encoding, Part},
    message::{Body, Direction, PaymentHash, Peer},
    policy::InboxPolicy,
    reassembly::Piece,
    transport::{Keysend, Preimage},
};
use boltgram_store::{
    Store,
    incoming::{Incoming, IncomingContent, IncomingPart},
    outgoing::{Attempt, AttemptPart, Outcome, Outgoing, receipts::Receiver},
    read::Query,
    search::Search,
};
use prost::Message as _;

/// The size that every run begins with, but for the smoke's.
const SHORT: u64 = 10_000;
const SMOKE: [u64; 2] = [200, 1_000];
/// How many write at the same time while the store is filled: they share commits, as payments under load do.
const WRITERS: u64 = 128;
const PEERS: u64 = 200;
/// How often each question is asked.
const ROUNDS: usize = 101;
const NOW_MS: u64 = 1_700_000_000_000;

/// Syllables of the vocabulary: 4,096 words.
const SYLLABLES: [&str; 16] =
    ["ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "wu", "za", "che", "spi", "tro", "gla", "fe"];

/// What was measured at one size.
struct Column {
    messages: u64,
    inserted_per_second: f64,
    file_bytes: u64,
    /// The times of each question, in milliseconds.
    times_ms: BTreeMap<&'static str, Vec<f64>>,
}

struct Bench {
    store: Store,
    policy: Arc<InboxPolicy>,
    peers: Vec<NodeId>,
    sent: AtomicU64,
}

/// A number that looks random and is the same for the same seed (SplitMix64).
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A text of 12 words. Every second one has "often", one in fifty thousand "seldom".
fn text(n: u64) -> String {
    let word = |at: u64| {
        // The product of two makes low numbers more likely: some words are common, most are rare, as in any language.
        let (a, b) = (mixed(n * 32 + at) % 64, mixed(n * 32 + at + 16) % 64);
        let number = (a * b) as usize;
        [number >> 8, (number >> 4) & 15, number & 15].map(|syllable| SYLLABLES[syllable]).concat()
    };
    let mut words: Vec<String> = (0..12).map(word).collect();
    if n.is_multiple_of(2) {
        words[3] = "often".into();
    }
    if n % 50_000 == 77 {
        words[5] = "seldom".into();
    }
    words.join(" ")
}

/// The n-th id: ids grow as messages come.
fn id(n: u64) -> MessageId {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&(NOW_MS + n).to_be_bytes()[2..]);
    (bytes[6], bytes[8]) = (0x70, 0x80);
    MessageId::from_slice(&bytes).unwrap()
}

fn bytes_32(n: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (at, chunk) in (0u64..).zip(bytes.chunks_mut(8)) {
        chunk.copy_from_slice(&mixed(n * 4 + at).to_be_bytes());
    }
    bytes
}

impl Bench {
    fn new(store: Store) -> Self {
        let secp = Secp256k1::new();
        let key = |n: u64| SecretKey::from_slice(&bytes_32(n)).unwrap().public_key(&secp).into();
        Self { store, policy: Arc::default(), peers: (0..PEERS).map(key).collect(), sent: AtomicU64::new(0) }
    }

    /// The peer of the n-th message: the first one writes once in ten thousand times.
    fn peer(&self, n: u64) -> NodeId {
        let at = if n.is_multiple_of(10_000) { 0 } else { 1 + mixed(n) % (PEERS - 1) };
        self.peers[usize::try_from(at).unwrap()]
    }

    fn receive(&self, n: u64) {
        let content = Content { payload: text(n).into(), ..Content::default() };
        let part = Part { body: content.encode_to_vec(), ..Part::default() };
        let part = IncomingPart { id: id(n), piece: Piece::of(part).unwrap(), amount_msat: 1_000 };
        let incoming = Incoming {
            payment_hash: PaymentHash(bytes_32(n)),
            amount_msat: 1_000,
            now_ms: NOW_MS + n,
            receiver: Receiver { node_id: self.peers[0], chain_hash: Network::Regtest.into() },
            record: Body(vec![7; 200]),
            content: IncomingContent::Parts { sender: self.peer(n), parts: vec![part] },
        };
        self.store.receive(incoming, &self.policy).unwrap();
    }

    /// What a send takes of the store: the message, its payment, and what became of it.
    fn send(&self, n: u64) {
        let (recipient, body) = (self.peer(n), text(n));
        let total_bytes = u32::try_from(body.len()).unwrap();
        let outgoing = Outgoing {
            id: id(n),
            recipient,
            content_type: "text/plain".into(),
            encoded: Body(body.clone().into()),
            body: Body(body.into()),
            reply_to: None,
            asks_receipt: false,
            encoding: Encoding::Plain,
            amount_msat: 1_000,
            wanted_msat: None,
            fee_limit_msat: None,
            queues: false,
            expires_at_ms: NOW_MS * 2,
            idempotency_key: None,
            request_digest: [0; 32],
            now_ms: NOW_MS + n,
        };
        self.store.accept(outgoing).unwrap();
        let preimage = Preimage(bytes_32(n));
        let payment = Keysend {
            recipient,
            amount_msat: 1_000,
            fee_limit_msat: 50_010,
            preimage,
            record_type: 400_001,
            record: Body(vec![7; 200]),
        };
        let parts = vec![AttemptPart { id: id(n), range: 0..total_bytes, amount_msat: 1_000 }];
        self.store.start(Attempt { payment, parts, fee_budget_msat: None, now_ms: NOW_MS + n }).unwrap();
        let outcome = Outcome::Successful { fee_msat: 1 };
        self.store.settle(preimage.payment_hash(), outcome, NOW_MS + n).unwrap();
    }

    /// Receives three messages and sends one, again and again, up to this many in all. Gives the messages per second.
    fn fill(&self, from: u64, to: u64) -> f64 {
        let (began, next, step) = (Instant::now(), AtomicU64::new(from), ((to - from) / 10).max(1));
        thread::scope(|scope| {
            for _ in 0..WRITERS {
                scope.spawn(|| {
                    loop {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        if n >= to {
                            return;
                        }
                        if n % 4 == 3 {
                            self.send(n)
                        } else {
                            self.receive(n)
                        }
                        if (n + 1 - from).is_multiple_of(step) {
                            eprintln!("  {} of {to} messages after {:.0} s", n + 1, began.elapsed().as_secs_f64());
                        }
                    }
                });
            }
        });
        (to - from) as f64 / began.elapsed().as_secs_f64()
    }

    fn page(&self, query: Query) {
        let page = self.store.page(&Query { limit: 50, ..query }).unwrap();
        assert!(!page.messages.is_empty());
    }

    fn search(&self, query: &str, peer: Option<Peer>) {
        let search = Search { words: query.parse().unwrap(), peer, before: None, limit: 50 };
        self.store.search(&search).unwrap();
    }

    /// Asks every question several times, in turns, and gives each one's times in milliseconds.
    fn ask(&self, size: u64) -> BTreeMap<&'static str, Vec<f64>> {
        let mut times: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
        let (few, many) = (Some(Peer::Node(self.peers[0])), Some(Peer::Node(self.peer(1))));
        let mut question = |name: &'static str, run: &dyn Fn()| {
            let began = Instant::now();
            run();
            times.entry(name).or_default().push(began.elapsed().as_secs_f64() * 1_000.0);
        };
        for _ in 0..ROUNDS {
            // Above all numbers that the filling uses.
            let fresh = || (1 << 40) + size * 1_000 + self.sent.fetch_add(1, Ordering::Relaxed);
            question("01 a send: accept, start, settle", &|| self.send(fresh()));
            question("02 a receive", &|| self.receive(fresh()));
            question("03 newest page", &|| self.page(Query::default()));
            question("04 newest page, received", &|| {
                self.page(Query { direction: Some(Direction::In), ..Query::default() });
            });
            question("05 newest page of a conversation", &|| self.page(Query { peer: many, ..Query::default() }));
            question("06 conversations", &|| drop(self.store.conversations(None, 50).unwrap()));
            question("07 search: a rare word", &|| self.search("seldom", None));
            question("08 search: a word in every second", &|| self.search("often", None));
            question("09 search: that word, few of a peer", &|| self.search("often", few));
            question("10 search: two words", &|| self.search("often bakeli", None));
            question("11 search: a word's beginning", &|| self.search("ba*", None));
            question("12 search: a word that isn't there", &|| self.search("nowhere", None));
        }
        times
    }
}

fn sizes(args: &[String]) -> Vec<u64> {
    match value(args, "--messages") {
        None => SMOKE.to_vec(),
        Some(text) => {
            let wanted: u64 = text.parse().unwrap();
            if wanted > SHORT { vec![SHORT, wanted] } else { vec![wanted] }
        }
    }
}

fn value(args: &[String], flag: &str) -> Option<String> {
    args.iter().position(|arg| arg == flag).and_then(|at| args.get(at + 1)).cloned()
}

fn main() {
    let args: Vec<String> = env::args().collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages.sqlite");
    let bench = Bench::new(Store::open(&path).unwrap());
    let (mut filled, mut columns) = (0, Vec::new());
    for size in sizes(&args) {
        eprintln!("filling up to {size} messages …");
        let per_second = bench.fill(filled, size);
        filled = size;
        eprintln!("asking …");
        let file_bytes = fs::metadata(&path).unwrap().len();
        let times_ms = bench.ask(size);
        columns.push(Column { messages: size, inserted_per_second: per_second, file_bytes, times_ms });
    }
    show(&columns);
    if let Some(file) = value(&args, "--json") {
        let of = |column: &Column| {
            serde_json::json!({
                "messages": column.messages,
                "inserted_per_second": column.inserted_per_second,
                "file_bytes": column.file_bytes,
                "times_ms": column.times_ms,
            })
        };
        let json: Vec<_> = columns.iter().map(of).collect();
        fs::write(file, serde_json::to_vec_pretty(&json).unwrap()).unwrap();
    }
}

fn show(columns: &[Column]) {
    for Column { messages, inserted_per_second, file_bytes, .. } in columns {
        println!(
            "{messages} messages: inserted at {inserted_per_second:.0}/s by {WRITERS} writers, the file has {} MB",
            file_bytes / 1_000_000
        );
    }
    let heads: String =
        columns.iter().map(|column| format!("{:>26}", format!("{} messages", column.messages))).collect();
    println!("{:<36}{heads}", format!("median and slowest of {ROUNDS}, ms"));
    for name in columns.first().map(|column| column.times_ms.keys()).into_iter().flatten() {
        let of = |column: &Column| {
            let mut times = column.times_ms[name].clone();
            times.sort_by(f64::total_cmp);
            format!("{:>15.3}{:>11.3}", times[times.len() / 2], times[times.len() - 1])
        };
        println!("{:<36}{}", &name[3..], columns.iter().map(of).collect::<String>());
    }
}
