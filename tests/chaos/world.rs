//! Some nodes on a devnet of their own, with a workload and troubles, one cycle after the other.

use std::{
    collections::BTreeMap,
    process::Command,
    time::{Duration, Instant},
};

use bitcoin::secp256k1::rand::rngs::StdRng;
use boltgram_api::v1;
use rusqlite::Connection;
use tokio::{
    task::{JoinSet, spawn_blocking},
    time::{sleep, timeout},
};

use crate::{
    calls::Entry,
    ledger::{self, Ledger, Loss},
    options::Stage,
    payments::{AtStake, Balances},
    report::Report,
    subscriber::Subscriber,
    support::{
        books::{self, Attempt, Hash},
        chain::{Node, Opening, Regtest, USUAL},
        eventually, is_dead,
        proxy::{Mode, Proxy},
        tmpfs::Tmpfs,
        web::{LOG, Web},
    },
    tell,
    trouble::{Aim, Kind, LOAD_PATIENCE, Told, Trouble},
    workload::{self, Order},
};

pub const NAMES: [&str; 3] = ["alice", "bob", "carol"];

/// The size of a node's disk, and what must be free on it for the node to run.
const DISK_MIB: u64 = 256;
const LOW_WATER_MIB: &str = "48";

/// What a process says at its end whose node panicked: it can't write any more, or has a fault.
const PANIC_EXIT: i32 = 70;

/// Faults of lightning 0.2.7 at a start, after which the node goes on when it is started again.
const START_PANICS: [&str; 2] = [
    // Events that are handled while `process_background_events` runs may bring a monitor of a closed channel its updates in
    // the wrong order.
    "Attempted to apply ChannelMonitorUpdates out of order",
    // Something was queued for a peer before it was connected: checked by a build with debug assertions alone.
    "assertion failed: peer_state.pending_msg_events.is_empty()",
];

/// Dropped, its processes are killed.
pub struct World {
    pub stage: Stage,
    pub ledger: Ledger,
    pub calls: JoinSet<Entry>,
    pub subscribers: Vec<Subscriber>,
    pub at_stake: AtStake,
    /// What the channels held at the last quiet, and how many had been closed by then.
    pub balances: Option<(usize, Balances)>,
    /// Whether messages were in flight at a kill since the last quiet.
    pub was_loaded: bool,
    disks: Vec<Tmpfs>,
    /// What keeps a message store from writing.
    stall: Option<Connection>,
    pub web: Web,
    /// Before each node's Lightning port.
    doors: Vec<Proxy>,
    esplora: Proxy,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let kept = self.web.net.folder.path();
            for (disk, name) in self.disks.iter().zip(NAMES) {
                // What is mounted is gone with its mount.
                let copy = kept.join(format!("{name}-kept"));
                let _ = Command::new("cp").arg("-a").arg(&disk.path).arg(copy).status();
            }
            tell(&format!("logs and data are in {}", kept.display()));
        }
    }
}

impl World {
    /// Starts the nodes and opens their channels. The nodes reach each other and the chain through proxies.
    pub async fn start(stage: Stage, has_disks: bool) -> Self {
        let net = Regtest::start().await;
        let esplora = Proxy::start(&net.devnet.url()).await;
        let (mut nodes, mut doors, mut disks) = (Vec::new(), Vec::new(), Vec::new());
        for name in &NAMES[..stage.nodes] {
            let mut flags = LOG.to_vec();
            if has_disks {
                disks.push(Tmpfs::mount(&net.folder.path().join(name), DISK_MIB));
                flags.extend(["--disk-low-water-mib", LOW_WATER_MIB]);
            }
            let mut node = Node::start_with(net.folder.path(), name, &esplora.url(), &flags);
            let door = Proxy::start(&format!("http://{}", node.lightning)).await;
            node.lightning.clone_from(&door.address);
            doors.push(door);
            nodes.push(node);
        }
        let announced = Opening { announce: true, capacity_sat: 2_000_000, push_sat: 1_000_000 };
        let direct = Opening { capacity_sat: 2_000_000, push_sat: 1_000_000, ..USUAL };
        let openings: Vec<_> = ledger::links(stage.nodes, 0, 1)
            .into_iter()
            .map(|(from, to)| (from, to, if stage.nodes == 2 { direct } else { announced }))
            .collect();
        let web = Web::of(net, nodes, &openings).await;
        let mut subscribers = Vec::new();
        for node in &web.nodes {
            subscribers.push(Subscriber::start(node).await);
        }
        Self {
            stage,
            ledger: Ledger::new(stage.nodes),
            calls: JoinSet::new(),
            subscribers,
            at_stake: AtStake::default(),
            balances: None,
            was_loaded: false,
            disks,
            stall: None,
            web,
            doors,
            esplora,
        }
    }

