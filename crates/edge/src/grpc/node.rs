//! `boltgram.v1.Node`: the node's state, wallet, peers and channels.

use std::sync::Arc;

use boltgram_api::v1::{self, node_server};
use boltgram_core::{Failure, NodeId, Reason};
use boltgram_lightning::{
    Node as LightningNode, Phase,
    control::{Channel, NodeInfo, OpenChannel, Peer},
};
use tokio::task;
use tonic::{Request, Response, Status, async_trait};

use super::{
    convert::{count, signed},
    node_jit,
    status::from_failure,
};

/// Serves it over the Lightning node.
#[derive(Clone)]
pub struct Node {
    node: Arc<LightningNode>,
}

impl Node {
    /// Over this node.
    pub fn new(node: Arc<LightningNode>) -> Self {
        Self { node }
    }

    /// Asks the node on a blocking thread: most of its calls wait for the disk, a peer or the chain.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&LightningNode) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Status> {
        let node = self.node.clone();
        let answer = task::spawn_blocking(move || question(&node)).await.unwrap_or_else(|error| {
            tracing::error!(%error, "a call of the node ended badly");
            Err(Failure::new(Reason::NodeError, "the node failed at this request: see its log"))
        });
        answer.map_err(from_failure)
    }
}

#[async_trait]
impl node_server::Node for Node {
    async fn get_info(&self, _: Request<v1::GetInfoRequest>) -> Result<Response<v1::GetInfoResponse>, Status> {
        let info = self.ask(|node| Ok(node.info())).await?;
        Ok(Response::new(show_info(info)))
    }

    async fn balances(&self, _: Request<v1::BalancesRequest>) -> Result<Response<v1::BalancesResponse>, Status> {
        let balances = self.ask(|node| Ok(node.balances())).await?;
        Ok(Response::new(v1::BalancesResponse {
            total_onchain_sat: signed(balances.total_onchain_sat),
            spendable_onchain_sat: signed(balances.spendable_onchain_sat),
            anchor_reserve_sat: signed(balances.anchor_reserve_sat),
            total_lightning_sat: signed(balances.total_lightning_sat),
            outbound_msat: signed(balances.outbound_msat),
            inbound_msat: signed(balances.inbound_msat),
        }))
    }

    async fn new_address(&self, _: Request<v1::NewAddressRequest>) -> Result<Response<v1::NewAddressResponse>, Status> {
        let address = self.ask(LightningNode::new_address).await?;
        Ok(Response::new(v1::NewAddressResponse { address }))
    }

    async fn connect(&self, request: Request<v1::ConnectRequest>) -> Result<Response<v1::ConnectResponse>, Status> {
        let request = request.into_inner();
        let peer: NodeId = request.pubkey.parse().map_err(from_failure)?;
        let persist = request.persist.unwrap_or(true);
        self.ask(move |node| node.connect(peer, &request.address, persist)).await?;
        Ok(Response::new(v1::ConnectResponse {}))
    }

    async fn list_peers(&self, _: Request<v1::ListPeersRequest>) -> Result<Response<v1::ListPeersResponse>, Status> {
        let peers = self.ask(|node| Ok(node.list_peers())).await?;
        Ok(Response::new(v1::ListPeersResponse { peers: peers.into_iter().map(show_peer).collect() }))
    }

    async fn open_channel(
        &self,
        request: Request<v1::OpenChannelRequest>,
    ) -> Result<Response<v1::OpenChannelResponse>, Status> {
        let request = request.into_inner();
        let channel = OpenChannel {
            peer: request.pubkey.parse().map_err(from_failure)?,
            address: Some(request.address).filter(|address| !address.is_empty()),
            capacity_sat: count("capacity_sat", request.capacity_sat)?,
            push_sat: count("push_sat", request.push_sat)?,
            announce: request.announce,
        };
        let user_channel_id = self.ask(move |node| node.open_channel(&channel)).await?;
        Ok(Response::new(v1::OpenChannelResponse { user_channel_id }))
    }

    async fn list_channels(
        &self,
        _: Request<v1::ListChannelsRequest>,
    ) -> Result<Response<v1::ListChannelsResponse>, Status> {
        let channels = self.ask(|node| Ok(node.list_channels())).await?;
        Ok(Response::new(v1::ListChannelsResponse { channels: channels.into_iter().map(show_channel).collect() }))
    }

    async fn close_channel(
        &self,
        request: Request<v1::CloseChannelRequest>,
    ) -> Result<Response<v1::CloseChannelResponse>, Status> {
        let request = request.into_inner();
        self.ask(move |node| node.close_channel(&request.channel_id, request.force)).await?;
        Ok(Response::new(v1::CloseChannelResponse {}))
    }

    async fn create_jit_invoice(
        &self,
        request: Request<v1::CreateJitInvoiceRequest>,
    ) -> Result<Response<v1::CreateJitInvoiceResponse>, Status> {
        let request = node_jit::read(request.into_inner())?;
        let made = self.ask(move |node| node.create_jit_invoice(&request)).await?;
        Ok(Response::new(node_jit::show(made)))
    }

    async fn sync(&self, _: Request<v1::SyncRequest>) -> Result<Response<v1::SyncResponse>, Status> {
        let height = self.ask(LightningNode::sync).await?;
        Ok(Response::new(v1::SyncResponse { block_height: height.into() }))
    }
}

fn show_info(info: NodeInfo) -> v1::GetInfoResponse {
    v1::GetInfoResponse {
        pubkey: info.node_id.to_string(),
        alias: info.alias.unwrap_or_default(),
        network: info.network.to_string(),
        phase: show_phase(info.status.phase).into(),
        status_message: info.status.message,
        block_height: info.block_height.unwrap_or_default().into(),
        block_hash: info.block_hash.unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        listening_addresses: info.listening_addresses,
        connected_peers: small(info.connected_peers),
        channels: small(info.channels),
        usable_channels: small(info.usable_channels),
        last_wallet_sync_at_ms: signed(info.last_wallet_sync_at_ms.unwrap_or_default()),
        last_lightning_sync_at_ms: signed(info.last_lightning_sync_at_ms.unwrap_or_default()),
    }
}

fn show_phase(phase: Phase) -> v1::Phase {
    match phase {
        Phase::Starting => v1::Phase::Starting,
        Phase::Running => v1::Phase::Running,
        // A node that stopped or failed takes its process with it.
        Phase::Stopping | Phase::Stopped | Phase::Failed => v1::Phase::Stopping,
    }
}

fn show_peer(peer: Peer) -> v1::Peer {
    v1::Peer {
        pubkey: peer.node_id.to_string(),
        address: peer.address,
        connected: peer.is_connected,
        persisted: peer.is_persisted,
    }
}

fn show_channel(channel: Channel) -> v1::Channel {
    v1::Channel {
        channel_id: channel.channel_id,
        user_channel_id: channel.user_channel_id,
        pubkey: channel.peer.to_string(),
        funding_outpoint: channel.funding_outpoint.unwrap_or_default(),
        capacity_sat: signed(channel.capacity_sat),
        outbound_msat: signed(channel.outbound_msat),
        inbound_msat: signed(channel.inbound_msat),
        next_outbound_htlc_limit_msat: signed(channel.next_outbound_htlc_limit_msat),
        outbound: channel.is_outbound,
        ready: channel.is_ready,
        usable: channel.is_usable,
        announced: channel.is_announced,
        confirmations: signed_32(channel.confirmations),
        confirmations_required: signed_32(channel.confirmations_required.unwrap_or_default()),
    }
}

fn small(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn signed_32(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
