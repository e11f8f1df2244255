//! Whether what each side paid and received agrees: every payment by its hash, every message's amount, every balance.

use std::collections::{BTreeMap, BTreeSet};

use boltgram_api::v1::{self, State};
use boltgram_core::limits::WATCHED_MSAT_MIN;

use crate::{
    audit::Books,
    ledger::{CAROL, Ledger, links},
    report::{Fault, Findings},
    support::{
        books::{self, Attempt, End, Hash},
        chain::Node,
    },
};

/// Compares the payments of all nodes.
pub fn audit(ledger: &Ledger, nodes: &[Books], findings: &mut Findings) {
    for from in 0..nodes.len() {
        let mut arrived = Vec::new();
        let mut cut = BTreeSet::new();
        for (hash, attempt) in &nodes[from].attempts {
            let Some(to) = nodes.iter().position(|node| node.pubkey == attempt.recipient) else {
                findings.add(Fault::Other, format!("payment {hash} went to {}, whom nobody knows", attempt.recipient));
                continue;
            };
            let booked_msat = nodes[to].booked.get(hash).copied();
            arrived.extend(booked_msat.map(|_| hash.clone()));
            if booked_msat.is_some_and(|booked_msat| booked_msat != attempt.amount_msat) {
                cut.extend(attempt.parts.iter().map(|(id, _)| id.clone()));
            }
            let wrong = wrong_end(ledger, (from, to), attempt, booked_msat, findings);
            findings.check(wrong.is_none(), Fault::Other, || {
                let (from, to) = (&nodes[from].name, &nodes[to].name);
                format!("payment {hash} from {from} to {to} {}: {attempt:?}", wrong.unwrap_or_default())
            });
        }
        let paid = books::paid(&arrived, &nodes[from].attempts);
        findings.tally.payments += arrived.len();
        findings.tally.double_payments += paid.repeats;
        amounts(ledger, nodes, from, &paid.bytes, &cut, findings);
    }
    let known: BTreeSet<&Hash> = nodes.iter().flat_map(|node| node.attempts.keys()).collect();
    for node in nodes {
        for hash in node.booked.keys().filter(|hash| !known.contains(hash)) {
            findings.add(Fault::Other, format!("{} has received payment {hash}, which nobody has made", node.name));
        }
    }
}

/// What is wrong in how a payment has ended, by the word of who made it and who booked it.
fn wrong_end(
    ledger: &Ledger,
    (from, to): (usize, usize),
    attempt: &Attempt,
    booked_msat: Option<u64>,
    findings: &mut Findings,
) -> Option<&'static str> {
    let tally = &mut findings.tally;
    match (attempt.end, booked_msat) {
        (End::Open, _) => Some("has no end"),
        (End::Successful, None) => Some("was claimed, and isn't booked"),
        // Cut anew while nothing was known of it, and it had been sent before.
        (End::Successful, Some(booked_msat)) if booked_msat != attempt.amount_msat => {
            tally.cut_anew += 1;
            let may_be = booked_msat > attempt.amount_msat && ledger.is_killed(from, attempt.started_at_ms);
            (!may_be).then_some("was booked with another amount")
        }
        (End::Failed, Some(_)) => {
            tally.failed_but_claimed += 1;
            (ledger.closes(from, to, attempt.started_at_ms) == 0).then_some("failed, and is booked")
        }
        (End::Failed, None) | (End::Successful, Some(_)) => None,
    }
}

/// Each message of this sender's carries for both sides the same, and no byte was paid for without a reason.
fn amounts(
    ledger: &Ledger,
    nodes: &[Books],
    from: usize,
    bytes: &BTreeMap<String, Vec<usize>>,
    cut: &BTreeSet<String>,
    findings: &mut Findings,
) {
    let received: BTreeMap<(&str, &str), &v1::Message> = (nodes.iter())
        .flat_map(|node| node.received.iter().map(|message| ((node.pubkey.as_str(), message.id.as_str()), message)))
        .collect();
    for message in &nodes[from].sent {
        let times = bytes.get(&message.id).map(Vec::as_slice).unwrap_or_default();
        let most = times.iter().max().copied().unwrap_or_default();
        // Who is killed finds out what became of a payment, unless its channel was closed: then another may go out.
        let to = nodes.iter().position(|node| node.pubkey == message.peer_pubkey).unwrap();
        let excused = 1 + ledger.closes(from, to, message.stored_at_ms.unsigned_abs());
        findings.check(most <= excused, Fault::Other, || {
            format!("{} was paid for {most} times, and may have been {excused} times", message.id)
        });
        let Some(copy) = received.get(&(message.peer_pubkey.as_str(), message.id.as_str())) else { continue };
        findings.check(times.iter().all(|times| *times > 0), Fault::Other, || {
            format!("{} arrived with bytes that nobody paid for", message.id)
        });
        if message.state() == State::Delivered && most == 1 && !cut.contains(&message.id) {
            let (sent_msat, received_msat) = (message.amount_msat, copy.amount_msat);
            findings.check(sent_msat == received_msat, Fault::Other, || {
                format!("{} carried {sent_msat} msat for its sender and {received_msat} for its recipient", message.id)
            });
        }
    }
    for entry in ledger.entries.iter().filter(|entry| entry.order.from == from && entry.order.amount_sat > 0) {
        let id = entry.calls.iter().find_map(|call| call.answer.id());
        let message = nodes[from].sent.iter().find(|message| Some(message.id.as_str()) == id);
        let is_less = |message: &&v1::Message| {
            message.state() == State::Delivered && message.amount_msat < entry.order.amount_sat * 1_000
        };
        if let Some(message) = message.filter(is_less) {
            let (wanted, carried) = (entry.order.amount_sat, message.amount_msat);
            findings
                .add(Fault::Other, format!("{} carried {carried} msat, and {wanted} sat were asked for", message.id));
        }
    }
}

