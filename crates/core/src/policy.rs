//! What this node takes into its inbox, and why what it doesn't take is put aside.
//!
//! A payment is claimed before its record can be read, so nothing is sent back: what is put aside is booked, listed with
//! its reason, and never shown as a message.

use std::collections::BTreeSet;

use crate::{
    NodeId,
    limits::{MESSAGE_BYTES_MAX_DEFAULT, QUOTA_DAY_MS},
};

macro_rules! held_reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal;)+) => {
        /// Why what a payment brought was put aside: stable names for programs.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
        pub enum HeldReason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl HeldReason {
            /// Every reason.
            pub const ALL: &[HeldReason] = &[$(HeldReason::$name),+];

            /// The stable name.
            pub fn code(self) -> &'static str {
                match self { $(HeldReason::$name => $code,)+ }
            }

            /// What it means, in a sentence: the reason's own documentation.
            pub fn meaning(self) -> &'static str {
                match self { $(HeldReason::$name => concat!($($doc),+).trim(),)+ }
            }
        }
    };
}

held_reasons! {
    /// The signature doesn't hold for this frame, this node and this chain: it is broken, or was made for another.
    Signature = "SIGNATURE";
    /// The record is neither a frame nor a text, or breaks a rule of the format.
    Unreadable = "UNREADABLE";
    /// The sender used the id before for another content, or parts of one message disagree.
    Conflict = "CONFLICT";
    /// The message is larger than this node takes.
    TooLarge = "TOO_LARGE";
    /// The parts of unfinished messages take all the room that the sender, or all senders, have.
    NoRoom = "NO_ROOM";
    /// The sender is on the block list.
    Blocked = "BLOCKED";
    /// The message carries less than the least that this node takes.
    AmountTooSmall = "AMOUNT_TOO_SMALL";
    /// The sender has used up what it may send in a day.
    Quota = "QUOTA";
    /// The text is unsigned, and this node takes signed messages only.
    Unsigned = "UNSIGNED";
    /// The receipt isn't of its sender, of a message that this node sent there, or of that message's content.
    Receipt = "RECEIPT";
}

impl HeldReason {
    /// Whether this node's own policy put it aside; otherwise the record itself is not right.
    pub fn is_policy(self) -> bool {
        use HeldReason::{AmountTooSmall, Blocked, NoRoom, Quota, TooLarge, Unsigned};
        matches!(self, TooLarge | NoRoom | Blocked | AmountTooSmall | Quota | Unsigned)
    }
}

/// What this node takes into its inbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InboxPolicy {
    /// The largest payload of a message.
    pub message_bytes_max: usize,
    /// The least that a message carries, in millisatoshi: the sum over its payments.
    pub amount_msat_min: u64,
    /// The nodes from which nothing is taken.
    pub blocked: BTreeSet<NodeId>,
    /// How many messages one sender may send in a day of UTC; `None`: any number.
    pub messages_per_day_max: Option<u64>,
    /// How many bytes they may have together; `None`: any number.
    pub bytes_per_day_max: Option<u64>,
    /// Whether texts without a signature are taken. They all count as one sender's.
    pub accepts_unsigned: bool,
}

impl Default for InboxPolicy {
    fn default() -> Self {
        Self {
            message_bytes_max: MESSAGE_BYTES_MAX_DEFAULT,
            amount_msat_min: 0,
            blocked: BTreeSet::new(),
            messages_per_day_max: None,
            bytes_per_day_max: None,
            accepts_unsigned: true,
        }
    }
}

/// What a sender has used of its quota.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// The day, counted from 1970 in UTC.
    pub day: u64,
    /// The messages of that day.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The day of a time in Unix milliseconds.
pub fn day(now_ms: u64) -> u64 {
    now_ms / QUOTA_DAY_MS
}

impl InboxPolicy {
    /// Whether anything is taken from this sender; `None`: an unsigned text.
    pub fn admits_sender(&self, sender: Option<NodeId>) -> Result<(), HeldReason> {
        match sender {
            None if !self.accepts_unsigned => Err(HeldReason::Unsigned),
            Some(sender) if self.blocked.contains(&sender) => Err(HeldReason::Blocked),
            _ => Ok(()),
        }
    }

