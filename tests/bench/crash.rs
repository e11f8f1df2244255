//! What a kill costs: `cargo bench -p boltgram --bench crash -- --kills 50` kills a node with payments in flight so many
//! times on each kind of store that lives on disk, and prints how many channels were kept; its last line is the same as JSON.
//!
//! The victim is a process of its own (this program, started again), with nothing but the Lightning node in it; it is
//! killed with SIGKILL, and started again on the same data. LDK force-closes a channel whose monitor is newer than its
//! channel manager: then a new channel is opened. The kinds take turns, so that what the machine does besides meets
//! both, and the moments of the kills come from `--seed N`, the same ones for both. Just before a kill the victim is
//! asked how many payments are in flight, and is not killed in a lull. Without `--kills` it is a smoke of one kill.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, missing_docs)]

mod pair;

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use bitcoin::{
    Address,
    secp256k1::rand::{Rng as _, SeedableRng as _, rngs::StdRng},
};
use boltgram_core::{NodeId, transport::Transport as _};
use boltgram_devnet::{Devnet, DevnetConfig};
use boltgram_lightning::{Network, Node, OpenChannel, kv::kind::StoreKind};
use pair::{DEADLINE, Flight, Nobody, free_address, send_one, wait_for};
use tempfile::TempDir;
use tokio::runtime::Handle;

/// The argument that makes this program the victim.
const VICTIM: &str = "--victim";

const CAPACITY_SAT: u64 = 500_000;

/// What a victim has delivered before it may be killed.
const DELIVERED_MIN: usize = 20;

/// How long after that it lives at most: some rounds of payments, which begin in step and soon are not any more.
const MOMENT_MAX_MS: u64 = 1_500;

/// How long a sender waits after a payment that was refused.
const REFUSED_PAUSE: Duration = Duration::from_millis(20);

fn main() {
    let args: Vec<String> = env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == VICTIM) {
        return victim(&args[at + 1..]);
    }
    let number = |flag: &str, default: u64| {
        let at = args.iter().position(|arg| arg == flag);
        at.and_then(|at| args.get(at + 1)).map_or(default, |text| text.parse().unwrap())
    };
    let (kills, in_flight, seed) = (number("--kills", 1), number("--in-flight", 30), number("--seed", 1));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!("{kills} kills with {in_flight} payments in flight, seed {seed}");
    let mut moments = StdRng::seed_from_u64(seed);
    let mut scenes = [StoreKind::Own, StoreKind::Stock].map(|kind| Scene::new(runtime.handle(), kind, in_flight));
    for kill in 1..=kills {
        let moment = Duration::from_millis(moments.gen_range(0..MOMENT_MAX_MS));
        for scene in &mut scenes {
            let (flying, is_kept) = scene.kill(moment);
            let (kind, kept) = (scene.kind.to_string(), scene.kept);
            let outcome = if is_kept { "kept" } else { "lost" };
            eprintln!(
                "  {kind:<6} kill {kill} with {flying} in flight: channel {outcome}, {kept} of {kill} kept so far"
            );
        }
    }
    let mut results = serde_json::json!({ "kills": kills, "in_flight": in_flight, "seed": seed });
    for scene in scenes {
        let (kind, result) = scene.end(kills);
        results[kind] = result;
    }
    println!("{results}");
}

/// A chain, a peer, and a victim on one kind of store.
struct Scene {
    kind: StoreKind,
    handle: Handle,
    devnet: Devnet,
    bob: Arc<Node>,
    bob_address: String,
    folder: TempDir,
    in_flight: u64,
    victim: Victim,
    has_channel: bool,
    kept: u64,
    /// How many payments were in flight at each kill.
    flying: Vec<u64>,
}

impl Scene {
    fn new(handle: &Handle, kind: StoreKind, in_flight: u64) -> Self {
        let devnet = handle.block_on(Devnet::start(DevnetConfig::default())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let bob_address = free_address();
        let bob = pair::node(&folder.path().join("bob"), &devnet.url(), kind, bob_address.clone(), Arc::new(Nobody));
        let mut victim = Victim::start(folder.path(), kind, &devnet, &bob, &bob_address, in_flight);
        victim.fund(handle, &devnet);
        let handle = handle.clone();
        let (has_channel, kept, flying) = (false, 0, Vec::new());
        Self { kind, handle, devnet, bob, bob_address, folder, in_flight, victim, has_channel, kept, flying }
    }

    /// Kills the victim so long after payments began to arrive, and starts it again. Tells how many were in flight,
    /// and whether it has kept its channel.
    fn kill(&mut self, moment: Duration) -> (u64, bool) {
        if !self.has_channel {
            self.victim.open_channel(&self.handle, &self.devnet, &self.bob);
        }
        self.victim.say("send");
        self.victim.hear("delivering");
        thread::sleep(moment);
        let flying = loop {
            self.victim.say("flying");
            match self.victim.hear("flying ").parse().unwrap() {
                0 => {}
                flying => break flying,
            }
        };
        self.victim.kill();
        let folder = self.folder.path();
        self.victim = Victim::start(folder, self.kind, &self.devnet, &self.bob, &self.bob_address, self.in_flight);
        self.has_channel = self.victim.hear("channels ") == "1";
        if self.has_channel {
            // Kept is what can be used.
            self.victim.say("usable");
            self.victim.hear("usable");
        }
        self.flying.push(flying);
        self.kept += u64::from(self.has_channel);
        (flying, self.has_channel)
    }

    /// Ends it all; prints the result, and gives it.
    fn end(mut self, kills: u64) -> (String, serde_json::Value) {
        self.victim.kill();
        self.bob.stop().unwrap();
        self.handle.block_on(self.devnet.stop());
        let (kind, kept) = (self.kind.to_string(), self.kept);
        self.flying.sort_unstable();
        let (least, median) = (self.flying[0], self.flying[self.flying.len() / 2]);
        println!(
            "  {kind:<6} kept its channel in {kept} of {kills} kills ({median} in flight at the median, {least} at least)"
        );
        (kind, serde_json::json!({ "kept": kept, "in_flight_median": median, "in_flight_min": least }))
    }
}

/// The victim, seen from the program that kills it: lines out, lines in.
struct Victim {
    child: Child,
    orders: ChildStdin,
    lines: mpsc::Receiver<String>,
}

impl Victim {
    fn start(folder: &Path, kind: StoreKind, devnet: &Devnet, bob: &Node, bob_address: &str, in_flight: u64) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .arg(VICTIM)
            .arg(folder.join("victim"))
            .args([&kind.to_string(), &devnet.url(), &bob.node_id().to_string(), bob_address, &in_flight.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (heard, lines) = mpsc::channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| heard.send(line)));
        Self { orders: child.stdin.take().unwrap(), child, lines }
    }

