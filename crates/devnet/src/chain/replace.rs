//! Replace-by-fee: whether a transaction may take the place of unconfirmed ones that spend the same outputs, and taking
//! it. These are Bitcoin Core 29's `ReplacementChecks` (`validation.cpp`) and `policy/rbf.cpp`, in its order and with
//! its words.
//!
//! Core replaces whether or not a transaction signals it (`-mempoolfullrbf`, on by default), so BIP 125's rule 1 has
//! no place here.

use std::collections::HashSet;

use bitcoin::{Transaction, Txid};

use crate::{
    chain::{
        accept::{fee_at_sat, format_money},
        mempool::{self, ChainAllowance},
        state::State,
    },
    error::Rejection,
    limits::{INCREMENTAL_FEE_SAT_PER_KVB, REPLACED_TXS_MAX},
};

/// What a transaction would replace.
#[derive(Default)]
pub struct Conflicts {
    /// The unconfirmed transactions that spend what it spends, each once.
    direct: Vec<Txid>,
    /// These and all that descends from them, in the order of arrival.
    all: Vec<Txid>,
    /// How many of them there are; one that descends from two is counted twice, as Core does.
    count: usize,
}

impl State {
    /// What a transaction would replace. Past the limit nothing but the count is complete.
    pub fn conflicts(&self, tx: &Transaction) -> Conflicts {
        let spends = tx.input.iter().filter_map(|input| self.ledger.index.spend(&input.previous_output));
        let mut seen = HashSet::new();
        let direct: Vec<Txid> = spends
            .filter(|spend| spend.confirmation.is_none() && seen.insert(spend.txid))
            .map(|spend| spend.txid)
            .collect();
        let (mut all, mut count) = (HashSet::new(), 0);
        for txid in &direct {
            let descendants = self.mempool.with_descendants(txid, &self.ledger.index);
            count += descendants.len();
            all.extend(descendants);
            if count > REPLACED_TXS_MAX {
                break;
            }
        }
        Conflicts { direct, all: self.mempool.by_arrival(all), count }
    }

    /// How much longer the chains of unconfirmed transactions may be when `conflicts` make room: Core allows it for
    /// one direct conflict alone.
    pub fn chain_allowance(&self, conflicts: &Conflicts) -> ChainAllowance {
        match conflicts.direct[..] {
            [_] => ChainAllowance { descendants: 1, vsize: self.sum(&conflicts.all, |entry| entry.vsize) },
            _ => ChainAllowance::default(),
        }
    }

    /// Refuses a transaction that spends an output of one that it would replace (`EntriesAndTxidsDisjoint`).
    pub fn check_disjoint(&self, entry: &mempool::Entry, conflicts: &Conflicts) -> Result<(), Rejection> {
        let ancestors = self.mempool.ancestors(&entry.tx);
        match conflicts.direct.iter().find(|txid| ancestors.contains(*txid)) {
            None => Ok(()),
            Some(conflict) => {
                let detail = format!("{} spends conflicting transaction {conflict}", entry.txid);
                Err(Rejection::refused("bad-txns-spends-conflicting-tx").with(detail))
            }
        }
    }

    /// Checks a transaction against what it would replace. The rules are numbered as in Core's
    /// `doc/policy/mempool-replacements.md`.
    pub fn check_replacement(&self, entry: &mempool::Entry, conflicts: &Conflicts) -> Result<(), Rejection> {
        if conflicts.direct.is_empty() {
            return Ok(());
        }
        self.check_pays_higher_rate(entry, conflicts)?;
        let txid = entry.txid;
        if conflicts.count > REPLACED_TXS_MAX {
            let detail = format!(
                "rejecting replacement {txid}; too many potential replacements ({} > {REPLACED_TXS_MAX})",
                conflicts.count
            );
            return Err(Rejection::refused("too many potential replacements").with(detail));
        }
        self.check_no_new_unconfirmed(entry, conflicts)?;
        let replaced_sat = self.sum(&conflicts.all, |entry| entry.fee_sat);
        let Some(more_sat) = entry.fee_sat.checked_sub(replaced_sat) else {
            let (new, old) = (format_money(entry.fee_sat), format_money(replaced_sat));
            return Err(insufficient(&format!("{txid}, less fees than conflicting txs; {new} < {old}")));
        };
        let least_sat = fee_at_sat(INCREMENTAL_FEE_SAT_PER_KVB, entry.vsize);
        if more_sat < least_sat {
            let (more, least) = (format_money(more_sat), format_money(least_sat));
            return Err(insufficient(&format!("{txid}, not enough additional fees to relay; {more} < {least}")));
        }
        Ok(())
    }

    /// Rule 6: the fee rate is higher than that of each direct conflict (`PaysMoreThanConflicts`).
    fn check_pays_higher_rate(&self, entry: &mempool::Entry, conflicts: &Conflicts) -> Result<(), Rejection> {
        let new = rate_sat_per_kvb(entry);
        for conflict in conflicts.direct.iter().filter_map(|txid| self.mempool.get(txid)) {
            let old = rate_sat_per_kvb(conflict);
            if new <= old {
                let (txid, new, old) = (entry.txid, format_rate(new), format_rate(old));
                return Err(insufficient(&format!("{txid}; new feerate {new} <= old feerate {old}")));
            }
        }
        Ok(())
    }

    /// Rule 2: what is spent is confirmed, or the same parent's output that a replaced one spends
    /// (`HasNoNewUnconfirmed`).
    fn check_no_new_unconfirmed(&self, entry: &mempool::Entry, conflicts: &Conflicts) -> Result<(), Rejection> {
        let replaced = conflicts.all.iter().filter_map(|txid| self.mempool.get(txid));
        let parents: HashSet<Txid> =
            replaced.flat_map(|old| old.tx.input.iter().map(|input| input.previous_output.txid)).collect();
        let is_new = |parent: &Txid| !parents.contains(parent) && self.mempool.get(parent).is_some();
        match entry.tx.input.iter().position(|input| is_new(&input.previous_output.txid)) {
            None => Ok(()),
            Some(at) => {
                let detail = format!("replacement {} adds unconfirmed input, idx {at}", entry.txid);
                Err(Rejection::refused("replacement-adds-unconfirmed").with(detail))
            }
        }
    }

    /// Takes what a transaction replaces out of mempool and index, children before their parents.
    pub fn evict(&mut self, conflicts: &Conflicts) {
        for txid in conflicts.all.iter().rev() {
            self.mempool.remove(txid);
            self.ledger.index.remove(txid);
        }
    }

    fn sum(&self, txids: &[Txid], of: impl Fn(&mempool::Entry) -> u64) -> u64 {
        txids.iter().filter_map(|txid| self.mempool.get(txid)).map(of).sum()
    }
}

fn insufficient(detail: &str) -> Rejection {
    Rejection::refused("insufficient fee").with(format!("rejecting replacement {detail}"))
}

/// A fee rate as Core keeps it (`CFeeRate`): sat/kvB, rounded down.
fn rate_sat_per_kvb(entry: &mempool::Entry) -> u64 {
    entry.fee_sat * 1_000 / entry.vsize
}

/// A fee rate as Core writes it (`CFeeRate::ToString`).
fn format_rate(sat_per_kvb: u64) -> String {
    format!("{}.{:08} BTC/kvB", sat_per_kvb / 100_000_000, sat_per_kvb % 100_000_000)
}
