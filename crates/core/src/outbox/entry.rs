//! One message to send, as it is stored: what was delivered, what is under way, what stops it, and so its state.

use std::ops::Range;

use crate::{message::State, ranges::Ranges};

/// Why nothing more of a message is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// Its caller cancelled it.
    Cancelled,
    /// Its time is over.
    Expired,
    /// It failed, and its caller did not want it to wait.
    Failed,
}

/// What is known of a message to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The length of its joined, encoded bytes.
    pub total_bytes: u32,
    /// Whether it is tried until it expires. Otherwise the first failure ends it, as long as nothing of it was
    /// claimed or is in flight.
    pub queues: bool,
    /// What stops it.
    pub stop: Option<Stop>,
    /// Whether the recipient has signed for it: it has all of it, whatever was told of the payments.
    pub is_received: bool,
    /// What the recipient has claimed.
    pub delivered: Ranges,
    /// What is in flight, or may be.
    pub open: Ranges,
}

impl Entry {
    /// A message of which nothing was tried yet.
    pub fn new(total_bytes: u32, queues: bool) -> Self {
        Self {
            total_bytes,
            queues,
            stop: None,
            is_received: false,
            delivered: Ranges::default(),
            open: Ranges::default(),
        }
    }

    /// What has become of it.
    pub fn state(&self) -> State {
        if self.is_received {
            return State::Received;
        }
        if self.is_delivered() {
            return State::Delivered;
        }
        match self.stop {
            _ if !self.open.is_empty() => State::Sending,
            Some(Stop::Cancelled) => State::Cancelled,
            Some(Stop::Expired) => State::Expired,
            Some(Stop::Failed) => State::Failed,
            None if self.delivered.is_empty() => State::Queued,
            None => State::Sending,
        }
    }

    /// Whether the recipient has all of it.
    pub fn is_delivered(&self) -> bool {
        self.delivered.cover(self.total_bytes)
    }

    /// Whether more payments may be started for it.
    pub fn is_live(&self) -> bool {
        self.stop.is_none() && !self.is_received && !self.is_delivered()
    }

    /// What has to be sent still: neither delivered nor in flight.
    pub fn missing(&self) -> Ranges {
        let mut missing = Ranges::whole(self.total_bytes);
        self.delivered.iter().chain(self.open.iter()).for_each(|range| missing.remove(&range));
        missing
    }

    /// Whether a payment with this range may be started.
    pub fn may_start(&self, range: &Range<u32>) -> bool {
        let mut rest = Ranges::from_iter([range.clone()]);
        self.missing().iter().for_each(|missing| rest.remove(&missing));
        self.is_live() && rest.is_empty() && !range.is_empty()
    }

    /// A payment of it was claimed; `delivered` and `open` say so already. What was given up as failed goes on if it
    /// isn't whole: the recipient has a part of it.
    pub fn after_success(&mut self) {
        if self.stop == Some(Stop::Failed) {
            self.stop = None;
        }
        self.queues = true;
    }

    /// A payment of it failed; `open` says so already.
    pub fn after_failure(&mut self) {
        if self.is_live() && !self.queues && self.delivered.is_empty() && self.open.is_empty() {
            self.stop = Some(Stop::Failed);
        }
    }

    /// Stops it, for the first reason that is given, unless it is delivered. It stays `Sending` until what is in flight
    /// is resolved. Says whether that changed anything.
    pub fn stop(&mut self, stop: Stop) -> bool {
        let stops = self.is_live();
        if stops {
            self.stop = Some(stop);
        }
        stops
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "sets of one range")]
mod tests {
    use super::*;

    fn entry(queues: bool, delivered: &[Range<u32>], open: &[Range<u32>]) -> Entry {
        let set = |ranges: &[Range<u32>]| ranges.iter().cloned().collect();
        Entry { delivered: set(delivered), open: set(open), ..Entry::new(10, queues) }
    }

    #[test]
    fn the_state_follows_from_what_is_known() {
        assert_eq!(entry(true, &[], &[]).state(), State::Queued);
        assert_eq!(entry(true, &[], &[0..10]).state(), State::Sending);
        assert_eq!(entry(true, &[0..4], &[]).state(), State::Sending);
        assert_eq!(entry(true, &[0..4, 4..10], &[]).state(), State::Delivered);
        for (stop, state) in
            [(Stop::Cancelled, State::Cancelled), (Stop::Expired, State::Expired), (Stop::Failed, State::Failed)]
        {
            let mut stopped = entry(true, &[0..4], &[4..10]);
            assert!(stopped.stop(stop) && !stopped.stop(Stop::Expired));
            assert_eq!(stopped.state(), State::Sending, "until what is in flight is resolved");
            stopped.open = Ranges::default();
            assert_eq!(stopped.state(), state);
            stopped.delivered = Ranges::whole(10);
            assert_eq!(stopped.state(), State::Delivered, "a late claim is a claim");
        }
    }

    #[test]
    fn only_a_message_that_may_not_wait_fails_and_only_before_anything_is_claimed_or_in_flight() {
        let after = |mut entry: Entry| {
            entry.after_failure();
            entry.stop
        };
        assert_eq!(after(entry(false, &[], &[])), Some(Stop::Failed));
        assert_eq!(after(entry(false, &[], &[0..3])), None);
        assert_eq!(after(entry(false, &[0..3], &[])), None);
        assert_eq!(after(entry(true, &[], &[])), None);
    }

    #[test]
    fn a_late_claim_of_a_part_takes_a_failed_message_up_again() {
        let mut failed = entry(false, &[], &[]);
        failed.after_failure();
        failed.delivered.insert(0..4);
        failed.after_success();
        assert_eq!((failed.state(), failed.queues), (State::Sending, true));
        assert_eq!(failed.missing(), Ranges::from_iter([4..10]));
    }

    #[test]
    fn what_the_recipient_has_signed_for_is_received_whatever_else_is_told() {
        for mut received in [entry(true, &[], &[]), entry(false, &[0..4], &[4..10]), entry(true, &[0..10], &[])] {
            received.is_received = true;
            received.after_failure();
            assert!(!received.stop(Stop::Expired) && !received.may_start(&(0..10)));
            received.after_success();
            assert_eq!(received.state(), State::Received);
        }
    }

    #[test]
    fn a_range_is_started_once() {
        let mut entry = entry(true, &[0..4], &[4..6]);
        assert!(entry.may_start(&(6..10)) && entry.may_start(&(7..8)));
        assert!(!entry.may_start(&(5..7)) && !entry.may_start(&(0..10)) && !entry.may_start(&(7..7)));
        entry.stop(Stop::Cancelled);
        assert!(!entry.may_start(&(6..10)));
    }
}
