//! The embedded chain: a regtest in memory, blocks and transactions checked as bitcoind checks them.
//!
//! | module | what it holds |
//! |---|---|
//! | `block` | making blocks |
//! | `index` | transactions by id, by output and by script; the unspent outputs |
//! | `mempool` | what waits for a block, and how long its chains may grow |
//! | `accept` | whether a transaction may wait for a block |
//! | `replace` | whether it may take the place of others there |
//! | `policy` | relay rules that need no chain |
//! | `locks` | nLockTime and relative locks |
//! | `verify` | scripts and signatures |
//! | `wallet` | the key that gets the rewards and funds others |
//!
//! What does not live here: HTTP, and how a transaction looks in JSON.

mod accept;
mod block;
mod index;
mod locks;
mod mempool;
mod policy;
mod replace;
mod state;
mod verify;
mod wallet;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bitcoin::{Address, BlockHash, OutPoint, Transaction, Txid, hashes::sha256};

use crate::{
    backend::{Backend, BlockEntry, BlockId, MempoolTx, ScriptOutput, ScriptTxs, Spend, TxEntry},
    error::{DevnetError, Rejection},
    limits::{FEE_ESTIMATE_SAT_PER_VB, FUND_AMOUNT_SAT_MAX, MINE_BLOCKS_MAX, PREMINED_BLOCKS_MAX},
};
use accept::Origin;
use state::State;

/// The confirmation targets of an estimate (electrs: `CONF_TARGETS`).
fn fee_targets() -> impl Iterator<Item = u16> {
    (1..=25).chain([144, 504, 1_008])
}

/// The embedded chain.
#[derive(Debug)]
pub struct Chain {
    state: RwLock<State>,
}

/// What a transaction would be in the mempool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Acceptable {
    /// The fee.
    pub fee_sat: u64,
    /// The virtual size in vB, with signature operations counted.
    pub vsize: u64,
}

impl Chain {
    /// A new chain: the regtest genesis block and `premined_blocks` above it, whose rewards are the wallet's.
    ///
    /// Fails with [`DevnetError::Invalid`] on more than [`PREMINED_BLOCKS_MAX`].
    pub fn new(premined_blocks: u32) -> Result<Self, DevnetError> {
        if premined_blocks > PREMINED_BLOCKS_MAX {
            let message = format!("premined_blocks must be 0 to {PREMINED_BLOCKS_MAX}, not {premined_blocks}");
            return Err(DevnetError::Invalid(message));
        }
        let mut state = State::new()?;
        let now = state::now_s();
        for left in (0..premined_blocks).rev() {
            // Their times end at the clock's, so that the median time past stands close behind it.
            state.mine_at(now.saturating_sub(u64::from(left)), None)?;
        }
        Ok(Self { state: RwLock::new(state) })
    }

    /// Whether a transaction may enter the mempool, as bitcoind's `testmempoolaccept` tells; it doesn't.
    pub fn test_accept(&self, tx: &Transaction) -> Result<Acceptable, Rejection> {
        let entry = self.read().check(tx, Origin::Broadcast)?;
        Ok(Acceptable { fee_sat: entry.fee_sat, vsize: entry.vsize })
    }

    // A panic can't leave a half-made change that matters: changes are made after all checks.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for Chain {
    fn tip(&self) -> Result<BlockId, DevnetError> {
        Ok(self.read().tip())
    }

    fn block_hash(&self, height: u32) -> Result<Option<BlockHash>, DevnetError> {
        Ok(self.read().block_hash(height))
    }

    fn block(&self, hash: &BlockHash) -> Result<Option<BlockEntry>, DevnetError> {
        Ok(self.read().block(hash))
    }

    fn tx(&self, txid: &Txid) -> Result<Option<TxEntry>, DevnetError> {
        Ok(self.read().index.tx(txid))
    }

    fn spend(&self, outpoint: &OutPoint) -> Result<Option<Spend>, DevnetError> {
        Ok(self.read().index.spend(outpoint))
    }

    fn script_txs(&self, script_hash: &sha256::Hash, which: ScriptTxs) -> Result<Vec<TxEntry>, DevnetError> {
        Ok(self.read().index.script_txs(script_hash, which))
    }

    fn script_outputs(&self, script_hash: &sha256::Hash) -> Result<Vec<ScriptOutput>, DevnetError> {
        Ok(self.read().index.script_outputs(script_hash))
    }

    fn mempool(&self) -> Result<Vec<MempoolTx>, DevnetError> {
        Ok(self.read().mempool.list())
    }

    fn fee_estimates(&self) -> Result<BTreeMap<u16, f64>, DevnetError> {
        Ok(fee_targets().map(|target| (target, FEE_ESTIMATE_SAT_PER_VB)).collect())
    }

    fn broadcast(&self, tx: Transaction) -> Result<Txid, DevnetError> {
        Ok(self.write().broadcast(&tx)?)
    }

    fn mine(&self, blocks: u32, reward: Option<&Address>) -> Result<Vec<BlockHash>, DevnetError> {
        if !(1..=MINE_BLOCKS_MAX).contains(&blocks) {
            return Err(DevnetError::Invalid(format!("blocks must be 1 to {MINE_BLOCKS_MAX}, not {blocks}")));
        }
        let script = reward.map(Address::script_pubkey);
        // The lock is taken for each block anew, so that readers come in between.
        (0..blocks).map(|_| self.write().mine_at(state::now_s(), script.as_ref())).collect()
    }

    fn fund(&self, address: &Address, amount_sat: u64) -> Result<Txid, DevnetError> {
        let script = address.script_pubkey();
        let least_sat = script.minimal_non_dust().to_sat();
        if !(least_sat..=FUND_AMOUNT_SAT_MAX).contains(&amount_sat) {
            let message = format!("amount_sat must be {least_sat} to {FUND_AMOUNT_SAT_MAX}, not {amount_sat}");
            return Err(DevnetError::Invalid(message));
        }
        self.write().fund(script, amount_sat)
    }

    fn invalidate(&self, hash: &BlockHash) -> Result<BlockId, DevnetError> {
        self.write().invalidate(hash)
    }
}
