//! The domain's words, with no I/O and no async.
//!
//! | module | what it holds |
//! |---|---|
//! | [`key`] | node ids and chain hashes |
//! | [`id`] | message ids, and the source that makes them strictly increasing |
//! | [`frame`] | what a keysend's TLV record holds: frames, parts, contents |
//! | [`encoding`] | how a message's bytes are written: plain, or compressed where that is smaller |
//! | [`reassembly`] | one message from byte ranges in any order |
//! | [`record`] | the record itself: version byte, signature, frame; or a plain text |
//! | [`receipt`] | a recipient's proof of what it has read, and by which budget it is given |
//! | [`sign`] | what is signed and how a signer's key is found from a signature |
//! | [`message`] | a message as the services and the store speak of it |
//! | [`failure`] | why a request was refused or a message failed: one stable table |
//! | [`policy`] | what this node takes into its inbox, and why something is put aside |
//! | [`ranges`] | sets of byte ranges |
//! | [`outbox`] | the rules by which messages are cut into payments, sent and settled |
//! | [`transport`] | the seam to the Lightning node: payments out, events in |
//! | [`limits`] | every bound, with its unit |
//!
//! What does not live here: SQLite (`boltgram-store`), the node (`boltgram-lightning`), gRPC (`boltgram-edge`).

pub mod encoding;
pub mod failure;
pub mod frame;
pub mod id;
pub mod key;
pub mod limits;
pub mod message;
pub mod outbox;
pub mod policy;
pub mod ranges;
pub mod reassembly;
pub mod receipt;
pub mod record;
pub mod sign;
pub mod transport;

pub use failure::{Failure, Kind, Reason};
pub use id::{IdSource, MessageId};
pub use key::{ChainHash, NodeId};
