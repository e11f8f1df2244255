//! One message from byte ranges that arrive in any order, doubled or overlapping.
//!
//! Who keeps the ranges gives those that matter to each step, so that a step costs what arrives, not what is held. The
//! ranges that are kept never overlap: of one that arrives, only what is new is kept, and what is held already must be
//! the same bytes.

use crate::{
    frame::{Content, Encoding, FrameError, Part},
    limits::CONTENT_OVERHEAD_BYTES_MAX,
    message::Body,
    receipt::ContentHash,
};

/// A byte range of a message's encoded bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Range {
    /// Where it begins.
    pub offset: u32,
    /// Its bytes.
    pub body: Body,
}

impl Range {
    /// Where it ends: the first byte behind it.
    pub fn end(&self) -> u64 {
        u64::from(self.offset) + self.body.0.len() as u64
    }
}

/// A range that arrived, with what it says of its message. A whole message is the range of all its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    /// How many bytes the message has in all.
    pub total_bytes: u32,
    /// How its joined bytes are written.
    pub encoding: Encoding,
    /// The range.
    pub range: Range,
}

impl Piece {
    /// What a part of a frame brings.
    pub fn of(part: Part) -> Result<Self, FrameError> {
        let encoding =
            Encoding::try_from(part.encoding).map_err(|_| FrameError::Rule("a part's encoding is unknown"))?;
        let whole_bytes = u32::try_from(part.body.len()).map_err(|_| FrameError::TooLarge)?;
        let total_bytes = if part.is_whole() { whole_bytes } else { part.total_bytes };
        let range = Range { offset: part.offset, body: Body(part.body) };
        if range.body.0.is_empty() || range.end() > u64::from(total_bytes) {
            return Err(FrameError::Rule("a range ends within its message"));
        }
        Ok(Self { total_bytes, encoding, range })
    }

    /// Whether its message may have at most `message_bytes_max` of payload.
    pub fn fits(&self, message_bytes_max: usize) -> bool {
        self.total_bytes as usize <= joined_bytes_max(message_bytes_max)
    }

    /// Whether it is all of its message.
    pub fn is_whole(&self) -> bool {
        self.range.body.0.len() == self.total_bytes as usize
    }
}

/// Two parts of one message don't agree: other bytes at the same place, another size or another encoding.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the part disagrees with what came before of the same message")]
pub struct Conflict;

/// A message of which some ranges are held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Assembly {
    /// How many bytes it has in all.
    pub total_bytes: u32,
    /// How its joined bytes are written.
    pub encoding: Encoding,
    /// How many of its bytes are held.
    pub held_bytes: u32,
}

impl Assembly {
    /// The message that this piece is of, with nothing held yet.
    pub fn begun_by(piece: &Piece) -> Self {
        Self { total_bytes: piece.total_bytes, encoding: piece.encoding, held_bytes: 0 }
    }

    /// Takes a piece and returns the ranges of it that are new, to be kept: none when all of it is held.
    ///
    /// `held` are the ranges kept so far that overlap it, in order; others may be among them. After a conflict nothing
    /// has changed.
    pub fn add(&mut self, piece: &Piece, held: &[Range]) -> Result<Vec<Range>, Conflict> {
        if (piece.total_bytes, piece.encoding) != (self.total_bytes, self.encoding) {
            return Err(Conflict);
        }
        let fresh = fresh(&piece.range, held)?;
        let fresh_bytes: usize = fresh.iter().map(|range| range.body.0.len()).sum();
        // Disjoint ranges within the message: together they are at most its bytes.
        self.held_bytes = self.held_bytes.saturating_add(u32::try_from(fresh_bytes).unwrap_or(u32::MAX));
        Ok(fresh)
    }

    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.held_bytes == self.total_bytes
    }

    /// Joins all ranges, in order, and reads the message, whose payload must be at most `message_bytes_max`.
    pub fn read(&self, ranges: &[Range], message_bytes_max: usize) -> Result<Content, FrameError> {
        self.read_hashed(ranges, message_bytes_max).map(|(content, _)| content)
    }

    /// The same, with the hash of the content's bytes.
    pub fn read_hashed(
        &self,
        ranges: &[Range],
        message_bytes_max: usize,
    ) -> Result<(Content, ContentHash), FrameError> {
        let mut joined = Vec::with_capacity((self.total_bytes as usize).min(joined_bytes_max(message_bytes_max)));
        for range in ranges {
            if range.offset as usize != joined.len() || range.end() > u64::from(self.total_bytes) {
                return Err(FrameError::Rule("the ranges leave a gap or overlap"));
            }
            joined.extend_from_slice(&range.body.0);
        }
        if joined.len() != self.total_bytes as usize {
            return Err(FrameError::Rule("a range is missing"));
        }
        let decoded = crate::encoding::decode(self.encoding, &joined, joined_bytes_max(message_bytes_max))?;
        let content = Content::read(&decoded)?;
        if content.payload.len() > message_bytes_max {
            return Err(FrameError::TooLarge);
        }
        Ok((content, ContentHash::of(&decoded)))
    }
}

/// The encoded or decoded bytes of a message whose payload has at most so many.
fn joined_bytes_max(message_bytes_max: usize) -> usize {
    message_bytes_max.saturating_add(CONTENT_OVERHEAD_BYTES_MAX)
}

/// The stretches of a range that none of `held` has; those that one has must be the same bytes.
fn fresh(range: &Range, held: &[Range]) -> Result<Vec<Range>, Conflict> {
    let bytes = |from: u64, to: u64| {
        let at = |place: u64| usize::try_from(place.saturating_sub(range.offset.into())).unwrap_or(usize::MAX);
        range.body.0.get(at(from)..at(to)).unwrap_or_default()
    };
    let stretch = |from: u64, to: u64| {
        let body = bytes(from, to);
        let offset = u32::try_from(from).unwrap_or(u32::MAX);
        (!body.is_empty()).then(|| Range { offset, body: Body(body.to_vec()) })
    };
    let mut fresh = Vec::new();
    let mut reached = u64::from(range.offset);
    for other in held {
        let (from, to) = (u64::from(other.offset).max(reached), other.end().min(range.end()));
        if from >= to {
            continue;
        }
        let skipped = usize::try_from(from - u64::from(other.offset)).unwrap_or(usize::MAX);
        let same = bytes(from, to);
        if other.body.0.get(skipped..).is_none_or(|rest| !rest.starts_with(same)) {
            return Err(Conflict);
        }
        fresh.extend(stretch(reached, from));
        reached = to;
    }
    fresh.extend(stretch(reached, range.end()));
    Ok(fresh)
}

#[cfg(test)]
mod tests;
