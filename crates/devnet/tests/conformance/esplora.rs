//! Every endpoint of the Esplora API, asked by the esplora-client crate that ldk-node and BDK use, and by plain HTTP.

use std::collections::HashMap;

use bitcoin::{
    Address, BlockHash, MerkleBlock, OutPoint, Transaction, Txid,
    consensus::encode::{deserialize, serialize, serialize_hex},
    constants::genesis_block,
    hashes::{Hash, sha256},
};
use esplora_client::{AsyncClient, Error};
use reqwest::StatusCode;
use serde_json::json;

use crate::support::*;

const NOBODY: &str = "0000000000000000000000000000000000000000000000000000000000000001";

pub async fn blocks_are_told_by_height_and_hash() {
    let devnet = devnet().await;
    let client = client(&devnet);
    assert_eq!(client.get_height().await.unwrap(), 120);
    let tip = client.get_tip_hash().await.unwrap();
    assert_eq!(client.get_block_hash(120).await.unwrap(), tip);
    let genesis = genesis_block(bitcoin::Network::Regtest);
    assert_eq!(client.get_block_hash(0).await.unwrap(), genesis.block_hash());

    let newest = client.get_block_infos(None).await.unwrap();
    assert_eq!(newest.iter().map(|block| block.height).collect::<Vec<_>>(), (111..=120).rev().collect::<Vec<_>>());
    assert_eq!(newest[0].id, tip);
    let lowest = client.get_block_infos(Some(3)).await.unwrap();
    assert_eq!(lowest.iter().map(|block| block.height).collect::<Vec<_>>(), [3, 2, 1, 0]);
    assert_eq!(lowest[3].previousblockhash, None);

    let block = client.get_block_by_hash(&tip).await.unwrap().unwrap();
    assert_eq!(block.block_hash(), tip);
    assert_eq!(client.get_header_by_hash(&tip).await.unwrap(), block.header);
    assert_eq!(client.get_block_info(&tip).await.unwrap(), newest[0]);
    let info = &newest[0];
    assert_eq!((info.size, info.weight, info.tx_count), (block.total_size(), block.weight().to_wu(), 1));
    assert_eq!(
        (info.merkle_root, info.bits, info.nonce),
        (block.header.merkle_root, block.header.bits, block.header.nonce)
    );
    let txids = client.get_block_txids(&tip).await.unwrap();
    assert_eq!(txids, [block.txdata[0].compute_txid()]);
    assert_eq!(client.get_txid_at_block_index(&tip, 0).await.unwrap(), Some(txids[0]));
    assert_eq!(client.get_txid_at_block_index(&tip, 1).await.unwrap(), None);
    let txs = client.get_block_txs(&tip, None).await.unwrap();
    assert_eq!(txs[0].to_tx(), block.txdata[0]);
    assert_eq!(get_json(&devnet, &format!("/block/{tip}/txs/25")).await, json!([]));
    assert!(txs[0].vin[0].is_coinbase && txs[0].vin[0].prevout.is_none() && txs[0].fee == 0);
}

pub async fn a_stale_and_an_unknown_block_are_not_in_the_best_chain() {
    let devnet = devnet().await;
    let client = client(&devnet);
    let stale = devnet.mine(2).await.unwrap();
    let status = client.get_block_status(&stale[0]).await.unwrap();
    assert_eq!((status.in_best_chain, status.height, status.next_best), (true, Some(121), Some(stale[1])));
    let status = client.get_block_status(&stale[1]).await.unwrap();
    assert_eq!((status.in_best_chain, status.height, status.next_best), (true, Some(122), None));
    devnet.invalidate(stale[0]).await.unwrap();
    devnet.mine(3).await.unwrap();
    for hash in [stale[0], stale[1], NOBODY.parse().unwrap()] {
        let path = format!("/block/{hash}/status");
        assert_eq!(
            get_json(&devnet, &path).await,
            json!({ "in_best_chain": false, "height": null, "next_best": null })
        );
    }
    assert_eq!(client.get_header_by_hash(&stale[0]).await.unwrap().block_hash(), stale[0], "it stays known");
}

