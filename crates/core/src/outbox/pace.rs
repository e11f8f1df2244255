//! How many payments may be in flight to a recipient, and how long to wait after a failure.

use crate::limits::{RETRY_MS_MAX, RETRY_MS_MIN};

/// How many payments may be in flight: it follows what the channels carry, so that payments wait instead of failing.
///
/// It begins at half of the channels' HTLC slots (some are taken for a while after a payment has ended: with half of
/// them none ever failed with LDK 0.2.7), grows by one with each windowful of claimed payments, and falls to what is in flight when the
/// channels turn out to be full.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Window {
    /// `None` until the channels are known.
    size: Option<usize>,
    /// Payments claimed since the size last changed.
    claimed: usize,
}

impl Window {
    /// Whether one more payment may start, with channels of so many slots.
    pub fn has_room(&mut self, in_flight: usize, slots: usize) -> bool {
        let size = *self.size.get_or_insert_with(|| slots.div_ceil(2));
        in_flight < size.clamp(1, slots.max(1))
    }

    /// A payment was claimed.
    pub fn claimed(&mut self, slots: usize) {
        self.claimed += 1;
        if let Some(size) = &mut self.size
            && self.claimed >= *size
        {
            self.claimed = 0;
            *size = (*size + 1).min(slots.max(1));
        }
    }

    /// The channels took no more than what is in flight.
    pub fn is_full(&mut self, in_flight: usize) {
        self.size = Some(in_flight.max(1));
        self.claimed = 0;
    }

    /// Channels came or went: begin anew.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

/// A growing wait after failures, with jitter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Backoff {
    failures: u32,
    until_ms: u64,
}

impl Backoff {
    /// When the wait is over.
    pub fn until_ms(&self) -> u64 {
        self.until_ms
    }

    /// How many failures there were since the last beginning.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// A failure: wait twice as long as after the one before, at most `RETRY_MS_MAX`; `random` spreads the wait over its
    /// second half.
    pub fn failed(&mut self, now_ms: u64, random: u64) {
        self.failed_within(RETRY_MS_MAX, now_ms, random);
    }

    /// The same, but never waits longer than so many milliseconds.
    pub fn failed_within(&mut self, wait_ms_max: u64, now_ms: u64, random: u64) {
        if now_ms < self.until_ms {
            // What was under way together and fails together is one failure.
            return;
        }
        let wait_ms = RETRY_MS_MIN.saturating_mul(1 << self.failures.min(16)).min(wait_ms_max);
        self.failures = self.failures.saturating_add(1);
        self.until_ms = now_ms.saturating_add(wait_ms / 2 + random % (wait_ms / 2 + 1));
    }

    /// Waits for so long without a failure.
    pub fn wait(&mut self, until_ms: u64) {
        self.until_ms = self.until_ms.max(until_ms);
    }

    /// Waits no longer; the next failure begins anew.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_grows_while_payments_are_claimed_and_falls_to_what_the_channels_took() {
        let mut window = Window::default();
        assert!(window.has_room(24, 50) && !window.has_room(25, 50));
        (0..25).for_each(|_| window.claimed(50));
        assert!(window.has_room(25, 50) && !window.has_room(26, 50));
        window.is_full(10);
        assert!(window.has_room(9, 50) && !window.has_room(10, 50));
        (0..10_000).for_each(|_| window.claimed(50));
        assert!(window.has_room(49, 50) && !window.has_room(50, 50));
        // Channels that went away bound it at once, and one payment may always try.
        assert!(window.has_room(0, 0) && !window.has_room(1, 0));
    }

    #[test]
    fn the_wait_doubles_up_to_its_bound() {
        let mut backoff = Backoff::default();
        let mut now_ms = 1_000;
        let waits: Vec<u64> = (0..10)
            .map(|_| {
                backoff.failed(now_ms, u64::MAX);
                let wait_ms = backoff.until_ms() - now_ms;
                now_ms = backoff.until_ms();
                wait_ms
            })
            .collect();
        assert!(waits[0] >= RETRY_MS_MIN / 2 && waits[0] <= RETRY_MS_MIN, "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= RETRY_MS_MAX) && waits[9] >= RETRY_MS_MAX / 2, "{waits:?}");
        backoff.clear();
        assert_eq!(backoff.until_ms(), 0);
    }

    #[test]
    fn failures_while_it_waits_are_no_others() {
        let mut backoff = Backoff::default();
        (0..20).for_each(|later_ms| backoff.failed(1_000 + later_ms, u64::MAX));
        assert!(backoff.until_ms() <= 1_000 + RETRY_MS_MIN, "{}", backoff.until_ms());
        assert_eq!(backoff.failures(), 1);
    }
}
