//! Locks: nLockTime with BIP 113, BIP 68, and the script operations that check them.

use bitcoin::{
    opcodes::all::{OP_CHECKSIG, OP_CLTV, OP_CSV, OP_DROP},
    script::Builder,
};

use super::*;

pub fn a_locked_transaction_waits_for_its_height() {
    let (chain, user) = (chain(), user());
    let coin = fund(&chain, &user.p2wpkh(), 100_000);
    let locked = |height, sequence| {
        let mut tx = user.pay_back(&coin, 500);
        tx.lock_time = absolute::LockTime::from_height(height).unwrap();
        tx.input[0].sequence = sequence;
        user.sign(tx, std::slice::from_ref(&coin))
    };
    let tip = chain.tip().unwrap().height;
    let tx = locked(tip + 1, Sequence::ENABLE_LOCKTIME_NO_RBF);
    assert_eq!(refusal(&chain, &tx), "non-final");
    chain.test_accept(&locked(tip + 1, Sequence::MAX)).unwrap();
    chain.test_accept(&locked(tip, Sequence::ENABLE_LOCKTIME_NO_RBF)).unwrap();
    chain.mine(1, None).unwrap();
    chain.broadcast(tx).unwrap();
}

pub fn a_locked_transaction_waits_for_the_median_time() {
    let (chain, user) = (chain(), user());
    let coin = fund(&chain, &user.p2wpkh(), 100_000);
    let locked = |time| {
        let mut tx = user.pay_back(&coin, 500);
        tx.lock_time = absolute::LockTime::from_time(time).unwrap();
        tx.input[0].sequence = Sequence::ENABLE_LOCKTIME_NO_RBF;
        user.sign(tx, std::slice::from_ref(&coin))
    };
    let median_time = chain.block(&chain.tip().unwrap().hash).unwrap().unwrap().median_time;
    assert_eq!(refusal(&chain, &locked(median_time)), "non-final", "the header's own time doesn't count");
    chain.test_accept(&locked(median_time - 1)).unwrap();
}

pub fn a_relative_lock_waits_for_the_depth_of_its_coin() {
    let (chain, user) = (chain(), user());
    let coin = fund(&chain, &user.p2wpkh(), 100_000);
    let locked = |blocks, version| {
        let mut tx = user.pay_back(&coin, 500);
        tx.version = version;
        tx.input[0].sequence = Sequence::from_height(blocks);
        user.sign(tx, std::slice::from_ref(&coin))
    };
    // The coin is in the tip: the next block is one above it.
    chain.test_accept(&locked(1, transaction::Version::TWO)).unwrap();
    let tx = locked(3, transaction::Version::TWO);
    assert_eq!(refusal(&chain, &tx), "non-BIP68-final");
    chain.test_accept(&locked(3, transaction::Version::ONE)).unwrap();
    chain.mine(1, None).unwrap();
    assert_eq!(refusal(&chain, &tx), "non-BIP68-final");
    chain.mine(1, None).unwrap();
    chain.broadcast(tx).unwrap();
}

pub fn a_relative_lock_holds_on_an_unconfirmed_coin_and_in_time() {
    let (chain, user) = (chain(), user());
    let coin = fund_unconfirmed(&chain, &user.p2wpkh(), 100_000);
    let locked = |sequence| {
        let mut tx = user.pay_back(&coin, 500);
        tx.input[0].sequence = sequence;
        user.sign(tx, std::slice::from_ref(&coin))
    };
    chain.test_accept(&locked(Sequence::from_height(0))).unwrap();
    assert_eq!(refusal(&chain, &locked(Sequence::from_height(1))), "non-BIP68-final");
    chain.mine(1, None).unwrap();
    chain.test_accept(&locked(Sequence::from_512_second_intervals(0))).unwrap();
    assert_eq!(refusal(&chain, &locked(Sequence::from_512_second_intervals(1))), "non-BIP68-final");
}

pub fn check_locktime_and_check_sequence_are_enforced() {
    let (chain, user) = (chain(), user());
    let lock_script = |value: u32, operation| {
        Builder::new()
            .push_int(i64::from(value))
            .push_opcode(operation)
            .push_opcode(OP_DROP)
            .push_key(&user.public().into())
            .push_opcode(OP_CHECKSIG)
            .into_script()
    };
    let absolute = lock_script(100, OP_CLTV);
    let relative = lock_script(2, OP_CSV);
    for (script, is_absolute) in [(absolute, true), (relative, false)] {
        let coin = fund(&chain, &script.to_p2wsh(), 100_000);
        chain.mine(2, None).unwrap();
        let spend_at = |lock: u32| {
            let mut tx = spend(std::slice::from_ref(&coin), vec![output(&user.p2wpkh(), 99_000)]);
            if is_absolute {
                tx.lock_time = absolute::LockTime::from_height(lock * 50).unwrap();
                tx.input[0].sequence = Sequence::ENABLE_LOCKTIME_NO_RBF;
            } else {
                tx.input[0].sequence = Sequence::from_consensus(lock);
            }
            user.sign_p2wsh(tx, &coin, &script)
        };
        let early = "mempool-script-verify-flag-failed (Locktime requirement not satisfied)";
        assert_eq!(script_refusal(&chain, &spend_at(1)), early);
        chain.test_accept(&spend_at(2)).unwrap();
    }
}
