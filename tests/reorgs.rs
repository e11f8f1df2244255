//! The chain turns back under a running node: blocks taken off, a payment replaced, a channel's funding unconfirmed.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use bitcoin::{
    Address, Amount, BlockHash, CompressedPublicKey, EcdsaSighashType, Network, OutPoint, ScriptBuf, Sequence,
    Transaction, TxIn, TxOut, Witness, absolute, ecdsa,
    hashes::Hash as _,
    key::Secp256k1,
    secp256k1::{Message, SecretKey},
    sighash::SighashCache,
    transaction,
};
use serde_json::{Value, json};
use support::{
    chain::{ANCHOR_SAT, CONFIRMATIONS, Node, Regtest, USUAL, onchain_sat, sync},
    eventually,
};

/// Takes the block with the funding, and all above it, off the chain.
async fn take_off(net: &Regtest, funding: OutPoint) {
    let block = net.devnet.backend().tx(&funding.txid).unwrap().unwrap().confirmation.unwrap();
    net.devnet.invalidate(block.hash).await.unwrap();
    assert_eq!(net.devnet.mempool().await.unwrap(), [funding.txid], "it waits again");
}

async fn confirmations(node: &Node, funding: OutPoint) -> i32 {
    node.channel(funding).await.unwrap().confirmations
}

#[tokio::test(flavor = "multi_thread")]
async fn a_funding_that_is_unconfirmed_again_before_its_channel_was_ready_only_delays_it() {
    let net = Regtest::start().await;
    let (mut alice, mut bob) = net.pair().await;
    let nodes = [&alice, &bob];
    let funding = net.open(&alice, &bob, USUAL).await;
    net.mine(CONFIRMATIONS - 1, &nodes).await;
    assert_eq!(confirmations(&alice, funding).await, CONFIRMATIONS as i32 - 1);

    take_off(&net, funding).await;
    // One block more than were taken off would hold it again at once: here the nodes see the gap first.
    sync(&nodes).await;
    for node in nodes {
        let channel = node.channel(funding).await.unwrap();
        assert_eq!((channel.confirmations, channel.ready), (0, false), "{}", node.name);
        assert_eq!(node.info().await.block_height, i64::from(net.devnet.height().await.unwrap()));
    }
    assert_eq!(alice.send(&bob, "too early").await.unwrap_err().reason, "NO_USABLE_CHANNEL");

    net.mine(CONFIRMATIONS - 1, &nodes).await;
    assert!(!alice.channel(funding).await.unwrap().ready, "its depth is counted anew");
    net.confirm(funding, nodes).await;
    alice.send(&bob, "at last").await.unwrap();
    bob.send(&alice, "so it is").await.unwrap();
    for node in [&mut alice, &mut bob] {
        node.process.stop().await;
    }
}

// LDK gives a channel up when its funding has no confirmation any more after `channel_ready` (lightning 0.2.7,
// `FundedChannel::do_best_block_updated`: "Funding transaction was un-confirmed"): it can't know whether the funding will
// ever confirm again. Both sides do so, each with its own commitment; the first in the mempool wins.
#[tokio::test(flavor = "multi_thread")]
async fn a_funding_that_is_unconfirmed_again_after_its_channel_was_ready_closes_it_and_the_funds_come_back() {
    let net = Regtest::start().await;
    let (mut alice, mut bob) = net.pair().await;
    let nodes = [&alice, &bob];
    let (start_sat, start_height) = (onchain_sat(&nodes).await, net.devnet.height().await.unwrap());
    let funding = net.channel(&alice, &bob, USUAL).await;
    alice.send(&bob, "before").await.unwrap();

    take_off(&net, funding).await;
    sync(&nodes).await;
    for node in nodes {
        eventually(&format!("{} gives the channel up", node.name), || async {
            node.channel(funding).await.is_none().then_some(())
        })
        .await;
    }
    for (from, to) in [(&alice, &bob), (&bob, &alice)] {
        let refused = from.send(to, "refused").await.unwrap_err();
        assert_eq!(refused.reason, "NO_USABLE_CHANNEL");
        assert!(refused.message.contains("open one"), "{}", refused.message);
    }
    // The funding and a commitment, mined; then the sweeps when their locks end.
    net.devnet.wait_for_mempool(2, support::DEADLINE).await.unwrap();
    net.mine(1, &nodes).await;
    net.mine(144, &nodes).await;
    net.settle(&nodes).await;
    let anchors_sat = net.unspent_anchors(funding) as u64 * ANCHOR_SAT;
    assert_eq!(onchain_sat(&nodes).await + net.fees_sat(start_height) + anchors_sat, start_sat);

    net.channel(&alice, &bob, USUAL).await;
    alice.send(&bob, "over a new channel").await.unwrap();
    bob.send(&alice, "and back").await.unwrap();
    assert_eq!((bob.received("before").await, bob.received("refused").await), (1, 0));
    for node in [&mut alice, &mut bob] {
        node.process.stop().await;
    }
}

async fn post(net: &Regtest, path: &str, body: Value) -> Value {
    let url = format!("{}{path}", net.devnet.url());
    let answer = reqwest::Client::new().post(url).body(body.to_string()).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer.json().await.unwrap()
}

