//! What keeps the outbox going: workers that start payments, and a tick that looks for what has become due.
//!
//! Each recipient has a few workers at most, on blocking threads. Messages that come in while all of them are busy wait
//! in their lane, and share the next payment.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError, Weak},
    time::Duration,
};

use boltgram_core::{
    NodeId,
    limits::{LANE_WORKERS_MAX, OUTBOX_TICK_MS},
};
use tokio::time::{MissedTickBehavior, interval};

use crate::{Messaging, Phase, now_ms, outbox::Ended};

/// How many workers each recipient has now.
#[derive(Default)]
pub(crate) struct Workers(Mutex<HashMap<NodeId, usize>>);

impl Workers {
    /// Counts one more, unless there are as many as may be.
    fn begin(&self, recipient: NodeId) -> bool {
        let mut workers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = workers.entry(recipient).or_insert(0);
        let may = *count < LANE_WORKERS_MAX;
        *count += usize::from(may);
        may
    }

    fn end(&self, recipient: NodeId) {
        let mut workers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = workers.get_mut(&recipient) {
            *count -= 1;
            if *count == 0 {
                workers.remove(&recipient);
            }
        }
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
        self.workers.end(recipient);
        // What came in while this worker was about to end found no free one.
        if went_well && self.outbox.is_due(recipient, now_ms()) {
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
            self.waiting.tell(id, &end);
        }
    }

    /// Starts the tick. It ends with the service.
    pub(crate) fn start_ticking(&self) {
        self.runtime.spawn(tick(self.me.clone()));
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

async fn tick(service: Weak<Messaging>) {
    let mut ticks = interval(Duration::from_millis(OUTBOX_TICK_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(service) = service.upgrade() else { return };
        if *service.phase.borrow() == Phase::Ended {
            return;
        }
        // A panic in it is logged by the runtime's hook; the next tick tries again.
        let _ = tokio::task::spawn_blocking(move || service.look()).await;
    }
}
