//! Channels: opening, listing, closing.

use boltgram_core::{Failure, NodeId, Reason};
use ldk_node::{ChannelDetails, NodeError};

use super::{field, peers::read_address};
use crate::{
    errors::failure,
    limits::{ANCHOR_RESERVE_SAT, CHANNEL_CAPACITY_SAT_MAX, CHANNEL_CAPACITY_SAT_MIN, CHANNEL_RESERVE_SAT_MIN},
    node::Node,
    redial::address_of,
};

/// A channel to open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenChannel {
    /// The far node.
    pub peer: NodeId,
    /// Where it listens, as HOST:PORT. May be absent when the node knows: when it is connected, kept or announced.
    pub address: Option<String>,
    /// The channel's capacity in satoshi, paid by this node.
    pub capacity_sat: u64,
    /// What of it is given to the far node at once, in satoshi.
    pub push_sat: u64,
    /// Announce the channel, so that others can route over it.
    pub announce: bool,
}

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

    /// Begins to open a channel and answers its `user_channel_id`. The peer is dialled first if need be; the
    /// channel is usable after 6 confirmations. Blocks, for at most some seconds more than `DIAL_TIMEOUT_MS`.
    pub fn open_channel(&self, channel: &OpenChannel) -> Result<String, Failure> {
        self.inner.check_running()?;
        self.check_not_own(channel.peer)?;
        check_amounts(channel.capacity_sat, channel.push_sat)?;
        if channel.announce {
            self.check_can_announce()?;
        }
        self.check_funds(channel.capacity_sat)?;
        let address = match &channel.address {
            Some(text) => read_address(text)?,
            None => self
                .inner
                .call(|ldk| address_of(ldk, channel.peer))
                .ok_or_else(|| field("address", "the peer's address is not known: give it as HOST:PORT"))?,
        };
        self.dial(channel.peer, address.clone(), false)?;

        let (peer, capacity_sat) = (channel.peer.public_key(), channel.capacity_sat);
        let push_msat = (channel.push_sat > 0).then(|| channel.push_sat.saturating_mul(1_000));
        let opened = self.inner.call_running(|ldk| match channel.announce {
            true => ldk.open_announced_channel(peer, address, capacity_sat, push_msat, None),
            false => ldk.open_channel(peer, address, capacity_sat, push_msat, None),
        })?;
        opened.map(|id| id.0.to_string()).map_err(|error| match error {
            NodeError::InsufficientFunds => self.too_little(capacity_sat),
            NodeError::ChannelCreationFailed => field(
                "capacity_sat",
                "the channel was refused before it was begun: it may be larger than the peer takes, or too little \
                be left on this side; the log has more",
            ),
            error => failure("open the channel", error),
        })
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

    fn check_can_announce(&self) -> Result<(), Failure> {
        let config = &self.inner.config;
        if config.alias.is_none() || config.listen.is_empty() || config.announce.is_empty() {
            let message = "an announced channel needs an alias, a listening address and an address to announce: \
            configure them, or open the channel unannounced";
            return Err(field("announce", message));
        }
        Ok(())
    }

    fn check_funds(&self, capacity_sat: u64) -> Result<(), Failure> {
        let spendable_sat = self.balances().spendable_onchain_sat;
        if spendable_sat < capacity_sat.saturating_add(ANCHOR_RESERVE_SAT) {
            return Err(self.too_little(capacity_sat));
        }
        Ok(())
    }

    fn too_little(&self, capacity_sat: u64) -> Failure {
        let needed_sat = capacity_sat.saturating_add(ANCHOR_RESERVE_SAT);
        let available_sat = self.balances().spendable_onchain_sat;
        let message = format!(
            "the channel needs {needed_sat} sat on chain, {ANCHOR_RESERVE_SAT} of them as a reserve to close it, and \
             {available_sat} can be spent: send more to an address of Node.NewAddress, and wait for a \
             confirmation and a sync"
        );
        Failure::new(Reason::InsufficientFunds, message)
            .with("needed_sat", needed_sat)
            .with("available_sat", available_sat)
    }
}

fn check_amounts(capacity_sat: u64, push_sat: u64) -> Result<(), Failure> {
    if !(CHANNEL_CAPACITY_SAT_MIN..=CHANNEL_CAPACITY_SAT_MAX).contains(&capacity_sat) {
        let message =
            format!("the capacity is not valid: give {CHANNEL_CAPACITY_SAT_MIN} to {CHANNEL_CAPACITY_SAT_MAX} sat");
        return Err(field("capacity_sat", message));
    }
    // The reserve of BOLT 2 as LDK asks for it: one hundredth, and no less than a fixed sum.
    let reserve_sat = CHANNEL_RESERVE_SAT_MIN.max(capacity_sat / 100);
    let push_sat_max = capacity_sat.saturating_sub(reserve_sat);
    if push_sat > push_sat_max {
        let message = format!(
            "too much is to be given away: {reserve_sat} sat stay on this side, so push at most {push_sat_max}"
        );
        return Err(field("push_sat", message).with("push_sat_max", push_sat_max));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_that_cannot_be_are_refused_by_name() {
        let refused = |capacity, push| check_amounts(capacity, push).unwrap_err().metadata["field"].clone();
        assert_eq!(refused(0, 0), "capacity_sat");
        assert_eq!(refused(CHANNEL_CAPACITY_SAT_MIN - 1, 0), "capacity_sat");
        assert_eq!(refused(u64::MAX, 0), "capacity_sat");
        assert_eq!(refused(1_000_000, 990_001), "push_sat");
        assert_eq!(refused(20_000, u64::MAX), "push_sat");
        assert!(check_amounts(1_000_000, 990_000).is_ok());
        assert!(check_amounts(CHANNEL_CAPACITY_SAT_MAX, 0).is_ok());
    }
}
