//! Why a payment can't be sent now: told beforehand, since ldk-node fails them all alike.

use boltgram_core::{Failure, NodeId, Reason};
use ldk_node::{ChannelDetails, lightning::routing::gossip};

use crate::limits::IN_FLIGHT_MARGIN_MSAT;

/// What of a channel decides whether a payment can go over it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Channel {
    /// The far node.
    pub(crate) peer: NodeId,
    /// Its funding is deep enough.
    pub(crate) is_ready: bool,
    /// It is ready and the peer is connected.
    pub(crate) is_usable: bool,
    /// This side's balance without the reserve.
    pub(crate) outbound_msat: u64,
    /// What one payment may carry at most when no other is in flight.
    pub(crate) htlc_msat_max: u64,
    /// What one payment may carry now.
    pub(crate) next_limit_msat: u64,
}

impl From<&ChannelDetails> for Channel {
    fn from(details: &ChannelDetails) -> Self {
        Self {
            peer: details.counterparty_node_id.into(),
            is_ready: details.is_channel_ready,
            is_usable: details.is_usable,
            outbound_msat: details.outbound_capacity_msat,
            htlc_msat_max: details.counterparty_outbound_htlc_maximum_msat.unwrap_or(u64::MAX),
            next_limit_msat: details.next_outbound_htlc_limit_msat,
        }
    }
}

impl Channel {
    /// Whether it could carry the amount if the payments in flight were settled.
    fn is_only_busy(&self, amount_msat: u64) -> bool {
        amount_msat <= self.htlc_msat_max && amount_msat.saturating_add(IN_FLIGHT_MARGIN_MSAT) <= self.outbound_msat
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
pub(crate) fn check(ldk: &ldk_node::Node, recipient: NodeId, amount_msat: u64, paths: Paths) -> Result<(), Failure> {
    let channels: Vec<Channel> = ldk.list_channels().iter().map(Channel::from).collect();
    let has_hints = matches!(paths, Paths::Several { has_hints: true });
    let is_known =
        || has_hints || ldk.network_graph().node(&gossip::NodeId::from_pubkey(&recipient.public_key())).is_some();
    judge(&channels, recipient, amount_msat, paths, is_known)
}

/// Whether these channels can send the amount, as far as can be told without a route.
fn judge(
    channels: &[Channel],
    recipient: NodeId,
    amount_msat: u64,
    paths: Paths,
    is_known: impl FnOnce() -> bool,
) -> Result<(), Failure> {
    if !channels.iter().any(|channel| channel.is_ready) {
        return Err(no_channel(channels));
    }
    let (direct, others): (Vec<&Channel>, Vec<&Channel>) =
        channels.iter().filter(|channel| channel.is_ready).partition(|channel| channel.peer == recipient);
    let usable_direct: Vec<&Channel> = direct.iter().copied().filter(|channel| channel.is_usable).collect();
    if !direct.is_empty() && usable_direct.is_empty() {
        let message = "the recipient is a peer of this node and is not connected: it is dialled until it is back";
        return Err(Failure::new(Reason::PeerOffline, message));
    }
    let is_known = is_known();
    if direct.is_empty() && !is_known {
        let message = "the recipient is no peer with a channel that is ready, and not known from gossip: open a \
        channel to it, or wait until its announcement has arrived";
        return Err(Failure::new(Reason::UnknownNode, message));
    }
    // Without an announced channel the recipient is reached over its own channels with this node alone.
    let detours = others.into_iter().filter(|channel| is_known && channel.is_usable);
    let usable: Vec<&Channel> = usable_direct.into_iter().chain(detours).collect();
    if usable.is_empty() {
        let message = "no peer with a channel is connected: they are dialled until one is back";
        return Err(Failure::new(Reason::PeerOffline, message));
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

fn enough(usable: &[&Channel], amount_msat: u64, paths: Paths) -> Result<(), Failure> {
    let limits_msat = usable.iter().map(|channel| channel.next_limit_msat);
    let available_msat = match paths {
        Paths::One => limits_msat.max().unwrap_or(0),
        Paths::Several { .. } => limits_msat.fold(0, u64::saturating_add),
    };
    if amount_msat <= available_msat {
        return Ok(());
    }
    let failure = match usable.iter().any(|channel| channel.is_only_busy(amount_msat)) {
        true => Failure::new(
            Reason::PaymentFailed,
            "the channel has as many payments in flight as it may: try again when some have arrived",
        ),
        false => Failure::new(
            Reason::InsufficientOutbound,
            format!(
                "{amount_msat} msat are to be sent, and this node's channels can send {available_msat} msat at \
                once: open a larger channel, or receive something first"
            ),
        ),
    };
    Err(failure.with("needed_msat", amount_msat).with("available_msat", available_msat))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAT: u64 = 1_000;

    fn node(last: char) -> NodeId {
        // The x coordinates 1 to 4 and 8 with an even y are on the curve.
        format!("02{}{last}", "0".repeat(63)).parse().unwrap()
    }

    /// A usable channel with 100,000 sat on this side.
    fn channel(peer: NodeId) -> Channel {
        Channel {
            peer,
            is_ready: true,
            is_usable: true,
            outbound_msat: 100_000 * SAT,
            htlc_msat_max: 90_000 * SAT,
            next_limit_msat: 90_000 * SAT,
        }
    }

    fn reason(channels: &[Channel], amount_msat: u64, is_known: bool) -> Option<Reason> {
        judge(channels, node('1'), amount_msat, Paths::One, || is_known).err().map(|failure| failure.reason)
    }

    #[test]
    fn each_obstacle_is_told_from_the_others() {
        let (direct, other) = (channel(node('1')), channel(node('2')));
        let pending = |channel| Channel { is_ready: false, is_usable: false, ..channel };
        let offline = |channel| Channel { is_usable: false, ..channel };
        let poor = |channel| Channel { outbound_msat: 10 * SAT, next_limit_msat: 5 * SAT, ..channel };
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
        let channels = [Channel { outbound_msat: 10 * SAT, next_limit_msat: 5_432, ..channel(node('1')) }];
        let failure = judge(&channels, node('1'), 6_000, Paths::One, || false).unwrap_err();
        assert_eq!(failure.metadata["needed_msat"], "6000");
        assert_eq!(failure.metadata["available_msat"], "5432");
        assert_eq!(reason(&channels, 5_432, false), None);
    }

    #[test]
    fn a_payment_over_several_paths_may_use_all_channels_together() {
        let channels = [channel(node('1')), channel(node('1'))];
        let judged = |paths| judge(&channels, node('1'), 150_000 * SAT, paths, || false);
        assert_eq!(judged(Paths::One).unwrap_err().reason, Reason::InsufficientOutbound);
        assert_eq!(judged(Paths::Several { has_hints: false }), Ok(()));
    }

    #[test]
    fn a_channel_full_of_payments_is_worth_another_try_and_an_amount_beyond_its_bound_is_not() {
        let full = [Channel { next_limit_msat: 0, ..channel(node('1')) }];
        assert_eq!(reason(&full, 1_000 * SAT, false), Some(Reason::PaymentFailed));
        assert!(Reason::PaymentFailed.is_retryable());
        assert_eq!(reason(&full, 95_000 * SAT, false), Some(Reason::InsufficientOutbound));
        assert_eq!(reason(&full, u64::MAX, false), Some(Reason::InsufficientOutbound));
    }
}
