//! Bytes that are no protobuf, or not of the right shape: in the frame, in a part, and in a content.

use prost::Message as _;

use super::{UNREADABLE, frame};
use crate::{
    file::Vector,
    wire::{bytes_field, groups, id, key, long_varint, raw_frame, sender_check_field, text, varint, varint_field},
};

pub fn vectors() -> Vec<Vector> {
    [varints(), keys(), types(), ends(), group(), strings()].concat()
}

/// A part that is right, field by field, with these content bytes.
fn part(body: &[u8]) -> Vec<u8> {
    [bytes_field(1, &id(0).to_bytes()), bytes_field(6, body)].concat()
}

fn hello() -> Vec<u8> {
    text("hello").encode_to_vec()
}

/// These bytes behind the fields of a frame, in a vector each of the frame, its part, and the content.
fn everywhere(rule: &'static str, name: &str, about: &str, bytes: &[u8]) -> Vec<Vector> {
    let in_frame = [raw_frame(&[part(&hello())]), bytes.to_vec()].concat();
    let in_part = raw_frame(&[[part(&hello()), bytes.to_vec()].concat()]);
    let in_content = raw_frame(&[part(&[hello(), bytes.to_vec()].concat())]);
    [("frame", in_frame), ("part", in_part), ("content", in_content)]
        .map(|(place, bytes)| frame((rule, UNREADABLE), &format!("{name}-in-the-{place}"), about, &bytes))
        .to_vec()
}

fn varints() -> Vec<Vector> {
    let eleven = [key(15, 0), long_varint(1, 11)].concat();
    let too_large = [key(15, 0), vec![0xff; 9], vec![2]].concat();
    let cut = [key(15, 0), vec![0x80]].concat();
    let alone = key(15, 0);
    [
        everywhere("protobuf-varint", "varint-of-11-bytes", "A varint of 11 bytes", &eleven),
        everywhere(
            "protobuf-varint",
            "varint-above-64-bits",
            "A varint of 2^64 or more: its tenth byte is 2",
            &too_large,
        ),
        everywhere("protobuf-end", "varint-cut", "A varint that doesn't end", &cut),
        everywhere("protobuf-end", "key-without-value", "A key, and then nothing", &alone),
    ]
    .concat()
}

fn keys() -> Vec<Vector> {
    let above = [varint((1 << 32) + (15 << 3)), varint(1)].concat();
    [
        everywhere("protobuf-key", "field-number-0", "A field of the number 0", &varint_field(0, 1)),
        everywhere("protobuf-key", "wire-type-6", "The wire type 6 is none", &[key(15, 6), vec![0; 8]].concat()),
        everywhere("protobuf-key", "wire-type-7", "Nor is 7", &[key(15, 7), vec![0; 8]].concat()),
        everywhere("protobuf-key", "key-above-32-bits", "A key of 2^32 and more", &above),
    ]
    .concat()
}

fn types() -> Vec<Vector> {
    let rule = ("protobuf-type", UNREADABLE);
    let valid = raw_frame(&[part(&hello())]);
    let in_frame =
        |name: &str, about: &str, bytes: &[u8]| frame(rule, name, about, &[valid.clone(), bytes.to_vec()].concat());
    let in_part = |name: &str, about: &str, bytes: &[u8]| {
        frame(rule, name, about, &raw_frame(&[[part(&hello()), bytes.to_vec()].concat()]))
    };
    let in_content = |name: &str, about: &str, bytes: &[u8]| {
        frame(rule, name, about, &raw_frame(&[part(&[hello(), bytes.to_vec()].concat())]))
    };
    let fixed32 = |field| [key(field, 5), vec![0; 4]].concat();
    let fixed64 = |field| [key(field, 1), vec![0; 8]].concat();
    vec![
        in_frame("part-as-varint", "parts as a varint", &varint_field(1, 1)),
        in_frame("part-as-group", "parts as a group", &[key(1, 3), part(&hello()), key(1, 4)].concat()),
        in_frame("sender-check-as-fixed32", "sender_check as four bytes of wire type 5", &fixed32(2)),
        in_part("id-as-varint", "message_id as a varint", &varint_field(1, 1)),
        in_part("offset-as-fixed32", "offset with wire type 5", &fixed32(2)),
        in_part("offset-packed", "offset packed, as a repeated field could be", &bytes_field(2, &[0])),
        in_part("total-bytes-as-bytes", "total_bytes as bytes", &bytes_field(3, &[0])),
        in_part("amount-as-fixed64", "amount_msat with wire type 1", &fixed64(4)),
        in_part("encoding-as-bytes", "encoding as bytes", &bytes_field(5, &[0])),
        in_part("body-as-varint", "body as a varint", &varint_field(6, 0)),
        in_content("content-type-as-varint", "content_type as a varint", &varint_field(1, 1)),
        in_content("reply-to-id-as-fixed64", "reply_to_id with wire type 1", &fixed64(2)),
        in_content("payload-as-varint", "payload as a varint", &varint_field(3, 1)),
        in_content("flags-as-bytes", "flags as bytes", &bytes_field(4, &[1])),
    ]
}

