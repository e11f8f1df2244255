//! Whether what the nodes have agrees with what their callers were told: each message, its order, and its end.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Instant,
};

use boltgram_api::v1::{self, State};

use crate::{
    calls::{Answer, Cancelled, Entry},
    ledger::Ledger,
    payments,
    report::{Fault, Findings},
    support::{
        NodeHandle,
        books::{self, Attempt, Hash},
    },
    workload::Way,
};

/// What a node says.
pub struct Books {
    pub name: String,
    pub pubkey: String,
    pub sent: Vec<v1::Message>,
    pub received: Vec<v1::Message>,
    /// The ids of each conversation as it is listed, by the peer's number.
    conversations: Vec<Vec<String>>,
    pub attempts: BTreeMap<Hash, Attempt>,
    pub booked: BTreeMap<Hash, u64>,
    pub held: i64,
}

/// Reasons for which a message that queues isn't taken.
const QUEUE_REFUSALS: [&str; 3] = ["DISK_LOW", "STOPPING", "TOO_MANY_CALLS"];

/// Reasons that a well-made order is never refused for.
const WRONG: [&str; 8] = [
    "IDEMPOTENCY_CONFLICT",
    "INVALID_FIELD",
    "INVALID_ID",
    "INVALID_PUBKEY",
    "AMOUNT_TOO_SMALL",
    "MESSAGE_TOO_LONG",
    "NODE_ERROR",
    "STORE_ERROR",
];

impl Books {
    /// Reads them, once nothing is under way.
    pub async fn read(node: &NodeHandle, peers: &[NodeHandle]) -> Self {
        let (sent, received) = books::listed(node, "").await.into_iter().partition(is_sent);
        let mut conversations = Vec::new();
        for peer in peers {
            let listed = if peer.pubkey == node.pubkey { Vec::new() } else { books::listed(node, &peer.pubkey).await };
            conversations.push(listed.into_iter().map(|message| message.id).collect());
        }
        let held = node.client().await.messages().list_held(v1::ListHeldRequest::default()).await.unwrap();
        Self {
            name: node.name.clone(),
            pubkey: node.pubkey.clone(),
            sent,
            received,
            conversations,
            attempts: books::attempts(node),
            booked: books::booked(node),
            held: held.into_inner().counts.iter().map(|count| count.payments).sum(),
        }
    }
}

fn is_sent(message: &v1::Message) -> bool {
    message.direction() == v1::Direction::Out
}

/// Compares all of it.
pub fn audit(ledger: &Ledger, nodes: &[Books]) -> Findings {
    let mut findings = Findings::default();
    for node in nodes {
        if node.held > 0 {
            findings.add(Fault::Other, format!("{} has put {} payments aside", node.name, node.held));
        }
        conversations(node, nodes, &mut findings);
    }
    messages(ledger, nodes, &mut findings);
    for from in 0..nodes.len() {
        for to in (0..nodes.len()).filter(|to| *to != from) {
            call_order(ledger, from, to, &mut findings);
        }
    }
    payments::audit(ledger, nodes, &mut findings);
    findings
}

/// Each conversation is listed by its ids, the last first, and has all that is there.
fn conversations(node: &Books, nodes: &[Books], findings: &mut Findings) {
    let mut listed = 0;
    for (peer, ids) in nodes.iter().zip(&node.conversations) {
        listed += ids.len();
        let is_ordered = ids.is_sorted_by(|one, next| one > next);
        findings.check(is_ordered, Fault::OutOfOrder, || format!("{}'s conversation with {}", node.name, peer.name));
        let there: BTreeSet<&str> = (node.sent.iter().chain(&node.received))
            .filter(|message| message.peer_pubkey == peer.pubkey)
            .map(|message| message.id.as_str())
            .collect();
        findings.check(ids.iter().map(String::as_str).rev().eq(there), Fault::Other, || {
            format!("{}'s conversation with {} has other messages than its list", node.name, peer.name)
        });
    }
    findings.check(listed == node.sent.len() + node.received.len(), Fault::Other, || {
        format!("{} lists messages that are in no conversation", node.name)
    });
}

