//! What Esplora doesn't have: `POST /devnet/mine`, `/devnet/fund` and `/devnet/invalidate`, in JSON.
//!
//! Errors are `{"code":"INVALID_REQUEST","message":"…"}`, with the codes of [`DevnetError::code`].

use std::str::FromStr;

use axum::{
    Router,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use bitcoin::{Address, BlockHash, Network, address::NetworkUnchecked};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use crate::{
    error::DevnetError,
    http::{self, Answer, App},
};

/// The control routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/devnet/mine", post(mine))
        .route("/devnet/fund", post(fund))
        .route("/devnet/invalidate", post(invalidate))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mine {
    blocks: u32,
    address: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fund {
    address: String,
    amount_sat: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Invalidate {
    hash: String,
}

type Body = Result<Bytes, BytesRejection>;

async fn mine(State(app): State<App>, body: Body) -> Answer<JsonError> {
    let request: Mine = read(body, r#"{"blocks":6}, with "address" if another than the wallet is to be paid"#)?;
    let reward = request.address.as_deref().map(parse_address).transpose()?;
    app.answer(move |chain| {
        let hashes = chain.mine(request.blocks, reward.as_ref())?;
        let last = hashes.last().map(|hash| chain.block(hash)).transpose()?.flatten();
        http::json(&json!({ "height": last.map(|block| block.height), "hashes": hashes }))
    })
    .await
}

async fn fund(State(app): State<App>, body: Body) -> Answer<JsonError> {
    let request: Fund = read(body, r#"{"address":"bcrt1…","amount_sat":100000}"#)?;
    let address = parse_address(&request.address)?;
    app.answer(move |chain| http::json(&json!({ "txid": chain.fund(&address, request.amount_sat)? }))).await
}

async fn invalidate(State(app): State<App>, body: Body) -> Answer<JsonError> {
    let request: Invalidate = read(body, r#"{"hash":"…"}"#)?;
    let hash = BlockHash::from_str(&request.hash)
        .map_err(|error| DevnetError::Invalid(format!("hash is no block hash ({error}): give 64 hex digits")))?;
    app.answer(move |chain| {
        let tip = chain.invalidate(&hash)?;
        http::json(&json!({ "height": tip.height, "hash": tip.hash }))
    })
    .await
}

fn read<T: DeserializeOwned>(body: Body, example: &str) -> Result<T, JsonError> {
    let body = http::body(body).map_err(|(status, message)| JsonError { status, code: "INVALID_REQUEST", message })?;
    serde_json::from_slice(&body)
        .map_err(|error| DevnetError::Invalid(format!("the body is wrong ({error}): send {example}")).into())
}

/// Reads an address of regtest.
fn parse_address(text: &str) -> Result<Address, DevnetError> {
    let address = Address::<NetworkUnchecked>::from_str(text);
    address.and_then(|address| address.require_network(Network::Regtest)).map_err(|error| {
        DevnetError::Invalid(format!("address is no regtest address ({error}): it starts with bcrt1, m, n or 2"))
    })
}

/// An error in JSON.
struct JsonError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl From<DevnetError> for JsonError {
    fn from(error: DevnetError) -> Self {
        let status = match &error {
            DevnetError::Invalid(_) => StatusCode::BAD_REQUEST,
            DevnetError::UnknownBlock(_) => StatusCode::NOT_FOUND,
            DevnetError::Rejected(_) | DevnetError::InsufficientFunds { .. } | DevnetError::TimeTooNew => {
                StatusCode::CONFLICT
            }
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self { status, code: error.code(), message: error.to_string() }
    }
}

impl IntoResponse for JsonError {
    fn into_response(self) -> Response {
        (self.status, axum::Json(json!({ "code": self.code, "message": self.message }))).into_response()
    }
}
