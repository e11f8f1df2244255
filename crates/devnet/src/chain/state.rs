//! The chain's state and its three changes: a block more, a payment from the wallet, blocks taken off.

use std::time::{SystemTime, UNIX_EPOCH};

use bitcoin::{BlockHash, ScriptBuf, Txid};

use crate::{
    backend::BlockId,
    bounds::check_not_genesis,
    chain::{
        accept::Origin,
        block::{Template, build},
        locks::NextBlock,
        mempool::Mempool,
        wallet::Wallet,
    },
    error::DevnetError,
    ledger::Ledger,
    limits::BLOCK_TIME_AHEAD_S_MAX,
};

/// Blocks, transactions and the wallet, all in memory.
#[derive(Debug)]
pub struct State {
    /// The blocks, and the transactions of the best chain and of the mempool.
    pub ledger: Ledger,
    /// What waits for a block.
    pub mempool: Mempool,
    /// Counts the blocks made, so that no two coinbases are alike.
    extra_nonce: u64,
    wallet: Wallet,
}

/// The clock: Unix time in seconds.
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

impl State {
    /// The genesis block of regtest alone.
    pub fn new() -> Result<Self, DevnetError> {
        Ok(Self { ledger: Ledger::new(), mempool: Mempool::default(), extra_nonce: 0, wallet: Wallet::new()? })
    }

    /// What the lock rules need of the next block.
    pub fn next_block(&self) -> NextBlock {
        let height = self.ledger.tip().height;
        NextBlock { height: height + 1, median_time: self.ledger.median_time_at(height) }
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
            previous: self.ledger.tip().hash,
            height: next.height,
            time,
            extra_nonce: self.extra_nonce,
            reward_script: reward.unwrap_or(&self.wallet.script),
            fees_sat: selected.iter().map(|entry| entry.fee_sat).sum(),
            txs: selected.into_iter().map(|entry| entry.tx).collect(),
        });
        for txid in self.ledger.connect(block).iter() {
            self.mempool.remove(txid);
        }
        Ok(self.ledger.tip().hash)
    }

    /// Pays a script from the wallet.
    pub fn fund(&mut self, script: ScriptBuf, amount_sat: u64) -> Result<Txid, DevnetError> {
        let index = &self.ledger.index;
        let outputs = index.script_outputs(&self.wallet.script_hash);
        let is_coinbase = |outpoint: &_| index.coin(outpoint).is_none_or(|coin| coin.is_coinbase);
        let tx = self.wallet.pay(script, amount_sat, &outputs, is_coinbase, self.next_block().height)?;
        Ok(self.broadcast(&tx)?)
    }

    /// Takes a block and all above it off the best chain; a stale one is off already.
    pub fn invalidate(&mut self, hash: &BlockHash) -> Result<BlockId, DevnetError> {
        let known = self.ledger.block(hash).ok_or(DevnetError::UnknownBlock(*hash))?;
        check_not_genesis(known.height)?;
        if !known.in_best_chain {
            return Ok(self.ledger.tip());
        }
        let waiting: Vec<_> = self.mempool.take().into_iter().map(|entry| (entry.txid, entry.tx)).collect();
        for (txid, _) in waiting.iter().rev() {
            self.ledger.index.remove(txid);
        }
        let mut returning = Vec::new();
        while self.ledger.tip().height >= known.height {
            returning.extend(self.ledger.disconnect());
        }
        // From the lowest block up, then what waited: parents always come before their children.
        let returned = returning.into_iter().rev().chain(waiting.into_iter().map(|(_, tx)| tx));
        for tx in returned {
            // What became immature, not final, or lost its parent is dropped, as bitcoind drops it.
            if let Ok(entry) = self.check(&tx, Origin::Reorganisation) {
                self.admit(entry);
            }
        }
        Ok(self.ledger.tip())
    }
}
