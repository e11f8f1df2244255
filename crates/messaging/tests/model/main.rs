//! The outbox, the wire and the inbox against a model: whatever crashes, is doubled, overtakes or is told falsely, each
//! message that was accepted is shown once, as it was sent, or has ended as it was promised.
//!
//! Real stores and the real outbox and inbox run over a network in memory, with a clock that the test turns. Each case is
//! a list of steps ([`steps`]); after each of them, and when all is quiet, what must hold is checked ([`checks`]).
//! More cases than usual: `PROPTEST_CASES=100000 cargo test -p boltgram-messaging --test model`; a case that failed comes
//! again with its seed, `PROPTEST_RNG_SEED`, which is printed. (Only preimages and the jitter of waits aren't drawn from it.)

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, missing_docs)]

mod checks;
mod ledger;
mod network;
mod regressions;
mod send;
mod sender;
mod steps;
mod world;

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    time::Instant,
};

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

use crate::{
    sender::{Crash, locked},
    steps::{Step, case},
    world::World,
};

/// How many cases an ordinary test run has.
const CASES: u32 = 100;

/// After how many cases a long run says how far it has come.
const CASES_PER_REPORT: u32 = 1_000;

thread_local! {
    /// What a case that runs on this thread has panicked with.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What went on in all cases together: a test in which nothing happens proves nothing.
#[derive(Debug, Default)]
struct Sum {
    cases: u32,
    messages: usize,
    delivered: usize,
    payments: usize,
    shared: usize,
    parts: usize,
    doubled: usize,
    cuts: usize,
    murky: usize,
}

fn run(fee_budget_msat: Option<u64>, steps: &[Step], sum: &mut Sum) {
    let mut world = World::new(fee_budget_msat);
    steps.iter().for_each(|step| world.step(step));
    world.calm();
    world.check_end();
    let network = locked(&world.network);
    sum.cases += 1;
    sum.messages += network.ledger.0.len();
    sum.delivered += network.ledger.0.iter().filter(|sent| sent.has_arrived()).count();
    sum.payments += network.payments.len();
    sum.shared += network.payments.iter().filter(|payment| payment.onion.parts.len() > 1).count();
    sum.parts += network.payments.iter().map(|payment| payment.onion.parts.len()).sum::<usize>();
    sum.doubled += network.doubled;
    sum.cuts += network.cuts;
    sum.murky += network.payments.iter().filter(|payment| payment.is_murky).count();
}

#[test]
fn what_is_accepted_is_shown_once_or_has_ended_as_promised() {
    let ordinary = take_hook();
    set_hook(Box::new(move |info| {
        // While a failing case is made smaller, its panics are many; the last one is told at the end.
        if std::thread::current().name().is_some_and(|name| name.contains("as_promised")) {
            PANIC.set(Some(info.to_string()));
        } else {
            ordinary(info);
        }
    }));
    let mut config = Config { failure_persistence: None, max_shrink_iters: 4_000, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(getrandom::u64().unwrap());
    }
    let (cases, seed) = (config.cases, config.rng_seed);
    let sum = RefCell::new(Sum::default());
    let begun = Instant::now();
    let tested = TestRunner::new(config).run(&case(), |(budget, steps)| {
        let tested = catch_unwind(AssertUnwindSafe(|| run(budget, &steps, &mut sum.borrow_mut())));
        let sum = sum.borrow();
        if tested.is_ok() && sum.cases % CASES_PER_REPORT == 0 {
            eprintln!("{} of {cases} cases in {:.0?}: {sum:?}", sum.cases, begun.elapsed());
        }
        tested.map_err(|cause| match cause.is::<Crash>() {
            true => TestCaseError::fail("a crash went through"),
            false => TestCaseError::fail(PANIC.take().unwrap_or_default()),
        })
    });
    let sum = sum.into_inner();
    eprintln!("{} cases in {:.1?}, seed {seed}: {sum:?}", sum.cases, begun.elapsed());
    drop(take_hook());
    match tested {
        Ok(()) => {}
        Err(TestError::Fail(reason, (budget, steps))) => {
            panic!("{reason}\nbudget: {budget:?}\nsteps: {steps:?}\nseed: {seed}")
        }
        Err(error) => panic!("{error}"),
    }
    let went_on = [sum.delivered, sum.shared, sum.doubled, sum.murky].iter().all(|count| *count > 0);
    assert!(went_on || sum.cases < CASES, "too little went on: {sum:?}");
}
