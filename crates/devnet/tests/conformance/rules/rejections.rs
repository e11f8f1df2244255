//! The reasons to refuse a transaction, one by one, and what a broadcast of a known one answers.

use bitcoin::{OutPoint, Txid, constants::genesis_block, script::PushBytesBuf};

use super::*;
use crate::subject::{Mode, mode};

pub fn a_good_transaction_is_told_its_fee_and_size_and_then_taken() {
    let (chain, user) = (chain(), user());
    let tx = user.pay_back(&fund(&chain, &user.p2wpkh(), 100_000), 500);
    let acceptable = chain.test_accept(&tx).unwrap();
    assert_eq!((acceptable.fee_sat, acceptable.vsize), (500, tx.vsize() as u64));
    assert_eq!(txids(&chain), []);
    assert_eq!(chain.broadcast(tx.clone()).unwrap(), tx.compute_txid());
    assert_eq!(txids(&chain), [tx.compute_txid()]);
}

pub fn what_is_wrong_in_itself_is_refused() {
    let (chain, user) = (chain(), user());
    let coin = fund(&chain, &user.p2wpkh(), 100_000);
    let good = user.pay_back(&coin, 500);
    let with = |change: &dyn Fn(&mut Transaction)| {
        let mut tx = good.clone();
        change(&mut tx);
        refusal(&chain, &tx)
    };
    if mode() == Mode::Embedded {
        // Written out, such a transaction is none: it can't be sent.
        assert_eq!(with(&|tx| tx.input.clear()), "bad-txns-vin-empty");
    }
    assert_eq!(with(&|tx| tx.output.clear()), "bad-txns-vout-empty");
    assert_eq!(with(&|tx| tx.input.push(tx.input[0].clone())), "bad-txns-inputs-duplicate");
    assert_eq!(with(&|tx| tx.output[0].value = Amount::from_sat(u64::MAX)), "bad-txns-vout-negative");
    assert_eq!(with(&|tx| tx.output[0].value = Amount::MAX_MONEY + Amount::ONE_SAT), "bad-txns-vout-toolarge");
    let twice = |tx: &mut Transaction| {
        tx.output[0].value = Amount::MAX_MONEY;
        tx.output.push(tx.output[0].clone());
    };
    assert_eq!(with(&twice), "bad-txns-txouttotal-toolarge");
    let null = |tx: &mut Transaction| {
        tx.input.push(tx.input[0].clone());
        tx.input[1].previous_output = OutPoint::null();
    };
    assert_eq!(with(&null), "bad-txns-prevout-null");
    let short = |tx: &mut Transaction| tx.input[0].previous_output = OutPoint::null();
    assert_eq!(with(&short), "bad-cb-length");
    let tip = chain.tip().unwrap().hash;
    let mut coinbase = chain.block(&tip).unwrap().unwrap().block.txdata[0].clone();
    coinbase.output[0].value -= Amount::ONE_SAT;
    assert_eq!(refusal(&chain, &coinbase), "coinbase");
}

pub fn what_is_not_standard_is_refused() {
    let (chain, user) = (chain(), user());
    let coin = fund(&chain, &user.p2wpkh(), 100_000);
    let with = |change: &dyn Fn(&mut Transaction)| {
        let mut tx = user.pay_back(&coin, 5_000);
        change(&mut tx);
        refusal(&chain, &tx)
    };
    let data = |bytes: usize| {
        let data = PushBytesBuf::try_from(vec![1; bytes]).unwrap();
        output(&ScriptBuf::new_op_return(data), 0)
    };
    for version in [0, -1] {
        assert_eq!(with(&|tx| tx.version = transaction::Version(version)), "version");
    }
    if mode() == Mode::Embedded {
        // bitcoind takes version 3, with rules of its own (BIP 431).
        assert_eq!(with(&|tx| tx.version = transaction::Version(3)), "version");
    }
    assert_eq!(with(&|tx| tx.input[0].witness.push(vec![0; 400_000])), "tx-size");
    assert_eq!(with(&|tx| tx.input[0].script_sig = ScriptBuf::from_bytes(vec![0; 1_651])), "scriptsig-size");
    assert_eq!(with(&|tx| tx.input[0].script_sig = ScriptBuf::from_bytes(vec![0x76])), "scriptsig-not-pushonly");
    assert_eq!(with(&|tx| tx.output.push(output(&ScriptBuf::from_bytes(vec![0x51]), 1_000))), "scriptpubkey");
    assert_eq!(with(&|tx| tx.output.push(output(&ScriptBuf::from_bytes(vec![0, 2, 1, 1]), 1_000))), "scriptpubkey");
    assert_eq!(with(&|tx| tx.output.push(data(82))), "scriptpubkey");
    assert_eq!(with(&|tx| tx.output.extend([data(8), data(8)])), "multi-op-return");
    let small = |tx: &mut Transaction| tx.output = vec![data(1)];
    assert_eq!(with(&small), "tx-size-small");
}

