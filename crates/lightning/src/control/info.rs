//! Who the node is and how it does, in every phase.

use boltgram_core::{Failure, NodeId};
use ldk_node::bitcoin::Network;

use crate::{
    errors::failure,
    node::{Node, Phase, Status},
};

/// Who the node is and how it does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeInfo {
    /// Its public key.
    pub node_id: NodeId,
    /// Its alias, if one is configured.
    pub alias: Option<String>,
    /// Its network.
    pub network: Network,
    /// Its phase, and what it waits for or what is wrong.
    pub status: Status,
    /// The height of the best block that it knows; `None` unless it runs.
    pub block_height: Option<u32>,
    /// That block's hash, as 64 hex digits.
    pub block_hash: Option<String>,
    /// Where it listens for Lightning peers, as HOST:PORT.
    pub listening_addresses: Vec<String>,
    /// How many peers are connected.
    pub connected_peers: usize,
    /// How many channels it has.
    pub channels: usize,
    /// How many of them can carry payments now.
    pub usable_channels: usize,
    /// When the wallet last synced with the chain, Unix time in milliseconds.
    pub last_wallet_sync_at_ms: Option<u64>,
    /// When the channels last synced with the chain, Unix time in milliseconds.
    pub last_lightning_sync_at_ms: Option<u64>,
}

impl Node {
    /// Who the node is and how it does. Answers in every phase, and without waiting for anything.
    pub fn info(&self) -> NodeInfo {
        let inner = &self.inner;
        let status = inner.status();
        // In other phases ldk-node's own status can wait for the end of its start or stop.
        let ldk = (status.phase == Phase::Running).then(|| inner.call(ldk_node::Node::status));
        let channels = inner.call(ldk_node::Node::list_channels);
        let peers = inner.call(ldk_node::Node::list_peers);
        let ms = |seconds: Option<u64>| seconds.map(|seconds| seconds.saturating_mul(1_000));
        NodeInfo {
            node_id: inner.id,
            alias: inner.config.alias.clone(),
            network: inner.config.network,
            status,
            block_height: ldk.as_ref().map(|ldk| ldk.current_best_block.height),
            block_hash: ldk.as_ref().map(|ldk| ldk.current_best_block.block_hash.to_string()),
            listening_addresses: inner.config.listen.iter().map(ToString::to_string).collect(),
            connected_peers: peers.iter().filter(|peer| peer.is_connected).count(),
            channels: channels.len(),
            usable_channels: channels.iter().filter(|channel| channel.is_usable).count(),
            last_wallet_sync_at_ms: ms(ldk.as_ref().and_then(|ldk| ldk.latest_onchain_wallet_sync_timestamp)),
            last_lightning_sync_at_ms: ms(ldk.as_ref().and_then(|ldk| ldk.latest_lightning_wallet_sync_timestamp)),
        }
    }

    /// Brings the wallet and the channels up to the chain's tip now, and answers its height. Blocks, for seconds at
    /// the first time.
    pub fn sync(&self) -> Result<u32, Failure> {
        // When a background sync is under way, ldk-node waits for that one, which may have asked before the block that
        // the caller wants to see. What ends the second time has begun after the first.
        self.sync_once()?;
        self.sync_once()?;
        Ok(self.inner.call_running(ldk_node::Node::status)?.current_best_block.height)
    }

    pub(super) fn sync_once(&self) -> Result<(), Failure> {
        self.inner.call_running(ldk_node::Node::sync_wallets)?.map_err(|error| {
            let mut failure = failure("sync with the chain", error);
            if !matches!(error, ldk_node::NodeError::NotRunning | ldk_node::NodeError::PersistenceFailed) {
                failure.reason = boltgram_core::Reason::ChainUnavailable;
            }
            failure
        })
    }
}
