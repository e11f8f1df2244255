//! `boltgram connect`, `boltgram disconnect` and `boltgram peers`.

use boltgram_api::{
    client::ClientError,
    v1::{
        ConnectRequest, ConnectResponse, DisconnectRequest, DisconnectResponse, ListPeersRequest, ListPeersResponse,
        Peer,
    },
};
use boltgram_core::NodeId;

use super::remote::{PeerAddress, Remote};
use crate::output::{Show, printable_line, table};

/// The arguments of `boltgram connect`.
#[derive(clap::Args, Debug)]
pub struct ConnectArgs {
    /// The peer's public key and where it listens
    #[arg(value_name = "PUBKEY@HOST:PORT")]
    peer: PeerAddress,
}

/// The arguments of `boltgram disconnect`.
#[derive(clap::Args, Debug)]
pub struct DisconnectArgs {
    /// The peer's public key, 66 hex digits
    pubkey: NodeId,
}

/// Runs `boltgram connect`.
pub async fn connect(args: ConnectArgs, remote: &Remote) -> anyhow::Result<()> {
    let PeerAddress { pubkey, address } = args.peer;
    let request = ConnectRequest { pubkey: pubkey.to_string(), address, persist: None };
    let client = remote.connect().await?;
    let answer = client.node().connect(request).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

/// Runs `boltgram disconnect`.
pub async fn disconnect(args: DisconnectArgs, remote: &Remote) -> anyhow::Result<()> {
    let request = DisconnectRequest { pubkey: args.pubkey.to_string() };
    let client = remote.connect().await?;
    let answer = client.node().disconnect(request).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

/// Runs `boltgram peers`.
pub async fn list(remote: &Remote) -> anyhow::Result<()> {
    let client = remote.connect().await?;
    let answer = client.node().list_peers(ListPeersRequest {}).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

impl Show for ConnectResponse {
    const NAME: &'static str = "boltgram.v1.ConnectResponse";

    fn human(&self) -> String {
        "connected".to_owned()
    }
}

impl Show for DisconnectResponse {
    const NAME: &'static str = "boltgram.v1.DisconnectResponse";

    fn human(&self) -> String {
        "disconnected".to_owned()
    }
}

impl Show for ListPeersResponse {
    const NAME: &'static str = "boltgram.v1.ListPeersResponse";

    fn human(&self) -> String {
        if self.peers.is_empty() {
            return "no peers: `boltgram connect PUBKEY@HOST:PORT` adds one".to_owned();
        }
        table(&["public key", "address", "connected", "kept"], self.peers.iter().map(row))
    }
}

fn row(peer: &Peer) -> Vec<String> {
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    vec![peer.pubkey.clone(), printable_line(&peer.address), yes(peer.connected), yes(peer.persisted)]
}
