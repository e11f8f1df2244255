//! Texts, other content types, replies, flags, and receipts.

use boltgram_core::{
    MessageId,
    frame::{ASKS_RECEIPT, Content},
    limits::{RECORD_BYTES_ACCEPTED_MAX, RECORD_BYTES_DIRECT_MAX},
    receipt::PAYLOAD_BYTES,
};
use prost::Message as _;

use super::{canonical, lone};
use crate::{
    file::Vector,
    inbox::message,
    receipts::Asked,
    wire::{ROAD, USUAL_MSAT, content, id, payment, text, vector, whole, with_amount},
};

pub fn vectors() -> Vec<Vector> {
    [texts(), types(), extras(), receipts(), unsigned()].concat()
}

fn texts() -> Vec<Vector> {
    // The record that a direct peer can just be sent.
    let room = RECORD_BYTES_DIRECT_MAX - ROAD.record(&ROAD.frame(vec![whole(id(0), &text(&"x".repeat(1_000)))])).len();
    let largest = lone(
        "largest-record",
        "A text in the largest record that a direct peer can be sent: 1,204 bytes",
        &text(&"x".repeat(1_000 + room)),
    );
    assert_eq!(largest.payments[0].record.0.len(), RECORD_BYTES_DIRECT_MAX);
    vec![
        lone("text-hello", "The worked example of docs/protocol.md", &text("hello")),
        lone("text-of-one-byte", "The shortest text", &text("a")),
        lone("text-of-one-nul", "A text may be any UTF-8, a NUL too", &text("\0")),
        lone(
            "text-unicode",
            "Letters of several scripts, an emoji of several code points, a line break",
            &text("grüezi 日本語 עברית 👩‍👩‍👧\n\u{10ffff}"),
        ),
        lone("text-of-200-bytes", "Lengths of two bytes in the part and the content", &text(&"long ".repeat(40))),
        largest,
    ]
}

fn types() -> Vec<Vector> {
    let any: Vec<u8> = (0..=255).collect();
    let longest = format!("application/vnd.{}", "x".repeat(111));
    assert_eq!(longest.len(), 127);
    vec![
        lone(
            "type-octets",
            "Every byte there is, as application/octet-stream",
            &content("application/octet-stream", &any),
        ),
        lone("type-json", "A JSON text", &content("application/json", br#"{"a":1}"#)),
        lone(
            "type-with-parameter",
            "text/html with a parameter",
            &content("text/html; charset=utf-8", b"<p>hello</p>"),
        ),
        lone("type-longest", "A content type of 127 bytes", &content(&longest, b"x")),
        lone("type-shortest", "A content type of 3 bytes", &content("a/b", b"x")),
        lone(
            "type-odd",
            "A receiver doesn't look closely at a content type: several slashes, spaces at the end, any visible ASCII",
            &content("a/b/c !\"#~ ", b"x"),
        ),
        lone(
            "type-of-text-that-is-not-utf-8",
            "text/plain with a parameter is another type than text/plain: its payload may be any bytes",
            &content("text/plain; charset=iso-8859-1", b"gr\xfcezi"),
        ),
        lone("type-in-capitals", "Neither is TEXT/PLAIN the type text/plain", &content("TEXT/PLAIN", b"\xff")),
    ]
}

fn extras() -> Vec<Vector> {
    let reply = |to: MessageId| Content { reply_to_id: to.to_bytes().to_vec(), ..text("yes") };
    let flags = |flags| Content { flags, ..text("flags") };
    vec![
        lone("reply", "A reply to a message", &reply(id(7))),
        lone("reply-to-lowest-id", "The lowest id there can be is an id like others", &reply(MessageId::LOWEST)),
        lone("flag-asks-for-receipt", "Bit 0 of the flags asks for a receipt", &flags(ASKS_RECEIPT)),
        lone(
            "flags-unknown",
            "All bits but bit 0: unknown flags are ignored, though this vector lists them",
            &flags(!ASKS_RECEIPT),
        ),
        lone("flags-all", "All bits", &flags(u32::MAX)),
    ]
}

fn receipts() -> Vec<Vector> {
    let asked = Asked::hello();
    let receipt = asked.receipt();
    assert_eq!(receipt.payload.len(), PAYLOAD_BYTES);
    let with_text =
        vec![with_amount(whole(id(0), &receipt), 0), with_amount(whole(id(1), &text("and a word")), USUAL_MSAT)];
    let messages = vec![ROAD.message(id(0), &receipt, 0), ROAD.message(id(1), &text("and a word"), USUAL_MSAT)];
    let beside = vector(
        "receipt-beside-a-text",
        "A receipt in one frame with a text, carrying nothing",
        vec![ROAD.pays(with_text, USUAL_MSAT)],
        messages,
    );
    let again = vector(
        "receipt-twice",
        "The same receipt in two messages: the second changes nothing, and its id isn't kept for a message",
        vec![
            ROAD.pays(vec![whole(id(0), &receipt)], USUAL_MSAT),
            ROAD.pays(vec![whole(id(0), &receipt)], USUAL_MSAT),
            ROAD.pays(vec![whole(id(1), &receipt)], USUAL_MSAT),
            ROAD.pays(vec![whole(id(1), &text("and a word"))], USUAL_MSAT),
        ],
        vec![ROAD.message(id(0), &receipt, USUAL_MSAT), ROAD.message(id(1), &text("and a word"), USUAL_MSAT)],
    );
    let flagged = Content { flags: u32::MAX, ..receipt.clone() };
    let unasked = Asked { content: text("hello").encode_to_vec(), ..Asked::hello() };
    vec![
        asked.known_to(lone("receipt", "A receipt for a text that asked for one", &receipt)),
        asked.known_to(lone("receipt-with-flags", "A receipt's flags are ignored", &flagged)),
        unasked.known_to(lone("receipt-unasked", "A receipt that wasn't asked for counts as well", &unasked.receipt())),
        asked.known_to(canonical(beside)),
        asked.known_to(again),
    ]
}

fn unsigned() -> Vec<Vector> {
    let lone = |name: &str, about: &str, record: &str| {
        let messages = vec![message(None, &text(record), USUAL_MSAT)];
        canonical(vector(name, about, vec![payment(record.as_bytes().to_vec(), USUAL_MSAT)], messages))
    };
    let twice = || payment(b"again".to_vec(), USUAL_MSAT);
    vec![
        lone("unsigned-text", "A record that is a text", "hello from lncli"),
        lone("unsigned-unicode", "The same beyond ASCII", "grüezi 👋"),
        lone("unsigned-of-one-byte", "Any first byte but 0x01 begins a text, 0x00 too", "\0"),
        lone("unsigned-text-with-version-later", "0x01 stands for a frame only as the first byte", "a\u{1}b"),
        lone("unsigned-largest", "The largest record that is read at all", &"a".repeat(RECORD_BYTES_ACCEPTED_MAX)),
        vector(
            "unsigned-twice",
            "Texts without a signature have no id: each is a message",
            vec![twice(), twice()],
            vec![message(None, &text("again"), USUAL_MSAT); 2],
        ),
        vector(
            "unsigned-keeps-the-carriers",
            "A byte order mark is a part of the text",
            vec![payment("\u{feff}text".into(), 5_000)],
            vec![message(None, &text("\u{feff}text"), 5_000)],
        ),
    ]
}
