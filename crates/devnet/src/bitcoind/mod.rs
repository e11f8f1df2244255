//! A real bitcoind behind the same API: a regtest whose best chain and mempool are held in memory too, and looked at anew
//! before each answer.
//!
//! | module | what it holds |
//! |---|---|
//! | `rpc` | JSON-RPC calls |
//! | `sync` | what bitcoind has now |
//! | `view` | what is known of it |
//! | `wallet` | the wallet in bitcoind that gets the rewards and funds others |
//! | `process` | a bitcoind of one's own |
//!
//! Nothing is kept on disk: after a start all is read again. bitcoind may go away and come back, with another chain too:
//! calls fail meanwhile, and nothing but a new look is needed afterwards.

mod process;
pub mod rpc;
mod sync;
mod view;
mod wallet;

use std::{
    sync::{Mutex, PoisonError, RwLock, RwLockReadGuard},
    time::{SystemTime, UNIX_EPOCH},
};

use bitcoin::{
    Address, Amount, Block, BlockHash, Network, OutPoint, Transaction, Txid, consensus::encode::serialize_hex,
    constants::genesis_block, hashes::sha256,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    backend::{Acceptable, Backend, BlockEntry, BlockId, MempoolTx, ScriptOutput, ScriptTxs, Spend, TxEntry},
    bounds,
    error::{DevnetError, Rejection},
    limits::{BITCOIND_VERSION_MIN, MINE_TIMES_MAX, REFRESH_TRIES_MAX, RPC_MINE_BLOCKS_MAX},
};
pub use process::{BitcoindProcess, PROGRAM_VARIABLE, free_port};
pub use rpc::BitcoindLogin;
use rpc::{Rpc, RpcError, code};
use sync::{ChainInfo, Look};
use view::View;

/// How a bitcoind is reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BitcoindConfig {
    /// Its RPC interface, such as `http://127.0.0.1:18443`.
    pub url: String,
    /// What proves who asks.
    pub login: BitcoindLogin,
}

/// A chain that a bitcoind keeps.
pub struct Bitcoind {
    rpc: Rpc,
    /// Held while bitcoind is looked at, so that no older look overtakes a newer one.
    looking: Mutex<()>,
    view: RwLock<View>,
}

/// What `getnetworkinfo` tells, in part.
#[derive(Deserialize)]
struct NetworkInfo {
    version: u32,
    subversion: String,
}

/// What `getblockheader` tells, in part.
#[derive(Deserialize)]
struct HeaderInfo {
    height: u32,
    mediantime: u32,
}

/// What `testmempoolaccept` tells of one transaction, in part.
#[derive(Deserialize)]
struct TestAccept {
    allowed: bool,
    vsize: Option<u64>,
    fees: Option<Fees>,
    #[serde(rename = "reject-reason")]
    reject_reason: Option<String>,
}

#[derive(Deserialize)]
struct Fees {
    /// In BTC.
    base: f64,
}

impl Bitcoind {
    /// Reaches a running bitcoind and reads its whole chain. One that is starting is waited for.
    ///
    /// Fails with [`DevnetError::Backend`] when it doesn't answer, refuses who asks, isn't a regtest, is pruned or too
    /// old, and with [`DevnetError::Invalid`] on a wrong URL.
    pub fn connect(config: &BitcoindConfig) -> Result<Self, DevnetError> {
        Self::connect_when_ready(config, || Ok(false))
    }

    /// The same with one that may not listen yet: `may_start` says whether that is so.
    fn connect_when_ready(
        config: &BitcoindConfig,
        may_start: impl Fn() -> Result<bool, DevnetError>,
    ) -> Result<Self, DevnetError> {
        let rpc = Rpc::new(&config.url, config.login.clone())?;
        rpc.call_when_ready::<ChainInfo>("getblockchaininfo", may_start)?.check()?;
        let NetworkInfo { version, subversion } = rpc.call("getnetworkinfo", json!([]))?;
        if version < BITCOIND_VERSION_MIN {
            let message = format!("bitcoind is too old ({subversion}): version 28 or a later one is needed");
            return Err(DevnetError::Backend(message));
        }
        let bitcoind = Self { rpc, looking: Mutex::new(()), view: RwLock::new(View::new()) };
        bitcoind.refresh()?;
        let height = bitcoind.read().ledger.tip().height;
        tracing::info!(url = config.url, subversion, height, "bitcoind is read");
        Ok(bitcoind)
    }

