//! How large the record of certain parts is, and how much of a message fits into one.

use std::ops::Range;

use prost::Message as _;

use crate::{
    MessageId,
    frame::{Encoding, Frame, Part},
    record::HEADER_BYTES,
};

/// A part of a message, without its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    /// The message.
    pub id: MessageId,
    /// Which of its joined, encoded bytes.
    pub range: Range<u32>,
    /// How many it has in all.
    pub total_bytes: u32,
    /// How they are encoded.
    pub encoding: Encoding,
    /// What it carries of the payment, in millisatoshi.
    pub amount_msat: u64,
}

impl Piece {
    /// Whether it is all of its message.
    pub fn is_whole(&self) -> bool {
        self.range == (0..self.total_bytes)
    }

    /// The part, with these bytes; `names_amount` when it shares its frame with others.
    pub fn part(&self, body: Vec<u8>, names_amount: bool) -> Part {
        Part {
            message_id: self.id.to_bytes().to_vec(),
            offset: self.range.start,
            total_bytes: if self.is_whole() { 0 } else { self.total_bytes },
            amount_msat: if names_amount { self.amount_msat } else { 0 },
            encoding: self.encoding.into(),
            body,
        }
    }

    /// What the part takes in its frame.
    fn bytes(&self, names_amount: bool) -> usize {
        let body = self.range.len();
        let part = self.part(Vec::new(), names_amount).encoded_len() + field_bytes(body);
        field_bytes(part)
    }
}

/// A protobuf field of so many bytes, with its tag and length.
fn field_bytes(length: usize) -> usize {
    1 + prost::length_delimiter_len(length) + length
}

/// The record that holds these pieces, in bytes.
pub fn record_bytes(pieces: &[Piece]) -> usize {
    let names_amount = pieces.len() > 1;
    let sender_check = Frame { sender_check: vec![0; 4], ..Frame::default() }.encoded_len();
    HEADER_BYTES + sender_check + pieces.iter().map(|piece| piece.bytes(names_amount)).sum::<usize>()
}

/// As much of this piece, from its beginning, as a record of its own of `room_bytes` holds; `None` when that is
/// nothing.
pub fn fitted(piece: &Piece, room_bytes: usize) -> Option<Piece> {
    if record_bytes(std::slice::from_ref(piece)) <= room_bytes {
        return Some(piece.clone());
    }
    // A part that is not the whole says its total; the overhead is that of the longest that could fit.
    let end = piece.range.start.saturating_add(u32::try_from(room_bytes).unwrap_or(u32::MAX));
    let longest = Piece { range: piece.range.start..end.min(piece.range.end.saturating_sub(1)), ..piece.clone() };
    let overhead = record_bytes(std::slice::from_ref(&longest)) - longest.range.len();
    let length = u32::try_from(room_bytes.saturating_sub(overhead)).unwrap_or(u32::MAX).min(longest.range.len() as u32);
    (length > 0).then(|| Piece { range: piece.range.start..piece.range.start + length, ..longest })
}

/// How many records of `room_bytes` carry a message of so many encoded bytes; `None` when no byte fits into one.
pub fn records(total_bytes: u32, encoding: Encoding, room_bytes: usize) -> Option<u32> {
    // The id's value doesn't matter: it always has 16 bytes.
    let id = MessageId::LOWEST;
    let mut rest = Piece { id, range: 0..total_bytes, total_bytes, encoding, amount_msat: 0 };
    let mut count = 0;
    while !rest.range.is_empty() {
        rest.range.start = fitted(&rest, room_bytes)?.range.end;
        count += 1;
    }
    Some(count)
}