pub async fn a_transaction_is_told_before_and_after_its_block() {
    let devnet = devnet().await;
    let client = client(&devnet);
    let funding = fund(&devnet, 100_000).await;
    let tx = pay_on(&funding, &nobody(0), 700);
    let txid = tx.compute_txid();
    client.broadcast(&tx).await.unwrap();

    let info = client.get_tx_info(&txid).await.unwrap().unwrap();
    assert_eq!(info.to_tx(), tx);
    assert_eq!((info.fee, info.size, info.weight), (700, tx.total_size(), tx.weight().to_wu()));
    let prevout = info.vin[0].prevout.clone().unwrap();
    assert_eq!((prevout.value, prevout.scriptpubkey), (100_000, address().script_pubkey()));
    assert!(!info.status.confirmed && info.status.block_height.is_none());
    assert_eq!(client.get_merkle_block(&txid).await.unwrap(), None);
    assert_eq!(client.get_merkle_proof(&txid).await.unwrap(), None);

    let hash = devnet.mine(1).await.unwrap()[0];
    let status = client.get_tx_status(&txid).await.unwrap();
    assert_eq!((status.confirmed, status.block_height, status.block_hash), (true, Some(121), Some(hash)));
    assert_eq!(client.get_tx_info(&txid).await.unwrap().unwrap().status, status);
    assert_eq!(client.get_tx(&txid).await.unwrap(), Some(tx.clone()));
    assert_eq!(get(&devnet, &format!("/tx/{txid}/hex")).await.1, serialize_hex(&tx));
}

pub async fn proofs_lead_to_the_merkle_root() {
    let devnet = devnet().await;
    let client = client(&devnet);
    for index in 0..6 {
        devnet.fund(&nobody(index), 10_000).await.unwrap();
    }
    let hash = devnet.mine(1).await.unwrap()[0];
    let header = client.get_header_by_hash(&hash).await.unwrap();
    for (position, txid) in client.get_block_txids(&hash).await.unwrap().into_iter().enumerate() {
        let proof: MerkleBlock = client.get_merkle_block(&txid).await.unwrap().unwrap();
        let (mut matches, mut indexes) = (Vec::new(), Vec::new());
        proof.extract_matches(&mut matches, &mut indexes).unwrap();
        assert_eq!((proof.header, matches, indexes), (header, vec![txid], vec![position as u32]));
        let proof = client.get_merkle_proof(&txid).await.unwrap().unwrap();
        assert_eq!((proof.block_height, proof.pos, proof.merkle.len()), (121, position, 3));
    }
}

pub async fn spends_of_outputs_are_told_before_and_after_their_block() {
    let devnet = devnet().await;
    let client = client(&devnet);
    let funding = fund(&devnet, 100_000).await;
    let tx = pay_on(&funding, &nobody(0), 700);
    let OutPoint { txid, vout } = tx.input[0].previous_output;
    let unspent = client.get_output_status(&txid, vout.into()).await.unwrap().unwrap();
    assert!(!unspent.spent && unspent.txid.is_none());
    client.broadcast(&tx).await.unwrap();
    let spent = client.get_output_status(&txid, vout.into()).await.unwrap().unwrap();
    assert_eq!((spent.txid, spent.vin), (Some(tx.compute_txid()), Some(0)));
    assert!(!spent.status.unwrap().confirmed);
    devnet.mine(1).await.unwrap();
    let spends = client.get_tx_outspends(&txid).await.unwrap();
    assert_eq!(spends.len(), funding.output.len());
    assert_eq!(spends.iter().filter(|spend| spend.spent).count(), 1);
    assert_eq!(spends[vout as usize].status.as_ref().unwrap().block_height, Some(121));
    assert_eq!(get_json(&devnet, &format!("/tx/{NOBODY}/outspend/0")).await, json!({ "spent": false }));
}

