//! How blocks and transactions look in JSON: the structs of electrs' `src/rest.rs`, field by field.

use bitcoin::{
    Address, BlockHash, Network, Script, ScriptBuf, TxIn, TxMerkleNode, TxOut, Txid, hex::DisplayHex,
    script::Instruction,
};
use serde::Serialize;

use crate::backend::{BlockEntry, BlockId, Spend, TxEntry};

/// A block.
#[derive(Serialize)]
pub struct BlockValue {
    id: BlockHash,
    height: u32,
    version: u32,
    timestamp: u32,
    tx_count: usize,
    size: usize,
    weight: u64,
    merkle_root: TxMerkleNode,
    previousblockhash: Option<BlockHash>,
    mediantime: u32,
    nonce: u32,
    bits: u32,
    difficulty: f64,
}

impl From<&BlockEntry> for BlockValue {
    fn from(entry: &BlockEntry) -> Self {
        let header = &entry.block.header;
        Self {
            id: entry.hash,
            height: entry.height,
            version: header.version.to_consensus() as u32,
            timestamp: header.time,
            tx_count: entry.txids.len(),
            size: entry.block.total_size(),
            weight: entry.block.weight().to_wu(),
            merkle_root: header.merkle_root,
            previousblockhash: (entry.height > 0).then_some(header.prev_blockhash),
            mediantime: entry.median_time,
            nonce: header.nonce,
            bits: header.bits.to_consensus(),
            difficulty: header.difficulty_float(),
        }
    }
}

/// Whether and where something is confirmed.
#[derive(Serialize)]
pub struct Status {
    confirmed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    block_height: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    block_hash: Option<BlockHash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    block_time: Option<u32>,
}

impl From<Option<BlockId>> for Status {
    fn from(block: Option<BlockId>) -> Self {
        Self {
            confirmed: block.is_some(),
            block_height: block.map(|block| block.height),
            block_hash: block.map(|block| block.hash),
            block_time: block.map(|block| block.time),
        }
    }
}

/// What spends an output.
#[derive(Serialize)]
pub struct SpendValue {
    spent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    txid: Option<Txid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vin: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
}

impl From<Option<Spend>> for SpendValue {
    fn from(spend: Option<Spend>) -> Self {
        Self {
            spent: spend.is_some(),
            txid: spend.map(|spend| spend.txid),
            vin: spend.map(|spend| spend.vin),
            status: spend.map(|spend| spend.confirmation.into()),
        }
    }
}

/// A transaction.
#[derive(Serialize)]
pub struct TxValue {
    txid: Txid,
    version: u32,
    locktime: u32,
    vin: Vec<InputValue>,
    vout: Vec<OutputValue>,
    size: usize,
    weight: u64,
    fee: u64,
    status: Status,
}

impl From<&TxEntry> for TxValue {
    fn from(entry: &TxEntry) -> Self {
        let tx = &entry.tx;
        let prevouts = entry.prevouts.iter().map(Option::as_ref);
        Self {
            txid: entry.txid,
            version: tx.version.0 as u32,
            locktime: tx.lock_time.to_consensus_u32(),
            vin: tx.input.iter().zip(prevouts).map(|(input, prevout)| InputValue::new(input, prevout)).collect(),
            vout: tx.output.iter().map(OutputValue::from).collect(),
            size: tx.total_size(),
            weight: tx.weight().to_wu(),
            fee: fee_sat(entry),
            status: entry.confirmation.into(),
        }
    }
}

/// A transaction's fee; a coinbase has none.
fn fee_sat(entry: &TxEntry) -> u64 {
    if entry.tx.is_coinbase() {
        return 0;
    }
    let in_sat: u64 = entry.prevouts.iter().flatten().map(|output| output.value.to_sat()).sum();
    let out_sat: u64 = entry.tx.output.iter().map(|output| output.value.to_sat()).sum();
    in_sat.saturating_sub(out_sat)
}

#[derive(Serialize)]
struct InputValue {
    txid: Txid,
    vout: u32,
    prevout: Option<OutputValue>,
    scriptsig: ScriptBuf,
    scriptsig_asm: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    witness: Option<Vec<String>>,
    is_coinbase: bool,
    sequence: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    inner_redeemscript_asm: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inner_witnessscript_asm: Option<String>,
}

impl InputValue {
    fn new(input: &TxIn, prevout: Option<&TxOut>) -> Self {
        let redeem_script = prevout.and_then(|prevout| redeem_script(input, prevout));
        let witness_script = prevout.and_then(|prevout| witness_script(input, prevout, redeem_script.as_deref()));
        let witness = || input.witness.iter().map(DisplayHex::to_lower_hex_string).collect();
        Self {
            txid: input.previous_output.txid,
            vout: input.previous_output.vout,
            prevout: prevout.map(OutputValue::from),
            scriptsig: input.script_sig.clone(),
            scriptsig_asm: input.script_sig.to_asm_string(),
            witness: (!input.witness.is_empty()).then(witness),
            is_coinbase: input.previous_output.is_null(),
            sequence: input.sequence.to_consensus_u32(),
            inner_redeemscript_asm: redeem_script.map(|script| script.to_asm_string()),
            inner_witnessscript_asm: witness_script.map(Script::to_asm_string),
        }
    }
}

/// The script behind a P2SH output: the last thing that the scriptSig pushes.
fn redeem_script(input: &TxIn, prevout: &TxOut) -> Option<ScriptBuf> {
    if !prevout.script_pubkey.is_p2sh() {
        return None;
    }
    match input.script_sig.instructions().last()? {
        Ok(Instruction::PushBytes(script)) => Some(ScriptBuf::from_bytes(script.as_bytes().to_vec())),
        _ => None,
    }
}

/// The script behind a P2WSH output, nested or not.
fn witness_script<'a>(input: &'a TxIn, prevout: &TxOut, redeem_script: Option<&Script>) -> Option<&'a Script> {
    let is_p2wsh = prevout.script_pubkey.is_p2wsh() || redeem_script.is_some_and(Script::is_p2wsh);
    input.witness.witness_script().filter(|_| is_p2wsh)
}

#[derive(Serialize)]
struct OutputValue {
    scriptpubkey: ScriptBuf,
    scriptpubkey_asm: String,
    scriptpubkey_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scriptpubkey_address: Option<String>,
    value: u64,
}

impl From<&TxOut> for OutputValue {
    fn from(output: &TxOut) -> Self {
        let script = &output.script_pubkey;
        Self {
            scriptpubkey: script.clone(),
            scriptpubkey_asm: script.to_asm_string(),
            scriptpubkey_type: script_type(script),
            scriptpubkey_address: Address::from_script(script, Network::Regtest)
                .ok()
                .map(|address| address.to_string()),
            value: output.value.to_sat(),
        }
    }
}

fn script_type(script: &Script) -> &'static str {
    match () {
        () if script.is_empty() => "empty",
        () if script.is_op_return() => "op_return",
        () if script.is_p2pk() => "p2pk",
        () if script.is_p2pkh() => "p2pkh",
        () if script.is_p2sh() => "p2sh",
        () if script.is_p2wpkh() => "v0_p2wpkh",
        () if script.is_p2wsh() => "v0_p2wsh",
        () if script.is_p2tr() => "v1_p2tr",
        () => "unknown",
    }
}
