//! What a run is asked for on its command line.

use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

/// How many cycles one world lives: then its nodes end, and others begin.
const CYCLES_PER_WORLD: usize = 50;

/// How many cycles a run without `--cycles` has.
const SMOKE_CYCLES: usize = 4;

const USAGE: &str = "--cycles N [--seed S] [--nodes 2|3] [--cycles-per-world N] [--disk] [--json FILE]";

/// What a run does.
#[derive(Clone, Debug)]
pub struct Options {
    pub cycles: usize,
    pub seed: u64,
    /// In worlds of so many nodes alone; else in worlds of two and of three in turn.
    pub nodes: Option<usize>,
    pub cycles_per_world: usize,
    /// Whether disks are filled, too: that needs root.
    pub disk: bool,
    /// Where the report goes as JSON.
    pub json: Option<PathBuf>,
}

/// A world of a run.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    pub nodes: usize,
    pub cycles: usize,
}

impl Options {
    /// Reads the arguments. Without `--cycles` all of them are the test harness's, and it is a smoke.
    pub fn read(args: &[String]) -> Result<Self, String> {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| u64::from(now.subsec_nanos()));
        let mut options = Self {
            cycles: SMOKE_CYCLES,
            seed,
            nodes: None,
            cycles_per_world: CYCLES_PER_WORLD,
            disk: false,
            json: None,
        };
        if !args.iter().any(|arg| arg == "--cycles") {
            return Ok(Self { nodes: Some(2), ..options });
        }
        let mut args = args.iter();
        while let Some(flag) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{flag} needs a value: {USAGE}"));
            match flag.as_str() {
                "--cycles" => options.cycles = number(value()?)? as usize,
                "--seed" => options.seed = number(value()?)?,
                "--nodes" => options.nodes = Some(number(value()?)? as usize),
                "--cycles-per-world" => options.cycles_per_world = number(value()?)? as usize,
                "--disk" => options.disk = true,
                "--json" => options.json = Some(value()?.into()),
                other => return Err(format!("{other} is no argument of this: {USAGE}")),
            }
        }
        if options.nodes.is_some_and(|nodes| !(2..=3).contains(&nodes)) || options.cycles_per_world == 0 {
            return Err(format!("a world has 2 or 3 nodes and some cycles: {USAGE}"));
        }
        Ok(options)
    }

    /// The worlds that it makes, one after the other.
    pub fn stages(&self) -> Vec<Stage> {
        let parts = match self.nodes {
            Some(nodes) => vec![(nodes, self.cycles)],
            None => vec![(2, self.cycles.div_ceil(2)), (3, self.cycles / 2)],
        };
        let cut = |(nodes, cycles): (usize, usize)| {
            let worlds = cycles.div_ceil(self.cycles_per_world);
            (0..worlds).map(move |world| Stage { nodes, cycles: (cycles + world) / worlds }).collect::<Vec<_>>()
        };
        let parts: Vec<Vec<Stage>> = parts.into_iter().map(cut).collect();
        // In turn, so that a run that ends early was in both kinds.
        let longest = parts.iter().map(Vec::len).max().unwrap_or(0);
        (0..longest).flat_map(|world| parts.iter().filter_map(move |part| part.get(world).copied())).collect()
    }

    /// The command that does the same again.
    pub fn command(&self) -> String {
        let mut command =
            format!("cargo test -p boltgram --test chaos -- --cycles {} --seed {}", self.cycles, self.seed);
        if let Some(nodes) = self.nodes {
            command += &format!(" --nodes {nodes}");
        }
        if self.cycles_per_world != CYCLES_PER_WORLD {
            command += &format!(" --cycles-per-world {}", self.cycles_per_world);
        }
        if self.disk {
            command += " --disk";
        }
        command
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number: {USAGE}"))
}
