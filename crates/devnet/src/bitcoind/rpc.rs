//! JSON-RPC calls of bitcoind over HTTP: one at a time or several in a batch, with a time limit and bounded answers.
//!
//! What the methods mean is known elsewhere.

use std::{
    fs,
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

use bitcoin::hex::FromHex;
use reqwest::{Client, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::{
    error::DevnetError,
    limits::{BITCOIND_POLL_MS, BITCOIND_START_MS_MAX, RPC_ANSWER_BYTES_MAX, RPC_IDLE_MS, RPC_TIMEOUT_MS},
};

/// Codes of bitcoind's errors (`rpc/protocol.h`).
pub mod code {
    /// An unknown block, transaction or address.
    pub const NOT_FOUND: i32 = -5;
    /// The wallet can't pay so much.
    pub const INSUFFICIENT_FUNDS: i32 = -6;
    /// The wallet isn't loaded, or isn't there.
    pub const WALLET_NOT_FOUND: i32 = -18;
    /// bitcoind is starting.
    pub const IN_WARMUP: i32 = -28;
    /// The wallet is loaded already.
    pub const WALLET_ALREADY_LOADED: i32 = -35;
    /// The method isn't there: a bitcoind built without a wallet has none of its methods.
    pub const METHOD_NOT_FOUND: i32 = -32_601;
}

/// What proves to bitcoind who asks. Both are files, read for each call: bitcoind makes a new cookie at each start, and a
/// secret has no place on a command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BitcoindLogin {
    /// The cookie file, `regtest/.cookie` in bitcoind's data folder.
    Cookie(PathBuf),
    /// A user of `-rpcauth` or `-rpcuser`, and the file that holds the password.
    Password {
        /// The user's name.
        user: String,
        /// The file with the password alone; a line's end behind it doesn't count.
        file: PathBuf,
    },
}

impl BitcoindLogin {
    /// User and password.
    fn read(&self) -> Result<(String, String), RpcError> {
        let file = match self {
            Self::Cookie(file) | Self::Password { file, .. } => file,
        };
        let name = file.display();
        let text = fs::read_to_string(file).map_err(|error| {
            RpcError::passing(format!(
                "{name} can't be read ({error}): start bitcoind, or name its cookie or a password file"
            ))
        })?;
        let secret = text.trim_end_matches(['\r', '\n']);
        match self {
            Self::Password { user, .. } => Ok((user.clone(), secret.to_owned())),
            Self::Cookie(_) => secret
                .split_once(':')
                .map(|(user, password)| (user.to_owned(), password.to_owned()))
                .ok_or_else(|| RpcError::failed(format!("{name} is no cookie of bitcoind: name the right file"))),
        }
    }
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// bitcoind can't be asked; the text says what to do.
    #[error("{text}")]
    Failed {
        /// What is wrong.
        text: String,
        /// Whether it may pass by itself while bitcoind starts.
        is_passing: bool,
    },
    /// bitcoind refused.
    #[error("bitcoind answers {code}: {message}")]
    Refused {
        /// One of [`code`], or another one.
        code: i32,
        /// What it says.
        message: String,
    },
}

impl RpcError {
    fn failed(text: String) -> Self {
        Self::Failed { text, is_passing: false }
    }

    fn passing(text: String) -> Self {
        Self::Failed { text, is_passing: true }
    }

    /// The code, if bitcoind refused.
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Failed { .. } => None,
            Self::Refused { code, .. } => Some(*code),
        }
    }
}

impl From<RpcError> for DevnetError {
    fn from(error: RpcError) -> Self {
        Self::Backend(error.to_string())
    }
}

/// One call's answer.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    result: Value,
    #[serde(default)]
    error: Option<Refusal>,
    #[serde(default)]
    id: usize,
}

#[derive(Deserialize)]
struct Refusal {
    code: i32,
    message: String,
}

impl Answer {
    fn into_result(self) -> Result<Value, RpcError> {
        match self.error {
            None => Ok(self.result),
            Some(Refusal { code, message }) => Err(RpcError::Refused { code, message }),
        }
    }
}

/// A bitcoind's RPC interface.
pub struct Rpc {
    url: String,
    login: BitcoindLogin,
    client: Client,
    /// Calls block their thread and wait for this one, so that they can be made on any; there until it is dropped.
    runtime: Option<Runtime>,
}

impl Rpc {
    /// The interface at a URL, such as `http://127.0.0.1:18443`; nothing is asked yet.
    pub fn new(url: &str, login: BitcoindLogin) -> Result<Self, DevnetError> {
        let is_http = url.starts_with("http://") || url.starts_with("https://");
        if !is_http || url.contains('@') {
            let message =
                "the RPC URL must be like http://127.0.0.1:18443, without user and password: they stand in a file";
            return Err(DevnetError::Invalid(message.to_owned()));
        }
        let client = Client::builder()
            .no_proxy()
            .timeout(Duration::from_millis(RPC_TIMEOUT_MS))
            .pool_idle_timeout(Duration::from_millis(RPC_IDLE_MS))
            .build()
            .map_err(|error| DevnetError::Backend(error.to_string()))?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("devnet-rpc")
            .enable_all()
            .build()
            .map_err(DevnetError::Runtime)?;
        Ok(Self { url: url.trim_end_matches('/').to_owned(), login, client, runtime: Some(runtime) })
    }

