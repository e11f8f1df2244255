//! What tells a request from another under the same idempotency key: a hash over all that makes the message.

use bitcoin::hashes::{Hash as _, HashEngine as _, sha256};

use crate::send::NewMessage;

/// The digest of a request. Whether it waits, and for how long, is not part of it: the same message may be asked for
/// again in another way.
pub(crate) fn of(new: &NewMessage) -> [u8; 32] {
    let mut engine = sha256::Hash::engine();
    let reply_to = new.reply_to.map(|id| id.to_bytes().to_vec()).unwrap_or_default();
    let (amount, fee_limit) = (new.amount_sat.to_be_bytes(), new.fee_limit_msat.unwrap_or(u64::MAX).to_be_bytes());
    let recipient = new.recipient.to_bytes();
    for field in [&recipient[..], new.content_type.as_bytes(), &new.body.0, &reply_to, &amount, &fee_limit] {
        // With its length, so that no two requests run together.
        engine.input(&(field.len() as u64).to_be_bytes());
        engine.input(field);
    }
    // Only then: a request of before there were receipts has the same digest still.
    if new.receipt {
        engine.input(b"receipt");
    }
    sha256::Hash::from_engine(engine).to_byte_array()
}
