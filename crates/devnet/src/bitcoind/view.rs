//! What is known of bitcoind's best chain and mempool: as it was at one moment, in memory.
//!
//! What bitcoind has is fetched in `sync`; here it only takes the place of what was known before.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use bitcoin::{Block, BlockHash, Transaction, Txid};

use crate::{backend::MempoolTx, ledger::Ledger};

/// A transaction in the mempool.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The transaction.
    pub tx: Arc<Transaction>,
    /// The virtual size in vB, as bitcoind counts it.
    pub vsize: u64,
}

/// What has changed in bitcoind since the last look.
#[derive(Debug)]
pub struct Change {
    /// The block of the best chain that the new ones stand on: all that is above it goes.
    pub fork: BlockHash,
    /// The new blocks, the lowest first.
    pub blocks: Vec<Block>,
    /// The whole mempool.
    pub mempool: Vec<Txid>,
    /// What is new in it.
    pub new: HashMap<Txid, Waiting>,
}

/// Chain and mempool.
#[derive(Debug)]
pub struct View {
    /// The blocks, and the transactions of the best chain and of the mempool.
    pub ledger: Ledger,
    /// What waits for a block.
    waiting: HashMap<Txid, Waiting>,
    /// The same in the order of arrival: parents stand before their children.
    order: Vec<Txid>,
}

impl View {
    /// The genesis block of regtest alone.
    pub fn new() -> Self {
        Self { ledger: Ledger::new(), waiting: HashMap::new(), order: Vec::new() }
    }

    /// Whether this is all that there is.
    pub fn is_current(&self, tip: &BlockHash, mempool: &[Txid]) -> bool {
        self.ledger.tip().hash == *tip
            && self.order.len() == mempool.len()
            && mempool.iter().all(|txid| self.waiting.contains_key(txid))
    }

    /// Whether a transaction waits for a block.
    pub fn is_waiting(&self, txid: &Txid) -> bool {
        self.waiting.contains_key(txid)
    }

    /// What waits for a block, in the order of arrival.
    pub fn mempool(&self) -> Vec<MempoolTx> {
        self.order.iter().filter_map(|txid| self.describe(txid)).collect()
    }

    fn describe(&self, txid: &Txid) -> Option<MempoolTx> {
        let Waiting { tx, vsize } = self.waiting.get(txid)?;
        let spent = tx.input.iter().filter_map(|input| self.ledger.index.output(&input.previous_output));
        let value_sat: u64 = spent.map(|output| output.value.to_sat()).sum();
        let out_sat: u64 = tx.output.iter().map(|output| output.value.to_sat()).sum();
        Some(MempoolTx { txid: *txid, fee_sat: value_sat.saturating_sub(out_sat), vsize: *vsize, value_sat })
    }

    /// Becomes what bitcoind has.
    pub fn apply(&mut self, change: Change) {
        let stays: HashSet<Txid> = change.mempool.iter().copied().collect();
        let is_same_tip = change.blocks.is_empty() && self.ledger.tip().hash == change.fork;
        let before = std::mem::take(&mut self.order);
        // What a block confirms is put on anew, so that nothing unconfirmed stands in the way of what it spends.
        let (kept, taken): (Vec<Txid>, Vec<Txid>) =
            before.iter().partition(|txid| is_same_tip && stays.contains(*txid));
        let mut open = change.new;
        for txid in taken.iter().rev() {
            self.ledger.index.remove(txid);
            if let Some(waiting) = self.waiting.remove(txid).filter(|_| stays.contains(txid)) {
                open.insert(*txid, waiting);
            }
        }
        self.order = kept;
        let returned = self.rebase(&change.fork, change.blocks);
        // As the embedded chain has them: first what blocks gave back, then what waited before.
        for txid in returned.iter().chain(&before).chain(&change.mempool) {
            self.admit(*txid, &mut open);
        }
    }

    /// Takes off what is above a block of the best chain, puts other blocks upon it, and gives the transactions of those
    /// that went, parents before their children.
    fn rebase(&mut self, fork: &BlockHash, blocks: Vec<Block>) -> Vec<Txid> {
        let mut returned = Vec::new();
        while self.ledger.tip().hash != *fork && self.ledger.tip().height > 0 {
            returned.extend(self.ledger.disconnect().iter().map(|tx| tx.compute_txid()));
        }
        returned.reverse();
        for block in blocks {
            self.ledger.connect(block);
        }
        returned
    }

    /// Adds one of the open transactions, after its parents.
    fn admit(&mut self, txid: Txid, open: &mut HashMap<Txid, Waiting>) {
        let mut stack = vec![txid];
        while let Some(top) = stack.pop() {
            let Some(waiting) = open.get(&top) else { continue };
            let parents = waiting.tx.input.iter().map(|input| input.previous_output.txid);
            let parents: Vec<Txid> = parents.filter(|parent| open.contains_key(parent)).collect();
            if !parents.is_empty() {
                stack.push(top);
                stack.extend(parents);
            } else if let Some(waiting) = open.remove(&top) {
                self.ledger.index.insert(top, waiting.tx.clone());
                self.waiting.insert(top, waiting);
                self.order.push(top);
            }
        }
    }
}
