//! A frame's own rules, and which comes first.

use boltgram_core::{
    frame::{Frame, Part},
    limits::FRAME_PARTS_MAX,
};
use prost::Message as _;

use super::{UNREADABLE, frame, lone};
use crate::{
    file::Vector,
    wire::{
        ROAD, Road, USUAL_MSAT, Who, bytes_field, id, payment, range, raw_frame, sender_check_field, text,
        varint_field, whole, with_amount,
    },
};

pub fn vectors() -> Vec<Vector> {
    [counts(), ids(), bodies(), ranges(), amounts(), orders()].concat()
}

fn hello() -> Part {
    whole(id(0), &text("hello"))
}

/// A frame of one part.
fn one(rule: &'static str, name: &str, about: &str, part: Part) -> Vector {
    frame((rule, UNREADABLE), name, about, &ROAD.frame(vec![part]))
}

fn counts() -> Vec<Vector> {
    let parts = (0..=FRAME_PARTS_MAX).map(|number| whole(id(number as u8), &text("x"))).collect();
    vec![
        frame(("frame-has-parts", UNREADABLE), "frame-empty", "A frame of no bytes", b""),
        frame(
            ("frame-has-parts", UNREADABLE),
            "frame-without-parts",
            "A sender_check and no part",
            &sender_check_field(),
        ),
        frame(("frame-parts-max", UNREADABLE), "frame-of-65-parts", "One part too many", &ROAD.frame(parts)),
    ]
}

fn ids() -> Vec<Vector> {
    let of = |name: &str, about: &str, message_id: Vec<u8>| one("part-id", name, about, Part { message_id, ..hello() });
    let with = |at: usize, byte: u8| {
        let mut bytes = id(0).to_bytes();
        bytes[at] = byte;
        bytes.to_vec()
    };
    vec![
        of("id-absent", "No message_id", Vec::new()),
        of("id-of-15-bytes", "A byte too few", id(0).to_bytes()[..15].to_vec()),
        of("id-of-17-bytes", "A byte too many", [id(0).to_bytes().as_slice(), &[0]].concat()),
        of("id-of-version-4", "A version 4 UUID", with(6, 0x43)),
        of("id-of-version-8", "A version 8 UUID", with(6, 0x83)),
        of("id-of-variant-0", "A version 7 of another variant: 0x70", with(8, 0x70)),
        of("id-of-variant-microsoft", "A version 7 of another variant: 0xc0", with(8, 0xc0)),
        of("id-in-text-form", "The id's text form", id(0).to_string().into_bytes()),
    ]
}

fn bodies() -> Vec<Vector> {
    let encoding = |name: &str, about: &str, value: u64| {
        let part = [hello().encode_to_vec(), varint_field(5, value)].concat();
        frame(("part-encoding", UNREADABLE), name, about, &raw_frame(&[part]))
    };
    vec![
        one("part-has-body", "body-absent", "No body", Part { body: Vec::new(), ..hello() }),
        one(
            "part-has-body",
            "body-absent-of-a-range",
            "A range of no bytes",
            Part { body: Vec::new(), total_bytes: 5, offset: 5, ..hello() },
        ),
        frame(
            ("part-has-body", UNREADABLE),
            "body-replaced-by-none",
            "The last body counts, and it is empty",
            &raw_frame(&[[hello().encode_to_vec(), bytes_field(6, b"")].concat()]),
        ),
        encoding("encoding-2", "The encoding 2 is none", 2),
        encoding("encoding-minus-1", "Nor is -1", u64::MAX),
        encoding("encoding-2-above-32-bits", "2^32 + 2 is 2", (1 << 32) + 2),
    ]
}

fn ranges() -> Vec<Vector> {
    let within = |name: &str, about: &str, offset, total_bytes| {
        one("range-within-total", name, about, Part { offset, total_bytes, ..hello() })
    };
    vec![
        one(
            "whole-has-no-offset",
            "whole-with-offset",
            "A whole message with an offset",
            Part { offset: 1, ..hello() },
        ),
        within("range-beyond-the-total", "7 bytes at offset 1 of 7", 1, 7),
        within("range-longer-than-the-total", "7 bytes of 6", 0, 6),
        within("range-at-the-end", "It begins where the message ends", 7, 7),
        within("range-above-32-bits", "Offset and length together are above 2^32", u32::MAX, u32::MAX),
    ]
}

fn amounts() -> Vec<Vector> {
    let of = |name: &str, about: &str, amounts_msat: &[u64]| {
        let parts = (0u8..)
            .zip(amounts_msat)
            .map(|(number, amount_msat)| with_amount(whole(id(number), &text("x")), *amount_msat));
        frame(("amounts-within-payment", UNREADABLE), name, about, &ROAD.frame(parts.collect()))
    };
    let lone = |name: &str, about: &str, part: Part| one("lone-part-names-no-amount", name, about, part);
    vec![
        lone("lone-part-with-amount", "A lone part that names what it carries", with_amount(hello(), USUAL_MSAT)),
        lone("lone-range-with-amount", "The same of a range", with_amount(range(id(0), &text("hello"), 0..3), 1)),
        of("amounts-above-the-payment", "1,001 msat of 1,000", &[400, 601]),
        of("one-amount-above-the-payment", "All of them in one part", &[1_001, 0]),
        of("amounts-above-64-bits", "Together 2^64, which is 0 modulo 2^64", &[u64::MAX, 1]),
        of(
            "amounts-above-64-bits-and-back",
            "Together 2^64 + 1,000, which is the payment modulo 2^64",
            &[u64::MAX, 1, 1_000],
        ),
    ]
}

/// Frames that break two rules: the first by the page's order gives the reason.
fn orders() -> Vec<Vector> {
    let of_another = |parts: Vec<Part>| Frame::of(Who::Other.id(), parts).encode_to_vec();
    let to_another = Road { to: Who::Other, ..ROAD };
    let broken = to_another.record(&raw_frame(&[vec![0x80]]));
    let no_signature = [&[1, 0], [7; 64].as_slice(), b"\xff"].concat();
    vec![
        frame(
            ("part-has-body", UNREADABLE),
            "body-before-sender-check",
            "A frame's rules come before sender_check",
            &of_another(vec![Part { body: Vec::new(), ..hello() }]),
        ),
        lone(
            ("protobuf-end", UNREADABLE),
            "protobuf-before-sender-check",
            "So does the reading of it: signed for another, and no protobuf",
            payment(broken, USUAL_MSAT),
        ),
        frame(
            ("sender-check", super::SIGNATURE),
            "sender-check-before-amounts",
            "sender_check comes before the amounts",
            &of_another(vec![with_amount(hello(), 9_999), hello()]),
        ),
        lone(
            ("signature-header", super::SIGNATURE),
            "signature-before-protobuf",
            "Where no key is recovered, the frame isn't read",
            payment(no_signature, USUAL_MSAT),
        ),
        lone(
            ("record-text", UNREADABLE),
            "version-before-signature",
            "Of another version nothing is read",
            payment([&[0xff], ROAD.record(&ROAD.frame(vec![hello()])).as_slice()].concat(), USUAL_MSAT),
        ),
    ]
}
