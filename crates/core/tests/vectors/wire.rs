//! What the vectors are made with: keys, signatures, zstd frames, and protobuf fields as no encoder would write them.

use std::{io::Write as _, ops::Range};

use bitcoin::{
    Network,
    hashes::{Hash as _, sha256d},
    secp256k1::{Message as Digest, Secp256k1, SecretKey},
};
use boltgram_core::{
    ChainHash, MessageId, NodeId,
    frame::{Content, Encoding, Frame, Part, TEXT},
    record,
    sign::{Signature, signed_text},
};
use prost::Message as _;

use crate::{
    file::{Hex, Message, Payment, Vector},
    inbox::message,
};

/// What most payments carry.
pub const USUAL_MSAT: u64 = 1_000;

/// Who takes part, by the byte that a secret key is made of.
#[derive(Clone, Copy)]
pub enum Who {
    Sender = 0x11,
    Recipient = 0x22,
    Other = 0x33,
}

impl Who {
    pub fn secret(self) -> SecretKey {
        SecretKey::from_slice(&[self as u8; 32]).unwrap()
    }

    pub fn id(self) -> NodeId {
        self.secret().public_key(&Secp256k1::new()).into()
    }

    /// Signs a text as Lightning nodes do.
    pub fn sign(self, text: &[u8]) -> Signature {
        let digest = sha256d::Hash::hash(&[b"Lightning Signed Message:", text].concat());
        let message = Digest::from_digest(digest.to_byte_array());
        let signature = Secp256k1::new().sign_ecdsa_recoverable(&message, &self.secret());
        let (recovery_id, compact) = signature.serialize_compact();
        let header = 31 + u8::try_from(recovery_id.to_i32()).unwrap();
        Signature([&[header], compact.as_slice()].concat().try_into().unwrap())
    }
}

/// The id of the page's example, and those that follow it.
pub fn id(number: u8) -> MessageId {
    let mut id = "0190163d-8694-739b-aea5-966c26f8ad91".parse::<MessageId>().unwrap().to_bytes();
    id[15] += number;
    MessageId::from_slice(&id).unwrap()
}

/// Where a frame is sent: by whom, to whom, on which chain.
#[derive(Clone, Copy)]
pub struct Road {
    pub from: Who,
    pub to: Who,
    pub chain: Network,
}

pub const ROAD: Road = Road { from: Who::Sender, to: Who::Recipient, chain: Network::Regtest };

impl Road {
    /// The record of a frame's bytes, signed.
    pub fn record(self, frame: &[u8]) -> Vec<u8> {
        let text = signed_text(self.chain.into(), self.to.id(), frame);
        record::write(&self.from.sign(&text), frame)
    }

    pub fn frame(self, parts: Vec<Part>) -> Vec<u8> {
        Frame::of(self.from.id(), parts).encode_to_vec()
    }

    /// The payment of these parts.
    pub fn pays(self, parts: Vec<Part>, amount_msat: u64) -> Payment {
        payment(self.record(&self.frame(parts)), amount_msat)
    }

    /// A message as it is read.
    pub fn message(self, id: MessageId, content: &Content, amount_msat: u64) -> Message {
        message(Some((self.from.id(), id)), content, amount_msat)
    }
}

pub fn payment(record: Vec<u8>, amount_msat: u64) -> Payment {
    Payment { amount_msat, record: Hex(record) }
}

/// The usual payment of a frame's bytes.
pub fn signed(frame: &[u8]) -> Payment {
    payment(ROAD.record(frame), USUAL_MSAT)
}

/// A frame of fields that are written one by one; `parts` are the bytes of the parts.
pub fn raw_frame(parts: &[Vec<u8>]) -> Vec<u8> {
    let parts: Vec<u8> = parts.iter().flat_map(|part| bytes_field(1, part)).collect();
    [parts, sender_check_field()].concat()
}

pub fn sender_check_field() -> Vec<u8> {
    bytes_field(2, &ROAD.from.id().to_bytes()[1..5])
}

