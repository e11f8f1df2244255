//! Blocks: that they keep the rules of consensus, and the wallet that gets their rewards.

use std::collections::BTreeSet;

use bitcoin::{Block, constants::genesis_block};

use boltgram_devnet::{
    backend::{ScriptTxs, TxEntry},
    limits::{SUBSIDY_HALVING_BLOCKS, SUBSIDY_SAT},
};

use super::*;

fn block_at(chain: &Subject, height: u32) -> Block {
    let hash = chain.block_hash(height).unwrap().unwrap();
    chain.block(&hash).unwrap().unwrap().block.as_ref().clone()
}

fn out_sat(tx: &Transaction) -> u64 {
    tx.output.iter().map(|output| output.value.to_sat()).sum()
}

pub fn a_new_chain_stands_on_the_genesis_block_of_regtest() {
    let chain = chain();
    assert_eq!(chain.tip().unwrap().height, 120);
    assert_eq!(block_at(&chain, 0), genesis_block(Network::Regtest));
}

pub fn every_block_keeps_the_rules_across_a_halving_and_pays_subsidy_and_fees() {
    let (chain, user) = (chain(), user());
    for _ in 0..20 {
        fund_unconfirmed(&chain, &user.p2wpkh(), 100_000);
        chain.mine(2, None).unwrap();
    }
    let target = genesis_block(Network::Regtest).header.target();
    let mut median_times = vec![chain.block(&chain.block_hash(0).unwrap().unwrap()).unwrap().unwrap().median_time];
    let mut coinbases = std::collections::HashSet::new();
    for height in 1..=160 {
        let block = block_at(&chain, height);
        let entry = chain.block(&block.block_hash()).unwrap().unwrap();
        assert_eq!(block.header.prev_blockhash, block_at(&chain, height - 1).block_hash());
        block.header.validate_pow(target).unwrap();
        assert!(block.check_merkle_root() && block.check_witness_commitment());
        assert_eq!(block.bip34_block_height().unwrap_or(u64::from(height)), u64::from(height));
        assert!(block.header.time > median_times[height as usize - 1], "above the median time past");
        let first = height.saturating_sub(10);
        let mut times: Vec<u32> = (first..=height).map(|height| block_at(&chain, height).header.time).collect();
        times.sort_unstable();
        assert_eq!(entry.median_time, times[times.len() / 2]);
        median_times.push(entry.median_time);
        let fees = |tx: &Transaction| {
            let TxEntry { prevouts, .. } = chain.tx(&tx.compute_txid()).unwrap().unwrap();
            prevouts.iter().flatten().map(|output| output.value.to_sat()).sum::<u64>() - out_sat(tx)
        };
        let fees: u64 = block.txdata[1..].iter().map(fees).sum();
        assert_eq!(out_sat(&block.txdata[0]), (SUBSIDY_SAT >> (height / SUBSIDY_HALVING_BLOCKS)) + fees, "{height}");
        assert!(coinbases.insert(block.txdata[0].compute_txid()));
    }
}

pub fn rewards_go_where_they_are_asked_to() {
    let (chain, user) = (chain(), user());
    let address = Address::from_script(&user.p2tr(), Network::Regtest).unwrap();
    chain.mine(2, Some(&address)).unwrap();
    let outputs = chain.script_outputs(&script_hash(&user.p2tr())).unwrap();
    assert_eq!(outputs.iter().map(|output| output.value_sat).collect::<Vec<_>>(), [5_000_000_000; 2]);
}

pub fn the_wallet_funds_many_times_in_one_block_and_says_when_it_has_nothing_left() {
    let (chain, user) = (chain(), user());
    for amount_sat in 100_000..100_100 {
        fund_unconfirmed(&chain, &user.p2wpkh(), amount_sat);
    }
    chain.mine(1, None).unwrap();
    assert_eq!(txids(&chain), []);
    let paid = chain.script_outputs(&script_hash(&user.p2wpkh())).unwrap();
    // How a block orders them is the miner's choice.
    let paid: BTreeSet<u64> = paid.iter().map(|output| output.value_sat).collect();
    assert_eq!(paid, (100_000..100_100).collect());
    let poor = Subject::new(101);
    let address = Address::from_script(&user.p2wpkh(), Network::Regtest).unwrap();
    let error = poor.fund(&address, 10_000_000_000).unwrap_err();
    assert!(
        matches!(error, DevnetError::InsufficientFunds { available_sat: 5_000_000_000..=10_000_000_000, .. }),
        "{error}"
    );
}

pub fn numbers_out_of_bounds_are_refused_with_the_bounds() {
    let (chain, user) = (chain(), user());
    let address = Address::from_script(&user.p2wpkh(), Network::Regtest).unwrap();
    for (result, text) in [
        (chain.mine(0, None).map(|_| ()), "blocks must be 1 to 1000, not 0"),
        (chain.mine(1_001, None).map(|_| ()), "blocks must be 1 to 1000, not 1001"),
        (chain.fund(&address, 293).map(|_| ()), "amount_sat must be 294 to 10000000000, not 293"),
        (chain.fund(&address, 10_000_000_001).map(|_| ()), "amount_sat must be 294 to 10000000000, not 10000000001"),
    ] {
        assert_eq!(result.unwrap_err().to_string(), text);
    }
}

pub fn a_long_history_comes_in_pages_newest_first() {
    let (chain, user) = (chain(), user());
    let hash = script_hash(&user.p2wpkh());
    let address = Address::from_script(&user.p2wpkh(), Network::Regtest).unwrap();
    chain.mine(60, Some(&address)).unwrap();
    let waiting = fund_unconfirmed(&chain, &user.p2wpkh(), 100_000).outpoint.txid;
    let heights = |txs: &[TxEntry]| txs.iter().filter_map(|tx| Some(tx.confirmation?.height)).collect::<Vec<_>>();
    let first = chain.script_txs(&hash, ScriptTxs::All).unwrap();
    assert_eq!(first[0].txid, waiting);
    assert_eq!(heights(&first), (156..=180).rev().collect::<Vec<_>>());
    let after = |txs: &[TxEntry]| chain.script_txs(&hash, ScriptTxs::Chain(Some(txs.last().unwrap().txid))).unwrap();
    let second = after(&first);
    assert_eq!(heights(&second), (131..=155).rev().collect::<Vec<_>>());
    let third = after(&second);
    assert_eq!(heights(&third), (121..=130).rev().collect::<Vec<_>>());
    assert!(after(&third).is_empty());
    assert_eq!(chain.script_txs(&hash, ScriptTxs::Mempool).unwrap().len(), 1);
}
