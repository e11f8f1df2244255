//! What the store promises about what this node receives: messages of many payments, put together once, within bounds;
//! and what it puts aside.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod aside;
mod parts;
mod support;
