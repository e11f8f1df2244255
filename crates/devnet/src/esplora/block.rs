//! Blocks and the tip.

use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use bitcoin::{
    BlockHash,
    consensus::encode::{serialize, serialize_hex},
};
use serde_json::json;

use crate::{
    backend::{Backend, BlockEntry, TxEntry},
    esplora::{
        json::{BlockValue, TxValue},
        parse_hash, parse_number,
    },
    http::{self, App, TextError},
    limits::{PAGE_BLOCKS, PAGE_CHAIN_TXS},
};

type Answer = http::Answer<TextError>;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/blocks", get(async |State(app): State<App>| app.answer(|chain| page(chain, None)).await))
        .route("/blocks/{start_height}", get(blocks_from))
        .route("/blocks/tip/hash", get(tip_hash))
        .route("/blocks/tip/height", get(tip_height))
        .route("/block-height/{height}", get(block_height))
        .route("/block/{hash}", get(block))
        .route("/block/{hash}/header", get(header))
        .route("/block/{hash}/status", get(status))
        .route("/block/{hash}/raw", get(raw))
        .route("/block/{hash}/txids", get(txids))
        .route("/block/{hash}/txid/{index}", get(txid_at))
        .route(
            "/block/{hash}/txs",
            get(async |app: State<App>, Path(hash)| txs(app, Path((hash, "0".to_owned()))).await),
        )
        .route("/block/{hash}/txs/{start_index}", get(txs))
}

async fn tip_hash(State(app): State<App>) -> Answer {
    app.answer(|chain| http::text(chain.tip()?.hash)).await
}

async fn tip_height(State(app): State<App>) -> Answer {
    app.answer(|chain| http::text(chain.tip()?.height)).await
}

async fn blocks_from(State(app): State<App>, Path(height): Path<String>) -> Answer {
    // What is no number means the tip, as in electrs.
    app.answer(move |chain| page(chain, height.parse().ok())).await
}

/// The blocks from a height, or from the tip, downwards.
fn page(chain: &dyn Backend, height: Option<u32>) -> Answer {
    let mut next = match height {
        Some(height) => chain.block_hash(height)?,
        None => Some(chain.tip()?.hash),
    };
    let mut values = Vec::new();
    while let Some(hash) = next.filter(|_| values.len() < PAGE_BLOCKS) {
        let entry = chain.block(&hash)?.ok_or_else(no_block)?;
        next = (entry.height > 0).then_some(entry.block.header.prev_blockhash);
        values.push(BlockValue::from(&entry));
    }
    if values.is_empty() { Err(no_block()) } else { http::json(&values) }
}

async fn block_height(State(app): State<App>, Path(height): Path<String>) -> Answer {
    let height: u64 = parse_number(&height)?;
    app.answer(move |chain| {
        let hash = u32::try_from(height).ok().map(|height| chain.block_hash(height)).transpose()?;
        http::text(hash.flatten().ok_or_else(no_block)?)
    })
    .await
}

async fn block(State(app): State<App>, Path(hash): Path<String>) -> Answer {
    with_block(&app, &hash, |_, entry| http::json(&BlockValue::from(&entry))).await
}

async fn header(State(app): State<App>, Path(hash): Path<String>) -> Answer {
    with_block(&app, &hash, |_, entry| http::text(serialize_hex(&entry.block.header))).await
}

async fn raw(State(app): State<App>, Path(hash): Path<String>) -> Answer {
    with_block(&app, &hash, |_, entry| http::bytes(serialize(entry.block.as_ref()))).await
}

async fn txids(State(app): State<App>, Path(hash): Path<String>) -> Answer {
    with_block(&app, &hash, |_, entry| http::json(&entry.txids.as_ref())).await
}

async fn txid_at(State(app): State<App>, Path((hash, index)): Path<(String, String)>) -> Answer {
    let index: usize = parse_number(&index)?;
    with_block(&app, &hash, move |_, entry| {
        http::text(entry.txids.get(index).ok_or_else(|| TextError::not_found("tx index out of range"))?)
    })
    .await
}

/// A stale and an unknown block are told alike, and with 200: a 404 would stop a Lightning sync.
async fn status(State(app): State<App>, Path(hash): Path<String>) -> Answer {
    let hash: BlockHash = parse_hash(&hash)?;
    app.answer(move |chain| {
        let best = chain.block(&hash)?.filter(|entry| entry.in_best_chain);
        let (height, next_best) =
            (best.as_ref().map(|entry| entry.height), best.as_ref().and_then(|entry| entry.next_best));
        http::json(&json!({ "in_best_chain": best.is_some(), "height": height, "next_best": next_best }))
    })
    .await
}

async fn txs(State(app): State<App>, Path((hash, start_index)): Path<(String, String)>) -> Answer {
    // What is no number means 0, as in electrs.
    let start: usize = start_index.parse().unwrap_or(0);
    if !start.is_multiple_of(PAGE_CHAIN_TXS) {
        return Err(TextError::bad_request(format!("start index must be a multiple of {PAGE_CHAIN_TXS}")));
    }
    with_block(&app, &hash, move |chain, entry| {
        let page = entry.txids.iter().zip(&entry.block.txdata).skip(start).take(PAGE_CHAIN_TXS);
        let mut values = Vec::new();
        for (txid, tx) in page {
            // What a stale block held may be gone from the index.
            let stale = || TxEntry {
                txid: *txid,
                tx: tx.clone().into(),
                prevouts: vec![None; tx.input.len()],
                confirmation: None,
            };
            values.push(TxValue::from(&chain.tx(txid)?.unwrap_or_else(stale)));
        }
        http::json(&values)
    })
    .await
}

/// Makes an answer from a block, or says that there is none.
async fn with_block(
    app: &App,
    hash: &str,
    make: impl FnOnce(&dyn Backend, BlockEntry) -> Answer + Send + 'static,
) -> Answer {
    let hash: BlockHash = parse_hash(hash)?;
    app.answer(move |chain| make(chain, chain.block(&hash)?.ok_or_else(no_block)?)).await
}

fn no_block() -> TextError {
    TextError::not_found("Block not found")
}
