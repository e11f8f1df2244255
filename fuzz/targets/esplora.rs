//! What an Esplora server answers: as the probe in `crates/lightning` reads it, as the types read it by which ldk-node asks
//! such a server, and as the devnet writes it.
//!
//! The sources are taken in by their files: the lightning crate would bring the whole node into the build. The first byte
//! of an input says which answer the rest is.

#![no_main]

use std::{fmt::Debug, sync::Arc};

use bitcoin::{
    Amount, BlockHash, MerkleBlock, Network, OutPoint, Transaction, TxOut,
    block::Header,
    consensus::{Decodable, deserialize},
    constants::genesis_block,
    hex::FromHex as _,
    transaction::Version,
};
use esplora_client::{BlockStatus, BlockSummary, MerkleProof, OutputStatus, Tx, TxStatus};
use libfuzzer_sys::fuzz_target;
use serde::de::DeserializeOwned;

use self::{
    answer::Unfit,
    backend::{BlockId, Spend, TxEntry},
    devnet_json::{SpendValue, Status, TxValue},
};

#[path = "../../crates/lightning/src/esplora/answer.rs"]
mod answer;
#[allow(dead_code, reason = "the devnet's other answers")]
#[path = "../../crates/devnet/src/backend.rs"]
mod backend;
#[allow(dead_code, reason = "the devnet's other answers")]
#[path = "../../crates/devnet/src/esplora/json.rs"]
mod devnet_json;
#[allow(dead_code, reason = "the backend names it")]
#[path = "../../crates/devnet/src/error.rs"]
mod error;
#[allow(dead_code, reason = "the bounds of the devnet")]
#[path = "../../crates/devnet/src/limits.rs"]
mod limits;

fuzz_target!(|input: &[u8]| {
    let Some((way, body)) = input.split_first() else { return };
    match way % 6 {
        0 => block_hash(body),
        1 => fee_estimates(body),
        2 => json_types(body),
        3 => binary(body),
        4 => {
            std::str::from_utf8(body).ok().and_then(|hex| Vec::from_hex(hex).ok()).iter().for_each(|body| binary(body))
        }
        _ => devnet(body),
    }
});

/// The words for a log and the node's status are the probe's own, whatever the server says.
fn is_no_answer(unfit: &Unfit) {
    assert_eq!(*unfit, Unfit::Away("its answer is not of the Esplora API".into()));
}

fn block_hash(body: &[u8]) {
    match answer::block_hash(body) {
        Ok(hash) => {
            assert_eq!(hash.to_string().as_bytes(), body.to_ascii_lowercase());
            verdict(hash, &answer::FeeEstimates::new());
        }
        Err(unfit) => {
            assert!(body.len() != 64 || !body.iter().all(u8::is_ascii_hexdigit));
            is_no_answer(&unfit);
        }
    }
}

fn fee_estimates(body: &[u8]) {
    match answer::fee_estimates(body) {
        Ok(fees) => {
            assert!(fees.values().all(|rate| rate.is_finite()));
            let again = serde_json::to_vec(&fees).expect("numbers by numbers");
            let again = answer::fee_estimates(&again).expect("it was written as such an answer");
            // serde_json reads floats to within their last bit or so.
            let is_near = |(target, rate): (&u16, &f64)| (again[target] - rate).abs() <= rate.abs() * 1e-12;
            assert!(again.len() == fees.len() && fees.iter().all(is_near));
            for network in [Network::Regtest, Network::Bitcoin] {
                verdict(genesis_block(network).block_hash(), &fees);
            }
        }
        Err(unfit) => is_no_answer(&unfit),
    }
}

/// A server is fit for the network of its genesis block alone, and on Bitcoin itself only with fee estimates.
fn verdict(genesis: BlockHash, fees: &answer::FeeEstimates) {
    for network in [Network::Regtest, Network::Signet, Network::Bitcoin] {
        let is_own = genesis == genesis_block(network).block_hash();
        match answer::check(network, genesis, fees) {
            Ok(()) => assert!(is_own && !(network == Network::Bitcoin && fees.is_empty())),
            Err(Unfit::OtherNetwork(other)) => assert!(!is_own && other == genesis),
            Err(Unfit::Away(_)) => assert!(is_own && network == Network::Bitcoin && fees.is_empty()),
        }
    }
}

