//! The custom TLV record of a payment: version byte, signature and frame; or a plain text.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | the version, 0x01 |
//! | 65 | the sender's recoverable signature ([`crate::sign`]) |
//! | the rest | the frame, protobuf ([`crate::frame`]) |
//!
//! A record without the version byte that is UTF-8 is a text from an unknown sender: what `lncli sendpayment
//! --keysend --data 400001=<hex>` makes.

use crate::{
    frame::{Frame, FrameError},
    key::{ChainHash, NodeId},
    limits::RECORD_BYTES_ACCEPTED_MAX,
    sign::{Signature, signed_text},
};

/// The version of the record that this code writes, and the one that it reads.
pub const VERSION: u8 = 0x01;

/// What stands before the frame: version byte and signature.
pub const HEADER_BYTES: usize = 1 + 65;

/// What a record turned out to be.
#[derive(Clone, PartialEq, Debug)]
pub enum Received {
    /// A frame whose signature holds for this recipient on this chain.
    Signed {
        /// Who signed it.
        sender: NodeId,
        /// What it holds.
        frame: Frame,
    },
    /// A plain text: anybody may have written it.
    Unsigned(String),
}

/// Why a record can't be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecordError {
    /// It is neither a frame nor a text.
    #[error("the record is neither a frame nor UTF-8 text")]
    Neither,
    /// It is larger than any payment can carry.
    #[error("the record is too large")]
    TooLarge,
    /// It begins like a frame and ends within the signature.
    #[error("the record ends within its signature")]
    Short,
    /// The sender didn't make the signature over this frame, for this recipient, on this chain.
    #[error("the signature doesn't hold for this frame, recipient and chain")]
    Signature,
    /// The frame breaks a rule.
    #[error("the frame is not valid: {0}")]
    Frame(#[from] FrameError),
}

/// Writes the record of a signed frame.
pub fn write(signature: &Signature, frame: &[u8]) -> Vec<u8> {
    [&[VERSION], signature.0.as_slice(), frame].concat()
}

/// Reads a record that `recipient` received on `chain`.
///
/// A signature over other bytes, for another recipient or another chain recovers to some other key, or to none: then
/// the frame's `sender_check` doesn't agree with that key, and it is refused.
pub fn read(record: &[u8], chain: ChainHash, recipient: NodeId) -> Result<Received, RecordError> {
    if record.len() > RECORD_BYTES_ACCEPTED_MAX {
        return Err(RecordError::TooLarge);
    }
    if record.first() != Some(&VERSION) {
        return match std::str::from_utf8(record) {
            Ok(text) if !text.is_empty() => Ok(Received::Unsigned(text.to_owned())),
            _ => Err(RecordError::Neither),
        };
    }
    let signature = record.get(1..HEADER_BYTES).and_then(|bytes| bytes.try_into().ok());
    let signature = Signature(signature.ok_or(RecordError::Short)?);
    let frame = record.get(HEADER_BYTES..).unwrap_or_default();
    let sender = signature.signer(&signed_text(chain, recipient, frame)).ok_or(RecordError::Signature)?;
    let frame = Frame::read(frame)?;
    if !frame.is_from(sender) {
        return Err(RecordError::Signature);
    }
    Ok(Received::Signed { sender, frame })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        IdSource,
        frame::Content,
        sign::tests::{key, sign},
    };
    use bitcoin::Network;
    use proptest::prelude::*;
    use prost::Message as _;

    const CHAIN: Network = Network::Regtest;

    fn record(text: &[u8], recipient: NodeId) -> Vec<u8> {
        let content = Content::new("application/octet-stream", None, text.to_vec()).unwrap();
        let frame = Frame::whole(key(1).1, IdSource::above(None).next(1), &content).encode_to_vec();
        write(&sign(&key(1).0, &signed_text(CHAIN.into(), recipient, &frame)), &frame)
    }

    #[test]
    fn a_signed_record_names_its_sender() {
        let recipient = key(2).1;
        match read(&record(b"hello", recipient), CHAIN.into(), recipient).unwrap() {
            Received::Signed { sender, frame } => {
                assert_eq!(sender, key(1).1);
                assert_eq!(Content::read(&frame.parts[0].body).unwrap().payload, b"hello");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_record_for_somebody_else_or_another_chain_is_refused() {
        let (recipient, other) = (key(2).1, key(3).1);
        let record = record(b"hello", recipient);
        assert!(read(&record, CHAIN.into(), recipient).is_ok());
        assert_eq!(read(&record, CHAIN.into(), other), Err(RecordError::Signature));
        assert_eq!(read(&record, Network::Bitcoin.into(), recipient), Err(RecordError::Signature));
    }

    #[test]
    fn a_plain_text_is_unsigned_and_other_bytes_are_nothing() {
        let recipient = key(2).1;
        let read = |bytes: &[u8]| read(bytes, CHAIN.into(), recipient);
        assert_eq!(read("grüezi".as_bytes()), Ok(Received::Unsigned("grüezi".into())));
        assert_eq!(read(b""), Err(RecordError::Neither));
        assert_eq!(read(b"\xff\xfe"), Err(RecordError::Neither));
        assert_eq!(read(&[VERSION; 20]), Err(RecordError::Short));
        assert_eq!(read(&vec![b'a'; RECORD_BYTES_ACCEPTED_MAX + 1]), Err(RecordError::TooLarge));
    }

    proptest! {
        #[test]
        fn a_changed_byte_never_passes_as_the_senders(text in prop::collection::vec(any::<u8>(), 1..200), at in any::<prop::sample::Index>(), flip in 1u8..) {
            let recipient = key(2).1;
            let mut record = record(&text, recipient);
            let at = at.index(record.len());
            record[at] ^= flip;
            prop_assert!(!matches!(read(&record, CHAIN.into(), recipient), Ok(Received::Signed { .. })), "byte {}", at);
        }

        #[test]
        fn arbitrary_records_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300), ours in any::<bool>()) {
            if ours && !bytes.is_empty() {
                bytes[0] = VERSION;
            }
            let _ = read(&bytes, CHAIN.into(), key(2).1);
        }
    }
}