/// What tells a message from all others: who sends it to whom, its content type and its body.
type Content<'a> = (&'a str, &'a str, &'a str, &'a [u8]);

fn messages(ledger: &Ledger, nodes: &[Books], findings: &mut Findings) {
    let mut sent: HashMap<Content<'_>, Vec<&v1::Message>> = HashMap::new();
    let mut received = sent.clone();
    for node in nodes {
        for message in &node.sent {
            let content: Content<'_> = (&node.pubkey, &message.peer_pubkey, &message.content_type, &message.body);
            sent.entry(content).or_default().push(message);
        }
        for message in &node.received {
            let content: Content<'_> = (&message.peer_pubkey, &node.pubkey, &message.content_type, &message.body);
            received.entry(content).or_default().push(message);
        }
    }
    for entry in &ledger.entries {
        let (from, to) = (&nodes[entry.order.from], &nodes[entry.order.to]);
        let content: Content<'_> = (&from.pubkey, &to.pubkey, &entry.order.content_type, &entry.order.body);
        let case = Case {
            ledger,
            entry,
            from,
            sent: sent.remove(&content).unwrap_or_default(),
            received: received.remove(&content).unwrap_or_default(),
        };
        case.check(findings);
    }
    for message in sent.into_values().flatten() {
        findings.add(Fault::Other, format!("{} is in the outbox, and nobody has sent it", message.id));
    }
    for message in received.into_values().flatten() {
        findings.add(Fault::Other, format!("{} is in the inbox, and nobody has sent it", message.id));
    }
}

/// An order with what both sides have of it.
struct Case<'a> {
    ledger: &'a Ledger,
    entry: &'a Entry,
    from: &'a Books,
    sent: Vec<&'a v1::Message>,
    received: Vec<&'a v1::Message>,
}

