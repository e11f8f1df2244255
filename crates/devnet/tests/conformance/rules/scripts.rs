//! Scripts and signatures: the right ones pass and the wrong ones are refused in bitcoind's words.

use bitcoin::{
    opcodes::all::{OP_CHECKSIG, OP_PUSHNUM_1},
    script::Builder,
    taproot::{LeafVersion, TapLeafHash, TaprootBuilder, TaprootSpendInfo},
};

use super::*;

fn failed(error: &str) -> String {
    format!("mempool-script-verify-flag-failed ({error})")
}

pub fn a_key_hash_needs_its_key_and_a_good_signature() {
    let (chain, user) = (chain(), user());
    let coin = fund(&chain, &user.p2wpkh(), 100_000);
    let good = user.pay_back(&coin, 500);
    let with = |witness: &[&[u8]]| {
        let mut tx = good.clone();
        tx.input[0].witness = Witness::from_slice(witness);
        script_refusal(&chain, &tx)
    };
    let (signature, key) = (good.input[0].witness.nth(0).unwrap(), good.input[0].witness.nth(1).unwrap());
    assert_eq!(with(&[]), failed("Witness program hash mismatch"));
    assert_eq!(with(&[key]), failed("Witness program hash mismatch"));
    assert_eq!(with(&[signature, &[2; 33]]), failed("Script failed an OP_EQUALVERIFY operation"));
    assert_eq!(with(&[&[1, 2, 3], key]), failed("Non-canonical DER signature"));
    let empty = "Script evaluated without error but finished with a false/empty top stack element";
    assert_eq!(with(&[&[], key]), failed(empty));
    let mut tx = good.clone();
    tx.output[0].value -= Amount::ONE_SAT;
    let null_fail = "Signature must be zero for failed CHECK(MULTI)SIG operation";
    assert_eq!(script_refusal(&chain, &tx), failed(null_fail));
    chain.test_accept(&good).unwrap();
}

pub fn the_amount_is_signed_too() {
    let (chain, user) = (chain(), user());
    let coin = fund(&chain, &user.p2wpkh(), 100_000);
    let mut lie = coin.clone();
    lie.output.value = Amount::from_sat(100_001);
    let tx = spend(&[coin], vec![output(&user.p2wpkh(), 99_000)]);
    assert!(script_refusal(&chain, &user.sign(tx, &[lie])).starts_with("mempool-script-verify-flag-failed"));
}

pub fn a_taproot_key_path_needs_a_good_signature() {
    let (chain, user) = (chain(), user());
    let coin = fund(&chain, &user.p2tr(), 100_000);
    let tx = spend(std::slice::from_ref(&coin), vec![output(&user.p2tr(), 99_000)]);
    let good = user.sign_taproot(tx, &coin);
    chain.test_accept(&good).unwrap();
    let mut changed = good.clone();
    changed.output[0].value -= Amount::ONE_SAT;
    assert_eq!(script_refusal(&chain, &changed), failed("Invalid Schnorr signature"));
    let mut short = good.clone();
    short.input[0].witness = Witness::from_slice(&[[1; 63]]);
    assert_eq!(script_refusal(&chain, &short), failed("Invalid Schnorr signature size"));
    let mut none = good;
    none.input[0].witness.clear();
    assert_eq!(script_refusal(&chain, &none), failed("Witness program was passed an empty witness"));
}

/// A leaf that needs the user's signature, its tree, and a signed transaction that spends it.
fn tapscript_spend(chain: &Subject, user: &User) -> Transaction {
    let keypair = Keypair::from_secret_key(&user.secp, &user.secret);
    let (key, _) = keypair.x_only_public_key();
    let leaf = Builder::new().push_x_only_key(&key).push_opcode(OP_CHECKSIG).into_script();
    let tree = TaprootBuilder::new().add_leaf(0, leaf.clone()).unwrap();
    let info: TaprootSpendInfo = tree.finalize(&user.secp, key).unwrap();
    let coin = fund(chain, &ScriptBuf::new_p2tr_tweaked(info.output_key()), 100_000);
    let mut tx = spend(std::slice::from_ref(&coin), vec![output(&user.p2tr(), 99_000)]);
    let hash = SighashCache::new(&tx)
        .taproot_script_spend_signature_hash(
            0,
            &Prevouts::All(&[&coin.output]),
            TapLeafHash::from_script(&leaf, LeafVersion::TapScript),
            TapSighashType::Default,
        )
        .unwrap();
    let signature = user.secp.sign_schnorr_no_aux_rand(&Message::from_digest(hash.to_byte_array()), &keypair);
    let control = info.control_block(&(leaf.clone(), LeafVersion::TapScript)).unwrap().serialize();
    tx.input[0].witness = Witness::from_slice(&[signature.as_ref().to_vec(), leaf.to_bytes(), control]);
    tx
}

