//! Replace-by-fee, rule by rule: what is refused in which words, and what is gone after a replacement.

use std::slice::from_ref;

use boltgram_devnet::limits::{CHAIN_TXS_MAX, REPLACED_TXS_MAX};

use super::*;

impl User {
    /// A signed transaction that spends these coins, with so many equal outputs to this user.
    fn pay_out(&self, coins: &[Coin], outputs: u64, fee_sat: u64) -> Transaction {
        let value_sat: u64 = coins.iter().map(|coin| coin.output.value.to_sat()).sum();
        let each_sat = (value_sat - fee_sat) / outputs;
        assert_eq!(each_sat * outputs, value_sat - fee_sat, "the amounts of a test come out even");
        self.sign(spend(coins, (0..outputs).map(|_| output(&self.p2wpkh(), each_sat)).collect()), coins)
    }
}

pub fn a_replacement_takes_the_place_of_a_transaction_and_of_all_that_descends_from_it() {
    let (chain, user) = (chain(), user());
    let coin = fund(&chain, &user.p2wpkh(), 100_000);
    let old = user.pay_out(from_ref(&coin), 2, 1_000);
    let child = user.pay_back(&coins(&old)[0], 500);
    let grandchild = user.pay_back(&coins(&child)[0], 500);
    let other = user.pay_back(&fund_unconfirmed(&chain, &user.p2wpkh(), 50_000), 500);
    for tx in [&old, &child, &grandchild, &other] {
        chain.broadcast(tx.clone()).unwrap();
    }
    let waiting = txids(&chain).len();
    // The final sequence signals nothing: bitcoind replaces all the same.
    let new = user.pay_back(&coin, 3_000);
    assert_eq!(chain.broadcast(new.clone()).unwrap(), new.compute_txid());
    assert_eq!(txids(&chain).len(), waiting - 2);
    for gone in [&old, &child, &grandchild] {
        assert!(chain.tx(&gone.compute_txid()).unwrap().is_none(), "it is known no more");
    }
    assert_eq!(chain.spend(&coin.outpoint).unwrap().unwrap().txid, new.compute_txid());
    let outputs = chain.script_outputs(&script_hash(&user.p2wpkh())).unwrap();
    assert!(outputs.iter().all(|output| output.outpoint.txid != old.compute_txid()));
    chain.mine(1, None).unwrap();
    let confirmed = |tx: &Transaction| chain.tx(&tx.compute_txid()).unwrap().unwrap().confirmation.is_some();
    assert!(confirmed(&new) && confirmed(&other));
    assert_eq!(refusal(&chain, &old), "bad-txns-inputs-missingorspent");
}

pub fn a_replacement_pays_a_higher_rate_and_for_its_own_relay() {
    let (chain, user) = (chain(), user());
    let coin = fund(&chain, &user.p2wpkh(), 100_000);
    let old = user.pay_back(&coin, 1_100);
    assert_eq!(old.vsize(), 110, "the numbers below stand on it");
    chain.broadcast(old.clone()).unwrap();
    let with_fee = |fee_sat| user.pay_back(&coin, fee_sat);
    let refused = |fee_sat| {
        let tx = with_fee(fee_sat);
        refusal(&chain, &tx).replace(&tx.compute_txid().to_string(), "TXID")
    };
    let rate = "new feerate 0.00009990 BTC/kvB <= old feerate 0.00010000 BTC/kvB";
    assert_eq!(refused(1_099), format!("insufficient fee, rejecting replacement TXID; {rate}"));
    let relay = "not enough additional fees to relay; 0.0000001 < 0.00000011";
    assert_eq!(refused(1_110), format!("insufficient fee, rejecting replacement TXID, {relay}"));
    assert_eq!(txids(&chain), [old.compute_txid()], "what is refused changes nothing");
    chain.broadcast(with_fee(1_111)).unwrap();
    assert_eq!(txids(&chain), [with_fee(1_111).compute_txid()]);
}

