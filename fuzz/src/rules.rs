//! The rules of frames and contents, written a second time from `docs/protocol.md`, so that a target compares two
//! readings of the page.

use boltgram_core::{
    frame::{Content, Frame, Part},
    limits::{CONTENT_TYPE_BYTES_MAX, FRAME_PARTS_MAX},
};

/// Whether a frame keeps the rules 1 to 4, those on the payment's amount aside.
pub fn frame_holds(frame: &Frame) -> bool {
    let alone = frame.parts.len() == 1;
    !frame.parts.is_empty()
        && frame.parts.len() <= FRAME_PARTS_MAX
        && frame.parts.iter().all(|part| part_holds(part, alone))
}

fn part_holds(part: &Part, alone: bool) -> bool {
    let end = part.offset as usize + part.body.len();
    let fits = if part.total_bytes == 0 { part.offset == 0 } else { end <= part.total_bytes as usize };
    is_id(&part.message_id)
        && !part.body.is_empty()
        && matches!(part.encoding, 0 | 1)
        && fits
        && !(alone && part.amount_msat != 0)
}

/// Whether these are the 16 bytes of a version 7 UUID (RFC 9562, 4.1 and 4.2).
fn is_id(bytes: &[u8]) -> bool {
    bytes.len() == 16 && bytes[6] >> 4 == 7 && bytes[8] >> 6 == 0b10
}

/// Whether a content keeps its rules.
pub fn content_holds(content: &Content) -> bool {
    let kind = content.content_type.as_str();
    let is_text = kind.is_empty() || kind == "text/plain";
    !content.payload.is_empty()
        && (kind.is_empty() || is_media_type(kind))
        && (!is_text || std::str::from_utf8(&content.payload).is_ok())
        && (content.reply_to_id.is_empty() || is_id(&content.reply_to_id))
}

fn is_media_type(text: &str) -> bool {
    let is_visible = text.chars().all(|character| character.is_ascii_graphic() || character == ' ');
    let Some(slash) = text.find('/') else { return false };
    let (kind, subtype) = (&text[..slash], &text[slash + 1..]);
    is_visible
        && text.len() <= CONTENT_TYPE_BYTES_MAX
        && !kind.is_empty()
        && !kind.contains(' ')
        && !subtype.is_empty()
        && !subtype.starts_with(' ')
}