    /// Mines until the chain has so many blocks above the genesis block. Fails like [`Backend::mine`].
    pub fn premine(&self, blocks: u32) -> Result<(), DevnetError> {
        let height = self.tip()?.height;
        if height < blocks { self.mine(blocks - height, None).map(|_| ()) } else { Ok(()) }
    }

    /// Its RPC interface, for what this doesn't do.
    pub fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    // A panic can't leave a half-made change that matters: all is fetched before anything changes.
    fn read(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block that never was on the best chain while this looked.
    fn other_block(&self, hash: &BlockHash) -> Result<Option<BlockEntry>, DevnetError> {
        let calls = [("getblockheader", json!([hash])), ("getblock", json!([hash, 0]))];
        let mut answers = self.rpc.batch(&calls)?.into_iter();
        let (Some(Ok(header)), Some(Ok(block))) = (answers.next(), answers.next()) else {
            // Unknown, or a header without its block.
            return Ok(None);
        };
        let HeaderInfo { height, mediantime } = rpc::read(header, "getblockheader")?;
        let block: Block = rpc::read_hex(block, "getblock")?;
        Ok(Some(BlockEntry {
            hash: *hash,
            txids: block.txdata.iter().map(Transaction::compute_txid).collect(),
            block: block.into(),
            height,
            median_time: mediantime,
            in_best_chain: false,
            next_best: None,
        }))
    }

    fn generate(&self, blocks: u32, address: &Address) -> Result<Vec<BlockHash>, DevnetError> {
        let mine = || self.rpc.call("generatetoaddress", json!([blocks, address.to_string()]));
        match mine() {
            Err(RpcError::Refused { message, .. }) if message.contains("not accepted") => {
                self.generate_later(address, blocks)
            }
            Err(RpcError::Refused { message, .. }) if message.contains("time-too-new") => Err(DevnetError::TimeTooNew),
            result => Ok(result?),
        }
    }

    /// Mines with bitcoind's clock put forward for the first block. What was to be mined is, to the byte, a block that
    /// was invalidated: the same transactions and reward in the same second.
    fn generate_later(&self, address: &Address, blocks: u32) -> Result<Vec<BlockHash>, DevnetError> {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let tip = self.read().ledger.tip();
        let from_s = now_s.max(u64::from(self.read().ledger.median_time_at(tip.height))) + 1;
        let mut first = Vec::new();
        for ahead_s in 0..u64::from(MINE_TIMES_MAX) {
            self.rpc.call::<Value>("setmocktime", json!([from_s + ahead_s]))?;
            let mined = self.rpc.call("generatetoaddress", json!([1, address.to_string()]));
            self.rpc.call::<Value>("setmocktime", json!([0]))?;
            match mined {
                Err(RpcError::Refused { message, .. }) if message.contains("not accepted") => {}
                mined => {
                    first = mined?;
                    break;
                }
            }
        }
        if first.is_empty() {
            return Err(DevnetError::Backend(
                "bitcoind makes only blocks that were invalidated: mine to another address".to_owned(),
            ));
        }
        if blocks > 1 {
            first.extend(self.generate(blocks - 1, address)?);
        }
        Ok(first)
    }
}

impl Backend for Bitcoind {
    fn refresh(&self) -> Result<(), DevnetError> {
        let _looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..REFRESH_TRIES_MAX {
            let look = sync::look(&self.rpc, &self.read())?;
            match look {
                Look::Same => return Ok(()),
                Look::Changed(change) => {
                    self.view.write().unwrap_or_else(PoisonError::into_inner).apply(change);
                    return Ok(());
                }
                Look::Again => {}
            }
        }
        Err(DevnetError::Backend("bitcoind's chain changes faster than it can be read: ask again".to_owned()))
    }

