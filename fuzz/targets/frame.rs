//! Frames and contents out of arbitrary bytes: read exactly when they keep the rules, and the same once written again.

#![no_main]

use boltgram_core::{
    frame::{Content, Frame},
    outbox::cut::{self, Piece},
};
use boltgram_fuzz::{rules, walk};
use libfuzzer_sys::fuzz_target;
use prost::Message as _;

fuzz_target!(|bytes: &[u8]| {
    frame(bytes);
    content(bytes);
});

fn frame(bytes: &[u8]) {
    let decoded = Frame::decode(bytes).ok().filter(rules::frame_holds);
    let read = Frame::read(bytes).ok();
    assert_eq!(read, decoded);
    let Some(frame) = read else { return };
    let written = frame.encode_to_vec();
    assert_eq!(Frame::read(&written).as_ref(), Ok(&frame));
    walk::frame(&frame);
    shortened(&frame, bytes.len());
}

/// A sender whose frame was too long for the way takes its beginning: it fits, and its bytes are those of the frame.
fn shortened(frame: &Frame, room_bytes: usize) {
    let Some(beginning) = cut::shortened(frame.clone(), u64::MAX, room_bytes) else { return };
    let (pieces, bodies): (Vec<Piece>, Vec<Vec<u8>>) = beginning.into_iter().unzip();
    assert!(!pieces.is_empty() && pieces.len() <= frame.parts.len());
    assert!(cut::record_bytes(&pieces) <= room_bytes);
    for ((piece, body), part) in pieces.iter().zip(&bodies).zip(&frame.parts) {
        assert_eq!(Some(piece.id), part.id());
        assert_eq!(piece.range.start, part.offset);
        assert_eq!(piece.range.len(), body.len());
        assert!(!body.is_empty() && part.body.starts_with(body));
        assert!(pieces.len() == 1 || body.len() == part.body.len());
    }
    let parts = pieces.iter().zip(bodies).map(|(piece, body)| piece.part(body, pieces.len() > 1)).collect();
    let shorter = Frame { parts, sender_check: vec![0; 4] };
    assert_eq!(Frame::read(&shorter.encode_to_vec()).as_ref(), Ok(&shorter));
}

fn content(bytes: &[u8]) {
    let decoded = Content::decode(bytes).ok().filter(rules::content_holds);
    let read = Content::read(bytes).ok();
    assert_eq!(read, decoded);
    if let Some(content) = read {
        walk::content(&content);
    }
}
