//! What bitcoind has now: tip, new blocks and mempool, fetched so that they belong to one moment.

use std::collections::HashMap;

use bitcoin::{Block, BlockHash, Txid};
use serde::Deserialize;
use serde_json::json;

use crate::{
    bitcoind::{
        rpc::{self, Rpc, RpcError},
        view::{Change, View, Waiting},
    },
    error::DevnetError,
    limits::{INDEXED_BLOCKS_MAX, RPC_BATCH_TXS},
};

/// What `getblockchaininfo` tells, in part.
#[derive(Deserialize)]
pub struct ChainInfo {
    chain: String,
    pruned: bool,
    #[serde(rename = "bestblockhash")]
    best: BlockHash,
}

impl ChainInfo {
    /// Checks that it is a regtest with all its blocks.
    pub fn check(&self) -> Result<(), DevnetError> {
        if self.chain != "regtest" {
            let chain = &self.chain;
            let message = format!("bitcoind runs on the network {chain}, not on regtest: start it with -regtest");
            return Err(DevnetError::Backend(message));
        }
        if self.pruned {
            let message =
                "bitcoind has pruned its blocks, and all are needed: start it without -prune, in a new folder";
            return Err(DevnetError::Backend(message.to_owned()));
        }
        Ok(())
    }
}

/// What has changed, or that nothing has.
pub enum Look {
    /// The view is what bitcoind has.
    Same,
    /// This is new.
    Changed(Change),
    /// Something changed while it was fetched: look again.
    Again,
}

/// Looks at bitcoind.
pub fn look(rpc: &Rpc, view: &View) -> Result<Look, DevnetError> {
    // The calls of a batch are made one after the other: with the same tip before and after, the mempool belongs to it.
    let calls = [("getblockchaininfo", json!([])), ("getrawmempool", json!([])), ("getbestblockhash", json!([]))];
    let mut answers = rpc.batch(&calls)?.into_iter();
    let mut next = || answers.next().unwrap_or(Ok(serde_json::Value::Null));
    let info: ChainInfo = rpc::read(next()?, "getblockchaininfo")?;
    let mempool: Vec<Txid> = rpc::read(next()?, "getrawmempool")?;
    let best: BlockHash = rpc::read(next()?, "getbestblockhash")?;
    info.check()?;
    if info.best != best {
        return Ok(Look::Again);
    }
    if view.is_current(&best, &mempool) {
        return Ok(Look::Same);
    }
    let Some((fork, blocks)) = again_if_refused(new_blocks(rpc, view, best)?) else { return Ok(Look::Again) };
    let Some(new) = again_if_refused(new_txs(rpc, view, &mempool)?) else { return Ok(Look::Again) };
    Ok(Look::Changed(Change { fork, blocks, mempool, new }))
}

/// A block or transaction that was there a moment ago may be gone: bitcoind refuses to show it.
fn again_if_refused<T>(result: Result<T, RpcError>) -> Option<T> {
    result.inspect_err(|error| tracing::debug!(%error, "bitcoind changed while it was read")).ok()
}

type Fetched<T> = Result<Result<T, RpcError>, DevnetError>;

/// Tells what bitcoind refused from what makes it useless to go on.
fn refused<T>(error: RpcError) -> Fetched<T> {
    match error.code() {
        Some(_) => Ok(Err(error)),
        None => Err(error.into()),
    }
}

/// The blocks from the best one down to one of the view's best chain, which is given too; the lowest first.
fn new_blocks(rpc: &Rpc, view: &View, best: BlockHash) -> Fetched<(BlockHash, Vec<Block>)> {
    let (mut hash, mut blocks) = (best, Vec::new());
    while !view.ledger.is_best(&hash) {
        if blocks.len() >= INDEXED_BLOCKS_MAX {
            let message = format!("bitcoind's chain has more than {INDEXED_BLOCKS_MAX} blocks: take a new regtest");
            return Err(DevnetError::Backend(message));
        }
        let block: Block = match rpc.call("getblock", json!([hash, 0])) {
            Ok(block) => rpc::read_hex(block, "getblock")?,
            Err(error) => return refused(error),
        };
        hash = block.header.prev_blockhash;
        blocks.push(block);
    }
    blocks.reverse();
    Ok(Ok((hash, blocks)))
}

/// What `getmempoolentry` tells, in part.
#[derive(Deserialize)]
struct MempoolEntry {
    vsize: u64,
}

/// The transactions of the mempool that the view doesn't have there.
fn new_txs(rpc: &Rpc, view: &View, mempool: &[Txid]) -> Fetched<HashMap<Txid, Waiting>> {
    let txids: Vec<&Txid> = mempool.iter().filter(|txid| !view.is_waiting(txid)).collect();
    let mut new = HashMap::new();
    for txids in txids.chunks(RPC_BATCH_TXS) {
        let calls: Vec<_> = txids
            .iter()
            .flat_map(|txid| [("getrawtransaction", json!([txid])), ("getmempoolentry", json!([txid]))])
            .collect();
        let mut answers = rpc.batch(&calls)?.into_iter();
        for txid in txids {
            let (tx, entry) = match (answers.next(), answers.next()) {
                (Some(Ok(tx)), Some(Ok(entry))) => (tx, entry),
                (Some(Err(error)), _) | (_, Some(Err(error))) => return refused(error),
                _ => return Err(DevnetError::Backend("bitcoind answers fewer calls than were made".to_owned())),
            };
            let tx: bitcoin::Transaction = rpc::read_hex(tx, "getrawtransaction")?;
            let MempoolEntry { vsize } = rpc::read(entry, "getmempoolentry")?;
            new.insert(**txid, Waiting { tx: tx.into(), vsize });
        }
    }
    Ok(Ok(new))
}
