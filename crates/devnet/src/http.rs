//! What all handlers share: how they reach the backend, and how an error looks.
//!
//! A backend call may block, so it runs off the async threads; how many run at the same time is bounded.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::rejection::BytesRejection,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::{
    backend::Backend,
    error::{DevnetError, Rejection},
    limits::REQUESTS_RUNNING_MAX,
};

/// What a handler answers.
pub type Answer<E> = Result<Response, E>;

/// What every handler gets.
#[derive(Clone)]
pub struct App {
    backend: Arc<dyn Backend>,
    permits: Arc<Semaphore>,
}

impl App {
    /// The API over a backend.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self { backend, permits: Arc::new(Semaphore::new(REQUESTS_RUNNING_MAX)) }
    }

    /// Makes an answer from the backend, off the async threads.
    pub async fn answer<E>(&self, make: impl FnOnce(&dyn Backend) -> Answer<E> + Send + 'static) -> Answer<E>
    where
        E: From<DevnetError> + Send + 'static,
    {
        let failed = |what: &str| E::from(DevnetError::Backend(what.to_owned()));
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| failed("the devnet stops"))?;
        let backend = self.backend.clone();
        let running = tokio::task::spawn_blocking(move || {
            let answer = backend.refresh().map_err(E::from).and_then(|()| make(backend.as_ref()));
            drop(permit);
            answer
        });
        running.await.map_err(|_| failed("the request did not finish"))?
    }
}

/// An error as Esplora answers it: a status and a line of text.
#[derive(Debug)]
pub struct TextError(StatusCode, String);

impl TextError {
    /// What is asked for isn't there.
    pub fn not_found(text: impl Into<String>) -> Self {
        Self(StatusCode::NOT_FOUND, text.into())
    }

    /// The request is wrong.
    pub fn bad_request(text: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, text.into())
    }
}

impl From<DevnetError> for TextError {
    fn from(error: DevnetError) -> Self {
        match error {
            DevnetError::Rejected(rejection) => Self::bad_request(rpc_error(&rejection)),
            error => Self(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        }
    }
}

impl IntoResponse for TextError {
    fn into_response(self) -> Response {
        (self.0, [(CONTENT_TYPE, "text/plain")], self.1).into_response()
    }
}

/// A refused broadcast in the words of electrs, which passes bitcoind's RPC error on.
fn rpc_error(rejection: &Rejection) -> String {
    let error = serde_json::json!({ "code": rejection.code, "message": rejection.to_string() });
    format!("sendrawtransaction RPC error: {error}")
}

/// A line of text.
pub fn text<E>(text: impl ToString) -> Answer<E> {
    Ok(([(CONTENT_TYPE, "text/plain")], text.to_string()).into_response())
}

/// Bytes.
pub fn bytes<E>(bytes: Vec<u8>) -> Answer<E> {
    Ok(([(CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}

/// A value in JSON.
pub fn json<E>(value: &impl Serialize) -> Answer<E> {
    Ok(axum::Json(value).into_response())
}

/// A request's body, or what is wrong with it.
pub fn body(body: Result<Bytes, BytesRejection>) -> Result<Bytes, (StatusCode, String)> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => (StatusCode::PAYLOAD_TOO_LARGE, "Request body too large".to_owned()),
        status => (status, rejection.body_text()),
    })
}

impl From<(StatusCode, String)> for TextError {
    fn from((status, text): (StatusCode, String)) -> Self {
        Self(status, text)
    }
}