impl Case<'_> {
    fn check(&self, findings: &mut Findings) {
        let tally = &mut findings.tally;
        tally.messages += usize::from(self.entry.is_accepted());
        let fault = |fault, what: String| (fault, self.told(&what));
        let mut faults = Vec::new();
        if self.received.len() > 1 {
            faults.push(fault(Fault::Doubled, format!("is in the inbox {} times", self.received.len())));
        }
        if self.sent.len() > 1 {
            faults.push(fault(Fault::Doubled, format!("is in the outbox {} times", self.sent.len())));
        }
        let message = self.sent.first();
        for told in self.entry.calls.iter().filter_map(|call| call.answer.id()) {
            if message.is_none_or(|message| message.id != told) {
                faults.push(fault(Fault::Other, format!("was told to be {told}, and isn't")));
            }
        }
        for (place, copy) in
            self.sent.iter().map(|one| ("outbox", one)).chain(self.received.iter().map(|one| ("inbox", one)))
        {
            if copy.reply_to_id != self.entry.reply_to || message.is_some_and(|message| message.id != copy.id) {
                faults.push(fault(
                    Fault::Other,
                    format!("is {} in the {place}, answering {:?}", copy.id, copy.reply_to_id),
                ));
            }
        }
        for call in &self.entry.calls {
            if let Answer::Refused(reason, _) = &call.answer
                && (WRONG.contains(&reason.as_str())
                    || self.entry.order.way == Way::Queued && !self.may_refuse_queued(reason))
            {
                faults.push(fault(Fault::Other, format!("was refused: {reason}")));
            }
        }
        let state = message.map(|message| message.state());
        if let Some((kind, what)) = self.wrong_end(state, findings) {
            faults.push(fault(kind, what));
        }
        faults.into_iter().for_each(|(fault, text)| findings.add(fault, text));
    }

    /// Under a key a message is asked for again that has ended.
    fn may_refuse_queued(&self, reason: &str) -> bool {
        let is_ended = ["MESSAGE_CANCELLED", "MESSAGE_EXPIRED"].contains(&reason) && self.entry.order.key.is_some();
        is_ended || QUEUE_REFUSALS.contains(&reason)
    }

    /// What is wrong in how it has ended.
    fn wrong_end(&self, state: Option<State>, findings: &mut Findings) -> Option<(Fault, String)> {
        let (entry, order) = (self.entry, &self.entry.order);
        let tally = &mut findings.tally;
        let is_closed = self.ledger.closes(order.from, order.to, entry.since_ms) > 0;
        let has_arrived = !self.received.is_empty();
        match state {
            None if entry.is_accepted() => Some((Fault::Lost, "was taken, and isn't in the outbox".into())),
            None => None,
            Some(State::Delivered) => {
                tally.delivered += 1;
                if !has_arrived {
                    Some((Fault::Lost, "is delivered, and not in the inbox".into()))
                } else if entry.is_refused() && !is_closed {
                    Some((Fault::Other, "was refused, and is delivered".into()))
                } else {
                    None
                }
            }
            Some(State::Failed | State::Cancelled | State::Expired) => {
                let allowed = match state {
                    Some(State::Cancelled) => {
                        tally.cancelled += 1;
                        matches!(entry.cancelled, Some(Cancelled::Yes | Cancelled::Nothing))
                    }
                    Some(State::Expired) => {
                        tally.expired += 1;
                        order.expires_in_s.is_some()
                    }
                    _ => {
                        tally.failed += 1;
                        tally.went_on_and_failed += usize::from(entry.is_accepted());
                        order.way != Way::Queued
                    }
                };
                if !allowed || order.way != Way::Queued && entry.is_taken() {
                    return Some((Fault::Lost, "was taken, and nothing may have ended it".into()));
                }
                if !has_arrived {
                    return None;
                }
                tally.failed_but_arrived += 1;
                let was_tried = self.was_tried();
                (!is_closed || !was_tried)
                    .then(|| (Fault::Other, format!("has arrived all the same (tried: {was_tried})")))
            }
            Some(_) => Some((Fault::Other, "has not ended".into())),
        }
    }

    fn was_tried(&self) -> bool {
        let carries = |attempt: &Attempt| {
            attempt.parts.iter().any(|(id, _)| self.sent.first().is_some_and(|message| message.id == *id))
        };
        self.from.attempts.values().any(carries)
    }

    /// A sentence about this order with all that is known of it.
    fn told(&self, what: &str) -> String {
        let states: Vec<_> = self.sent.iter().map(|message| (&message.id, message.state(), message.payments)).collect();
        let answers: Vec<_> = self.entry.calls.iter().map(|call| &call.answer).collect();
        let order = &self.entry.order;
        format!(
            "{} ({:?}, node {} to {}, {} bytes) {what}: outbox {states:?}, {} in the inbox, answered {answers:?}, \
             cancelled {:?}",
            order.name,
            order.way,
            order.from,
            order.to,
            order.body.len(),
            self.received.len(),
            self.entry.cancelled,
        )
    }
}

/// A message that was taken before another was asked for has the lower id.
fn call_order(ledger: &Ledger, from: usize, to: usize, findings: &mut Findings) {
    let mut taken: Vec<(&str, Instant, Instant, &str)> = Vec::new();
    for entry in ledger.entries.iter().filter(|entry| (entry.order.from, entry.order.to) == (from, to)) {
        let told = entry.calls.iter().filter_map(|call| Some((call.answer.id()?, call.end))).min_by_key(|told| told.1);
        if let (Some((id, end)), Some(first)) = (told, entry.calls.iter().map(|call| call.begin).min()) {
            taken.push((id, first, end, &entry.order.name));
        }
    }
    taken.sort_unstable();
    let mut latest: Option<(Instant, &str)> = None;
    for (id, begin, end, name) in taken {
        if let Some((other_begin, other)) = latest.filter(|latest| latest.0 > end) {
            let apart = other_begin - end;
            findings.add(
                Fault::OutOfOrder,
                format!("{name} ({id}) was taken {apart:?} before {other}, and comes after it"),
            );
        }
        latest = latest.max(Some((begin, name)));
    }
}
