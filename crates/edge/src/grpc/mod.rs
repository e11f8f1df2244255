//! The gRPC services: requests are checked and turned into the domain's words, answers back.
//!
//! | module | what it serves |
//! |---|---|
//! | [`family`] | `messaging.Messaging` and `websocket.Websocket`, the contract with existing clients |
//! | [`lightning`], [`signing`] | the family's small services for invoices and signatures |
//! | [`messages`] | `boltgram.v1.Messages` |
//! | [`node`] | `boltgram.v1.Node` |
//! | [`admin`] | `boltgram.v1.Admin` |
//! | [`health`] | `grpc.health.v1.Health`, which follows the node's real state |
//! | [`ask`] | how they reach the Lightning node |
//! | `convert` | messages between the API and the domain |
//! | `deadline` | how long a call may wait |
//! | `idempotency` | the caller's key for a message |
//! | `status` | failures as gRPC statuses |

pub mod admin;
pub mod ask;
mod convert;
mod deadline;
pub mod family;
pub mod health;
mod idempotency;
pub mod lightning;
pub mod messages;
pub mod node;
pub mod signing;
pub(crate) mod status;

use std::pin::Pin;

use boltgram_messaging::{LogEntry, Subscription};
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tonic::{Response, Status};

/// What a streaming RPC answers.
pub(crate) type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A subscription as the answer of a streaming RPC.
fn events<T: 'static>(
    subscription: Subscription,
    show: impl Fn(LogEntry) -> T + Send + 'static,
) -> Response<Events<T>> {
    let shown = ReceiverStream::new(subscription).map(move |item| item.map(&show).map_err(status::from_failure));
    Response::new(Box::pin(shown))
}
