//! Peers: connections to other nodes.

use std::{sync::mpsc, time::Duration};

use boltgram_core::{Failure, NodeId, Reason, limits::DIAL_TIMEOUT_MS};
use ldk_node::{NodeError, lightning::ln::msgs::SocketAddress};

use super::field;
use crate::{config, errors::failure, node::Node, panics::Marker};

/// A peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Its public key.
    pub node_id: NodeId,
    /// Its address as HOST:PORT.
    pub address: String,
    /// Whether it is connected now.
    pub is_connected: bool,
    /// Whether it is kept over restarts.
    pub is_persisted: bool,
}

impl Node {
    /// The peers that are connected or kept, by public key.
    pub fn list_peers(&self) -> Vec<Peer> {
        let peers = self.inner.call(ldk_node::Node::list_peers);
        let mut peers: Vec<Peer> = peers
            .into_iter()
            .map(|peer| Peer {
                node_id: peer.node_id.into(),
                address: peer.address.to_string(),
                is_connected: peer.is_connected,
                is_persisted: peer.is_persisted,
            })
            .collect();
        peers.sort_by_key(|peer| peer.node_id);
        peers
    }

    /// Connects to a peer at HOST:PORT, and keeps it over restarts if told so. Blocks, at most `DIAL_TIMEOUT_MS`.
    pub fn connect(&self, peer: NodeId, address: &str, persist: bool) -> Result<(), Failure> {
        self.inner.check_running()?;
        self.check_not_own(peer)?;
        self.dial(peer, read_address(address)?, persist)
    }

    /// Disconnects a peer and keeps it no longer. A peer with channels is refused: it would be dialled again, and the
    /// address that is needed for it be forgotten.
    pub fn disconnect(&self, peer: NodeId) -> Result<(), Failure> {
        self.inner.check_running()?;
        let channels = self.inner.call(ldk_node::Node::list_channels);
        if channels.iter().any(|channel| NodeId::from(channel.counterparty_node_id) == peer) {
            let message = "the peer has a channel with this node: close its channels first";
            return Err(Failure::new(Reason::PeerHasChannel, message));
        }
        if !self.list_peers().iter().any(|known| known.node_id == peer) {
            return Err(Failure::new(Reason::UnknownNode, "the node is no peer: Node.ListPeers shows who is"));
        }
        self.inner
            .call_running(|ldk| ldk.disconnect(peer.public_key()))?
            .map_err(|error| failure("disconnect the peer", error))
    }

    pub(super) fn check_not_own(&self, peer: NodeId) -> Result<(), Failure> {
        if peer == self.inner.id {
            return Err(Failure::new(Reason::OwnPubkey, "the public key is this node's own: give another node's"));
        }
        Ok(())
    }

    /// Connects to a peer. ldk-node's own dial can take longer than a caller waits: it goes on in its thread.
    pub(super) fn dial(&self, peer: NodeId, address: SocketAddress, persist: bool) -> Result<(), Failure> {
        let unreachable = |why: &str| {
            let message =
                format!("{peer} could not be reached at {address}: {why}. See that it runs and listens there");
            Failure::new(Reason::PeerOffline, message)
        };
        let permit = self.inner.dials.clone().try_acquire_owned();
        let permit = permit.map_err(|_| unreachable("too many dials are under way, try again in a moment"))?;
        let (ldk, dialled) = (self.inner.ldk(), address.clone());
        let (done, outcome) = mpsc::sync_channel(1);
        self.inner.runtime().spawn_blocking(move || {
            let _marker = Marker::enter();
            let _ = done.send(ldk.connect(peer.public_key(), dialled, persist));
            drop(permit);
        });
        match outcome.recv_timeout(Duration::from_millis(DIAL_TIMEOUT_MS)) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(NodeError::ConnectionFailed)) => Err(unreachable("it did not answer as a node with this key")),
            Ok(Err(NodeError::InvalidSocketAddress)) => {
                Err(field("address", format!("{address} can't be resolved: give it as HOST:PORT")))
            }
            Ok(Err(error)) => Err(failure("connect to the peer", error)),
            Err(_) => Err(unreachable(&format!("no answer within {DIAL_TIMEOUT_MS} ms"))),
        }
    }
}

pub(super) fn read_address(text: &str) -> Result<SocketAddress, Failure> {
    config::address(text).map_err(|problem| field("address", format!("the address is not valid: {problem}")))
}
