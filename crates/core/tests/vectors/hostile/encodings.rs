//! Compressed bytes that are damaged, lie or unfold to too much.

use boltgram_core::{
    frame::{Content, Encoding},
    limits::{CONTENT_OVERHEAD_BYTES_MAX, MESSAGE_BYTES_MAX_DEFAULT},
};
use prost::Message as _;

use super::{TOO_LARGE, UNREADABLE, breaks, lone};
use crate::{
    file::Vector,
    wire::{
        ROAD, USUAL_MSAT, ZSTD_MAGIC, block, bytes_field, content, id, range_of, text, whole_of, zstd, zstd_raw,
        zstd_stream,
    },
};

pub fn vectors() -> Vec<Vector> {
    [magic(), alone(), headers(), sizes(), damage(), joined()].concat()
}

fn repeats() -> Content {
    text(&"a text that repeats itself, ".repeat(50))
}

fn hello() -> Vec<u8> {
    text("hello").encode_to_vec()
}

/// A whole message of these compressed bytes.
fn of(rule: &'static str, name: &str, about: &str, encoded: &[u8]) -> Vector {
    let payment = ROAD.pays(vec![whole_of(id(0), Encoding::Zstd, encoded)], USUAL_MSAT);
    let reason = if rule == "decoded-size" { TOO_LARGE } else { UNREADABLE };
    lone((rule, reason), name, about, payment)
}

/// A skippable frame of 4 bytes (RFC 8878, 3.1.2).
const SKIPPABLE: [u8; 12] = [0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4];

fn magic() -> Vec<Vector> {
    let frame = zstd(&repeats().encode_to_vec());
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    vec![
        of("zstd-magic", "zstd-of-plain-bytes", "Plain bytes that are said to be compressed", &hello()),
        of("zstd-magic", "zstd-skippable-alone", "A skippable frame", &SKIPPABLE),
        of(
            "zstd-magic",
            "zstd-skippable-first",
            "A skippable frame, then one with a message",
            &[&SKIPPABLE, frame.as_slice()].concat(),
        ),
        of("zstd-magic", "zstd-byte-first", "A byte before the frame", &[b"x", frame.as_slice()].concat()),
        of("zstd-magic", "zstd-of-gzip", "A gzip header", &gzip),
        of(
            "zstd-magic",
            "zstd-of-version-0.7",
            "The magic number of Zstandard 0.7",
            &[&[0x27, 0xb5, 0x2f, 0xfd], &frame[4..]].concat(),
        ),
        of("zstd-magic", "zstd-magic-cut", "Three bytes of the magic number", &ZSTD_MAGIC[..3]),
    ]
}

fn alone() -> Vec<Vector> {
    let frame = zstd(&repeats().encode_to_vec());
    let with_checksum = zstd_stream(&repeats().encode_to_vec(), true);
    let not_last = [ZSTD_MAGIC.as_slice(), &[0x20, 7], &block(0, 7, false), &hello()].concat();
    let reserved = [ZSTD_MAGIC.as_slice(), &[0x20, 7], &block(3, 7, true), &hello()].concat();
    let half = [&frame[..10], &frame].concat();
    vec![
        of("zstd-alone", "zstd-two-frames", "Two frames", &[frame.clone(), zstd(&hello())].concat()),
        of(
            "zstd-alone",
            "zstd-skippable-behind",
            "A skippable frame behind it",
            &[frame.as_slice(), &SKIPPABLE].concat(),
        ),
        of("zstd-alone", "zstd-byte-behind", "A byte behind it", &[frame.as_slice(), b"x"].concat()),
        of("zstd-alone", "zstd-cut", "A frame without its last byte", &frame[..frame.len() - 1]),
        of("zstd-alone", "zstd-header-cut", "A frame that ends within its header", &frame[..5]),
        of("zstd-alone", "zstd-magic-alone", "A magic number and nothing more", &ZSTD_MAGIC),
        of("zstd-alone", "zstd-without-last-block", "No block says that it is the last", &not_last),
        of("zstd-alone", "zstd-reserved-block", "A block of the reserved type", &reserved),
        of("zstd-alone", "zstd-checksum-cut", "Three bytes of the checksum", &with_checksum[..with_checksum.len() - 1]),
        of("zstd-alone", "zstd-begins-twice", "The beginning of a frame, and then all of it", &half),
    ]
}

