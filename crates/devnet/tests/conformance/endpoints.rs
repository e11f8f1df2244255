//! Which endpoints were asked, as the devnet's own log tells.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context, prelude::*};

/// All that there are.
pub const ENDPOINTS: &[&str] = &[
    "GET /blocks",
    "GET /blocks/{start_height}",
    "GET /blocks/tip/hash",
    "GET /blocks/tip/height",
    "GET /block-height/{height}",
    "GET /block/{hash}",
    "GET /block/{hash}/header",
    "GET /block/{hash}/status",
    "GET /block/{hash}/raw",
    "GET /block/{hash}/txids",
    "GET /block/{hash}/txid/{index}",
    "GET /block/{hash}/txs",
    "GET /block/{hash}/txs/{start_index}",
    "POST /tx",
    "GET /tx/{txid}",
    "GET /tx/{txid}/raw",
    "GET /tx/{txid}/hex",
    "GET /tx/{txid}/status",
    "GET /tx/{txid}/merkleblock-proof",
    "GET /tx/{txid}/merkle-proof",
    "GET /tx/{txid}/outspend/{vout}",
    "GET /tx/{txid}/outspends",
    "GET /address/{address}",
    "GET /address/{address}/utxo",
    "GET /address/{address}/txs",
    "GET /address/{address}/txs/mempool",
    "GET /address/{address}/txs/chain",
    "GET /address/{address}/txs/chain/{after}",
    "GET /scripthash/{hash}",
    "GET /scripthash/{hash}/utxo",
    "GET /scripthash/{hash}/txs",
    "GET /scripthash/{hash}/txs/mempool",
    "GET /scripthash/{hash}/txs/chain",
    "GET /scripthash/{hash}/txs/chain/{after}",
    "GET /mempool",
    "GET /mempool/txids",
    "GET /mempool/recent",
    "GET /fee-estimates",
    "POST /devnet/mine",
    "POST /devnet/fund",
    "POST /devnet/invalidate",
];

/// Counts the answers with 200 by endpoint, and all others together.
static ANSWERS: Mutex<BTreeMap<&str, usize>> = Mutex::new(BTreeMap::new());

/// The name under which other answers are counted.
const REFUSED: &str = "refused";

/// Begins to listen to the devnet's log.
pub fn record() {
    tracing_subscriber::registry().with(Recorder).init();
}

/// The endpoints that answered with 200, those that did not, and the number of answers.
pub fn seen() -> (usize, Vec<&'static str>, usize) {
    let answers = ANSWERS.lock().unwrap_or_else(PoisonError::into_inner);
    let missing: Vec<&str> = ENDPOINTS.iter().filter(|endpoint| !answers.contains_key(*endpoint)).copied().collect();
    (ENDPOINTS.len() - missing.len(), missing, answers.values().sum())
}

struct Recorder;

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut request = Request::default();
        event.record(&mut request);
        if request.message != "answered" {
            return;
        }
        let asked = format!("{} {}", request.method, request.path);
        let endpoint = ENDPOINTS.iter().find(|endpoint| request.status == "200 OK" && is_at(endpoint, &asked));
        let mut answers = ANSWERS.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry(endpoint.copied().unwrap_or(REFUSED)).or_default() += 1;
    }
}

/// Whether a request is one of an endpoint: equal part by part, where what stands in braces is anything.
fn is_at(endpoint: &str, asked: &str) -> bool {
    let (endpoint, asked): (Vec<&str>, Vec<&str>) = (endpoint.split('/').collect(), asked.split('/').collect());
    endpoint.len() == asked.len()
        && endpoint.iter().zip(asked).all(|(part, asked)| part.starts_with('{') || *part == asked)
}

#[derive(Default)]
struct Request {
    message: String,
    method: String,
    path: String,
    status: String,
}

impl Visit for Request {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let value = format!("{value:?}");
        match field.name() {
            "message" => self.message = value,
            "method" => self.method = value,
            "path" => self.path = value,
            "status" => self.status = value,
            _ => {}
        }
    }
}
