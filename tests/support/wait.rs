//! Waiting in tests that block: for a condition, with a deadline.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long anything is waited for.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until the condition yields something; the time between looks is no synchronisation.
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(begin.elapsed() < DEADLINE, "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}
