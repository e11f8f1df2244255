//! How a message's bytes are written: as they are, or compressed with Zstandard (RFC 8878) where that is smaller.
//!
//! What comes back is bounded: bytes that claim little and unfold to much are refused before they take more memory than
//! a message may have. A compressed message is one frame of the format, alone.

use zstd::{
    bulk::{Compressor, Decompressor},
    zstd_safe::{find_frame_compressed_size, get_frame_content_size},
};

use crate::frame::{Encoding, FrameError};

/// The level of compression: the highest of the regular ones, since every byte that travels is paid for and messages are
/// small.
const LEVEL: i32 = 19;

/// What a Zstandard frame begins with (RFC 8878, 3.1.1). A skippable frame, which holds nothing, begins otherwise.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Writes a message's bytes the shorter way. The same bytes give the same result as long as the same version of the
/// library compresses them.
pub fn encode(content: Vec<u8>) -> (Encoding, Vec<u8>) {
    let compressed = Compressor::new(LEVEL).and_then(|mut compressor| compressor.compress(&content));
    match compressed {
        Ok(compressed) if compressed.len() < content.len() => (Encoding::Zstd, compressed),
        // It never fails but for want of memory, and the message can go as it is.
        _ => (Encoding::Plain, content),
    }
}

/// Reads a message's bytes back, which must be at most `decoded_bytes_max`.
///
/// Refused are: more bytes than that ([`FrameError::TooLarge`]), another size than the frame says, several frames, and
/// anything before or behind the frame. No more than `decoded_bytes_max` and the decoder's own state, some 150 KiB, are
/// allocated, whatever the frame asks for: it is decoded into one buffer, which is also its window.
pub fn decode(encoding: Encoding, bytes: &[u8], decoded_bytes_max: usize) -> Result<Vec<u8>, FrameError> {
    match encoding {
        Encoding::Plain if bytes.len() > decoded_bytes_max => Err(FrameError::TooLarge),
        Encoding::Plain => Ok(bytes.to_vec()),
        Encoding::Zstd => decompress(bytes, decoded_bytes_max),
    }
}