fn ends() -> Vec<Vector> {
    let rule = ("protobuf-end", UNREADABLE);
    let beyond = [key(15, 2), varint(2), vec![0]].concat();
    let huge = [key(15, 2), varint(u64::MAX)].concat();
    let fixed = [key(15, 5), vec![0; 3]].concat();
    let double = [key(15, 1), vec![0; 7]].concat();
    let valid = raw_frame(&[part(&hello())]);
    // The part's body leads one byte beyond the part, into the frame's next field.
    let body = [bytes_field(1, &id(0).to_bytes()), key(6, 2), varint(hello().len() as u64 + 1), hello()].concat();
    [
        everywhere("protobuf-end", "length-beyond-the-end", "A length of one byte more than there is", &beyond),
        everywhere("protobuf-end", "length-of-64-bits", "A length of 2^64 - 1", &huge),
        everywhere("protobuf-end", "four-bytes-cut", "Three bytes of four", &fixed),
        everywhere("protobuf-end", "eight-bytes-cut", "Seven bytes of eight", &double),
        vec![
            frame(rule, "frame-cut", "The example without its last byte", &valid[..valid.len() - 1]),
            frame(
                rule,
                "body-beyond-the-part",
                "A body that ends within the frame's next field",
                &[bytes_field(1, &body), sender_check_field()].concat(),
            ),
        ],
    ]
    .concat()
}

fn group() -> Vec<Vector> {
    let rule = ("protobuf-group", UNREADABLE);
    let other_end = [key(15, 3), key(16, 4)].concat();
    let deep = |depth| groups(15, depth);
    [
        everywhere("protobuf-group", "group-without-end", "A group that doesn't end", &key(15, 3)),
        everywhere("protobuf-group", "end-without-group", "An end of no group", &key(15, 4)),
        everywhere("protobuf-group", "group-with-another-end", "A group that ends with another number", &other_end),
        vec![
            frame(
                rule,
                "groups-101-deep-in-the-frame",
                "Groups 101 deep",
                &[raw_frame(&[part(&hello())]), deep(101)].concat(),
            ),
            frame(
                rule,
                "field-101-deep-in-the-frame",
                "A field in 100 groups",
                &[raw_frame(&[part(&hello())]), key(15, 3).repeat(100), varint_field(1, 5), key(15, 4).repeat(100)]
                    .concat(),
            ),
            frame(
                rule,
                "groups-100-deep-in-a-part",
                "Groups 100 deep in a part",
                &raw_frame(&[[part(&hello()), deep(100)].concat()]),
            ),
            frame(
                rule,
                "groups-101-deep-in-the-content",
                "Groups 101 deep in a content",
                &raw_frame(&[part(&[hello(), deep(101)].concat())]),
            ),
            frame(
                rule,
                "groups-20000-deep",
                "Groups as deep as a record can hold",
                &[raw_frame(&[part(&hello())]), key(15, 3).repeat(20_000)].concat(),
            ),
        ],
    ]
    .concat()
}

fn strings() -> Vec<Vector> {
    let rule = ("protobuf-string", UNREADABLE);
    let content = |bytes: Vec<u8>| raw_frame(&[part(&bytes)]);
    vec![
        frame(
            rule,
            "content-type-no-utf-8",
            "A content_type that is no UTF-8",
            &content([bytes_field(1, b"a/\xff"), hello()].concat()),
        ),
        frame(
            rule,
            "content-type-no-utf-8-replaced",
            "The same, though a later field replaces it",
            &content([bytes_field(1, b"\xff"), bytes_field(1, b"a/b"), hello()].concat()),
        ),
    ]
}