/// What the channels of each node hold, when nothing is in flight, and what was paid until then.
pub struct Balances {
    outbound_msat: Vec<i128>,
    expected_msat: Vec<i128>,
}

impl Balances {
    pub async fn read(nodes: &[Node], books: &[Books]) -> Self {
        let mut outbound_msat = Vec::new();
        for node in nodes {
            outbound_msat.push(node.channels().await.iter().map(|channel| i128::from(channel.outbound_msat)).sum());
        }
        Self { outbound_msat, expected_msat: expected(books) }
    }

    /// Whether each node's channels hold so much more than before as its ledger says; no channel was closed in between.
    pub fn agree(&self, before: &Self, books: &[Books], findings: &mut Findings) {
        for (number, node) in books.iter().enumerate() {
            let held = self.outbound_msat[number] - before.outbound_msat[number];
            let expected = self.expected_msat[number] - before.expected_msat[number];
            findings.check(held == expected, Fault::Other, || {
                format!("{}'s channels hold {held} msat more than before, and by its ledger {expected}", node.name)
            });
        }
    }
}

/// What each node has gained by its payments, in millisatoshi: received, less paid with its fees, and the fees of what
/// went through it.
fn expected(books: &[Books]) -> Vec<i128> {
    let mut gained: Vec<i128> =
        books.iter().map(|node| node.booked.values().map(|msat| i128::from(*msat)).sum()).collect();
    for (from, node) in books.iter().enumerate() {
        for attempt in node.attempts.values().filter(|attempt| attempt.end == End::Successful) {
            let to = books.iter().position(|node| node.pubkey == attempt.recipient).unwrap();
            let (booked_msat, fee_msat) = (attempt.amount_msat, i128::from(attempt.fee_msat));
            gained[from] -= i128::from(booked_msat) + fee_msat;
            if links(books.len(), from, to).len() > 1 {
                gained[CAROL] += fee_msat;
            }
        }
    }
    gained
}

/// The payments that were in flight over a channel when it was found closed: if they fail, it may have burnt them.
#[derive(Default)]
pub struct AtStake(BTreeSet<Hash>);

impl AtStake {
    pub fn add(
        &mut self,
        ledger: &Ledger,
        closed: &[(usize, usize)],
        open: Vec<(usize, BTreeMap<Hash, Attempt>)>,
        nodes: &[Node],
    ) {
        for (from, attempts) in open {
            for (hash, attempt) in attempts.into_iter().filter(|(_, attempt)| attempt.end == End::Open) {
                let to = nodes.iter().position(|node| node.pubkey == attempt.recipient).unwrap();
                if links(ledger.nodes, from, to).iter().any(|link| closed.contains(link)) {
                    self.0.insert(hash);
                }
            }
        }
    }

    /// How many of them failed without having arrived, and what they were worth in millisatoshi.
    pub fn burnt(&self, books: &[Books]) -> (usize, u64) {
        let attempts = books.iter().flat_map(|node| &node.attempts);
        // An HTLC that is no dust comes back on chain.
        let is_dust = |attempt: &Attempt| attempt.amount_msat < WATCHED_MSAT_MIN;
        let failed =
            attempts.filter(|(hash, attempt)| attempt.end == End::Failed && is_dust(attempt) && self.0.contains(*hash));
        let burnt = failed.filter(|(hash, _)| !books.iter().any(|node| node.booked.contains_key(*hash)));
        burnt.fold((0, 0), |(count, sum), (_, attempt)| (count + 1, sum + attempt.amount_msat))
    }
}
