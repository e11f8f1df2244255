//! The next payment to a recipient: picked, signed, stored, started.

use boltgram_core::{
    Failure, MessageId, NodeId, Reason,
    frame::{Frame, Part},
    limits::WATCHED_MSAT_MIN,
    message::{Body, Message, PaymentHash},
    outbox::lane::Pick,
    ranges::Ranges,
    record,
    sign::signed_text,
    transport::{Keysend, Preimage, SendError},
};
use boltgram_failpoints::kill_point;
use boltgram_store::outgoing::{Attempt, AttemptPart, Outcome, Started};
use prost::Message as _;

use super::{Ended, Outbox};

/// What came of one look at a recipient.
#[derive(Debug, Default)]
pub struct Carried {
    /// Whether it is worth another look at once.
    pub may_go_on: bool,
    /// The messages that ended by it.
    pub ended: Vec<Ended>,
}

impl Carried {
    fn go_on() -> Self {
        Self { may_go_on: true, ended: Vec::new() }
    }

    fn wait(ended: Vec<Ended>) -> Self {
        Self { may_go_on: false, ended }
    }
}

impl Outbox {
    /// Starts the next payment to this recipient, if there is one to start.
    pub fn carry(&self, recipient: NodeId, now_ms: u64) -> Result<Carried, Failure> {
        if !self.is_due(recipient, now_ms) {
            return Ok(Carried::default());
        }
        let road = self.transport.road(recipient);
        let (pick, is_first) = {
            let mut lanes = self.lock();
            let lane = lanes.of(recipient);
            let is_first = lane.in_flight() == 0;
            let Some(pick) = lane.pick(road, now_ms) else { return Ok(Carried::default()) };
            (pick, is_first)
        };
        // While others are in flight the way is open; if it isn't, the start of the payment says so.
        if is_first && let Err(error) = self.transport.check(recipient, pick.amount_msat()) {
            self.put_back(recipient, &pick);
            return self.not_now(recipient, &pick, error, now_ms);
        }
        let waiting = self.waiting_for_chain(&pick).inspect_err(|_| self.put_back(recipient, &pick))?;
        if !waiting.is_empty() {
            self.put_back(recipient, &pick);
            self.delay(recipient, waiting, now_ms);
            return Ok(Carried::go_on());
        }
        let Some(payment) = self.payment(recipient, &pick).inspect_err(|_| self.put_back(recipient, &pick))? else {
            return Ok(Carried::go_on());
        };
        self.start(recipient, &pick, payment, now_ms)
    }

    /// Stores the payment and starts it.
    fn start(&self, recipient: NodeId, pick: &Pick, payment: Keysend, now_ms: u64) -> Result<Carried, Failure> {
        let parts = pick.pieces.iter().map(AttemptPart::from).collect();
        let attempt = Attempt { payment: payment.clone(), parts, fee_budget_msat: self.fee_budget_msat, now_ms };
        match self.store.start(attempt).inspect_err(|_| self.put_back(recipient, pick))? {
            Started::Yes => {}
            Started::Stopped(ids) => {
                self.put_back(recipient, pick);
                self.catch_up_with_store(recipient, ids)?;
                return Ok(Carried::go_on());
            }
            Started::OverBudget { spent_msat } => {
                self.put_back(recipient, pick);
                return self.not_now(recipient, pick, SendError::NotSent(self.over_budget(spent_msat)), now_ms);
            }
        }
        kill_point!("attempt-stored");
        let payment_hash = payment.preimage.payment_hash();
        let sent = self.transport.send(&payment);
        kill_point!("payment-sent");
        let (outcome, failure) = match sent {
            Ok(()) | Err(SendError::AlreadySent) => return Ok(Carried::go_on()),
            Err(SendError::Unclear(why)) => {
                tracing::warn!(%payment_hash, why, "it isn't clear whether a payment was sent: it will be found out");
                self.unclear(recipient, payment_hash, now_ms);
                return Ok(Carried::wait(Vec::new()));
            }
            Err(SendError::Busy) => (Outcome::NotSent, None),
            // No failure yet: there may be a longer way.
            Err(SendError::NotSent(failure)) if failure.reason == Reason::NoRoute && self.cuts_smaller(&payment) => {
                let ended = self.settle_own(recipient, payment_hash, Outcome::NotSent, now_ms)?;
                kill_point!("cut-anew");
                return Ok(Carried { may_go_on: true, ended });
            }
            // Alone, most of what shares the payment may be worth little enough.
            Err(SendError::NotSent(failure))
                if pick.pieces.len() > 1 && failure.reason == Reason::InsufficientOutbound =>
            {
                (Outcome::NotSent, Some(failure))
            }
            Err(SendError::NotSent(failure)) => (Outcome::Failed(failure.clone()), Some(failure)),
        };
        let ended = self.settle_own(recipient, payment_hash, outcome.clone(), now_ms)?;
        match (outcome, failure) {
            (Outcome::NotSent, failure) => {
                let error = failure.map_or(SendError::Busy, SendError::NotSent);
                let mut carried = self.not_now(recipient, pick, error, now_ms)?;
                carried.ended.extend(ended);
                Ok(carried)
            }
            (_, Some(failure)) => self.unreachable(recipient, &failure, ended, now_ms),
            (_, None) => Ok(Carried::wait(ended)),
        }
    }

