//! When a start has caught up with what was before it, so that it can be found out what became of a payment that was
//! under way at the end of the last run.
//!
//! LDK hands over the events that it loaded before it writes the channel manager's state for the first time since the
//! start (lightning-background-processor 0.2.3, `process_events_async`), and ldk-node has them in its event queue on
//! disk by then. A state that nothing changed is not written: then there were no such events. So the start has caught
//! up when the first of these writes was acknowledged, or long nothing was written, and the queue is empty after that.

use std::{future::pending, time::Duration};

use tokio::{sync::watch, time::timeout};

use crate::{kv::observed::Acknowledged, limits::CAUGHT_UP_QUIET_MS};

/// How far a start has caught up.
pub(crate) enum CatchUp {
    /// LDK may have events from before that are not in the queue yet.
    Loading {
        /// What the store tells.
        writes: watch::Receiver<Acknowledged>,
        /// The number of manager writes before the start.
        manager_before: u64,
        /// How long nothing is written when there is nothing to write.
        quiet: Duration,
    },
    /// All events from before are in the queue.
    Queued,
    /// All of them were handled.
    Done,
}

impl CatchUp {
    /// Call it before ldk-node is started.
    pub(crate) fn begin(writes: watch::Receiver<Acknowledged>) -> Self {
        Self::begin_with(writes, Duration::from_millis(CAUGHT_UP_QUIET_MS))
    }

    fn begin_with(mut writes: watch::Receiver<Acknowledged>, quiet: Duration) -> Self {
        let manager_before = writes.borrow_and_update().manager;
        Self::Loading { writes, manager_before, quiet }
    }

    /// Waits until all events from before are in the queue; for ever when that was so before. May be dropped and called
    /// again at any time.
    pub(crate) async fn queued(&mut self) {
        let Self::Loading { writes, manager_before, quiet } = self else { return pending().await };
        while writes.borrow_and_update().manager == *manager_before {
            // A write of the queue begins the time anew: there are events.
            match timeout(*quiet, writes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => break,
            }
        }
        *self = Self::Queued;
    }

    /// Whether an empty queue means that the start has caught up. That is so once.
    pub(crate) fn ends_with_an_empty_queue(&self) -> bool {
        matches!(self, Self::Queued)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const QUIET: Duration = Duration::from_millis(200);

    fn store(quiet: Duration) -> (watch::Sender<Acknowledged>, CatchUp) {
        let (store, writes) = watch::channel(Acknowledged { manager: 7, event_queue: 3 });
        (store, CatchUp::begin_with(writes, quiet))
    }

    async fn is_pending(catch_up: &mut CatchUp) -> bool {
        timeout(QUIET / 2, catch_up.queued()).await.is_err()
    }

    #[tokio::test]
    async fn the_first_write_of_the_managers_state_since_the_start_ends_the_loading() {
        let (store, mut catch_up) = store(Duration::from_secs(3_600));
        store.send_modify(|seen| seen.event_queue += 1);
        assert!(is_pending(&mut catch_up).await);
        assert!(!catch_up.ends_with_an_empty_queue());
        store.send_modify(|seen| seen.manager += 1);
        catch_up.queued().await;
        assert!(catch_up.ends_with_an_empty_queue());
        assert!(is_pending(&mut catch_up).await, "it is told once");
    }

    #[tokio::test]
    async fn a_state_that_nothing_changed_ends_it_after_a_quiet_time() {
        let (store, mut catch_up) = store(QUIET);
        let begin = Instant::now();
        assert!(is_pending(&mut catch_up).await);
        store.send_modify(|seen| seen.event_queue += 1);
        catch_up.queued().await;
        assert!(begin.elapsed() >= QUIET + QUIET / 2, "{:?}", begin.elapsed());
        assert!(catch_up.ends_with_an_empty_queue());
    }
}