pub fn dust_is_refused_by_the_kind_of_its_script_and_anchors_are_none() {
    let (chain, user) = (chain(), user());
    let coin = fund(&chain, &user.p2wpkh(), 100_000);
    let p2wsh = ScriptBuf::from_bytes(vec![0x51]).to_p2wsh();
    let p2sh = ScriptBuf::from_bytes(vec![0x51]).to_p2sh();
    for (script, least_sat) in
        [(ScriptBuf::new_p2a(), 240), (user.p2wpkh(), 294), (p2wsh, 330), (user.p2tr(), 330), (p2sh, 540)]
    {
        let pay = |value_sat| {
            let outputs = vec![output(&user.p2wpkh(), 90_000), output(&script, value_sat)];
            user.sign(spend(std::slice::from_ref(&coin), outputs), std::slice::from_ref(&coin))
        };
        assert_eq!(refusal(&chain, &pay(least_sat - 1)), "dust, tx with dust output must be 0-fee", "{least_sat}");
        chain.test_accept(&pay(least_sat)).unwrap();
    }
    let free = |value_sat, dust: &[u64]| {
        let dust = dust.iter().map(|dust_sat| output(&ScriptBuf::new_p2a(), *dust_sat));
        let outputs = std::iter::once(output(&user.p2wpkh(), value_sat)).chain(dust).collect();
        user.sign(spend(std::slice::from_ref(&coin), outputs), std::slice::from_ref(&coin))
    };
    assert!(refusal(&chain, &free(99_900, &[100])).starts_with("min relay fee not met, 0 < "), "alone it is of no use");
    assert_eq!(refusal(&chain, &free(99_800, &[100, 100])), "dust");
}

pub fn inputs_must_be_there_and_mature() {
    let (chain, user) = (chain(), user());
    let coin = fund(&chain, &user.p2wpkh(), 100_000);
    let missing = Coin { outpoint: OutPoint { txid: Txid::all_zeros(), vout: 0 }, ..coin.clone() };
    let rejection = rejection(&chain, &user.pay_back(&missing, 500));
    assert_eq!(rejection, Rejection::new(Rejection::CODE_FAILED, "bad-txns-inputs-missingorspent"));
    let tx = user.pay_back(&coin, 500);
    chain.broadcast(tx).unwrap();
    chain.mine(1, None).unwrap();
    assert_eq!(refusal(&chain, &user.pay_back(&coin, 501)), "bad-txns-inputs-missingorspent");

    let address = Address::from_script(&user.p2wpkh(), Network::Regtest).unwrap();
    let hash = chain.mine(1, Some(&address)).unwrap()[0];
    let coinbase = coins(&chain.block(&hash).unwrap().unwrap().block.txdata[0])[0].clone();
    let tx = user.pay_back(&coinbase, 500);
    let premature = "bad-txns-premature-spend-of-coinbase, tried to spend coinbase at depth";
    assert_eq!(refusal(&chain, &tx), format!("{premature} 1"));
    chain.mine(98, None).unwrap();
    assert_eq!(refusal(&chain, &tx), format!("{premature} 99"));
    chain.mine(1, None).unwrap();
    chain.broadcast(tx).unwrap();
}

