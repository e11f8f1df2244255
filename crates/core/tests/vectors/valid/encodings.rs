//! Compressed messages.

use boltgram_core::{
    frame::{Content, Encoding},
    limits::{CONTENT_OVERHEAD_BYTES_MAX, MESSAGE_BYTES_MAX_DEFAULT},
};
use prost::Message as _;

use crate::{
    file::Vector,
    wire::{
        ROAD, USUAL_MSAT, ZSTD_MAGIC, block, bytes_field, content, id, range_of, text, vector, whole_of, with_amount,
        zstd, zstd_raw, zstd_stream,
    },
};

pub fn vectors() -> Vec<Vector> {
    [by_the_library(), by_hand(), largest()].concat()
}

fn repeats() -> Content {
    text(&"a text that repeats itself, ".repeat(50))
}

/// One compressed message in one payment.
fn lone(name: &str, about: &str, content: &Content, encoded: &[u8]) -> Vector {
    let payments = vec![ROAD.pays(vec![whole_of(id(0), Encoding::Zstd, encoded)], USUAL_MSAT)];
    vector(name, about, payments, vec![ROAD.message(id(0), content, USUAL_MSAT)])
}

fn by_the_library() -> Vec<Vector> {
    let bytes = repeats().encode_to_vec();
    let with_size = zstd(&bytes);
    let ranges = [0..20, 20..with_size.len()].map(|range| range_of(id(0), Encoding::Zstd, &with_size, range));
    let payments: Vec<_> = ranges.iter().rev().map(|part| ROAD.pays(vec![part.clone()], USUAL_MSAT)).collect();
    let in_parts = vec![ROAD.message(id(0), &repeats(), 2 * USUAL_MSAT)];
    let two = vec![
        whole_of(id(0), Encoding::Zstd, &with_size),
        with_amount(whole_of(id(1), Encoding::Plain, &text("plain").encode_to_vec()), USUAL_MSAT),
    ];
    let mixed = vec![ROAD.message(id(0), &repeats(), 0), ROAD.message(id(1), &text("plain"), USUAL_MSAT)];
    vec![
        lone("zstd-with-size", "A frame that says its size", &repeats(), &with_size),
        lone("zstd-without-size", "A frame that doesn't", &repeats(), &zstd_stream(&bytes, false)),
        lone("zstd-with-checksum", "A frame with a checksum", &repeats(), &zstd_stream(&bytes, true)),
        lone(
            "zstd-longer-than-plain",
            "A receiver takes compressed bytes that are no shorter",
            &text("x"),
            &zstd(&text("x").encode_to_vec()),
        ),
        vector(
            "zstd-in-parts",
            "A compressed message in two payments: the compressed bytes are cut",
            payments,
            in_parts,
        ),
        vector(
            "zstd-beside-plain",
            "Each message of a frame has an encoding of its own",
            vec![ROAD.pays(two, USUAL_MSAT)],
            mixed,
        ),
    ]
}

/// Frames that the library doesn't make, but reads. The header's first byte is the descriptor: RFC 8878, 3.1.1.1.
fn by_hand() -> Vec<Vector> {
    let hello = text("hello");
    let bytes = hello.encode_to_vec();
    let size = u8::try_from(bytes.len()).unwrap();
    let run = text(&"a".repeat(1_000));
    let head = run.encode_to_vec().len() - 1_000;
    let repeated = [
        &ZSTD_MAGIC,
        [0x60, (run.encoded_len() - 256) as u8, ((run.encoded_len() - 256) >> 8) as u8].as_slice(),
        &block(0, head, false),
        &run.encode_to_vec()[..head],
        &block(1, 1_000, false),
        b"a",
        &block(0, 0, true),
    ]
    .concat();
    let long_size = [&[0xe0], u64::from(size).to_le_bytes().as_slice()].concat();
    vec![
        lone("zstd-raw-block", "One raw block, in one segment", &hello, &zstd_raw(&[0x20, size], &bytes)),
        lone(
            "zstd-repeated-byte",
            "A raw block, one of a byte that repeats, and an empty one at the end",
            &run,
            &repeated,
        ),
        lone("zstd-size-of-8-bytes", "A content size of 8 bytes", &hello, &zstd_raw(&long_size, &bytes)),
        lone("zstd-dictionary-0", "The dictionary id 0 means none", &hello, &zstd_raw(&[0x21, 0, size], &bytes)),
        lone(
            "zstd-window-of-1-kib",
            "A window descriptor, and no content size",
            &hello,
            &zstd_raw(&[0x00, 0x00], &bytes),
        ),
        lone(
            "zstd-window-of-3-75-gib",
            "The largest window descriptor that is taken: what is decoded is bounded by itself",
            &hello,
            &zstd_raw(&[0x00, 21 << 3 | 7], &bytes),
        ),
        lone(
            "zstd-unused-bit",
            "The unused bit of the descriptor is ignored",
            &hello,
            &zstd_raw(&[0x30, size], &bytes),
        ),
    ]
}

fn largest() -> Vec<Vector> {
    let payload = content("application/octet-stream", &vec![0; MESSAGE_BYTES_MAX_DEFAULT]);
    let bytes = payload.encode_to_vec();
    // An unknown field fills the content up to the last byte that is decoded at all: a key of one byte, a length of two.
    let room = MESSAGE_BYTES_MAX_DEFAULT + CONTENT_OVERHEAD_BYTES_MAX - bytes.len();
    let full = [bytes.clone(), bytes_field(9, &vec![0; room - 3])].concat();
    assert_eq!(full.len(), MESSAGE_BYTES_MAX_DEFAULT + CONTENT_OVERHEAD_BYTES_MAX);
    let listed = &payload;
    vec![
        lone(
            "largest-content",
            "As large a payload as the receiver takes, and beside it as large a content, by an unknown field",
            listed,
            &zstd(&full),
        ),
        lone(
            "largest-content-without-size",
            "The same in a frame that doesn't say its size",
            listed,
            &zstd_stream(&full, true),
        ),
    ]
}
