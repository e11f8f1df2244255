//! The node's events: payments in, and what became of payments out. Each is on disk when its handling returns.

use boltgram_core::{
    ChainHash, NodeId,
    frame::{Content, Encoding, Frame, FrameError, Part, TEXT},
    message::{Body, PaymentHash},
    record,
    transport::{EventHandler, HandlerError, TlvRecord, TransportEvent},
};
use boltgram_failpoints::kill_point;
use boltgram_store::{
    StoreError,
    incoming::{Incoming, IncomingContent, IncomingMessage, Received},
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
        let content =
            record.map_or(IncomingContent::Plain, |record| self.read_record(record.value, amount_msat, now_ms));
        if let IncomingContent::Unreadable { reason, .. } = &content {
            tracing::warn!(%payment_hash, amount_msat, reason, "a payment came with a record that is no message; it is kept");
        }
        kill_point!("before-inbox-commit");
        let received = self.store.receive(Incoming { payment_hash, amount_msat, now_ms, content })?;
        kill_point!("after-inbox-commit");
        match received {
            Received::New(messages) => {
                tracing::info!(%payment_hash, amount_msat, messages = messages.len(), "a payment was received");
            }
            Received::Known => tracing::debug!(%payment_hash, "the event of a known payment came again"),
        }
        Ok(())
    }

    fn read_record(&self, record: Body, amount_msat: u64, now_ms: u64) -> IncomingContent {
        let (chain, own_id): (ChainHash, NodeId) = (self.transport.chain_hash(), self.transport.node_id());
        let read = record::read(&record.0, chain, own_id).and_then(|received| match received {
            record::Received::Signed { sender, frame } => Ok(signed_messages(sender, &frame, amount_msat)?),
            record::Received::Unsigned(text) => Ok(vec![IncomingMessage {
                id: self.next_id(now_ms),
                sender: None,
                content_type: TEXT.to_owned(),
                body: Body(text.into_bytes()),
                reply_to: None,
                amount_msat,
            }]),
        });
        match read {
            Ok(messages) => IncomingContent::Messages(messages),
            Err(error) => IncomingContent::Unreadable { reason: error.to_string(), record },
        }
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

/// The messages of a signed frame; each part must be a whole one.
fn signed_messages(sender: NodeId, frame: &Frame, payment_msat: u64) -> Result<Vec<IncomingMessage>, FrameError> {
    let amounts_msat = frame.amounts_msat(payment_msat)?;
    let parts = frame.parts.iter().zip(amounts_msat);
    parts.map(|(part, amount_msat)| whole_message(sender, part, amount_msat)).collect()
}

fn whole_message(sender: NodeId, part: &Part, amount_msat: u64) -> Result<IncomingMessage, FrameError> {
    if !part.is_whole() || part.encoding != i32::from(Encoding::Plain) {
        return Err(FrameError::Rule("this version reads whole, uncompressed messages only: it needs a newer one"));
    }
    let id = part.id().ok_or(FrameError::Rule("a message id is a version 7 UUID of 16 bytes"))?;
    let content = Content::read(&part.body)?;
    Ok(IncomingMessage {
        id,
        sender: Some(sender),
        content_type: content.media_type().to_owned(),
        reply_to: content.reply_to(),
        body: Body(content.payload),
        amount_msat,
    })
}