// BDK keeps a block until another of the same height replaces it (bdk_chain, `LocalChain::apply_update`): a shorter chain
// could as well be a server that lags. So the wallet counts the payment as confirmed until the new branch is as long,
// and the channels, which ask for the status of each block that they rely on, know at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_follows_the_chain_over_an_invalidated_block_to_the_branch_that_replaces_it() {
    let net = Regtest::start().await;
    let mut alice = net.node("alice").await;
    let payer = Payer::with_coin(&net, 100_000).await;
    let address = alice.new_address().await;
    net.devnet.broadcast(payer.pay(&address, 70_000, 1_000)).await.unwrap();
    let mined = post(&net, "/devnet/mine", json!({ "blocks": 3 })).await;
    let first: BlockHash = serde_json::from_value(mined["hashes"][0].clone()).unwrap();
    let holds = async |height: i64, hash: &Value, spendable_sat: i64| {
        sync(&[&alice]).await;
        let (info, balances) = (alice.info().await, alice.balances().await);
        assert_eq!((info.block_height, info.block_hash.as_str()), (height, hash.as_str().unwrap()));
        assert_eq!((balances.spendable_onchain_sat, balances.total_onchain_sat), (spendable_sat, spendable_sat));
    };
    holds(124, &mined["hashes"][2], 70_000).await;

    let tip = post(&net, "/devnet/invalidate", json!({ "hash": first })).await;
    assert_eq!(tip["height"], 121);
    holds(121, &tip["hash"], 70_000).await;

    // Of the same height as before, with the same payment in another block.
    let mined = post(&net, "/devnet/mine", json!({ "blocks": 3 })).await;
    assert_ne!(mined["hashes"][0], json!(first));
    holds(124, &mined["hashes"][2], 70_000).await;

    // And once more, with another payment in its place.
    post(&net, "/devnet/invalidate", json!({ "hash": mined["hashes"][0] })).await;
    net.devnet.broadcast(payer.pay(&address, 50_000, 5_000)).await.unwrap();
    let mined = post(&net, "/devnet/mine", json!({ "blocks": 4 })).await;
    holds(125, &mined["hashes"][3], 50_000).await;
    alice.process.stop().await;
}

/// A payer beside the devnet's wallet, who can change his mind.
struct Payer {
    secret: SecretKey,
    coin: OutPoint,
    coin_sat: u64,
}

impl Payer {
    async fn with_coin(net: &Regtest, coin_sat: u64) -> Self {
        let secret = SecretKey::from_slice(&[5; 32]).unwrap();
        let script = Self::script(&secret);
        let address = Address::from_script(&script, Network::Regtest).unwrap();
        let txid = net.devnet.fund(&address, coin_sat).await.unwrap();
        net.devnet.mine(1).await.unwrap();
        let tx = net.devnet.backend().tx(&txid).unwrap().unwrap().tx;
        let vout = tx.output.iter().position(|output| output.script_pubkey == script).unwrap();
        Self { secret, coin: OutPoint::new(txid, vout as u32), coin_sat }
    }

    fn script(secret: &SecretKey) -> ScriptBuf {
        let key = CompressedPublicKey(secret.public_key(&Secp256k1::new()));
        ScriptBuf::new_p2wpkh(&key.wpubkey_hash())
    }

    /// Pays so much to an address, the rest as change; the same coin each time.
    fn pay(&self, to: &Address, amount_sat: u64, fee_sat: u64) -> Transaction {
        let script = Self::script(&self.secret);
        let output = |script_pubkey, sat| TxOut { value: Amount::from_sat(sat), script_pubkey };
        let mut tx = Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![TxIn {
                previous_output: self.coin,
                script_sig: ScriptBuf::new(),
                sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
                witness: Witness::new(),
            }],
            output: vec![
                output(to.script_pubkey(), amount_sat),
                output(script.clone(), self.coin_sat - amount_sat - fee_sat),
            ],
        };
        let secp = Secp256k1::new();
        let hash = SighashCache::new(&tx)
            .p2wpkh_signature_hash(0, &script, Amount::from_sat(self.coin_sat), EcdsaSighashType::All)
            .unwrap();
        let signature = secp.sign_ecdsa_low_r(&Message::from_digest(hash.to_byte_array()), &self.secret);
        let signature = ecdsa::Signature::sighash_all(signature);
        tx.input[0].witness = Witness::p2wpkh(&signature, &self.secret.public_key(&secp));
        tx
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_is_replaced_by_one_with_a_higher_fee_is_counted_once() {
    let net = Regtest::start().await;
    let (mut alice, mut bob) = net.pair().await;
    let payer = Payer::with_coin(&net, 2_000_000).await;
    let address = alice.new_address().await;
    let holds = async |spendable_sat, total_sat, what: &str| {
        sync(&[&alice]).await;
        let balances = alice.balances().await;
        assert_eq!((balances.spendable_onchain_sat, balances.total_onchain_sat), (spendable_sat, total_sat), "{what}");
    };
    net.devnet.broadcast(payer.pay(&address, 600_000, 1_000)).await.unwrap();
    holds(1_000_000, 1_600_000, "not confirmed").await;
    let refused = net.devnet.broadcast(payer.pay(&address, 700_000, 1_001)).await.unwrap_err();
    assert!(refused.to_string().contains("insufficient fee, rejecting replacement"), "{refused}");
    net.devnet.broadcast(payer.pay(&address, 700_000, 5_000)).await.unwrap();
    assert_eq!(net.devnet.mempool().await.unwrap().len(), 1);
    holds(1_000_000, 1_700_000, "replaced").await;
    net.devnet.mine(1).await.unwrap();
    holds(1_700_000, 1_700_000, "confirmed").await;

    // It is money: a channel that only it can pay for.
    let opening = support::chain::Opening { capacity_sat: 1_500_000, ..USUAL };
    net.channel(&alice, &bob, opening).await;
    alice.send(&bob, "paid for").await.unwrap();
    for node in [&mut alice, &mut bob] {
        node.process.stop().await;
    }
}
