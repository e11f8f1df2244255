//! What reassembly promises, over ranges cut and shuffled at random.

use super::*;
use crate::{encoding::encode, frame::TEXT, id::IdSource};
use proptest::{prelude::*, sample::Index};
use prost::Message as _;

const MAX: usize = 64 * 1_024;

/// Keeps the ranges as the store does: disjoint, in order.
#[derive(Default)]
struct Kept {
    assembly: Option<Assembly>,
    ranges: Vec<Range>,
}

impl Kept {
    /// Takes a piece, and tells whether it brought something.
    fn take(&mut self, piece: &Piece) -> Result<bool, Conflict> {
        let assembly = self.assembly.get_or_insert(Assembly::begun_by(piece));
        let overlapping: Vec<_> = self
            .ranges
            .iter()
            .filter(|held| held.end() > piece.range.offset.into() && u64::from(held.offset) < piece.range.end())
            .cloned()
            .collect();
        let fresh = assembly.add(piece, &overlapping)?;
        let is_new = !fresh.is_empty();
        self.ranges.extend(fresh);
        self.ranges.sort_by_key(|range| range.offset);
        Ok(is_new)
    }

    fn is_complete(&self) -> bool {
        self.assembly.is_some_and(|assembly| assembly.is_complete())
    }

    fn read(&self) -> Result<Content, FrameError> {
        self.assembly.unwrap().read(&self.ranges, MAX)
    }
}

fn encoded(payload: Vec<u8>) -> (Content, Encoding, Vec<u8>) {
    let content = Content::new("application/octet-stream", None, payload).unwrap();
    let (encoding, bytes) = encode(content.encode_to_vec());
    (content, encoding, bytes)
}

fn piece(encoding: Encoding, bytes: &[u8], from: usize, to: usize) -> Piece {
    let range = Range { offset: u32::try_from(from).unwrap(), body: Body(bytes[from..to].to_vec()) };
    Piece { total_bytes: u32::try_from(bytes.len()).unwrap(), encoding, range }
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec(any::<u8>(), 1..3_000);
    prop_oneof![noise.clone(), noise.prop_map(|bytes| bytes.repeat(5))]
}

#[test]
fn a_part_says_what_its_piece_is() {
    let message_id = IdSource::above(None).next(1).to_bytes().to_vec();
    let whole = Part { message_id, body: b"hello".to_vec(), ..Part::default() };
    let piece = Piece::of(whole.clone()).unwrap();
    assert!(piece.is_whole());
    assert_eq!((piece.total_bytes, piece.range.offset), (5, 0));

    let range = Part { offset: 3, total_bytes: 8, encoding: 1, ..whole.clone() };
    let piece = Piece::of(range.clone()).unwrap();
    assert!(!piece.is_whole());
    assert_eq!((piece.total_bytes, piece.encoding, piece.range.end()), (8, Encoding::Zstd, 8));

    let most = u32::try_from(joined_bytes_max(MAX)).unwrap();
    assert!(Piece::of(Part { total_bytes: most, ..range.clone() }).unwrap().fits(MAX));
    assert!(!Piece::of(Part { total_bytes: most + 1, ..range.clone() }).unwrap().fits(MAX));
    assert!(Piece::of(Part { offset: u32::MAX, ..range }).is_err());
}

#[test]
fn another_size_encoding_or_byte_is_a_conflict_and_changes_nothing() {
    let (content, encoding, bytes) = encoded((0..=255).collect());
    let mut kept = Kept::default();
    kept.take(&piece(encoding, &bytes, 0, 100)).unwrap();
    let before = kept.assembly;
    let honest = piece(encoding, &bytes, 50, 150);
    let mut other_bytes = honest.clone();
    other_bytes.range.body.0[49] ^= 1;
    let other_size = Piece { total_bytes: honest.total_bytes + 1, ..honest.clone() };
    let other_encoding = Piece { encoding: Encoding::Zstd, ..honest.clone() };
    for hostile in [other_bytes, other_size, other_encoding] {
        assert_eq!(kept.take(&hostile), Err(Conflict));
    }
    assert_eq!(kept.assembly, before);
    kept.take(&honest).unwrap();
    kept.take(&piece(encoding, &bytes, 0, bytes.len())).unwrap();
    assert_eq!(kept.read().unwrap(), content);
}

