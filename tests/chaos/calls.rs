//! An order carried out: its calls, and what each was answered.

use std::time::{Duration, Instant};

use boltgram_api::{
    client::{Client, RpcError},
    messaging::SendMessageRequest,
    v1,
};
use tokio::time::sleep;
use tonic::{Code, Request};

use crate::{
    support::NodeHandle,
    workload::{Order, Way},
};

/// What a caller was told.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The message has this id; and unless it queues, it is delivered.
    Taken(String),
    /// It has this id and goes on, past the caller's deadline.
    GoesOn(String),
    /// It was refused, for this reason; with its id when it has one.
    Refused(String, Option<String>),
    /// The connection broke or the time was over: nothing is known.
    Nothing,
}

/// A call.
#[derive(Clone, Debug)]
pub struct Call {
    pub begin: Instant,
    pub end: Instant,
    pub answer: Answer,
}

/// What a call to cancel was told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cancelled {
    Yes,
    Refused(String),
    Nothing,
}

/// An order as it is sent, with all that came of it.
#[derive(Debug)]
pub struct Entry {
    pub order: Order,
    /// The id of the message that it answers; empty if none.
    pub reply_to: String,
    /// When it was given: Unix time in milliseconds.
    pub since_ms: u64,
    pub calls: Vec<Call>,
    pub cancelled: Option<Cancelled>,
}

impl Answer {
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Taken(id) | Self::GoesOn(id) => Some(id),
            Self::Refused(_, id) => id.as_deref(),
            Self::Nothing => None,
        }
    }
}

impl Entry {
    /// Carries the order out.
    pub async fn carry_out(mut self, from: NodeHandle, to: NodeHandle) -> Self {
        sleep(self.order.delay).await;
        for round in 0..self.order.calls {
            if round > 0 {
                sleep(self.order.pause).await;
            }
            self.call(&from, &to).await;
        }
        let taken = self.calls.iter().find_map(|call| call.answer.id());
        if let (Some(after), Some(id)) = (self.order.cancel_after, taken) {
            let id = id.to_owned();
            sleep(after).await;
            self.cancelled = Some(cancel(&from, id, self.order.timeout).await);
        }
        self
    }

    /// Makes its call; twice at the same time when it is one of those.
    pub async fn call(&mut self, from: &NodeHandle, to: &NodeHandle) {
        if self.order.is_doubled {
            let (one, other) = tokio::join!(self.once(from, to), self.once(from, to));
            self.calls.extend([one, other]);
        } else {
            let call = self.once(from, to).await;
            self.calls.push(call);
        }
    }

    /// Whether a call was told that the message is there, and that it is delivered if it doesn't queue.
    pub fn is_taken(&self) -> bool {
        self.calls.iter().any(|call| matches!(call.answer, Answer::Taken(_)))
    }

    /// Whether a call was told that the message is there.
    pub fn is_accepted(&self) -> bool {
        self.calls.iter().any(|call| matches!(call.answer, Answer::Taken(_) | Answer::GoesOn(_)))
    }

    /// Whether each call was told that the recipient has nothing.
    pub fn is_refused(&self) -> bool {
        self.calls.iter().all(|call| matches!(call.answer, Answer::Refused(..)))
    }

    async fn once(&self, from: &NodeHandle, to: &NodeHandle) -> Call {
        let begin = Instant::now();
        let answer = self.answer(from, to).await;
        Call { begin, end: Instant::now(), answer }
    }

    async fn answer(&self, from: &NodeHandle, to: &NodeHandle) -> Answer {
        // A node that is stopped takes a connection and says nothing.
        let Ok(Ok(client)) = tokio::time::timeout(self.order.timeout, Client::connect(&from.grpc)).await else {
            return Answer::Nothing;
        };
        let id = match self.order.way {
            Way::Plain => {
                let request = timed(self.plain(to), self.order.timeout, self.order.key.as_deref());
                client.messaging().send_message(request).await.map(|answer| answer.into_inner().id)
            }
            Way::Waiting | Way::Queued => {
                let request = timed(self.send(to), self.order.timeout, None);
                client.messages().send(request).await.map(|answer| answer.into_inner().message.unwrap().id)
            }
        };
        id.map_or_else(|status| refused(status.into()), Answer::Taken)
    }

    fn plain(&self, to: &NodeHandle) -> SendMessageRequest {
        SendMessageRequest {
            msg: String::from_utf8(self.order.body.clone()).unwrap(),
            pubkey: to.pubkey.clone(),
            amount: self.order.amount_sat,
            reply_to_id: self.reply_to.clone(),
        }
    }

    fn send(&self, to: &NodeHandle) -> v1::SendRequest {
        let order = &self.order;
        v1::SendRequest {
            pubkey: to.pubkey.clone(),
            content: Some(v1::send_request::Content::Body(order.body.clone())),
            content_type: order.content_type.clone(),
            amount_sat: order.amount_sat,
            reply_to_id: self.reply_to.clone(),
            idempotency_key: order.key.clone().unwrap_or_default(),
            queue: order.way == Way::Queued,
            expires_in_seconds: order.expires_in_s,
            ..Default::default()
        }
    }
}

async fn cancel(node: &NodeHandle, id: String, timeout: Duration) -> Cancelled {
    let Ok(Ok(client)) = tokio::time::timeout(timeout, Client::connect(&node.grpc)).await else {
        return Cancelled::Nothing;
    };
    match client.messages().cancel(timed(v1::CancelRequest { id }, timeout, None)).await {
        Ok(_) => Cancelled::Yes,
        Err(status) => match refused(status.into()) {
            Answer::Refused(reason, _) => Cancelled::Refused(reason),
            _ => Cancelled::Nothing,
        },
    }
}

fn timed<T>(message: T, timeout: Duration, key: Option<&str>) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(timeout);
    if let Some(key) = key {
        request.metadata_mut().insert("idempotency-key", key.parse().unwrap());
    }
    request
}

fn refused(error: RpcError) -> Answer {
    let id = error.metadata.get("id").cloned();
    match (error.code, error.reason, id) {
        (Code::DeadlineExceeded, _, Some(id)) => Answer::GoesOn(id),
        (Code::DeadlineExceeded, ..) | (_, None, _) => Answer::Nothing,
        (_, Some(reason), id) => Answer::Refused(reason, id),
    }
}