fn decompress(bytes: &[u8], decoded_bytes_max: usize) -> Result<Vec<u8>, FrameError> {
    let damaged = FrameError::Rule("the compressed bytes are damaged");
    if !bytes.starts_with(&MAGIC) {
        return Err(FrameError::Rule("the bytes are not compressed with Zstandard"));
    }
    if find_frame_compressed_size(bytes).map_err(|_| damaged.clone())? != bytes.len() {
        return Err(FrameError::Rule("a compressed message is one Zstandard frame, alone"));
    }
    // A frame that doesn't say its size may be as large as is allowed: the buffer then tells. The library takes the two
    // largest sizes that can be said for none and for damage, so whether one is said is looked up in the descriptor.
    let says_size = bytes.get(MAGIC.len()).is_some_and(|descriptor| descriptor >> 5 != 0);
    let said = || get_frame_content_size(bytes).ok().flatten().and_then(|said| usize::try_from(said).ok());
    let said_bytes = says_size.then(|| said().unwrap_or(usize::MAX));
    if said_bytes.is_some_and(|said| said > decoded_bytes_max) {
        return Err(FrameError::TooLarge);
    }
    let mut decoded = Vec::with_capacity(said_bytes.unwrap_or(decoded_bytes_max));
    match Decompressor::new().and_then(|mut decompressor| decompressor.decompress_to_buffer(bytes, &mut decoded)) {
        Ok(_) => Ok(decoded),
        // The library doesn't tell a full buffer from damage but by its words; nor does it matter here.
        Err(_) if said_bytes.is_none() => Err(FrameError::Rule("the compressed bytes are damaged or too many")),
        Err(_) => Err(damaged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write as _;

    const MAX: usize = 64 * 1_024;

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        Compressor::new(3).unwrap().compress(bytes).unwrap()
    }

    /// A frame that doesn't say its size.
    fn streamed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn text_that_repeats_is_written_smaller_and_what_does_not_shrink_is_left() {
        let text = "A message that says the same thing, ".repeat(40).into_bytes();
        let (encoding, bytes) = encode(text.clone());
        assert_eq!(encoding, Encoding::Zstd);
        assert!(bytes.len() < 100, "{}", bytes.len());
        assert_eq!(encode(text), (encoding, bytes));
        assert_eq!(encode(b"hello".to_vec()), (Encoding::Plain, b"hello".to_vec()));
    }

    #[test]
    fn a_bomb_is_refused_whether_it_says_its_size_or_not() {
        let bomb = vec![0; 256 * MAX];
        assert_eq!(decode(Encoding::Zstd, &compressed(&bomb), MAX), Err(FrameError::TooLarge));
        assert!(decode(Encoding::Zstd, &streamed(&bomb), MAX).is_err());
        assert_eq!(decode(Encoding::Plain, &bomb, MAX), Err(FrameError::TooLarge));
    }

    #[test]
    fn the_limit_is_exact() {
        let bytes = vec![7; MAX];
        for frame in [compressed(&bytes), streamed(&bytes)] {
            assert_eq!(decode(Encoding::Zstd, &frame, MAX), Ok(bytes.clone()));
            assert!(decode(Encoding::Zstd, &frame, MAX - 1).is_err());
        }
        assert_eq!(decode(Encoding::Plain, &bytes, MAX), Ok(bytes));
    }

    #[test]
    fn a_frame_that_lies_about_its_size_is_refused() {
        // A frame of one segment says the size of 256 to 65,791 bytes, less 256, in two bytes behind magic and descriptor.
        let mut frame = compressed(&vec![7; 1_000]);
        assert_eq!(u16::from_le_bytes([frame[5], frame[6]]), 1_000 - 256);
        for lie in [0, 500, 1_000, u16::MAX] {
            frame[5..7].copy_from_slice(&lie.to_le_bytes());
            assert!(decode(Encoding::Zstd, &frame, 2 * MAX).is_err(), "{lie}");
        }
    }

    #[test]
    fn the_sizes_that_the_library_takes_for_none_are_too_large() {
        // One segment with a size of 8 bytes, and one raw block of a byte, the last (RFC 8878, 3.1.1).
        for said in [u64::MAX, u64::MAX - 1, u64::MAX - 2] {
            let frame = [&MAGIC, [0xe0].as_slice(), &said.to_le_bytes(), &[9, 0, 0], b"x"].concat();
            assert_eq!(decode(Encoding::Zstd, &frame, MAX), Err(FrameError::TooLarge), "{said}");
        }
    }

    #[test]
    fn what_is_not_one_frame_alone_is_refused() {
        let frame = compressed(b"hello hello hello hello");
        // A skippable frame of 4 bytes (RFC 8878, 3.1.2).
        let skippable = [0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4];
        let others: [&[u8]; 4] = [&frame, &skippable, b"x", &[0; 100]];
        for other in others {
            assert!(decode(Encoding::Zstd, &[&frame, other].concat(), MAX).is_err());
            assert!(decode(Encoding::Zstd, &[other, &frame].concat(), MAX).is_err());
        }
        assert!(decode(Encoding::Zstd, &skippable, MAX).is_err());
        assert!(decode(Encoding::Zstd, b"", MAX).is_err());
        assert!(decode(Encoding::Zstd, b"hello", MAX).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_written_reads_back(
            seed in prop::collection::vec(any::<u8>(), 1..400),
            times in 1usize..50,
        ) {
            let content = seed.repeat(times);
            let (encoding, bytes) = encode(content.clone());
            prop_assert!(bytes.len() <= content.len());
            prop_assert_eq!(decode(encoding, &bytes, content.len()).unwrap(), content);
        }

        #[test]
        fn a_cut_or_changed_frame_never_panics_nor_gives_more_than_allowed(
            seed in prop::collection::vec(any::<u8>(), 1..100),
            at in any::<prop::sample::Index>(),
            flip in any::<u8>(),
            kept in any::<prop::sample::Index>(),
        ) {
            let content = seed.repeat(20);
            for mut frame in [compressed(&content), streamed(&content)] {
                let cut = kept.index(frame.len());
                prop_assert!(decode(Encoding::Zstd, &frame[..cut], MAX).is_err());
                let at = at.index(frame.len());
                frame[at] ^= flip;
                if let Ok(decoded) = decode(Encoding::Zstd, &frame, MAX) {
                    prop_assert!(decoded.len() <= MAX);
                }
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300), ours in any::<bool>()) {
            if ours && bytes.len() >= MAGIC.len() {
                bytes[..MAGIC.len()].copy_from_slice(&MAGIC);
            }
            if let Ok(decoded) = decode(Encoding::Zstd, &bytes, MAX) {
                prop_assert!(decoded.len() <= MAX);
            }
        }
    }
}
