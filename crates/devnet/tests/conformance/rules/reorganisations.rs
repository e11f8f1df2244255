//! Reorganisations: blocks taken off, the transactions that come back, and the branch that replaces them.

use bitcoin::{BlockHash, constants::genesis_block};

use super::*;

pub fn transactions_of_disconnected_blocks_wait_again_before_what_waited_already() {
    let (chain, user) = (chain(), user());
    let coin = fund(&chain, &user.p2wpkh(), 100_000);
    let first = user.pay_back(&coin, 500);
    let second = user.pay_back(&coins(&first)[0], 500);
    let third = user.pay_back(&coins(&second)[0], 500);
    chain.broadcast(first.clone()).unwrap();
    let stale = chain.mine(1, None).unwrap()[0];
    chain.broadcast(second.clone()).unwrap();
    chain.mine(1, None).unwrap();
    chain.broadcast(third.clone()).unwrap();
    let tip = chain.invalidate(&stale).unwrap();
    assert_eq!(tip.height, 121);
    let chained = [&first, &second, &third].map(Transaction::compute_txid);
    assert_eq!(txids(&chain), chained);
    for txid in &chained {
        assert_eq!(chain.tx(txid).unwrap().unwrap().confirmation, None);
    }
    chain.mine(3, None).unwrap();
    for txid in &chained {
        assert_eq!(chain.tx(txid).unwrap().unwrap().confirmation.unwrap().height, 122);
    }
}

pub fn a_stale_block_stays_known_and_the_new_branch_is_another() {
    let chain = chain();
    let stale = chain.mine(3, None).unwrap();
    chain.invalidate(&stale[0]).unwrap();
    let new = chain.mine(4, None).unwrap();
    assert!(stale.iter().all(|hash| !new.contains(hash)));
    for hash in &stale {
        let entry = chain.block(hash).unwrap().unwrap();
        assert!(!entry.in_best_chain && entry.next_best.is_none());
        let coinbase = entry.txids[0];
        assert!(chain.tx(&coinbase).unwrap().is_none(), "its reward is gone");
    }
    let entry = chain.block(&new[0]).unwrap().unwrap();
    assert!(entry.in_best_chain && entry.next_best == Some(new[1]) && entry.height == 121);
    assert_eq!(chain.invalidate(&stale[0]).unwrap(), chain.tip().unwrap(), "a stale one changes nothing");
}

pub fn what_spends_a_lost_or_immature_reward_is_dropped_with_its_children() {
    let (chain, user) = (chain(), user());
    let address = Address::from_script(&user.p2wpkh(), Network::Regtest).unwrap();
    let coin = fund(&chain, &user.p2wpkh(), 100_500);
    let first = chain.mine(1, Some(&address)).unwrap()[0];
    let last = chain.mine(99, None).unwrap()[98];
    let reward = coins(&chain.block(&first).unwrap().unwrap().block.txdata[0])[0].clone();
    let spend = user.pay_back(&reward, 500);
    let child = user.pay_back(&coins(&spend)[0], 500);
    // The wallet's own would be locked to the last block's height by bitcoind.
    let other = user.pay_back(&coin, 500);
    let other = chain.broadcast(other).unwrap();
    chain.broadcast(spend.clone()).unwrap();
    chain.broadcast(child).unwrap();
    chain.invalidate(&last).unwrap();
    assert_eq!(txids(&chain), [other], "the reward is one block too young again");
    chain.mine(1, None).unwrap();
    chain.broadcast(spend.clone()).unwrap();
    chain.mine(1, None).unwrap();
    chain.invalidate(&first).unwrap();
    assert!(chain.tx(&spend.compute_txid()).unwrap().is_none());
    assert!(
        chain.script_outputs(&script_hash(&user.p2wpkh())).unwrap().iter().all(|output| output.value_sat <= 100_500)
    );
}

pub fn a_transaction_that_is_not_final_any_more_is_dropped() {
    let (chain, user) = (chain(), user());
    let coin = fund(&chain, &user.p2wpkh(), 100_000);
    let block = chain.mine(5, None).unwrap()[0];
    let mut tx = user.pay_back(&coin, 500);
    tx.input[0].sequence = Sequence::from_height(4);
    chain.broadcast(user.sign(tx, &[coin])).unwrap();
    chain.invalidate(&block).unwrap();
    assert_eq!(txids(&chain), []);
}

pub fn outputs_and_spends_are_as_before_after_a_reorganisation_to_the_genesis_block() {
    let (chain, user) = (chain(), user());
    for _ in 0..5 {
        let coin = fund(&chain, &user.p2wpkh(), 100_000);
        chain.broadcast(user.pay_back(&coin, 500)).unwrap();
        chain.mine(1, None).unwrap();
    }
    let first = chain.block_hash(1).unwrap().unwrap();
    let genesis = genesis_block(Network::Regtest);
    assert_eq!(chain.invalidate(&first).unwrap().hash, genesis.block_hash());
    assert_eq!(txids(&chain), [], "every reward is gone, and all that came from them");
    assert!(chain.script_outputs(&script_hash(&user.p2wpkh())).unwrap().is_empty());
    let only = genesis.txdata[0].compute_txid();
    assert_eq!(chain.tx(&only).unwrap().unwrap().confirmation.unwrap().height, 0);
    chain.mine(121, None).unwrap();
    fund(&chain, &user.p2wpkh(), 100_000);
}

pub fn unknown_blocks_and_the_genesis_block_are_refused() {
    let chain = chain();
    let unknown = BlockHash::all_zeros();
    assert!(matches!(chain.invalidate(&unknown), Err(DevnetError::UnknownBlock(hash)) if hash == unknown));
    let genesis = genesis_block(Network::Regtest).block_hash();
    assert!(matches!(chain.invalidate(&genesis), Err(DevnetError::Invalid(_))));
}