    fn tip(&self) -> Result<BlockId, DevnetError> {
        Ok(self.read().ledger.tip())
    }

    fn block_hash(&self, height: u32) -> Result<Option<BlockHash>, DevnetError> {
        Ok(self.read().ledger.block_hash(height))
    }

    fn block(&self, hash: &BlockHash) -> Result<Option<BlockEntry>, DevnetError> {
        let known = self.read().ledger.block(hash);
        known.map_or_else(|| self.other_block(hash), |entry| Ok(Some(entry)))
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
        Ok(self.read().mempool())
    }

    fn test_accept(&self, tx: &Transaction) -> Result<Acceptable, DevnetError> {
        // No limit on the fee rate: that is the broadcast's.
        let tested: Vec<TestAccept> = self.rpc.call("testmempoolaccept", json!([[serialize_hex(tx)], 0]))?;
        match tested.into_iter().next() {
            Some(TestAccept { allowed: true, vsize: Some(vsize), fees: Some(fees), .. }) => {
                let fee_sat = Amount::from_btc(fees.base).map_or(0, Amount::to_sat);
                Ok(Acceptable { fee_sat, vsize })
            }
            Some(TestAccept { reject_reason: Some(reason), .. }) => Err(Rejection::refused(reason).into()),
            _ => Err(DevnetError::Backend("bitcoind doesn't tell whether it takes a transaction".to_owned())),
        }
    }

    fn broadcast(&self, tx: Transaction) -> Result<Txid, DevnetError> {
        let sent = self.rpc.call("sendrawtransaction", json!([serialize_hex(&tx)]));
        let txid = sent.map_err(rejected)?;
        self.refresh()?;
        Ok(txid)
    }

    fn mine(&self, blocks: u32, reward: Option<&Address>) -> Result<Vec<BlockHash>, DevnetError> {
        bounds::check_blocks(blocks)?;
        let address = reward.cloned().map_or_else(|| wallet::new_address(&self.rpc), Ok)?;
        let mut hashes = Vec::new();
        let mut left = blocks;
        while left > 0 {
            let part = left.min(RPC_MINE_BLOCKS_MAX);
            hashes.extend(self.generate(part, &address)?);
            left -= part;
        }
        self.refresh()?;
        Ok(hashes)
    }

    fn fund(&self, address: &Address, amount_sat: u64) -> Result<Txid, DevnetError> {
        bounds::check_amount(&address.script_pubkey(), amount_sat)?;
        let txid = wallet::pay(&self.rpc, address, amount_sat)?;
        self.refresh()?;
        if !self.read().ledger.index.contains(&txid) {
            let message =
                format!("bitcoind's wallet made {txid}, and its mempool doesn't take it: mine a block, then ask again");
            return Err(DevnetError::Backend(message));
        }
        Ok(txid)
    }

    fn invalidate(&self, hash: &BlockHash) -> Result<BlockId, DevnetError> {
        if *hash == genesis_block(Network::Regtest).block_hash() {
            bounds::check_not_genesis(0)?;
        }
        match self.rpc.call::<Value>("invalidateblock", json!([hash])) {
            Err(RpcError::Refused { code: code::NOT_FOUND, .. }) => return Err(DevnetError::UnknownBlock(*hash)),
            result => result?,
        };
        self.refresh()?;
        self.tip()
    }
}

/// A refused broadcast in bitcoind's words: the reason, and behind a comma what belongs to it.
fn rejected(error: RpcError) -> DevnetError {
    match error {
        RpcError::Refused { code: code @ Rejection::CODE_REFUSED, message } => {
            let (reason, detail) = message.split_once(", ").unwrap_or((&message, ""));
            Rejection::new(code, reason).with(detail).into()
        }
        RpcError::Refused {
            code: code @ (Rejection::CODE_NOT_DECODABLE | Rejection::CODE_FAILED | Rejection::CODE_CONFIRMED),
            message,
        } => Rejection::new(code, message).into(),
        error => error.into(),
    }
}
