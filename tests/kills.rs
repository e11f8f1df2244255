//! A node is killed at each step of a message's way, as by `kill -9`, and started again: nothing is lost, nothing is
//! doubled, and payments are as the design says.
//!
//! The node kills itself (`crates/failpoints`): so it dies exactly there, with nothing flushed. `KILLS_PER_STEP=20`
//! takes longer; `KILLS_SEED` repeats a run. A channel that a kill costs is opened again, and counted.

#![cfg(debug_assertions)]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

#[path = "kills/ledger.rs"]
mod ledger;
mod support;
#[path = "kills/trial.rs"]
mod trial;

use support::{
    chain::{Opening, USUAL},
    web::Web,
};
use trial::{Step, Traffic, kill_at_each};

const MIXED: Traffic = Traffic { short_waiting: 6, short_queued: 6, long_waiting: 1, long_queued: 1 };

const SENDER: usize = 0;
const RECIPIENT: usize = 1;

fn step(name: &'static str, passes: u32) -> Step {
    Step { name, passes }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_is_killed_at_any_step_sends_each_message_once() {
    let web = Web::start(&["alice", "bob"], &[(SENDER, RECIPIENT, USUAL)]).await;
    let steps = [
        step("message-stored", 10),
        step("attempt-stored", 20),
        step("payment-sent", 20),
        step("before-outcome-commit", 20),
        step("before-event-handled", 20),
    ];
    kill_at_each("sender", web, SENDER, &steps, MIXED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_that_is_killed_at_any_step_gets_each_message_once() {
    let web = Web::start(&["alice", "bob"], &[(SENDER, RECIPIENT, USUAL)]).await;
    let steps = [step("before-inbox-commit", 20), step("after-inbox-commit", 20), step("before-event-handled", 20)];
    kill_at_each("recipient", web, RECIPIENT, &steps, MIXED).await;
}

/// The sender has a channel with the recipient that holds nothing of its own, so frames for a direct peer are cut, and no
/// route carries them: the way over carol takes smaller ones.
#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_is_killed_while_it_cuts_a_message_anew_sends_it_once() {
    let (carol, empty) = (2, Opening { push_sat: 0, ..USUAL });
    let links =
        [(SENDER, carol, USUAL), (carol, RECIPIENT, Opening { announce: true, ..USUAL }), (RECIPIENT, SENDER, empty)];
    let web = Web::start(&["alice", "bob", "carol"], &links).await;
    let traffic = Traffic { short_waiting: 1, short_queued: 3, long_waiting: 1, long_queued: 1 };
    kill_at_each("sender", web, SENDER, &[step("cut-anew", 0)], traffic).await;
}