    /// One cycle: a workload, a trouble in the middle of it, and what mends it.
    pub async fn cycle(&mut self, cycle: usize, random: &mut StdRng, report: &mut Report) -> String {
        let begin = Instant::now();
        let orders = workload::orders(cycle, self.stage.nodes, random);
        let trouble = Trouble::pick(self.stage.nodes, !self.disks.is_empty(), random);
        let count = orders.len();
        if trouble.aim == Aim::Idle {
            self.wait_for_load(&trouble, |in_flight| in_flight == 0).await;
            self.place(orders);
        } else {
            self.place(orders);
            sleep(trouble.moment).await;
            match trouble.aim {
                Aim::Events(after) => self.wait_for_events(&trouble, after).await,
                Aim::Stalled(time) => {
                    self.wait_for_load(&trouble, |in_flight| in_flight > 0).await;
                    self.stall = Some(books::stall(&self.web.nodes[trouble.victims()[0]]));
                    sleep(time).await;
                }
                _ => self.wait_for_load(&trouble, |in_flight| in_flight > 0).await,
            }
        }
        let kills = self.strike(&trouble, report).await;
        let closed = self.recover(report).await;
        // A chain goes on. LDK tells again of its channels every six blocks, of which nodes may have forgotten by a kill.
        self.web.net.devnet.mine(1).await.unwrap();
        report.cycles += 1;
        for in_flight in &kills {
            let kind = if *in_flight > 0 { &mut report.loaded } else { &mut report.idle };
            kind.kills += 1;
        }
        let is_loaded = kills.iter().any(|in_flight| *in_flight > 0);
        self.was_loaded |= is_loaded;
        match (kills.is_empty(), is_loaded) {
            (true, _) => report.closed_otherwise += closed,
            (false, true) => report.loaded.closed += closed,
            (false, false) => report.idle.closed += closed,
        }
        let in_flight = if kills.is_empty() { String::new() } else { format!(" with {kills:?} in flight") };
        let lost = if closed > 0 { format!(", {closed} channels closed") } else { String::new() };
        let told = Told(&trouble, &NAMES);
        format!("{count} orders, {told}{in_flight}{lost}, {:.1} s", begin.elapsed().as_secs_f64())
    }

