//! Receipts: the recipient's signature over what it has read, which the sender keeps as a proof.
//!
//! `docs/protocol.md` has the format. A receipt is a message of its own; here is what it holds, what is signed, how it is
//! checked, and by which budget one is given. What does not live here: who keeps, gives and shows them
//! (`boltgram-store`, `boltgram-messaging`).

use std::fmt;

use bitcoin::hashes::{Hash as _, sha256};

use crate::{
    MessageId, NodeId,
    frame::{Content, FrameError},
    key::ChainHash,
    limits::PAYMENT_MSAT_MIN,
    sign::{RECEIPT_TAG, Signature},
    transport::fee_limit_msat_default,
};

/// The content type of a receipt.
pub const CONTENT_TYPE: &str = "application/vnd.boltgram.receipt";

/// What a receipt's payload has: the content hash and the signature.
pub const PAYLOAD_BYTES: usize = 32 + 65;

/// The SHA256 of a message's content bytes, exactly as they travelled once joined and decoded.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// Of these content bytes.
    pub fn of(content: &[u8]) -> Self {
        Self(sha256::Hash::hash(content).to_byte_array())
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a recipient signs: our tag, the chain, the message's sender and id, and the hash of its content.
pub fn signed_text(chain: ChainHash, sender: NodeId, id: MessageId, hash: ContentHash) -> Vec<u8> {
    [RECEIPT_TAG, &chain.0, &sender.to_bytes(), &id.to_bytes(), &hash.0].concat()
}

/// A receipt, as it travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// The message that it is for.
    pub id: MessageId,
    /// The hash of that message's content.
    pub content_hash: ContentHash,
    /// The recipient's signature.
    pub signature: Signature,
}

impl Receipt {
    /// Reads a receipt; `None` when the content is another message's.
    pub fn read(content: &Content) -> Option<Result<Self, FrameError>> {
        (content.content_type == CONTENT_TYPE).then(|| {
            let id = content.reply_to().ok_or(FrameError::Rule("a receipt names the message that it is for"))?;
            let wrong_size = FrameError::Rule("a receipt has a content hash of 32 bytes and a signature of 65");
            let (hash, signature) = content.payload.split_at_checked(32).ok_or_else(|| wrong_size.clone())?;
            let hash = hash.try_into().map_err(|_| wrong_size.clone())?;
            let signature = signature.try_into().map_err(|_| wrong_size)?;
            Ok(Self { id, content_hash: ContentHash(hash), signature: Signature(signature) })
        })
    }

    /// The content of the message that carries it.
    pub fn content(&self) -> Content {
        Content {
            content_type: CONTENT_TYPE.to_owned(),
            reply_to_id: self.id.to_bytes().to_vec(),
            payload: [self.content_hash.0.as_slice(), &self.signature.0].concat(),
            flags: 0,
        }
    }

    /// Who signed it, as the receipt of a message that `sender` sent; `None` when no key can have made the signature. It
    /// counts for something only if that is the message's recipient.
    pub fn signer(&self, chain: ChainHash, sender: NodeId) -> Option<NodeId> {
        self.signature.signer(&signed_text(chain, sender, self.id, self.content_hash))
    }
}

/// A receipt that was received, as it is kept with its message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received {
    /// The recipient's signature.
    pub signature: Signature,
    /// The hash of the message's content.
    pub content_hash: ContentHash,
    /// When this node stored it, Unix time in milliseconds.
    pub received_at_ms: u64,
}

/// What an operator spends on receipts. A receipt carries 1 sat, and costs what its way costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Whether receipts are given at all.
    pub gives: bool,
    /// What the operator adds, in a day of UTC, to what the messages themselves bring along, in millisatoshi.
    pub msat_per_day: u64,
}

impl Default for Budget {
    /// Only what a message's own amount pays for.
    fn default() -> Self {
        Self { gives: true, msat_per_day: 0 }
    }
}

/// By which means a receipt is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Means {
    /// The most routing fee that it may cost, in millisatoshi; `None`: as for any payment.
    pub fee_limit_msat: Option<u64>,
    /// What of its cost may be the operator's, in millisatoshi: it counts as spent until the cost is known.
    pub operator_msat_max: u64,
}

