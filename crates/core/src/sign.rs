//! What a sender signs, and how a signer's key is found from a signature.
//!
//! The signature is the one that Lightning nodes make of any message (`lncli signmessage`, LDK's
//! `util::message_signing`): ECDSA with a recoverable key over the double SHA-256 of "Lightning Signed Message:" and
//! the text. So no key stands on the wire, and the node's own key signs. What is signed begins with a tag of our own, one for
//! frames and one for receipts; the API refuses to sign any other text that begins so.

use bitcoin::{
    hashes::{Hash as _, sha256d},
    secp256k1::{
        Message, Secp256k1, VerifyOnly,
        ecdsa::{RecoverableSignature, RecoveryId},
    },
};
use data_encoding::{Encoding, Specification};
use std::{fmt, sync::LazyLock};

use crate::key::{ChainHash, NodeId};

/// What every text that we sign for a frame begins with.
pub const FRAME_TAG: &[u8] = b"boltgram frame v1:";

/// What every text that we sign for a receipt begins with.
pub const RECEIPT_TAG: &[u8] = b"boltgram receipt v1:";

/// Whether a text begins as those that this node signs for its own messages: it must sign none for anybody else.
pub fn is_reserved(text: &[u8]) -> bool {
    text.starts_with(FRAME_TAG) || text.starts_with(RECEIPT_TAG)
}

/// What Lightning nodes put before a text that they sign.
const LIGHTNING_PREFIX: &[u8] = b"Lightning Signed Message:";

/// A recoverable signature: a byte of 31 and the recovery id, then the 64 bytes of a compact ECDSA signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 65]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_zbase32())
    }
}

impl Signature {
    /// Reads the text form that Lightning nodes give (zbase32), or `None` when it is none.
    pub fn from_zbase32(text: &str) -> Option<Self> {
        let bytes = ZBASE32.as_ref()?.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// The text form (zbase32), 104 characters.
    pub fn to_zbase32(&self) -> String {
        ZBASE32.as_ref().map(|zbase32| zbase32.encode(&self.0)).unwrap_or_default()
    }

    /// The key that made this signature over `text`, or `None` when no key can have made it.
    pub fn signer(&self, text: &[u8]) -> Option<NodeId> {
        let recovery_id = RecoveryId::from_i32(i32::from(self.0[0]) - 31).ok()?;
        let signature = RecoverableSignature::from_compact(&self.0[1..], recovery_id).ok()?;
        let digest = sha256d::Hash::hash(&[LIGHTNING_PREFIX, text].concat());
        let message = Message::from_digest(digest.to_byte_array());
        VERIFIER.recover_ecdsa(&message, &signature).ok().map(NodeId::from)
    }
}

/// Made once: making one costs about as much as recovering a key.
static VERIFIER: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);

/// What a sender signs for a frame: our tag, the chain, the recipient and the frame's bytes. So a frame is worth
/// nothing on another chain or with another recipient.
pub fn signed_text(chain: ChainHash, recipient: NodeId, frame: &[u8]) -> Vec<u8> {
    [FRAME_TAG, &chain.0, &recipient.to_bytes(), frame].concat()
}

/// The human-oriented base-32 encoding by Zooko O'Whielacronx, without padding.
static ZBASE32: LazyLock<Option<Encoding>> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("ybndrfg8ejkmcpqxot1uwisza345h769");
    specification.encoding().ok()
});

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use bitcoin::{Network, secp256k1::SecretKey};

    /// Signs as LDK does.
    pub(crate) fn sign(key: &SecretKey, text: &[u8]) -> Signature {
        let digest = sha256d::Hash::hash(&[LIGHTNING_PREFIX, text].concat());
        let message = Message::from_digest(digest.to_byte_array());
        let (recovery_id, compact) = Secp256k1::new().sign_ecdsa_recoverable(&message, key).serialize_compact();
        let mut bytes = [0; 65];
        bytes[0] = 31 + recovery_id.to_i32() as u8;
        bytes[1..].copy_from_slice(&compact);
        Signature(bytes)
    }

    pub(crate) fn key(byte: u8) -> (SecretKey, NodeId) {
        let secret = SecretKey::from_slice(&[byte; 32]).unwrap();
        (secret, secret.public_key(&Secp256k1::new()).into())
    }

    #[test]
    fn the_signer_is_found_and_only_over_the_same_text() {
        let (secret, id) = key(1);
        let signature = sign(&secret, b"text");
        assert_eq!(signature.signer(b"text"), Some(id));
        assert_ne!(signature.signer(b"other"), Some(id));
    }

    #[test]
    fn a_signature_reads_back_from_its_text_form() {
        let signature = sign(&key(1).0, b"text");
        assert_eq!(signature.to_zbase32().len(), 104);
        assert_eq!(Signature::from_zbase32(&signature.to_zbase32()), Some(signature));
        for text in ["", "y", "lv", &"l".repeat(104), &"y".repeat(105)] {
            assert_eq!(Signature::from_zbase32(text), None, "{text}");
        }
    }

    #[test]
    fn a_signature_from_lnd_is_verified() {
        // The vector of LDK's own test, made with `lncli signmessage "is this compatible?"`.
        let signature = Signature::from_zbase32(
            "rbgfioj114mh48d8egqx8o9qxqw4fmhe8jbeeabdioxnjk8z3t1ma1hu1fiswpakgucwwzwo6ofycffbsqusqdimugbh41n1g698hr9t",
        )
        .unwrap();
        let id = "02b80cabdf82638aac86948e4c06e82064f547768dcef977677b9ea931ea75bab5";
        assert_eq!(signature.signer(b"is this compatible?").unwrap().to_string(), id);
    }

    #[test]
    fn what_is_signed_differs_by_chain_and_recipient() {
        let (a, b) = (key(1).1, key(2).1);
        let (regtest, mainnet) = (ChainHash::from(Network::Regtest), ChainHash::from(Network::Bitcoin));
        assert_ne!(signed_text(regtest, a, b"f"), signed_text(regtest, b, b"f"));
        assert_ne!(signed_text(regtest, a, b"f"), signed_text(mainnet, a, b"f"));
    }

    #[test]
    fn garbage_is_no_signature() {
        for first in [0, 30, 35, 255] {
            let mut bytes = [7; 65];
            bytes[0] = first;
            assert_eq!(Signature(bytes).signer(b"x"), None);
        }
        assert_eq!(Signature([31; 65]).signer(b"x").is_some(), Signature([31; 65]).signer(b"x").is_some());
        assert_eq!(Signature([0xff; 65]).signer(b"x"), None);
    }
}
