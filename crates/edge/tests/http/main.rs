//! The HTTP/JSON face as its clients see it: a real server on a free port, tonic services behind it, and reqwest
//! and tokio-tungstenite in front.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod annotations;
mod deadlines;
mod errors;
mod hostile;
mod streams;
mod support;
mod unary;
mod websocket;
