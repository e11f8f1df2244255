//! Node control: what an operator looks at and does, in this crate's own words. The fields are those of
//! `proto/boltgram/v1/node.proto`, with `None` where the API has an empty value.
//!
//! What is said to block is for blocking threads, not for async workers.

mod channels;
mod info;
mod jit;
mod peers;
mod wallet;

pub use channels::{Channel, OpenChannel};
pub use info::NodeInfo;
pub use jit::{JitInvoice, JitInvoiceRequest};
pub use peers::Peer;
pub use wallet::Balances;

use boltgram_core::{Failure, Reason};

/// A failure about one field of a request.
fn field(name: &'static str, message: impl Into<String>) -> Failure {
    Failure::new(Reason::InvalidField, message).with("field", name)
}
