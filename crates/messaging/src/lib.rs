//! The messaging service: it sends, receives and shows messages, over a store and a transport.
//!
//! | module | what it holds |
//! |---|---|
//! | [`send`] | one message out: checked, stored in the outbox, waited for; or only quoted |
//! | [`outbox`] | messages become payments, and payments' ends become messages' ends |
//! | `runner` | what keeps the outbox going |
//! | `digest` | what tells one request from another |
//! | `receive` | the transport's events: payments in, and what became of payments out |
//! | `receipts` | the receipts that this node gives |
//! | `held` | what was put aside, all counts of what came in, and what is dropped in time |
//! | `subscribe` | the log followed from any sequence number |
//! | `read` | one message, a page of them, conversations, search, deletion |
//! | `waiting` | who waits for which message, and the drain at a stop |
//!
//! Data flows one way: a message is on disk before it is sent, and a received one before the node is told that its
//! event was handled and before any subscriber sees it. What does not live here: gRPC (`boltgram-edge`), SQL
//! (`boltgram-store`), ldk-node (`boltgram-lightning`).

mod digest;
mod held;
pub mod outbox;
mod read;
mod receipts;
mod receive;
mod runner;
pub mod send;
mod subscribe;
mod waiting;

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use boltgram_core::{
    Failure, IdSource, MessageId, Reason,
    limits::{MESSAGE_BYTES_MAX_DEFAULT, RECORD_TYPE_DEFAULT, SUBSCRIBERS_MAX},
    policy::InboxPolicy,
    receipt::Budget,
    transport::Transport,
};
use boltgram_store::Store;
use tokio::{
    runtime::Handle,
    sync::{Semaphore, watch},
    task,
};

use crate::{outbox::Outbox, runner::Workers, waiting::Waiting};

pub use boltgram_store::{
    conversations::{Conversation, ConversationPage, MarkedRead},
    incoming::{Held, HeldPage, InboxCounts, PaymentCounts},
    read::{LogEntry, Page, PageKey, Query},
    search::{Search, Words},
};
pub use subscribe::Subscription;

/// The service of one node. It is the node's [`boltgram_core::transport::EventHandler`].
pub struct Messaging {
    /// Itself, for the threads that it starts.
    me: Weak<Self>,
    store: Arc<Store>,
    transport: Arc<dyn Transport>,
    /// The type of the TLV record that carries frames.
    record_type: u64,
    /// After how many days messages are deleted; `None`: never.
    retention_days: Option<NonZeroU32>,
    /// What is taken into the inbox.
    policy: Arc<InboxPolicy>,
    message_bytes_max: usize,
    /// What is spent on receipts.
    receipts: Budget,
    ids: Mutex<IdSource>,
    outbox: Outbox,
    workers: Workers,
    runtime: Handle,
    waiting: Waiting,
    subscribers: Arc<Semaphore>,
    phase: watch::Sender<Phase>,
}

/// What can be chosen of the service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// The type of the TLV record that carries frames.
    pub record_type: u64,
    /// After how many days a message is deleted; 0: never.
    pub retention_days: u32,
    /// The largest payload that is sent or taken, in bytes.
    pub message_bytes_max: usize,
    /// What may be paid in routing fees in 24 hours, in satoshi; `None`: no limit.
    pub fee_limit_sat_per_day: Option<u64>,
    /// What is taken into the inbox. Its largest payload is not read: the one above holds both ways.
    pub inbox: InboxPolicy,
    /// What is spent on receipts.
    pub receipts: Budget,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            record_type: RECORD_TYPE_DEFAULT,
            retention_days: 0,
            message_bytes_max: MESSAGE_BYTES_MAX_DEFAULT,
            fee_limit_sat_per_day: None,
            inbox: InboxPolicy::default(),
            receipts: Budget::default(),
        }
    }
}

/// How far a stop has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Phase {
    /// Calls are taken.
    Open,
    /// No new message is taken; those under way are waited for.
    Draining,
    /// Nothing is waited for, and subscriptions end.
    Ended,
}

impl Messaging {
    /// The service over an open store and a built transport, with all that the outbox holds from before. Must be called
    /// within a tokio runtime.
    pub fn new(store: Arc<Store>, transport: Arc<dyn Transport>, options: &Options) -> Result<Arc<Self>, Failure> {
        let ids = Mutex::new(IdSource::above(store.last_own_id()?));
        let fee_budget_msat = options.fee_limit_sat_per_day.map(|sat| sat.saturating_mul(1_000));
        let outbox = Outbox::new(store.clone(), transport.clone(), options.record_type, fee_budget_msat)?;
        let service = Arc::new_cyclic(|me| Self {
            me: me.clone(),
            store,
            transport,
            record_type: options.record_type,
            retention_days: NonZeroU32::new(options.retention_days),
            message_bytes_max: options.message_bytes_max,
            policy: Arc::new(InboxPolicy { message_bytes_max: options.message_bytes_max, ..options.inbox.clone() }),
            receipts: options.receipts,
            ids,
            outbox,
            workers: Workers::default(),
            runtime: Handle::current(),
            waiting: Waiting::default(),
            subscribers: Arc::new(Semaphore::new(SUBSCRIBERS_MAX)),
            phase: watch::Sender::new(Phase::Open),
        });
        service.start_ticking();
        service.start_tidying();
        Ok(service)
    }

    /// Takes no new message, waits for those under way for at most `drain`, then ends the subscriptions. What isn't
    /// resolved by then is told to its callers as going on; its events come after the next start.
    pub async fn stop(&self, drain: Duration) {
        self.phase.send_replace(Phase::Draining);
        if !self.waiting.drained(drain).await {
            tracing::warn!(
                "payments are still under way at the stop; what became of them is known after the next start"
            );
        }
        self.phase.send_replace(Phase::Ended);
    }

    /// Completes when the stop has come so far that nothing is waited for.
    async fn ended(&self) {
        let mut phase = self.phase.subscribe();
        // An error means that the service is gone, which is an end too.
        let _ = phase.wait_for(|phase| *phase == Phase::Ended).await;
    }

    fn next_id(&self, now_ms: u64) -> MessageId {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).next(now_ms)
    }
}

/// Unix time in milliseconds; 0 for a clock before 1970.
fn now_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// Runs what blocks on the disk or the node off the async workers.
async fn blocking<T: Send + 'static>(job: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    task::spawn_blocking(job).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a blocking job of the messaging service ended badly");
        Err(Failure::new(Reason::NodeError, "the node failed at this request: see its log"))
    })
}
