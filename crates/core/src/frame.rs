//! What a payment carries: a frame of one or more parts, each a message or a byte range of one.
//!
//! The types are those of `proto/boltgram/wire/v1/frame.proto`, written here with prost's derives so that this
//! crate needs no build step; `tests/wire_proto.rs` holds both equal. The record around a frame is in
//! [`crate::record`].

use prost::Message as _;

use crate::{
    MessageId, NodeId,
    failure::{Failure, Reason},
    limits::{CONTENT_TYPE_BYTES_MAX, FRAME_PARTS_MAX},
    receipt,
};

/// One payment's content.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Frame {
    /// The parts, at least one.
    #[prost(message, repeated, tag = "1")]
    pub parts: Vec<Part>,
    /// Bytes 1 to 4 of the sender's node id: what tells a broken signature, which still recovers to some key, from
    /// a genuine one.
    #[prost(bytes = "vec", tag = "2")]
    pub sender_check: Vec<u8>,
}

/// How a part's body is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Encoding {
    /// As it is.
    Plain = 0,
    /// Compressed with Zstandard (RFC 8878).
    Zstd = 1,
}

/// A byte range of one message, or a whole message.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Part {
    /// The message's id, 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub message_id: Vec<u8>,
    /// Where this range begins in the joined, encoded bytes.
    #[prost(uint32, tag = "2")]
    pub offset: u32,
    /// How many bytes the message has in all; 0 when this part is the whole message.
    #[prost(uint32, tag = "3")]
    pub total_bytes: u32,
    /// What the message carries of the payment, in millisatoshi; 0 when the frame has one part.
    #[prost(uint64, tag = "4")]
    pub amount_msat: u64,
    /// How the joined bytes are written.
    #[prost(enumeration = "Encoding", tag = "5")]
    pub encoding: i32,
    /// The range's bytes.
    #[prost(bytes = "vec", tag = "6")]
    pub body: Vec<u8>,
}

/// A message: what the joined, decoded bodies of its parts are.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Content {
    /// The media type (RFC 6838); empty: [`TEXT`].
    #[prost(string, tag = "1")]
    pub content_type: String,
    /// The id of the message that this one answers, 16 bytes, or empty.
    #[prost(bytes = "vec", tag = "2")]
    pub reply_to_id: Vec<u8>,
    /// The payload.
    #[prost(bytes = "vec", tag = "3")]
    pub payload: Vec<u8>,
    /// Bit flags: [`ASKS_RECEIPT`]. Others are ignored.
    #[prost(uint32, tag = "4")]
    pub flags: u32,
}

/// The content type of a text, which is not written on the wire.
pub const TEXT: &str = "text/plain";

/// The flag by which a sender asks for a receipt ([`crate::receipt`]).
pub const ASKS_RECEIPT: u32 = 1;

