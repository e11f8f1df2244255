//! The transactions that wait for a block, in the order of their arrival, and how long their chains may grow.
//!
//! What may come in is decided in `accept`; who spends what stands in the index.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use bitcoin::{OutPoint, Transaction, Txid, Wtxid};

use crate::{
    backend::MempoolTx,
    error::Rejection,
    index::Index,
    limits::{
        BLOCK_RESERVED_WEIGHT, BLOCK_SIGOPS_COST_MAX, BLOCK_WEIGHT_MAX, CARVE_OUT_VSIZE_MAX, CHAIN_TXS_MAX,
        CHAIN_VSIZE_MAX,
    },
};

/// A transaction that passed every check.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The id.
    pub txid: Txid,
    /// The id with its witnesses.
    pub wtxid: Wtxid,
    /// The transaction.
    pub tx: Arc<Transaction>,
    /// The sum of its inputs.
    pub value_sat: u64,
    /// The fee.
    pub fee_sat: u64,
    /// The virtual size in vB, with signature operations counted.
    pub vsize: u64,
    /// The weight.
    pub weight: u64,
    /// What its signature operations cost.
    pub sigops_cost: u64,
}

/// How far the limits on chains are raised for a transaction that replaces others (`PreChecks` in Core).
#[derive(Clone, Copy, Default, Debug)]
pub struct ChainAllowance {
    /// So many more descendants of one ancestor.
    pub descendants: usize,
    /// So much more virtual size of them.
    pub vsize: u64,
}

/// The mempool.
#[derive(Default, Debug)]
pub struct Mempool {
    /// By arrival: parents always stand before their children.
    by_arrival: BTreeMap<u64, Entry>,
    arrivals: HashMap<Txid, u64>,
    next_arrival: u64,
}

impl Mempool {
    /// How many transactions there are.
    pub fn len(&self) -> usize {
        self.by_arrival.len()
    }

    /// A transaction that is here.
    pub fn get(&self, txid: &Txid) -> Option<&Entry> {
        self.by_arrival.get(self.arrivals.get(txid)?)
    }

    /// Adds a transaction that passed every check.
    pub fn insert(&mut self, entry: Entry) {
        self.arrivals.insert(entry.txid, self.next_arrival);
        self.by_arrival.insert(self.next_arrival, entry);
        self.next_arrival += 1;
    }

    /// Removes a transaction that a block holds now.
    pub fn remove(&mut self, txid: &Txid) {
        if let Some(arrival) = self.arrivals.remove(txid) {
            self.by_arrival.remove(&arrival);
        }
    }

    /// Empties it, and gives what was there, in the order of arrival.
    pub fn take(&mut self) -> Vec<Entry> {
        self.arrivals.clear();
        std::mem::take(&mut self.by_arrival).into_values().collect()
    }

    /// What is here, in the order of arrival.
    pub fn list(&self) -> Vec<MempoolTx> {
        let describe = |entry: &Entry| MempoolTx {
            txid: entry.txid,
            fee_sat: entry.fee_sat,
            vsize: entry.vsize,
            value_sat: entry.value_sat,
        };
        self.by_arrival.values().map(describe).collect()
    }

    /// The transactions for the next block: by arrival, as many as fit, no child without its parents.
    pub fn select(&self) -> Vec<Entry> {
        let (mut weight, mut sigops_cost) = (BLOCK_RESERVED_WEIGHT, 0);
        let mut left_out = HashSet::new();
        let mut selected = Vec::new();
        for entry in self.by_arrival.values() {
            let lacks_parent = entry.tx.input.iter().any(|input| left_out.contains(&input.previous_output.txid));
            let fits =
                weight + entry.weight <= BLOCK_WEIGHT_MAX && sigops_cost + entry.sigops_cost <= BLOCK_SIGOPS_COST_MAX;
            if lacks_parent || !fits {
                left_out.insert(entry.txid);
                continue;
            }
            weight += entry.weight;
            sigops_cost += entry.sigops_cost;
            selected.push(entry.clone());
        }
        selected
    }

