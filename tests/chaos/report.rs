//! What a run has found: faults, and what is counted apart.

use std::time::Instant;

use serde_json::{Value, json};

use crate::options::Options;

/// What kind of promise was broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    Lost,
    Doubled,
    OutOfOrder,
    Other,
}

/// What one look at a world has found. It counts from the world's begin.
#[derive(Default)]
pub struct Findings {
    pub faults: Vec<(Fault, String)>,
    pub tally: Tally,
}

/// What is counted.
#[derive(Clone, Copy, Default, Debug)]
pub struct Tally {
    /// Messages whose callers were told that they are taken.
    pub messages: usize,
    pub delivered: usize,
    pub failed: usize,
    pub cancelled: usize,
    pub expired: usize,
    /// Of those that failed: their callers had been told that they go on.
    pub went_on_and_failed: usize,
    /// A channel was closed with a payment of them in flight.
    pub failed_but_arrived: usize,
    /// The same of payments.
    pub failed_but_claimed: usize,
    /// Payments that have arrived.
    pub payments: usize,
    /// Payments that brought nothing new.
    pub double_payments: usize,
    /// Payments that arrived as they were before they were cut smaller.
    pub cut_anew: usize,
    /// Payments that failed, and were in flight when a channel on their way was closed: their worth may be burnt.
    pub burnt_payments: usize,
    pub burnt_msat: u64,
}

/// Kills of one kind, and what they cost.
#[derive(Clone, Copy, Default, Debug)]
pub struct Kills {
    pub kills: usize,
    /// The channels that LDK closed at the start after it.
    pub closed: usize,
    /// The channels that it left waiting for ever.
    pub frozen: usize,
}

/// The whole run.
pub struct Report {
    options: Options,
    begin: Instant,
    pub cycles: usize,
    /// The worlds that are over.
    past: Tally,
    /// The world that is.
    present: Tally,
    pub faults: Vec<(Fault, String)>,
    pub idle: Kills,
    pub loaded: Kills,
    /// Channels that were closed in a cycle without a kill.
    pub closed_otherwise: usize,
    /// Starts that LDK has ended by a panic that is known.
    pub start_panics: usize,
    pub stops: usize,
    pub cuts: usize,
    pub chain_outages: usize,
    pub full_disks: usize,
}

impl Findings {
    pub fn add(&mut self, fault: Fault, what: String) {
        self.faults.push((fault, what));
    }

    pub fn check(&mut self, holds: bool, fault: Fault, what: impl FnOnce() -> String) {
        if !holds {
            self.add(fault, what());
        }
    }
}

impl Tally {
    fn plus(self, other: Self) -> Self {
        Self {
            messages: self.messages + other.messages,
            delivered: self.delivered + other.delivered,
            failed: self.failed + other.failed,
            cancelled: self.cancelled + other.cancelled,
            expired: self.expired + other.expired,
            went_on_and_failed: self.went_on_and_failed + other.went_on_and_failed,
            failed_but_arrived: self.failed_but_arrived + other.failed_but_arrived,
            failed_but_claimed: self.failed_but_claimed + other.failed_but_claimed,
            payments: self.payments + other.payments,
            double_payments: self.double_payments + other.double_payments,
            cut_anew: self.cut_anew + other.cut_anew,
            burnt_payments: self.burnt_payments + other.burnt_payments,
            burnt_msat: self.burnt_msat + other.burnt_msat,
        }
    }
}

impl Report {
    pub fn new(options: &Options) -> Self {
        Self {
            options: options.clone(),
            begin: Instant::now(),
            cycles: 0,
            past: Tally::default(),
            present: Tally::default(),
            faults: Vec::new(),
            idle: Kills::default(),
            loaded: Kills::default(),
            closed_otherwise: 0,
            start_panics: 0,
            stops: 0,
            cuts: 0,
            chain_outages: 0,
            full_disks: 0,
        }
    }

    /// Takes what a look at the present world has found. It ends the run when that is a fault.
    pub fn take(&mut self, findings: Findings) {
        self.present = findings.tally;
        self.faults.extend(findings.faults);
        let faults = self.faults.len();
        assert!(faults == 0, "the ledger and the nodes don't agree: {faults} faults");
    }

    /// The present world is over.
    pub fn end_world(&mut self) {
        self.past = self.past.plus(std::mem::take(&mut self.present));
    }

