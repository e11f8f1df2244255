//! What happened in a world: every call with its answer, every kill, and every channel that was closed.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::{
    calls::{Answer, Entry},
    workload::Order,
};

/// The one in the middle of a world of three.
pub const CAROL: usize = 2;

/// A kill or a channel's close.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    /// Who had the channel; for a kill the node twice.
    pub pair: (usize, usize),
    /// Unix time in milliseconds.
    pub at_ms: u64,
}

/// What is known of a world besides what its nodes say.
pub struct Ledger {
    pub nodes: usize,
    pub entries: Vec<Entry>,
    /// The channels that were found closed.
    pub closes: Vec<Loss>,
    /// The kills.
    pub kills: Vec<Loss>,
}

impl Ledger {
    pub fn new(nodes: usize) -> Self {
        Self { nodes, entries: Vec::new(), closes: Vec::new(), kills: Vec::new() }
    }

    /// An order as it is sent now: with the message that it answers.
    pub fn entry(&self, order: Order) -> Entry {
        let is_between = |entry: &&Entry| {
            [(order.from, order.to), (order.to, order.from)].contains(&(entry.order.from, entry.order.to))
        };
        let known: Vec<&str> = self.entries.iter().filter(is_between).filter_map(|entry| taken(entry)).collect();
        let answered = order.answers.and_then(|part| known.get((part * known.len() as f64) as usize));
        let reply_to = answered.map(|id| (*id).to_owned()).unwrap_or_default();
        Entry { order, reply_to, since_ms: now_ms(), calls: Vec::new(), cancelled: None }
    }

    /// How many channels on the way between these two were closed since then.
    pub fn closes(&self, from: usize, to: usize, since_ms: u64) -> usize {
        let way = links(self.nodes, from, to);
        self.closes.iter().filter(|close| close.at_ms >= since_ms && way.contains(&close.pair)).count()
    }

    /// Whether this node was killed since then.
    pub fn is_killed(&self, node: usize, since_ms: u64) -> bool {
        self.kills.iter().any(|kill| kill.pair.0 == node && kill.at_ms >= since_ms)
    }
}

/// The channels on the way between two nodes, by the numbers of who opened them and to whom.
pub fn links(nodes: usize, from: usize, to: usize) -> Vec<(usize, usize)> {
    let all = if nodes == 2 { vec![(0, 1)] } else { vec![(0, CAROL), (CAROL, 1)] };
    let is_on_the_way = |link: &(usize, usize)| match (from, to) {
        (CAROL, end) | (end, CAROL) => link.0 == end || link.1 == end,
        _ => true,
    };
    all.into_iter().filter(is_on_the_way).collect()
}

/// Whether what goes between these two nodes passes through this one, or ends there.
pub fn concerns(nodes: usize, node: usize, from: usize, to: usize) -> bool {
    links(nodes, from, to).iter().any(|link| link.0 == node || link.1 == node)
}

pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

fn taken(entry: &Entry) -> Option<&str> {
    entry.calls.iter().find_map(|call| match &call.answer {
        Answer::Taken(id) => Some(id.as_str()),
        _ => None,
    })
}
