//! How long chains of unconfirmed transactions may grow, and how much fits into a block.

use super::*;

/// Broadcasts a chain of transactions, each spending the one before, and gives the last one's coin.
fn grow(chain: &Subject, user: &User, mut coin: Coin, count: usize) -> Coin {
    for _ in 0..count {
        let tx = user.pay_back(&coin, 200);
        chain.broadcast(tx.clone()).unwrap();
        coin = coins(&tx).remove(0);
    }
    coin
}

pub fn a_chain_of_unconfirmed_transactions_is_mined_in_one_block_and_ends_at_25() {
    let (chain, user) = (chain(), user());
    let coin = grow(&chain, &user, fund(&chain, &user.p2wpkh(), 1_000_000), 25);
    let waiting = txids(&chain);
    let tx = user.pay_back(&coin, 200);
    assert_eq!(refusal(&chain, &tx), "too-long-mempool-chain, too many unconfirmed ancestors [limit: 25]");
    let hash = chain.mine(1, None).unwrap()[0];
    let block = chain.block(&hash).unwrap().unwrap();
    assert_eq!(block.txids[1..], waiting, "parents stand before their children");
    chain.broadcast(tx).unwrap();
}

/// A parent with so many outputs of the user, unconfirmed.
fn parent(chain: &Subject, user: &User, outputs: usize) -> Transaction {
    let coin = fund(chain, &user.p2wpkh(), 1_000_000);
    let tx = spend(std::slice::from_ref(&coin), vec![output(&user.p2wpkh(), 20_000); outputs]);
    let tx = user.sign(tx, &[coin]);
    chain.broadcast(tx.clone()).unwrap();
    tx
}

pub fn a_parent_has_at_most_24_children_and_one_more_that_is_small_and_has_no_other_parent() {
    let (chain, user) = (chain(), user());
    let parent = parent(&chain, &user, 27);
    let outputs = coins(&parent);
    for coin in &outputs[..24] {
        chain.broadcast(user.pay_back(coin, 200)).unwrap();
    }
    let grandchild = user.pay_back(&coins(&user.pay_back(&outputs[0], 200))[0], 200);
    let limit = format!("too-long-mempool-chain, too many descendants for tx {} [limit: 25]", parent.compute_txid());
    assert_eq!(refusal(&chain, &grandchild), limit);
    chain.broadcast(user.pay_back(&outputs[24], 200)).unwrap();
    assert_eq!(refusal(&chain, &user.pay_back(&outputs[25], 200)), limit);
}

pub fn a_block_stays_below_its_weight_and_the_rest_waits_for_the_next() {
    let (chain, user) = (chain(), user());
    // Each weighs nearly 400,000 units, by outputs alone.
    let large = |value_sat: u64| {
        let coin = fund(&chain, &user.p2wpkh(), value_sat);
        let tx = spend(std::slice::from_ref(&coin), vec![output(&user.p2wpkh(), 300); 3_200]);
        user.sign(tx, &[coin])
    };
    let txs: Vec<Transaction> = (0..11).map(|_| large(3_200 * 300 + 100_000)).collect();
    assert!(txs[0].weight().to_wu() > 396_000 && txs[0].weight().to_wu() < 400_000);
    for tx in &txs {
        chain.broadcast(tx.clone()).unwrap();
    }
    let hash = chain.mine(1, None).unwrap()[0];
    let block = chain.block(&hash).unwrap().unwrap().block;
    assert!(block.weight().to_wu() <= 4_000_000 && block.txdata.len() == 11, "ten of them and the coinbase");
    // Which of them waits is the miner's choice.
    let waiting = txids(&chain);
    assert!(waiting.len() == 1 && txs.iter().any(|tx| tx.compute_txid() == waiting[0]));
    chain.mine(1, None).unwrap();
    assert_eq!(txids(&chain), []);
}