    fn say(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The rest of the next line that begins so.
    fn hear(&self, beginning: &str) -> String {
        loop {
            let line =
                self.lines.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("the victim did not say {beginning:?}"));
            if let Some(rest) = line.strip_prefix(beginning) {
                return rest.to_owned();
            }
        }
    }

    fn fund(&mut self, handle: &Handle, devnet: &Devnet) {
        self.hear("channels ");
        self.say("address");
        let address: Address<_> = self.hear("address ").parse().unwrap();
        let address = address.require_network(Network::Regtest).unwrap();
        // Enough for a new channel after each kill.
        for _ in 0..20 {
            handle.block_on(devnet.fund(&address, 10 * CAPACITY_SAT)).unwrap();
        }
        handle.block_on(devnet.mine(1)).unwrap();
    }

    fn open_channel(&mut self, handle: &Handle, devnet: &Devnet, bob: &Node) {
        // What a forced close has put into the mempool goes first.
        handle.block_on(devnet.mine(1)).unwrap();
        self.say("open");
        let funding = self.hear("funding ").parse().unwrap();
        handle.block_on(devnet.wait_for_tx(funding, DEADLINE)).unwrap();
        handle.block_on(devnet.mine(6)).unwrap();
        sync(bob);
        self.say("usable");
        self.hear("usable");
    }
}

/// The victim's own main: it does what it is told on standard input.
fn victim(args: &[String]) {
    let [folder, kind, esplora, bob, bob_address, in_flight] = args else { panic!("{args:?}") };
    let bob: NodeId = bob.parse().unwrap();
    let flight = Arc::new(Flight::default());
    let node = pair::node(Path::new(folder), esplora, kind.parse().unwrap(), free_address(), flight.clone());
    let _ = node.connect(bob, bob_address, true);
    println!("channels {}", node.list_channels().len());
    for order in std::io::stdin().lines() {
        match order.unwrap().as_str() {
            "address" => println!("address {}", node.new_address().unwrap()),
            "open" => {
                sync(&node);
                let open = OpenChannel {
                    peer: bob,
                    address: Some(bob_address.clone()),
                    capacity_sat: CAPACITY_SAT,
                    push_sat: 0,
                    announce: false,
                };
                // A peer hangs up on whom it has just closed a channel with.
                let mut id = None;
                wait_for("the channel is begun", || {
                    id = node.open_channel(&open).inspect_err(|failure| eprintln!("  {failure}")).ok();
                    id.is_some()
                });
                println!("funding {}", funding_of(&node, &id.unwrap()));
            }
            "usable" => {
                sync(&node);
                wait_until_usable(&node);
                println!("usable");
            }
            "send" => {
                wait_until_usable(&node);
                keep_in_flight(&node, bob, &flight, in_flight.parse().unwrap());
            }
            "flying" => println!("flying {}", flight.flying()),
            other => panic!("{other}"),
        }
    }
}

/// Waits until a channel can be used; tells what the node shows if none ever can.
fn wait_until_usable(node: &Node) {
    let begin = Instant::now();
    while !node.list_channels().iter().any(|channel| channel.is_usable) {
        let (status, channels, peers) = (node.status(), node.list_channels(), node.list_peers());
        assert!(begin.elapsed() < DEADLINE, "no channel is usable: {status:?} {channels:?} {peers:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Syncs; on a machine that has much to do a try may time out.
fn sync(node: &Node) {
    wait_for("the node has synced", || node.sync().inspect_err(|failure| eprintln!("  {failure}")).is_ok());
}

/// The id of the transaction that funds a channel, once there is one.
fn funding_of(node: &Node, user_channel_id: &str) -> String {
    let mut funding = None;
    wait_for("the channel has its funding", || {
        let channel = node.list_channels().into_iter().find(|channel| channel.user_channel_id == user_channel_id);
        funding = channel.and_then(|channel| channel.funding_outpoint);
        funding.is_some()
    });
    funding.unwrap().split(':').next().unwrap().to_owned()
}

/// Sends until the process is killed; says when enough was delivered.
fn keep_in_flight(node: &Arc<Node>, bob: NodeId, flight: &Arc<Flight>, in_flight: usize) {
    flight.begin(in_flight);
    for _ in 0..in_flight.min(8) {
        let (node, flight) = (node.clone(), flight.clone());
        thread::spawn(move || {
            loop {
                if !send_one(&node, bob, &flight) {
                    // The channel has no slot free: one comes a moment after a payment has ended.
                    thread::sleep(REFUSED_PAUSE);
                }
            }
        });
    }
    wait_for("payments are delivered", || flight.delivered() >= DELIVERED_MIN);
    println!("delivering");
}
