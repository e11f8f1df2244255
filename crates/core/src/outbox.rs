//! The outbox's rules, without its disk and its node.
//!
//! | module | what it holds |
//! |---|---|
//! | [`entry`] | one message to send: which state follows from what was delivered, is under way, and stops it |
//! | [`cut`] | how large a frame of certain parts is, and how a message is cut into parts |
//! | [`lane`] | what waits for one recipient: which parts go into the next payment, and when |
//! | [`pace`] | how many payments may be in flight to a recipient, and how long to wait after a failure |
//!
//! An entry is stored: each step is on disk before it is acted on. A lane lives in memory and is made anew from the
//! entries at each start.

pub mod cut;
pub mod entry;
pub mod lane;
pub mod pace;
