//! Scripts and signatures, checked by libbitcoinconsensus with every rule that it knows, taproot too.
//!
//! The library tells only yes or no. What bitcoind would add in parentheses is worked out here from the kind of output
//! that is spent: exact for the usual ways to get a signature wrong, a guess elsewhere. Rules that bitcoind adds
//! for relay alone (low S, minimal pushes, clean stack) are not checked: the library has no flags for them.

use bitcoin::{
    Script, Transaction, TxIn, TxOut, XOnlyPublicKey, consensus::encode::serialize, key::Secp256k1,
    taproot::ControlBlock,
};
use bitcoinconsensus::{
    Utxo, VERIFY_ALL_PRE_TAPROOT, VERIFY_CHECKLOCKTIMEVERIFY, VERIFY_CHECKSEQUENCEVERIFY, VERIFY_TAPROOT,
};

use crate::error::Rejection;

const FLAGS: u32 = VERIFY_ALL_PRE_TAPROOT | VERIFY_TAPROOT;

// Bitcoin Core's `script/script_error.cpp`.
const EVAL_FALSE: &str = "Script evaluated without error but finished with a false/empty top stack element";
const EQUALVERIFY: &str = "Script failed an OP_EQUALVERIFY operation";
const LOCKTIME: &str = "Locktime requirement not satisfied";
const NULLFAIL: &str = "Signature must be zero for failed CHECK(MULTI)SIG operation";
const SIG_DER: &str = "Non-canonical DER signature";
const PROGRAM_MISMATCH: &str = "Witness program hash mismatch";
const WITNESS_EMPTY: &str = "Witness program was passed an empty witness";
const WITNESS_MALLEATED: &str = "Witness requires empty scriptSig";
const SCHNORR_SIZE: &str = "Invalid Schnorr signature size";
const SCHNORR: &str = "Invalid Schnorr signature";
const CONTROL_SIZE: &str = "Invalid Taproot control block size";

/// Verifies every input. `spent` are the outputs that the inputs spend, in their order.
pub fn check_scripts(tx: &Transaction, spent: &[TxOut]) -> Result<(), Rejection> {
    let bytes = serialize(tx);
    let utxos: Vec<Utxo> = spent.iter().map(utxo).collect();
    for (index, (input, output)) in tx.input.iter().zip(spent).enumerate() {
        let verify = |flags| {
            let (script, value_sat) = (output.script_pubkey.as_bytes(), output.value.to_sat());
            bitcoinconsensus::verify_with_flags(script, value_sat, &bytes, Some(&utxos), index, flags).is_ok()
        };
        if !verify(FLAGS) {
            let is_lock = verify(FLAGS & !(VERIFY_CHECKLOCKTIMEVERIFY | VERIFY_CHECKSEQUENCEVERIFY));
            let error = if is_lock { LOCKTIME } else { script_error(input, &output.script_pubkey) };
            let (txid, wtxid, spent) = (tx.compute_txid(), tx.compute_wtxid(), input.previous_output);
            let detail = format!("input {index} of {txid} (wtxid {wtxid}), spending {spent}");
            return Err(Rejection::refused(format!("mempool-script-verify-flag-failed ({error})")).with(detail));
        }
    }
    Ok(())
}

/// An output as the library wants it: the pointer stays good for as long as `output` is borrowed by the caller.
fn utxo(output: &TxOut) -> Utxo {
    let script = output.script_pubkey.as_bytes();
    // Amounts are at most 21 million BTC by now, scripts at most a block's size.
    Utxo { script_pubkey: script.as_ptr(), script_pubkey_len: script.len() as u32, value: output.value.to_sat() as i64 }
}

fn script_error(input: &TxIn, spent: &Script) -> &'static str {
    if !spent.is_witness_program() {
        return legacy_error(input, spent);
    }
    match () {
        () if !input.script_sig.is_empty() => WITNESS_MALLEATED,
        () if spent.is_p2wpkh() => key_hash_error(input, spent),
        () if input.witness.is_empty() => WITNESS_EMPTY,
        () if spent.is_p2wsh() => witness_script_error(input, spent),
        () => taproot_error(input, spent),
    }
}

fn legacy_error(input: &TxIn, spent: &Script) -> &'static str {
    if input.script_sig.is_empty() {
        return "Operation not valid with the current stack size";
    }
    match input.script_sig.redeem_script() {
        Some(redeem) if spent.is_p2sh() && redeem.to_p2sh() != *spent => EVAL_FALSE,
        Some(redeem) if spent.is_p2sh() && redeem.is_p2wpkh() => key_hash_error(input, redeem),
        Some(redeem) if spent.is_p2sh() && redeem.is_p2wsh() => witness_script_error(input, redeem),
        _ => NULLFAIL,
    }
}

fn key_hash_error(input: &TxIn, program: &Script) -> &'static str {
    let stack: Vec<&[u8]> = input.witness.iter().collect();
    let [signature, key] = stack[..] else { return PROGRAM_MISMATCH };
    let is_key = bitcoin::CompressedPublicKey::from_slice(key)
        .is_ok_and(|key| bitcoin::ScriptBuf::new_p2wpkh(&key.wpubkey_hash()) == *program);
    match () {
        () if !is_key => EQUALVERIFY,
        () if signature.is_empty() => EVAL_FALSE,
        () if bitcoin::ecdsa::Signature::from_slice(signature).is_err() => SIG_DER,
        () => NULLFAIL,
    }
}

fn witness_script_error(input: &TxIn, program: &Script) -> &'static str {
    let Some(script) = input.witness.witness_script() else { return WITNESS_EMPTY };
    match () {
        () if script.to_p2wsh() != *program => PROGRAM_MISMATCH,
        () if script.count_sigops() > 0 && input.witness.iter().any(|item| item.len() > 64) => NULLFAIL,
        () => EVAL_FALSE,
    }
}

fn taproot_error(input: &TxIn, spent: &Script) -> &'static str {
    let stack: Vec<&[u8]> = input.witness.iter().collect();
    match stack[..] {
        [signature] if !matches!(signature.len(), 64 | 65) => SCHNORR_SIZE,
        [_] => SCHNORR,
        [.., control] if !is_control_size(control.len()) => CONTROL_SIZE,
        [.., script, control] if !is_committed(spent, script, control) => PROGRAM_MISMATCH,
        [ref arguments @ .., _script, _control] if arguments.iter().any(|item| item.len() >= 64) => SCHNORR,
        _ => EVAL_FALSE,
    }
}

/// Whether a taproot output commits to a script by this control block.
fn is_committed(spent: &Script, script: &[u8], control: &[u8]) -> bool {
    let Some(Ok(key)) = spent.as_bytes().get(2..).map(XOnlyPublicKey::from_slice) else { return false };
    let secp = Secp256k1::verification_only();
    ControlBlock::decode(control)
        .is_ok_and(|control| control.verify_taproot_commitment(&secp, key, Script::from_bytes(script)))
}

/// BIP 341: 33 bytes, and 32 for each of up to 128 nodes.
fn is_control_size(bytes: usize) -> bool {
    (33..=33 + 32 * 128).contains(&bytes) && (bytes - 33).is_multiple_of(32)
}
