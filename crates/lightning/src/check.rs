//! Why a payment can't be sent now: told beforehand, since ldk-node fails them all alike.
//!
//! Payments in flight hold a channel's places (HTLC slots), its balance, and its room for dust. What they hold is free
//! again once they have arrived: a payment that only they are in the way of is told as busy. ldk-node doesn't
//! count them, but what a channel could carry without them can be reckoned from what it does tell.

use boltgram_core::{Failure, NodeId, Reason, transport::SendError};
use ldk_node::{ChannelDetails, lightning::routing::gossip};

use crate::limits::{COMMITMENT_WEIGHT, DUST_LIMIT_SAT, HTLC_SLOTS_PER_CHANNEL, HTLC_WEIGHT};

/// What of a channel decides whether a payment can go over it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Channel {
    /// The far node.
    pub(crate) peer: NodeId,
    /// Its funding is deep enough.
    pub(crate) is_ready: bool,
    /// It is ready and the peer is connected.
    pub(crate) is_usable: bool,
    /// What one payment must carry at least, whatever is in flight.
    pub(crate) idle_min_msat: u64,
    /// What one payment could carry at most if none were in flight, each of those having arrived.
    pub(crate) idle_limit_msat: u64,
    /// What one payment must carry at least now: more when dust in flight takes all the room for dust.
    pub(crate) next_min_msat: u64,
    /// What one payment may carry now; 0 when every place is taken.
    pub(crate) next_limit_msat: u64,
}

impl From<&ChannelDetails> for Channel {
    fn from(details: &ChannelDetails) -> Self {
        let idle_limit_msat = idle_limit_msat(
            details.is_outbound,
            details.feerate_sat_per_1000_weight,
            details.outbound_capacity_msat,
            details.inbound_capacity_msat,
        );
        Self {
            peer: details.counterparty_node_id.into(),
            is_ready: details.is_channel_ready,
            is_usable: details.is_usable,
            idle_min_msat: details.counterparty_outbound_htlc_minimum_msat.unwrap_or(0),
            idle_limit_msat: idle_limit_msat.min(details.counterparty_outbound_htlc_maximum_msat.unwrap_or(u64::MAX)),
            next_min_msat: details.next_outbound_htlc_minimum_msat,
            next_limit_msat: details.next_outbound_htlc_limit_msat,
        }
    }
}

/// What an idle channel's balances let one payment carry. Whoever opened the channel pays for its commitment
/// transaction, and must be able to with the payment in it (lightning 0.2.7, `get_available_balances_for_scope`). The
/// balances are without the channel reserves and without what is in flight.
fn idle_limit_msat(is_outbound: bool, feerate_sat_per_1000_weight: u32, outbound_msat: u64, inbound_msat: u64) -> u64 {
    // A satoshi for each 1,000 units of weight is a millisatoshi for each. With anchors, as all of ldk-node's have that
    // the far side knows them for.
    let fee_msat = |htlcs: u64| u64::from(feerate_sat_per_1000_weight) * (COMMITMENT_WEIGHT + HTLC_WEIGHT * htlcs);
    let dust_msat = DUST_LIMIT_SAT * 1_000;
    match is_outbound {
        // One HTLC more than the payment's own, so that a rise of the fee rate can be met.
        true => match outbound_msat.saturating_sub(fee_msat(2)) {
            limit_msat if limit_msat >= dust_msat => limit_msat,
            _ => outbound_msat.saturating_sub(fee_msat(1)).min(dust_msat - 1),
        },
        false if inbound_msat < fee_msat(1) => outbound_msat.min(dust_msat - 1),
        false => outbound_msat,
    }
}

impl Channel {
    /// Whether it can carry the amount now. One below what the peer always asks for may be raised by LDK.
    fn carries(&self, amount_msat: u64) -> bool {
        let is_room_for_dust = self.next_min_msat <= self.idle_min_msat;
        amount_msat <= self.next_limit_msat && (is_room_for_dust || amount_msat >= self.next_min_msat)
    }
}