    /// Makes a call. `params` is an array, or an object with the parameters by their names.
    pub fn call<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T, RpcError> {
        self.call_at("", method, params)
    }

    /// Makes a call to a wallet.
    pub fn call_wallet<T: DeserializeOwned>(&self, wallet: &str, method: &str, params: Value) -> Result<T, RpcError> {
        self.call_at(&format!("/wallet/{wallet}"), method, params)
    }

    fn call_at<T: DeserializeOwned>(&self, path: &str, method: &str, params: Value) -> Result<T, RpcError> {
        let request = json!({ "id": 0, "method": method, "params": params });
        let answer: Answer = self.post(path, &request)?;
        read(answer.into_result()?, method)
    }

    /// Makes several calls at once; their answers stand in the order of the calls.
    pub fn batch(&self, calls: &[(&str, Value)]) -> Result<Vec<Result<Value, RpcError>>, RpcError> {
        let request =
            |(id, (method, params)): (usize, &(&str, Value))| json!({ "id": id, "method": method, "params": params });
        let requests: Vec<Value> = calls.iter().enumerate().map(request).collect();
        let mut answers: Vec<Answer> = self.post("", &Value::Array(requests))?;
        answers.sort_by_key(|answer| answer.id);
        if answers.len() != calls.len() {
            return Err(RpcError::failed(format!("bitcoind answers {} of {} calls", answers.len(), calls.len())));
        }
        Ok(answers.into_iter().map(Answer::into_result).collect())
    }

    /// Makes a call again and again while bitcoind is starting.
    pub fn call_when_ready<T: DeserializeOwned>(
        &self,
        method: &str,
        may_start: impl Fn() -> Result<bool, DevnetError>,
    ) -> Result<T, DevnetError> {
        let deadline = Instant::now() + Duration::from_millis(BITCOIND_START_MS_MAX);
        loop {
            let error = match self.call(method, json!([])) {
                Ok(result) => return Ok(result),
                Err(error) => error,
            };
            let waits = match &error {
                RpcError::Refused { code, .. } => *code == code::IN_WARMUP,
                RpcError::Failed { is_passing, .. } => *is_passing && may_start()?,
            };
            if !waits || Instant::now() >= deadline {
                return Err(error.into());
            }
            sleep(Duration::from_millis(BITCOIND_POLL_MS));
        }
    }

    /// Posts a request and reads its answer, whatever the status: bitcoind answers a refused call with 500.
    fn post<T: DeserializeOwned>(&self, path: &str, request: &Value) -> Result<T, RpcError> {
        let (user, password) = self.login.read()?;
        let request = self.client.post(format!("{}{path}", self.url)).basic_auth(user, Some(password)).json(request);
        let Some(runtime) = &self.runtime else { return Err(RpcError::failed("the devnet stops".to_owned())) };
        let url = &self.url;
        let (status, body) = runtime.block_on(fetch(url, request))?;
        serde_json::from_slice(&body).map_err(|_| match status {
            StatusCode::UNAUTHORIZED => RpcError::passing(format!(
                "bitcoind at {url} refuses user and password: name the cookie of this bitcoind, or the right password file"
            )),
            StatusCode::FORBIDDEN => {
                RpcError::failed(format!("bitcoind at {url} takes no calls from here: allow them by -rpcallowip"))
            }
            StatusCode::SERVICE_UNAVAILABLE => RpcError::passing(format!("bitcoind at {url} is too busy, or stops: ask again")),
            status => RpcError::failed(format!("what answers at {url} ({status}) is no bitcoind: check the URL")),
        })
    }
}

impl Drop for Rpc {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // The plain drop of a runtime would block, which is not allowed on an async thread.
            runtime.shutdown_background();
        }
    }
}

async fn fetch(url: &str, request: reqwest::RequestBuilder) -> Result<(StatusCode, Vec<u8>), RpcError> {
    let failed = |error: reqwest::Error| match () {
        () if error.is_timeout() => {
            RpcError::failed(format!("bitcoind at {url} doesn't answer within {RPC_TIMEOUT_MS} ms: see its debug.log"))
        }
        () if error.is_builder() => RpcError::failed(format!("{url} is no URL of bitcoind's RPC: check it")),
        () => RpcError::passing(format!("bitcoind doesn't answer at {url}: start it, or check the URL")),
    };
    let mut response = request.send().await.map_err(failed)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > RPC_ANSWER_BYTES_MAX {
            return Err(RpcError::failed(format!("an answer of bitcoind is longer than {RPC_ANSWER_BYTES_MAX} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((response.status(), body))
}

/// Reads a result.
pub fn read<T: DeserializeOwned>(result: Value, method: &str) -> Result<T, RpcError> {
    serde_json::from_value(result)
        .map_err(|error| RpcError::failed(format!("bitcoind's answer to {method} isn't understood ({error})")))
}

/// Reads a result that is a block or a transaction in hexadecimal digits.
pub fn read_hex<T: bitcoin::consensus::Decodable>(result: Value, method: &str) -> Result<T, RpcError> {
    let digits: String = read(result, method)?;
    Vec::<u8>::from_hex(&digits)
        .ok()
        .and_then(|bytes| bitcoin::consensus::deserialize(&bytes).ok())
        .ok_or_else(|| RpcError::failed(format!("bitcoind's answer to {method} isn't understood")))
}
