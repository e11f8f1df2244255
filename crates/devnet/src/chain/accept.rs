//! Whether a transaction may enter the mempool: the checks of `MemPoolAccept::PreChecks` in Bitcoin Core
//! (`validation.cpp`), in its order and with its words, then scripts.
//!
//! What a transaction that spends the same as an unconfirmed one must pay to replace it stands in `replace`.

use std::collections::HashSet;

use bitcoin::{Amount, OutPoint, Transaction, TxOut, Txid, Weight, constants::COINBASE_MATURITY};

use crate::{
    chain::{locks, mempool, policy, state::State, verify::check_scripts},
    error::Rejection,
    index::Coin,
    limits::{
        BLOCK_WEIGHT_CONSENSUS_MAX, BROADCAST_FEE_SAT_PER_KVB_MAX, MEMPOOL_TXS_MAX, RELAY_FEE_SAT_PER_KVB_MIN,
        TX_SIGOPS_COST_MAX, WEIGHT_PER_SIGOP,
    },
};

/// Where a transaction comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A user: every rule holds.
    Broadcast,
    /// A block or a mempool before a reorganisation: it has paid its fee rate's dues before (`bypass_limits` in Core).
    Reorganisation,
}

impl State {
    /// Checks a transaction against the chain and the mempool, and prepares its entry.
    pub fn check(&self, tx: &Transaction, origin: Origin) -> Result<mempool::Entry, Rejection> {
        check_alone(tx)?;
        if tx.is_coinbase() {
            return Err(Rejection::refused("coinbase"));
        }
        policy::check_standard(tx)?;
        let next = self.next_block();
        if !locks::is_final(tx, next) {
            return Err(Rejection::refused("non-final"));
        }
        let (txid, wtxid) = (tx.compute_txid(), tx.compute_wtxid());
        if let Some(known) = self.mempool.get(&txid) {
            let is_same = known.wtxid == wtxid;
            let reason = if is_same { "txn-already-in-mempool" } else { "txn-same-nonwitness-data-in-mempool" };
            return Err(Rejection::refused(reason));
        }
        let coins = self.coins(tx, &txid)?;
        let heights: Vec<u32> = coins.iter().map(|coin| coin.height.unwrap_or(next.height)).collect();
        if !locks::are_relative_locks_passed(tx, next, &heights, |height| self.ledger.median_time_at(height)) {
            return Err(Rejection::refused("non-BIP68-final"));
        }
        let (value_sat, fee_sat) = check_amounts(tx, &coins, next.height)?;
        let spent: Vec<TxOut> = coins.into_iter().map(|coin| coin.output).collect();
        policy::check_inputs_standard(tx, &spent)?;
        policy::check_dust_is_free(tx, fee_sat)?;
        let entry = entry(tx, (txid, wtxid), &spent, (value_sat, fee_sat))?;
        if origin == Origin::Broadcast {
            check_relay_fee(&entry)?;
        }
        let conflicts = self.conflicts(tx);
        self.mempool.check_chain_limits(tx, entry.vsize, &self.ledger.index, self.chain_allowance(&conflicts))?;
        self.check_disjoint(&entry, &conflicts)?;
        self.check_replacement(&entry, &conflicts)?;
        if self.mempool.len() >= MEMPOOL_TXS_MAX {
            return Err(Rejection::refused("mempool full"));
        }
        check_scripts(tx, &spent)?;
        Ok(entry)
    }

