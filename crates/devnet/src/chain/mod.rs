//! The embedded chain: a regtest in memory, blocks and transactions checked as bitcoind checks them.
//!
//! | module | what it holds |
//! |---|---|
//! | `block` | making blocks |
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
mod locks;
mod mempool;
mod policy;
mod replace;
mod state;
mod verify;
mod wallet;

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bitcoin::{Address, BlockHash, OutPoint, Transaction, Txid, hashes::sha256};

use crate::{
    backend::{Acceptable, Backend, BlockEntry, BlockId, MempoolTx, ScriptOutput, ScriptTxs, Spend, TxEntry},
    bounds,
    error::DevnetError,
    limits::PREMINED_BLOCKS_MAX,
};
use accept::Origin;
use state::State;

/// The embedded chain.
#[derive(Debug)]
pub struct Chain {
    state: RwLock<State>,
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
        Ok(self.read().ledger.tip())
    }

    fn block_hash(&self, height: u32) -> Result<Option<BlockHash>, DevnetError> {
        Ok(self.read().ledger.block_hash(height))
    }

    fn block(&self, hash: &BlockHash) -> Result<Option<BlockEntry>, DevnetError> {
        Ok(self.read().ledger.block(hash))
    }

    fn tx(&self, txid: &Txid) -> Result<Option<TxEntry>, DevnetError> {
        Ok(self.read().ledger.index.tx(txid))
    }

    fn spend(&self, outpoint: &OutPoint) -> Result<Option<Spend>, DevnetError> {
        Ok(self.read().ledger.index.spend(outpoint))
    }

    fn script_txs(&self, script_hash: &sha256::Hash, which: ScriptTxs) -> Result<Vec<TxEntry>, DevnetError> {
        Ok(self.read().ledger.index.script_txs(script_hash, which))
    }

    fn script_outputs(&self, script_hash: &sha256::Hash) -> Result<Vec<ScriptOutput>, DevnetError> {
        Ok(self.read().ledger.index.script_outputs(script_hash))
    }

    fn mempool(&self) -> Result<Vec<MempoolTx>, DevnetError> {
        Ok(self.read().mempool.list())
    }

    fn test_accept(&self, tx: &Transaction) -> Result<Acceptable, DevnetError> {
        let entry = self.read().check(tx, Origin::Broadcast)?;
        Ok(Acceptable { fee_sat: entry.fee_sat, vsize: entry.vsize })
    }

    fn broadcast(&self, tx: Transaction) -> Result<Txid, DevnetError> {
        Ok(self.write().broadcast(&tx)?)
    }

    fn mine(&self, blocks: u32, reward: Option<&Address>) -> Result<Vec<BlockHash>, DevnetError> {
        bounds::check_blocks(blocks)?;
        let script = reward.map(Address::script_pubkey);
        // The lock is taken for each block anew, so that readers come in between.
        (0..blocks).map(|_| self.write().mine_at(state::now_s(), script.as_ref())).collect()
    }

    fn fund(&self, address: &Address, amount_sat: u64) -> Result<Txid, DevnetError> {
        let script = address.script_pubkey();
        bounds::check_amount(&script, amount_sat)?;
        self.write().fund(script, amount_sat)
    }

    fn invalidate(&self, hash: &BlockHash) -> Result<BlockId, DevnetError> {
        self.write().invalidate(hash)
    }
}