pub async fn an_address_and_its_script_hash_have_the_same_history() {
    let devnet = devnet().await;
    let client = client(&devnet);
    let own = address();
    devnet.mine_to(30, &own).await.unwrap();
    let funding = fund(&devnet, 100_000).await;
    devnet.mine(1).await.unwrap();
    client.broadcast(&pay_on(&funding, &own, 700)).await.unwrap();
    let script = own.script_pubkey();

    let first = client.scripthash_txs(&script, None).await.unwrap();
    assert_eq!((first.len(), first[0].status.confirmed, first[1].txid), (26, false, funding.compute_txid()));
    let rest = client.scripthash_txs(&script, Some(first[25].txid)).await.unwrap();
    assert_eq!(rest.len(), 6);
    assert_eq!(rest[5].status.block_height, Some(121), "the oldest comes last");
    assert_eq!(client.get_address_txs(&own, None).await.unwrap(), first);
    assert_eq!(client.get_address_txs(&own, Some(first[25].txid)).await.unwrap(), rest);
    for kind in [format!("address/{own}"), format!("scripthash/{:x}", Hex(script_hash(&own).as_byte_array()))] {
        let confirmed = get_json(&devnet, &format!("/{kind}/txs/chain")).await;
        let txids: Vec<Txid> =
            confirmed.as_array().unwrap().iter().map(|tx| tx["txid"].as_str().unwrap().parse().unwrap()).collect();
        assert_eq!(txids, first[1..].iter().map(|tx| tx.txid).collect::<Vec<_>>());
    }
    assert_eq!(client.get_mempool_address_txs(&own).await.unwrap(), first[..1]);
    assert_eq!(client.get_mempool_scripthash_txs(&script).await.unwrap(), first[..1]);

    let stats = client.get_address_stats(&own).await.unwrap();
    assert_eq!(
        (stats.address, stats.chain_stats.tx_count, stats.chain_stats.funded_txo_count),
        (own.to_string(), 31, 31)
    );
    assert_eq!((stats.chain_stats.spent_txo_count, stats.mempool_stats.spent_txo_sum), (0, 100_000));
    assert_eq!((stats.mempool_stats.tx_count, stats.mempool_stats.funded_txo_sum), (1, 99_300));
    let by_hash = client.get_scripthash_stats(&script).await.unwrap();
    assert_eq!((by_hash.chain_stats, by_hash.mempool_stats), (stats.chain_stats, stats.mempool_stats));

    let utxos = client.get_address_utxos(&own).await.unwrap();
    assert_eq!(utxos.len(), 31);
    assert!(utxos[..30].iter().all(|utxo| utxo.status.confirmed) && !utxos[30].status.confirmed);
    assert_eq!(utxos[30].value.to_sat(), 99_300);
    assert_eq!(client.get_scripthash_utxos(&script).await.unwrap(), utxos);
}

pub async fn the_mempool_and_fee_estimates_are_told() {
    let devnet = devnet().await;
    let client = client(&devnet);
    let empty = client.get_mempool_stats().await.unwrap();
    assert_eq!((empty.count, empty.vsize, empty.total_fee, empty.fee_histogram), (0, 0, 0, vec![]));
    let funding = fund(&devnet, 100_000).await;
    let tx = pay_on(&funding, &nobody(0), 700);
    client.broadcast(&tx).await.unwrap();
    let stats = client.get_mempool_stats().await.unwrap();
    assert_eq!((stats.count, stats.vsize), (2, tx.vsize() + funding.vsize()));
    assert_eq!(stats.fee_histogram[0].1, stats.vsize);
    assert_eq!(client.get_mempool_txids().await.unwrap(), [funding.compute_txid(), tx.compute_txid()]);
    let recent = client.get_mempool_recent_txs().await.unwrap();
    assert_eq!((recent[0].txid, recent[0].fee, recent[0].value), (tx.compute_txid(), 700, 100_000));
    let estimates = client.get_fee_estimates().await.unwrap();
    // The targets that ldk-node asks for are 1 to 1,008 blocks; each finds an estimate at or below it.
    for target in [1, 2, 6, 12, 144, 1_008] {
        assert_eq!(esplora_client::convert_fee_rate(target, estimates.clone()), Some(2.0));
    }
}

