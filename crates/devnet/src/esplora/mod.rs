//! The HTTP API of Blockstream's Esplora, over any backend: paths, answers and errors are those of its server, electrs
//! (`src/rest.rs`), so that every Esplora client works unchanged.
//!
//! | module | what it answers |
//! |---|---|
//! | `block` | blocks and the tip |
//! | `tx` | transactions, proofs, broadcast |
//! | `script` | the history of an address or a script hash |
//! | `mempool` | the mempool and fee estimates |
//! | `json` | how blocks and transactions look in JSON |
//! | `merkle` | branches of a block's merkle tree |
//!
//! Two answers differ on purpose: a stale block's header and body are still given, and nothing is to be cached.

mod block;
mod json;
mod mempool;
mod merkle;
mod script;
mod tx;

use std::str::FromStr;

use axum::{Router, http::Uri};

use crate::http::{App, TextError};

/// The routes of Esplora.
pub fn routes() -> Router<App> {
    Router::new().merge(block::routes()).merge(tx::routes()).merge(script::routes()).merge(mempool::routes())
}

/// What answers a path that isn't there.
pub async fn no_such_endpoint(uri: Uri) -> TextError {
    TextError::not_found(format!("endpoint does not exist {:?}", uri.path()))
}

/// Reads a hash from a path.
fn parse_hash<T: FromStr>(text: &str) -> Result<T, TextError> {
    text.parse().map_err(|_| TextError::bad_request("Invalid hex string"))
}

/// Reads a number from a path.
fn parse_number<T: FromStr>(text: &str) -> Result<T, TextError> {
    text.parse().map_err(|_| TextError::bad_request("Invalid number"))
}