#[test]
fn a_message_that_unfolds_to_more_than_allowed_is_refused() {
    for payload_bytes in [MAX, MAX + 1, 4 * MAX] {
        let (content, encoding, bytes) = encoded(vec![7; payload_bytes]);
        let mut kept = Kept::default();
        kept.take(&piece(encoding, &bytes, 0, bytes.len())).unwrap();
        assert!(kept.is_complete());
        let wanted = if payload_bytes == MAX { Ok(content) } else { Err(FrameError::TooLarge) };
        assert_eq!(kept.read(), wanted);
    }
}

#[test]
fn what_is_joined_but_no_message_is_refused() {
    let mut kept = Kept::default();
    kept.take(&piece(Encoding::Plain, b"\xff\xff\xff", 0, 3)).unwrap();
    assert!(kept.is_complete() && kept.read().is_err());
    let (_, encoding, bytes) = encoded(b"text".to_vec());
    let assembly = Assembly::begun_by(&piece(encoding, &bytes, 0, 1));
    assert!(assembly.read(&[], MAX).is_err());
    assert!(assembly.read(&[piece(encoding, &bytes, 1, 2).range], MAX).is_err());
    assert_eq!(Content::new(TEXT, None, b"text".to_vec()).unwrap().media_type(), TEXT);
}

proptest! {
    #[test]
    fn any_order_of_any_ranges_with_any_doubled_gives_the_message_back(
        payload in payload(),
        cuts in prop::collection::vec(any::<Index>(), 0..12),
        extra in prop::collection::vec((any::<Index>(), any::<Index>()), 0..12),
        order in any::<prop::sample::Selector>(),
        seed in any::<u64>(),
    ) {
        let (content, encoding, bytes) = encoded(payload);
        let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len())).chain([0, bytes.len()]).collect();
        places.sort_unstable();
        places.dedup();
        let mut pieces: Vec<_> = places.windows(2).map(|pair| piece(encoding, &bytes, pair[0], pair[1])).collect();
        for (from, length) in extra {
            let from = from.index(bytes.len());
            pieces.push(piece(encoding, &bytes, from, from + 1 + length.index(bytes.len() - from)));
        }
        let mut kept = Kept::default();
        let (mut left, mut turn) = (pieces, seed);
        while !left.is_empty() {
            let next = order.select(0..left.len()).wrapping_add(usize::try_from(turn % 97).unwrap()) % left.len();
            turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let piece = left.swap_remove(next);
            kept.take(&piece).unwrap();
            prop_assert!(!kept.take(&piece).unwrap(), "a doubled piece brings nothing");
        }
        prop_assert!(kept.is_complete());
        prop_assert_eq!(kept.read().unwrap(), content);
    }

    #[test]
    fn hostile_pieces_never_panic_and_are_held_once_within_the_messages_bytes(
        pieces in prop::collection::vec((any::<u16>(), 0u32..300, prop::collection::vec(0u8..2, 1..80), 0i32..3), 1..40),
        total_bytes in 1u32..300,
    ) {
        let message_id = IdSource::above(None).next(1).to_bytes().to_vec();
        let mut kept = Kept::default();
        for (other_size, offset, body, encoding) in pieces {
            let total_bytes = if other_size % 9 == 0 { other_size.into() } else { total_bytes };
            let part = Part { message_id: message_id.clone(), offset, total_bytes, encoding, body, amount_msat: 0 };
            let Ok(piece) = Piece::of(part) else { continue };
            let _ = kept.take(&piece);
            let held: usize = kept.ranges.iter().map(|range| range.body.0.len()).sum();
            let assembly = kept.assembly.unwrap();
            prop_assert_eq!(held, assembly.held_bytes as usize);
            prop_assert!(assembly.held_bytes <= assembly.total_bytes);
            prop_assert!(kept.ranges.windows(2).all(|pair| pair[0].end() <= pair[1].offset.into()));
        }
        if kept.is_complete() {
            let _ = kept.read();
        }
    }

    #[test]
    fn ranges_that_the_keeper_gives_wrongly_never_panic(
        ranges in prop::collection::vec((any::<u32>(), prop::collection::vec(any::<u8>(), 0..20)), 0..8),
        total_bytes in any::<u32>(),
    ) {
        let ranges: Vec<_> = ranges.into_iter().map(|(offset, body)| Range { offset, body: Body(body) }).collect();
        let mut assembly = Assembly { total_bytes, encoding: Encoding::Zstd, held_bytes: 0 };
        for range in &ranges {
            let _ = assembly.add(&Piece { total_bytes, encoding: Encoding::Zstd, range: range.clone() }, &ranges);
        }
        let _ = assembly.read(&ranges, MAX);
    }
}
