//! Which of two snapshots of ldk-node's event queue is the newer one.
//!
//! ldk-node encodes its queue under a lock and writes it outside (ldk-node issue 1027), so that an older snapshot can
//! land after a newer one and lose an event at the next crash. The store can tell: a snapshot is known by how many
//! events were ever queued (q) and popped (p) when it was taken. Its length, its leading u16, is q - p. Pops come one at a
//! time from the one place that calls `event_handled()`, whose thread is marked, so the n-th marked write has
//! p = n; adds come one after the other from LDK's event handler, so the m-th unmarked write has q = q0 + m, with q0 events in the
//! queue when it was loaded. A snapshot whose p + q is below the highest one taken is old.

use std::cell::Cell;

thread_local! {
    static IN_EVENT_HANDLED: Cell<bool> = const { Cell::new(false) };
}

/// Marks this thread, while it lives, as the one that calls `event_handled()`.
pub(crate) struct EventHandledMark(());

impl EventHandledMark {
    /// Marks this thread.
    pub(crate) fn enter() -> Self {
        IN_EVENT_HANDLED.set(true);
        Self(())
    }

    /// Whether this thread is marked.
    fn is_set() -> bool {
        IN_EVENT_HANDLED.get()
    }
}

impl Drop for EventHandledMark {
    fn drop(&mut self) {
        IN_EVENT_HANDLED.set(false);
    }
}

/// Tells new snapshots from old ones.
#[derive(Debug)]
pub(super) struct Snapshots {
    /// Events in the queue when it was loaded.
    loaded: u64,
    /// Marked writes so far.
    popped: u64,
    /// Unmarked writes so far.
    added: u64,
    /// The highest p + q of a snapshot that was taken.
    newest: u64,
}

impl Snapshots {
    /// For a queue that was loaded from this value, or is new.
    pub(super) fn new(loaded: Option<&[u8]>) -> Self {
        let loaded = loaded.and_then(length).unwrap_or(0);
        Self { loaded, popped: 0, added: 0, newest: loaded }
    }

    /// Whether this snapshot, written by this thread, is to be stored. To be asked once for each write, in the order of
    /// the calls.
    pub(super) fn is_new(&mut self, snapshot: &[u8]) -> bool {
        self.judge(snapshot, EventHandledMark::is_set())
    }

    fn judge(&mut self, snapshot: &[u8], is_pop: bool) -> bool {
        // What has no length is none that ldk-node writes: it is kept as it comes.
        let Some(length) = length(snapshot) else { return true };
        let age = if is_pop {
            self.popped += 1;
            let popped = self.popped;
            popped + popped + length
        } else {
            self.added += 1;
            let queued = self.loaded + self.added;
            queued + queued.saturating_sub(length)
        };
        let is_new = age >= self.newest;
        self.newest = self.newest.max(age);
        is_new
    }
}

/// How many events a snapshot holds: LDK writes a list's length first, as a big-endian u16.
fn length(snapshot: &[u8]) -> Option<u64> {
    let bytes: [u8; 2] = snapshot.get(..2)?.try_into().ok()?;
    Some(u16::from_be_bytes(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// A snapshot of a queue of these events, each one byte.
    fn snapshot(queue: &VecDeque<u8>) -> Vec<u8> {
        let length = u16::try_from(queue.len()).unwrap().to_be_bytes();
        length.into_iter().chain(queue.iter().copied()).collect()
    }

    fn events(snapshot: &[u8]) -> Vec<u8> {
        snapshot[2..].to_vec()
    }

    /// One side of the race: what it does next.
    #[derive(Clone)]
    struct World {
        queue: VecDeque<u8>,
        /// Adds that were made, and the snapshot of the last one if it isn't written yet.
        added: u8,
        add_unwritten: Option<Vec<u8>>,
        popped: u8,
        pop_unwritten: Option<Vec<u8>>,
        snapshots: (u64, u64, u64, u64),
        stored: Vec<u8>,
        /// Events whose add was acknowledged, and pops that were.
        adds_acknowledged: u8,
    }

    impl World {
        fn new(loaded: u8) -> Self {
            let queue: VecDeque<u8> = (0..loaded).collect();
            let stored = snapshot(&queue);
            Self {
                queue,
                added: loaded,
                add_unwritten: None,
                popped: 0,
                pop_unwritten: None,
                snapshots: (loaded.into(), 0, 0, loaded.into()),
                stored,
                adds_acknowledged: loaded,
            }
        }

        fn write(&mut self, value: Vec<u8>, is_pop: bool) {
            let (loaded, popped, added, newest) = self.snapshots;
            let mut rule = Snapshots { loaded, popped, added, newest };
            if rule.judge(&value, is_pop) {
                self.stored = value;
            }
            self.snapshots = (rule.loaded, rule.popped, rule.added, rule.newest);
        }

        /// What a crash now would find holds every event that was acknowledged as queued and has not been popped.
        fn check(&self) {
            let kept = events(&self.stored);
            for event in self.popped..self.adds_acknowledged {
                assert!(kept.contains(&event), "event {event} is lost: {kept:?}, popped {}", self.popped);
            }
            assert!(kept.windows(2).all(|pair| pair[0] + 1 == pair[1]), "out of order: {kept:?}");
        }
    }

    /// Walks every interleaving of taking a snapshot and writing it, on both sides, with a crash looked at after each step.
    fn walk(world: &World, adds_left: u8, pops_left: u8, steps: &mut u64) {
        *steps += 1;
        world.check();
        let mut next = world.clone();
        if let Some(value) = next.add_unwritten.take() {
            next.write(value, false);
            next.adds_acknowledged = next.added;
            walk(&next, adds_left, pops_left, steps);
        } else if adds_left > 0 {
            next.queue.push_back(next.added);
            next.added += 1;
            next.add_unwritten = Some(snapshot(&next.queue));
            walk(&next, adds_left - 1, pops_left, steps);
        }
        let mut next = world.clone();
        if let Some(value) = next.pop_unwritten.take() {
            next.write(value, true);
            walk(&next, adds_left, pops_left, steps);
        } else if pops_left > 0 && !next.queue.is_empty() {
            next.queue.pop_front();
            next.popped += 1;
            next.pop_unwritten = Some(snapshot(&next.queue));
            walk(&next, adds_left, pops_left - 1, steps);
        }
    }

    #[test]
    fn no_event_is_lost_in_any_interleaving_of_adds_and_pops_with_a_crash_at_each_point() {
        let mut steps = 0;
        for loaded in 0..3 {
            for adds in 0..5 {
                for pops in 0..=(loaded + adds).min(4) {
                    walk(&World::new(loaded), adds, pops, &mut steps);
                }
            }
        }
        assert!(steps > 10_000, "{steps}");
    }

    #[test]
    fn without_the_rule_the_race_does_lose_an_event() {
        // An add's snapshot is taken, a pop is taken and written, the older add... and the other way round.
        let mut rule = Snapshots::new(Some(&snapshot(&VecDeque::from([0]))));
        let pop = snapshot(&VecDeque::new());
        let add = snapshot(&VecDeque::from([1]));
        // The pop was taken first and is written last: it would hide event 1.
        assert!(rule.judge(&add, false));
        assert!(!rule.judge(&pop, true));
    }

    #[test]
    fn a_thread_is_marked_only_while_the_mark_lives() {
        assert!(!EventHandledMark::is_set());
        let mark = EventHandledMark::enter();
        assert!(EventHandledMark::is_set());
        assert!(!std::thread::spawn(EventHandledMark::is_set).join().unwrap());
        drop(mark);
        assert!(!EventHandledMark::is_set());
    }
}
