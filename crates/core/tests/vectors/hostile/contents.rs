//! A content's rules, and sizes.

use boltgram_core::{
    frame::{Content, Encoding, Part},
    limits::{CONTENT_OVERHEAD_BYTES_MAX, MESSAGE_BYTES_MAX_DEFAULT},
};
use prost::Message as _;

use super::{TOO_LARGE, UNREADABLE, breaks, lone};
use crate::{
    file::Vector,
    wire::{ROAD, USUAL_MSAT, bytes_field, content, id, range, text, whole, whole_of, zstd},
};

pub fn vectors() -> Vec<Vector> {
    [payloads(), types(), texts(), replies(), sizes()].concat()
}

/// A whole message of these content bytes.
fn bytes(rule: &'static str, name: &str, about: &str, body: &[u8]) -> Vector {
    lone((rule, UNREADABLE), name, about, ROAD.pays(vec![whole_of(id(0), Encoding::Plain, body)], USUAL_MSAT))
}

fn of(rule: &'static str, name: &str, about: &str, content: &Content) -> Vector {
    bytes(rule, name, about, &content.encode_to_vec())
}

fn payloads() -> Vec<Vector> {
    let rule = "content-has-payload";
    let compressed = whole_of(id(0), Encoding::Zstd, &zstd(b""));
    vec![
        bytes(rule, "payload-absent", "A content with a type alone", &bytes_field(1, b"a/b")),
        bytes(rule, "payload-empty", "A payload that is empty", &bytes_field(3, b"")),
        bytes(
            rule,
            "payload-replaced-by-none",
            "The last payload counts, and it is empty",
            &[bytes_field(3, b"x"), bytes_field(3, b"")].concat(),
        ),
        lone(
            (rule, UNREADABLE),
            "content-of-no-bytes",
            "A compressed content of no bytes",
            ROAD.pays(vec![compressed], USUAL_MSAT),
        ),
    ]
}

fn types() -> Vec<Vector> {
    let of =
        |name: &str, about: &str, content_type: &str| of("content-type", name, about, &content(content_type, b"x"));
    vec![
        of("type-of-one-word", "No slash", "text"),
        of("type-of-a-slash", "A slash alone", "/"),
        of("type-without-subtype", "Nothing behind the slash", "text/"),
        of("type-without-type", "Nothing before the slash", "/plain"),
        of("type-with-space-before-the-slash", "A space before the slash", "te xt/plain"),
        of("type-with-space-behind-the-slash", "A space behind the slash", "text/ plain"),
        of("type-with-line-break", "A line break: it could end a header", "text/html\r\nx: y"),
        of("type-with-nul", "A NUL", "text/html\0"),
        of("type-with-delete", "0x7f", "text/html\u{7f}"),
        of("type-with-umlaut", "UTF-8 beyond ASCII", "text/hütml"),
        of("type-of-128-bytes", "A byte too many", &format!("application/vnd.{}", "x".repeat(112))),
    ]
}

fn texts() -> Vec<Vector> {
    let bad: &[u8] = b"gr\xfcezi";
    let spelt_out = Content { content_type: "text/plain".into(), ..content("", bad) };
    vec![
        of("content-text", "text-no-utf-8", "A text in another encoding", &content("", bad)),
        of("content-text", "text-no-utf-8-spelt-out", "The same with its type written", &spelt_out),
        of("content-text", "text-with-surrogate", "A surrogate is no UTF-8", &content("", b"\xed\xa0\x80")),
        of("content-text", "text-half-a-letter", "A text that ends within a letter", &content("", b"gr\xc3")),
    ]
}

fn replies() -> Vec<Vector> {
    let rule = "content-reply-to-id";
    let to = |id: &[u8]| Content { reply_to_id: id.to_vec(), ..text("yes") };
    let mut version_4 = id(7).to_bytes();
    version_4[6] = 0x43;
    vec![
        of(rule, "reply-to-15-bytes", "A byte too few", &to(&id(7).to_bytes()[..15])),
        of(rule, "reply-to-17-bytes", "A byte too many", &to(&[id(7).to_bytes().as_slice(), &[0]].concat())),
        of(rule, "reply-to-version-4", "A version 4 UUID", &to(&version_4)),
        of(rule, "reply-to-zeros", "16 bytes of 0", &to(&[0; 16])),
    ]
}

fn sizes() -> Vec<Vector> {
    let max = u32::try_from(MESSAGE_BYTES_MAX_DEFAULT + CONTENT_OVERHEAD_BYTES_MAX).unwrap();
    let part = |name: &str, about: &str, total_bytes| {
        let part = Part { total_bytes, ..whole(id(0), &text("x")) };
        lone(("encoded-size", TOO_LARGE), name, about, ROAD.pays(vec![part], USUAL_MSAT))
    };
    let payload = content("application/octet-stream", &vec![0; MESSAGE_BYTES_MAX_DEFAULT + 1]);
    let compressed = whole_of(id(0), Encoding::Zstd, &zstd(&payload.encode_to_vec()));
    let held = vec![
        ROAD.pays(vec![range(id(0), &text("hello"), 0..3)], USUAL_MSAT),
        ROAD.pays(vec![Part { total_bytes: max + 1, ..range(id(0), &text("hello"), 3..7) }], USUAL_MSAT),
    ];
    vec![
        part("part-of-65793-bytes", "A part of a message that is a byte larger than a receiver takes", max + 1),
        part("part-of-4-gib", "A part of a message of 4 GiB", u32::MAX),
        breaks(
            ("encoded-size", TOO_LARGE),
            "size-before-conflict",
            "A part that disagrees with what is held, and is too large: the size comes first",
            held,
            Vec::new(),
        ),
        lone(
            ("payload-size", TOO_LARGE),
            "payload-of-65537-bytes",
            "A payload of a byte more than the receiver takes, in a content that it decodes",
            ROAD.pays(vec![compressed], USUAL_MSAT),
        ),
    ]
}