    /// Waits until so much is in flight that a trouble concerns. A seed may give a cycle with nothing for it.
    async fn wait_for_load(&self, trouble: &Trouble, is_enough: impl Fn(usize) -> bool) {
        let comes = async {
            while !trouble.victims().iter().all(|victim| is_enough(self.in_flight(*victim))) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = timeout(LOAD_PATIENCE, comes).await;
    }

    /// Waits until the victim's node has events to hand on, and then for a moment.
    async fn wait_for_events(&self, trouble: &Trouble, after: Duration) {
        let Some(victim) = trouble.victims().first().map(|victim| self.web.nodes[*victim].handle.clone()) else {
            return;
        };
        spawn_blocking(move || {
            books::wait_for_events(&victim, LOAD_PATIENCE);
            std::thread::sleep(after);
        })
        .await
        .unwrap();
    }

    /// Gives orders; each is carried out at its time.
    pub fn place(&mut self, orders: Vec<Order>) {
        for order in orders {
            let [from, to] = [order.from, order.to].map(|number| self.web.nodes[number].handle.clone());
            self.calls.spawn(self.ledger.entry(order).carry_out(from, to));
        }
    }

    /// The payments without an end that this node makes, gets, or hands on.
    fn in_flight(&self, victim: usize) -> usize {
        let nodes = &self.web.nodes;
        let own = books::in_flight(&nodes[victim], None);
        let others = (0..nodes.len()).filter(|from| *from != victim).flat_map(|from| {
            let reached = (0..nodes.len()).filter(move |to| *to != from);
            reached.filter(move |to| ledger::concerns(self.stage.nodes, victim, from, *to)).map(move |to| (from, to))
        });
        own + others.map(|(from, to)| books::in_flight(&nodes[from], Some(&nodes[to].pubkey))).sum::<usize>()
    }

    /// Does it. Tells of each kill what was in flight.
    async fn strike(&mut self, trouble: &Trouble, report: &mut Report) -> Vec<usize> {
        match &trouble.kind {
            Kind::Kill(victims) => return self.kill(victims, trouble.pause).await,
            Kind::Freeze(node) => {
                report.stops += 1;
                self.web.nodes[*node].process.signal("STOP");
                sleep(trouble.pause).await;
                self.web.nodes[*node].process.signal("CONT");
            }
            Kind::Cut(node) => {
                report.cuts += 1;
                // Who opened a channel dials.
                let links = ledger::links(self.stage.nodes, 0, 1).into_iter();
                let doors: Vec<usize> =
                    links.filter(|link| link.0 == *node || link.1 == *node).map(|link| link.1).collect();
                for door in &doors {
                    self.doors[*door].set(Mode::Stopped).await;
                }
                sleep(trouble.pause).await;
                for door in &doors {
                    self.doors[*door].set(Mode::Pass).await;
                }
            }
            Kind::Esplora(mode) => {
                report.chain_outages += 1;
                self.esplora.set(*mode).await;
                sleep(trouble.pause).await;
                self.esplora.set(Mode::Pass).await;
            }
            Kind::Disk(node, left_mib) => {
                report.full_disks += 1;
                return self.fill(*node, *left_mib).await;
            }
        }
        Vec::new()
    }

    async fn kill(&mut self, victims: &[usize], pause: Duration) -> Vec<usize> {
        for victim in victims {
            self.web.nodes[*victim].process.kill();
        }
        // What a dead node has under way doesn't change, and what others send to it has no end without it.
        let in_flight = victims.iter().map(|victim| self.in_flight(*victim)).collect();
        let at_ms = ledger::now_ms();
        for victim in victims {
            self.ledger.kills.push(Loss { pair: (*victim, *victim), at_ms });
            self.web.nodes[*victim].process.ended().await;
        }
        self.stall = None;
        sleep(pause).await;
        victims.iter().for_each(|victim| self.web.nodes[*victim].again());
        in_flight
    }

    /// Fills a node's disk, waits until the node has noticed, and makes room. When its process has ended by it, that is
    /// a kill.
    async fn fill(&mut self, victim: usize, left_mib: u64) -> Vec<usize> {
        self.disks[victim].fill(left_mib * 1_024 * 1_024);
        let node = &mut self.web.nodes[victim];
        let mut kills = Vec::new();
        let goes_on = node.comes_to(v1::Phase::DiskLow).await;
        let in_flight = self.in_flight(victim);
        self.disks[victim].make_room();
        let node = &mut self.web.nodes[victim];
        if !goes_on || !node.comes_to(v1::Phase::Running).await {
            let status = node.process.ended().await;
            assert_eq!(status.code(), Some(PANIC_EXIT), "{} ended with {status}", node.name);
            self.ledger.kills.push(Loss { pair: (victim, victim), at_ms: ledger::now_ms() });
            node.again();
            kills.push(in_flight);
        }
        kills
    }

    /// Waits until all nodes run and all channels can be used; opens those again that are closed, and counts them.
    async fn recover(&mut self, report: &mut Report) -> usize {
        let open = self.open_payments();
        loop {
            for node in &mut self.web.nodes {
                if !node.comes_to(v1::Phase::Running).await {
                    break;
                }
            }
            let pids: Vec<u32> = self.web.nodes.iter().map(|node| node.pid).collect();
            let dies = async {
                while !pids.iter().any(|pid| is_dead(*pid)) {
                    sleep(Duration::from_millis(50)).await;
                }
            };
            tokio::select! {
                _ = self.web.mend() => return self.book_closes(open),
                () = dies => self.start_again_after_panic(report).await,
            }
        }
    }

    /// A node has ended by itself. In one case that is known of LDK, and it is started again.
    async fn start_again_after_panic(&mut self, report: &mut Report) {
        for (number, node) in self.web.nodes.iter_mut().enumerate().filter(|(_, node)| is_dead(node.pid)) {
            let (status, logged) = (node.process.ended().await, node.process.logged());
            let last = logged.lines().rev().find(|line| line.starts_with("the Lightning node panicked"));
            let is_known = last.is_some_and(|line| START_PANICS.iter().any(|panic| line.contains(panic)));
            assert!(is_known && status.code() == Some(PANIC_EXIT), "{} ended with {status}: {last:?}", node.name);
            report.start_panics += 1;
            self.ledger.kills.push(Loss { pair: (number, number), at_ms: ledger::now_ms() });
            node.again();
        }
    }

    /// Writes down which channels were closed since the last time, with what was in flight before that was known.
    pub fn book_closes(&mut self, open: Vec<(usize, BTreeMap<Hash, Attempt>)>) -> usize {
        let closed = self.web.lost[self.ledger.closes.len()..].to_vec();
        let at_ms = ledger::now_ms();
        self.ledger.closes.extend(closed.iter().map(|pair| Loss { pair: *pair, at_ms }));
        self.at_stake.add(&self.ledger, &closed, open, &self.web.nodes);
        closed.len()
    }

    pub fn open_payments(&self) -> Vec<(usize, BTreeMap<Hash, Attempt>)> {
        self.web.nodes.iter().enumerate().map(|(number, node)| (number, books::attempts(node))).collect()
    }

    /// Ends it: the nodes stop in order, and their databases are whole.
    pub async fn end(mut self) {
        self.web.stop().await;
        for node in &self.web.nodes {
            books::databases(node).iter().for_each(|path| books::is_whole(path));
        }
    }

    /// Waits until messages go each way: over carol, gossip has to tell of the channels first.
    pub async fn warm_up(&mut self) {
        let (alice, bob) = (self.web.nodes[0].handle.clone(), self.web.nodes[1].handle.clone());
        for (from, to) in [(&alice, &bob), (&bob, &alice)] {
            eventually(&format!("{} has a way to {}", from.name, to.name), || async {
                let content = Some(v1::send_request::Content::Text("is there a way?".into()));
                let request = v1::SendRequest { pubkey: to.pubkey.clone(), content, ..Default::default() };
                from.client().await.messages().quote(request).await.ok()
            })
            .await;
        }
    }

    /// Whether a channel was closed in it so far.
    pub fn has_lost_channels(&self) -> bool {
        !self.ledger.closes.is_empty()
    }
}
