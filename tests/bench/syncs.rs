//! The syncs for each message, as the kernel sees them.
//!
//! A pair of nodes works in a process of its own under strace, which writes down each fsync and fdatasync with its file. What
//! counts stands between two marks, files that the process syncs itself when its nodes are quiet. Beside it stands what our
//! store's counters say for the same time: the two must be equal.

use std::{
    env,
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, SystemTime},
};

use boltgram_devnet::{Devnet, DevnetConfig};
use boltgram_lightning::kv::kind::StoreKind;
use serde_json::{Value, json};

use super::{
    Plan,
    pair::{Pair, wait_for},
};

/// The argument that makes this program the process that is watched.
pub const CHILD: &str = "--carry-under-strace";

/// The two sides of a pair: whose folders they are.
const SIDES: [&str; 2] = ["alice", "bob"];

/// For so long nothing is written when the nodes are quiet.
const QUIET: Duration = Duration::from_millis(400);

/// What one kind's pair came to.
struct Count {
    kind: StoreKind,
    delivered: u64,
    /// By side: what the kernel saw, and what the store says.
    sides: Vec<(u64, Option<u64>)>,
}

impl Count {
    fn per_message(&self, side: usize) -> f64 {
        self.sides[side].0 as f64 / self.delivered as f64
    }
}

/// Counts on our store and the stock one, for each case; gives all figures.
pub fn measure(plan: &Plan) -> Vec<Value> {
    plan.cases.iter().map(|(channels, in_flight)| measure_case(plan, *channels, *in_flight)).collect()
}

fn measure_case(plan: &Plan, channels: usize, in_flight: usize) -> Value {
    let counts = [StoreKind::Own, StoreKind::Stock].map(|kind| count(plan, kind, channels, in_flight));
    println!("{channels} channel(s), {in_flight} in flight: syncs for each message");
    println!("  kind    messages    sender  receiver   x stock (sender, receiver)   kernel's and store's counts");
    for of_kind in &counts {
        let ratio = |side| of_kind.per_message(side) / counts[1].per_message(side);
        let sums: Vec<String> = SIDES
            .iter()
            .zip(&of_kind.sides)
            .map(|(side, (kernel, store))| {
                format!("{side} {kernel}{}", store.map_or(String::new(), |store| format!(" and {store}")))
            })
            .collect();
        println!(
            "  {:<7} {:>8} {:>9.3} {:>9.3} {:>13.3} {:>9.3}     {}",
            of_kind.kind.to_string(),
            of_kind.delivered,
            of_kind.per_message(0),
            of_kind.per_message(1),
            ratio(0),
            ratio(1),
            sums.join(", "),
        );
    }
    let is_exact =
        counts.iter().flat_map(|of_kind| &of_kind.sides).all(|(kernel, store)| store.is_none_or(|n| n == *kernel));
    println!(
        "  {}",
        if is_exact { "our store counts exactly what the kernel sees" } else { "OUR STORE'S COUNT IS WRONG" }
    );
    let figures = counts.iter().map(|of_kind| {
        let sides = SIDES.iter().zip(&of_kind.sides).map(|(side, (kernel, store))| {
            let per_message = *kernel as f64 / of_kind.delivered as f64;
            ((*side).to_owned(), json!({ "kernel": kernel, "store": store, "per_message": per_message }))
        });
        let sides: serde_json::Map<String, Value> = sides.collect();
        (of_kind.kind.to_string(), json!({ "messages": of_kind.delivered, "syncs": sides }))
    });
    let kinds: serde_json::Map<String, Value> = figures.collect();
    json!({ "channels": channels, "in_flight": in_flight, "is_exact": is_exact, "kinds": kinds })
}

