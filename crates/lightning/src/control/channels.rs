//! Channels: listing and closing. How they are opened stands in `opening`.

use boltgram_core::{Failure, NodeId, Reason};
use ldk_node::{ChannelDetails, NodeError};

use crate::{errors::failure, node::Node};

/// A channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Channel {
    /// Its id as 64 hex digits. It changes once, when the funding transaction is made.
    pub channel_id: String,
    /// This node's own name for it, as decimal digits.
    pub user_channel_id: String,
    /// The far node.
    pub peer: NodeId,
    /// The funding output as TXID:INDEX, once there is one.
    pub funding_outpoint: Option<String>,
    /// Its capacity in satoshi.
    pub capacity_sat: u64,
    /// What can be sent over it now, in millisatoshi.
    pub outbound_msat: u64,
    /// What can be received over it now, in millisatoshi.
    pub inbound_msat: u64,
    /// What can be put into one payment over it now, in millisatoshi.
    pub next_outbound_htlc_limit_msat: u64,
    /// Whether this node opened it.
    pub is_outbound: bool,
    /// Whether its funding is deep enough.
    pub is_ready: bool,
    /// Whether it can carry payments now: ready, and the peer is connected.
    pub is_usable: bool,
    /// Whether it is announced to others.
    pub is_announced: bool,
    /// Confirmations of the funding transaction.
    pub confirmations: u32,
    /// Confirmations that it needs, once the far node has said so.
    pub confirmations_required: Option<u32>,
}

impl From<ChannelDetails> for Channel {
    fn from(details: ChannelDetails) -> Self {
        Self {
            channel_id: details.channel_id.to_string(),
            user_channel_id: details.user_channel_id.0.to_string(),
            peer: details.counterparty_node_id.into(),
            funding_outpoint: details.funding_txo.map(|outpoint| outpoint.to_string()),
            capacity_sat: details.channel_value_sats,
            outbound_msat: details.outbound_capacity_msat,
            inbound_msat: details.inbound_capacity_msat,
            next_outbound_htlc_limit_msat: details.next_outbound_htlc_limit_msat,
            is_outbound: details.is_outbound,
            is_ready: details.is_channel_ready,
            is_usable: details.is_usable,
            is_announced: details.is_announced,
            confirmations: details.confirmations.unwrap_or(0),
            confirmations_required: details.confirmations_required,
        }
    }
}

impl Node {
    /// The channels, closed ones excepted.
    pub fn list_channels(&self) -> Vec<Channel> {
        self.inner.call(ldk_node::Node::list_channels).into_iter().map(Channel::from).collect()
    }

    /// Begins to close a channel, together with the far node, or alone if forced: the funds then come back after a
    /// delay. The id is the channel's, as 64 hex digits, or its `user_channel_id`, as decimal digits. Blocks on
    /// the disk.
    pub fn close_channel(&self, id: &str, force: bool) -> Result<(), Failure> {
        self.inner.check_running()?;
        let channels = self.inner.call(ldk_node::Node::list_channels);
        let channel = channels.into_iter().find(|channel| {
            channel.channel_id.to_string().eq_ignore_ascii_case(id) || id.parse() == Ok(channel.user_channel_id.0)
        });
        let channel = channel.ok_or_else(|| {
            let message = "no open channel has this id: give one that Node.ListChannels shows";
            Failure::new(Reason::ChannelNotFound, message)
        })?;
        let (peer, user_channel_id) = (channel.counterparty_node_id, channel.user_channel_id);
        let is_connected = self.list_peers().iter().any(|known| known.node_id == peer.into() && known.is_connected);
        if !force && !is_connected {
            let message =
                "the peer is not connected, and a close together needs it: wait until it is back, or force the close";
            return Err(Failure::new(Reason::PeerOffline, message));
        }
        let closed = self.inner.call_running(|ldk| match force {
            true => ldk.force_close_channel(&user_channel_id, peer, None),
            false => ldk.close_channel(&user_channel_id, peer),
        })?;
        closed.map_err(|error| match error {
            // With the peer there, LDK 0.2.7 refuses only while the channel closes already or its state changes.
            NodeError::ChannelClosingFailed if !force => Failure::new(
                Reason::ChannelBusy,
                "the channel is being closed already, or a payment on it changes hands: wait a moment, or force the close",
            ),
            error => failure("close the channel", error),
        })
    }
}
