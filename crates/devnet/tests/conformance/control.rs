//! The control routes, the automatic miner, and the handle of a running devnet.

use std::time::{Duration, Instant};

use bitcoin::BlockHash;
use boltgram_devnet::DevnetConfig;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::*;

pub async fn mine_fund_and_invalidate_over_http() {
    let devnet = devnet().await;
    let (status, mined) = post_json(&devnet, "/devnet/mine", &json!({ "blocks": 3 })).await;
    assert_eq!((status, &mined["height"]), (StatusCode::OK, &json!(123)));
    let hashes: Vec<BlockHash> = serde_json::from_value(mined["hashes"].clone()).unwrap();
    assert_eq!(client(&devnet).get_tip_hash().await.unwrap(), hashes[2]);

    let body = json!({ "blocks": 1, "address": address().to_string() });
    post_json(&devnet, "/devnet/mine", &body).await;
    assert_eq!(client(&devnet).get_address_txs(&address(), None).await.unwrap().len(), 1);

    let body = json!({ "address": nobody(0).to_string(), "amount_sat": 123_456 });
    let (status, funded) = post_json(&devnet, "/devnet/fund", &body).await;
    assert_eq!(status, StatusCode::OK);
    let txid = serde_json::from_value(funded["txid"].clone()).unwrap();
    devnet.wait_for_tx(txid, DEADLINE).await.unwrap();
    let tx = client(&devnet).get_tx(&txid).await.unwrap().unwrap();
    assert!(tx.output.iter().any(|output| output.value.to_sat() == 123_456));

    let (status, tip) = post_json(&devnet, "/devnet/invalidate", &json!({ "hash": hashes[1] })).await;
    assert_eq!((status, tip), (StatusCode::OK, json!({ "height": 121, "hash": hashes[0] })));
}

pub async fn a_wrong_control_request_is_told_what_is_wrong() {
    let devnet = devnet().await;
    let own = nobody(0).to_string();
    let unknown = "0000000000000000000000000000000000000000000000000000000000000001";
    let (bad, conflict) = (StatusCode::BAD_REQUEST, StatusCode::CONFLICT);
    let invalid = "INVALID_REQUEST";
    for (path, body, status, code, text) in [
        ("mine", json!({}), bad, invalid, "missing field `blocks`"),
        ("mine", json!({ "blocks": 0 }), bad, invalid, "blocks must be 1 to 1000, not 0"),
        ("mine", json!({ "blocks": 1_001 }), bad, invalid, "blocks must be 1 to 1000, not 1001"),
        ("mine", json!({ "blocks": -1 }), bad, invalid, "expected u32"),
        ("mine", json!({ "blocks": 1, "to": own }), bad, invalid, "unknown field `to`"),
        ("mine", json!({ "blocks": 1, "address": "x" }), bad, invalid, "address is no regtest address"),
        ("fund", json!({ "address": own }), bad, invalid, "missing field `amount_sat`"),
        ("fund", json!({ "address": own, "amount_sat": 1 }), bad, invalid, "amount_sat must be 330 to 10000000000"),
        ("fund", json!({ "address": own, "amount_sat": u64::MAX }), bad, invalid, "amount_sat must be 330 to"),
        ("fund", json!({ "address": own, "amount_sat": 1.5 }), bad, invalid, "expected u64"),
        (
            "fund",
            json!({ "address": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "amount_sat": 1_000 }),
            bad,
            invalid,
            "address is no regtest address",
        ),
        ("invalidate", json!({ "hash": "x" }), bad, invalid, "hash is no block hash"),
        ("invalidate", json!({ "hash": unknown }), StatusCode::NOT_FOUND, "UNKNOWN_BLOCK", "no block has the hash"),
    ] {
        let (answered, error) = post_json(&devnet, &format!("/devnet/{path}"), &body).await;
        assert_eq!((answered, error["code"].as_str()), (status, Some(code)), "{body}: {error}");
        assert!(error["message"].as_str().unwrap().contains(text), "{body}: {error}");
    }
    let poor = devnet_with(DevnetConfig { premined_blocks: 0, ..DevnetConfig::default() }).await;
    let body = json!({ "address": own, "amount_sat": 1_000 });
    let (status, error) = post_json(&poor, "/devnet/fund", &body).await;
    assert_eq!((status, &error["code"]), (conflict, &json!("INSUFFICIENT_FUNDS")));
}

pub async fn the_automatic_miner_mines_what_waits_and_nothing_else() {
    let config = DevnetConfig { auto_mine_ms: Some(20), ..DevnetConfig::default() };
    let devnet = devnet_with(config).await;
    let txid = devnet.fund(&nobody(0), 50_000).await.unwrap();
    let client = client(&devnet);
    let deadline = Instant::now() + DEADLINE;
    while !client.get_tx_status(&txid).await.unwrap().confirmed {
        assert!(Instant::now() < deadline, "no block was mined");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(devnet.height().await.unwrap(), 121);
    devnet.fund(&nobody(1), 50_000).await.unwrap();
    while devnet.height().await.unwrap() < 122 {
        assert!(Instant::now() < deadline, "no second block was mined");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(devnet.mempool().await.unwrap().is_empty());
    assert_eq!(devnet.height().await.unwrap(), 122, "no empty block stands between them");
}

pub async fn a_wait_ends_at_its_deadline_and_says_what_did_not_happen() {
    let devnet = devnet().await;
    let error = devnet.wait_for_mempool(1, Duration::from_millis(30)).await.unwrap_err();
    assert_eq!(error.to_string(), "1 transactions in the mempool did not happen within 30 ms");
    let txid = devnet.fund(&nobody(0), 50_000).await.unwrap();
    assert_eq!(devnet.wait_for_mempool(1, DEADLINE).await.unwrap(), [txid]);
}

pub async fn hundreds_of_requests_a_second_are_answered() {
    let devnet = devnet().await;
    let client = client(&devnet);
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let client = client.clone();
        tasks.spawn(async move {
            for _ in 0..50 {
                client.get_block_infos(None).await.unwrap();
                client.get_tip_hash().await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    assert!(start.elapsed() < Duration::from_secs(4), "800 requests took {:?}", start.elapsed());
}
