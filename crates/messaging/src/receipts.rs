//! The receipts that this node gives: signed, put into the outbox, once for each message that asked.
//!
//! The store knows what is owed since the message itself was stored. Here it is decided whether the budget has something
//! for it; what can't be given now, since the outbox is full or the disk too, is owed still and given at a later look.

use boltgram_core::{
    Failure, Reason,
    encoding::encode,
    limits::{EXPIRY_MS_DEFAULT, PAYMENT_MSAT_MIN, RECEIPTS_PER_LOOK_MAX},
    message::Body,
    receipt::{self, Receipt, signed_text},
};
use boltgram_store::outgoing::{
    Outgoing,
    receipts::{Given, Owed, Receiver},
};

use crate::Messaging;

impl Messaging {
    /// Who receives: by it a receipt for what this node sent is checked.
    pub(crate) fn receiver(&self) -> Receiver {
        Receiver { node_id: self.transport.node_id(), chain_hash: self.transport.chain_hash() }
    }

    /// Gives the receipts that are owed. The service does it by itself, whenever a message asks, at each start, and every
    /// hour. `now_ms` is Unix time in milliseconds. Blocks on the disk and the node.
    pub fn give_receipts(&self, now_ms: u64) {
        match self.give_all(now_ms) {
            Ok(()) => {}
            Err(failure) if failure.reason == Reason::OutboxFull => {
                tracing::debug!("receipts are owed until there is room in the outbox");
            }
            Err(failure) => tracing::error!(%failure, "receipts that are owed could not be given"),
        }
    }

    fn give_all(&self, now_ms: u64) -> Result<(), Failure> {
        // It ends: what a round has found is owed no longer, and what asks meanwhile is less than that.
        loop {
            let owed = self.store.owed_receipts(RECEIPTS_PER_LOOK_MAX)?;
            let found = owed.len();
            for owed in owed {
                self.outbox.check_room()?;
                self.give(owed, now_ms)?;
            }
            if found < RECEIPTS_PER_LOOK_MAX {
                return Ok(());
            }
        }
    }

    fn give(&self, owed: Owed, now_ms: u64) -> Result<(), Failure> {
        let text = signed_text(self.transport.chain_hash(), owed.sender, owed.id, owed.content_hash);
        let receipt = Receipt { id: owed.id, content_hash: owed.content_hash, signature: self.transport.sign(&text)? };
        let (encoding, encoded) = encode(receipt.content().to_bytes());
        let outgoing = Outgoing {
            id: self.next_id(now_ms),
            recipient: owed.sender,
            content_type: receipt::CONTENT_TYPE.to_owned(),
            body: Body::default(),
            reply_to: Some(owed.id),
            asks_receipt: false,
            encoding,
            encoded: Body(encoded),
            amount_msat: PAYMENT_MSAT_MIN,
            wanted_msat: None,
            fee_limit_msat: Some(0),
            queues: true,
            expires_at_ms: now_ms.saturating_add(EXPIRY_MS_DEFAULT),
            idempotency_key: None,
            request_digest: [0; 32],
            now_ms,
        };
        match self.store.give_receipt(owed, outgoing, self.receipts)? {
            Given::Yes(unfinished) => {
                tracing::debug!(id = %owed.id, receipt = %unfinished.id, "a receipt is given");
                self.outbox.add(unfinished.recipient, unfinished.id, unfinished.waiting);
                self.pump(unfinished.recipient);
            }
            Given::Declined => {
                tracing::debug!(id = %owed.id, "a receipt that was asked for is not given: the budget has nothing for it");
            }
            Given::Known => {}
        }
        Ok(())
    }
}