/// JSON as ldk-node reads it of the same server.
fn json_types(body: &[u8]) {
    fn read<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
        serde_json::from_slice(body).ok()
    }
    if let Some(tx) = read::<Tx>(body) {
        let transaction = tx.to_tx();
        assert_eq!((transaction.input.len(), transaction.output.len()), (tx.vin.len(), tx.vout.len()));
        assert_eq!(tx.previous_outputs().len(), tx.vin.len());
        assert!(tx.confirmation_time().is_none() || tx.status.confirmed);
    }
    read::<TxStatus>(body);
    read::<OutputStatus>(body);
    read::<BlockStatus>(body);
    read::<BlockSummary>(body);
    read::<Vec<BlockSummary>>(body);
    read::<MerkleProof>(body);
}

/// Binary answers, or what stands in hex in an answer.
fn binary(body: &[u8]) {
    fn read<T: Decodable>(body: &[u8]) -> Option<T> {
        deserialize(body).ok()
    }
    if let Some(block) = read::<MerkleBlock>(body) {
        let (mut matches, mut indexes) = (Vec::new(), Vec::new());
        if block.txn.extract_matches(&mut matches, &mut indexes).is_ok() {
            assert_eq!(matches.len(), indexes.len());
            assert!(indexes.iter().all(|index| *index < block.txn.num_transactions()));
        }
    }
    if let Some(header) = read::<Header>(body) {
        let _ = (header.block_hash(), header.target(), header.work());
    }
    if let Some(tx) = read::<Transaction>(body) {
        assert_eq!(bitcoin::consensus::serialize(&tx), body);
    }
}

/// What the devnet writes of a transaction, ldk-node's client reads as the same transaction.
fn devnet(body: &[u8]) {
    let Ok(mut tx) = deserialize::<Transaction>(body) else { return };
    // The devnet takes versions 1 to 3 alone, and the client reads 31 bits.
    tx.version = Version(tx.version.0 & i32::MAX);
    let most_sat = Amount::MAX_MONEY.to_sat();
    tx.output.iter_mut().for_each(|output| output.value = Amount::from_sat(output.value.to_sat() % (most_sat + 1)));
    let coins = |at: usize| tx.output.get(at).cloned().unwrap_or(TxOut { value: Amount::ONE_SAT, ..TxOut::NULL });
    let prevout = |(at, outpoint): (usize, OutPoint)| (!outpoint.is_null()).then(|| coins(at));
    let prevouts = tx.input.iter().map(|input| input.previous_output).enumerate().map(prevout).collect();
    let hash = genesis_block(Network::Regtest).block_hash();
    let confirmation =
        tx.input.len().is_multiple_of(2).then_some(BlockId { height: tx.lock_time.to_consensus_u32(), hash, time: 7 });
    let entry = TxEntry { txid: tx.compute_txid(), tx: Arc::new(tx), prevouts, confirmation };

    let read: Tx = same(&TxValue::from(&entry));
    assert_eq!(read.to_tx(), *entry.tx);
    assert_eq!(read.txid, entry.txid);
    assert_eq!(read.previous_outputs(), entry.prevouts);
    assert_eq!((read.size, read.weight), (entry.tx.total_size(), entry.tx.weight().to_wu()));
    assert_eq!(read.vin.iter().any(|input| input.is_coinbase), entry.prevouts.iter().any(Option::is_none));
    let status: TxStatus = same(&Status::from(confirmation));
    assert_eq!(status, read.status);
    assert_eq!(status.block_height, confirmation.map(|block| block.height));
    let spend = confirmation.map(|_| Spend { txid: entry.txid, vin: 3, confirmation });
    let spent: OutputStatus = same(&SpendValue::from(spend));
    assert_eq!(
        (spent.spent, spent.txid, spent.vin),
        (spend.is_some(), spend.map(|spend| spend.txid), spend.map(|_| 3))
    );
}

/// Through JSON from the devnet's type to the client's.
fn same<T: DeserializeOwned + Debug>(value: &impl serde::Serialize) -> T {
    let json = serde_json::to_vec(value).expect("the devnet's answers have a JSON form");
    serde_json::from_slice(&json).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&json)))
}
