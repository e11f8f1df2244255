//! The seam between the HTTP API and a chain: one small trait, and the types that pass through it.
//!
//! Calls may block (a backend may sit behind RPC), so the HTTP layer makes them off its async threads. Each answer is
//! consistent in itself; two answers may have a new block between them.

use std::{collections::BTreeMap, sync::Arc};

use bitcoin::{Address, Block, BlockHash, OutPoint, Transaction, TxOut, Txid, hashes::sha256};

use crate::{error::DevnetError, limits::FEE_ESTIMATE_SAT_PER_VB};

/// A block of the best chain, as transactions refer to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockId {
    /// The height; the genesis block has 0.
    pub height: u32,
    /// The hash.
    pub hash: BlockHash,
    /// The header's time: Unix time in seconds.
    pub time: u32,
}

/// A block that is known, in the best chain or stale.
#[derive(Clone, Debug)]
pub struct BlockEntry {
    /// The hash.
    pub hash: BlockHash,
    /// The block.
    pub block: Arc<Block>,
    /// The ids of its transactions, in their order.
    pub txids: Arc<[Txid]>,
    /// The height.
    pub height: u32,
    /// The median time past with this block as the tip: Unix time in seconds (BIP 113).
    pub median_time: u32,
    /// Whether it is part of the best chain.
    pub in_best_chain: bool,
    /// The block after it in the best chain, if it is part of that chain and not the tip.
    pub next_best: Option<BlockHash>,
}

/// A transaction in the best chain or in the mempool.
#[derive(Clone, Debug)]
pub struct TxEntry {
    /// The id.
    pub txid: Txid,
    /// The transaction.
    pub tx: Arc<Transaction>,
    /// The output that each input spends, in the order of the inputs; `None` for a coinbase.
    pub prevouts: Vec<Option<TxOut>>,
    /// The block that holds it; `None` in the mempool.
    pub confirmation: Option<BlockId>,
}

/// What spends an output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spend {
    /// The spending transaction.
    pub txid: Txid,
    /// The index of the spending input.
    pub vin: u32,
    /// The block that holds the spending transaction; `None` in the mempool.
    pub confirmation: Option<BlockId>,
}

/// An output that pays a script.
#[derive(Clone, Copy, Debug)]
pub struct ScriptOutput {
    /// Where it stands.
    pub outpoint: OutPoint,
    /// What it holds.
    pub value_sat: u64,
    /// The block that holds its transaction; `None` in the mempool.
    pub confirmation: Option<BlockId>,
    /// What spends it, if anything.
    pub spend: Option<Spend>,
}

/// Which transactions of a script are asked for.
#[derive(Clone, Copy, Debug)]
pub enum ScriptTxs {
    /// The first page: unconfirmed ones, then confirmed ones, newest first.
    All,
    /// A page of confirmed ones, newest first, after this one if given.
    Chain(Option<Txid>),
    /// The unconfirmed ones alone.
    Mempool,
}

/// A transaction in the mempool.
#[derive(Clone, Copy, Debug)]
pub struct MempoolTx {
    /// The id.
    pub txid: Txid,
    /// The fee.
    pub fee_sat: u64,
    /// The virtual size in vB, with signature operations counted.
    pub vsize: u64,
    /// The sum of its inputs (electrs calls it `value` in `/mempool/recent`).
    pub value_sat: u64,
}

/// What a transaction would be in the mempool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Acceptable {
    /// The fee.
    pub fee_sat: u64,
    /// The virtual size in vB, with signature operations counted.
    pub vsize: u64,
}

/// The confirmation targets of an estimate (electrs: `CONF_TARGETS`).
fn fee_targets() -> impl Iterator<Item = u16> {
    (1..=25).chain([144, 504, 1_008])
}

/// A chain with a mempool and a wallet of its own.
///
/// Every call fails with [`DevnetError::Backend`] when the chain can't be reached. What a change made by a call of
/// this trait shows at once; what others change shows after the next [`Backend::refresh`].
pub trait Backend: Send + Sync {
    /// Learns what has changed since the last call, where others can change the chain too. Whoever answers from a
    /// backend makes this call first.
    fn refresh(&self) -> Result<(), DevnetError> {
        Ok(())
    }

    /// The tip of the best chain.
    fn tip(&self) -> Result<BlockId, DevnetError>;

    /// The hash of the best chain's block at a height, or `None` above the tip.
    fn block_hash(&self, height: u32) -> Result<Option<BlockHash>, DevnetError>;

    /// A block, stale ones too, or `None` when it was never seen.
    fn block(&self, hash: &BlockHash) -> Result<Option<BlockEntry>, DevnetError>;

    /// A transaction of the best chain or of the mempool.
    fn tx(&self, txid: &Txid) -> Result<Option<TxEntry>, DevnetError>;

    /// What spends an output, if anything does.
    fn spend(&self, outpoint: &OutPoint) -> Result<Option<Spend>, DevnetError>;

    /// A page of the transactions that pay or spend a script, by the SHA-256 of the script.
    fn script_txs(&self, script_hash: &sha256::Hash, which: ScriptTxs) -> Result<Vec<TxEntry>, DevnetError>;

    /// Every output that pays a script, by the SHA-256 of the script.
    fn script_outputs(&self, script_hash: &sha256::Hash) -> Result<Vec<ScriptOutput>, DevnetError>;

    /// The mempool, in the order of arrival.
    fn mempool(&self) -> Result<Vec<MempoolTx>, DevnetError>;

    /// Fee rates in sat/vB by confirmation target in blocks: one fixed rate, since a private regtest has no market.
    fn fee_estimates(&self) -> Result<BTreeMap<u16, f64>, DevnetError> {
        Ok(fee_targets().map(|target| (target, FEE_ESTIMATE_SAT_PER_VB)).collect())
    }

    /// Whether a transaction may enter the mempool, as bitcoind's `testmempoolaccept` tells; it doesn't. Fails with
    /// [`DevnetError::Rejected`].
    fn test_accept(&self, tx: &Transaction) -> Result<Acceptable, DevnetError>;

    /// Takes a transaction into the mempool, as bitcoind's `sendrawtransaction` does: one that is there already is
    /// answered like a new one. Fails with [`DevnetError::Rejected`].
    fn broadcast(&self, tx: Transaction) -> Result<Txid, DevnetError>;

    /// Mines blocks on the tip, paying `reward` or the wallet, and gives their hashes. Fails with
    /// [`DevnetError::Invalid`] on a number out of bounds, and with [`DevnetError::TimeTooNew`].
    fn mine(&self, blocks: u32, reward: Option<&Address>) -> Result<Vec<BlockHash>, DevnetError>;

    /// Pays an address from the wallet. The transaction waits in the mempool for a block. Fails with
    /// [`DevnetError::Invalid`], [`DevnetError::InsufficientFunds`] or [`DevnetError::Rejected`].
    fn fund(&self, address: &Address, amount_sat: u64) -> Result<Txid, DevnetError>;

    /// Takes a block and all above it out of the best chain for good, and gives the new tip. Their transactions go
    /// back to the mempool where they are still valid. Fails with [`DevnetError::UnknownBlock`], and with
    /// [`DevnetError::Invalid`] for the genesis block.
    fn invalidate(&self, hash: &BlockHash) -> Result<BlockId, DevnetError>;
}
