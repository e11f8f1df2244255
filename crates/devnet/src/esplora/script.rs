//! The history, the unspent outputs and the sums of an address or a script hash: the same answers for both.

use std::{collections::HashSet, str::FromStr};

use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use bitcoin::{Address, Network, Txid, address::NetworkUnchecked, hashes::Hash, hashes::sha256};
use serde::Serialize;

use crate::{
    backend::{ScriptOutput, ScriptTxs},
    esplora::json::{Status, TxValue},
    http::{self, App, TextError},
};

type Answer = http::Answer<TextError>;

/// How a script is named in a path.
#[derive(Clone, Copy)]
enum Kind {
    Address,
    ScriptHash,
}

pub fn routes() -> Router<App> {
    routes_of(Kind::Address).merge(routes_of(Kind::ScriptHash))
}

fn routes_of(kind: Kind) -> Router<App> {
    let path = |rest: &str| format!("/{}/{{script}}{rest}", kind.name());
    let page = |which| get(async move |State(app), Path(script): Path<String>| txs(app, kind, script, which).await);
    Router::new()
        .route(&path(""), get(async move |State(app), Path(script)| stats(app, kind, script).await))
        .route(&path("/utxo"), get(async move |State(app), Path(script)| utxo(app, kind, script).await))
        .route(&path("/txs"), page(ScriptTxs::All))
        .route(&path("/txs/mempool"), page(ScriptTxs::Mempool))
        .route(&path("/txs/chain"), page(ScriptTxs::Chain(None)))
        .route(
            &path("/txs/chain/{after}"),
            get(async move |State(app), Path((script, after)): Path<(String, String)>| {
                // What is no transaction id means the first page, as in electrs.
                txs(app, kind, script, ScriptTxs::Chain(Txid::from_str(&after).ok())).await
            }),
        )
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::ScriptHash => "scripthash",
        }
    }

    /// Reads what a path has, to the hash that scripts are indexed by.
    fn parse(self, text: &str) -> Result<sha256::Hash, TextError> {
        match self {
            Self::Address => {
                let address = Address::<NetworkUnchecked>::from_str(text)
                    .map_err(|error| TextError::bad_request(error.to_string()))?;
                let address = address
                    .require_network(Network::Regtest)
                    .map_err(|_| TextError::bad_request("Address on invalid network"))?;
                Ok(sha256::Hash::hash(address.script_pubkey().as_bytes()))
            }
            Self::ScriptHash => text.parse().map_err(|_| TextError::bad_request("Invalid scripthash")),
        }
    }
}

async fn txs(app: App, kind: Kind, script: String, which: ScriptTxs) -> Answer {
    let hash = kind.parse(&script)?;
    app.answer(move |chain| {
        let values: Vec<TxValue> = chain.script_txs(&hash, which)?.iter().map(TxValue::from).collect();
        http::json(&values)
    })
    .await
}

#[derive(Serialize)]
struct UtxoValue {
    txid: Txid,
    vout: u32,
    status: Status,
    value: u64,
}

async fn utxo(app: App, kind: Kind, script: String) -> Answer {
    let hash = kind.parse(&script)?;
    app.answer(move |chain| {
        let mut unspent = chain.script_outputs(&hash)?;
        unspent.retain(|output| output.spend.is_none());
        // Confirmed ones come first.
        unspent.sort_by_key(|output| output.confirmation.is_none());
        let value = |output: &ScriptOutput| UtxoValue {
            txid: output.outpoint.txid,
            vout: output.outpoint.vout,
            status: output.confirmation.into(),
            value: output.value_sat,
        };
        http::json(&unspent.iter().map(value).collect::<Vec<_>>())
    })
    .await
}

/// The sums of a script's confirmed transactions, or of its unconfirmed ones.
#[derive(Default, Serialize)]
struct Stats {
    tx_count: usize,
    funded_txo_count: usize,
    funded_txo_sum: u64,
    spent_txo_count: usize,
    spent_txo_sum: u64,
}

async fn stats(app: App, kind: Kind, script: String) -> Answer {
    let hash = kind.parse(&script)?;
    app.answer(move |chain| {
        let outputs = chain.script_outputs(&hash)?;
        let mut value = serde_json::Map::new();
        value.insert(kind.name().to_owned(), script.into());
        let stats = |is_confirmed| serde_json::to_value(sums(&outputs, is_confirmed)).unwrap_or_default();
        value.insert("chain_stats".to_owned(), stats(true));
        value.insert("mempool_stats".to_owned(), stats(false));
        http::json(&value)
    })
    .await
}

fn sums(outputs: &[ScriptOutput], is_confirmed: bool) -> Stats {
    let (mut stats, mut txids) = (Stats::default(), HashSet::new());
    for output in outputs {
        if output.confirmation.is_some() == is_confirmed {
            stats.funded_txo_count += 1;
            stats.funded_txo_sum += output.value_sat;
            txids.insert(output.outpoint.txid);
        }
        if let Some(spend) = output.spend.filter(|spend| spend.confirmation.is_some() == is_confirmed) {
            stats.spent_txo_count += 1;
            stats.spent_txo_sum += output.value_sat;
            txids.insert(spend.txid);
        }
    }
    stats.tx_count = txids.len();
    stats
}
