//! The mempool and fee estimates.

use axum::{Router, extract::State, routing::get};
use bitcoin::Txid;
use serde::Serialize;
use serde_json::json;

use crate::{
    backend::MempoolTx,
    http::{self, App, TextError},
    limits::{FEE_HISTOGRAM_BIN_VSIZE, PAGE_RECENT_TXS},
};

type Answer = http::Answer<TextError>;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/mempool", get(stats))
        .route("/mempool/txids", get(txids))
        .route("/mempool/recent", get(recent))
        .route("/fee-estimates", get(fee_estimates))
}

async fn stats(State(app): State<App>) -> Answer {
    app.answer(|chain| {
        let txs = chain.mempool()?;
        http::json(&json!({
            "count": txs.len(),
            "vsize": txs.iter().map(|tx| tx.vsize).sum::<u64>(),
            "total_fee": txs.iter().map(|tx| tx.fee_sat).sum::<u64>(),
            "fee_histogram": fee_histogram(&txs),
        }))
    })
    .await
}

async fn txids(State(app): State<App>) -> Answer {
    app.answer(|chain| http::json(&chain.mempool()?.iter().map(|tx| tx.txid).collect::<Vec<_>>())).await
}

#[derive(Serialize)]
struct RecentValue {
    txid: Txid,
    fee: u64,
    vsize: u64,
    value: u64,
}

async fn recent(State(app): State<App>) -> Answer {
    app.answer(|chain| {
        let txs = chain.mempool()?;
        let newest = txs.iter().rev().take(PAGE_RECENT_TXS);
        let value =
            |tx: &MempoolTx| RecentValue { txid: tx.txid, fee: tx.fee_sat, vsize: tx.vsize, value: tx.value_sat };
        http::json(&newest.map(value).collect::<Vec<_>>())
    })
    .await
}

async fn fee_estimates(State(app): State<App>) -> Answer {
    app.answer(|chain| http::json(&chain.fee_estimates()?)).await
}

/// Pairs of a fee rate in sat/vB and the virtual size that pays it or more, the dearest first (electrs:
/// `make_fee_histogram` in `src/util/fees.rs`).
fn fee_histogram(txs: &[MempoolTx]) -> Vec<(f64, u64)> {
    let mut rates: Vec<(f64, u64)> = txs.iter().map(|tx| (tx.fee_sat as f64 / tx.vsize as f64, tx.vsize)).collect();
    rates.sort_by(|one, other| other.0.total_cmp(&one.0));
    let mut histogram = Vec::new();
    let (mut bin_vsize, mut last_rate) = (0, 0.0);
    for (rate, vsize) in rates {
        if bin_vsize > FEE_HISTOGRAM_BIN_VSIZE && rate != last_rate {
            histogram.push((last_rate, bin_vsize));
            bin_vsize = 0;
        }
        last_rate = rate;
        bin_vsize += vsize;
    }
    if bin_vsize > 0 {
        histogram.push((last_rate, bin_vsize));
    }
    histogram
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hashes::Hash;

    fn tx(fee_sat: u64, vsize: u64) -> MempoolTx {
        MempoolTx { txid: Txid::all_zeros(), fee_sat, vsize, value_sat: 0 }
    }

    #[test]
    fn the_histogram_has_the_dearest_first_and_splits_above_50_000_vb() {
        assert_eq!(fee_histogram(&[]), []);
        assert_eq!(fee_histogram(&[tx(100, 100), tx(300, 100)]), [(1.0, 200)]);
        let large = [tx(40_000, 40_000), tx(120_000, 40_000), tx(80_000, 40_000)];
        assert_eq!(fee_histogram(&large), [(2.0, 80_000), (1.0, 40_000)]);
    }
}
