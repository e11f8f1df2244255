//! The frame's Rust types and `proto/boltgram/wire/v1/frame.proto` are the same format: bytes written by one are
//! read by the other, field by field.

#![allow(clippy::unwrap_used, missing_docs)]

use boltgram_core::frame::{Content, Encoding, Frame, Part};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, Value};

fn pool() -> DescriptorPool {
    DescriptorPool::decode(boltgram_api::DESCRIPTOR_SET).unwrap()
}

/// Reads `bytes` as the proto's message, checks that every field of it is set and none is unknown, and returns it.
fn read(name: &str, bytes: &[u8]) -> DynamicMessage {
    let descriptor = pool().get_message_by_name(&format!("boltgram.wire.v1.{name}")).unwrap();
    let message = DynamicMessage::decode(descriptor.clone(), bytes).unwrap();
    assert_eq!(message.unknown_fields().count(), 0, "{name}");
    for field in descriptor.fields() {
        assert!(message.has_field(&field), "{} of {name} is not written by the Rust type", field.name());
    }
    assert_eq!(message.encode_to_vec(), bytes);
    message
}

#[test]
fn every_field_of_the_proto_is_the_rust_types_field_of_the_same_name() {
    let part = Part {
        message_id: vec![1; 16],
        offset: 2,
        total_bytes: 3,
        amount_msat: 4,
        encoding: Encoding::Zstd.into(),
        body: vec![6],
    };
    let content = Content { content_type: "a/b".into(), reply_to_id: vec![2; 16], payload: vec![3], flags: 4 };
    let frame = Frame { parts: vec![part.clone()], sender_check: vec![1, 2, 3, 4] };
    read("Frame", &frame.encode_to_vec());

    let read_part = read("Part", &part.encode_to_vec());
    let field = |name: &str| read_part.get_field_by_name(name).unwrap().into_owned();
    assert_eq!(field("message_id"), Value::Bytes(vec![1; 16].into()));
    assert_eq!(field("offset"), Value::U32(2));
    assert_eq!(field("total_bytes"), Value::U32(3));
    assert_eq!(field("amount_msat"), Value::U64(4));
    assert_eq!(field("encoding"), Value::EnumNumber(1));
    assert_eq!(field("body"), Value::Bytes(vec![6].into()));

    let read_content = read("Content", &content.encode_to_vec());
    let field = |name: &str| read_content.get_field_by_name(name).unwrap().into_owned();
    assert_eq!(field("content_type"), Value::String("a/b".into()));
    assert_eq!(field("reply_to_id"), Value::Bytes(vec![2; 16].into()));
    assert_eq!(field("payload"), Value::Bytes(vec![3].into()));
    assert_eq!(field("flags"), Value::U32(4));
}
