//! The chain's state and its three changes: a block more, a payment from the wallet, blocks taken off.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use bitcoin::{Block, BlockHash, Network, ScriptBuf, Transaction, Txid, constants::genesis_block};

use crate::{
    backend::{BlockEntry, BlockId},
    chain::{
        accept::Origin,
        block::{Template, build, median_time},
        index::Index,
        locks::NextBlock,
        mempool::Mempool,
        wallet::Wallet,
    },
    error::DevnetError,
    limits::{BLOCK_TIME_AHEAD_S_MAX, MEDIAN_TIME_BLOCKS},
};

/// A block that was made here.
#[derive(Debug)]
struct Known {
    block: Arc<Block>,
    txids: Arc<[Txid]>,
    height: u32,
    median_time: u32,
}

/// Blocks, transactions and the wallet, all in memory.
#[derive(Debug)]
pub struct State {
    /// Every block that was ever made, stale ones too.
    blocks: HashMap<BlockHash, Known>,
    /// The best chain's tip; the genesis block at first.
    tip: BlockId,
    /// The best chain's blocks below the tip, by height.
    below: Vec<BlockHash>,
    /// Counts the blocks made, so that no two coinbases are alike.
    extra_nonce: u64,
    /// The transactions of the best chain and of the mempool.
    pub index: Index,
    /// What waits for a block.
    pub mempool: Mempool,
    wallet: Wallet,
}

/// The clock: Unix time in seconds.
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

impl State {
    /// The genesis block of regtest alone.
    pub fn new() -> Result<Self, DevnetError> {
        let genesis = genesis_block(Network::Regtest);
        let (hash, time) = (genesis.block_hash(), genesis.header.time);
        let mut state = Self {
            blocks: HashMap::new(),
            tip: BlockId { height: 0, hash, time },
            below: Vec::new(),
            extra_nonce: 0,
            index: Index::default(),
            mempool: Mempool::default(),
            wallet: Wallet::new()?,
        };
        state.connect(genesis, state.tip, time);
        Ok(state)
    }

    /// The best chain's tip.
    pub fn tip(&self) -> BlockId {
        self.tip
    }

    /// The best chain's block at a height.
    pub fn block_hash(&self, height: u32) -> Option<BlockHash> {
        if height == self.tip.height { Some(self.tip.hash) } else { self.below.get(height as usize).copied() }
    }

    /// A block that was made here.
    pub fn block(&self, hash: &BlockHash) -> Option<BlockEntry> {
        let known = self.blocks.get(hash)?;
        let in_best_chain = self.block_hash(known.height) == Some(*hash);
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

    /// What the lock rules need of the next block.
    pub fn next_block(&self) -> NextBlock {
        NextBlock { height: self.tip.height + 1, median_time: self.median_time_at(self.tip.height) }
    }

    /// The median time past with the best chain's block at a height as the tip.
    pub fn median_time_at(&self, height: u32) -> u32 {
        let known = self.block_hash(height).and_then(|hash| self.blocks.get(&hash));
        known.map_or(0, |known| known.median_time)
    }

    /// Mines one block at a time in Unix seconds, or just above the median time past if that is later.
    pub fn mine_at(&mut self, time_s: u64, reward: Option<&ScriptBuf>) -> Result<BlockHash, DevnetError> {
        let next = self.next_block();
        let time_s = time_s.max(u64::from(next.median_time) + 1);
        if time_s > now_s() + BLOCK_TIME_AHEAD_S_MAX {
            return Err(DevnetError::TimeTooNew);
        }
        let time = u32::try_from(time_s).map_err(|_| DevnetError::TimeTooNew)?;
        let selected = self.mempool.select();
        self.extra_nonce += 1;
        let block = build(Template {
            previous: self.tip.hash,
            height: next.height,
            time,
            extra_nonce: self.extra_nonce,
            reward_script: reward.unwrap_or(&self.wallet.script),
            fees_sat: selected.iter().map(|entry| entry.fee_sat).sum(),
            txs: selected.into_iter().map(|entry| entry.tx).collect(),
        });
        let hash = block.block_hash();
        let median_time = median_time(std::iter::once(time).chain(self.last_times()));
        self.below.push(self.tip.hash);
        self.connect(block, BlockId { height: next.height, hash, time }, median_time);
        Ok(hash)
    }

    /// The times of the last blocks, as many as the median needs, from the tip down.
    fn last_times(&self) -> impl Iterator<Item = u32> {
        let hashes = std::iter::once(&self.tip.hash).chain(self.below.iter().rev());
        hashes.take(MEDIAN_TIME_BLOCKS).filter_map(|hash| self.blocks.get(hash)).map(|known| known.block.header.time)
    }

    /// Makes a block the tip.
    fn connect(&mut self, block: Block, id: BlockId, median_time: u32) {
        let txids: Arc<[Txid]> = block.txdata.iter().map(Transaction::compute_txid).collect();
        for (tx, txid) in block.txdata.iter().zip(txids.iter()) {
            if !self.index.contains(txid) {
                self.index.insert(*txid, Arc::new(tx.clone()));
            }
            self.index.confirm(txid, id);
            self.mempool.remove(txid);
        }
        self.blocks.insert(id.hash, Known { block: Arc::new(block), txids, height: id.height, median_time });
        self.tip = id;
    }

    /// Pays a script from the wallet.
    pub fn fund(&mut self, script: ScriptBuf, amount_sat: u64) -> Result<Txid, DevnetError> {
        let outputs = self.index.script_outputs(&self.wallet.script_hash);
        let is_coinbase = |outpoint: &_| self.index.coin(outpoint).is_none_or(|coin| coin.is_coinbase);
        let tx = self.wallet.pay(script, amount_sat, &outputs, is_coinbase, self.next_block().height)?;
        Ok(self.broadcast(&tx)?)
    }

    /// Takes a block and all above it off the best chain; a stale one is off already.
    pub fn invalidate(&mut self, hash: &BlockHash) -> Result<BlockId, DevnetError> {
        let known = self.blocks.get(hash).ok_or(DevnetError::UnknownBlock(*hash))?;
        let height = known.height;
        if height == 0 {
            return Err(DevnetError::Invalid("the genesis block can't be invalidated: take a later one".to_owned()));
        }
        if self.block_hash(height) != Some(*hash) {
            return Ok(self.tip);
        }
        let waiting: Vec<_> = self.mempool.take().into_iter().map(|entry| (entry.txid, entry.tx)).collect();
        for (txid, _) in waiting.iter().rev() {
            self.index.remove(txid);
        }
        let mut returning = Vec::new();
        while self.tip.height >= height {
            let Some(previous) = self.below.pop() else { break };
            returning.extend(self.disconnect_tip(previous));
        }
        // From the lowest block up, then what waited: parents always come before their children.
        let returned = returning.into_iter().rev().chain(waiting.into_iter().map(|(_, tx)| tx));
        for tx in returned {
            // What became immature, not final, or lost its parent is dropped, as bitcoind drops it.
            if let Ok(entry) = self.check(&tx, Origin::Reorganisation) {
                self.admit(entry);
            }
        }
        Ok(self.tip)
    }

    /// Makes `previous` the tip again, and gives the old tip's transactions but the coinbase, the last one first.
    fn disconnect_tip(&mut self, previous: BlockHash) -> Vec<Arc<Transaction>> {
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
}
