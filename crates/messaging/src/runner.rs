//! What keeps the outbox going: workers that start payments, and a tick that looks for what has become due.
//!
//! Each recipient has a few workers at most, on blocking threads. Messages that come in while all of them are busy wait
//! in their lane, and share the next payment.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use boltgram_core::{
    MessageId, NodeId,
    limits::{LANE_WORKERS_MAX, OUTBOX_TICK_MS},
};
use tokio::{
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};

use crate::{Messaging, Phase, now_ms, outbox::Ended};

/// Who works for each recipient now.
#[derive(Default)]
pub(crate) struct Workers(Mutex<HashMap<NodeId, Crew>>);

#[derive(Default)]
pub(crate) struct Crew {
    count: usize,
    /// Whether one more was asked for while there were as many as may be.
    is_short: bool,
}

impl Workers {
    /// Counts one more, unless there are as many as may be: then the next one that ends is told.
    fn begin(&self, recipient: NodeId) -> bool {
        let mut crews = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let crew = crews.entry(recipient).or_default();
        let may = crew.count < LANE_WORKERS_MAX;
        crew.count += usize::from(may);
        crew.is_short |= !may;
        may
    }

    /// Counts one less; says whether one more was asked for in the meantime.
    fn end(&self, recipient: NodeId) -> bool {
        let mut crews = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(crew) = crews.get_mut(&recipient) else { return false };
        crew.count -= 1;
        let was_short = std::mem::take(&mut crew.is_short);
        if crew.count == 0 {
            crews.remove(&recipient);
        }
        was_short
    }
}

impl Messaging {
    /// Sees to it that somebody starts what is due for this recipient.
    pub(crate) fn pump(&self, recipient: NodeId) {
        let Some(service) = self.me.upgrade() else { return };
        if *self.phase.borrow() != Phase::Ended && self.workers.begin(recipient) {
            self.runtime.spawn_blocking(move || service.work(recipient));
        }
    }

    fn work(&self, recipient: NodeId) {
        let went_well = self.carry_all(recipient);
        // What came in while this worker was about to end may have found no free one. Whether something is due is not what
        // to ask: it can be, and have to wait for the channels.
        if self.workers.end(recipient) && went_well {
            self.pump(recipient);
        }
    }

    /// Starts payments until there is nothing to start; says whether it came to that without an error.
    fn carry_all(&self, recipient: NodeId) -> bool {
        while *self.phase.borrow() != Phase::Ended {
            match self.outbox.carry(recipient, now_ms()) {
                Ok(carried) => {
                    self.tell(carried.ended);
                    if !carried.may_go_on {
                        break;
                    }
                }
                Err(failure) => {
                    tracing::error!(%recipient, %failure, "a payment could not be prepared");
                    return false;
                }
            }
        }
        true
    }

    /// Tells whoever waits for these messages.
    pub(crate) fn tell(&self, ended: Vec<Ended>) {
        for (id, end) in ended {
            self.waiting.tell(id, &end, || end.is_ok() || self.has_ended(id));
        }
    }

    /// Whether a message that has failed was not taken up again: then its failure is nobody's answer any more.
    fn has_ended(&self, id: MessageId) -> bool {
        let message = self.store.message(id).ok().flatten();
        message.is_none_or(|message| !message.state.is_open())
    }

    /// Starts the tick. It ends with the service.
    pub(crate) fn start_ticking(&self) {
        // A panic in it is logged by the runtime's hook; the next tick tries again.
        self.every(OUTBOX_TICK_MS, |service| async move { drop(spawn_blocking(move || service.look()).await) });
    }

    /// Does a job now and again after each period, one after the other, until the service ends.
    pub(crate) fn every<J>(&self, period_ms: u64, job: impl Fn(Arc<Self>) -> J + Send + 'static)
    where
        J: Future<Output = ()> + Send + 'static,
    {
        let me = self.me.clone();
        self.runtime.spawn(async move {
            let mut ticks = interval(Duration::from_millis(period_ms));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let Some(service) = me.upgrade() else { return };
                if *service.phase.borrow() == Phase::Ended {
                    return;
                }
                job(service).await;
            }
        });
    }

    /// One look for what has become due.
    pub(crate) fn look(&self) {
        let now_ms = now_ms();
        match self.outbox.expire(now_ms) {
            Ok(ended) => self.tell(ended),
            Err(error) => tracing::error!(%error, "messages whose time is over could not be ended"),
        }
        match self.outbox.resolve(now_ms) {
            Ok(ended) => self.tell(ended),
            Err(failure) => tracing::error!(%failure, "what became of earlier payments could not be found out"),
        }
        self.outbox.due(now_ms).into_iter().for_each(|recipient| self.pump(recipient));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn who_finds_no_free_worker_is_seen_to_by_the_next_one_that_ends_and_only_by_that_one() {
        let workers = Workers::default();
        let recipient = format!("02{}1", "0".repeat(63)).parse().unwrap();
        assert!((0..LANE_WORKERS_MAX).all(|_| workers.begin(recipient)));
        assert!(!workers.begin(recipient));
        assert!(workers.end(recipient));
        assert!(!workers.end(recipient), "nobody has asked since");
        assert!(workers.begin(recipient));
        (0..LANE_WORKERS_MAX - 1).for_each(|_| assert!(!workers.end(recipient)));
        assert!(workers.0.lock().unwrap().is_empty());
    }
}
