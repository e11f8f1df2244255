//! The API of boltgram as Rust types: what `build.rs` makes of `proto/`, and the descriptor set.
//!
//! Lives here: generated messages, servers and clients, the JSON form of every message ([`json`]), and a small typed
//! client ([`client`]). Does not: any behaviour of the node, and the wire format between nodes (`boltgram-core`).

pub mod client;
pub mod json;
pub mod limits;

/// The Messaging service of the Impervious API family (`proto/messaging.proto`).
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod messaging {
    tonic::include_proto!("messaging");
}

/// The subscription service of the Impervious API family (`proto/websocket.proto`).
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod websocket {
    tonic::include_proto!("websocket");
}

/// The invoice service of the Impervious API family (`proto/lightning.proto`).
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod lightning {
    tonic::include_proto!("lightning");
}

/// The signing service of the Impervious API family (`proto/signing.proto`).
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod signing {
    tonic::include_proto!("signing");
}

/// boltgram's own services (`proto/boltgram/v1/`).
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod v1 {
    tonic::include_proto!("boltgram.v1");
}

/// The `google.protobuf.FileDescriptorSet` of all of them, encoded, with the `google.api.http` annotations.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