fn headers() -> Vec<Vector> {
    let size = hello().len() as u8;
    vec![
        of(
            "zstd-header",
            "zstd-reserved-bit",
            "The reserved bit of the descriptor",
            &zstd_raw(&[0x28, size], &hello()),
        ),
        of(
            "zstd-header",
            "zstd-window-of-4-gib",
            "A window descriptor with the exponent 22",
            &zstd_raw(&[0x00, 22 << 3], &hello()),
        ),
        of(
            "zstd-header",
            "zstd-window-largest",
            "The largest window descriptor there is",
            &zstd_raw(&[0x00, 0xff], &hello()),
        ),
        of(
            "zstd-no-dictionary",
            "zstd-dictionary-of-1-byte",
            "A dictionary id, in one byte",
            &zstd_raw(&[0x21, 9, size], &hello()),
        ),
        of(
            "zstd-no-dictionary",
            "zstd-dictionary-of-4-bytes",
            "A dictionary id, in four bytes",
            &zstd_raw(&[0x23, 0, 0, 0, 1, size], &hello()),
        ),
    ]
}

fn sizes() -> Vec<Vector> {
    let max = MESSAGE_BYTES_MAX_DEFAULT + CONTENT_OVERHEAD_BYTES_MAX;
    let zeros = |bytes: usize| content("application/octet-stream", &vec![0; bytes]).encode_to_vec();
    let bomb = zeros(16 * 1_024 * 1_024);
    // A content that is one byte too long, by an unknown field.
    let payload = zeros(MESSAGE_BYTES_MAX_DEFAULT);
    let over = [payload.as_slice(), &bytes_field(9, &vec![0; max + 1 - payload.len() - 3])].concat();
    assert_eq!(over.len(), max + 1);
    let said = |size: u64| zstd_raw(&[&[0xe0], size.to_le_bytes().as_slice()].concat(), &hello());
    let of_size = |size: u8| zstd_raw(&[0x20, size], &hello());
    vec![
        of("decoded-size", "zstd-bomb", "16 MiB of zeros, in a frame that says so", &zstd(&bomb)),
        of("decoded-size", "zstd-one-byte-too-many", "65,793 bytes, in a frame that says so", &zstd(&over)),
        of(
            "decoded-size",
            "zstd-says-all-ones",
            "7 bytes in a frame that says 2^64 - 1, which libzstd takes for none",
            &said(u64::MAX),
        ),
        of(
            "decoded-size",
            "zstd-says-all-ones-but-one",
            "The same with 2^64 - 2, which libzstd takes for damage",
            &said(u64::MAX - 1),
        ),
        of("decoded-size", "zstd-says-too-many", "7 bytes in a frame that says 65,793", &said(max as u64 + 1)),
        of(
            "zstd-bytes-max",
            "zstd-bomb-without-size",
            "16 MiB of zeros, in a frame that doesn't say its size",
            &zstd_stream(&bomb, false),
        ),
        of(
            "zstd-bytes-max",
            "zstd-one-byte-too-many-without-size",
            "65,793 bytes, in a frame that doesn't say its size",
            &zstd_stream(&over, true),
        ),
        of("zstd-content-size", "zstd-says-fewer", "7 bytes in a frame that says 6", &of_size(6)),
        of("zstd-content-size", "zstd-says-more", "7 bytes in a frame that says 8", &of_size(8)),
        of("zstd-content-size", "zstd-says-none", "7 bytes in a frame that says 0", &of_size(0)),
    ]
}

fn damage() -> Vec<Vector> {
    let mut checksum = zstd_stream(&repeats().encode_to_vec(), true);
    *checksum.last_mut().unwrap() ^= 1;
    let mut content = zstd_stream(&hello(), true);
    let at = content.windows(5).position(|window| window == b"hello").unwrap();
    content[at] ^= 1;
    // A compressed block whose literals say more bytes than the block has.
    let literals = [ZSTD_MAGIC.as_slice(), &[0x20, 7], &block(2, 2, true), &[0xf8, 0x00]].concat();
    let empty = [ZSTD_MAGIC.as_slice(), &[0x20, 0], &block(2, 0, true)].concat();
    vec![
        of("zstd-checksum", "zstd-checksum-wrong", "Another checksum", &checksum),
        of("zstd-checksum", "zstd-content-changed", "A letter changed under a checksum", &content),
        of("zstd-intact", "zstd-block-damaged", "Literals that are longer than their block", &literals),
        of("zstd-intact", "zstd-block-of-nothing", "A compressed block of no bytes", &empty),
    ]
}

/// What is wrong once the ranges are joined.
fn joined() -> Vec<Vector> {
    let frame = zstd(&repeats().encode_to_vec());
    let cut = &frame[..frame.len() - 1];
    let payments = |encoded: &[u8]| {
        let ranges = [0..20, 20..encoded.len()];
        ranges.map(|range| ROAD.pays(vec![range_of(id(0), Encoding::Zstd, encoded, range)], USUAL_MSAT)).to_vec()
    };
    vec![breaks(
        ("zstd-alone", UNREADABLE),
        "zstd-cut-in-parts",
        "Two parts of a frame without its last byte",
        payments(cut),
        Vec::new(),
    )]
}