pub fn the_genesis_reward_and_data_outputs_are_no_coins() {
    let (chain, user) = (chain(), user());
    let genesis = genesis_block(Network::Regtest);
    let reward = coins(&genesis.txdata[0])[0].clone();
    let tx = spend(&[reward], vec![output(&user.p2wpkh(), 1_000)]);
    assert_eq!(refusal(&chain, &tx), "bad-txns-inputs-missingorspent");
    let tip = chain.tip().unwrap().hash;
    let commitment = coins(&chain.block(&tip).unwrap().unwrap().block.txdata[0])[1].clone();
    let tx = spend(&[commitment], vec![output(&user.p2wpkh(), 1_000)]);
    assert_eq!(refusal(&chain, &tx), "bad-txns-inputs-missingorspent");
}

pub fn amounts_and_fees_must_suffice() {
    let (chain, user) = (chain(), user());
    let coin = fund(&chain, &user.p2wpkh(), 100_000);
    let pay = |value_sat| {
        let tx = spend(std::slice::from_ref(&coin), vec![output(&user.p2wpkh(), value_sat)]);
        user.sign(tx, std::slice::from_ref(&coin))
    };
    let below = "bad-txns-in-belowout, value in (0.001) < value out (0.00100001)";
    assert_eq!(refusal(&chain, &pay(100_001)), below);
    let least_sat = (pay(99_000).vsize() as u64).div_ceil(10);
    let least = format!("min relay fee not met, {} < {least_sat}", least_sat - 1);
    assert_eq!(refusal(&chain, &pay(100_000 - (least_sat - 1))), least);
    chain.broadcast(pay(100_000 - least_sat)).unwrap();
}

pub fn a_broadcast_refuses_absurd_fees_and_burnt_money() {
    let (chain, user) = (chain(), user());
    let coin = fund(&chain, &user.p2wpkh(), 100_000_000);
    let rejected = |tx: Transaction| match chain.broadcast(tx).unwrap_err() {
        DevnetError::Rejected(rejection) => (rejection.code, rejection.to_string()),
        error => panic!("{error}"),
    };
    let dear = user.pay_back(&coin, 2_000_000);
    chain.test_accept(&dear).unwrap();
    let fee = "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)";
    assert_eq!(rejected(dear), (Rejection::CODE_FAILED, fee.to_owned()));
    let data = ScriptBuf::new_op_return([1; 4]);
    let outputs = vec![output(&user.p2wpkh(), 99_000_000), output(&data, 1)];
    let burning = user.sign(spend(std::slice::from_ref(&coin), outputs), &[coin]);
    let burnt = "Unspendable output exceeds maximum configured by user (maxburnamount)";
    assert_eq!(rejected(burning), (Rejection::CODE_FAILED, burnt.to_owned()));
}

pub fn a_known_transaction_is_told_as_bitcoind_tells_it() {
    let (chain, user) = (chain(), user());
    let coin = fund(&chain, &user.p2wpkh(), 100_000);
    let tx = user.pay_back(&coin, 500);
    let txid = chain.broadcast(tx.clone()).unwrap();
    let tested = |tx: &Transaction| match chain.test_accept(tx).unwrap_err() {
        DevnetError::Rejected(rejection) => rejection.to_string(),
        error => panic!("{error}"),
    };
    assert_eq!(tested(&tx), "txn-already-in-mempool");
    let mut other_witness = tx.clone();
    other_witness.input[0].witness.push([1]);
    assert_eq!(tested(&other_witness), "txn-same-nonwitness-data-in-mempool");
    assert_eq!(chain.broadcast(tx.clone()).unwrap(), txid, "a repeated broadcast is answered like the first");
    chain.mine(1, None).unwrap();
    assert_eq!(tested(&tx), "txn-already-known");
    let DevnetError::Rejected(rejection) = chain.broadcast(tx).unwrap_err() else { panic!("refused otherwise") };
    assert_eq!(rejection, Rejection::new(-27, "Transaction outputs already in utxo set"));
}
