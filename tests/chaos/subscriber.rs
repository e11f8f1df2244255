//! A program that follows a node's inbox throughout a run, and goes on after each break where it left off.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use boltgram_api::{
    client::{Client, Update},
    v1,
};
use tokio::task::JoinHandle;

use crate::{
    audit::Books,
    report::{Fault, Findings},
    support::{NodeHandle, eventually},
};

/// What it saw: each event's sequence number, with its message.
type Seen = Arc<Mutex<Vec<(i64, String)>>>;

/// Dropped, it ends.
pub struct Subscriber {
    seen: Seen,
    following: JoinHandle<()>,
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.following.abort();
    }
}

impl Subscriber {
    pub async fn start(node: &NodeHandle) -> Self {
        let request = v1::SubscribeRequest { after_sequence: Some(0), include_sent: false };
        let mut events = Client::connect(&node.grpc).await.unwrap().subscribe_from(request);
        let seen = Seen::default();
        let told = seen.clone();
        let following = tokio::spawn(async move {
            loop {
                // An error is an end: then something is missing.
                match events.next().await.unwrap() {
                    Update::Event(event) => {
                        told.lock().unwrap().push((event.sequence, event.message.unwrap_or_default().id));
                    }
                    Update::Interrupted { .. } => {}
                }
            }
        });
        Self { seen, following }
    }

    /// Waits until it has seen as much as the inbox has, and compares.
    pub async fn agrees(&self, books: &Books, findings: &mut Findings) {
        let what = format!("{}'s subscriber has caught up", books.name);
        eventually(&what, || async { (self.seen.lock().unwrap().len() >= books.received.len()).then_some(()) }).await;
        let seen = self.seen.lock().unwrap();
        let is_forward = seen.is_sorted_by(|one, next| one.0 < next.0);
        findings.check(is_forward, Fault::Other, || format!("{}'s subscriber saw the log go back", books.name));
        let ids: BTreeSet<&str> = seen.iter().map(|(_, id)| id.as_str()).collect();
        let there: BTreeSet<&str> = books.received.iter().map(|message| message.id.as_str()).collect();
        findings.check(ids.len() == seen.len() && ids == there, Fault::Other, || {
            format!(
                "{}'s subscriber saw {} events of {} messages, and {} were received",
                books.name,
                seen.len(),
                ids.len(),
                there.len()
            )
        });
    }
}
