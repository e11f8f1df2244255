//! A process that is killed in the middle of writes, again and again on the same files.
//!
//! KV_KILLS sets how often.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use boltgram_lightning::kv::kind::StoreKind;
use ldk_node::lightning::util::persist::KVStore;
use tempfile::TempDir;

use super::{
    history::{Change, Model},
    support::{Key, ON_DISK, State, copy_as_a_crash_leaves_it, count, keys, state_of},
    workload::{Numbers, operation},
};

/// The variables that make this test binary the process that is killed: the folder, the kind, the first operation.
const WRITER: [&str; 3] = ["KV_TEST_WRITER", "KV_TEST_KIND", "KV_TEST_FIRST"];

/// So many operations at most are asked for and not acknowledged.
const UNDER_WAY_MAX: usize = 32;

/// So often the same files are written on.
const KILLS_OF_A_FOLDER: usize = 10;

#[test]
fn a_killed_process_leaves_all_that_was_acknowledged_in_order() {
    if let Some(folder) = env::var_os(WRITER[0]) {
        return write_until_killed(Path::new(&folder));
    }
    for kind in ON_DISK {
        let (mut numbers, mut acknowledged) = (Numbers::new(3), 0);
        let mut series = Series::new(kind);
        for kill in 0..count("KV_KILLS", 20) {
            if kill % KILLS_OF_A_FOLDER == 0 {
                series = Series::new(kind);
            }
            acknowledged += series.kill(&mut numbers);
        }
        println!("{kind}: {} kills, {acknowledged} operations acknowledged", count("KV_KILLS", 20));
        assert!(acknowledged > 20, "the kills came in the middle of writes");
    }
}

/// The files that are written on after each kill.
struct Series {
    kind: StoreKind,
    folder: TempDir,
    before: State,
    first: u32,
}

impl Series {
    fn new(kind: StoreKind) -> Self {
        Self { kind, folder: tempfile::tempdir().unwrap(), before: State::new(), first: 0 }
    }

    /// Kills a writer at some moment, and looks at what it left; gives how many operations it had acknowledged.
    fn kill(&mut self, numbers: &mut Numbers) -> u32 {
        let acknowledged = self.write_and_kill(numbers);
        let mut model = Model::new(self.kind, &keys(), &self.before);
        // One more may have been acknowledged and not said.
        let asked_max = self.first + u32::try_from(acknowledged.len() + UNDER_WAY_MAX + 1).unwrap();
        for n in self.first..asked_max {
            let (key, change) = operation(n);
            let is_lazy = change == Change::RemoveLazily;
            let place = model.push(&key, change);
            if acknowledged.binary_search(&(n - self.first)).is_ok() && !(is_lazy && self.kind == StoreKind::Own) {
                model.acknowledge(place);
            }
        }
        // A copy is looked at, so that the next writer finds the files as the killed one left them.
        let left = tempfile::tempdir().unwrap();
        copy_as_a_crash_leaves_it(self.folder.path(), left.path());
        let state = state_of(&*self.kind.open(left.path()).unwrap(), &keys());
        assert!(model.may_leave(&state), "{}, {acknowledged:?} acknowledged: not {:?}", self.kind, state);
        self.before = state;
        self.first = asked_max;
        u32::try_from(acknowledged.len()).unwrap()
    }

    /// Which operations of a writer were acknowledged, counted from its first, until it was killed.
    fn write_and_kill(&self, numbers: &mut Numbers) -> Vec<u32> {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "kill::a_killed_process_leaves_all_that_was_acknowledged_in_order"])
            .env(WRITER[0], self.folder.path())
            .env(WRITER[1], self.kind.to_string())
            .env(WRITER[2], self.first.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Some are killed while they open the store.
        let (kill_at, delay_us) = (numbers.below(200), numbers.below(5_000));
        let mut acknowledged = Vec::new();
        let mut is_killed = false;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(n) = line.strip_prefix("acknowledged ") {
                acknowledged.push(n.parse::<u32>().unwrap() - self.first);
            } else if line != "opening" {
                continue;
            }
            if acknowledged.len() >= kill_at && !is_killed {
                is_killed = true;
                thread::sleep(Duration::from_micros(delay_us as u64));
                child.kill().unwrap();
            }
        }
        let status = child.wait().unwrap();
        assert!(is_killed && !status.success(), "it ended by itself: {status}");
        acknowledged.sort_unstable();
        acknowledged
    }
}

/// Asks for one operation after the other, and says which are acknowledged.
fn write_until_killed(folder: &Path) {
    let variable = |name| env::var(name).unwrap();
    let mut out = std::io::stdout();
    // Whoever reads may have stopped listening: the kill is on its way.
    let mut say = |text: String| writeln!(out, "{text}").and_then(|()| out.flush()).is_ok();
    say("\nopening".into());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let _context = runtime.enter();
    let store = variable(WRITER[1]).parse::<StoreKind>().unwrap().open(folder).unwrap();
    let first: u32 = variable(WRITER[2]).parse().unwrap();
    let mut under_way = std::collections::VecDeque::new();
    for n in first.. {
        let (Key { primary, secondary, name }, change) = operation(n);
        let outcome = match change {
            Change::Write(value) => KVStore::write(&*store, &primary, &secondary, &name, value),
            Change::Remove => KVStore::remove(&*store, &primary, &secondary, &name, false),
            Change::RemoveLazily => KVStore::remove(&*store, &primary, &secondary, &name, true),
        };
        under_way.push_back((n, outcome));
        // Sometimes many are under way, sometimes one alone.
        while under_way.len() >= if (n / 64).is_multiple_of(2) { UNDER_WAY_MAX } else { 1 } {
            let Some((n, outcome)) = under_way.pop_front() else { break };
            runtime.block_on(outcome).unwrap();
            if !say(format!("acknowledged {n}")) {
                return;
            }
        }
    }
}
