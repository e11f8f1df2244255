//! Channels: opening, one or several to a peer in one go.
//!
//! ldk-node's wallet learns of a funding transaction by a sync with the chain alone. One made before that is made
//! of the same coins again, and then one of the two channels never comes about (ldk-node 0.7.1,
//! `create_funding_transaction`). So a channel is begun only when the wallet knows the one before.

use std::{
    sync::PoisonError,
    thread,
    time::{Duration, Instant},
};

use boltgram_core::{Failure, NodeId, Reason};
use ldk_node::{
    ChannelDetails, NodeError, bitcoin::hashes::Hash as _, lightning::ln::channelmanager::PaymentId,
    lightning::ln::msgs::SocketAddress,
};

use super::{field, peers::read_address};
use crate::{
    errors::failure,
    limits::{
        ANCHOR_RESERVE_SAT, CHANNEL_CAPACITY_SAT_MAX, CHANNEL_CAPACITY_SAT_MIN, CHANNEL_RESERVE_SAT_MIN,
        CHANNELS_OPENED_AT_ONCE_MAX, FUNDING_POLL_MS, FUNDING_WAIT_MS_MAX,
    },
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

/// Channels that were begun.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// The `user_channel_id` of each, at least one.
    pub user_channel_ids: Vec<String>,
    /// Why they are fewer than was asked for.
    pub failure: Option<Failure>,
}

impl Node {
    /// Begins to open a channel and answers its `user_channel_id`. The peer is dialled first if need be; the
    /// channel is usable after 6 confirmations. Blocks, for at most some seconds more than `DIAL_TIMEOUT_MS` and, when
    /// another channel was begun a moment ago, `FUNDING_WAIT_MS_MAX`.
    pub fn open_channel(&self, channel: &OpenChannel) -> Result<String, Failure> {
        let opened = self.open_channels(channel, 1)?;
        opened.user_channel_ids.into_iter().next().ok_or_else(refused)
    }

    /// Begins to open several channels of the same kind, one after the other, as [`Node::open_channel`] does. The funds
    /// for all are looked at beforehand. An error means that none was begun. Blocks, for each but the first until the one
    /// before has its funding transaction.
    pub fn open_channels(&self, channel: &OpenChannel, count: usize) -> Result<Opened, Failure> {
        self.inner.check_running()?;
        self.check_not_own(channel.peer)?;
        check_amounts(channel.capacity_sat, channel.push_sat)?;
        if !(1..=CHANNELS_OPENED_AT_ONCE_MAX).contains(&count) {
            let message = format!("1 to {CHANNELS_OPENED_AT_ONCE_MAX} channels can be opened in one go");
            return Err(field("count", message).with("limit", CHANNELS_OPENED_AT_ONCE_MAX));
        }
        if channel.announce {
            self.check_can_announce()?;
        }
        let _one_at_a_time = self.inner.opening.lock().unwrap_or_else(PoisonError::into_inner);
        self.await_fundings()?;
        self.check_funds(channel.capacity_sat, count)?;
        let address = match &channel.address {
            Some(text) => read_address(text)?,
            None => self
                .inner
                .call(|ldk| address_of(ldk, channel.peer))
                .ok_or_else(|| field("address", "the peer's address is not known: give it as HOST:PORT"))?,
        };
        self.dial(channel.peer, address.clone(), false)?;

        let mut user_channel_ids = vec![self.begin_channel(channel, &address)?];
        while user_channel_ids.len() < count {
            let next = self.await_fundings().and_then(|()| {
                self.check_taken(user_channel_ids.last())?;
                self.begin_channel(channel, &address)
            });
            match next {
                Ok(user_channel_id) => user_channel_ids.push(user_channel_id),
                Err(failure) => {
                    user_channel_ids.retain(|id| self.check_taken(Some(id)).is_ok());
                    return match user_channel_ids.is_empty() {
                        true => Err(failure),
                        false => Ok(Opened { user_channel_ids, failure: Some(failure) }),
                    };
                }
            }
        }
        Ok(Opened { user_channel_ids, failure: None })
    }

