//! One kill after the other on one set of nodes: traffic, a node that kills itself at a step, its restart, the check.

use std::{
    fmt,
    io::Write as _,
    os::unix::process::ExitStatusExt as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bitcoin::secp256k1::rand::{
    Rng as _, SeedableRng as _,
    distributions::{Alphanumeric, DistString as _},
    rngs::StdRng,
    seq::SliceRandom as _,
};

use boltgram_api::v1;

use crate::{
    ledger::{Answer, Ledger, Order},
    support::web::Web,
};

/// A long text.
const LONG_BYTES: usize = 20_000;

/// How long a caller waits who was refused.
const PAUSE: Duration = Duration::from_millis(50);

/// A place where a node kills itself, as its `kill_point!` names it.
#[derive(Clone, Copy)]
pub struct Step {
    pub name: &'static str,
    /// At most so many passes go by before the one that kills; the traffic has more.
    pub passes: u32,
}

/// How long payments may take after a restart until it is looked whether LDK has frozen a channel.
const PATIENCE: Duration = Duration::from_secs(20);

/// The channels that a kill has cost.
#[derive(Default)]
struct Lost {
    /// LDK closed them at the restart.
    closed: usize,
    /// LDK left them waiting for what was done already; the test closed them.
    frozen: usize,
}

/// What is sent while a node waits for its end.
#[derive(Clone, Copy)]
pub struct Traffic {
    pub short_waiting: usize,
    pub short_queued: usize,
    pub long_waiting: usize,
    pub long_queued: usize,
}

/// Kills `victim`, a node of the web, at each step as often as `KILLS_PER_STEP` says (twice if it says nothing), while
/// its first node sends to its second.
pub async fn kill_at_each(side: &str, mut web: Web, victim: usize, steps: &[Step], traffic: Traffic) {
    let seed = number("KILLS_SEED").unwrap_or_else(now_ns);
    let kills_per_step = number("KILLS_PER_STEP").unwrap_or(2);
    let evidence = Evidence { side, seed, folder: web.net.folder.path().to_owned() };
    let mut random = StdRng::seed_from_u64(seed);
    let mut kills: Vec<Step> = (0..kills_per_step).flat_map(|_| steps.iter().copied()).collect();
    kills.shuffle(&mut random);
    let mut ledger = Ledger::new(&web.nodes[0], &web.nodes[1]);
    let (mut lost_in_all, mut repeats_in_all) = (Lost::default(), 0);
    let begin = Instant::now();
    for (number, step) in kills.iter().enumerate() {
        let began = Instant::now();
        let passes = random.gen_range(0..=step.passes);
        let orders = orders(number, traffic, &mut random);
        let lost = kill_at(&mut web, victim, *step, passes, orders, &mut ledger).await;
        let repeats = ledger.check().await - repeats_in_all;
        lost_in_all.closed += lost.closed;
        lost_in_all.frozen += lost.frozen;
        repeats_in_all += repeats;
        tell(&format!(
            "kill {} of {}: the {side} at {} after {passes} passes: {lost}, {repeats} payments twice, {:.1} s",
            number + 1,
            kills.len(),
            step.name,
            began.elapsed().as_secs_f64(),
        ));
    }
    tell(&format!(
        "the {side} was killed {} times in {:.0} s (seed {seed}): {lost_in_all}, {repeats_in_all} payments twice",
        kills.len(),
        begin.elapsed().as_secs_f64()
    ));
    web.stop().await;
    drop(evidence);
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} channels closed and {} frozen", self.closed, self.frozen)
    }
}

/// Kills once. Returns which channels that cost.
async fn kill_at(
    web: &mut Web,
    victim: usize,
    step: Step,
    passes: u32,
    orders: Vec<Order>,
    ledger: &mut Ledger,
) -> Lost {
    let at = match passes {
        0 => format!("{}=return", step.name),
        passes => format!("{}={passes}*off->return", step.name),
    };
    let node = &mut web.nodes[victim];
    node.process.stop().await;
    node.again_with(&[("FAILPOINTS", &at)]);
    // LDK tells again at a start what it has claimed before: the step may be there before anything is sent.
    node.comes_to(v1::Phase::Running).await;
    let (sender, recipient) = (ledger.sender.clone(), ledger.recipient.clone());
    let is_over = Arc::new(AtomicBool::new(false));
    let place = |order: Order| {
        let (sender, recipient, is_over) = (sender.clone(), recipient.clone(), is_over.clone());
        tokio::spawn(async move {
            loop {
                let answer = order.place(&sender, &recipient).await;
                // Who doesn't wait is refused until the channel can be used.
                if !matches!(answer, Answer::Refused(_)) || is_over.load(SeqCst) {
                    return (order, answer);
                }
                tokio::time::sleep(PAUSE).await;
            }
        })
    };
    let calls: Vec<_> = orders.into_iter().map(place).collect();
    // By itself: the test has not killed it.
    let status = web.nodes[victim].process.ended().await;
    assert_eq!(status.signal(), Some(9), "{at}: {status}, see {}", web.nodes[victim].process.log.display());
    is_over.store(true, SeqCst);
    web.nodes[victim].again();
    web.nodes[victim].runs().await;
    let mut lost = Lost { closed: web.mend().await, frozen: 0 };
    if !ledger.comes_to_rest(PATIENCE).await {
        lost.frozen = web.thaw().await;
    }
    let mut placed: Vec<(Order, Answer)> = Vec::new();
    for call in calls {
        placed.push(call.await.unwrap());
    }
    ledger.bring_home(placed, lost.closed + lost.frozen > 0).await;
    lost
}

fn orders(kill: usize, traffic: Traffic, random: &mut StdRng) -> Vec<Order> {
    let kinds = [
        ("short waiting", traffic.short_waiting, false, 20),
        ("short queued", traffic.short_queued, true, 20),
        ("long waiting", traffic.long_waiting, false, LONG_BYTES),
        ("long queued", traffic.long_queued, true, LONG_BYTES),
    ];
    let mut orders = Vec::new();
    for (kind, count, queue, bytes) in kinds {
        for number in 0..count {
            // Of letters and digits by chance: compression saves a quarter of it, no more.
            let text = Alphanumeric.sample_string(random, bytes);
            orders.push(Order { text, key: format!("kill {kill}, {kind} {number}"), queue });
        }
    }
    orders.shuffle(random);
    orders
}

/// Shows progress: what goes to the error stream by this way is not held back by the test harness.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into()
}

/// Says after a failure how to do it again.
struct Evidence<'a> {
    side: &'a str,
    seed: u64,
    folder: std::path::PathBuf,
}

impl Drop for Evidence<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let shown = self.folder.display();
            tell(&format!("the {} failed with KILLS_SEED={}; logs and data are in {shown}", self.side, self.seed));
        }
    }
}