pub fn a_replacement_pays_at_least_the_fees_of_all_that_it_replaces() {
    let (chain, user) = (chain(), user());
    let coin = fund(&chain, &user.p2wpkh(), 100_000);
    let old = user.pay_back(&coin, 1_000);
    let child = user.pay_back(&coins(&old)[0], 9_000);
    for tx in [&old, &child] {
        chain.broadcast(tx.clone()).unwrap();
    }
    let new = user.pay_back(&coin, 9_999);
    let less = "less fees than conflicting txs; 0.00009999 < 0.0001";
    let expected = format!("insufficient fee, rejecting replacement {}, {less}", new.compute_txid());
    assert_eq!(refusal(&chain, &new), expected);
    chain.broadcast(user.pay_back(&coin, 10_011)).unwrap();
}

pub fn a_replacement_adds_no_unconfirmed_input() {
    let (chain, user) = (chain(), user());
    let coin = fund(&chain, &user.p2wpkh(), 100_000);
    chain.broadcast(user.pay_back(&coin, 500)).unwrap();
    let unconfirmed = fund_unconfirmed(&chain, &user.p2wpkh(), 50_000);
    let new = user.pay_out(&[coin, unconfirmed], 1, 20_000);
    let detail = format!("replacement {} adds unconfirmed input, idx 1", new.compute_txid());
    assert_eq!(refusal(&chain, &new), format!("replacement-adds-unconfirmed, {detail}"));
    chain.mine(1, None).unwrap();
}

pub fn a_replacement_may_spend_another_output_of_the_same_unconfirmed_parent() {
    let (chain, user) = (chain(), user());
    let parent = user.pay_out(&[fund(&chain, &user.p2wpkh(), 100_000)], 2, 1_000);
    chain.broadcast(parent.clone()).unwrap();
    let old = user.pay_back(&coins(&parent)[0], 500);
    chain.broadcast(old).unwrap();
    let new = user.pay_out(&coins(&parent), 1, 5_000);
    chain.broadcast(new.clone()).unwrap();
    assert_eq!(txids(&chain), [parent.compute_txid(), new.compute_txid()]);
}

pub fn a_transaction_cannot_replace_its_own_parent() {
    let (chain, user) = (chain(), user());
    let coin = fund(&chain, &user.p2wpkh(), 100_000);
    let parent = user.pay_out(from_ref(&coin), 2, 1_000);
    chain.broadcast(parent.clone()).unwrap();
    let new = user.pay_out(&[coin, coins(&parent)[0].clone()], 1, 20_000);
    let detail = format!("{} spends conflicting transaction {}", new.compute_txid(), parent.compute_txid());
    assert_eq!(refusal(&chain, &new), format!("bad-txns-spends-conflicting-tx, {detail}"));
}

pub fn a_replacement_evicts_at_most_a_hundred_and_counts_descendants() {
    let (chain, user) = (chain(), user());
    let outputs = REPLACED_TXS_MAX as u64;
    let spread = user.pay_out(&[fund(&chain, &user.p2wpkh(), 1_010_000)], outputs, 10_000);
    chain.broadcast(spread.clone()).unwrap();
    chain.mine(1, None).unwrap();
    let spread = coins(&spread);
    for coin in &spread {
        chain.broadcast(user.pay_back(coin, 200)).unwrap();
    }
    let new = user.pay_out(&spread, 1, 100_000);
    chain.test_accept(&new).unwrap();
    let child = user.pay_back(&coins(&user.pay_back(&spread[0], 200))[0], 200);
    chain.broadcast(child.clone()).unwrap();
    let detail = format!("rejecting replacement {}; too many potential replacements (101 > 100)", new.compute_txid());
    assert_eq!(refusal(&chain, &new), format!("too many potential replacements, {detail}"));
    chain.mine(1, None).unwrap();
}

pub fn the_last_of_a_chain_as_long_as_it_may_be_can_be_replaced() {
    let (chain, user) = (chain(), user());
    let mut coin = fund(&chain, &user.p2wpkh(), 100_000);
    let mut last = coin.clone();
    for _ in 0..CHAIN_TXS_MAX {
        let tx = user.pay_back(&coin, 200);
        chain.broadcast(tx.clone()).unwrap();
        last = std::mem::replace(&mut coin, coins(&tx)[0].clone());
    }
    assert!(refusal(&chain, &user.pay_back(&coin, 200)).starts_with("too-long-mempool-chain"));
    chain.broadcast(user.pay_back(&last, 1_000)).unwrap();
    assert_eq!(txids(&chain).len(), CHAIN_TXS_MAX);
}
