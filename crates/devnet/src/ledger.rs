//! The blocks that are known, which of them are the best chain, and the index over that chain: what both backends answer
//! from.
//!
//! Which block comes next is decided elsewhere: here blocks only go on and off the tip. The index holds the mempool's
//! transactions too, which whoever keeps the mempool adds and removes.

use std::{collections::HashMap, sync::Arc};

use bitcoin::{Block, BlockHash, Network, Transaction, Txid, constants::genesis_block};

use crate::{
    backend::{BlockEntry, BlockId},
    index::Index,
    limits::MEDIAN_TIME_BLOCKS,
};

/// A block that was once on the best chain.
#[derive(Debug)]
struct Known {
    block: Arc<Block>,
    txids: Arc<[Txid]>,
    height: u32,
    median_time: u32,
}

/// The best chain from the genesis block up, and what was on it before.
#[derive(Debug)]
pub struct Ledger {
    /// Every block that was ever on the best chain, stale ones too.
    blocks: HashMap<BlockHash, Known>,
    /// The best chain's tip; the genesis block at first.
    tip: BlockId,
    /// The best chain's blocks below the tip, by height.
    below: Vec<BlockHash>,
    /// The transactions of the best chain and of the mempool.
    pub index: Index,
}

impl Ledger {
    /// The genesis block of regtest alone.
    pub fn new() -> Self {
        let genesis = genesis_block(Network::Regtest);
        let (hash, time) = (genesis.block_hash(), genesis.header.time);
        let tip = BlockId { height: 0, hash, time };
        let mut ledger = Self { blocks: HashMap::new(), tip, below: Vec::new(), index: Index::default() };
        ledger.put(genesis, tip, time);
        ledger
    }

    /// The best chain's tip.
    pub fn tip(&self) -> BlockId {
        self.tip
    }

    /// The best chain's block at a height.
    pub fn block_hash(&self, height: u32) -> Option<BlockHash> {
        if height == self.tip.height { Some(self.tip.hash) } else { self.below.get(height as usize).copied() }
    }

    /// Whether a block is part of the best chain.
    pub fn is_best(&self, hash: &BlockHash) -> bool {
        self.blocks.get(hash).is_some_and(|known| self.block_hash(known.height) == Some(*hash))
    }

    /// A block that is or was on the best chain.
    pub fn block(&self, hash: &BlockHash) -> Option<BlockEntry> {
        let known = self.blocks.get(hash)?;
        let in_best_chain = self.is_best(hash);
        Some(BlockEntry {
            hash: *hash,
            block: known.block.clone(),
            txids: known.txids.clone(),
            height: known.height,
            median_time: known.median_time,
            in_best_chain,
            next_best: if in_best_chain { self.block_hash(known.height + 1) } else { None },
        })
    }

    /// The median time past with the best chain's block at a height as the tip.
    pub fn median_time_at(&self, height: u32) -> u32 {
        let known = self.block_hash(height).and_then(|hash| self.blocks.get(&hash));
        known.map_or(0, |known| known.median_time)
    }

    /// Makes a block that stands on the tip the new tip, and gives its transactions' ids. What it spends is spent by
    /// nothing else in the index.
    pub fn connect(&mut self, block: Block) -> Arc<[Txid]> {
        let time = block.header.time;
        let median_time = median_time(std::iter::once(time).chain(self.last_times()));
        let id = BlockId { height: self.tip.height + 1, hash: block.block_hash(), time };
        self.below.push(self.tip.hash);
        self.put(block, id, median_time)
    }

    /// Takes the tip off, and gives its transactions but the coinbase, the last one first. Nothing in the index may
    /// spend them. The genesis block stays.
    pub fn disconnect(&mut self) -> Vec<Arc<Transaction>> {
        let Some(previous) = self.below.pop() else { return Vec::new() };
        let mut returning = Vec::new();
        if let Some(known) = self.blocks.get(&self.tip.hash) {
            for (tx, txid) in known.block.txdata.iter().zip(known.txids.iter()).rev() {
                self.index.remove(txid);
                if !tx.is_coinbase() {
                    returning.push(Arc::new(tx.clone()));
                }
            }
        }
        let time = self.blocks.get(&previous).map_or(0, |known| known.block.header.time);
        self.tip = BlockId { height: self.tip.height.saturating_sub(1), hash: previous, time };
        returning
    }

    fn put(&mut self, block: Block, id: BlockId, median_time: u32) -> Arc<[Txid]> {
        let txids: Arc<[Txid]> = block.txdata.iter().map(Transaction::compute_txid).collect();
        for (tx, txid) in block.txdata.iter().zip(txids.iter()) {
            if !self.index.contains(txid) {
                self.index.insert(*txid, Arc::new(tx.clone()));
            }
            self.index.confirm(txid, id);
        }
        let known = Known { block: Arc::new(block), txids: txids.clone(), height: id.height, median_time };
        self.blocks.insert(id.hash, known);
        self.tip = id;
        txids
    }

    /// The times of the last blocks, as many as the median needs, from the tip down.
    fn last_times(&self) -> impl Iterator<Item = u32> {
        let hashes = std::iter::once(&self.tip.hash).chain(self.below.iter().rev());
        hashes.take(MEDIAN_TIME_BLOCKS).filter_map(|hash| self.blocks.get(hash)).map(|known| known.block.header.time)
    }
}

/// The median of the times of the last blocks (up to [`MEDIAN_TIME_BLOCKS`] of them, in any order; BIP 113).
fn median_time(times: impl Iterator<Item = u32>) -> u32 {
    let mut times: Vec<u32> = times.take(MEDIAN_TIME_BLOCKS).collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::median_time;

    #[test]
    fn the_median_time_is_that_of_the_last_eleven() {
        assert_eq!(median_time([5].into_iter()), 5);
        assert_eq!(median_time([5, 4].into_iter()), 5);
        assert_eq!(median_time((1..=20).rev()), 15);
    }
}