/// Over how many paths a payment may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Paths {
    /// One, as keysend has it.
    One,
    /// Several at once, as invoices allow.
    Several {
        /// The invoice says itself over whom its maker is reached, so gossip need not.
        has_hints: bool,
    },
}

/// Looks at the node's channels and graph.
pub(crate) fn check(ldk: &ldk_node::Node, recipient: NodeId, amount_msat: u64, paths: Paths) -> Result<(), SendError> {
    let has_hints = matches!(paths, Paths::Several { has_hints: true });
    let is_known =
        || has_hints || ldk.network_graph().node(&gossip::NodeId::from_pubkey(&recipient.public_key())).is_some();
    judge(&channels(ldk), recipient, amount_msat, paths, is_known)
}

/// The node's channels.
pub(crate) fn channels(ldk: &ldk_node::Node) -> Vec<Channel> {
    ldk.list_channels().iter().map(Channel::from).collect()
}

/// How many payments to the recipient may be in flight at the same time: over its own channels with this node if
/// there are any, else over all.
pub(crate) fn payments_in_flight_max(channels: &[Channel], recipient: NodeId) -> usize {
    let (direct, others) = split(channels, recipient);
    let carriers = if direct.is_empty() { others } else { direct };
    carriers.iter().filter(|channel| channel.is_usable).count() * HTLC_SLOTS_PER_CHANNEL
}

/// Whether the recipient has a usable channel with this node that could carry the amount if it were idle.
pub(crate) fn is_direct(channels: &[Channel], recipient: NodeId, amount_msat: u64) -> bool {
    let (direct, _) = split(channels, recipient);
    direct.iter().any(|channel| channel.is_usable && amount_msat <= channel.idle_limit_msat)
}

/// The ready channels: those with the recipient, and the others.
fn split(channels: &[Channel], recipient: NodeId) -> (Vec<&Channel>, Vec<&Channel>) {
    channels.iter().filter(|channel| channel.is_ready).partition(|channel| channel.peer == recipient)
}

/// Whether these channels can send the amount, as far as can be told without a route.
fn judge(
    channels: &[Channel],
    recipient: NodeId,
    amount_msat: u64,
    paths: Paths,
    is_known: impl FnOnce() -> bool,
) -> Result<(), SendError> {
    let not_sent = |reason, message: &str| Err(SendError::NotSent(Failure::new(reason, message)));
    if !channels.iter().any(|channel| channel.is_ready) {
        return Err(SendError::NotSent(no_channel(channels)));
    }
    let (direct, others) = split(channels, recipient);
    let usable_direct: Vec<&Channel> = direct.iter().copied().filter(|channel| channel.is_usable).collect();
    if !direct.is_empty() && usable_direct.is_empty() {
        let message = "the recipient is a peer of this node and is not connected: it is dialled until it is back";
        return not_sent(Reason::PeerOffline, message);
    }
    let is_known = is_known();
    if direct.is_empty() && !is_known {
        let message = "the recipient is no peer with a channel that is ready, and not known from gossip: open a \
        channel to it, or wait until its announcement has arrived";
        return not_sent(Reason::UnknownNode, message);
    }
    // Without an announced channel the recipient is reached over its own channels with this node alone.
    let detours = others.into_iter().filter(|channel| is_known && channel.is_usable);
    let usable: Vec<&Channel> = usable_direct.into_iter().chain(detours).collect();
    if usable.is_empty() {
        let message = "no peer with a channel is connected: they are dialled until one is back";
        return not_sent(Reason::PeerOffline, message);
    }
    enough(&usable, amount_msat, paths)
}

fn no_channel(channels: &[Channel]) -> Failure {
    let message = match channels.is_empty() {
        true => "this node has no channel: open one with Node.OpenChannel",
        false => "no channel of this node is ready yet: wait until its funding has its confirmations",
    };
    Failure::new(Reason::NoChannel, message)
}

