//! A small typed client: one connection, an accessor for each service, and a subscription that resumes.
//!
//! It speaks plain HTTP/2 to a node on the same machine. What it adds to the generated clients is errors that say
//! what to do ([`ClientError`]) and [`Resumed`], which goes on where a broken stream left off.

mod error;
mod resume;

use std::time::Duration;

use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::health_client::HealthClient;

pub use error::{ClientError, RpcError};
pub use resume::{Resumed, Update};
pub use tonic::Code;
pub use tonic_health::pb as health;

use crate::{
    lightning::lightning_client::LightningClient,
    limits::{CONNECT_TIMEOUT_MS, KEEPALIVE_INTERVAL_MS, KEEPALIVE_TIMEOUT_MS, RESPONSE_BYTES_MAX},
    messaging::messaging_client::MessagingClient,
    signing::signing_client::SigningClient,
    v1::{SubscribeRequest, admin_client::AdminClient, messages_client::MessagesClient, node_client::NodeClient},
    websocket::websocket_client::WebsocketClient,
};

/// A connection to a node. Clones share it.
#[derive(Clone, Debug)]
pub struct Client {
    channel: Channel,
}

impl Client {
    /// Connects to the node's gRPC address: `HOST:PORT` or `http://HOST:PORT`. Waits at most
    /// [`CONNECT_TIMEOUT_MS`] for the connection to stand. When it breaks later, the next call makes a new one.
    pub async fn connect(address: &str) -> Result<Self, ClientError> {
        let endpoint = endpoint(address)?;
        let channel = endpoint
            .connect()
            .await
            .map_err(|source| ClientError::NoAnswer { address: bare(address).to_owned(), source: source.into() })?;
        Ok(Self { channel })
    }

    /// boltgram's own message service.
    pub fn messages(&self) -> MessagesClient<Channel> {
        MessagesClient::new(self.channel.clone()).max_decoding_message_size(RESPONSE_BYTES_MAX)
    }

    /// The node: wallet, peers, channels.
    pub fn node(&self) -> NodeClient<Channel> {
        NodeClient::new(self.channel.clone()).max_decoding_message_size(RESPONSE_BYTES_MAX)
    }

    /// The process.
    pub fn admin(&self) -> AdminClient<Channel> {
        AdminClient::new(self.channel.clone())
    }

    /// The Messaging service of the API family.
    pub fn messaging(&self) -> MessagingClient<Channel> {
        MessagingClient::new(self.channel.clone())
    }

    /// The subscription service of the API family.
    pub fn websocket(&self) -> WebsocketClient<Channel> {
        WebsocketClient::new(self.channel.clone()).max_decoding_message_size(RESPONSE_BYTES_MAX)
    }

    /// The invoice service of the API family.
    pub fn lightning(&self) -> LightningClient<Channel> {
        LightningClient::new(self.channel.clone())
    }

    /// The signing service of the API family.
    pub fn signing(&self) -> SigningClient<Channel> {
        SigningClient::new(self.channel.clone())
    }

    /// The standard health service, `grpc.health.v1`.
    pub fn health(&self) -> HealthClient<Channel> {
        HealthClient::new(self.channel.clone())
    }

    /// Follows the event log, over broken connections and restarts of the node too: see [`Resumed`].
    pub fn subscribe_from(&self, request: SubscribeRequest) -> Resumed {
        Resumed::new(self.clone(), request)
    }
}

/// The address without its scheme.
fn bare(address: &str) -> &str {
    address.strip_prefix("http://").unwrap_or(address).trim_end_matches('/')
}

fn endpoint(address: &str) -> Result<Endpoint, ClientError> {
    let wrong = || ClientError::Address { address: address.to_owned() };
    let bare = bare(address);
    let (host, port) = bare.rsplit_once(':').ok_or_else(wrong)?;
    if host.is_empty() || host.contains('/') || port.parse::<u16>().is_err() {
        return Err(wrong());
    }
    let endpoint = Endpoint::from_shared(format!("http://{bare}")).map_err(|_| wrong())?;
    Ok(endpoint
        .connect_timeout(Duration::from_millis(CONNECT_TIMEOUT_MS))
        .http2_keep_alive_interval(Duration::from_millis(KEEPALIVE_INTERVAL_MS))
        .keep_alive_timeout(Duration::from_millis(KEEPALIVE_TIMEOUT_MS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_host_and_port_with_or_without_the_scheme() {
        for address in ["127.0.0.1:8881", "http://127.0.0.1:8881", "http://localhost:1/", "[::1]:8881"] {
            assert!(endpoint(address).is_ok(), "{address}");
        }
        for address in
            ["", "127.0.0.1", ":8881", "127.0.0.1:port", "127.0.0.1:65536", "https://a:1", "http://a:1/path", "a b:1"]
        {
            assert!(matches!(endpoint(address), Err(ClientError::Address { .. })), "{address}");
        }
    }

    #[tokio::test]
    async fn a_connection_to_nobody_says_how_to_start_a_node() {
        // A port that was free a moment ago, so that nobody answers there.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = Client::connect(&format!("http://{free}")).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "no boltgram node answers at {free}: start one with `boltgram node`, or give its address with --grpc"
            )
        );
    }
}