/// What of a frame a record of `room_bytes` holds, from its first part on, each piece with its bytes; `None` when that
/// is nothing. `payment_msat` is what its payment carries.
pub fn shortened(frame: Frame, payment_msat: u64, room_bytes: usize) -> Option<Vec<(Piece, Vec<u8>)>> {
    let amounts_msat = frame.amounts_msat(payment_msat).ok()?;
    let (mut pieces, mut bodies) = (Vec::new(), Vec::new());
    for (part, amount_msat) in frame.parts.into_iter().zip(amounts_msat) {
        let (id, encoding) = (part.id()?, Encoding::try_from(part.encoding).ok()?);
        let end = part.offset.checked_add(u32::try_from(part.body.len()).ok()?)?;
        let total_bytes = if part.is_whole() { end } else { part.total_bytes };
        pieces.push(Piece { id, range: part.offset..end, total_bytes, encoding, amount_msat });
        bodies.push(part.body);
    }
    while pieces.len() > 1 && record_bytes(&pieces) > room_bytes {
        pieces.pop();
    }
    if let [piece] = pieces.as_mut_slice() {
        *piece = fitted(piece, room_bytes)?;
    }
    bodies.iter_mut().zip(&pieces).for_each(|(body, piece)| body.truncate(piece.range.len()));
    Some(pieces.into_iter().zip(bodies).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{frame::Content, limits::FRAME_PARTS_MAX};
    use proptest::prelude::*;

    fn piece(range: Range<u32>, total_bytes: u32, amount_msat: u64) -> Piece {
        Piece { id: MessageId::LOWEST, range, total_bytes, encoding: Encoding::Plain, amount_msat }
    }

    fn written(pieces: &[Piece]) -> usize {
        let parts = pieces.iter().map(|piece| piece.part(vec![7; piece.range.len()], pieces.len() > 1)).collect();
        HEADER_BYTES + Frame { parts, sender_check: vec![1, 2, 3, 4] }.encoded_len()
    }

    #[test]
    fn a_lone_texts_overhead_is_at_most_110_bytes() {
        for length in [1, 20, 100, 500, 1_000] {
            let content = Content::new(crate::frame::TEXT, None, vec![b'x'; length]).unwrap().encode_to_vec();
            let total = content.len() as u32;
            let overhead = record_bytes(&[piece(0..total, total, 1_000)]) - length;
            assert!(overhead <= 110, "{overhead} bytes for a text of {length}");
        }
    }

    #[test]
    fn twenty_thousand_bytes_go_in_nineteen_payments_to_a_direct_peer() {
        assert_eq!(records(20_006, Encoding::Plain, 1_204), Some(19));
        assert_eq!(records(500, Encoding::Plain, 1_204), Some(1));
        assert_eq!(records(500, Encoding::Plain, 80), None);
    }

    proptest! {
        #[test]
        fn a_frame_is_shortened_to_a_beginning_that_fits(sizes in prop::collection::vec(1u32..400, 1..5), room in 200usize..1_300) {
            let several = sizes.len() > 1;
            let pieces: Vec<_> = sizes.iter().map(|size| piece(0..*size, *size, 1_000)).collect();
            let body = |piece: &Piece| (piece.range.clone()).map(|byte| byte as u8).collect::<Vec<_>>();
            let parts = pieces.iter().map(|piece| piece.part(body(piece), several)).collect();
            let sum_msat = 1_000 * sizes.len() as u64;
            let shorter = shortened(Frame { parts, sender_check: vec![0; 4] }, sum_msat, room).unwrap();
            let kept: Vec<Piece> = shorter.iter().map(|(piece, _)| piece.clone()).collect();
            prop_assert!(record_bytes(&kept) <= room);
            prop_assert!(kept.len() == 1 || kept == pieces[..kept.len()]);
            prop_assert_eq!(kept[0].range.start, 0);
            prop_assert!(shorter.iter().all(|(piece, bytes)| *bytes == body(piece)));
            prop_assert!(record_bytes(&pieces) > room || kept == pieces);
        }

        #[test]
        fn the_size_is_that_of_the_written_record(
            sizes in prop::collection::vec((0u32..3_000, 1u32..1_200, any::<bool>(), 0u64..u64::MAX / 128), 1..FRAME_PARTS_MAX),
        ) {
            let pieces: Vec<_> = sizes.into_iter().map(|(start, length, whole, amount)| {
                let start = if whole { 0 } else { start };
                piece(start..start + length, if whole { length } else { start + length + 5 }, amount)
            }).collect();
            prop_assert_eq!(record_bytes(&pieces), written(&pieces));
        }

        #[test]
        fn a_message_is_cut_without_gaps_and_every_part_fits(total in 1u32..70_000, room in 120usize..1_400) {
            let mut rest = piece(0..total, total, 0);
            let mut count = 0;
            while !rest.range.is_empty() {
                let fitted = fitted(&rest, room).unwrap();
                prop_assert_eq!(fitted.range.start, rest.range.start);
                prop_assert!(record_bytes(std::slice::from_ref(&fitted)) <= room);
                // Nothing is given away but the byte or two of a shorter length.
                prop_assert!(fitted.range.end == total || record_bytes(std::slice::from_ref(&fitted)) + 4 >= room);
                rest.range.start = fitted.range.end;
                count += 1;
            }
            prop_assert_eq!(records(total, Encoding::Plain, room), Some(count));
        }
    }
}