    /// Stores what became of a payment that could not start. What can't be stored now is found out later, as if it were not
    /// known.
    fn settle_own(
        &self,
        recipient: NodeId,
        payment_hash: PaymentHash,
        outcome: Outcome,
        now_ms: u64,
    ) -> Result<Vec<Ended>, Failure> {
        let settled = self.settle(payment_hash, outcome, now_ms);
        Ok(settled.inspect_err(|_| self.unclear(recipient, payment_hash, now_ms))?.1)
    }

    /// Whether what goes to this payment's recipient is cut smaller from now on than its record.
    fn cuts_smaller(&self, payment: &Keysend) -> bool {
        let road = self.transport.road(payment.recipient);
        self.lock().of(payment.recipient).cuts_smaller(payment.record.0.len(), road)
    }

    /// Makes the payment of what was picked; `None` when a message has ended in between.
    fn payment(&self, recipient: NodeId, pick: &Pick) -> Result<Option<Keysend>, Failure> {
        let names_amount = pick.pieces.len() > 1;
        let mut parts = Vec::new();
        for piece in &pick.pieces {
            let body = self.store.encoded(piece.id, &piece.range)?;
            if body.len() != piece.range.len() {
                self.lock().of(recipient).remove(piece.id);
                self.put_back(recipient, pick);
                return Ok(None);
            }
            parts.push(piece.part(body, names_amount));
        }
        let record = self.record(recipient, parts)?;
        Ok(Some(Keysend {
            recipient,
            amount_msat: pick.amount_msat(),
            fee_limit_msat: pick.fee_limit_msat,
            preimage: fresh_preimage()?,
            record_type: self.record_type,
            record,
        }))
    }

    /// The signed record that holds these parts.
    pub(super) fn record(&self, recipient: NodeId, parts: Vec<Part>) -> Result<Body, Failure> {
        let frame = Frame::of(self.transport.node_id(), parts).encode_to_vec();
        let signature = self.transport.sign(&signed_text(self.transport.chain_hash(), recipient, &frame))?;
        Ok(Body(record::write(&signature, &frame)))
    }

    /// A payment can't start at the moment. Messages that may not wait end; the others do. When it is the amount that
    /// can't be sent, what is worth most waits, and what shared the payment goes without it.
    fn not_now(&self, recipient: NodeId, pick: &Pick, error: SendError, now_ms: u64) -> Result<Carried, Failure> {
        let failure = match error {
            SendError::NotSent(failure) => failure,
            SendError::Busy | SendError::AlreadySent | SendError::Unclear(_) => {
                self.lock().of(recipient).channels_full(now_ms);
                return Ok(Carried::default());
            }
        };
        let ids: Vec<_> = if concerns_all(failure.reason) {
            let mut lanes = self.lock();
            lanes.of(recipient).impatient()
        } else {
            let id = pick.largest();
            self.delay(recipient, id.into_iter().collect(), now_ms);
            id.into_iter().collect()
        };
        let ended = if ids.is_empty() { Vec::new() } else { self.store.not_now(ids, failure.reason, now_ms)? };
        let ended = self.failed(recipient, ended, &failure)?;
        self.unreachable(recipient, &failure, ended, now_ms)
    }

