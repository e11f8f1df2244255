//! Relay rules of Bitcoin Core 29 that need no chain: what a standard transaction looks like.
//!
//! They are Core's `IsStandardTx`, `AreInputsStandard` and `IsWitnessStandard` (`policy/policy.cpp`) with the default
//! settings, in their order, but for version 3 transactions, which are refused.

use bitcoin::{Script, Transaction, TxIn, TxOut, Weight, opcodes::all::OP_PUSHNUM_1};

use crate::{
    error::Rejection,
    limits::{
        DATA_CARRIER_BYTES_MAX, DUST_OUTPUTS_MAX, MULTISIG_KEYS_MAX, P2SH_SIGOPS_MAX, P2WSH_SCRIPT_BYTES_MAX,
        P2WSH_STACK_ITEMS_MAX, SCRIPT_SIG_BYTES_MAX, TX_NONWITNESS_BYTES_MIN, TX_VERSION_MAX, TX_WEIGHT_MAX,
        WITNESS_ITEM_BYTES_MAX,
    },
};

/// The leaf version of tapscript (BIP 342), without the parity bit.
const TAPSCRIPT_LEAF: u8 = 0xc0;

/// What an output script is, as far as relay rules care.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Key, key hash, script hash, bare multisig, and the known witness programs with P2A.
    Known,
    /// A witness program of a version that has no meaning yet: may be paid, not spent.
    WitnessUnknown,
    /// An `OP_RETURN` with pushes alone.
    Data,
    Nonstandard,
}

fn kind(script: &Script) -> Kind {
    if script.is_witness_program() {
        let is_v0 = script.witness_version() == Some(bitcoin::WitnessVersion::V0);
        return match () {
            () if script.is_p2wpkh() || script.is_p2wsh() || script.is_p2tr() || is_p2a(script) => Kind::Known,
            () if is_v0 => Kind::Nonstandard,
            () => Kind::WitnessUnknown,
        };
    }
    if script.is_op_return() {
        let pushes = script.as_bytes().get(1..).unwrap_or_default();
        return if Script::from_bytes(pushes).is_push_only() { Kind::Data } else { Kind::Nonstandard };
    }
    if script.is_p2sh() || script.is_p2pkh() || script.is_p2pk() || is_small_multisig(script) {
        return Kind::Known;
    }
    Kind::Nonstandard
}

/// Whether a script is the pay-to-anchor program.
fn is_p2a(script: &Script) -> bool {
    script.as_bytes() == [OP_PUSHNUM_1.to_u8(), 0x02, 0x4e, 0x73]
}

fn is_small_multisig(script: &Script) -> bool {
    let bytes = script.as_bytes();
    let keys = bytes.len().checked_sub(2).and_then(|at| bytes.get(at));
    let max = OP_PUSHNUM_1.to_u8() + MULTISIG_KEYS_MAX - 1;
    script.is_multisig() && keys.is_some_and(|keys| *keys <= max)
}

/// Checks a transaction by itself.
pub fn check_standard(tx: &Transaction) -> Result<(), Rejection> {
    if !(1..=TX_VERSION_MAX).contains(&tx.version.0) {
        return Err(Rejection::refused("version"));
    }
    if tx.weight() > Weight::from_wu(TX_WEIGHT_MAX) {
        return Err(Rejection::refused("tx-size"));
    }
    for input in &tx.input {
        if input.script_sig.len() > SCRIPT_SIG_BYTES_MAX {
            return Err(Rejection::refused("scriptsig-size"));
        }
        if !input.script_sig.is_push_only() {
            return Err(Rejection::refused("scriptsig-not-pushonly"));
        }
    }
    let mut data_outputs = 0;
    let dust_outputs = tx.output.iter().filter(|output| is_dust(output)).count();
    for output in &tx.output {
        match kind(&output.script_pubkey) {
            Kind::Nonstandard => return Err(Rejection::refused("scriptpubkey")),
            Kind::Data if output.script_pubkey.len() > DATA_CARRIER_BYTES_MAX => {
                return Err(Rejection::refused("scriptpubkey"));
            }
            Kind::Data => data_outputs += 1,
            Kind::Known | Kind::WitnessUnknown => {}
        }
    }
    if dust_outputs > DUST_OUTPUTS_MAX {
        return Err(Rejection::refused("dust"));
    }
    if data_outputs > 1 {
        return Err(Rejection::refused("multi-op-return"));
    }
    if tx.base_size() < TX_NONWITNESS_BYTES_MIN {
        return Err(Rejection::refused("tx-size-small"));
    }
    Ok(())
}

/// Refuses a transaction with dust that pays a fee (`PreCheckEphemeralTx`). One that pays none could be relayed with a
/// child that spends the dust, in a package, which this chain doesn't take.
pub fn check_dust_is_free(tx: &Transaction, fee_sat: u64) -> Result<(), Rejection> {
    if fee_sat > 0 && tx.output.iter().any(is_dust) {
        return Err(Rejection::refused("dust").with("tx with dust output must be 0-fee"));
    }
    Ok(())
}

/// Whether an output is worth less than spending it would cost; data never is.
fn is_dust(output: &TxOut) -> bool {
    !output.script_pubkey.is_op_return() && output.value < output.script_pubkey.minimal_non_dust()
}

/// Checks a transaction's inputs against the outputs that they spend, in the order of the inputs.
pub fn check_inputs_standard(tx: &Transaction, spent: &[TxOut]) -> Result<(), Rejection> {
    for (input, output) in tx.input.iter().zip(spent) {
        if !is_input_standard(input, &output.script_pubkey) {
            return Err(Rejection::refused("bad-txns-nonstandard-inputs"));
        }
    }
    for (input, output) in tx.input.iter().zip(spent) {
        if !input.witness.is_empty() && !is_witness_standard(input, &output.script_pubkey) {
            return Err(Rejection::refused("bad-witness-nonstandard"));
        }
    }
    Ok(())
}

fn is_input_standard(input: &TxIn, spent: &Script) -> bool {
    if spent.is_p2sh() {
        return input.script_sig.redeem_script().is_some_and(|redeem| redeem.count_sigops() <= P2SH_SIGOPS_MAX);
    }
    kind(spent) == Kind::Known
}

fn is_witness_standard(input: &TxIn, spent: &Script) -> bool {
    if is_p2a(spent) {
        return false;
    }
    let program = if spent.is_p2sh() { input.script_sig.redeem_script() } else { Some(spent) };
    let Some(program) = program.filter(|script| script.is_witness_program()) else { return false };
    let stack: Vec<&[u8]> = input.witness.iter().collect();
    let Some((last, below)) = stack.split_last() else { return true };
    let are_items_small = |items: &[&[u8]]| items.iter().all(|item| item.len() <= WITNESS_ITEM_BYTES_MAX);
    if program.is_p2wsh() {
        return last.len() <= P2WSH_SCRIPT_BYTES_MAX && below.len() <= P2WSH_STACK_ITEMS_MAX && are_items_small(below);
    }
    if spent.is_p2tr() {
        if input.witness.taproot_annex().is_some() {
            return false;
        }
        let Some((_script, arguments)) = below.split_last() else { return true };
        let is_tapscript = last.first().is_some_and(|byte| byte & 0xfe == TAPSCRIPT_LEAF);
        return !last.is_empty() && (!is_tapscript || are_items_small(arguments));
    }
    true
}