pub fn content(content_type: &str, payload: &[u8]) -> Content {
    let content_type = if content_type == TEXT { "" } else { content_type };
    Content { content_type: content_type.into(), payload: payload.to_vec(), ..Content::default() }
}

pub fn text(text: &str) -> Content {
    content(TEXT, text.as_bytes())
}

/// A whole message with these content bytes.
pub fn whole_of(id: MessageId, encoding: Encoding, body: &[u8]) -> Part {
    Part { message_id: id.to_bytes().to_vec(), encoding: encoding.into(), body: body.to_vec(), ..Part::default() }
}

pub fn whole(id: MessageId, content: &Content) -> Part {
    whole_of(id, Encoding::Plain, &content.encode_to_vec())
}

/// A range of a message's encoded bytes.
pub fn range_of(id: MessageId, encoding: Encoding, encoded: &[u8], range: Range<usize>) -> Part {
    Part { offset: range.start as u32, total_bytes: encoded.len() as u32, ..whole_of(id, encoding, &encoded[range]) }
}

pub fn range(id: MessageId, content: &Content, range: Range<usize>) -> Part {
    range_of(id, Encoding::Plain, &content.encode_to_vec(), range)
}

pub fn with_amount(part: Part, amount_msat: u64) -> Part {
    Part { amount_msat, ..part }
}

/// A vector on the usual road.
pub fn vector(name: &str, about: &str, payments: Vec<Payment>, messages: Vec<Message>) -> Vector {
    Vector {
        name: name.into(),
        about: about.into(),
        rule: None,
        reason: None,
        canonical: None,
        chain_hash: Hex(ChainHash::from(ROAD.chain).0.to_vec()),
        recipient: Hex(ROAD.to.id().to_bytes().to_vec()),
        sent: Vec::new(),
        payments,
        messages,
    }
}

// Protobuf, field by field.

pub fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A varint of more bytes than it needs.
pub fn long_varint(value: u8, bytes: usize) -> Vec<u8> {
    assert!(value < 0x80 && bytes > 1);
    [&[value | 0x80], vec![0x80; bytes - 2].as_slice(), &[0]].concat()
}

pub fn key(field: u32, wire_type: u32) -> Vec<u8> {
    varint(u64::from(field << 3 | wire_type))
}

pub fn varint_field(field: u32, value: u64) -> Vec<u8> {
    [key(field, 0), varint(value)].concat()
}

pub fn bytes_field(field: u32, bytes: &[u8]) -> Vec<u8> {
    [key(field, 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// So many groups, each in the one before.
pub fn groups(field: u32, depth: usize) -> Vec<u8> {
    [key(field, 3).repeat(depth), key(field, 4).repeat(depth)].concat()
}

/// An unknown field of each wire type, and a group with fields in it.
pub fn unknown_fields(field: u32) -> Vec<u8> {
    [
        varint_field(field, u64::MAX),
        [key(field, 1), vec![0xff; 8]].concat(),
        bytes_field(field, b"unknown"),
        [key(field, 5), vec![0xff; 4]].concat(),
        [key(field, 3), varint_field(1, 7), bytes_field(6, &[0xff]), groups(field + 1, 2), key(field, 4)].concat(),
    ]
    .concat()
}

// Zstandard.

/// A frame that says its size, in one segment.
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::Compressor::new(19).unwrap().compress(bytes).unwrap()
}

/// A frame from a stream, which doesn't say its size, with a checksum or without.
pub fn zstd_stream(bytes: &[u8], checksum: bool) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(checksum).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A frame of one raw block, behind this header (without the magic number).
pub fn zstd_raw(header: &[u8], bytes: &[u8]) -> Vec<u8> {
    [&ZSTD_MAGIC, header, &block(0, bytes.len(), true), bytes].concat()
}

pub const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A block's header: raw 0, one byte repeated 1, compressed 2 (RFC 8878, 3.1.1.2).
pub fn block(kind: u32, size: usize, is_last: bool) -> [u8; 3] {
    let [a, b, c, _] = ((size as u32) << 3 | kind << 1 | u32::from(is_last)).to_le_bytes();
    [a, b, c]
}
