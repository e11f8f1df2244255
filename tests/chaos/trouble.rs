//! What goes wrong in a cycle, decided by the seed before it begins.

use std::{fmt, time::Duration};

use bitcoin::secp256k1::rand::{Rng as _, rngs::StdRng, seq::SliceRandom as _};

use crate::support::proxy::Mode;

/// How much is free on a disk after it was filled: below the node's low-water mark.
const FREE_MIB_MAX: u64 = 32;

/// What is done, and for how long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// These nodes are killed with SIGKILL at once, and started again after a pause.
    Kill(Vec<usize>),
    /// This node is stopped with SIGSTOP, and continues.
    Freeze(usize),
    /// The connections to this node are cut, and nobody reaches it.
    Cut(usize),
    /// The Esplora server of all nodes does this instead of answering.
    Esplora(Mode),
    /// So much is left of this node's disk, in MiB.
    Disk(usize, u64),
}

/// For which moment a trouble waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aim {
    /// Nothing that it concerns is in flight: it comes before the cycle's messages.
    Idle,
    /// Something is.
    InFlight,
    /// The first victim's node has events in its queue, and so long has passed since: it is in the middle of them.
    Events(Duration),
    /// Something is in flight, and since then the first victim's message store could write nothing for so long.
    Stalled(Duration),
}

/// A trouble with its moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trouble {
    pub kind: Kind,
    /// How long after the cycle's begin, unless nothing is to be in flight; then it waits for what it aims at.
    pub moment: Duration,
    pub aim: Aim,
    pub pause: Duration,
}

/// How long it is waited for what is aimed at.
pub const LOAD_PATIENCE: Duration = Duration::from_secs(2);

impl Trouble {
    /// The trouble of a cycle in a world of so many nodes.
    pub fn pick(nodes: usize, has_disks: bool, random: &mut StdRng) -> Self {
        let node = random.gen_range(0..nodes);
        let other = (node + random.gen_range(1..nodes)) % nodes;
        let mode =
            *[Mode::Stopped, Mode::Failing, Mode::Garbage, Mode::Silent].choose(random).unwrap_or(&Mode::Failing);
        let (dice, left_mib) = (random.gen_range(0..100), random.gen_range(0..FREE_MIB_MAX));
        let kind = match dice {
            0..60 => Kind::Kill(vec![node]),
            60..68 => Kind::Kill(vec![node, other]),
            68..78 if has_disks => Kind::Disk(node, left_mib),
            68..80 => Kind::Freeze(node),
            80..92 => Kind::Cut(node),
            _ => Kind::Esplora(mode),
        };
        let (moment_ms, after_us) = (random.gen_range(50..1_500), random.gen_range(0..4_000));
        let aim = match random.gen_range(0..100) {
            0..20 if matches!(kind, Kind::Kill(_)) => Aim::Idle,
            20..45 if matches!(kind, Kind::Kill(_)) => Aim::Events(Duration::from_micros(after_us)),
            45..70 if matches!(kind, Kind::Kill(_)) => Aim::Stalled(Duration::from_micros(100 * after_us)),
            _ => Aim::InFlight,
        };
        let pause_ms = match kind {
            // Most supervisors start again what has ended at once.
            Kind::Kill(_) if random.gen_bool(0.7) => 0,
            _ => random.gen_range(20..1_500),
        };
        Self { kind, moment: Duration::from_millis(moment_ms), aim, pause: Duration::from_millis(pause_ms) }
    }

    /// The nodes that it is done to.
    pub fn victims(&self) -> Vec<usize> {
        match &self.kind {
            Kind::Kill(nodes) => nodes.clone(),
            Kind::Freeze(node) | Kind::Cut(node) | Kind::Disk(node, _) => vec![*node],
            Kind::Esplora(_) => Vec::new(),
        }
    }
}

/// In words, with the names of nodes.
pub struct Told<'a>(pub &'a Trouble, pub &'a [&'a str]);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(trouble, names) = self;
        let pause = trouble.pause;
        match &trouble.kind {
            Kind::Kill(nodes) => {
                let nodes: Vec<&str> = nodes.iter().map(|node| names[*node]).collect();
                write!(f, "{} killed, away for {pause:?}", nodes.join(" and "))
            }
            Kind::Freeze(node) => write!(f, "{} stopped for {pause:?}", names[*node]),
            Kind::Cut(node) => write!(f, "{} cut off for {pause:?}", names[*node]),
            Kind::Esplora(mode) => write!(f, "Esplora is {mode:?} for {pause:?}"),
            Kind::Disk(node, left_mib) => write!(f, "{}'s disk has {left_mib} MiB left", names[*node]),
        }
    }
}
