//! Transactions: what they are, where they are confirmed with proof, what spends them, and broadcast.

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
    routing::{get, post},
};
use bitcoin::{
    MerkleBlock, OutPoint, Transaction, Txid,
    consensus::encode::{deserialize, serialize, serialize_hex},
    hex::FromHex,
};
use serde_json::json;

use crate::{
    backend::{Backend, BlockEntry, TxEntry},
    error::{DevnetError, Rejection},
    esplora::{
        json::{SpendValue, Status, TxValue},
        merkle, parse_hash, parse_number,
    },
    http::{self, App, TextError},
};

type Answer = http::Answer<TextError>;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/tx", post(broadcast))
        .route("/tx/{txid}", get(tx))
        .route("/tx/{txid}/raw", get(raw))
        .route("/tx/{txid}/hex", get(hex))
        .route("/tx/{txid}/status", get(status))
        .route("/tx/{txid}/merkleblock-proof", get(merkle_block))
        .route("/tx/{txid}/merkle-proof", get(merkle_proof))
        .route("/tx/{txid}/outspend/{vout}", get(outspend))
        .route("/tx/{txid}/outspends", get(outspends))
}

async fn tx(State(app): State<App>, Path(txid): Path<String>) -> Answer {
    with_tx(&app, &txid, |_, entry| http::json(&TxValue::from(&entry))).await
}

async fn raw(State(app): State<App>, Path(txid): Path<String>) -> Answer {
    with_tx(&app, &txid, |_, entry| http::bytes(serialize(entry.tx.as_ref()))).await
}

async fn hex(State(app): State<App>, Path(txid): Path<String>) -> Answer {
    with_tx(&app, &txid, |_, entry| http::text(serialize_hex(entry.tx.as_ref()))).await
}

/// An unknown transaction is told like an unconfirmed one, as in electrs.
async fn status(State(app): State<App>, Path(txid): Path<String>) -> Answer {
    let txid: Txid = parse_hash(&txid)?;
    app.answer(move |chain| http::json(&Status::from(chain.tx(&txid)?.and_then(|entry| entry.confirmation)))).await
}

async fn merkle_block(State(app): State<App>, Path(txid): Path<String>) -> Answer {
    let txid: Txid = parse_hash(&txid)?;
    app.answer(move |chain| {
        let (entry, _) = confirming_block(chain, &txid)?;
        let proof =
            MerkleBlock::from_header_txids_with_predicate(&entry.block.header, &entry.txids, |other| *other == txid);
        http::text(serialize_hex(&proof))
    })
    .await
}

async fn merkle_proof(State(app): State<App>, Path(txid): Path<String>) -> Answer {
    let txid: Txid = parse_hash(&txid)?;
    app.answer(move |chain| {
        let (entry, position) = confirming_block(chain, &txid)?;
        let merkle = merkle::branch(&entry.txids, position);
        http::json(&json!({ "block_height": entry.height, "merkle": merkle, "pos": position }))
    })
    .await
}

/// The block that holds a transaction, and its place there.
fn confirming_block(chain: &dyn Backend, txid: &Txid) -> Result<(BlockEntry, usize), TextError> {
    let unconfirmed = || TextError::not_found("Transaction not found or is unconfirmed");
    let id = chain.tx(txid)?.and_then(|entry| entry.confirmation).ok_or_else(unconfirmed)?;
    let entry = chain.block(&id.hash)?.ok_or_else(unconfirmed)?;
    let position = entry.txids.iter().position(|other| other == txid).ok_or_else(unconfirmed)?;
    Ok((entry, position))
}

async fn outspend(State(app): State<App>, Path((txid, vout)): Path<(String, String)>) -> Answer {
    let outpoint = OutPoint { txid: parse_hash(&txid)?, vout: parse_number(&vout)? };
    app.answer(move |chain| http::json(&SpendValue::from(chain.spend(&outpoint)?))).await
}

async fn outspends(State(app): State<App>, Path(txid): Path<String>) -> Answer {
    with_tx(&app, &txid, |chain, entry| {
        let outpoints = (0u32..).zip(&entry.tx.output).map(|(vout, _)| OutPoint { txid: entry.txid, vout });
        let spends: Result<Vec<SpendValue>, DevnetError> =
            outpoints.map(|outpoint| Ok(chain.spend(&outpoint)?.into())).collect();
        http::json(&spends?)
    })
    .await
}

async fn broadcast(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Answer {
    let body = http::body(body)?;
    let hex = std::str::from_utf8(&body).map_err(|error| TextError::bad_request(error.to_string()))?.trim().to_owned();
    app.answer(move |chain| http::text(chain.broadcast(decode(&hex)?)?)).await
}

fn decode(hex: &str) -> Result<Transaction, DevnetError> {
    let bytes = Vec::<u8>::from_hex(hex).ok();
    bytes.and_then(|bytes| deserialize(&bytes).ok()).ok_or_else(|| {
        let reason = "TX decode failed. Make sure the tx has at least one input.";
        Rejection::new(Rejection::CODE_NOT_DECODABLE, reason).into()
    })
}

/// Makes an answer from a transaction, or says that there is none.
async fn with_tx(app: &App, txid: &str, make: impl FnOnce(&dyn Backend, TxEntry) -> Answer + Send + 'static) -> Answer {
    let txid: Txid = parse_hash(txid)?;
    app.answer(move |chain| make(chain, chain.tx(&txid)?.ok_or_else(|| TextError::not_found("Transaction not found"))?))
        .await
}