pub async fn a_repeated_broadcast_is_taken_and_a_refused_one_is_told_in_bitcoinds_words() {
    let devnet = devnet().await;
    let client = client(&devnet);
    let funding = fund(&devnet, 100_000).await;
    let tx = pay_on(&funding, &nobody(0), 700);
    client.broadcast(&tx).await.unwrap();
    client.broadcast(&tx).await.expect("a rebroadcast of what waits is no error");
    let refused = async |tx: &Transaction| match client.broadcast(tx).await.unwrap_err() {
        Error::HttpResponse { status: 400, message } => message,
        error => panic!("{error}"),
    };
    let other = pay_on(&funding, &nobody(0), 500);
    let cheaper = format!(
        r#"sendrawtransaction RPC error: {{"code":-26,"message":"insufficient fee, rejecting replacement {}; new feerate "#,
        other.compute_txid()
    );
    let conflict = refused(&other).await;
    assert!(conflict.starts_with(&cheaper), "{conflict}");
    devnet.mine(1).await.unwrap();
    let confirmed = r#"sendrawtransaction RPC error: {"code":-27,"message":"Transaction outputs already in utxo set"}"#;
    assert_eq!(refused(&tx).await, confirmed);
    let missing = r#"sendrawtransaction RPC error: {"code":-25,"message":"bad-txns-inputs-missingorspent"}"#;
    assert_eq!(refused(&other).await, missing);
    let funding = fund(&devnet, 100_000).await;
    let cheap = pay_on(&funding, &nobody(0), 10);
    let fee = format!(
        r#"sendrawtransaction RPC error: {{"code":-26,"message":"min relay fee not met, 10 < {}"}}"#,
        cheap.vsize().div_ceil(10)
    );
    assert_eq!(refused(&cheap).await, fee);
    let undecodable = concat!(
        r#"sendrawtransaction RPC error: {"code":-22,"#,
        r#""message":"TX decode failed. Make sure the tx has at least one input."}"#
    );
    for body in ["", "x", "00", "zz", &serialize_hex(&tx)[2..]] {
        assert_eq!(post(&devnet, "/tx", body.to_owned()).await, (StatusCode::BAD_REQUEST, undecodable.to_owned()));
    }
}