impl Budget {
    /// By which means the receipt of a message that brought so much is given, when the operator has spent so much today;
    /// `None`: it isn't given.
    pub fn means(&self, amount_msat: u64, spent_msat: u64) -> Option<Means> {
        if !self.gives {
            return None;
        }
        let full_msat = PAYMENT_MSAT_MIN.saturating_add(fee_limit_msat_default(PAYMENT_MSAT_MIN));
        let operator_msat_max = full_msat.saturating_sub(amount_msat);
        // Where the amount pays for all that any payment may cost, nothing is the operator's.
        if operator_msat_max == 0 || spent_msat.saturating_add(operator_msat_max) <= self.msat_per_day {
            return Some(Means { fee_limit_msat: None, operator_msat_max });
        }
        let fee_limit_msat = amount_msat.checked_sub(PAYMENT_MSAT_MIN)?;
        Some(Means { fee_limit_msat: Some(fee_limit_msat), operator_msat_max: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::tests::{key, sign};
    use bitcoin::Network;
    use proptest::prelude::*;

    const CHAIN: Network = Network::Regtest;

    fn id() -> MessageId {
        "0190163d-8694-739b-aea5-966c26f8ad91".parse().unwrap()
    }

    /// The receipt that key 2 gives key 1.
    fn receipt(content: &[u8]) -> Receipt {
        let hash = ContentHash::of(content);
        let signature = sign(&key(2).0, &signed_text(CHAIN.into(), key(1).1, id(), hash));
        Receipt { id: id(), content_hash: hash, signature }
    }

    #[test]
    fn a_receipt_reads_back_and_names_its_signer() {
        let receipt = receipt(b"content");
        let content = Content::read(&receipt.content().to_bytes()).unwrap();
        assert_eq!(content.payload.len(), PAYLOAD_BYTES);
        let read = Receipt::read(&content).unwrap().unwrap();
        assert_eq!(read, receipt);
        assert_eq!(read.signer(CHAIN.into(), key(1).1), Some(key(2).1));
    }

    #[test]
    fn a_receipt_of_another_message_sender_chain_or_content_names_somebody_else() {
        let receipt = receipt(b"content");
        let recipient = Some(key(2).1);
        assert_ne!(receipt.signer(CHAIN.into(), key(3).1), recipient);
        assert_ne!(receipt.signer(Network::Bitcoin.into(), key(1).1), recipient);
        let other_id = Receipt { id: MessageId::LOWEST, ..receipt };
        assert_ne!(other_id.signer(CHAIN.into(), key(1).1), recipient);
        let other_content = Receipt { content_hash: ContentHash::of(b"other"), ..receipt };
        assert_ne!(other_content.signer(CHAIN.into(), key(1).1), recipient);
        let garbage = Receipt { signature: Signature([0; 65]), ..receipt };
        assert_eq!(garbage.signer(CHAIN.into(), key(1).1), None);
    }

    #[test]
    fn what_has_not_its_form_is_no_receipt() {
        let good = receipt(b"content").content();
        let mut longer = good.payload.clone();
        longer.push(0);
        let broken = [
            Content { reply_to_id: Vec::new(), ..good.clone() },
            Content { payload: good.payload[1..].to_vec(), ..good.clone() },
            Content { payload: longer, ..good.clone() },
            Content { payload: vec![1], ..good.clone() },
        ];
        for content in broken {
            assert!(matches!(Receipt::read(&content), Some(Err(FrameError::Rule(_)))), "{content:?}");
        }
        for kind in ["", "text/plain", "Application/vnd.boltgram.receipt", "application/vnd.boltgram.receipt; v=1"] {
            assert_eq!(Receipt::read(&Content { content_type: kind.into(), ..good.clone() }), None, "{kind}");
        }
        let flagged = Content { flags: u32::MAX, ..good.clone() };
        assert!(!flagged.asks_receipt() && Receipt::read(&flagged).unwrap().is_ok());
    }

    #[test]
    fn by_default_only_the_amount_pays() {
        let budget = Budget::default();
        let paid = |fee_limit_msat| Some(Means { fee_limit_msat: Some(fee_limit_msat), operator_msat_max: 0 });
        assert_eq!(budget.means(999, 0), None);
        assert_eq!(budget.means(1_000, 0), paid(0));
        assert_eq!(budget.means(11_000, u64::MAX), paid(10_000));
        // 1 sat and the fee limit of any payment of 1 sat.
        let all = Some(Means { fee_limit_msat: None, operator_msat_max: 0 });
        assert_eq!((budget.means(51_009, 0), budget.means(51_010, 0)), (paid(50_009), all));
        assert_eq!(budget.means(u64::MAX, 0), all);
        assert_eq!(Budget { gives: false, msat_per_day: u64::MAX }.means(u64::MAX, 0), None);
    }

    #[test]
    fn an_operator_adds_what_is_missing_within_a_day() {
        let budget = Budget { gives: true, msat_per_day: 100_000 };
        let added = |operator_msat_max| Some(Means { fee_limit_msat: None, operator_msat_max });
        assert_eq!(budget.means(0, 0), added(51_010));
        assert_eq!(budget.means(1_000, 49_990), added(50_010));
        // What is left is too little: only the amount pays.
        let paid = Some(Means { fee_limit_msat: Some(0), operator_msat_max: 0 });
        assert_eq!((budget.means(1_000, 49_991), budget.means(0, 49_991)), (paid, None));
    }

    proptest! {
        #[test]
        fn arbitrary_contents_never_panic(payload in prop::collection::vec(any::<u8>(), 0..200), flags: u32) {
            let content = Content { content_type: CONTENT_TYPE.into(), reply_to_id: id().to_bytes().to_vec(), payload, flags };
            let is_long_enough = content.payload.len() == PAYLOAD_BYTES;
            let read = Receipt::read(&content).unwrap();
            prop_assert_eq!(read.is_ok(), is_long_enough);
            if let Ok(receipt) = read {
                prop_assert_ne!(receipt.signer(CHAIN.into(), key(1).1), Some(key(2).1));
            }
        }

        #[test]
        fn an_operator_never_adds_more_than_the_budget(amounts in prop::collection::vec(0u64..60_000, 0..40), msat_per_day in 0u64..500_000) {
            let budget = Budget { gives: true, msat_per_day };
            let mut spent_msat = 0;
            for amount_msat in amounts {
                let Some(means) = budget.means(amount_msat, spent_msat) else { continue };
                let cost_msat = 1_000 + means.fee_limit_msat.unwrap_or(fee_limit_msat_default(1_000));
                prop_assert!(cost_msat <= amount_msat + means.operator_msat_max || amount_msat > 51_010);
                spent_msat += means.operator_msat_max;
                prop_assert!(spent_msat <= msat_per_day);
            }
        }
    }
}