fn enough(usable: &[&Channel], amount_msat: u64, paths: Paths) -> Result<(), SendError> {
    let together = |limit_msat: fn(&Channel) -> u64| {
        let limits_msat = usable.iter().map(|channel| limit_msat(channel));
        match paths {
            Paths::One => limits_msat.max().unwrap_or(0),
            Paths::Several { .. } => limits_msat.fold(0, u64::saturating_add),
        }
    };
    let available_msat = together(|channel| channel.next_limit_msat);
    let is_carried = match paths {
        Paths::One => usable.iter().any(|channel| channel.carries(amount_msat)),
        Paths::Several { .. } => amount_msat <= available_msat,
    };
    if is_carried {
        return Ok(());
    }
    if amount_msat <= together(|channel| channel.idle_limit_msat) {
        return Err(SendError::Busy);
    }
    let message = format!(
        "{amount_msat} msat are to be sent, and this node's channels can send {available_msat} msat at once: open a \
        larger channel, or receive something first"
    );
    let failure = Failure::new(Reason::InsufficientOutbound, message);
    Err(SendError::NotSent(failure.with("needed_msat", amount_msat).with("available_msat", available_msat)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAT: u64 = 1_000;

    fn node(last: char) -> NodeId {
        // The x coordinates 1 to 4 and 8 with an even y are on the curve.
        format!("02{}{last}", "0".repeat(63)).parse().unwrap()
    }

    /// A usable channel that can carry 90,000 sat.
    fn channel(peer: NodeId) -> Channel {
        Channel {
            peer,
            is_ready: true,
            is_usable: true,
            idle_min_msat: 1,
            idle_limit_msat: 90_000 * SAT,
            next_min_msat: 1,
            next_limit_msat: 90_000 * SAT,
        }
    }

    /// `None` is yes, a reason is no, and busy stands as `PaymentFailed`, as the API has it.
    fn reason(channels: &[Channel], amount_msat: u64, is_known: bool) -> Option<Reason> {
        match judge(channels, node('1'), amount_msat, Paths::One, || is_known) {
            Ok(()) => None,
            Err(SendError::NotSent(failure)) => Some(failure.reason),
            Err(SendError::Busy) => Some(Reason::PaymentFailed),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_obstacle_is_told_from_the_others() {
        let (direct, other) = (channel(node('1')), channel(node('2')));
        let pending = |channel| Channel { is_ready: false, is_usable: false, ..channel };
        let offline = |channel| Channel { is_usable: false, ..channel };
        let poor = |channel| Channel { idle_limit_msat: 5 * SAT, next_limit_msat: 5 * SAT, ..channel };
        for (name, channels, is_known, expected) in [
            ("a usable channel to it", vec![direct], false, None),
            ("a way over another peer", vec![other], true, None),
            ("no channel at all", vec![], true, Some(Reason::NoChannel)),
            ("only one that isn't ready", vec![pending(direct)], true, Some(Reason::NoChannel)),
            ("its own channel offline", vec![offline(direct)], false, Some(Reason::PeerOffline)),
            ("its own offline, another usable", vec![offline(direct), other], true, Some(Reason::PeerOffline)),
            ("every peer offline", vec![offline(other)], true, Some(Reason::PeerOffline)),
            ("known to nobody", vec![other], false, Some(Reason::UnknownNode)),
            ("its own not ready, known to nobody", vec![pending(direct), other], false, Some(Reason::UnknownNode)),
            ("too little", vec![poor(direct)], false, Some(Reason::InsufficientOutbound)),
            ("too little to it, no detour", vec![poor(direct), other], false, Some(Reason::InsufficientOutbound)),
            ("too little to it, a detour", vec![poor(direct), other], true, None),
        ] {
            assert_eq!(reason(&channels, 100 * SAT, is_known), expected, "{name}");
        }
    }

    #[test]
    fn too_little_tells_both_numbers() {
        let channels = [Channel { idle_limit_msat: 5_432, next_limit_msat: 5_432, ..channel(node('1')) }];
        let Err(SendError::NotSent(failure)) = judge(&channels, node('1'), 6_000, Paths::One, || false) else {
            panic!("6,000 msat don't fit");
        };
        assert_eq!(failure.metadata["needed_msat"], "6000");
        assert_eq!(failure.metadata["available_msat"], "5432");
        assert_eq!(reason(&channels, 5_432, false), None);
    }

    #[test]
    fn a_payment_over_several_paths_may_use_all_channels_together() {
        let channels = [channel(node('1')), channel(node('1'))];
        let judged = |paths| judge(&channels, node('1'), 150_000 * SAT, paths, || false);
        assert_eq!(reason(&channels, 150_000 * SAT, false), Some(Reason::InsufficientOutbound));
        assert_eq!(judged(Paths::Several { has_hints: false }), Ok(()));
        let full = channels.map(|channel| Channel { next_limit_msat: 0, ..channel });
        let judged = judge(&full, node('1'), 150_000 * SAT, Paths::Several { has_hints: false }, || false);
        assert_eq!(judged, Err(SendError::Busy));
    }

    #[test]
    fn a_channel_full_of_payments_is_busy_and_an_amount_beyond_its_bound_is_too_much() {
        let full = [Channel { next_limit_msat: 0, ..channel(node('1')) }];
        assert_eq!(reason(&full, 1_000, false), Some(Reason::PaymentFailed));
        assert_eq!(reason(&full, 90_000 * SAT, false), Some(Reason::PaymentFailed));
        assert_eq!(reason(&full, 95_000 * SAT, false), Some(Reason::InsufficientOutbound));
        assert_eq!(reason(&full, u64::MAX, false), Some(Reason::InsufficientOutbound));
        let free = channel(node('1'));
        assert_eq!(reason(&[full[0], free], 1_000, false), None);
    }

    #[test]
    fn a_channel_whose_room_for_dust_is_taken_carries_larger_amounts_alone() {
        let dusty = [Channel { next_min_msat: DUST_LIMIT_SAT * SAT, ..channel(node('1')) }];
        assert_eq!(reason(&dusty, 353 * SAT, false), Some(Reason::PaymentFailed));
        assert_eq!(reason(&dusty, 354 * SAT, false), None);
        let strict = [Channel { idle_min_msat: 10 * SAT, next_min_msat: 10 * SAT, ..channel(node('1')) }];
        assert_eq!(reason(&strict, SAT, false), None, "LDK raises the amount by itself");
    }

    #[test]
    fn what_an_idle_channel_carries_is_its_balance_without_the_fee_of_its_commitment() {
        // 253 sat for 1,000 units of weight, over 1,124 + 2 * 172: 371.404 sat.
        assert_eq!(idle_limit_msat(true, 253, 100_000 * SAT, 0), 100_000 * SAT - 371_404);
        // What is left is dust: then the payment has no output that costs a fee.
        assert_eq!(idle_limit_msat(true, 253, 400 * SAT, 0), 400 * SAT - 327_888);
        assert_eq!(idle_limit_msat(true, 253, 700 * SAT, 0), DUST_LIMIT_SAT * SAT - 1);
        assert_eq!(idle_limit_msat(true, 253, 0, 0), 0);
        // The far side opened the channel, and pays.
        assert_eq!(idle_limit_msat(false, 253, 100_000 * SAT, 328 * SAT), 100_000 * SAT);
        assert_eq!(idle_limit_msat(false, 253, 100_000 * SAT, 327 * SAT), DUST_LIMIT_SAT * SAT - 1);
    }

    #[test]
    fn the_window_is_that_of_the_channels_to_the_recipient_or_else_of_all() {
        let (direct, other) = (channel(node('1')), channel(node('2')));
        let offline = |channel| Channel { is_usable: false, ..channel };
        let pending = |channel| Channel { is_ready: false, is_usable: false, ..channel };
        for (name, channels, expected) in [
            ("no channel", vec![], 0),
            ("two to it and another", vec![direct, direct, other], 2),
            ("its own offline", vec![offline(direct), other], 0),
            ("its own not ready", vec![pending(direct), other, other], 2),
            ("one of its own offline", vec![offline(direct), direct], 1),
        ] {
            assert_eq!(payments_in_flight_max(&channels, node('1')), expected * HTLC_SLOTS_PER_CHANNEL, "{name}");
        }
    }
}
