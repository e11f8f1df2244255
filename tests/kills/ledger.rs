//! What a sender was asked to send and was answered, and whether both sides' books agree with it exactly.

use std::{collections::BTreeMap, time::Duration};

use boltgram_api::v1;
use tonic_types::StatusExt as _;

use crate::support::{
    NodeHandle,
    books::{self, End, Hash},
    eventually,
};

/// DESIGN.md, "Recovery": a kill costs a second payment of the same bytes at most.
const PAYMENTS_PER_BYTE: usize = 2;

/// A message that is to be sent.
#[derive(Clone)]
pub struct Order {
    /// Its text, which no other order has.
    pub text: String,
    /// Its idempotency key.
    pub key: String,
    /// Whether it waits in the outbox; else its caller waits.
    pub queue: bool,
}

/// What its caller was told.
pub enum Answer {
    /// It has this id, and unless it queues it is delivered.
    Taken(String),
    /// It was refused for good: the recipient has nothing.
    Refused(String),
    /// The connection broke, or the deadline passed: nothing.
    Nothing,
}

/// All that one node was asked to send to another.
pub struct Ledger {
    pub sender: NodeHandle,
    pub recipient: NodeHandle,
    orders: Vec<(Order, String)>,
}

impl Order {
    /// Asks for it. Under its key this may be done again and again.
    pub async fn place(&self, sender: &NodeHandle, recipient: &NodeHandle) -> Answer {
        let request = v1::SendRequest {
            pubkey: recipient.pubkey.clone(),
            content: Some(v1::send_request::Content::Text(self.text.clone())),
            idempotency_key: self.key.clone(),
            queue: self.queue,
            ..Default::default()
        };
        let Ok(client) = boltgram_api::client::Client::connect(&sender.grpc).await else { return Answer::Nothing };
        match client.messages().send(request).await {
            Ok(answer) => Answer::Taken(answer.into_inner().message.unwrap().id),
            Err(status) if status.code() == tonic::Code::DeadlineExceeded => Answer::Nothing,
            Err(status) => match status.get_details_error_info() {
                Some(info) => Answer::Refused(info.reason),
                None => Answer::Nothing,
            },
        }
    }
}

impl Ledger {
    pub fn new(sender: &NodeHandle, recipient: &NodeHandle) -> Self {
        Self { sender: sender.clone(), recipient: recipient.clone(), orders: Vec::new() }
    }

    /// After a kill and a restart: waits until all that the sender knows of these orders has ended, compares that with
    /// what their callers were told, places those again that were not taken, and waits until they are delivered.
    /// `is_closed`: a channel was closed, so that what was told to have failed may have arrived.
    pub async fn bring_home(&mut self, placed: Vec<(Order, Answer)>, is_closed: bool) {
        self.wait_for_ends().await;
        let sent = by_text(books::messages(&self.sender, v1::Direction::Out).await);
        let received = by_text(books::messages(&self.recipient, v1::Direction::In).await);
        for (order, answer) in placed {
            let name = &order.key;
            let rows = sent.get(&order.text).map(Vec::as_slice).unwrap_or_default();
            let arrived = received.get(&order.text).map_or(0, Vec::len);
            assert!(rows.len() <= 1, "{name} is in the outbox {} times", rows.len());
            assert!(arrived <= 1, "{name} is in the inbox {arrived} times");
            let state = rows.first().map(v1::Message::state);
            match state {
                None | Some(v1::State::Failed) => assert!(arrived == 0 || is_closed, "{name}: {state:?}, and arrived"),
                Some(v1::State::Delivered) => {}
                other => panic!("{name}: {other:?}"),
            }
            match &answer {
                Answer::Taken(id) => {
                    assert_eq!(rows.first().map(|message| message.id.as_str()), Some(id.as_str()), "{name}");
                    assert_eq!(state, Some(v1::State::Delivered), "{name} was taken");
                }
                Answer::Refused(reason) => {
                    assert!(!order.queue, "{name} queues, and was refused: {reason}");
                    assert_ne!((state, is_closed), (Some(v1::State::Delivered), false), "{name} was refused: {reason}");
                }
                Answer::Nothing => {}
            }
            let before = rows.first().map(|message| message.id.clone());
            let id = eventually(&format!("{name} is taken"), || async {
                match order.place(&self.sender, &self.recipient).await {
                    Answer::Taken(id) => Some(id),
                    Answer::Refused(reason) if order.queue => panic!("{name} queues, and was refused: {reason}"),
                    Answer::Refused(_) | Answer::Nothing => None,
                }
            })
            .await;
            assert!(before.is_none_or(|before| before == id), "{name} has one id under its key");
            self.orders.push((order, id));
        }
        self.wait_for_ends().await;
    }