    /// Checks how long the chains of unconfirmed transactions become with this one (`CalculateMemPoolAncestors` in
    /// Core, with its carve-out for a small child that anchors rely on).
    pub fn check_chain_limits(
        &self,
        tx: &Transaction,
        vsize: u64,
        index: &Index,
        allowance: ChainAllowance,
    ) -> Result<(), Rejection> {
        let descendants_max = CHAIN_TXS_MAX + allowance.descendants;
        let descendants_vsize_max = CHAIN_VSIZE_MAX + allowance.vsize;
        let Err(error) = self.check_chains(tx, vsize, index, CHAIN_TXS_MAX, descendants_max, descendants_vsize_max)
        else {
            return Ok(());
        };
        let refused = Err(Rejection::refused("too-long-mempool-chain").with(error));
        if vsize > CARVE_OUT_VSIZE_MAX {
            return refused;
        }
        let descendants_vsize_max = descendants_vsize_max + CARVE_OUT_VSIZE_MAX;
        let carved = self.check_chains(tx, vsize, index, 2, descendants_max + 1, descendants_vsize_max);
        carved.or(refused)
    }

    fn check_chains(
        &self,
        tx: &Transaction,
        vsize: u64,
        index: &Index,
        ancestors_max: usize,
        descendants_max: usize,
        descendants_vsize_max: u64,
    ) -> Result<(), String> {
        let mut ancestors_vsize = vsize;
        let mut seen: HashSet<Txid> = HashSet::new();
        let mut to_visit: Vec<&Entry> = self.parents(tx);
        while let Some(ancestor) = to_visit.pop() {
            if !seen.insert(ancestor.txid) {
                continue;
            }
            if seen.len() + 1 > ancestors_max {
                return Err(format!("too many unconfirmed ancestors [limit: {ancestors_max}]"));
            }
            ancestors_vsize += ancestor.vsize;
            let (descendants, descendants_vsize) = self.descendants(ancestor, index);
            if descendants_vsize + vsize > descendants_vsize_max {
                let txid = ancestor.txid;
                return Err(format!("exceeds descendant size limit for tx {txid} [limit: {descendants_vsize_max}]"));
            }
            if descendants + 1 > descendants_max {
                return Err(format!("too many descendants for tx {} [limit: {descendants_max}]", ancestor.txid));
            }
            if ancestors_vsize > CHAIN_VSIZE_MAX {
                return Err(format!("exceeds ancestor size limit [limit: {CHAIN_VSIZE_MAX}]"));
            }
            to_visit.extend(self.parents(&ancestor.tx));
        }
        Ok(())
    }

    fn parents(&self, tx: &Transaction) -> Vec<&Entry> {
        tx.input.iter().filter_map(|input| self.get(&input.previous_output.txid)).collect()
    }

    /// The transactions here that this one descends from. The limits keep them few.
    pub fn ancestors(&self, tx: &Transaction) -> HashSet<Txid> {
        let mut seen: HashSet<Txid> = HashSet::new();
        let mut to_visit = self.parents(tx);
        while let Some(entry) = to_visit.pop() {
            if seen.insert(entry.txid) {
                to_visit.extend(self.parents(&entry.tx));
            }
        }
        seen
    }

    /// A transaction that is here and all that descends from it. The limits keep them few.
    pub fn with_descendants(&self, txid: &Txid, index: &Index) -> HashSet<Txid> {
        let mut seen: HashSet<Txid> = HashSet::new();
        let mut to_visit: Vec<&Entry> = self.get(txid).into_iter().collect();
        while let Some(entry) = to_visit.pop() {
            if !seen.insert(entry.txid) {
                continue;
            }
            let outputs = (0u32..).zip(&entry.tx.output).map(|(vout, _)| OutPoint { txid: entry.txid, vout });
            let children = outputs.filter_map(|outpoint| index.spend(&outpoint));
            to_visit.extend(children.filter_map(|spend| self.get(&spend.txid)));
        }
        seen
    }

    /// These transactions in the order of their arrival: parents before their children.
    pub fn by_arrival(&self, txids: impl IntoIterator<Item = Txid>) -> Vec<Txid> {
        let mut txids: Vec<Txid> = txids.into_iter().collect();
        txids.sort_by_key(|txid| self.arrivals.get(txid));
        txids
    }

    /// How many transactions descend from this one, itself counted, and their virtual size.
    fn descendants(&self, entry: &Entry, index: &Index) -> (usize, u64) {
        let descendants = self.with_descendants(&entry.txid, index);
        let vsize = descendants.iter().filter_map(|txid| self.get(txid)).map(|entry| entry.vsize).sum();
        (descendants.len(), vsize)
    }
}
