//! The embedded chain with a real bitcoind at its side, which gets the same blocks and transactions and must say the same:
//! `submitblock` and `testmempoolaccept` take what the embedded chain makes and takes, and refuse in the same words.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use bitcoin::{Address, BlockHash, OutPoint, Transaction, Txid, consensus::encode::serialize_hex, hashes::sha256};
use boltgram_devnet::{
    Backend, Bitcoind, Chain, DevnetError, Rejection,
    backend::{Acceptable, BlockEntry, BlockId, MempoolTx, ScriptOutput, ScriptTxs, Spend, TxEntry},
};
use serde_json::{Value, json};

/// How many blocks bitcoind has taken by `submitblock`.
pub static BLOCKS: AtomicUsize = AtomicUsize::new(0);
/// How many transactions it has taken by `testmempoolaccept` and `sendrawtransaction`.
pub static TAKEN: AtomicUsize = AtomicUsize::new(0);
/// How many it has refused in the same words.
pub static REFUSED: AtomicUsize = AtomicUsize::new(0);

/// Both chains.
pub struct Shadow {
    chain: Chain,
    bitcoind: Bitcoind,
    /// Held while both change, so that they do so in the same order.
    changing: Mutex<()>,
}

impl Shadow {
    /// A new chain, whose blocks bitcoind gets.
    pub fn new(blocks: u32, bitcoind: Bitcoind) -> Self {
        let shadow = Self { chain: Chain::new(blocks).unwrap(), bitcoind, changing: Mutex::new(()) };
        for height in 1..=blocks {
            shadow.submit(&shadow.chain.block_hash(height).unwrap().unwrap());
        }
        shadow.compare().unwrap();
        shadow
    }

    fn submit(&self, hash: &BlockHash) {
        let block = self.chain.block(hash).unwrap().unwrap().block;
        let answer: Value = self.bitcoind.rpc().call("submitblock", json!([serialize_hex(&*block)])).unwrap();
        assert_eq!(answer, Value::Null, "bitcoind refuses a block of the embedded chain");
        BLOCKS.fetch_add(1, Relaxed);
    }

    /// Both have the same tip and the same mempool.
    fn compare(&self) -> Result<(), DevnetError> {
        self.bitcoind.refresh()?;
        assert_eq!(self.chain.tip().unwrap(), self.bitcoind.tip().unwrap(), "the tips");
        let of = |chain: &dyn Backend| -> BTreeSet<(Txid, u64, u64, u64)> {
            let txs = chain.mempool().unwrap().into_iter();
            txs.map(|tx| (tx.txid, tx.fee_sat, tx.vsize, tx.value_sat)).collect()
        };
        assert_eq!(of(&self.chain), of(&self.bitcoind), "the mempools");
        Ok(())
    }
}

/// A rejection in the words of Bitcoin Core: Bitcoin Knots has one for each kind of input that isn't standard.
pub fn core_words(mut rejection: Rejection) -> Rejection {
    for (knots, core) in KNOTS_WORDS {
        if rejection.reason.starts_with(knots) && rejection.reason != *core {
            rejection = Rejection::new(rejection.code, *core);
        }
    }
    rejection
}

/// How Bitcoin Knots' words begin where Bitcoin Core has but one.
const KNOTS_WORDS: &[(&str, &str)] =
    &[("bad-witness-", "bad-witness-nonstandard"), ("bad-txns-input-", "bad-txns-nonstandard-inputs")];

/// What was answered, without the parts that only one of them has.
fn told<T>(answer: &Result<T, DevnetError>) -> Result<&T, String> {
    match answer {
        Ok(value) => Ok(value),
        Err(DevnetError::Rejected(rejection)) => {
            let rejection = core_words(rejection.clone());
            Err(format!("{} {rejection}", rejection.code))
        }
        Err(error) => Err(error.to_string()),
    }
}

impl Backend for Shadow {
    fn tip(&self) -> Result<BlockId, DevnetError> {
        self.chain.tip()
    }

    fn block_hash(&self, height: u32) -> Result<Option<BlockHash>, DevnetError> {
        self.chain.block_hash(height)
    }

    fn block(&self, hash: &BlockHash) -> Result<Option<BlockEntry>, DevnetError> {
        self.chain.block(hash)
    }

    fn tx(&self, txid: &Txid) -> Result<Option<TxEntry>, DevnetError> {
        self.chain.tx(txid)
    }

    fn spend(&self, outpoint: &OutPoint) -> Result<Option<Spend>, DevnetError> {
        self.chain.spend(outpoint)
    }

    fn script_txs(&self, script_hash: &sha256::Hash, which: ScriptTxs) -> Result<Vec<TxEntry>, DevnetError> {
        self.chain.script_txs(script_hash, which)
    }

    fn script_outputs(&self, script_hash: &sha256::Hash) -> Result<Vec<ScriptOutput>, DevnetError> {
        self.chain.script_outputs(script_hash)
    }

    fn mempool(&self) -> Result<Vec<MempoolTx>, DevnetError> {
        self.chain.mempool()
    }

    fn test_accept(&self, tx: &Transaction) -> Result<Acceptable, DevnetError> {
        let (own, other) = (self.chain.test_accept(tx), self.bitcoind.test_accept(tx));
        match (&own, &other) {
            (Err(DevnetError::Rejected(own)), Err(DevnetError::Rejected(other))) => {
                let words = match own.reason.as_str() {
                    "bad-txns-inputs-missingorspent" => "missing-inputs",
                    reason => reason,
                };
                assert_eq!(words, core_words(other.clone()).reason, "{own}");
            }
            _ => assert_eq!(told(&own), told(&other)),
        }
        own
    }

    fn broadcast(&self, tx: Transaction) -> Result<Txid, DevnetError> {
        let _changing = self.changing.lock().unwrap();
        let was_known = self.chain.tx(&tx.compute_txid())?.is_some();
        if !was_known {
            self.test_accept(&tx).ok();
        }
        let (own, other) = (self.chain.broadcast(tx.clone()), self.bitcoind.broadcast(tx));
        assert_eq!(told(&own), told(&other));
        if own.is_ok() { &TAKEN } else { &REFUSED }.fetch_add(1, Relaxed);
        self.compare()?;
        own
    }

    fn mine(&self, blocks: u32, reward: Option<&Address>) -> Result<Vec<BlockHash>, DevnetError> {
        let _changing = self.changing.lock().unwrap();
        let hashes = self.chain.mine(blocks, reward)?;
        hashes.iter().for_each(|hash| self.submit(hash));
        self.compare()?;
        Ok(hashes)
    }

    fn fund(&self, address: &Address, amount_sat: u64) -> Result<Txid, DevnetError> {
        let _changing = self.changing.lock().unwrap();
        let txid = self.chain.fund(address, amount_sat)?;
        let tx = self.chain.tx(&txid)?.unwrap().tx;
        self.bitcoind.test_accept(&tx).unwrap();
        self.bitcoind.broadcast(tx.as_ref().clone()).unwrap();
        TAKEN.fetch_add(1, Relaxed);
        self.compare()?;
        Ok(txid)
    }

    fn invalidate(&self, hash: &BlockHash) -> Result<BlockId, DevnetError> {
        let _changing = self.changing.lock().unwrap();
        let own = self.chain.invalidate(hash);
        if self.chain.block(hash)?.is_some() {
            let other = self.bitcoind.invalidate(hash);
            assert_eq!(told(&own), told(&other));
            self.compare()?;
        }
        own
    }
}