    pub fn tally(&self) -> Tally {
        self.past.plus(self.present)
    }

    fn count(&self, fault: Fault) -> usize {
        self.faults.iter().filter(|found| found.0 == fault).count()
    }

    /// Prints it, and writes it as JSON where that is asked for.
    pub fn publish(&self, has_failed: bool) {
        let tally = self.tally();
        let kills = self.idle.kills + self.loaded.kills;
        println!("\nchaos, seed {}: {}", self.options.seed, if has_failed { "FAILED" } else { "ok" });
        let lines = [
            (
                "cycles",
                format!("{} of {}, {:.0} s", self.cycles, self.options.cycles, self.begin.elapsed().as_secs_f64()),
            ),
            ("messages accepted", tally.messages.to_string()),
            ("  delivered, failed", format!("{}, {}", tally.delivered, tally.failed)),
            ("  cancelled, expired", format!("{}, {}", tally.cancelled, tally.expired)),
            ("lost", self.count(Fault::Lost).to_string()),
            ("doubled", self.count(Fault::Doubled).to_string()),
            ("out of order", self.count(Fault::OutOfOrder).to_string()),
            ("other faults", self.count(Fault::Other).to_string()),
            ("payments arrived", tally.payments.to_string()),
            ("  twice for the same", tally.double_payments.to_string()),
            ("  cut anew, whole before", tally.cut_anew.to_string()),
            ("burnt by a close, at most", format!("{}, {} msat", tally.burnt_payments, tally.burnt_msat)),
            ("failed, but arrived", tally.failed_but_arrived.to_string()),
            ("  payments of that kind", tally.failed_but_claimed.to_string()),
            ("went on, and failed", tally.went_on_and_failed.to_string()),
            ("kills", format!("{kills}, {} with messages in flight", self.loaded.kills)),
            ("  channels lost, idle", shown(self.idle)),
            ("  channels lost, under load", shown(self.loaded)),
            ("closed without a kill", self.closed_otherwise.to_string()),
            ("starts that LDK has ended", self.start_panics.to_string()),
            ("stopped and continued", self.stops.to_string()),
            ("cut off", self.cuts.to_string()),
            ("Esplora away", self.chain_outages.to_string()),
            ("disks filled", self.full_disks.to_string()),
        ];
        for (name, value) in lines {
            println!("  {name:<28} {value}");
        }
        for (fault, what) in &self.faults {
            println!("  {fault:?}: {what}");
        }
        if let Some(path) = &self.options.json {
            std::fs::write(path, format!("{:#}\n", self.json(has_failed))).unwrap();
        }
    }

    fn json(&self, has_failed: bool) -> Value {
        let tally = self.tally();
        let kills =
            |kills: Kills| json!({ "kills": kills.kills, "channels_closed": kills.closed, "frozen": kills.frozen });
        json!({
            "seed": self.options.seed,
            "command": self.options.command(),
            "ok": !has_failed,
            "cycles": self.cycles,
            "seconds": self.begin.elapsed().as_secs(),
            "messages": tally.messages,
            "delivered": tally.delivered,
            "failed": tally.failed,
            "cancelled": tally.cancelled,
            "expired": tally.expired,
            "lost": self.count(Fault::Lost),
            "doubled": self.count(Fault::Doubled),
            "out_of_order": self.count(Fault::OutOfOrder),
            "other_faults": self.faults.iter().map(|(_, what)| what).collect::<Vec<_>>(),
            "payments": tally.payments,
            "double_payments": tally.double_payments,
            "cut_anew": tally.cut_anew,
            "burnt_payments_at_most": tally.burnt_payments,
            "burnt_msat_at_most": tally.burnt_msat,
            "failed_but_arrived": tally.failed_but_arrived,
            "failed_but_claimed": tally.failed_but_claimed,
            "went_on_and_failed": tally.went_on_and_failed,
            "idle": kills(self.idle),
            "under_load": kills(self.loaded),
            "closed_without_a_kill": self.closed_otherwise,
            "start_panics": self.start_panics,
            "stops": self.stops,
            "cuts": self.cuts,
            "chain_outages": self.chain_outages,
            "full_disks": self.full_disks,
        })
    }
}

fn shown(Kills { kills, closed, frozen }: Kills) -> String {
    format!("{closed} closed and {frozen} frozen by {kills} kills")
}
