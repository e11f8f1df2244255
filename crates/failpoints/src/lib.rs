//! Places in the program where a test can kill it, as `kill -9` would: [`kill_point!`] names one.
//!
//! Where it dies is chosen by the environment variable `FAILPOINTS`, in the `fail` crate's own words:
//! `attempt-stored=3*off->return` is the fourth pass of that place. A build without `debug_assertions` has neither the
//! places nor the variable: there, all of this is empty.

/// The process dies here by SIGKILL when `FAILPOINTS` says so. Nothing is flushed, and no other thread goes on.
#[macro_export]
macro_rules! kill_point {
    ($name:literal) => {{
        #[cfg(debug_assertions)]
        $crate::reached($name);
    }};
}

/// Reads `FAILPOINTS`, which holds from then on. To be called once, first thing in `main`.
pub fn begin() {
    #[cfg(debug_assertions)]
    if std::env::var_os("FAILPOINTS").is_some() {
        // Dropped, it would take the places back.
        std::mem::forget(fail::FailScenario::setup());
    }
}

/// What [`kill_point!`] calls.
#[cfg(debug_assertions)]
pub fn reached(name: &str) {
    fail::fail_point!(name, |_| die());
}

#[cfg(debug_assertions)]
fn die() {
    use rustix::process::{Signal, getpid, kill_process};
    let _ = kill_process(getpid(), Signal::KILL);
}
