//! Where untrusted bytes end: what clients speak to over the network, in front of the services that know the node.
//!
//! Lives here: the HTTP/JSON side of the API. Does not: what a request means (`boltgram-messaging`,
//! `boltgram-lightning`), and the API's definition (`proto/`, `boltgram-api`).

pub mod http;