pub fn a_taproot_script_path_needs_a_good_signature_and_control_block() {
    let (chain, user) = (chain(), user());
    let good = tapscript_spend(&chain, &user);
    chain.test_accept(&good).unwrap();
    let mut changed = good.clone();
    changed.output[0].value -= Amount::ONE_SAT;
    assert_eq!(script_refusal(&chain, &changed), failed("Invalid Schnorr signature"));
    let with_control = |control: &[u8]| {
        let mut tx = good.clone();
        let stack: Vec<Vec<u8>> = tx.input[0].witness.to_vec();
        tx.input[0].witness = Witness::from_slice(&[&stack[0], &stack[1], control]);
        script_refusal(&chain, &tx)
    };
    let control = good.input[0].witness.last().unwrap();
    assert_eq!(with_control(&control[..32]), failed("Invalid Taproot control block size"));
    let mut other_key = control.to_vec();
    other_key[0] ^= 1;
    assert_eq!(with_control(&other_key), failed("Witness program hash mismatch"));
}

pub fn a_witness_script_must_be_the_committed_one_and_be_satisfied() {
    let (chain, user) = (chain(), user());
    let script = Builder::new().push_key(&user.public().into()).push_opcode(OP_CHECKSIG).into_script();
    let coin = fund(&chain, &script.to_p2wsh(), 100_000);
    let tx = spend(std::slice::from_ref(&coin), vec![output(&user.p2wpkh(), 99_000)]);
    let good = user.sign_p2wsh(tx, &coin, &script);
    chain.test_accept(&good).unwrap();
    let mut other = good.clone();
    other.input[0].witness = Witness::from_slice(&[ScriptBuf::from_bytes(vec![0x51]).to_bytes()]);
    assert_eq!(script_refusal(&chain, &other), failed("Witness program hash mismatch"));
    let mut changed = good;
    changed.output[0].value -= Amount::ONE_SAT;
    let null_fail = "Signature must be zero for failed CHECK(MULTI)SIG operation";
    assert_eq!(script_refusal(&chain, &changed), failed(null_fail));
}

pub fn an_anchor_can_be_spent_by_anyone_and_without_a_witness() {
    let (chain, user) = (chain(), user());
    let anchor = fund(&chain, &ScriptBuf::new_p2a(), 10_000);
    let tx = spend(&[anchor], vec![output(&user.p2wpkh(), 9_000)]);
    chain.test_accept(&tx).unwrap();
    let mut bloated = tx;
    bloated.input[0].witness.push([1]);
    assert_eq!(refusal(&chain, &bloated), "bad-witness-nonstandard");
}

pub fn spends_that_bitcoind_would_not_relay_are_refused() {
    let (chain, user) = (chain(), user());
    let future =
        ScriptBuf::new_witness_program(&bitcoin::WitnessProgram::new(bitcoin::WitnessVersion::V2, &[1; 32]).unwrap());
    let coin = fund(&chain, &future, 100_000);
    let tx = spend(&[coin], vec![output(&user.p2wpkh(), 99_000)]);
    assert_eq!(refusal(&chain, &tx), "bad-txns-nonstandard-inputs");

    let script = Builder::new().push_opcode(OP_PUSHNUM_1).into_script();
    let coin = fund(&chain, &script.to_p2wsh(), 100_000);
    let mut tx = spend(&[coin], vec![output(&user.p2wpkh(), 99_000)]);
    tx.input[0].witness = Witness::from_slice(&[vec![1; 81], script.to_bytes()]);
    assert_eq!(refusal(&chain, &tx), "bad-witness-nonstandard");

    let coin = fund(&chain, &user.p2tr(), 100_000);
    let tx = spend(std::slice::from_ref(&coin), vec![output(&user.p2wpkh(), 99_000)]);
    let mut tx = user.sign_taproot(tx, &coin);
    tx.input[0].witness.push([0x50, 1]);
    assert_eq!(refusal(&chain, &tx), "bad-witness-nonstandard");
}