/// Runs a pair under strace.
fn count(plan: &Plan, kind: StoreKind, channels: usize, in_flight: usize) -> Count {
    eprintln!("{channels} channel(s), {in_flight} in flight, {kind}: a pair of nodes under strace …");
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let mut child = Command::new("strace")
        .args(["-f", "--seccomp-bpf", "-qq", "-y", "-e", "trace=fsync,fdatasync", "-e", "signal=none", "-o"])
        .arg(&trace)
        .arg(env::current_exe().unwrap())
        .arg(CHILD)
        .args([kind.to_string(), channels.to_string(), in_flight.to_string(), plan.blocks.to_string()])
        .arg(plan.block.as_millis().to_string())
        .arg(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("strace can't be started, install it: {error}"));
    let mut answer = Value::Null;
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        match line.strip_prefix("answer ") {
            Some(text) => answer = serde_json::from_str(text).unwrap(),
            None => eprintln!("  {line}"),
        }
    }
    let status = child.wait().unwrap();
    assert!(status.success(), "the pair under strace ended with {status}");
    let lines = fs::read_to_string(&trace).unwrap();
    let sides = SIDES.iter().zip(answer["counted"].as_array().unwrap());
    let sides = sides.map(|(side, counted)| (seen(&lines, folder.path(), side), counted.as_u64())).collect();
    Count { kind, delivered: answer["delivered"].as_u64().unwrap(), sides }
}

/// How many syncs of files in one side's folder the trace has between the marks. A line is `PID fsync(FD</the/path>…`.
fn seen(trace: &str, folder: &Path, side: &str) -> u64 {
    let folder = folder.to_string_lossy();
    let path_of = |line: &str| {
        let call = line.split_once("sync(")?.1;
        let path = call.split_once('<')?.1.split_once('>')?.0;
        path.strip_prefix(&*folder).map(str::to_owned)
    };
    let paths = trace.lines().filter_map(path_of);
    let between = paths.skip_while(|path| path != "/begin").skip(1).take_while(|path| path != "/end");
    between.filter(|path| path.starts_with(&format!("/{side}/"))).count() as u64
}

/// The watched process's own main.
pub fn carry(args: &[String]) {
    let [kind, channels, in_flight, blocks, block_ms, folder] = args else { panic!("{args:?}") };
    let (folder, kind) = (Path::new(folder), kind.parse::<StoreKind>().unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let devnet = runtime.block_on(Devnet::start(DevnetConfig::default())).unwrap();
    let pair = Pair::new(runtime.handle(), &devnet, folder, kind, channels.parse().unwrap());
    let (in_flight, block) = (in_flight.parse().unwrap(), Duration::from_millis(block_ms.parse().unwrap()));
    pair.run(in_flight, block / 5);
    let mark = |name: &str| {
        wait_for_quiet(folder);
        let before = pair.syncs();
        File::create(folder.join(name)).unwrap().sync_all().unwrap();
        // Whoever wrote in this moment would stand on neither side of the mark.
        (before == pair.syncs()).then_some(before)
    };
    let begin = mark("begin").unwrap_or_else(|| panic!("the nodes aren't quiet"));
    let mut delivered = 0;
    for n in 1..=blocks.parse::<usize>().unwrap() {
        let block = pair.run(in_flight, block);
        println!("block {n} of {blocks}: {:.0}/s under strace, {} failed", block.per_second(), block.failed);
        delivered += block.delivered;
    }
    let end = mark("end").unwrap_or_else(|| panic!("the nodes aren't quiet"));
    let counted: Vec<_> = begin.iter().zip(end).map(|(begin, end)| Some(end? - (*begin)?)).collect();
    println!("answer {}", json!({ "delivered": delivered, "counted": counted }));
    drop(pair);
    runtime.block_on(devnet.stop());
}

/// Waits until nothing was written in either side's folder for a while.
fn wait_for_quiet(folder: &Path) {
    wait_for("the nodes are quiet", || {
        let files = SIDES.iter().flat_map(|side| fs::read_dir(folder.join(side).join("ldk")).unwrap());
        let newest = files.filter_map(|file| file.ok()?.metadata().ok()?.modified().ok()).max();
        thread::sleep(QUIET / 8);
        newest.is_none_or(|newest| SystemTime::now().duration_since(newest).is_ok_and(|age| age > QUIET))
    });
}