    /// Whether a message that carries so much is taken.
    pub fn admits_amount(&self, amount_msat: u64) -> Result<(), HeldReason> {
        if amount_msat < self.amount_msat_min { Err(HeldReason::AmountTooSmall) } else { Ok(()) }
    }

    /// Whether one more message of so many bytes is taken from a sender that has used so much; gives what it has used
    /// then.
    pub fn charge(&self, used: Usage, bytes: u64, now_ms: u64) -> Result<Usage, HeldReason> {
        let today = day(now_ms);
        // Another day, also an earlier one: a clock that once stood far ahead mustn't hold a sender up until then.
        let used = if today != used.day { Usage { day: today, ..Usage::default() } } else { used };
        let after =
            Usage { messages: used.messages.saturating_add(1), bytes: used.bytes.saturating_add(bytes), day: used.day };
        let is_over = |after: u64, max: Option<u64>| max.is_some_and(|max| after > max);
        if is_over(after.messages, self.messages_per_day_max) || is_over(after.bytes, self.bytes_per_day_max) {
            return Err(HeldReason::Quota);
        }
        Ok(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::tests::key;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn every_reason_has_a_name_of_its_own_and_says_what_it_means() {
        let codes: HashSet<_> = HeldReason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), HeldReason::ALL.len());
        for reason in HeldReason::ALL {
            assert!(reason.meaning().len() > 20 && reason.meaning().ends_with('.'), "{reason:?}");
        }
    }

    #[test]
    fn the_default_takes_everything_from_everybody() {
        let policy = InboxPolicy::default();
        let used = Usage { day: 1, messages: u64::MAX, bytes: u64::MAX };
        assert_eq!(policy.admits_sender(None), Ok(()));
        assert_eq!(policy.admits_sender(Some(key(1).1)), Ok(()));
        assert_eq!(policy.admits_amount(0), Ok(()));
        assert_eq!(policy.charge(used, u64::MAX, QUOTA_DAY_MS), Ok(used));
    }

    #[test]
    fn each_rule_names_itself() {
        let policy = InboxPolicy {
            amount_msat_min: 5_000,
            blocked: [key(1).1].into(),
            accepts_unsigned: false,
            ..InboxPolicy::default()
        };
        assert_eq!(policy.admits_sender(None), Err(HeldReason::Unsigned));
        assert_eq!(policy.admits_sender(Some(key(1).1)), Err(HeldReason::Blocked));
        assert_eq!(policy.admits_sender(Some(key(2).1)), Ok(()));
        assert_eq!(policy.admits_amount(4_999), Err(HeldReason::AmountTooSmall));
        assert_eq!(policy.admits_amount(5_000), Ok(()));
    }

    #[test]
    fn a_quota_begins_anew_each_day() {
        let policy = InboxPolicy { messages_per_day_max: Some(2), ..InboxPolicy::default() };
        let now_ms = 20_000 * QUOTA_DAY_MS;
        let used = policy.charge(Usage::default(), 10, now_ms).unwrap();
        let used = policy.charge(used, 10, now_ms + QUOTA_DAY_MS - 1).unwrap();
        assert_eq!(used, Usage { day: 20_000, messages: 2, bytes: 20 });
        assert_eq!(policy.charge(used, 10, now_ms), Err(HeldReason::Quota));
        let next_day = policy.charge(used, 10, now_ms + QUOTA_DAY_MS).unwrap();
        assert_eq!(next_day, Usage { day: 20_001, messages: 1, bytes: 10 });
    }

    proptest! {
        #[test]
        fn what_is_charged_never_exceeds_the_quota(
            sizes in prop::collection::vec(0u64..500, 0..60),
            messages in 0u64..20,
            bytes in 0u64..4_000,
        ) {
            let policy = InboxPolicy {
                messages_per_day_max: Some(messages),
                bytes_per_day_max: Some(bytes),
                ..InboxPolicy::default()
            };
            let mut used = Usage::default();
            for size in sizes {
                used = policy.charge(used, size, 7).unwrap_or(used);
                prop_assert!(used.messages <= messages && used.bytes <= bytes);
            }
        }
    }
}
