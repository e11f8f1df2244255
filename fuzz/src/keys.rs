//! A sender and a recipient with fixed keys, those of the worked example in `docs/protocol.md`.
//!
//! The cryptography is the real one: `--cfg fuzzing`, which cargo-fuzz sets, changes nothing in secp256k1 0.29 and
//! bitcoin_hashes 0.14. (They would fake it under `secp256k1_fuzz` and `hashes_fuzz`, which nobody sets here.)

use std::sync::LazyLock;

use bitcoin::{
    Network,
    hashes::{Hash as _, sha256d},
    secp256k1::{All, Message, Secp256k1, SecretKey},
};
use boltgram_core::{
    ChainHash, NodeId, record,
    sign::{Signature, signed_text},
};

/// The chain of all targets.
pub const NETWORK: Network = Network::Regtest;

static SECP: LazyLock<Secp256k1<All>> = LazyLock::new(Secp256k1::new);

/// A node, by its key.
#[derive(Debug)]
pub struct Node {
    secret: SecretKey,
    /// Its id.
    pub id: NodeId,
}

/// Who sends.
pub static SENDER: LazyLock<Node> = LazyLock::new(|| Node::new(0x11));

/// Who receives.
pub static RECIPIENT: LazyLock<Node> = LazyLock::new(|| Node::new(0x22));

/// Somebody else.
pub static STRANGER: LazyLock<Node> = LazyLock::new(|| Node::new(0x33));

impl Node {
    fn new(byte: u8) -> Self {
        let secret = SecretKey::from_slice(&[byte; 32]).expect("a key of equal bytes is valid");
        Self { secret, id: secret.public_key(&SECP).into() }
    }

    /// The record of a frame that this node signs for a recipient on a chain, as LDK's `sign_message` does it.
    pub fn record(&self, chain: ChainHash, recipient: NodeId, frame: &[u8]) -> Vec<u8> {
        let text = [b"Lightning Signed Message:", signed_text(chain, recipient, frame).as_slice()].concat();
        let message = Message::from_digest(sha256d::Hash::hash(&text).to_byte_array());
        let (recovery_id, compact) = SECP.sign_ecdsa_recoverable(&message, &self.secret).serialize_compact();
        let mut signature = [0; 65];
        signature[0] = 31 + u8::try_from(recovery_id.to_i32()).expect("a recovery id is 0 to 3");
        signature[1..].copy_from_slice(&compact);
        record::write(&Signature(signature), frame)
    }
}
