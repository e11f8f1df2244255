//! What two nodes carry on each kind of store.
//!
//! `cargo bench -p boltgram --bench store -- --full`: payments a second, in a few minutes. Each kind takes its turn in
//! short blocks, in one run and in changing order, so that what the machine does besides meets all alike. The table gives the
//! medians of the blocks; the ratios are those of blocks that stood side by side, and again their median.
//!
//! `cargo bench -p boltgram --bench store -- --syncs`: the syncs for each message, as the kernel sees them (see `syncs`).
//! It needs strace.
//!
//! | option | |
//! |---|---|
//! | `--channels N --in-flight N` | this case alone |
//! | `--blocks N` | blocks of each kind, 5 |
//! | `--block-ms N` | how long payments are started in a block, 3000 |
//! | `--json FILE` | every block, for who wants to reckon otherwise |
//!
//! Without `--full` and `--syncs` it is a smoke of a minute at most, which measures nothing worth keeping.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, missing_docs)]

mod pair;
mod syncs;

use std::{env, fs, time::Duration};

use boltgram_devnet::{Devnet, DevnetConfig};
use boltgram_lightning::kv::kind::StoreKind;
use pair::{Block, Pair};
use serde_json::{Value, json};

/// What is measured: channels, and payments in flight.
const FULL: [(usize, usize); 5] = [(1, 1), (1, 50), (4, 1), (4, 50), (4, 180)];
const SMOKE: [(usize, usize); 2] = [(1, 1), (1, 20)];

/// How long each pair carries payments before the first block of a case.
const WARM_UP: Duration = Duration::from_millis(500);

pub struct Plan {
    /// Channels, and payments in flight.
    pub cases: Vec<(usize, usize)>,
    pub blocks: usize,
    pub block: Duration,
    json: Option<String>,
}

impl Plan {
    fn of(args: &[String]) -> Self {
        let value = |flag: &str| args.iter().position(|arg| arg == flag).and_then(|at| args.get(at + 1));
        let number = |flag: &str| value(flag).map(|text| text.parse::<usize>().unwrap());
        let is_asked = |flag: &str| args.iter().any(|arg| arg == flag);
        let json = value("--json").cloned();
        let cases = match (number("--channels"), number("--in-flight")) {
            (None, None) if is_asked("--full") => FULL.to_vec(),
            (None, None) if !is_asked("--syncs") => SMOKE.to_vec(),
            (channels, in_flight) => vec![(channels.unwrap_or(4), in_flight.unwrap_or(180))],
        };
        let (blocks, block_ms) = match is_asked("--full") || is_asked("--syncs") {
            true => (5, 3_000),
            false => (2, 300),
        };
        let block = Duration::from_millis(number("--block-ms").unwrap_or(block_ms) as u64);
        Self { cases, blocks: number("--blocks").unwrap_or(blocks), block, json }
    }
}

fn main() {
    let args: Vec<String> = env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == syncs::CHILD) {
        return syncs::carry(&args[at + 1..]);
    }
    let plan = Plan::of(&args);
    let figures = match args.iter().any(|arg| arg == "--syncs") {
        true => syncs::measure(&plan),
        false => measure(&plan),
    };
    if let Some(file) = &plan.json {
        fs::write(file, serde_json::to_vec_pretty(&figures).unwrap()).unwrap();
    }
}

/// All cases; gives all figures.
fn measure(plan: &Plan) -> Vec<Value> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let devnet = runtime.block_on(Devnet::start(DevnetConfig::default())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut figures = Vec::new();
    let mut pairs: Vec<(StoreKind, Pair)> = Vec::new();
    let mut channels_now = 0;
    for (channels, in_flight) in plan.cases.iter().copied() {
        if channels != channels_now {
            pairs.clear();
            eprintln!("{channels} channel(s): nodes on each kind of store …");
            let pair = |kind: StoreKind| {
                let folder = folder.path().join(format!("{kind}-{channels}"));
                (kind, Pair::new(runtime.handle(), &devnet, &folder, kind, channels))
            };
            pairs = StoreKind::ALL.map(pair).into();
            channels_now = channels;
        }
        let case = Case { channels, in_flight, rounds: carry(plan, &pairs, in_flight) };
        case.print(plan);
        figures.push(case.figures());
    }
    drop(pairs);
    runtime.block_on(devnet.stop());
    figures
}

