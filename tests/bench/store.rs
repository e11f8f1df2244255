//! How many payments a second two nodes carry on each kind of store: `cargo bench -p boltgram --bench store -- --full`.
//!
//! Each kind takes its turn in short blocks, again and again in one run, so that what the machine does besides meets all
//! alike; the table gives the medians, and their ratio to the stock store's. `--json FILE` writes every block. Without
//! `--full` it is a short smoke, which measures nothing worth keeping.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, missing_docs)]

mod pair;

use std::{collections::BTreeMap, env, fs, time::Duration};

use boltgram_devnet::{Devnet, DevnetConfig};
use boltgram_lightning::kv::kind::StoreKind;
use pair::{Block, Pair};

/// What is measured: channels, and payments in flight.
const FULL: &[(usize, &[usize])] = &[(1, &[1, 50]), (4, &[1, 50, 180])];
const SMOKE: &[(usize, &[usize])] = &[(1, &[1, 20])];

struct Plan {
    cases: &'static [(usize, &'static [usize])],
    blocks: usize,
    block: Duration,
    json: Option<String>,
}

fn plan() -> Plan {
    let args: Vec<String> = env::args().collect();
    let value = |flag: &str| args.iter().position(|arg| arg == flag).and_then(|at| args.get(at + 1)).cloned();
    let number = |flag: &str, default: u64| value(flag).map_or(default, |text| text.parse().unwrap());
    let json = value("--json");
    if args.iter().any(|arg| arg == "--full") {
        let blocks = usize::try_from(number("--blocks", 5)).unwrap();
        return Plan { cases: FULL, blocks, block: Duration::from_millis(number("--block-ms", 5_000)), json };
    }
    Plan { cases: SMOKE, blocks: 1, block: Duration::from_millis(300), json }
}

fn main() {
    let plan = plan();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let devnet = runtime.block_on(Devnet::start(DevnetConfig::default())).unwrap();
    let mut rows = Vec::new();
    for (channels, flights) in plan.cases {
        let folder = tempfile::tempdir().unwrap();
        eprintln!("{channels} channel(s): nodes on each kind of store …");
        let pairs: Vec<(StoreKind, Pair)> = StoreKind::ALL
            .into_iter()
            .map(|kind| {
                let folder = folder.path().join(kind.to_string());
                (kind, Pair::new(runtime.handle(), &devnet, &folder, kind, *channels))
            })
            .collect();
        for in_flight in *flights {
            rows.push(measure(&plan, &pairs, *channels, *in_flight));
        }
    }
    if let Some(file) = &plan.json {
        fs::write(file, serde_json::to_vec_pretty(&rows).unwrap()).unwrap();
    }
    runtime.block_on(devnet.stop());
}

/// Alternating blocks of one case; prints its rows, and gives all blocks.
fn measure(plan: &Plan, pairs: &[(StoreKind, Pair)], channels: usize, in_flight: usize) -> serde_json::Value {
    let mut blocks: BTreeMap<String, Vec<Block>> = BTreeMap::new();
    for _ in 0..plan.blocks {
        for (kind, pair) in pairs {
            blocks.entry(kind.to_string()).or_default().push(pair.run(in_flight, plan.block));
        }
    }
    let rates = |kind: &str| median(blocks[kind].iter().map(Block::per_second).collect());
    println!("{channels} channel(s), {in_flight} in flight, medians of {} blocks", plan.blocks);
    for (kind, of_kind) in &blocks {
        println!(
            "  {kind:<8}{:>8.1}/s  {:>5.2} x stock  p50 {:>7.1} ms  {} delivered, {} failed",
            rates(kind),
            rates(kind) / rates("stock"),
            median(of_kind.iter().map(Block::median_ms).collect()),
            of_kind.iter().map(|block| block.delivered).sum::<usize>(),
            of_kind.iter().map(|block| block.failed).sum::<usize>(),
        );
    }
    let per_block = blocks.iter().map(|(kind, blocks)| {
        let figures: Vec<[f64; 2]> = blocks.iter().map(|block| [block.per_second(), block.median_ms()]).collect();
        (kind.clone(), serde_json::json!(figures))
    });
    let per_block: serde_json::Map<String, serde_json::Value> = per_block.collect();
    serde_json::json!({ "channels": channels, "in_flight": in_flight, "per_second_and_p50_ms": per_block })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
