//! Nodes are killed again and again under load, and every message is checked against a ledger:
//! `cargo test -p boltgram --test chaos -- --cycles 300 --seed 1` (docs/reliability.md, "Kill it again and again").
//!
//! | module | what it holds |
//! |---|---|
//! | `options` | what a run is asked for |
//! | `world` | some nodes, and one cycle after the other: a workload, a trouble, what mends it |
//! | `workload`, `trouble` | what the seed decides |
//! | `calls`, `ledger` | what was asked for, what was answered, what was done to the nodes |
//! | `quiet` | a world comes to rest, and is compared |
//! | `audit`, `payments`, `subscriber` | the comparison: messages, payments and balances, what a subscriber saw |
//! | `report` | what was found |
//!
//! Without `--cycles` it is a smoke of a few cycles in a world of two nodes. With `--disk` disks are filled, too: that
//! needs root and a mount namespace (`unshare --mount --propagation private`).

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, missing_docs)]

mod audit;
mod calls;
mod ledger;
mod options;
mod payments;
mod quiet;
mod report;
mod subscriber;
#[path = "../support/mod.rs"]
mod support;
mod trouble;
mod workload;
mod world;

use std::{
    io::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
};

use bitcoin::secp256k1::rand::{SeedableRng as _, rngs::StdRng};
use options::Options;
use report::Report;
use world::World;

/// After so many cycles a world comes to rest and is compared with its ledger.
const CYCLES_PER_QUIET: usize = 10;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let options = match Options::read(&args) {
        Ok(options) => options,
        Err(problem) => {
            tell(&problem);
            return ExitCode::from(2);
        }
    };
    tell(&format!("{} cycles, seed {}", options.cycles, options.seed));
    let mut report = Report::new(&options);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(run(&options, &mut report))));
    report.publish(outcome.is_err());
    if outcome.is_err() {
        tell(&format!("it failed; again: {}", options.command()));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

async fn run(options: &Options, report: &mut Report) {
    let mut random = StdRng::seed_from_u64(options.seed);
    for stage in options.stages() {
        let mut world = World::start(stage, options.disk).await;
        world.warm_up().await;
        tell(&format!("a world of {} nodes for {} cycles", stage.nodes, stage.cycles));
        for cycle in 1..=stage.cycles {
            let line = world.cycle(report.cycles + 1, &mut random, report).await;
            tell(&format!("cycle {} of {}: {line}", report.cycles, options.cycles));
            if cycle % CYCLES_PER_QUIET == 0 || cycle == stage.cycles {
                let line = world.quiet(report).await;
                tell(&format!("  quiet: {line}"));
            }
        }
        world.count_coins().await;
        world.end().await;
        report.end_world();
    }
}

/// Shows progress.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