    /// Takes a transaction as bitcoind's `sendrawtransaction` does (`BroadcastTransaction` in `node/transaction.cpp`).
    pub fn broadcast(&mut self, tx: &Transaction) -> Result<Txid, Rejection> {
        if tx.output.iter().any(|output| output.script_pubkey.is_op_return() && output.value > Amount::ZERO) {
            let reason = "Unspendable output exceeds maximum configured by user (maxburnamount)";
            return Err(Rejection::new(Rejection::CODE_FAILED, reason));
        }
        let txid = tx.compute_txid();
        if self.has_unspent_output(tx, &txid) {
            return Err(Rejection::new(Rejection::CODE_CONFIRMED, "Transaction outputs already in utxo set"));
        }
        if self.mempool.get(&txid).is_some() {
            return Ok(txid);
        }
        let entry = self.check(tx, Origin::Broadcast)?;
        if entry.fee_sat > fee_at_sat(BROADCAST_FEE_SAT_PER_KVB_MAX, entry.vsize) {
            let reason = "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)";
            return Err(Rejection::new(Rejection::CODE_FAILED, reason));
        }
        self.admit(entry);
        Ok(txid)
    }

    /// Puts a checked transaction into mempool and index, in the place of what it replaces.
    pub fn admit(&mut self, entry: mempool::Entry) {
        self.evict(&self.conflicts(&entry.tx));
        self.ledger.index.insert(entry.txid, entry.tx.clone());
        self.mempool.insert(entry);
    }

    /// The coins that a transaction spends, in the order of its inputs. Another unconfirmed one may spend them too.
    fn coins(&self, tx: &Transaction, txid: &Txid) -> Result<Vec<Coin>, Rejection> {
        let coin = |outpoint: &OutPoint| {
            let is_spent = self.ledger.index.spend(outpoint).is_some_and(|spend| spend.confirmation.is_some());
            self.ledger.index.coin(outpoint).filter(|_| !is_spent)
        };
        let coins: Option<Vec<Coin>> = tx.input.iter().map(|input| coin(&input.previous_output)).collect();
        coins.ok_or_else(|| match self.has_unspent_output(tx, txid) {
            true => Rejection::refused("txn-already-known"),
            false => Rejection::new(Rejection::CODE_FAILED, "bad-txns-inputs-missingorspent"),
        })
    }

    /// Whether a transaction is confirmed and has an output that no confirmed transaction spends.
    fn has_unspent_output(&self, tx: &Transaction, txid: &Txid) -> bool {
        let is_unspent = |vout| {
            let outpoint = OutPoint { txid: *txid, vout };
            let is_coin = self.ledger.index.coin(&outpoint).is_some_and(|coin| coin.height.is_some());
            is_coin && self.ledger.index.spend(&outpoint).is_none_or(|spend| spend.confirmation.is_none())
        };
        self.ledger.index.confirmation(txid).is_some() && (0u32..).zip(&tx.output).any(|(vout, _)| is_unspent(vout))
    }
}

/// What needs neither chain nor policy (`CheckTransaction` in `consensus/tx_check.cpp`).
fn check_alone(tx: &Transaction) -> Result<(), Rejection> {
    let refused = |reason: &str| Err(Rejection::refused(reason));
    if tx.input.is_empty() {
        return refused("bad-txns-vin-empty");
    }
    if tx.output.is_empty() {
        return refused("bad-txns-vout-empty");
    }
    if tx.base_size() as u64 * Weight::WITNESS_SCALE_FACTOR > BLOCK_WEIGHT_CONSENSUS_MAX {
        return refused("bad-txns-oversize");
    }
    let mut total_sat: u64 = 0;
    for output in &tx.output {
        if output.value.to_sat() > i64::MAX as u64 {
            return refused("bad-txns-vout-negative");
        }
        if output.value > Amount::MAX_MONEY {
            return refused("bad-txns-vout-toolarge");
        }
        // Neither can overflow: each term is at most 21 million BTC.
        total_sat += output.value.to_sat();
        if total_sat > Amount::MAX_MONEY.to_sat() {
            return refused("bad-txns-txouttotal-toolarge");
        }
    }
    let mut spent = HashSet::new();
    if !tx.input.iter().all(|input| spent.insert(input.previous_output)) {
        return refused("bad-txns-inputs-duplicate");
    }
    if tx.is_coinbase() {
        let is_length_good = tx.input.iter().all(|input| (2..=100).contains(&input.script_sig.len()));
        return if is_length_good { Ok(()) } else { refused("bad-cb-length") };
    }
    if spent.iter().any(OutPoint::is_null) {
        return refused("bad-txns-prevout-null");
    }
    Ok(())
}

