//! What the cases over HTTP share: a running devnet, clients, a key to spend with.

use std::{ops::Deref, time::Duration};

use bitcoin::{
    Address, Amount, CompressedPublicKey, EcdsaSighashType, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn,
    TxOut, Txid, Witness, absolute, ecdsa,
    hashes::Hash,
    key::Secp256k1,
    secp256k1::{Message, SecretKey},
    sighash::SighashCache,
    transaction,
};
use boltgram_devnet::{Devnet, DevnetConfig};
use esplora_client::{AsyncClient, Builder};
use reqwest::StatusCode;

use crate::subject::Subject;

pub const DEADLINE: Duration = Duration::from_secs(10);

/// A devnet over the backend that this run is about.
pub struct TestDevnet {
    devnet: Devnet,
    _subject: Subject,
}

impl Deref for TestDevnet {
    type Target = Devnet;

    fn deref(&self) -> &Devnet {
        &self.devnet
    }
}

pub async fn devnet() -> TestDevnet {
    devnet_with(DevnetConfig::default()).await
}

pub async fn devnet_with(config: DevnetConfig) -> TestDevnet {
    let premined_blocks = config.premined_blocks;
    let subject = tokio::task::spawn_blocking(move || Subject::new(premined_blocks)).await.unwrap();
    TestDevnet { devnet: Devnet::start_on(config, subject.backend()).await.unwrap(), _subject: subject }
}

pub fn client(devnet: &Devnet) -> AsyncClient {
    Builder::new(&devnet.url()).timeout(10).build_async().unwrap()
}

fn secret() -> SecretKey {
    SecretKey::from_slice(&[9; 32]).unwrap()
}

/// The address of the test's own key.
pub fn address() -> Address {
    let key = CompressedPublicKey(secret().public_key(&Secp256k1::new()));
    Address::p2wpkh(&key, Network::Regtest)
}

/// An address that nobody has a key of.
pub fn nobody(index: u32) -> Address {
    let script = ScriptBuf::new_op_return(index.to_le_bytes());
    Address::p2wsh(&script, Network::Regtest)
}

/// A signed transaction that pays the output of `funding` at [`address`] to another address, less `fee_sat`.
pub fn pay_on(funding: &Transaction, to: &Address, fee_sat: u64) -> Transaction {
    let own = address().script_pubkey();
    let vout = funding.output.iter().position(|output| output.script_pubkey == own).unwrap();
    let value = funding.output[vout].value;
    let mut tx = Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint { txid: funding.compute_txid(), vout: vout as u32 },
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![TxOut { value: value - Amount::from_sat(fee_sat), script_pubkey: to.script_pubkey() }],
    };
    let secp = Secp256k1::new();
    let hash = SighashCache::new(&tx).p2wpkh_signature_hash(0, &own, value, EcdsaSighashType::All).unwrap();
    let signature = secp.sign_ecdsa_low_r(&Message::from_digest(hash.to_byte_array()), &secret());
    let signature = ecdsa::Signature::sighash_all(signature);
    tx.input[0].witness = Witness::p2wpkh(&signature, &secret().public_key(&secp));
    tx
}

/// Pays the test's own address, unconfirmed.
pub async fn fund(devnet: &Devnet, amount_sat: u64) -> Transaction {
    let txid: Txid = devnet.fund(&address(), amount_sat).await.unwrap();
    client(devnet).get_tx(&txid).await.unwrap().unwrap()
}

/// A plain GET: the status and the text.
pub async fn get(devnet: &Devnet, path: &str) -> (StatusCode, String) {
    let response = reqwest::get(format!("{}{path}", devnet.url())).await.unwrap();
    (response.status(), response.text().await.unwrap())
}

/// A plain GET of JSON.
pub async fn get_json(devnet: &Devnet, path: &str) -> serde_json::Value {
    let (status, text) = get(devnet, path).await;
    assert_eq!(status, StatusCode::OK, "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

/// A POST: the status and the text.
pub async fn post(devnet: &Devnet, path: &str, body: impl Into<reqwest::Body>) -> (StatusCode, String) {
    let response = reqwest::Client::new().post(format!("{}{path}", devnet.url())).body(body).send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

/// A POST of JSON, answered in JSON.
pub async fn post_json(devnet: &Devnet, path: &str, body: &serde_json::Value) -> (StatusCode, serde_json::Value) {
    let (status, text) = post(devnet, path, body.to_string()).await;
    (status, serde_json::from_str(&text).unwrap())
}