    /// Compares the books of both sides: each message once, whole, by its id; each payment known to its sender, and no
    /// byte paid for more often than may be. Returns how many payments brought nothing new.
    pub async fn check(&self) -> usize {
        let count = self.orders.len();
        let received = eventually("the inbox holds all messages", || async {
            let received = books::messages(&self.recipient, v1::Direction::In).await;
            (received.len() >= count).then_some(received)
        })
        .await;
        let sent = books::messages(&self.sender, v1::Direction::Out).await;
        let ordered: BTreeMap<&str, &str> =
            self.orders.iter().map(|(order, id)| (id.as_str(), order.text.as_str())).collect();
        assert_eq!(ordered.len(), count, "each order has an id of its own");
        for (place, messages, state) in
            [("outbox", &sent, v1::State::Delivered), ("inbox", &received, v1::State::Received)]
        {
            let found: BTreeMap<&str, &str> =
                messages.iter().map(|message| (message.id.as_str(), message.text.as_str())).collect();
            assert_eq!(messages.len(), count, "messages in the {place}");
            assert!(found == ordered, "the {place} has other messages than were sent");
            let others: Vec<_> = messages.iter().filter(|message| message.state() != state).map(|m| &m.id).collect();
            assert!(others.is_empty(), "in the {place} and not {state:?}: {others:?}");
        }
        let payments = self.payments().await;
        self.repeats(&payments)
    }

    /// The payments that have arrived, when the recipient's node and its message store agree on them.
    async fn payments(&self) -> Vec<Hash> {
        eventually("each payment is booked", || async {
            let (claimed, booked) = (books::claimed(&self.recipient).await, books::booked(&self.recipient));
            claimed.iter().eq(booked.keys()).then(|| claimed.into_iter().collect())
        })
        .await
    }

    fn repeats(&self, payments: &[Hash]) -> usize {
        let paid = books::paid(payments, &books::attempts(&self.sender));
        for (id, bytes) in &paid.bytes {
            assert!(bytes.iter().all(|count| *count > 0), "{id} arrived with bytes that nobody paid for");
            let most = bytes.iter().max().copied().unwrap_or_default();
            assert!(most <= PAYMENTS_PER_BYTE, "{id} was paid for {most} times");
        }
        paid.repeats
    }

    /// Waits until nothing is under way: no message, and no payment.
    async fn wait_for_ends(&self) {
        eventually("nothing is under way any more", || async { self.is_at_rest().await.then_some(()) }).await;
    }

    /// Waits so long for that; says whether it came about.
    pub async fn comes_to_rest(&self, patience: Duration) -> bool {
        let is_at_rest = async {
            while !self.is_at_rest().await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(patience, is_at_rest).await.is_ok()
    }

    async fn is_at_rest(&self) -> bool {
        let sent = books::messages(&self.sender, v1::Direction::Out).await;
        let is_over = |message: &v1::Message| !matches!(message.state(), v1::State::Queued | v1::State::Sending);
        sent.iter().all(is_over) && books::attempts(&self.sender).values().all(|attempt| attempt.end != End::Open)
    }
}

fn by_text(messages: Vec<v1::Message>) -> BTreeMap<String, Vec<v1::Message>> {
    let mut found: BTreeMap<String, Vec<v1::Message>> = BTreeMap::new();
    for message in messages {
        found.entry(message.text.clone()).or_default().push(message);
    }
    found
}
