//! What a cycle sends, decided by the seed before it begins: who sends what to whom, how, when, and what is done to it.

use std::time::Duration;

use bitcoin::secp256k1::rand::{
    Rng as _, RngCore as _,
    distributions::{Alphanumeric, DistString as _},
    rngs::StdRng,
    seq::SliceRandom as _,
};

/// Over how long a cycle's calls begin.
pub const WINDOW_MS: u64 = 1_500;

/// The longest text.
const LONG_BYTES: usize = 20_000;

/// How a message is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// `Messages.Send`, whose caller waits.
    Waiting,
    /// `Messages.Send` with `queue`.
    Queued,
    /// `Messaging.SendMessage`, the small contract's way.
    Plain,
}

/// A message that is to be sent. No other has both its content type and its body.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its place in the run.
    pub name: String,
    pub from: usize,
    pub to: usize,
    pub way: Way,
    pub body: Vec<u8>,
    pub content_type: String,
    /// Which of the messages that are known between these two it answers, as a part of all of them.
    pub answers: Option<f64>,
    /// 0: the least.
    pub amount_sat: i64,
    pub expires_in_s: Option<i64>,
    /// Its idempotency key, under which it is sent as often as `calls` says.
    pub key: Option<String>,
    pub calls: usize,
    /// Whether each of these calls is made twice at the same time.
    pub is_doubled: bool,
    /// How long after the cycle's begin it is sent, how long between its calls, and how long each waits.
    pub delay: Duration,
    pub pause: Duration,
    pub timeout: Duration,
    /// How long after it was taken it is cancelled.
    pub cancel_after: Option<Duration>,
}

const TEXT: &str = "text/plain";

/// What is sent in a cycle between so many nodes.
pub fn orders(cycle: usize, nodes: usize, random: &mut StdRng) -> Vec<Order> {
    let mut orders = Vec::new();
    for _ in 0..random.gen_range(7..=11) {
        let (pair, number) = (pair(nodes, random), orders.len());
        orders.push(single(format!("{cycle}.{number}"), pair, random));
    }
    for _ in 0..random.gen_range(0..=2) {
        let (pair, at) = (pair(nodes, random), random.gen_range(0..WINDOW_MS));
        for _ in 0..random.gen_range(4..=9) {
            let name = format!("{cycle}.{}", orders.len());
            orders.push(Order { delay: Duration::from_millis(at), ..small(name, pair, random) });
        }
    }
    orders
}

/// Who sends to whom.
fn pair(nodes: usize, random: &mut StdRng) -> (usize, usize) {
    let from = random.gen_range(0..nodes);
    (from, (from + random.gen_range(1..nodes)) % nodes)
}

/// One of a burst.
fn small(name: String, (from, to): (usize, usize), random: &mut StdRng) -> Order {
    let bytes = random.gen_range(1..40);
    let body = text(&name, bytes, random);
    Order {
        from,
        to,
        way: Way::Queued,
        body,
        content_type: TEXT.to_owned(),
        answers: None,
        amount_sat: 0,
        expires_in_s: None,
        key: None,
        calls: 1,
        is_doubled: false,
        delay: Duration::ZERO,
        pause: Duration::ZERO,
        timeout: Duration::from_secs(10),
        cancel_after: None,
        name,
    }
}

fn single(name: String, pair: (usize, usize), random: &mut StdRng) -> Order {
    let order = small(name, pair, random);
    let name = order.name.clone();
    let way = *[Way::Waiting, Way::Waiting, Way::Queued, Way::Queued, Way::Queued, Way::Plain, Way::Plain]
        .choose(random)
        .unwrap_or(&Way::Plain);
    let (content_type, body) = match random.gen_range(0..100) {
        // Too short to be told from another by itself; and the small contract's messages have no content type.
        0..15 if way != Way::Plain => (format!("text/x.{name}"), tiny(random)),
        15..30 if way != Way::Plain => ("application/octet-stream".to_owned(), bytes(&name, random)),
        30..75 => (TEXT.to_owned(), text(&name, 200, random)),
        75..90 => (TEXT.to_owned(), text(&name, 2_000, random)),
        90..97 => {
            let bytes = random.gen_range(2_000..=LONG_BYTES);
            (TEXT.to_owned(), text(&name, bytes, random))
        }
        // Of which compression leaves little.
        97.. => (TEXT.to_owned(), format!("{name} {}", "again ".repeat(3_000)).into_bytes()),
        _ => (TEXT.to_owned(), text(&name, 20, random)),
    };
    let amount_sat = match random.gen_range(0..100) {
        0..12 => random.gen_range(40..300),
        // So much that an HTLC of it is no dust.
        12..16 => random.gen_range(400..2_000),
        _ => 0,
    };
    let is_keyed = random.gen_bool(0.4);
    let (calls, is_doubled) = (random.gen_range(1..=3), random.gen_bool(0.3));
    let timeout_ms = if random.gen_bool(0.25) { random.gen_range(300..3_000) } else { 10_000 };
    let expires_in_s = random.gen_bool(0.12).then(|| random.gen_range(1..=3));
    let cancel_after = random.gen_bool(0.15).then(|| Duration::from_millis(random.gen_range(0..1_500)));
    Order {
        way,
        body,
        content_type,
        answers: random.gen_bool(0.25).then(|| random.gen_range(0.0..1.0)),
        amount_sat,
        expires_in_s: expires_in_s.filter(|_| way != Way::Plain),
        key: is_keyed.then(|| format!("key {name}")),
        calls: if is_keyed { calls } else { 1 },
        is_doubled: is_keyed && is_doubled,
        delay: Duration::from_millis(random.gen_range(0..WINDOW_MS)),
        pause: Duration::from_millis(random.gen_range(50..1_000)),
        timeout: Duration::from_millis(timeout_ms),
        cancel_after: cancel_after.filter(|_| way == Way::Queued),
        ..order
    }
}

/// A text with its order's name, of letters and digits by chance: compression saves a quarter of it, no more.
fn text(name: &str, bytes: usize, random: &mut StdRng) -> Vec<u8> {
    format!("{name} {}", Alphanumeric.sample_string(random, bytes)).into_bytes()
}

fn tiny(random: &mut StdRng) -> Vec<u8> {
    let length = random.gen_range(1..=4);
    Alphanumeric.sample_string(random, length).into_bytes()
}

fn bytes(name: &str, random: &mut StdRng) -> Vec<u8> {
    let mut body = name.as_bytes().to_vec();
    let begin = body.len();
    body.resize(begin + random.gen_range(1..3_000), 0);
    random.fill_bytes(&mut body[begin..]);
    body
}
