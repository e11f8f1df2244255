//! Parts that disagree with what came before.

use boltgram_core::frame::{Content, Encoding, Part};
use prost::Message as _;

use super::{CONFLICT, TOO_LARGE, UNREADABLE, breaks};
use crate::{
    file::{Payment, Vector},
    wire::{ROAD, USUAL_MSAT, content, id, range, range_of, text, whole, whole_of, with_amount, zstd},
};

pub fn vectors() -> Vec<Vector> {
    [held(), known(), within_frames()].concat()
}

fn letter() -> Content {
    text(&"a letter that doesn't fit into one record. ".repeat(40))
}

fn pays(part: Part) -> Payment {
    ROAD.pays(vec![part], USUAL_MSAT)
}

/// A part that disagrees with the ranges that are held: nothing is read.
fn held() -> Vec<Vector> {
    let bytes = letter().encode_to_vec();
    let first = || pays(range(id(0), &letter(), 0..1_000));
    let after_first = |rule, name: &str, about: &str, part| {
        breaks((rule, CONFLICT), name, about, vec![first(), pays(part)], Vec::new())
    };
    let plain = |encoded: &[u8], from, to| range_of(id(0), Encoding::Plain, encoded, from..to);
    let mut flipped = bytes.clone();
    flipped[999] ^= 1;
    let longer = [bytes.as_slice(), b" "].concat();
    let far = pays(range(id(0), &letter(), 1_200..1_300));
    let over_both = plain(
        &{
            let mut bytes = bytes.clone();
            bytes[1_250] ^= 1;
            bytes
        },
        900,
        1_400,
    );
    vec![
        after_first(
            "parts-same-total",
            "part-of-another-total",
            "The second part says one byte more",
            plain(&longer, 1_000, longer.len()),
        ),
        after_first(
            "parts-same-total",
            "part-of-another-total-and-the-same-bytes",
            "Another total, and nothing else",
            plain(&bytes[..1_200], 0, 500),
        ),
        after_first(
            "parts-same-total",
            "whole-of-another-total",
            "A whole message is a range of all its bytes",
            whole(id(0), &text("short")),
        ),
        after_first(
            "parts-same-encoding",
            "part-of-another-encoding",
            "The second part is said to be compressed",
            range_of(id(0), Encoding::Zstd, &bytes, 1_000..bytes.len()),
        ),
        after_first(
            "parts-same-bytes",
            "part-with-another-byte",
            "The last byte that overlaps is another",
            plain(&flipped, 999, flipped.len()),
        ),
        after_first(
            "parts-same-bytes",
            "part-within-with-another-byte",
            "A range within the one that is held, with another byte",
            plain(&flipped, 900, 1_000),
        ),
        after_first(
            "parts-same-bytes",
            "whole-with-another-byte",
            "A whole message with another byte",
            whole_of(id(0), Encoding::Plain, &flipped),
        ),
        breaks(
            ("parts-same-bytes", CONFLICT),
            "part-over-two-with-another-byte",
            "A range over two that are held, with another byte in the second",
            vec![first(), far, pays(over_both)],
            Vec::new(),
        ),
    ]
}

/// A message that is there, and another of the same id.
fn known() -> Vec<Vector> {
    let hello = || Content { reply_to_id: id(7).to_bytes().to_vec(), ..text("hello") };
    let first = || pays(whole(id(0), &hello()));
    let then = |name: &str, about: &str, part| {
        let messages = vec![ROAD.message(id(0), &hello(), USUAL_MSAT)];
        breaks(("message-same-content", CONFLICT), name, about, vec![first(), pays(part)], messages)
    };
    let whole_content = |content: &Content| whole(id(0), content);
    let bytes = hello().encode_to_vec();
    let hullo = Content { payload: b"hullo".to_vec(), ..hello() };
    vec![
        then("known-with-another-payload", "Another payload", whole_content(&hullo)),
        then(
            "known-with-another-type",
            "Another content type",
            whole_content(&Content { content_type: "text/markdown".into(), ..hello() }),
        ),
        then(
            "known-with-another-reply-to",
            "A reply to another message",
            whole_content(&Content { reply_to_id: id(8).to_bytes().to_vec(), ..hello() }),
        ),
        then("known-with-no-reply-to", "A reply to none", whole_content(&text("hello"))),
        then(
            "known-and-now-asks-for-a-receipt",
            "The same, and it asks for a receipt",
            whole_content(&Content { flags: 1, ..hello() }),
        ),
        then(
            "known-with-what-is-no-content",
            "The same id, and a content without a payload",
            whole_of(id(0), Encoding::Plain, b"\x20\x01"),
        ),
        then(
            "known-with-what-is-not-compressed",
            "The same bytes, said to be compressed",
            whole_of(id(0), Encoding::Zstd, &bytes),
        ),
        then(
            "known-with-a-range-of-all",
            "A range of all bytes is a whole message",
            range(id(0), &hullo, 0..bytes.len()),
        ),
        long_and_another(),
    ]
}

fn long_and_another() -> Vector {
    let end = letter().encoded_len();
    let payments = vec![
        pays(range(id(0), &letter(), 0..1_000)),
        pays(range(id(0), &letter(), 1_000..end)),
        pays(whole_of(id(0), Encoding::Zstd, &zstd(&text("another").encode_to_vec()))),
    ];
    let messages = vec![ROAD.message(id(0), &letter(), 2 * USUAL_MSAT)];
    breaks(
        ("message-same-content", CONFLICT),
        "known-long-with-another-payload",
        "A long message, and then a short one of the same id",
        payments,
        messages,
    )
}

/// Frames of which one part is put aside and the others are taken.
fn within_frames() -> Vec<Vector> {
    let hello = || with_amount(whole(id(0), &text("hello")), 400);
    let frame_of = |rule, name: &str, about: &str, parts, messages| {
        breaks(rule, name, about, vec![ROAD.pays(parts, USUAL_MSAT)], messages)
    };
    let taken = || vec![ROAD.message(id(0), &text("hello"), 400)];
    let picture = || content("image/png", b"\x89PNG");
    vec![
        frame_of(
            ("message-same-content", CONFLICT),
            "same-id-twice-in-a-frame",
            "Two messages of one id in one frame: the first is taken",
            vec![hello(), whole(id(0), &text("hullo"))],
            taken(),
        ),
        frame_of(
            ("parts-same-total", CONFLICT),
            "ranges-disagree-in-a-frame",
            "Two ranges of one message in one frame, and a text that is taken",
            vec![range(id(1), &letter(), 0..10), range(id(1), &text("short"), 5..7), hello()],
            taken(),
        ),
        frame_of(
            ("content-has-payload", UNREADABLE),
            "one-content-of-a-frame-is-broken",
            "A content without payload between two messages that are taken",
            vec![hello(), whole_of(id(1), Encoding::Plain, b"\x20\x01"), with_amount(whole(id(2), &picture()), 600)],
            [taken(), vec![ROAD.message(id(2), &picture(), 600)]].concat(),
        ),
        frame_of(
            ("encoded-size", TOO_LARGE),
            "one-part-of-a-frame-is-too-large",
            "A part of a message of 4 GiB, and a text that is taken",
            vec![Part { total_bytes: u32::MAX, ..whole(id(1), &text("x")) }, hello()],
            taken(),
        ),
    ]
}
