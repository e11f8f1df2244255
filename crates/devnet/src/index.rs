//! What is known of transactions: by id, by the outputs that they spend, and by the scripts that they touch.
//!
//! It holds the best chain's transactions and the mempool's alike, and is thereby the set of unspent outputs too: an
//! output is a coin while its transaction is here and no transaction here spends it. Which blocks and transactions are
//! valid is decided elsewhere.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use bitcoin::{
    OutPoint, Script, Transaction, TxOut, Txid,
    hashes::{Hash, sha256},
};

use crate::{
    backend::{BlockId, ScriptOutput, ScriptTxs, Spend, TxEntry},
    limits::{PAGE_CHAIN_TXS, PAGE_MEMPOOL_TXS},
};

/// An output that a transaction may spend, with what the lock and maturity rules need of it.
#[derive(Clone, Debug)]
pub struct Coin {
    /// The output.
    pub output: TxOut,
    /// The height of its block; `None` in the mempool.
    pub height: Option<u32>,
    /// Whether a coinbase made it.
    pub is_coinbase: bool,
}

#[derive(Debug)]
struct Record {
    tx: Arc<Transaction>,
    confirmation: Option<BlockId>,
    /// The hashes of the scripts that it pays or spends, each once.
    scripts: Vec<sha256::Hash>,
}

/// A script's transactions and outputs. The lists are short but for the wallet's own, whose end alone changes.
#[derive(Default, Debug)]
struct ScriptRecord {
    confirmed: Vec<Txid>,
    unconfirmed: Vec<Txid>,
    outputs: Vec<OutPoint>,
}

/// The index.
#[derive(Default, Debug)]
pub struct Index {
    txs: HashMap<Txid, Record>,
    spends: HashMap<OutPoint, (Txid, u32)>,
    scripts: HashMap<sha256::Hash, ScriptRecord>,
}

/// The hash that a script is indexed by: the SHA-256 of its bytes.
pub fn script_hash(script: &Script) -> sha256::Hash {
    sha256::Hash::hash(script.as_bytes())
}

impl Index {
    /// Adds a transaction, unconfirmed. What it spends must be here, and spent by nothing else.
    pub fn insert(&mut self, txid: Txid, tx: Arc<Transaction>) {
        let mut scripts = HashSet::new();
        for (vin, input) in (0u32..).zip(&tx.input) {
            if let Some(output) = self.output(&input.previous_output) {
                scripts.insert(script_hash(&output.script_pubkey));
                self.spends.insert(input.previous_output, (txid, vin));
            }
        }
        for (vout, output) in (0u32..).zip(&tx.output) {
            if !output.script_pubkey.is_op_return() {
                let hash = script_hash(&output.script_pubkey);
                self.scripts.entry(hash).or_default().outputs.push(OutPoint { txid, vout });
                scripts.insert(hash);
            }
        }
        for hash in &scripts {
            self.scripts.entry(*hash).or_default().unconfirmed.push(txid);
        }
        let scripts = scripts.into_iter().collect();
        self.txs.insert(txid, Record { tx, confirmation: None, scripts });
    }

    /// Marks a transaction that is here as part of a block.
    pub fn confirm(&mut self, txid: &Txid, block: BlockId) {
        let Some(record) = self.txs.get_mut(txid) else { return };
        record.confirmation = Some(block);
        for hash in &record.scripts {
            if let Some(script) = self.scripts.get_mut(hash) {
                remove_last(&mut script.unconfirmed, txid);
                script.confirmed.push(*txid);
            }
        }
    }

    /// Removes a transaction. Nothing here may spend its outputs any more.
    pub fn remove(&mut self, txid: &Txid) {
        let Some(record) = self.txs.remove(txid) else { return };
        for input in &record.tx.input {
            self.spends.remove(&input.previous_output);
        }
        for hash in &record.scripts {
            let Some(script) = self.scripts.get_mut(hash) else { continue };
            remove_last(&mut script.unconfirmed, txid);
            remove_last(&mut script.confirmed, txid);
            script.outputs.retain(|outpoint| outpoint.txid != *txid);
            if script.confirmed.is_empty() && script.unconfirmed.is_empty() {
                self.scripts.remove(hash);
            }
        }
    }

