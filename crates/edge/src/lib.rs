//! Where untrusted bytes end: what clients speak to over the network, in front of the services that know the node.
//!
//! | module | what it holds |
//! |---|---|
//! | [`grpc`] | the services: requests into the domain's words, answers and failures back |
//! | [`http`] | the same services as JSON over HTTP, WebSocket and server-sent events, by one generic handler |
//! | [`openapi`] | the same services described for tools and people: `/openapi.json` and `/docs` |
//! | [`limits`] | every bound of both |
//! | [`server`] | both listeners over one set of services |
//!
//! What does not live here: what a request means (`boltgram-messaging`, `boltgram-lightning`), and the API's definition
//! (`proto/`, `boltgram-api`).

pub mod grpc;
pub mod http;
pub mod limits;
pub mod openapi;
pub mod server;
mod timeout;

pub use server::{Edge, EdgeError};
