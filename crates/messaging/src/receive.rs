//! The node's events: payments in, and what became of payments out. Each is on disk when its handling returns.

use boltgram_core::{
    ChainHash, NodeId,
    frame::{Frame, FrameError},
    message::{Body, PaymentHash},
    policy::HeldReason,
    reassembly::Piece,
    record::{self, RecordError},
    transport::{EventHandler, HandlerError, TlvRecord, TransportEvent},
};
use boltgram_failpoints::kill_point;
use boltgram_store::{
    StoreError,
    incoming::{Incoming, IncomingContent, IncomingPart, Received},
    outgoing::Outcome,
};

use crate::{Messaging, now_ms};

impl EventHandler for Messaging {
    fn handle(&self, event: TransportEvent) -> Result<(), HandlerError> {
        match event {
            TransportEvent::PaymentReceived { payment_hash, amount_msat, records } => {
                self.receive(payment_hash, amount_msat, records)
            }
            TransportEvent::PaymentSuccessful { payment_hash, fee_msat } => {
                self.settle(payment_hash, Outcome::Successful { fee_msat })
            }
            TransportEvent::PaymentFailed { payment_hash, failure } => {
                self.settle(payment_hash, Outcome::Failed(failure))
            }
            TransportEvent::ChannelReady { .. } | TransportEvent::ChannelClosed { .. } => Ok(()),
        }
        .map_err(|error| HandlerError(error.to_string()))
    }

    fn caught_up(&self) {
        self.outbox.caught_up();
    }

    fn reachable(&self, peers: &[NodeId]) {
        self.outbox.reachable(peers);
        self.outbox.due(now_ms()).into_iter().for_each(|recipient| self.pump(recipient));
    }
}

impl Messaging {
    fn receive(&self, payment_hash: PaymentHash, amount_msat: u64, records: Vec<TlvRecord>) -> Result<(), StoreError> {
        let now_ms = now_ms();
        let record = records.into_iter().find(|record| record.record_type == self.record_type);
        let record = record.map(|record| record.value);
        let content =
            record.as_ref().map_or(IncomingContent::Plain, |record| self.read_record(record, amount_msat, now_ms));
        let record = record.unwrap_or_default();
        let incoming = Incoming { payment_hash, amount_msat, now_ms, receiver: self.receiver(), record, content };
        kill_point!("before-inbox-commit");
        let received = self.store.receive(incoming, &self.policy)?;
        kill_point!("after-inbox-commit");
        match received {
            Received::New { messages, receipted, held } => {
                tracing::info!(%payment_hash, amount_msat, messages = messages.len(), "a payment was received");
                if messages.iter().any(|message| message.asks_receipt) {
                    self.give_receipts(now_ms);
                }
                let ended = receipted.iter().filter_map(|message| self.outbox.received(message));
                self.tell(ended.collect());
                if let Some(reason) = held {
                    let reason = reason.code();
                    tracing::warn!(%payment_hash, amount_msat, reason, "what a payment brought was put aside");
                }
            }
            Received::Known => tracing::debug!(%payment_hash, "the event of a known payment came again"),
        }
        Ok(())
    }

    fn read_record(&self, record: &Body, amount_msat: u64, now_ms: u64) -> IncomingContent {
        let (chain, own_id): (ChainHash, NodeId) = (self.transport.chain_hash(), self.transport.node_id());
        let read = record::read(&record.0, chain, own_id).and_then(|received| match received {
            record::Received::Signed { sender, frame } => {
                Ok(IncomingContent::Parts { sender, parts: parts(frame, amount_msat)? })
            }
            record::Received::Unsigned(text) => Ok(IncomingContent::Unsigned { id: self.next_id(now_ms), text }),
        });
        read.unwrap_or_else(|error| {
            let reason = match error {
                RecordError::Signature => HeldReason::Signature,
                _ => HeldReason::Unreadable,
            };
            IncomingContent::Unreadable { reason, detail: error.to_string() }
        })
    }

    fn settle(&self, payment_hash: PaymentHash, outcome: Outcome) -> Result<(), StoreError> {
        let (recipient, ended) = self.outbox.settle(payment_hash, outcome, now_ms())?;
        self.tell(ended);
        // There is room for the next payment, or the same bytes go again.
        if let Some(recipient) = recipient {
            self.pump(recipient);
        }
        Ok(())
    }
}

/// The parts of a signed frame, each with what it carries of the payment.
fn parts(frame: Frame, payment_msat: u64) -> Result<Vec<IncomingPart>, FrameError> {
    let amounts_msat = frame.amounts_msat(payment_msat)?;
    let parts = frame.parts.into_iter().zip(amounts_msat);
    parts
        .map(|(part, amount_msat)| {
            let id = part.id().ok_or(FrameError::Rule("a message id is a version 7 UUID of 16 bytes"))?;
            Ok(IncomingPart { id, piece: Piece::of(part)?, amount_msat })
        })
        .collect()
}
