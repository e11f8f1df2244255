//! The receipts that this node gives: signed, put into the outbox, once for each message that asked.
//!
//! The store knows what is owed since the message itself was stored. Here it is decided whether the budget has something
//! for it; what can't be given now, since the outbox is full or the disk too, is owed still and given at a later look.

use boltgram_core::{
    Failure, MessageId,
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
        if let Err(failure) = self.give_all(now_ms) {
            tracing::error!(%failure, "receipts that are owed could not be given");
        }
    }

    fn give_all(&self, now_ms: u64) -> Result<(), Failure> {
        // It ends: what a round has found is owed no longer, and what asks meanwhile is less than that.
        loop {
            let limit = self.outbox.room_for_receipts().min(RECEIPTS_PER_LOOK_MAX);
            let owed = self.store.owed_receipts(limit)?;
            let found = owed.len();
            if found > 0 {
                let receipts = owed.into_iter().map(|owed| Ok((owed, self.signed(&owed, now_ms)?)));
                self.give(receipts.collect::<Result<_, Failure>>()?)?;
            }
            if limit == 0 {
                tracing::debug!("receipts that are owed wait for room in the outbox");
            }
            if found < limit || limit == 0 {
                return Ok(());
            }
        }
    }

    fn give(&self, receipts: Vec<(Owed, Outgoing)>) -> Result<(), Failure> {
        let ids: Vec<MessageId> = receipts.iter().map(|(owed, _)| owed.id).collect();
        for (id, given) in ids.into_iter().zip(self.store.give_receipts(receipts, self.receipts)?) {
            match given {
                Given::Yes(unfinished) => {
                    tracing::debug!(%id, receipt = %unfinished.id, "a receipt is given");
                    self.outbox.add(unfinished.recipient, unfinished.id, unfinished.waiting);
                    self.pump(unfinished.recipient);
                }
                Given::Declined => tracing::debug!(%id, "a receipt is not given: the budget has nothing for it"),
                Given::Known => {}
            }
        }
        Ok(())
    }

    /// The signed receipt, as it enters the outbox.
    fn signed(&self, owed: &Owed, now_ms: u64) -> Result<Outgoing, Failure> {
        let text = signed_text(self.transport.chain_hash(), owed.sender, owed.id, owed.content_hash);
        let signature = self.transport.sign(&text)?;
        let content = Receipt { id: owed.id, content_hash: owed.content_hash, signature }.content();
        let (encoding, encoded) = encode(content.to_bytes());
        Ok(Outgoing {
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
            // The budget's.
            fee_limit_msat: None,
            queues: true,
            expires_at_ms: now_ms.saturating_add(EXPIRY_MS_DEFAULT),
            idempotency_key: None,
            request_digest: [0; 32],
            now_ms,
        })
    }
}
