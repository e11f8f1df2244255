//! Node control: what an operator looks at and does, in this crate's own words. The fields are those of
//! `proto/boltgram/v1/node.proto`, with `None` where the API has an empty value.
//!
//! What is said to block is for blocking threads, not for async workers.

mod channels;
mod info;
mod invoices;
mod jit;
mod onchain;
mod opening;
mod payments;
mod peers;
mod signatures;
mod wallet;

pub use channels::Channel;
pub use info::NodeInfo;
pub use invoices::{Invoice, NewInvoice, Paid, PayInvoice, Paying};
pub use jit::{JitInvoice, JitInvoiceRequest};
pub use onchain::OnchainAmount;
pub use opening::{OpenChannel, Opened};
pub use payments::{Payment, PaymentKey, PaymentKind, PaymentPage, PaymentState};
pub use peers::Peer;
pub use signatures::Verified;
pub use wallet::Balances;

use boltgram_core::{Failure, Reason};

/// A failure about one field of a request.
fn field(name: &'static str, message: impl Into<String>) -> Failure {
    Failure::new(Reason::InvalidField, message).with("field", name)
}