    /// After a payment that could not start: the lane pauses when the others would fare no better.
    fn unreachable(
        &self,
        recipient: NodeId,
        failure: &Failure,
        mut ended: Vec<Ended>,
        now_ms: u64,
    ) -> Result<Carried, Failure> {
        if !concerns_all(failure.reason) {
            return Ok(Carried { may_go_on: true, ended });
        }
        let impatient = {
            let mut lanes = self.lock();
            let lane = lanes.of(recipient);
            lane.pause(now_ms, random());
            lane.impatient()
        };
        if !impatient.is_empty() {
            let failed = self.store.not_now(impatient, failure.reason, now_ms)?;
            ended.extend(self.failed(recipient, failed, failure)?);
        }
        Ok(Carried::wait(ended))
    }

    /// Takes messages that have failed out of their lane.
    fn failed(&self, recipient: NodeId, messages: Vec<Message>, failure: &Failure) -> Result<Vec<Ended>, Failure> {
        let ids = messages.into_iter().map(|message| message.id).collect::<Vec<_>>();
        let mut lanes = self.lock();
        ids.iter().for_each(|id| lanes.of(recipient).remove(*id));
        drop(lanes);
        self.take_up(recipient, &ids)?;
        Ok(ids.into_iter().map(|id| (id, Err(failure.clone()))).collect())
    }

    /// Of which of these messages an earlier payment is told to have failed and may be claimed still. Dust can't be
    /// watched, and goes again at once.
    fn waiting_for_chain(&self, pick: &Pick) -> Result<Vec<MessageId>, Failure> {
        let mut waiting = Vec::new();
        for piece in &pick.pieces {
            // However little it is worth now: it may have shared a payment with more.
            let failed = self.store.failed_payments(piece.id, WATCHED_MSAT_MIN)?;
            if failed.into_iter().any(|hash| self.transport.may_still_be_claimed(hash)) {
                waiting.push(piece.id);
            }
        }
        Ok(waiting)
    }

    /// Puts back what was picked for a payment that isn't stored.
    fn put_back(&self, recipient: NodeId, pick: &Pick) {
        let mut lanes = self.lock();
        let lane = lanes.of(recipient);
        lane.failed();
        let fee_limit_msat = if pick.has_own_limit { pick.fee_limit_msat } else { 0 };
        for piece in &pick.pieces {
            lane.put_back(piece.id, &Ranges::from_iter([piece.range.clone()]), piece.amount_msat, fee_limit_msat);
        }
    }

    /// The store has refused parts of these messages: nothing more of them is tried, or these bytes were delivered or are
    /// in flight in the meantime.
    fn catch_up_with_store(&self, recipient: NodeId, ids: Vec<MessageId>) -> Result<(), Failure> {
        for id in ids {
            let unfinished = self.store.unfinished_message(id)?;
            let mut lanes = self.lock();
            match unfinished {
                Some(unfinished) => lanes.of(recipient).keep_missing(id, &unfinished.waiting.missing),
                None => lanes.of(recipient).remove(id),
            }
        }
        Ok(())
    }

    /// These messages wait before they are tried again, together.
    fn delay(&self, recipient: NodeId, ids: Vec<MessageId>, now_ms: u64) {
        let random = random();
        let mut lanes = self.lock();
        ids.into_iter().for_each(|id| lanes.of(recipient).delay(id, now_ms, random));
    }

    fn over_budget(&self, spent_msat: u64) -> Failure {
        let message = "the routing fees of the last 24 hours leave too little of their budget: wait, or raise \
                       fee_limit_sat_per_day";
        Failure::new(Reason::FeeBudgetSpent, message)
            .with("spent_msat", spent_msat)
            .with("budget_msat", self.fee_budget_msat.unwrap_or_default())
    }
}

/// Whether no other payment to the recipient could start either.
fn concerns_all(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::PeerOffline
            | Reason::UnknownNode
            | Reason::NoChannel
            | Reason::Starting
            | Reason::DiskLow
            | Reason::Stopping
            | Reason::ChainUnavailable
            | Reason::FeeBudgetSpent
    )
}

/// A preimage of the operating system's randomness: who could guess it could claim the payment on its way.
fn fresh_preimage() -> Result<Preimage, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::new(Reason::NodeError, format!("the system gives no random numbers: {error}")))?;
    Ok(Preimage(bytes))
}

/// What spreads waits; no secret, so that nothing fails for want of it.
pub(super) fn random() -> u64 {
    getrandom::u64().unwrap_or_default()
}