/// Maturity and amounts (`CheckTxInputs` in `consensus/tx_verify.cpp`): the sum of the inputs, and the fee.
fn check_amounts(tx: &Transaction, coins: &[Coin], height: u32) -> Result<(u64, u64), Rejection> {
    let mut in_sat: u64 = 0;
    for coin in coins {
        let depth = height.saturating_sub(coin.height.unwrap_or(height));
        if coin.is_coinbase && depth < COINBASE_MATURITY {
            let detail = format!("tried to spend coinbase at depth {depth}");
            return Err(Rejection::refused("bad-txns-premature-spend-of-coinbase").with(detail));
        }
        in_sat += coin.output.value.to_sat();
    }
    let out_sat: u64 = tx.output.iter().map(|output| output.value.to_sat()).sum();
    let Some(fee_sat) = in_sat.checked_sub(out_sat) else {
        let detail = format!("value in ({}) < value out ({})", format_money(in_sat), format_money(out_sat));
        return Err(Rejection::refused("bad-txns-in-belowout").with(detail));
    };
    Ok((in_sat, fee_sat))
}

/// An amount in BTC as Core writes it (`FormatMoney`): up to 8 decimals, at least 2.
pub fn format_money(sat: u64) -> String {
    let text = format!("{}.{:08}", sat / 100_000_000, sat % 100_000_000);
    let trimmed = text.trim_end_matches('0').len();
    let least = text.len() - 6;
    text[..trimmed.max(least)].to_owned()
}

fn entry(
    tx: &Transaction,
    (txid, wtxid): (Txid, bitcoin::Wtxid),
    spent: &[TxOut],
    (value_sat, fee_sat): (u64, u64),
) -> Result<mempool::Entry, Rejection> {
    let output_of = |outpoint: &OutPoint| {
        let at = tx.input.iter().position(|input| input.previous_output == *outpoint)?;
        spent.get(at).cloned()
    };
    let sigops_cost = tx.total_sigop_cost(output_of) as u64;
    if sigops_cost > TX_SIGOPS_COST_MAX {
        return Err(Rejection::refused("bad-txns-too-many-sigops").with(sigops_cost.to_string()));
    }
    let weight = tx.weight().to_wu();
    let vsize = weight.max(sigops_cost * WEIGHT_PER_SIGOP).div_ceil(Weight::WITNESS_SCALE_FACTOR);
    Ok(mempool::Entry { txid, wtxid, tx: tx.clone().into(), value_sat, fee_sat, vsize, weight, sigops_cost })
}

fn check_relay_fee(entry: &mempool::Entry) -> Result<(), Rejection> {
    let least_sat = fee_at_sat(RELAY_FEE_SAT_PER_KVB_MIN, entry.vsize);
    if entry.fee_sat < least_sat {
        return Err(Rejection::refused("min relay fee not met").with(format!("{} < {least_sat}", entry.fee_sat)));
    }
    Ok(())
}

/// The fee of a virtual size at a rate in sat/kvB (`CFeeRate::GetFee`).
pub fn fee_at_sat(rate_sat_per_kvb: u64, vsize: u64) -> u64 {
    (rate_sat_per_kvb * vsize).div_ceil(1_000)
}

#[cfg(test)]
mod tests {
    use super::format_money;

    #[test]
    fn amounts_are_written_as_core_writes_them() {
        for (sat, text) in [
            (0, "0.00"),
            (1, "0.00000001"),
            (100_000_000, "1.00"),
            (150_000_000, "1.50"),
            (123_456_000, "1.23456"),
            (5_000_000_000, "50.00"),
        ] {
            assert_eq!(format_money(sat), text);
        }
    }
}
