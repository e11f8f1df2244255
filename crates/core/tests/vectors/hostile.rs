//! The vectors that break one rule each: in their last payment.

mod contents;
mod encodings;
mod frames;
mod parts;
mod protobuf;
mod receipts;
mod records;

use crate::{
    file::{Message, Payment, Vector},
    wire::{signed, vector},
};

pub fn vectors() -> Vec<Vector> {
    [
        records::vectors(),
        protobuf::vectors(),
        frames::vectors(),
        parts::vectors(),
        encodings::vectors(),
        contents::vectors(),
        receipts::vectors(),
    ]
    .concat()
}

const UNREADABLE: &str = "UNREADABLE";
const SIGNATURE: &str = "SIGNATURE";
const CONFLICT: &str = "CONFLICT";
const TOO_LARGE: &str = "TOO_LARGE";
const RECEIPT: &str = "RECEIPT";

/// The rule that a vector breaks, and the reason.
type Rule = (&'static str, &'static str);

/// A vector whose last payment breaks a rule.
fn breaks((rule, reason): Rule, name: &str, about: &str, payments: Vec<Payment>, messages: Vec<Message>) -> Vector {
    Vector { rule: Some(rule.into()), reason: Some(reason.into()), ..vector(name, about, payments, messages) }
}

/// A vector of one payment, of which nothing is taken.
fn lone(rule: Rule, name: &str, about: &str, payment: Payment) -> Vector {
    breaks(rule, name, about, vec![payment], Vec::new())
}

/// The same of a signed frame.
fn frame(rule: Rule, name: &str, about: &str, frame: &[u8]) -> Vector {
    lone(rule, name, about, signed(frame))
}
