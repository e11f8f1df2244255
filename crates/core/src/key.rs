//! Node ids (a node's public key) and chain hashes.

use std::{fmt, str::FromStr};

use bitcoin::{Network, constants::ChainHash as BitcoinChainHash, secp256k1::PublicKey};

use crate::failure::{Failure, Reason};

/// A node's public key: a valid point of secp256k1, 33 bytes, compressed; 66 hex digits in text form (BOLT 7).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(PublicKey);

impl NodeId {
    /// Reads 33 bytes, or `None` when they are no compressed public key.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != 33 {
            return None;
        }
        PublicKey::from_slice(bytes).ok().map(Self)
    }

    /// The 33 bytes.
    pub fn to_bytes(self) -> [u8; 33] {
        self.0.serialize()
    }

    /// The key as the crypto library has it.
    pub fn public_key(self) -> PublicKey {
        self.0
    }
}

impl From<PublicKey> for NodeId {
    fn from(key: PublicKey) -> Self {
        Self(key)
    }
}

impl FromStr for NodeId {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let key = (text.len() == 66).then(|| PublicKey::from_str(text).ok()).flatten();
        key.map(Self).ok_or_else(|| {
            Failure::new(
                Reason::InvalidPubkey,
                "the public key is not valid: give the node's 33-byte compressed key as 66 hex digits",
            )
        })
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A chain's hash: its genesis block's hash in internal byte order (BOLT 0, `chain_hash`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct ChainHash(pub [u8; 32]);

impl From<Network> for ChainHash {
    fn from(network: Network) -> Self {
        Self(BitcoinChainHash::using_genesis_block(network).to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

    #[test]
    fn a_compressed_key_reads_back_as_written() {
        let id: NodeId = KEY.parse().unwrap();
        assert_eq!(id.to_string(), KEY);
        assert_eq!(NodeId::from_slice(&id.to_bytes()), Some(id));
    }

    #[test]
    fn what_is_no_compressed_key_is_refused() {
        let off_curve = format!("02{}", "ff".repeat(32));
        for text in ["", "02", &KEY[1..], &off_curve, &format!("{KEY}00"), &KEY.replace('7', "g"), &"é".repeat(33)] {
            assert_eq!(text.parse::<NodeId>().unwrap_err().reason, Reason::InvalidPubkey, "{text}");
        }
    }

    #[test]
    fn each_network_has_its_own_chain_hash() {
        assert_ne!(ChainHash::from(Network::Regtest), ChainHash::from(Network::Bitcoin));
    }
}
