//! Dials peers with channels that were lost: ldk-node itself does so every 60 s only.
//!
//! Who is lost is found out in `links`. The other side may dial at the same time; LDK keeps one connection of the two.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use boltgram_core::{
    NodeId,
    limits::{REDIAL_MS_MAX, REDIAL_MS_MIN},
};
use ldk_node::lightning::{ln::msgs::SocketAddress, routing::gossip};

use crate::{limits::REDIALS_MAX, node::Inner, panics::Marker};

/// Where a peer listens: as it is kept, else as it is announced.
pub(crate) fn address_of(ldk: &ldk_node::Node, peer: NodeId) -> Option<SocketAddress> {
    let kept = ldk.list_peers().into_iter().find(|known| NodeId::from(known.node_id) == peer);
    kept.map(|known| known.address).or_else(|| {
        let node = ldk.network_graph().node(&gossip::NodeId::from_pubkey(&peer.public_key()))?;
        node.announcement_info?.addresses().first().cloned()
    })
}

/// Dials one peer on a blocking thread, unless its last dial goes on still or too many do.
pub(crate) fn dial(inner: &Arc<Inner>, peer: NodeId) {
    let ldk = inner.ldk();
    let Some(address) = address_of(&ldk, peer) else { return };
    let mut running = inner.redialling.lock().unwrap_or_else(PoisonError::into_inner);
    if running.len() >= REDIALS_MAX || !running.insert(peer) {
        return;
    }
    drop(running);
    let inner = Arc::downgrade(inner);
    tokio::task::spawn_blocking(move || {
        let outcome = {
            let _marker = Marker::enter();
            ldk.connect(peer.public_key(), address, false)
        };
        match outcome {
            Ok(()) => tracing::info!(%peer, "a lost peer is connected again"),
            Err(error) => tracing::debug!(%peer, %error, "a lost peer does not answer"),
        }
        if let Some(inner) = inner.upgrade() {
            inner.redialling.lock().unwrap_or_else(PoisonError::into_inner).remove(&peer);
        }
    });
}

/// When each lost peer is to be dialled.
#[derive(Default)]
pub(crate) struct Schedule {
    waiting: HashMap<NodeId, Waiting>,
}

struct Waiting {
    next_at: Instant,
    delays: ExponentialBackoff,
}

impl Schedule {
    /// The peers to dial now. A peer that isn't lost any more begins anew when it is lost again.
    pub(crate) fn due(&mut self, lost: &HashSet<NodeId>, now: Instant) -> Vec<NodeId> {
        self.waiting.retain(|peer, _| lost.contains(peer));
        let mut due = Vec::new();
        for peer in lost {
            let waiting = self.waiting.entry(*peer).or_insert_with(|| Waiting::from(now));
            if waiting.next_at <= now {
                waiting.next_at = now + waiting.delay();
                due.push(*peer);
            }
        }
        due
    }
}

impl Waiting {
    fn from(now: Instant) -> Self {
        // The jitter adds up to as much again.
        let delays = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(REDIAL_MS_MIN))
            .with_max_delay(Duration::from_millis(REDIAL_MS_MAX / 2))
            .without_max_times()
            .with_jitter()
            .build();
        let mut waiting = Self { next_at: now, delays };
        waiting.next_at = now + waiting.delay();
        waiting
    }

    fn delay(&mut self) -> Duration {
        self.delays.next().unwrap_or(Duration::from_millis(REDIAL_MS_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::CHANNELS_POLL_MS;

    const PEER: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

    /// The times of the first dials of one lost peer, in milliseconds.
    fn dials(schedule: &mut Schedule, begin: Instant, polls: u64) -> Vec<u64> {
        let lost = HashSet::from([PEER.parse().unwrap()]);
        let polled = (0..polls).map(|poll| poll * CHANNELS_POLL_MS);
        polled.filter(|ms| !schedule.due(&lost, begin + Duration::from_millis(*ms)).is_empty()).collect()
    }

    #[test]
    fn a_lost_peer_is_dialled_soon_and_then_ever_less_often() {
        let dials = dials(&mut Schedule::default(), Instant::now(), 2_000);
        assert!((REDIAL_MS_MIN..=2 * REDIAL_MS_MIN + CHANNELS_POLL_MS).contains(&dials[0]), "{dials:?}");
        let gaps: Vec<u64> = dials.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| *gap <= REDIAL_MS_MAX + CHANNELS_POLL_MS), "{gaps:?}");
        assert!(*gaps.last().unwrap() >= REDIAL_MS_MAX / 2, "{gaps:?}");
    }

    #[test]
    fn a_peer_that_came_back_begins_anew() {
        let (mut schedule, begin) = (Schedule::default(), Instant::now());
        dials(&mut schedule, begin, 1_000);
        let later = begin + Duration::from_secs(1_000);
        assert!(schedule.due(&HashSet::new(), later).is_empty());
        assert!(dials(&mut schedule, later, 100)[0] <= 2 * REDIAL_MS_MIN + CHANNELS_POLL_MS);
    }
}
