//! Looks at the channels again and again while the node runs: who can be paid again is told, who was lost is dialled.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use boltgram_core::{NodeId, transport::EventHandler};
use ldk_node::{ChannelDetails, UserChannelId};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    limits::CHANNELS_POLL_MS,
    node::Inner,
    redial::{self, Schedule},
};

/// Looks until it is aborted.
pub(crate) async fn run(inner: Arc<Inner>, handler: Arc<dyn EventHandler>) {
    let (mut usable, mut schedule) = (Usable::default(), Schedule::default());
    let mut poll = interval(Duration::from_millis(CHANNELS_POLL_MS));
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        poll.tick().await;
        let ldk = inner.ldk();
        let channels: Vec<Link> = ldk.list_channels().iter().map(Link::from).collect();
        let reachable = usable.news(&channels);
        if !reachable.is_empty() {
            handler.reachable(&reachable);
        }
        for peer in schedule.due(&lost(&channels, || connected(&ldk)), Instant::now()) {
            redial::dial(&inner, peer);
        }
    }
}

/// What of a channel is looked at here.
#[derive(Clone, Copy)]
struct Link {
    id: UserChannelId,
    peer: NodeId,
    is_usable: bool,
}

impl From<&ChannelDetails> for Link {
    fn from(details: &ChannelDetails) -> Self {
        Self { id: details.user_channel_id, peer: details.counterparty_node_id.into(), is_usable: details.is_usable }
    }
}

/// The channels that could be used at the last look. At the first one of a start there were none before.
#[derive(Default)]
struct Usable(HashSet<u128>);

impl Usable {
    /// The peers to which a channel became usable since the last look, each once.
    fn news(&mut self, channels: &[Link]) -> Vec<NodeId> {
        let usable = || channels.iter().filter(|channel| channel.is_usable);
        let news: BTreeSet<NodeId> =
            usable().filter(|channel| !self.0.contains(&channel.id.0)).map(|channel| channel.peer).collect();
        self.0 = usable().map(|channel| channel.id.0).collect();
        news.into_iter().collect()
    }
}

/// The peers that have a channel and no connection. Whoever has a usable channel is connected.
fn lost(channels: &[Link], connected: impl FnOnce() -> HashSet<NodeId>) -> HashSet<NodeId> {
    let mut lost: HashSet<NodeId> = channels.iter().map(|channel| channel.peer).collect();
    for channel in channels.iter().filter(|channel| channel.is_usable) {
        lost.remove(&channel.peer);
    }
    if !lost.is_empty() {
        let connected = connected();
        lost.retain(|peer| !connected.contains(peer));
    }
    lost
}

fn connected(ldk: &ldk_node::Node) -> HashSet<NodeId> {
    ldk.list_peers().into_iter().filter(|peer| peer.is_connected).map(|peer| peer.node_id.into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(last: char) -> NodeId {
        // The x coordinates 1 to 4 and 8 with an even y are on the curve.
        format!("02{}{last}", "0".repeat(63)).parse().unwrap()
    }

    fn link(id: u128, peer: char, is_usable: bool) -> Link {
        Link { id: UserChannelId(id), peer: node(peer), is_usable }
    }

    #[test]
    fn a_peer_is_told_at_the_first_look_and_whenever_a_channel_to_it_becomes_usable() {
        let mut usable = Usable::default();
        let (one, two) = (link(1, '1', true), link(2, '2', true));
        let away = |channel| Link { is_usable: false, ..channel };
        assert_eq!(usable.news(&[one, away(two)]), [node('1')]);
        assert_eq!(usable.news(&[one, away(two)]), []);
        assert_eq!(usable.news(&[one, two]), [node('2')]);
        assert_eq!(usable.news(&[away(one), two]), []);
        assert_eq!(usable.news(&[one, two]), [node('1')]);
        assert_eq!(usable.news(&[one, two, link(3, '2', true), link(4, '2', true)]), [node('2')]);
        assert_eq!(usable.news(&[]), []);
        assert_eq!(usable.news(&[two, one]), [node('1'), node('2')]);
    }

    #[test]
    fn a_peer_is_lost_that_has_a_channel_and_no_connection() {
        let channels = [link(1, '1', true), link(2, '1', false), link(3, '2', false), link(4, '3', false)];
        assert_eq!(lost(&channels, || HashSet::from([node('3')])), HashSet::from([node('2')]));
        assert_eq!(lost(&channels[..2], || panic!("nobody is asked")), HashSet::new());
    }
}
