//! Records as strangers send them: arbitrary bytes, and arbitrary frames behind a genuine signature.
//!
//! The first byte of an input says what is done with the rest, so that the fuzzer gets past the signature, which it
//! could never guess.

#![no_main]

use boltgram_core::{
    ChainHash,
    frame::Frame,
    limits::RECORD_BYTES_ACCEPTED_MAX,
    record::{self, HEADER_BYTES, Received, RecordError, VERSION},
};
use boltgram_fuzz::{
    keys::{NETWORK, RECIPIENT, SENDER, STRANGER},
    rules, walk,
};
use libfuzzer_sys::fuzz_target;
use prost::Message as _;

fuzz_target!(|input: &[u8]| {
    let Some((way, bytes)) = input.split_first() else { return };
    match way % 5 {
        0 => any(bytes),
        1 => signed(bytes),
        2 => signed(&with_sender_check(bytes)),
        3 => changed(bytes),
        _ => for_another(bytes),
    }
});

fn chain() -> ChainHash {
    NETWORK.into()
}

/// A frame's bytes with the sender's check behind them: of a field that stands twice the last one counts.
fn with_sender_check(frame: &[u8]) -> Vec<u8> {
    let [_, a, b, c, d, ..] = SENDER.id.to_bytes();
    [frame, &[0x12, 4, a, b, c, d]].concat()
}

/// Any bytes are read as what they are.
fn any(bytes: &[u8]) {
    let is_ours = bytes.first() == Some(&VERSION);
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty());
    match record::read(bytes, chain(), RECIPIENT.id) {
        Err(RecordError::TooLarge) => assert!(bytes.len() > RECORD_BYTES_ACCEPTED_MAX),
        Err(RecordError::Neither) => assert!(!is_ours && text.is_none()),
        Ok(Received::Unsigned(read)) => assert!(!is_ours && text == Some(&read)),
        Err(RecordError::Short) => assert!(is_ours && bytes.len() < HEADER_BYTES),
        Err(RecordError::Signature | RecordError::Frame(_)) => assert!(is_ours && bytes.len() >= HEADER_BYTES),
        Ok(Received::Signed { sender, frame }) => {
            assert!(is_ours && frame.is_from(sender));
            walk::frame(&frame);
        }
    }
}

/// A frame that is signed is read if it keeps the rules and names its sender, and not otherwise.
fn signed(bytes: &[u8]) {
    let record = SENDER.record(chain(), RECIPIENT.id, bytes);
    let decoded = Frame::decode(bytes).ok().filter(rules::frame_holds);
    match record::read(&record, chain(), RECIPIENT.id) {
        Ok(Received::Signed { sender, frame }) => {
            assert_eq!(sender, SENDER.id);
            assert_eq!(Some(&frame), decoded.as_ref());
            assert!(frame.is_from(SENDER.id));
            walk::frame(&frame);
        }
        Ok(Received::Unsigned(_)) => panic!("a record with a version was read as a text"),
        Err(RecordError::Frame(_)) => assert!(decoded.is_none()),
        Err(RecordError::Signature) => assert!(decoded.is_some_and(|frame| !frame.is_from(SENDER.id))),
        Err(RecordError::TooLarge) => assert!(record.len() > RECORD_BYTES_ACCEPTED_MAX),
        Err(error) => panic!("{error}"),
    }
}

/// A genuine record of which one byte was changed on the way is never anybody's.
fn changed(bytes: &[u8]) {
    let Some((&[high, low, flip], frame)) = bytes.split_first_chunk() else { return };
    let mut record = SENDER.record(chain(), RECIPIENT.id, &with_sender_check(frame));
    let at = usize::from(u16::from_be_bytes([high, low])) % record.len();
    record[at] ^= flip.max(1);
    let read = record::read(&record, chain(), RECIPIENT.id);
    assert!(!matches!(read, Ok(Received::Signed { .. })), "byte {at} was changed: {read:?}");
}

/// A genuine record is worth nothing with another recipient, or on another chain.
fn for_another(bytes: &[u8]) {
    let record = SENDER.record(chain(), RECIPIENT.id, &with_sender_check(bytes));
    let read = if bytes.len().is_multiple_of(2) {
        record::read(&record, chain(), STRANGER.id)
    } else {
        record::read(&record, bitcoin::Network::Bitcoin.into(), RECIPIENT.id)
    };
    assert!(!matches!(read, Ok(Received::Signed { .. })), "{read:?}");
}
