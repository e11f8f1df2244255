//! What must hold of every frame that was read: its amounts, its parts, and the contents of whole messages.

use boltgram_core::{
    frame::{Content, Encoding, Frame, Part},
    limits::MESSAGE_BYTES_MAX_DEFAULT,
    reassembly::{Assembly, Piece},
    receipt::{ContentHash, PAYLOAD_BYTES, Receipt},
};
use prost::Message as _;

use crate::{
    keys::{NETWORK, SENDER},
    rules,
};

/// Checks a frame that was read.
pub fn frame(frame: &Frame) {
    assert!(rules::frame_holds(frame), "a frame was read that breaks a rule: {frame:?}");
    amounts(frame);
    for part in &frame.parts {
        piece(part);
    }
}

/// The amounts hold exactly for a payment that is at least their sum, and a lone part has all of it.
fn amounts(frame: &Frame) {
    let sum: u128 = frame.parts.iter().map(|part| u128::from(part.amount_msat)).sum();
    let is_lone = frame.parts.len() == 1;
    let around = [sum.saturating_sub(1), sum, sum + 1, 1_000, u64::MAX.into()];
    for payment_msat in around.into_iter().filter_map(|amount| u64::try_from(amount).ok()) {
        match frame.amounts_msat(payment_msat) {
            Ok(amounts) if is_lone => assert_eq!(amounts, [payment_msat]),
            Ok(amounts) => {
                assert!(sum <= payment_msat.into(), "{sum} msat of {payment_msat}");
                assert!(amounts.iter().zip(&frame.parts).all(|(amount, part)| *amount == part.amount_msat));
                assert_eq!(amounts.len(), frame.parts.len());
            }
            Err(_) => assert!(!is_lone && sum > payment_msat.into(), "{sum} msat of {payment_msat} were refused"),
        }
    }
}

/// A part of a frame that was read is a piece, and says the same.
fn piece(part: &Part) {
    let piece = Piece::of(part.clone()).expect("the part keeps the rules of its frame");
    assert_eq!(piece.range.body.0, part.body);
    assert_eq!(piece.range.offset, part.offset);
    assert!(piece.range.end() <= piece.total_bytes.into());
    assert!(!part.is_whole() || piece.is_whole());
    let fits = piece.fits(MESSAGE_BYTES_MAX_DEFAULT);
    if piece.is_whole() && fits {
        let assembly = Assembly::begun_by(&piece);
        let read = assembly.read(std::slice::from_ref(&piece.range), MESSAGE_BYTES_MAX_DEFAULT);
        if let Ok(content) = &read {
            assert!(content.payload.len() <= MESSAGE_BYTES_MAX_DEFAULT);
            self::content(content);
        }
        if piece.encoding == Encoding::Plain {
            let alone = Content::read(&part.body);
            assert!(alone == read || alone.is_ok_and(|content| content.payload.len() > MESSAGE_BYTES_MAX_DEFAULT));
        }
    }
}

/// Checks a content that was read: it keeps the rules, and reads the same once it is written again.
pub fn content(content: &Content) {
    assert!(rules::content_holds(content), "a content was read that breaks a rule");
    assert_eq!(Content::read(&content.encode_to_vec()).as_ref(), Ok(content));
    if let Some(read) = Receipt::read(content) {
        assert!(!content.asks_receipt(), "nobody asks for a receipt of a receipt");
        assert_eq!(read.is_ok(), !content.reply_to_id.is_empty() && content.payload.len() == PAYLOAD_BYTES);
        read.iter().for_each(|read| receipt(content, read));
    }
}

/// A receipt is the same once it is written again, and of another content it has another signer.
fn receipt(content: &Content, receipt: &Receipt) {
    let again = receipt.content();
    assert_eq!((&again.payload, &again.reply_to_id), (&content.payload, &content.reply_to_id));
    assert_eq!(Receipt::read(&again), Some(Ok(*receipt)));
    let other = Receipt { content_hash: ContentHash::of(&receipt.content_hash.0), ..*receipt };
    let signer = |receipt: &Receipt| receipt.signer(NETWORK.into(), SENDER.id);
    assert!(signer(receipt).is_none() || signer(receipt) != signer(&other));
}
