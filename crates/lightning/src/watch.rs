//! Watches the Esplora server while the node runs: ldk-node writes a sync that failed into its log alone.
//!
//! What it finds stands in the node's status. It changes nothing else: channels go on to carry payments while the
//! server is away, and ldk-node's own syncs try again at their next turn.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ldk_node::bitcoin::Network;
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    esplora::{self, Unfit},
    limits::{ESPLORA_WATCH_INTERVAL_S, REGTEST_ESPLORA_WATCH_INTERVAL_S, REGTEST_SYNC_AGE_S_MAX, SYNC_AGE_S_MAX},
    node::Inner,
};

/// Watches until it is aborted.
pub(crate) async fn run(inner: Arc<Inner>) {
    let started_at_s = now_s();
    let (interval_s, age_s_max) = match inner.config.network {
        Network::Regtest => (REGTEST_ESPLORA_WATCH_INTERVAL_S, REGTEST_SYNC_AGE_S_MAX),
        _ => (ESPLORA_WATCH_INTERVAL_S, SYNC_AGE_S_MAX),
    };
    let mut ticks = interval(Duration::from_secs(interval_s));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once, and the start has just asked.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let answer = esplora::probe(&inner.config.esplora_url, inner.config.network).await;
        let synced_at_s = inner.ldk().status().latest_lightning_wallet_sync_timestamp.unwrap_or(0);
        // A node that was down for long is given the time for its first sync.
        let age_s = now_s().saturating_sub(synced_at_s.max(started_at_s));
        let problem = problem(answer, age_s, age_s_max);
        let message = problem.map(|what| format!("Esplora at {}: {what}", inner.config.esplora_shown()));
        inner.set_running_message(message.unwrap_or_default());
    }
}

/// What is wrong, if anything: what the server answered now, or that the last sync is too long ago. The safety of the
/// channels depends on syncs.
fn problem(answer: Result<(), Unfit>, age_s: u64, age_s_max: u64) -> Option<String> {
    let trouble = match answer {
        Ok(()) if age_s <= age_s_max => return None,
        Ok(()) => "it answers, but too slowly or not all that is asked".to_owned(),
        Err(Unfit::Away(why)) => why,
        Err(Unfit::OtherNetwork(genesis)) => format!("it serves another network (its first block is {genesis})"),
    };
    Some(format!(
        "{trouble}. The last sync with the chain was {age_s} s ago; channels stay open and carry messages meanwhile"
    ))
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_away_is_told_at_once_and_one_that_is_slow_after_a_while() {
        let away = || Err(Unfit::Away("connection refused".into()));
        assert!(
            problem(away(), 3, 20).unwrap().starts_with("connection refused. The last sync with the chain was 3 s")
        );
        assert_eq!(problem(Ok(()), 20, 20), None);
        assert!(problem(Ok(()), 21, 20).unwrap().contains("too slowly"));
    }
}
