//! What became of a payment; messages that are cancelled or whose time is over.

use boltgram_core::{
    Failure, MessageId, NodeId, Reason,
    limits::EXPIRED_PER_TICK_MAX,
    message::{Message, PaymentHash, State},
    outbox::lane::Lane,
};
use boltgram_failpoints::kill_point;
use boltgram_store::{
    StoreError,
    outgoing::{Outcome, Settled, SettledPart, Stopped},
};

use super::{Ended, Outbox, carry::random, end_of};

impl Outbox {
    /// Stores what became of a payment. Returns to whom there may be more to send now, and the messages that ended by it.
    pub fn settle(
        &self,
        payment_hash: PaymentHash,
        outcome: Outcome,
        now_ms: u64,
    ) -> Result<(Option<NodeId>, Vec<Ended>), StoreError> {
        kill_point!("before-outcome-commit");
        let Some(settled) = self.store.settle(payment_hash, outcome.clone(), now_ms)? else {
            tracing::debug!(%payment_hash, "the event of a payment that carried no message");
            return Ok((None, Vec::new()));
        };
        let mut lanes = self.lock();
        lanes.unresolved.remove(&payment_hash);
        if !settled.is_news {
            return Ok((None, Vec::new()));
        }
        let lane = lanes.of(settled.recipient);
        if !settled.was_ended {
            match outcome {
                Outcome::Successful { .. } => lane.claimed(),
                Outcome::Failed(_) | Outcome::NotSent => lane.failed(),
            }
        }
        let is_no_route = matches!(&outcome, Outcome::Failed(failure) if failure.reason == Reason::NoRoute);
        // What was under way together and fails together is one failure, and one reason to cut smaller. What rides found no
        // way for want of a fee.
        let cuts = |id| lane.is_message_due(id, now_ms) && !lane.rides(id);
        if is_no_route && settled.parts.iter().any(|settled| cuts(settled.part.id)) {
            lane.no_route();
        }
        // One for all parts: what shared a payment waits together, and may share the next one.
        let when = (now_ms, random());
        let mut taken_up = Vec::new();
        for settled_part in &settled.parts {
            let message = &settled_part.message;
            let goes_on = message.state.is_open();
            if settled.was_ended && goes_on && !lane.holds(message.id) {
                taken_up.push(message.id);
                continue;
            }
            update(lane, &settled, settled_part, &outcome, when);
            if message.state == State::Failed {
                taken_up.push(message.id);
            }
        }
        drop(lanes);
        if is_no_route {
            kill_point!("cut-anew");
        }
        self.take_up(settled.recipient, &taken_up)?;
        let failure = match &outcome {
            Outcome::Failed(failure) => Some(failure),
            _ => None,
        };
        let ended = settled.parts.iter().filter_map(|SettledPart { message, .. }| {
            let end = end_of(message, failure)?;
            tracing::info!(id = %message.id, %payment_hash, state = ?message.state, "a message has ended");
            Some((message.id, end))
        });
        Ok((Some(settled.recipient), ended.collect()))
    }

    /// Takes those of these messages up again that go on after they had ended: a part was claimed late. Or the caller of a
    /// message that has just failed has asked for it again before its lane heard of the failure.
    pub(super) fn take_up(&self, recipient: NodeId, ids: &[MessageId]) -> Result<(), StoreError> {
        for id in ids {
            if let Some(unfinished) = self.store.unfinished_message(*id)? {
                self.lock().of(recipient).add(*id, unfinished.waiting);
            }
        }
        Ok(())
    }

    /// Cancels a message. Nothing more of it is started; a payment in flight may still deliver it.
    pub fn cancel(&self, id: MessageId, now_ms: u64) -> Result<(Message, Option<Ended>), Failure> {
        match self.store.cancel(id, now_ms)? {
            Stopped::Yes(message) => {
                self.take_out(&message);
                let ended = end_of(&message, None).map(|end| (id, end));
                Ok((message, ended))
            }
            // What was stopped before is asked for again, and nothing more of it is started.
            Stopped::Ended(message) if message.state == State::Sending => Ok((message, None)),
            Stopped::Ended(message) => {
                let text = format!("the message has ended already, as {:?}: there is nothing to cancel", message.state);
                Err(Failure::new(Reason::NotCancellable, text).with("id", id))
            }
            Stopped::Unknown => {
                let text = format!("this node sent no message with the id {id}: list them to see which there are");
                Err(Failure::new(Reason::MessageNotFound, text).with("id", id))
            }
        }
    }

    /// Stops the messages whose time is over.
    pub fn expire(&self, now_ms: u64) -> Result<Vec<Ended>, StoreError> {
        let expired = self.store.expire(now_ms, EXPIRED_PER_TICK_MAX)?;
        expired.iter().for_each(|message| self.take_out(message));
        Ok(expired.iter().filter_map(|message| end_of(message, None).map(|end| (message.id, end))).collect())
    }

    /// The recipient has signed for this message: nothing more of it is sent, whatever became of its payments.
    pub fn received(&self, message: &Message) -> Option<Ended> {
        self.take_out(message);
        end_of(message, None).map(|end| (message.id, end))
    }

    fn take_out(&self, message: &Message) {
        if let Some(recipient) = message.peer {
            self.lock().of(recipient).remove(message.id);
        }
    }
}

/// Brings a message's part in its lane to what the store says now.
fn update(
    lane: &mut Lane,
    settled: &Settled,
    SettledPart { part, missing, message }: &SettledPart,
    outcome: &Outcome,
    (now_ms, random): (u64, u64),
) {
    if !message.state.is_open() {
        lane.remove(part.id);
        return;
    }
    // In a payment of several parts none has a fee limit of its own: what has one rides there for nothing.
    let fee_limit_msat = if settled.parts.len() == 1 { settled.fee_limit_msat } else { 0 };
    match outcome {
        Outcome::Successful { fee_msat } => {
            lane.delivered(part.id, &part.range);
            if settled.was_ended {
                lane.take_again(part.id, part.amount_msat, *fee_msat);
            } else {
                lane.give_back(part.id, fee_limit_msat.saturating_sub(*fee_msat));
            }
        }
        Outcome::Failed(_) => {
            lane.put_back(part.id, missing, part.amount_msat, fee_limit_msat);
            lane.delay(part.id, now_ms, random);
        }
        Outcome::NotSent => lane.put_back(part.id, missing, part.amount_msat, fee_limit_msat),
    }
}