/// Rounds of blocks of one case, one block of each kind in a round. Each round begins with another kind.
fn carry(plan: &Plan, pairs: &[(StoreKind, Pair)], in_flight: usize) -> Vec<Vec<(StoreKind, Block)>> {
    for (_, pair) in pairs {
        pair.run(in_flight, WARM_UP.min(plan.block));
    }
    let round = |round: usize| {
        let turns = (0..pairs.len()).map(|turn| &pairs[(round + turn) % pairs.len()]);
        let blocks: Vec<_> = turns.map(|(kind, pair)| (*kind, pair.run(in_flight, plan.block))).collect();
        let rates: Vec<_> = blocks.iter().map(|(kind, block)| format!("{kind} {:.0}/s", block.per_second())).collect();
        eprintln!("  {in_flight} in flight, round {} of {}: {}", round + 1, plan.blocks, rates.join(", "));
        blocks
    };
    (0..plan.blocks).map(round).collect()
}

/// The blocks of one case.
struct Case {
    channels: usize,
    in_flight: usize,
    rounds: Vec<Vec<(StoreKind, Block)>>,
}

impl Case {
    /// A figure of a kind's block in each round.
    fn of(&self, kind: StoreKind, figure: impl Fn(&Block) -> f64) -> Vec<f64> {
        self.rounds.iter().flatten().filter(|(of, _)| *of == kind).map(|(_, block)| figure(block)).collect()
    }

    /// The median over the rounds of what one kind carried in relation to another.
    fn ratio(&self, kind: StoreKind, to: StoreKind) -> f64 {
        let (kind, to) = (self.of(kind, Block::per_second), self.of(to, Block::per_second));
        median(kind.iter().zip(to).map(|(kind, to)| kind / to).collect())
    }

    fn print(&self, plan: &Plan) {
        let Self { channels, in_flight, .. } = self;
        println!("{channels} channel(s), {in_flight} in flight, medians of {} paired blocks", plan.blocks);
        println!("  kind     messages/s   x stock  x memory    p50 ms  delivered  failed");
        for kind in StoreKind::ALL {
            println!(
                "  {:<8} {:>10.1} {:>9.2} {:>9.2} {:>9.1} {:>10} {:>7}",
                kind.to_string(),
                median(self.of(kind, Block::per_second)),
                self.ratio(kind, StoreKind::Stock),
                self.ratio(kind, StoreKind::Memory),
                median(self.of(kind, Block::median_ms)),
                self.of(kind, |block| block.delivered as f64).iter().sum::<f64>(),
                self.of(kind, |block| block.failed as f64).iter().sum::<f64>(),
            );
        }
    }

    fn figures(&self) -> Value {
        let of_kind = |kind: StoreKind| {
            let figures = json!({
                "messages_per_s": self.of(kind, Block::per_second),
                "p50_ms": self.of(kind, Block::median_ms),
                "delivered": self.of(kind, |block| block.delivered as f64),
                "failed": self.of(kind, |block| block.failed as f64),
                "median_messages_per_s": median(self.of(kind, Block::per_second)),
                "median_ratio_to_stock": self.ratio(kind, StoreKind::Stock),
                "median_ratio_to_memory": self.ratio(kind, StoreKind::Memory),
            });
            (kind.to_string(), figures)
        };
        let kinds: serde_json::Map<String, Value> = StoreKind::ALL.into_iter().map(of_kind).collect();
        json!({ "channels": self.channels, "in_flight": self.in_flight, "kinds": kinds })
    }
}

/// The middle value, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}