    /// Whether a transaction is here.
    pub fn contains(&self, txid: &Txid) -> bool {
        self.txs.contains_key(txid)
    }

    /// The block that holds a transaction, if it is here and confirmed.
    pub fn confirmation(&self, txid: &Txid) -> Option<BlockId> {
        self.txs.get(txid)?.confirmation
    }

    /// An output, spent or not.
    pub fn output(&self, outpoint: &OutPoint) -> Option<&TxOut> {
        self.txs.get(&outpoint.txid)?.tx.output.get(outpoint.vout as usize)
    }

    /// An output with its height, spent or not. The genesis block's and `OP_RETURN` outputs never were coins.
    pub fn coin(&self, outpoint: &OutPoint) -> Option<Coin> {
        let record = self.txs.get(&outpoint.txid)?;
        let output = record.tx.output.get(outpoint.vout as usize)?;
        let height = record.confirmation.map(|block| block.height);
        if height == Some(0) || output.script_pubkey.is_op_return() {
            return None;
        }
        Some(Coin { output: output.clone(), height, is_coinbase: record.tx.is_coinbase() })
    }

    /// What spends an output.
    pub fn spend(&self, outpoint: &OutPoint) -> Option<Spend> {
        let (txid, vin) = *self.spends.get(outpoint)?;
        Some(Spend { txid, vin, confirmation: self.confirmation(&txid) })
    }

    /// A transaction with what it spends.
    pub fn tx(&self, txid: &Txid) -> Option<TxEntry> {
        let record = self.txs.get(txid)?;
        let prevouts = record.tx.input.iter().map(|input| self.output(&input.previous_output).cloned()).collect();
        Some(TxEntry { txid: *txid, tx: record.tx.clone(), prevouts, confirmation: record.confirmation })
    }

    /// A page of a script's transactions.
    pub fn script_txs(&self, hash: &sha256::Hash, which: ScriptTxs) -> Vec<TxEntry> {
        let Some(script) = self.scripts.get(hash) else { return Vec::new() };
        let unconfirmed = || script.unconfirmed.iter().take(PAGE_MEMPOOL_TXS);
        let confirmed = || script.confirmed.iter().rev();
        let txids: Vec<&Txid> = match which {
            ScriptTxs::All => unconfirmed().chain(confirmed().take(PAGE_CHAIN_TXS)).collect(),
            ScriptTxs::Mempool => unconfirmed().collect(),
            ScriptTxs::Chain(None) => confirmed().take(PAGE_CHAIN_TXS).collect(),
            ScriptTxs::Chain(Some(after)) => {
                confirmed().skip_while(|txid| **txid != after).skip(1).take(PAGE_CHAIN_TXS).collect()
            }
        };
        txids.into_iter().filter_map(|txid| self.tx(txid)).collect()
    }

    /// Every output that pays a script, in the order in which they were seen.
    pub fn script_outputs(&self, hash: &sha256::Hash) -> Vec<ScriptOutput> {
        let Some(script) = self.scripts.get(hash) else { return Vec::new() };
        let describe = |outpoint: &OutPoint| {
            let value_sat = self.output(outpoint)?.value.to_sat();
            let confirmation = self.confirmation(&outpoint.txid);
            Some(ScriptOutput { outpoint: *outpoint, value_sat, confirmation, spend: self.spend(outpoint) })
        };
        script.outputs.iter().filter_map(describe).collect()
    }
}

/// Removes the last entry that equals `txid`; from the end, where it nearly always stands.
fn remove_last(txids: &mut Vec<Txid>, txid: &Txid) {
    if let Some(at) = txids.iter().rposition(|entry| entry == txid) {
        txids.remove(at);
    }
}
