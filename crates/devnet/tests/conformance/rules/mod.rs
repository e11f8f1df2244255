//! The rules of consensus and relay, asked without HTTP, each with real transactions: what the cases share.

pub mod blocks;
pub mod limits;
pub mod locks;
pub mod rejections;
pub mod reorganisations;
pub mod replacements;
pub mod scripts;

use bitcoin::{
    Address, Amount, CompressedPublicKey, EcdsaSighashType, Network, OutPoint, ScriptBuf, Sequence, TapSighashType,
    Transaction, TxIn, TxOut, Txid, Witness, absolute, ecdsa,
    hashes::{Hash, sha256},
    key::{Secp256k1, TapTweak},
    secp256k1::{All, Keypair, Message, SecretKey},
    sighash::{Prevouts, SighashCache},
    taproot, transaction,
};

use boltgram_devnet::{DevnetError, Rejection};

use crate::{shadow, subject::Subject};

/// An output that a test may spend.
#[derive(Clone)]
struct Coin {
    outpoint: OutPoint,
    output: TxOut,
}

/// A user beside the devnet's wallet.
struct User {
    secp: Secp256k1<All>,
    secret: SecretKey,
}

fn chain() -> Subject {
    Subject::new(120)
}

/// The hash that a script is indexed by.
fn script_hash(script: &ScriptBuf) -> sha256::Hash {
    sha256::Hash::hash(script.as_bytes())
}

fn user() -> User {
    User { secp: Secp256k1::new(), secret: SecretKey::from_slice(&[7; 32]).unwrap() }
}

/// Pays a script from the devnet's wallet and confirms it.
fn fund(chain: &Subject, script: &ScriptBuf, amount_sat: u64) -> Coin {
    let coin = fund_unconfirmed(chain, script, amount_sat);
    chain.mine(1, None).unwrap();
    coin
}

fn fund_unconfirmed(chain: &Subject, script: &ScriptBuf, amount_sat: u64) -> Coin {
    let txid = chain.fund(&Address::from_script(script, Network::Regtest).unwrap(), amount_sat).unwrap();
    coins(&chain.tx(&txid).unwrap().unwrap().tx).into_iter().find(|coin| coin.output.script_pubkey == *script).unwrap()
}

/// A transaction's outputs.
fn coins(tx: &Transaction) -> Vec<Coin> {
    let txid = tx.compute_txid();
    let outputs = (0u32..).zip(&tx.output);
    outputs.map(|(vout, output)| Coin { outpoint: OutPoint { txid, vout }, output: output.clone() }).collect()
}

fn output(script: &ScriptBuf, value_sat: u64) -> TxOut {
    TxOut { value: Amount::from_sat(value_sat), script_pubkey: script.clone() }
}

/// An unsigned transaction with final inputs.
fn spend(coins: &[Coin], output: Vec<TxOut>) -> Transaction {
    let input = coins.iter().map(|coin| TxIn {
        previous_output: coin.outpoint,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: Witness::new(),
    });
    Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: input.collect(),
        output,
    }
}

impl User {
    fn public(&self) -> CompressedPublicKey {
        CompressedPublicKey(self.secret.public_key(&self.secp))
    }

    fn p2wpkh(&self) -> ScriptBuf {
        ScriptBuf::new_p2wpkh(&self.public().wpubkey_hash())
    }

    fn p2tr(&self) -> ScriptBuf {
        let (internal, _) = Keypair::from_secret_key(&self.secp, &self.secret).x_only_public_key();
        ScriptBuf::new_p2tr(&self.secp, internal, None)
    }

    /// Signs every input, which all spend P2WPKH outputs of this user.
    fn sign(&self, mut tx: Transaction, spent: &[Coin]) -> Transaction {
        for (index, coin) in spent.iter().enumerate() {
            let hash = SighashCache::new(&tx)
                .p2wpkh_signature_hash(index, &coin.output.script_pubkey, coin.output.value, EcdsaSighashType::All)
                .unwrap();
            let message = Message::from_digest(hash.to_byte_array());
            let signature = ecdsa::Signature::sighash_all(self.secp.sign_ecdsa_low_r(&message, &self.secret));
            tx.input[index].witness = Witness::p2wpkh(&signature, &self.public().0);
        }
        tx
    }

    /// Signs the only input, which spends this user's taproot output by its key.
    fn sign_taproot(&self, mut tx: Transaction, spent: &Coin) -> Transaction {
        let prevouts = [&spent.output];
        let hash = SighashCache::new(&tx)
            .taproot_key_spend_signature_hash(0, &Prevouts::All(&prevouts), TapSighashType::Default)
            .unwrap();
        let keypair = Keypair::from_secret_key(&self.secp, &self.secret).tap_tweak(&self.secp, None).to_keypair();
        let signature = self.secp.sign_schnorr_no_aux_rand(&Message::from_digest(hash.to_byte_array()), &keypair);
        tx.input[0].witness =
            Witness::p2tr_key_spend(&taproot::Signature { signature, sighash_type: TapSighashType::Default });
        tx
    }

    /// Signs the only input, which spends a P2WSH output of `script`: the signature is its only argument.
    fn sign_p2wsh(&self, mut tx: Transaction, spent: &Coin, script: &ScriptBuf) -> Transaction {
        let hash =
            SighashCache::new(&tx).p2wsh_signature_hash(0, script, spent.output.value, EcdsaSighashType::All).unwrap();
        let message = Message::from_digest(hash.to_byte_array());
        let signature = ecdsa::Signature::sighash_all(self.secp.sign_ecdsa_low_r(&message, &self.secret));
        tx.input[0].witness = Witness::from_slice(&[signature.to_vec(), script.to_bytes()]);
        tx
    }

    /// A signed transaction that pays one of this user's coins back to the user, less a fee.
    fn pay_back(&self, coin: &Coin, fee_sat: u64) -> Transaction {
        let value_sat = coin.output.value.to_sat() - fee_sat;
        let tx = spend(std::slice::from_ref(coin), vec![output(&self.p2wpkh(), value_sat)]);
        self.sign(tx, std::slice::from_ref(coin))
    }
}

/// Why a broadcast is refused.
fn rejection(chain: &Subject, tx: &Transaction) -> Rejection {
    match chain.broadcast(tx.clone()).expect_err("it is taken") {
        DevnetError::Rejected(rejection) => rejection,
        error => panic!("{error}"),
    }
}

/// The same in one line. Where Bitcoin Core has one word for every input that isn't standard, Bitcoin Knots has one for
/// each kind; here it is Core's.
fn refusal(chain: &Subject, tx: &Transaction) -> String {
    shadow::core_words(rejection(chain, tx)).to_string()
}

/// Why the script of the first input is refused.
fn script_refusal(chain: &Subject, tx: &Transaction) -> String {
    let rejection = rejection(chain, tx);
    let (txid, wtxid, spent) = (tx.compute_txid(), tx.compute_wtxid(), tx.input[0].previous_output);
    assert_eq!(rejection.detail, format!("input 0 of {txid} (wtxid {wtxid}), spending {spent}"), "{rejection}");
    rejection.reason
}

fn txids(chain: &Subject) -> Vec<Txid> {
    chain.mempool().unwrap().into_iter().map(|tx| tx.txid).collect()
}
