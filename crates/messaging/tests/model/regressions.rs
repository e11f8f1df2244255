//! Cases that once went wrong, as they were found: what must hold after each step and at the end held not.

use boltgram_core::{Reason, message::State};

use crate::{
    network::{Trick, Weather},
    sender::locked,
    steps::{Bytes, Draft, Step},
    world::{WAIT_MS, World},
};

fn text() -> Draft {
    Draft { sender: 0, body: Bytes::Random { seed: 1, length: 10 }, amount_sat: 0, fee_limit_msat: None, key: None }
}

/// A message that takes two payments.
fn long() -> Draft {
    Draft { body: Bytes::Random { seed: 1, length: 2_100 }, ..text() }
}

fn send(draft: Draft, queues: bool) -> Step {
    Step::Send { draft, queues, expires_in_ms: 24 * 3_600_000, crashes: false }
}

const CARRY: Step = Step::Carry { sender: 0, all: true };
const TELL: Step = Step::Tell { sender: 0, which: 0, is_acknowledged: true };
const WAIT: Step = Step::Wait { ms: WAIT_MS };
const FAIL_FALSELY: Step = Step::FailFalsely { which: 0, tells_late: true };
const ARRIVE: Step = Step::Arrive { which: 0, fee_permille: 1_000 };

/// Takes the steps, lets all come to its end, and tells the messages' states.
fn states(steps: &[Step]) -> Vec<State> {
    let mut world = World::new(None);
    steps.iter().for_each(|step| world.step(step));
    world.calm();
    world.check_end();
    let network = locked(&world.network);
    network.ledger.0.iter().map(|sent| sent.state).collect()
}

#[test]
fn a_payment_that_is_claimed_late_has_carried_its_amount_and_cost_its_fee() {
    let draft = Draft { amount_sat: 9, fee_limit_msat: Some(60_000), ..long() };
    let delivered = states(&[send(draft, true), CARRY, FAIL_FALSELY, TELL, ARRIVE, TELL]);
    assert_eq!(delivered, [State::Delivered]);
}

#[test]
fn more_payments_than_asked_for_take_no_more_than_the_least_each_also_when_they_fail() {
    let small = Weather { room_bytes: 400, ..Weather::GOOD };
    let fail = Step::Fail { which: 0, reason: Reason::Refused };
    let mut steps =
        vec![send(Draft { amount_sat: 2, ..long() }, true), Step::Weather { sender: 0, weather: small }, CARRY];
    steps.extend((0..8).flat_map(|_| [fail.clone(), TELL]));
    steps.push(WAIT);
    assert_eq!(states(&steps), [State::Delivered]);
}

#[test]
fn bytes_that_were_claimed_late_are_not_put_back_when_their_second_payment_fails() {
    // In flight are then: the first part, given up falsely; the second part; the first part again.
    let twice = [send(long(), true), CARRY, FAIL_FALSELY, TELL, WAIT, CARRY];
    let late = [ARRIVE, TELL, Step::Fail { which: 1, reason: Reason::Refused }, TELL];
    assert_eq!(states(&[&twice[..], &late].concat()), [State::Delivered]);
}

#[test]
fn a_small_message_waits_for_the_chain_when_the_payment_that_it_shared_may_still_be_claimed() {
    // What is large doesn't wait, so what is small goes alone.
    let large = Draft { amount_sat: 353, ..text() };
    let steps = [send(large, false), send(text(), true), CARRY, FAIL_FALSELY, TELL, WAIT, CARRY];
    assert_eq!(states(&steps), [State::Delivered; 2]);
}

#[test]
fn a_message_fails_for_its_own_amount_and_not_for_that_of_another() {
    let large = || send(Draft { amount_sat: 300, ..text() }, true);
    let poor = Weather { payment_msat_max: 2_500, ..Weather::GOOD };
    let poor = Step::Weather { sender: 0, weather: poor };
    assert_eq!(states(&[poor.clone(), large(), send(text(), false), CARRY]), [State::Delivered; 2]);
    // The channels may tell only when the payment starts.
    let trick = Step::Trick { sender: 0, trick: Trick::NotSent(Reason::InsufficientOutbound) };
    assert_eq!(states(&[large(), send(text(), false), trick, CARRY]), [State::Delivered; 2]);
}

#[test]
fn a_cancel_may_be_repeated_while_a_payment_is_in_flight() {
    let cancel = Step::Cancel { sender: 0, which: 0 };
    assert_eq!(states(&[send(text(), true), CARRY, cancel.clone(), cancel]), [State::Delivered]);
}

#[test]
fn a_payment_that_is_cut_anew_gives_nothing_back_that_was_claimed_late_meanwhile() {
    // The first part is given up falsely and goes again, and nothing can be known of that.
    let unclear = Step::Trick { sender: 0, trick: Trick::Unclear { has_left: false } };
    let twice = [send(long(), true), CARRY, FAIL_FALSELY, TELL, WAIT, unclear, CARRY];
    let small = Step::Weather { sender: 0, weather: Weather { room_bytes: 700, ..Weather::GOOD } };
    let late = [ARRIVE, TELL, small, Step::Tick { sender: 0, waits: 5 }];
    assert_eq!(states(&[&twice[..], &late].concat()), [State::Delivered]);
}
