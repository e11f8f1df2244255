//! What a compressed message unfolds to: never more than is allowed, and what was written reads back.
//!
//! The first byte of an input says what is done with the rest, the second how much is allowed.

#![no_main]

use boltgram_core::{
    encoding::{decode, encode},
    frame::{Encoding, FrameError},
    limits::{CONTENT_OVERHEAD_BYTES_MAX, MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX_DEFAULT},
};
use libfuzzer_sys::fuzz_target;
use zstd::{
    bulk::compress,
    zstd_safe::{CCtx, CParameter, compress_bound},
};

/// What a Zstandard frame begins with (RFC 8878, 3.1.1).
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The most that `encode` is given: it compresses at a high level, and slowly.
const ENCODED_BYTES_MAX: usize = 2_048;

/// What the decoded bytes may have: little, a message's by default, and the most that can be configured.
const ALLOWED_BYTES: [usize; 5] = [
    0,
    100,
    1_024,
    MESSAGE_BYTES_MAX_DEFAULT + CONTENT_OVERHEAD_BYTES_MAX,
    MESSAGE_BYTES_MAX + CONTENT_OVERHEAD_BYTES_MAX,
];

fuzz_target!(|input: &[u8]| {
    let Some((&[way, allowed, times], bytes)) = input.split_first_chunk() else { return };
    let allowed = ALLOWED_BYTES[usize::from(allowed) % ALLOWED_BYTES.len()];
    match way % 6 {
        0 => check(bytes, allowed),
        1 => check(&[&MAGIC, bytes].concat(), allowed),
        2 => plain(bytes, allowed),
        3 => round_trip(bytes, times.into()),
        4 => damaged(bytes, times, allowed, true),
        _ => damaged(bytes, times, allowed, false),
    }
});

/// Decodes arbitrary bytes.
fn check(bytes: &[u8], allowed: usize) {
    match decode(Encoding::Zstd, bytes, allowed) {
        Ok(decoded) => {
            assert!(bytes.starts_with(&MAGIC));
            assert!(decoded.len() <= allowed && decoded.capacity() <= allowed, "{} of {allowed} bytes", decoded.len());
            assert!(said_bytes(bytes).is_none_or(|said| said == decoded.len() as u64), "another size than it says");
            // The limit is exact.
            assert_eq!(decode(Encoding::Zstd, bytes, decoded.len()).as_ref(), Ok(&decoded));
            if let Some(less) = decoded.len().checked_sub(1) {
                assert!(decode(Encoding::Zstd, bytes, less).is_err());
            }
        }
        Err(FrameError::TooLarge) => {
            assert!(said_bytes(bytes).is_some_and(|said| said > allowed as u64));
        }
        Err(_) => {}
    }
}

/// The content's size that a frame says, if it says one (RFC 8878, 3.1.1.1).
fn said_bytes(frame: &[u8]) -> Option<u64> {
    let (descriptor, rest) = frame.get(MAGIC.len()..)?.split_first()?;
    let is_single_segment = descriptor & 0x20 != 0;
    let window = usize::from(!is_single_segment);
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let (size, above) = match descriptor >> 6 {
        0 => (usize::from(is_single_segment), 0),
        1 => (2, 256),
        2 => (4, 0),
        _ => (8, 0),
    };
    let field = rest.get(window + dictionary..)?.get(..size)?;
    let number = field.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
    (size > 0).then_some(number + above)
}

fn plain(bytes: &[u8], allowed: usize) {
    let expected = if bytes.len() <= allowed { Ok(bytes.to_vec()) } else { Err(FrameError::TooLarge) };
    assert_eq!(decode(Encoding::Plain, bytes, allowed), expected);
}

/// What is encoded reads back, and is never longer than it was.
fn round_trip(bytes: &[u8], times: usize) {
    let content: Vec<u8> = bytes.iter().copied().cycle().take((bytes.len() * times).min(ENCODED_BYTES_MAX)).collect();
    let (encoding, encoded) = encode(content.clone());
    assert!(encoded.len() < content.len() || encoding == Encoding::Plain && encoded == content);
    assert_eq!(decode(encoding, &encoded, content.len()).as_ref(), Ok(&content));
    if let Some(less) = content.len().checked_sub(1) {
        assert_eq!(decode(encoding, &encoded, less), Err(FrameError::TooLarge));
    }
}

/// Compresses bytes, again and again the same, and damages one of what comes out: at the place and by the change that
/// the first two bytes say.
fn damaged(bytes: &[u8], times: u8, allowed: usize, says_its_size: bool) {
    let Some((&[place, flip], bytes)) = bytes.split_first_chunk() else { return };
    let content = bytes.repeat(usize::from(times) * usize::from(times));
    let mut frame =
        if says_its_size { compress(&content, 1).expect("there is memory") } else { unsized_frame(&content) };
    let at = usize::from(place) % frame.len();
    frame[at] ^= flip;
    check(&frame, allowed);
    if flip == 0 && content.len() <= allowed {
        assert_eq!(decode(Encoding::Zstd, &frame, allowed), Ok(content));
    }
}

/// A frame that doesn't say its content's size.
fn unsized_frame(content: &[u8]) -> Vec<u8> {
    let mut context = CCtx::create();
    context.set_parameter(CParameter::CompressionLevel(1)).expect("there is such a level");
    context.set_parameter(CParameter::ContentSizeFlag(false)).expect("there is such a flag");
    let mut frame = Vec::with_capacity(compress_bound(content.len()));
    context.compress2(&mut frame, content).expect("there is room");
    frame
}