    fn begin_channel(&self, channel: &OpenChannel, address: &SocketAddress) -> Result<String, Failure> {
        let (peer, capacity_sat, address) = (channel.peer.public_key(), channel.capacity_sat, address.clone());
        let push_msat = (channel.push_sat > 0).then(|| channel.push_sat.saturating_mul(1_000));
        let opened = self.inner.call_running(|ldk| match channel.announce {
            true => ldk.open_announced_channel(peer, address, capacity_sat, push_msat, None),
            false => ldk.open_channel(peer, address, capacity_sat, push_msat, None),
        })?;
        opened.map(|id| id.0.to_string()).map_err(|error| match error {
            NodeError::InsufficientFunds => self.too_little(capacity_sat, 1),
            NodeError::ChannelCreationFailed => field(
                "capacity_sat",
                "the channel was refused before it was begun: it may be larger than the peer takes, or too little \
                be left on this side; the log has more",
            ),
            error => failure("open the channel", error),
        })
    }

    /// Waits until the wallet knows the funding transactions of all channels that this node has begun.
    fn await_fundings(&self) -> Result<(), Failure> {
        let deadline = Instant::now() + Duration::from_millis(FUNDING_WAIT_MS_MAX);
        loop {
            let (negotiated, unknown) = self.inner.call(fundings_unknown);
            if negotiated == 0 && unknown == 0 {
                return Ok(());
            }
            // A sync finds what is broadcast; what is still negotiated with the peer isn't.
            let synced = if unknown > 0 { self.sync_once() } else { Ok(()) };
            if Instant::now() >= deadline {
                synced?;
                let message = "a channel that was begun before has no funding transaction yet, and the next one \
                would be paid with the same coins: try again in a moment";
                return Err(Failure::new(Reason::ChannelBusy, message));
            }
            thread::sleep(Duration::from_millis(FUNDING_POLL_MS));
        }
    }

    /// A channel that the peer didn't take is gone.
    fn check_taken(&self, user_channel_id: Option<&String>) -> Result<(), Failure> {
        let channels = self.inner.call(ldk_node::Node::list_channels);
        let is_there = |id: &String| channels.iter().any(|channel| channel.user_channel_id.0.to_string() == *id);
        user_channel_id.is_some_and(is_there).then_some(()).ok_or_else(refused)
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

    fn check_funds(&self, capacity_sat: u64, count: usize) -> Result<(), Failure> {
        let spendable_sat = self.balances().spendable_onchain_sat;
        if spendable_sat < needed_sat(capacity_sat, count) {
            return Err(self.too_little(capacity_sat, count));
        }
        Ok(())
    }

    fn too_little(&self, capacity_sat: u64, count: usize) -> Failure {
        let needed_sat = needed_sat(capacity_sat, count);
        let channels = if count == 1 { "channel needs".to_owned() } else { format!("{count} channels need") };
        let available_sat = self.balances().spendable_onchain_sat;
        let message = format!(
            "the {channels} {needed_sat} sat on chain, {ANCHOR_RESERVE_SAT} for each of them as a reserve to close \
             it, and {available_sat} can be spent: send more to an address of Node.NewAddress, and wait for a \
             confirmation and a sync"
        );
        Failure::new(Reason::InsufficientFunds, message)
            .with("needed_sat", needed_sat)
            .with("available_sat", available_sat)
    }
}

fn needed_sat(capacity_sat: u64, count: usize) -> u64 {
    let each_sat = capacity_sat.saturating_add(ANCHOR_RESERVE_SAT);
    each_sat.saturating_mul(u64::try_from(count).unwrap_or(u64::MAX))
}

/// How many channels that this node pays for have no funding transaction yet, and how many have one that the wallet
/// doesn't know.
fn fundings_unknown(ldk: &ldk_node::Node) -> (usize, usize) {
    let is_new = |channel: &ChannelDetails| channel.is_outbound && channel.confirmations.unwrap_or(0) == 0;
    let new: Vec<ChannelDetails> = ldk.list_channels().into_iter().filter(is_new).collect();
    let funded = new.iter().filter_map(|channel| channel.funding_txo);
    let unknown = funded.clone().filter(|funding| ldk.payment(&PaymentId(funding.txid.to_byte_array())).is_none());
    (new.len() - funded.count(), unknown.count())
}

fn refused() -> Failure {
    let message = "the peer did not take the channel: many take few that aren't confirmed, or want a reserve on \
    chain for each; its log has more. Try again when those before are confirmed";
    Failure::new(Reason::ChannelBusy, message)
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
