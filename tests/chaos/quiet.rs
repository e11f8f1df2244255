//! A world comes to rest, and is compared with its ledger.

use std::time::{Duration, Instant};

use tokio::{task::JoinSet, time::sleep};

use crate::{
    audit::{Books, audit},
    calls::{Answer, Entry},
    payments::Balances,
    report::{Fault, Findings, Report},
    support::{
        NodeHandle,
        books::{self, UnderWay},
        chain::{Node, onchain_sat},
        eventually,
        web::FUNDS_SAT,
    },
    tell,
    world::World,
};

/// How long a world may take to come to rest until it is looked whether LDK has frozen a channel.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long until blocks are mined meanwhile, where a channel was closed.
const PATIENCE_CLOSED: Duration = Duration::from_secs(4);

/// How long it may take in all.
const REST_DEADLINE: Duration = Duration::from_secs(180);

/// So many at a time, so that who hands a payment on can give it back before it is overdue for whom it has it from.
const MINED_AT_A_TIME: u32 = 6;

/// How long the last payments take to be part of the balances.
const BALANCES_DEADLINE: Duration = Duration::from_secs(10);

/// How long a call waits that is made again, and how long it is made again.
const AGAIN_TIMEOUT: Duration = Duration::from_secs(10);
const AGAIN_PAUSE: Duration = Duration::from_millis(200);

impl World {
    /// Waits until nothing is under way, and compares what the nodes have with the ledger. Messages under a key that no
    /// call was told to be taken are asked for again, until one is; then all is compared once more.
    pub async fn quiet(&mut self, report: &mut Report) -> String {
        let begin = Instant::now();
        while let Some(entry) = self.calls.join_next().await {
            self.ledger.entries.push(entry.unwrap());
        }
        self.rest(report).await;
        self.compare(report).await;
        let again = self.ask_again().await;
        if again > 0 {
            self.rest(report).await;
            self.compare(report).await;
        }
        format!(
            "{} orders agree, {again} were given again, {:.1} s",
            self.ledger.entries.len(),
            begin.elapsed().as_secs_f64()
        )
    }

    /// Waits until no message and no payment is under way; that this doesn't come about is a fault.
    async fn rest(&mut self, report: &mut Report) {
        let begin = Instant::now();
        let mut has_looked = false;
        loop {
            let under_way: Vec<UnderWay> = self.web.nodes.iter().map(|node| books::under_way(node)).collect();
            if under_way.iter().all(|under_way| *under_way == UnderWay::default()) {
                return;
            }
            if begin.elapsed() > REST_DEADLINE {
                report.faults.push((Fault::Other, format!("it doesn't come to rest: {under_way:?}")));
                return;
            }
            if begin.elapsed() > PATIENCE && !has_looked {
                has_looked = true;
                self.thaw(report).await;
            }
            if begin.elapsed() > PATIENCE_CLOSED && self.has_lost_channels() {
                // A payment that is no dust is known to have failed when its HTLC has expired on chain.
                self.web.net.mine(MINED_AT_A_TIME, &self.web.nodes.iter().collect::<Vec<_>>()).await;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn thaw(&mut self, report: &mut Report) {
        let open = self.open_payments();
        let frozen = self.web.thaw().await;
        let kills = if self.was_loaded { &mut report.loaded } else { &mut report.idle };
        kills.frozen += frozen;
        self.book_closes(open);
    }

    /// Compares all that the nodes have with the ledger, and with what was there at the last quiet.
    async fn compare(&mut self, report: &mut Report) {
        let handles: Vec<NodeHandle> = self.web.nodes.iter().map(|node| node.handle.clone()).collect();
        let mut books = Vec::new();
        for node in &handles {
            eventually(&format!("{} has booked what its node has received", node.name), || async {
                books::claimed(node).await.iter().eq(books::booked(node).keys()).then_some(())
            })
            .await;
            books.push(Books::read(node, &handles).await);
        }
        let mut findings = audit(&self.ledger, &books);
        (findings.tally.burnt_payments, findings.tally.burnt_msat) = self.at_stake.burnt(&books);
        for (subscriber, books) in self.subscribers.iter().zip(&books) {
            subscriber.agrees(books, &mut findings).await;
        }
        for path in handles.iter().flat_map(books::databases) {
            if let Some(broken) = books::broken(&path) {
                findings.add(Fault::Other, broken);
            }
        }
        self.weigh(&books, &mut findings).await;
        self.was_loaded = false;
        report.take(findings);
    }

    /// Compares what the channels hold, unless one was closed since the last time.
    async fn weigh(&mut self, books: &[Books], findings: &mut Findings) {
        let closes = self.ledger.closes.len();
        let begin = Instant::now();
        loop {
            let now = Balances::read(&self.web.nodes, books).await;
            let mut found = Findings::default();
            if let Some((closes_before, before)) = &self.balances
                && *closes_before == closes
            {
                now.agree(before, books, &mut found);
            }
            if found.faults.is_empty() || begin.elapsed() > BALANCES_DEADLINE {
                findings.faults.extend(found.faults);
                self.balances = Some((closes, now));
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Gives those orders again that have a key and were not told to be taken. Returns how many those were.
    async fn ask_again(&mut self) -> usize {
        let is_open = |entry: &Entry| entry.order.key.is_some() && !entry.is_taken() && !has_ended(entry);
        let (open, done): (Vec<_>, Vec<_>) = std::mem::take(&mut self.ledger.entries).into_iter().partition(is_open);
        self.ledger.entries = done;
        let count = open.len();
        let mut calls: JoinSet<Entry> = JoinSet::new();
        for mut entry in open {
            let [from, to] = [entry.order.from, entry.order.to].map(|number| self.web.nodes[number].handle.clone());
            entry.order.timeout = AGAIN_TIMEOUT;
            calls.spawn(async move {
                let begin = Instant::now();
                while !entry.is_taken() && !has_ended(&entry) {
                    assert!(begin.elapsed() < REST_DEADLINE, "an order isn't taken: {entry:?}");
                    entry.call(&from, &to).await;
                    sleep(AGAIN_PAUSE).await;
                }
                entry
            });
        }
        let begin = Instant::now();
        while !calls.is_empty() {
            tokio::select! {
                entry = calls.join_next() => self.ledger.entries.extend(entry.map(Result::unwrap)),
                () = sleep(Duration::from_millis(200)) => {}
            }
            if begin.elapsed() > PATIENCE_CLOSED {
                self.web.net.mine(1, &self.web.nodes.iter().collect::<Vec<_>>()).await;
            }
        }
        count
    }

    /// Closes the channels of a world that has lost none: all coins are there, less the fees.
    pub async fn count_coins(&self) {
        if self.has_lost_channels() {
            return;
        }
        self.web.close_all().await;
        let nodes: Vec<&Node> = self.web.nodes.iter().collect();
        self.web.net.settle(&nodes).await;
        let (held_sat, fees_sat) = (onchain_sat(&nodes).await, self.web.net.fees_sat(self.web.funded_height));
        let given_sat = nodes.len() as u64 * FUNDS_SAT;
        tell(&format!("  {given_sat} sat were given, {held_sat} are held, {fees_sat} were fees"));
        assert_eq!(held_sat + fees_sat, given_sat, "what the nodes hold and have paid in fees");
    }
}

/// Whether it was cancelled, or its time was over: under its key it is asked for in vain.
fn has_ended(entry: &Entry) -> bool {
    let ends = ["MESSAGE_CANCELLED", "MESSAGE_EXPIRED"];
    entry.calls.iter().any(|call| matches!(&call.answer, Answer::Refused(reason, _) if ends.contains(&reason.as_str())))
}