/// Why received bytes are no frame that can be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrameError {
    /// The bytes are no protobuf message of the expected shape.
    #[error("not a protobuf message: {0}")]
    Protobuf(#[from] prost::DecodeError),
    /// The message is larger than this node takes.
    #[error("the message is larger than this node takes")]
    TooLarge,
    /// A rule of the format is broken.
    #[error("{0}")]
    Rule(&'static str),
}

impl Frame {
    /// A frame that holds one whole, plain message.
    pub fn whole(sender: NodeId, id: MessageId, content: &Content) -> Self {
        let part = Part { message_id: id.to_bytes().to_vec(), body: content.encode_to_vec(), ..Part::default() };
        Self { parts: vec![part], sender_check: sender_check(sender).to_vec() }
    }

    /// A frame of these parts.
    pub fn of(sender: NodeId, parts: Vec<Part>) -> Self {
        Self { parts, sender_check: sender_check(sender).to_vec() }
    }

    /// Whether the frame itself says that `sender` made it.
    pub fn is_from(&self, sender: NodeId) -> bool {
        self.sender_check == sender_check(sender)
    }

    /// Reads a frame and checks the rules that hold for every frame, whatever the payment.
    pub fn read(bytes: &[u8]) -> Result<Self, FrameError> {
        let frame = Self::decode(bytes)?;
        if frame.parts.is_empty() {
            return Err(FrameError::Rule("a frame has at least one part"));
        }
        if frame.parts.len() > FRAME_PARTS_MAX {
            return Err(FrameError::Rule("a frame has too many parts"));
        }
        for part in &frame.parts {
            part.check(frame.parts.len())?;
        }
        Ok(frame)
    }

    /// What each part carries of a payment of `payment_msat`, in the parts' order: a lone part all of it, several
    /// what each says, which together must not be more than the payment.
    pub fn amounts_msat(&self, payment_msat: u64) -> Result<Vec<u64>, FrameError> {
        if self.parts.len() == 1 {
            return Ok(vec![payment_msat]);
        }
        let amounts: Vec<u64> = self.parts.iter().map(|part| part.amount_msat).collect();
        let sum = amounts.iter().try_fold(0u64, |sum, amount| sum.checked_add(*amount));
        match sum {
            Some(sum) if sum <= payment_msat => Ok(amounts),
            _ => Err(FrameError::Rule("the parts claim more than the payment carries")),
        }
    }
}

/// What a frame of this sender has in `sender_check`.
fn sender_check(sender: NodeId) -> [u8; 4] {
    let [_, a, b, c, d, ..] = sender.to_bytes();
    [a, b, c, d]
}

impl Part {
    /// The message's id, if it is one.
    pub fn id(&self) -> Option<MessageId> {
        MessageId::from_slice(&self.message_id)
    }

    /// Whether this part is a whole message.
    pub fn is_whole(&self) -> bool {
        self.total_bytes == 0
    }

    fn check(&self, parts: usize) -> Result<(), FrameError> {
        let end = u64::from(self.offset) + self.body.len() as u64;
        let rule = |holds: bool, text: &'static str| if holds { Ok(()) } else { Err(FrameError::Rule(text)) };
        rule(self.id().is_some(), "a message id is a version 7 UUID of 16 bytes")?;
        rule(!self.body.is_empty(), "a part has a body")?;
        rule(Encoding::try_from(self.encoding).is_ok(), "a part's encoding is unknown")?;
        rule(!self.is_whole() || self.offset == 0, "a whole message has no offset")?;
        rule(self.is_whole() || end <= u64::from(self.total_bytes), "a range ends within its message")?;
        rule(parts > 1 || self.amount_msat == 0, "a lone part carries the whole payment and names no amount")
    }
}

impl Content {
    /// A content, from a request: the type is checked, and left out when it is [`TEXT`].
    pub fn new(content_type: &str, reply_to_id: Option<MessageId>, payload: Vec<u8>) -> Result<Self, Failure> {
        if payload.is_empty() {
            return Err(Failure::new(Reason::EmptyMessage, "the message is empty: give it a text"));
        }
        if !is_media_type(content_type) {
            return Err(Failure::new(
                Reason::InvalidField,
                format!("the content type is not valid: give a media type such as {TEXT}, of at most {CONTENT_TYPE_BYTES_MAX} bytes"),
            )
            .with("field", "content_type"));
        }
        if content_type == TEXT && std::str::from_utf8(&payload).is_err() {
            return Err(Failure::new(
                Reason::InvalidField,
                "the text is not UTF-8: send bytes with another content type",
            )
            .with("field", "body"));
        }
        let content_type = if content_type == TEXT { String::new() } else { content_type.to_owned() };
        let reply_to_id = reply_to_id.map(|id| id.to_bytes().to_vec()).unwrap_or_default();
        Ok(Self { content_type, reply_to_id, payload, flags: 0 })
    }

    /// Reads a content and checks its rules.
    pub fn read(bytes: &[u8]) -> Result<Self, FrameError> {
        let content = Self::decode(bytes)?;
        if content.payload.is_empty() {
            return Err(FrameError::Rule("a message has a payload"));
        }
        if !content.content_type.is_empty() && !is_media_type(&content.content_type) {
            return Err(FrameError::Rule("the content type is no media type"));
        }
        if content.media_type() == TEXT && std::str::from_utf8(&content.payload).is_err() {
            return Err(FrameError::Rule("a text is UTF-8"));
        }
        if !content.reply_to_id.is_empty() && content.reply_to().is_none() {
            return Err(FrameError::Rule("the id of the answered message is a version 7 UUID of 16 bytes"));
        }
        Ok(content)
    }

    /// Its bytes, as this node writes them: the same fields give the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// The media type, spelt out.
    pub fn media_type(&self) -> &str {
        if self.content_type.is_empty() { TEXT } else { &self.content_type }
    }

    /// The same, asking for a receipt or not.
    #[must_use]
    pub fn asking_receipt(mut self, asks: bool) -> Self {
        self.flags = if asks { ASKS_RECEIPT } else { 0 };
        self
    }

    /// Whether its sender asks for a receipt. Nobody asks for a receipt of a receipt.
    pub fn asks_receipt(&self) -> bool {
        self.flags & ASKS_RECEIPT != 0 && self.content_type != receipt::CONTENT_TYPE
    }

    /// The id of the message that this one answers.
    pub fn reply_to(&self) -> Option<MessageId> {
        MessageId::from_slice(&self.reply_to_id)
    }
}

/// `type/subtype` with optional parameters, in visible ASCII and spaces.
fn is_media_type(text: &str) -> bool {
    let well_formed = match text.split_once('/') {
        Some((kind, rest)) => !kind.is_empty() && !rest.is_empty() && !kind.contains(' ') && !rest.starts_with(' '),
        None => false,
    };
    well_formed && text.len() <= CONTENT_TYPE_BYTES_MAX && text.bytes().all(|b| (b' '..=b'~').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IdSource;
    use proptest::prelude::*;

    fn id() -> MessageId {
        IdSource::above(None).next(1_700_000_000_000)
    }

    fn part(body: &[u8]) -> Part {
        Part { message_id: id().to_bytes().to_vec(), body: body.to_vec(), ..Part::default() }
    }

    fn refused(frame: &Frame) -> String {
        Frame::read(&frame.encode_to_vec()).unwrap_err().to_string()
    }

    #[test]
    fn each_broken_rule_of_a_frame_is_named() {
        let one = |part: Part| Frame { parts: vec![part], ..Frame::default() };
        assert!(refused(&Frame::default()).contains("at least one part"));
        assert!(
            refused(&Frame { parts: vec![part(b"x"); FRAME_PARTS_MAX + 1], ..Frame::default() })
                .contains("too many parts")
        );
        assert!(refused(&one(Part { message_id: vec![1; 16], ..part(b"x") })).contains("version 7"));
        assert!(refused(&one(part(b""))).contains("has a body"));
        assert!(refused(&one(Part { encoding: 9, ..part(b"x") })).contains("encoding"));
        assert!(refused(&one(Part { offset: 1, ..part(b"x") })).contains("no offset"));
        assert!(refused(&one(Part { offset: u32::MAX, total_bytes: 5, ..part(b"x") })).contains("ends within"));
        assert!(refused(&one(Part { amount_msat: 1, ..part(b"x") })).contains("names no amount"));
    }

    #[test]
    fn several_parts_never_claim_more_than_the_payment() {
        let frame = |amounts: [u64; 2]| Frame {
            parts: amounts.iter().map(|&amount_msat| Part { amount_msat, ..part(b"x") }).collect(),
            ..Frame::default()
        };
        assert_eq!(frame([400, 600]).amounts_msat(1_000).unwrap(), [400, 600]);
        assert!(frame([401, 600]).amounts_msat(1_000).is_err());
        assert!(frame([u64::MAX, 2]).amounts_msat(u64::MAX).is_err());
        assert_eq!(Frame { parts: vec![part(b"x")], ..Frame::default() }.amounts_msat(7).unwrap(), [7]);
    }

    #[test]
    fn a_content_from_a_request_is_checked() {
        let reason = |kind: &str, payload: &[u8]| Content::new(kind, None, payload.to_vec()).unwrap_err().reason;
        assert_eq!(reason(TEXT, b""), Reason::EmptyMessage);
        assert_eq!(reason(TEXT, b"\xff"), Reason::InvalidField);
        for kind in ["", "text", "/", "text/", "/plain", "te xt/plain", "text/pl\nain", &"a/".repeat(99)] {
            assert_eq!(reason(kind, b"x"), Reason::InvalidField, "{kind}");
        }
        assert!(Content::new("text/html; charset=utf-8", None, b"x".to_vec()).is_ok());
    }

    proptest! {
        #[test]
        fn a_whole_message_reads_back_as_written(payload in prop::collection::vec(any::<u8>(), 1..2_000), reply in any::<bool>()) {
            let content = Content::new("application/octet-stream", reply.then(id), payload).unwrap();
            let id = id();
            let frame = Frame::read(&Frame::whole(crate::sign::tests::key(1).1, id, &content).encode_to_vec()).unwrap();
            prop_assert_eq!(frame.parts[0].id(), Some(id));
            prop_assert!(frame.parts[0].is_whole());
            prop_assert_eq!(Content::read(&frame.parts[0].body).unwrap(), content);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(frame) = Frame::read(&bytes) {
                let _ = frame.amounts_msat(1_000);
            }
            let _ = Content::read(&bytes);
        }
    }
}