pub async fn what_is_wrong_or_missing_is_answered_as_esplora_does() {
    let devnet = devnet().await;
    let not_found = StatusCode::NOT_FOUND;
    let bad = StatusCode::BAD_REQUEST;
    for (path, status, text) in [
        ("/tx/NOBODY", not_found, "Transaction not found"),
        ("/tx/NOBODY/raw", not_found, "Transaction not found"),
        ("/tx/NOBODY/hex", not_found, "Transaction not found"),
        ("/tx/NOBODY/outspends", not_found, "Transaction not found"),
        ("/tx/NOBODY/merkle-proof", not_found, "Transaction not found or is unconfirmed"),
        ("/tx/NOBODY/merkleblock-proof", not_found, "Transaction not found or is unconfirmed"),
        ("/tx/NOBODY/status", StatusCode::OK, r#"{"confirmed":false}"#),
        ("/tx/xyz", bad, "Invalid hex string"),
        ("/tx/NOBODY/outspend/x", bad, "Invalid number"),
        ("/block/NOBODY", not_found, "Block not found"),
        ("/block/NOBODY/raw", not_found, "Block not found"),
        ("/block/NOBODY/header", not_found, "Block not found"),
        ("/block/NOBODY/txids", not_found, "Block not found"),
        ("/block/NOBODY/txs", not_found, "Block not found"),
        ("/block/NOBODY/txs/7", bad, "start index must be a multiple of 25"),
        ("/block/xyz/status", bad, "Invalid hex string"),
        ("/block-height/121", not_found, "Block not found"),
        ("/block-height/99999999999", not_found, "Block not found"),
        ("/block-height/-1", bad, "Invalid number"),
        ("/blocks/121", not_found, "Block not found"),
        ("/scripthash/xyz/txs", bad, "Invalid scripthash"),
        ("/address/bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4/txs", bad, "Address on invalid network"),
        ("/no/such/path", not_found, r#"endpoint does not exist "/no/such/path""#),
        ("/devnet/mine", not_found, r#"endpoint does not exist "/devnet/mine""#),
    ] {
        let answer = get(&devnet, &path.replace("NOBODY", NOBODY)).await;
        assert_eq!(answer, (status, text.to_owned()), "{path}");
    }
    let (status, text) = post(&devnet, "/tx", vec![b'0'; 1_000_001]).await;
    assert_eq!((status, text.as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "Request body too large"));
}

pub async fn the_json_of_a_transaction_and_a_block_has_esploras_fields() {
    let devnet = devnet().await;
    let funding = fund(&devnet, 100_000).await;
    let tx = pay_on(&funding, &nobody(0), 700);
    devnet.broadcast(tx.clone()).await.unwrap();
    let hash = devnet.mine(1).await.unwrap()[0];
    let value = get_json(&devnet, &format!("/tx/{}", tx.compute_txid())).await;
    let time = get_json(&devnet, &format!("/block/{hash}")).await["timestamp"].clone();
    let own = address().script_pubkey();
    let witness: Vec<String> = tx.input[0].witness.iter().map(|item| format!("{:x}", Hex(item))).collect();
    let expected = json!({
        "txid": tx.compute_txid(), "version": 2, "locktime": 0, "size": tx.total_size(),
        "weight": tx.weight().to_wu(), "fee": 700,
        "vin": [{
            "txid": funding.compute_txid(), "vout": tx.input[0].previous_output.vout,
            "prevout": {
                "scriptpubkey": own.to_hex_string(), "scriptpubkey_asm": own.to_asm_string(),
                "scriptpubkey_type": "v0_p2wpkh", "scriptpubkey_address": address().to_string(), "value": 100_000,
            },
            "scriptsig": "", "scriptsig_asm": "", "witness": witness, "is_coinbase": false, "sequence": 4_294_967_295u32,
        }],
        "vout": [{
            "scriptpubkey": nobody(0).script_pubkey().to_hex_string(),
            "scriptpubkey_asm": nobody(0).script_pubkey().to_asm_string(),
            "scriptpubkey_type": "v0_p2wsh", "scriptpubkey_address": nobody(0).to_string(), "value": 99_300,
        }],
        "status": { "confirmed": true, "block_height": 121, "block_hash": hash, "block_time": time },
    });
    assert_eq!(value, expected);
    let block = get_json(&devnet, &format!("/block/{hash}")).await;
    let fields: Vec<&str> = block.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = vec![
        "id",
        "height",
        "version",
        "timestamp",
        "tx_count",
        "size",
        "weight",
        "merkle_root",
        "previousblockhash",
        "mediantime",
        "nonce",
        "bits",
        "difficulty",
    ];
    expected.sort_unstable();
    assert_eq!(fields, expected);
    assert_eq!((&block["bits"], &block["version"]), (&json!(0x207f_ffff_u32), &json!(0x2000_0000)));
}

/// Bytes in hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl std::fmt::LowerHex for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The SHA-256 of an address's script.
fn script_hash(address: &Address) -> sha256::Hash {
    sha256::Hash::hash(address.script_pubkey().as_bytes())
}

/// A script's whole history, page by page, as bdk_esplora 0.22 fetches it (`fetch_txs_with_keychain_spks`).
async fn whole_history(client: AsyncClient, index: u32) -> (u32, Vec<esplora_client::Tx>) {
    let script = nobody(index).script_pubkey();
    let (mut txs, mut last_seen) = (Vec::new(), None);
    loop {
        let page = client.scripthash_txs(&script, last_seen).await.unwrap();
        let count = page.len();
        last_seen = page.last().map(|tx| tx.txid);
        txs.extend(page);
        if count < 25 {
            return (index, txs);
        }
    }
}

pub async fn a_full_scan_of_many_scripts_in_parallel_finds_all_and_agrees_with_the_blocks() {
    let devnet = devnet().await;
    devnet.mine_to(60, &nobody(3)).await.unwrap();
    for index in [5, 17, 40] {
        devnet.fund(&nobody(index), 50_000).await.unwrap();
        devnet.mine(1).await.unwrap();
    }
    devnet.fund(&nobody(59), 50_000).await.unwrap();
    let client = client(&devnet);
    let latest: HashMap<u32, BlockHash> =
        client.get_block_infos(None).await.unwrap().into_iter().map(|block| (block.height, block.id)).collect();
    let mut scans = tokio::task::JoinSet::new();
    for index in 0..80 {
        scans.spawn(whole_history(client.clone(), index));
    }
    let found: HashMap<u32, Vec<esplora_client::Tx>> = scans.join_all().await.into_iter().collect();
    let counts = |index: u32| found[&index].len();
    assert_eq!((counts(3), counts(5), counts(17), counts(40), counts(59)), (60, 1, 1, 1, 1));
    assert_eq!(found.values().map(Vec::len).sum::<usize>(), 64, "nothing else");
    for status in found.values().flatten().map(|tx| &tx.status) {
        let Some(height) = status.block_height else { continue };
        let hash = match latest.get(&height) {
            Some(hash) => *hash,
            None => client.get_block_hash(height).await.unwrap(),
        };
        assert_eq!(status.block_hash, Some(hash));
    }
    let tx = client.get_tx_info(&found[&59][0].txid).await.unwrap().unwrap();
    assert!(!tx.status.confirmed);
}

pub async fn a_lightning_sync_follows_a_transaction_through_a_reorganisation() {
    // The calls of lightning-transaction-sync 0.2.7 (`src/esplora.rs`), in their order.
    let devnet = devnet().await;
    let client = client(&devnet);
    let funding = fund(&devnet, 100_000).await;
    let confirmed_in = async |txid: &Txid| {
        let tip = client.get_tip_hash().await.unwrap();
        let header = client.get_header_by_hash(&tip).await.unwrap();
        assert_eq!(header.block_hash(), tip);
        assert!(client.get_block_status(&tip).await.unwrap().in_best_chain);
        let proof = client.get_merkle_block(txid).await.unwrap()?;
        let status = client.get_block_status(&proof.header.block_hash()).await.unwrap();
        assert_eq!(client.get_tx(txid).await.unwrap().unwrap().compute_txid(), *txid);
        status.height.map(|height| (height, proof.header.block_hash()))
    };
    let txid = funding.compute_txid();
    assert_eq!(confirmed_in(&txid).await, None);
    let first = devnet.mine(1).await.unwrap()[0];
    assert_eq!(confirmed_in(&txid).await, Some((121, first)));
    devnet.invalidate(first).await.unwrap();
    assert!(!client.get_block_status(&first).await.unwrap().in_best_chain);
    assert_eq!(confirmed_in(&txid).await, None);
    let second = devnet.mine(2).await.unwrap()[0];
    assert_ne!(second, first);
    assert_eq!(confirmed_in(&txid).await, Some((121, second)));
}

pub async fn raw_bytes_and_script_hashes_are_in_the_order_that_esplora_has_them() {
    let devnet = devnet().await;
    let funding = fund(&devnet, 100_000).await;
    let hash = devnet.mine(1).await.unwrap()[0];
    let raw = reqwest::get(format!("{}/block/{hash}/raw", devnet.url())).await.unwrap();
    assert_eq!(raw.headers()["content-type"], "application/octet-stream");
    let block: bitcoin::Block = deserialize(&raw.bytes().await.unwrap()).unwrap();
    assert_eq!(block.block_hash(), hash);
    let raw = reqwest::get(format!("{}/tx/{}/raw", devnet.url(), funding.compute_txid())).await.unwrap();
    assert_eq!(raw.bytes().await.unwrap(), serialize(&funding));
    let digits = format!("{:x}", Hex(script_hash(&address()).as_byte_array()));
    let txs = get_json(&devnet, &format!("/scripthash/{digits}/txs")).await;
    assert_eq!(txs[0]["txid"], json!(funding.compute_txid()));
}
