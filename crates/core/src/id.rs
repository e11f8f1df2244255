//! Message ids: UUIDs version 7 (RFC 9562), strictly increasing for each node.
//!
//! Conversations sort by them, so they must increase over restarts and steps of the clock: the source begins
//! above the last id that was stored, and counts on from it while the clock stands behind.

use std::{fmt, str::FromStr};

use uuid::{NoContext, Timestamp, Uuid, Variant};

use crate::failure::{Failure, Reason};

/// A message's id: 16 bytes, a UUID version 7.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MessageId(Uuid);

impl MessageId {
    /// The lowest id there is.
    pub const LOWEST: Self = Self(Uuid::from_u128((0x7 << 76) | (0b10 << 62)));

    /// The highest id there can be.
    pub const HIGHEST: Self = Self(Uuid::from_u128(0xffff_ffff_ffff_7fff_bfff_ffff_ffff_ffff));

    /// Reads 16 bytes, or `None` when they are no UUID version 7.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let uuid = Uuid::from_slice(bytes).ok()?;
        (uuid.get_version_num() == 7 && uuid.get_variant() == Variant::RFC4122).then_some(Self(uuid))
    }

    /// The 16 bytes.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }

    /// When the message was written by its sender's clock: Unix time in milliseconds, 48 bits.
    pub fn time_ms(self) -> u64 {
        (self.0.as_u128() >> 80) as u64
    }

    /// The next id above this one, still a valid version 7.
    fn successor(self) -> Self {
        // The 74 random bits, without version and variant, counted up as one number with the time above it.
        let value = self.0.as_u128();
        let (time_ms, rand_a, rand_b) = (value >> 80, (value >> 64) & 0xfff, value & ((1 << 62) - 1));
        let counted = ((time_ms << 74) | (rand_a << 62) | rand_b).wrapping_add(1);
        let (time_ms, rand_a, rand_b) = (counted >> 74, (counted >> 62) & 0xfff, counted & ((1 << 62) - 1));
        Self(Uuid::from_u128((time_ms << 80) | (0x7 << 76) | (rand_a << 64) | (0b10 << 62) | rand_b))
    }
}

impl FromStr for MessageId {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let uuid = Uuid::try_parse(text).ok();
        uuid.and_then(|uuid| Self::from_slice(uuid.as_bytes())).ok_or_else(|| {
            Failure::new(
                Reason::InvalidId,
                "the message id is not valid: give it as SendMessage answered it, a version 7 UUID such as \
                 0190163d-8694-739b-aea5-966c26f8ad91",
            )
        })
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.hyphenated(), f)
    }
}

/// Makes a node's message ids, each above all before it.
#[derive(Debug)]
pub struct IdSource {
    /// The highest id that was made or stored, if any.
    last: Option<MessageId>,
}

impl IdSource {
    /// A source that goes on above `last`, the highest id that is stored.
    pub fn above(last: Option<MessageId>) -> Self {
        Self { last }
    }

    /// A new id, of the time `now_ms` (Unix time in milliseconds) if the clock has moved on, else just above the
    /// last one.
    pub fn next(&mut self, now_ms: u64) -> MessageId {
        let timestamp = Timestamp::from_unix(NoContext, now_ms / 1_000, (now_ms % 1_000) as u32 * 1_000_000);
        let fresh = MessageId(Uuid::new_v7(timestamp));
        let id = match self.last {
            Some(last) if fresh <= last => last.successor(),
            _ => fresh,
        };
        self.last = Some(id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_tells_its_time_and_reads_back_from_text() {
        let id = IdSource::above(None).next(1_700_000_000_123);
        assert_eq!(id.time_ms(), 1_700_000_000_123);
        assert_eq!(id.to_string().parse::<MessageId>().unwrap(), id);
        assert_eq!(MessageId::from_slice(&id.to_bytes()), Some(id));
    }

    #[test]
    fn what_is_no_version_7_uuid_is_refused() {
        for text in ["", "x", "00000000-0000-0000-0000-000000000000", "f47ac10b-58cc-4372-a567-0e02b2c3d479"] {
            assert_eq!(text.parse::<MessageId>().unwrap_err().reason, Reason::InvalidId, "{text}");
        }
        assert_eq!(MessageId::from_slice(&[0x70; 15]), None);
        assert_eq!(MessageId::from_slice(&MessageId::HIGHEST.to_bytes()), Some(MessageId::HIGHEST));
    }

    #[test]
    fn the_successor_carries_into_the_time_and_stays_a_version_7() {
        let full = MessageId(Uuid::from_u128((5 << 80) | (0x7fff << 64) | (0b10 << 62) | ((1 << 62) - 1)));
        let next = full.successor();
        assert_eq!(next.time_ms(), 6);
        assert!(next > full);
        assert_eq!(MessageId::from_slice(&next.to_bytes()), Some(next));
    }

    proptest! {
        #[test]
        fn ids_increase_whatever_the_clock_does(times in prop::collection::vec(0u64..1 << 40, 1..50), restart_at in 0usize..50) {
            let mut source = IdSource::above(None);
            let mut last = None;
            for (i, now_ms) in times.into_iter().enumerate() {
                if i == restart_at {
                    source = IdSource::above(last);
                }
                let id = source.next(now_ms);
                prop_assert!(Some(id) > last);
                prop_assert_eq!(MessageId::from_slice(&id.to_bytes()), Some(id));
                last = Some(id);
            }
        }
    }
}
