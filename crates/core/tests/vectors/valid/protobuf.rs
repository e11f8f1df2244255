//! What the reader of protobuf must allow.

use boltgram_core::frame::Content;
use prost::Message as _;

use crate::{
    file::{Message, Vector},
    wire::{
        ROAD, USUAL_MSAT, bytes_field, groups, id, key, long_varint, raw_frame, sender_check_field, signed, text,
        unknown_fields, varint, varint_field, vector, whole,
    },
};

pub fn vectors() -> Vec<Vector> {
    [unknown(), repeated(), written_otherwise(), numbers()].concat()
}

fn content() -> Content {
    text("hello")
}

fn hello() -> Vec<u8> {
    content().encode_to_vec()
}

/// A part of these content bytes, field by field.
fn part(body: &[u8]) -> Vec<u8> {
    [bytes_field(1, &id(0).to_bytes()), bytes_field(6, body)].concat()
}

fn messages() -> Vec<Message> {
    vec![ROAD.message(id(0), &content(), USUAL_MSAT)]
}

fn hello_in(name: &str, about: &str, frame: &[u8]) -> Vector {
    vector(name, about, vec![signed(frame)], messages())
}

fn unknown() -> Vec<Vector> {
    let frame = raw_frame(&[part(&hello())]);
    let largest_key = [varint(u64::from(u32::MAX - 7)), varint(1)].concat();
    vec![
        hello_in(
            "unknown-fields-in-the-frame",
            "One of each wire type, behind the known ones",
            &[frame.clone(), unknown_fields(15)].concat(),
        ),
        hello_in("unknown-fields-first", "The same before them", &[unknown_fields(3), frame.clone()].concat()),
        hello_in(
            "unknown-fields-in-the-part",
            "The same in the part",
            &raw_frame(&[[unknown_fields(7), part(&hello())].concat()]),
        ),
        hello_in(
            "unknown-fields-in-the-content",
            "The same in the content",
            &raw_frame(&[part(&[hello(), unknown_fields(5)].concat())]),
        ),
        hello_in("unknown-field-of-the-highest-number", "Field 2^29 - 1", &[frame.clone(), largest_key].concat()),
        hello_in("groups-100-deep-in-the-frame", "As deep as groups may lie", &[frame, groups(15, 100)].concat()),
        hello_in(
            "field-100-deep-in-the-frame",
            "A field in 99 groups",
            &[raw_frame(&[part(&hello())]), key(15, 3).repeat(99), varint_field(1, 5), key(15, 4).repeat(99)].concat(),
        ),
        hello_in(
            "groups-99-deep-in-the-part",
            "As deep as groups may lie in a part",
            &raw_frame(&[[part(&hello()), groups(15, 99)].concat()]),
        ),
        hello_in(
            "groups-100-deep-in-the-content",
            "As deep as groups may lie in a content",
            &raw_frame(&[part(&[hello(), groups(15, 100)].concat())]),
        ),
        hello_in(
            "group-of-what-is-no-message",
            "Known numbers in an unknown group are unknown: field 1 is no part there",
            &[raw_frame(&[part(&hello())]), key(15, 3), varint_field(1, 5), varint_field(2, 5), key(15, 4)].concat(),
        ),
    ]
}

fn repeated() -> Vec<Vector> {
    let id_twice = [bytes_field(1, b"not an id"), part(&hello())].concat();
    let body_twice = [bytes_field(6, b"another body"), part(&hello())].concat();
    let offset_twice = [varint_field(2, 9), part(&hello()), varint_field(2, 0)].concat();
    let type_twice = [bytes_field(1, b"image/png"), hello(), bytes_field(1, b"")].concat();
    vec![
        hello_in("field-twice-id", "Of a field that stands twice the last counts", &raw_frame(&[id_twice])),
        hello_in("field-twice-body", "The same of the body", &raw_frame(&[body_twice])),
        hello_in("field-twice-back-to-zero", "The last counts also where it is 0", &raw_frame(&[offset_twice])),
        hello_in(
            "field-twice-back-to-empty",
            "The last counts also where it is empty",
            &raw_frame(&[part(&type_twice)]),
        ),
        hello_in(
            "field-twice-sender-check",
            "The last sender_check counts",
            &[bytes_field(2, b"no"), raw_frame(&[part(&hello())])].concat(),
        ),
    ]
}

fn written_otherwise() -> Vec<Vector> {
    let zeros: Vec<u8> = (2..=5).flat_map(|field| varint_field(field, 0)).collect();
    let backwards = [bytes_field(6, &hello()), zeros.clone(), bytes_field(1, &id(0).to_bytes())].concat();
    let empty = [bytes_field(1, b""), bytes_field(2, b""), hello(), varint_field(4, 0)].concat();
    let spelt_out = [bytes_field(1, b"text/plain"), hello()].concat();
    let long = [
        [long_varint(1 << 3 | 2, 10), long_varint(16, 10), id(0).to_bytes().to_vec()].concat(),
        [long_varint(6 << 3 | 2, 2), long_varint(7, 5), hello()].concat(),
    ];
    let check_first = [sender_check_field(), bytes_field(1, &part(&hello()))].concat();
    vec![
        hello_in("fields-in-another-order", "sender_check before the part", &check_first),
        hello_in("fields-backwards", "The part's fields from the last to the first", &raw_frame(&[backwards])),
        hello_in("zeros-written", "Numbers that are 0 may be written", &raw_frame(&[[part(&hello()), zeros].concat()])),
        hello_in("empties-written", "What is empty may be written", &raw_frame(&[part(&empty)])),
        hello_in("type-spelt-out", "text/plain may be written, too", &raw_frame(&[part(&spelt_out)])),
        hello_in("long-varints", "Varints of up to 10 bytes, longer than needed", &raw_frame(&[long.concat()])),
    ]
}

fn numbers() -> Vec<Vector> {
    let above = |value: u64| (1 << 32) + value;
    let wrapped: Vec<u8> = [varint_field(2, above(0)), varint_field(3, above(0)), varint_field(5, above(0))].concat();
    let flags = Content { flags: 1, ..content() };
    let flags_bytes = [hello(), varint_field(4, above(1))].concat();
    let one = whole(id(0), &content()).encode_to_vec();
    vec![
        hello_in(
            "numbers-above-32-bits",
            "Of uint32 and enum only the lower 32 bits count",
            &raw_frame(&[[part(&hello()), wrapped].concat()]),
        ),
        vector(
            "flags-above-32-bits",
            "The same of the flags",
            vec![signed(&raw_frame(&[part(&flags_bytes)]))],
            vec![ROAD.message(id(0), &flags, USUAL_MSAT)],
        ),
        hello_in(
            "part-twice",
            "A message twice in one frame is one message, and the second part adds nothing",
            &raw_frame(&[[one.clone(), varint_field(4, USUAL_MSAT)].concat(), one]),
        ),
    ]
}
