//! A message is accepted, as `Messaging::send` accepts it, with the model's clock.

use boltgram_core::{
    encoding::encode,
    frame::Content,
    message::{Body, State},
    outbox::{
        cut::records,
        lane::{Waiting, signed},
    },
    ranges::Ranges,
    transport::{SendError, Transport as _},
};
use boltgram_store::outgoing::{Accepted, Outgoing};
use prost::Message as _;

use crate::{
    ledger::Sent,
    sender::locked,
    steps::Draft,
    world::{World, receiver},
};

const CONTENT_TYPE: &str = "application/octet-stream";

impl World {
    /// Says whether the sender has crashed.
    pub fn send(&mut self, draft: &Draft, queues: bool, expires_in_ms: u64, crashes: bool) -> bool {
        let content = Content::new(CONTENT_TYPE, None, draft.body()).unwrap();
        let (encoding, encoded) = encode(content.encode_to_vec());
        let (now_ms, recipient) = (locked(&self.network).now_ms, receiver());
        let id = self.sender_mut(draft.sender).ids.next(now_ms);
        let sender = self.sender(draft.sender);
        let total_bytes = encoded.len() as u32;
        let payments = records(total_bytes, encoding, sender.port.road(recipient).room_bytes).unwrap();
        if draft.wanted_msat().is_some_and(|wanted_msat| wanted_msat < u64::from(payments) * 1_000) {
            return false;
        }
        let idempotency_key = draft.key.map(|key| key.to_string());
        let request_digest = digest(draft);
        if let Some(key) = &idempotency_key
            && let Some(known) = sender.store.accepted_as(key, &request_digest).unwrap()
        {
            self.known(draft, known, queues, now_ms + expires_in_ms);
            return false;
        }
        let amount_msat = draft.wanted_msat().unwrap_or(u64::from(payments) * 1_000);
        if !queues && let Err(SendError::NotSent(_)) = sender.port.check(recipient, amount_msat / u64::from(payments)) {
            return false;
        }
        let outgoing = Outgoing {
            id,
            recipient,
            content_type: CONTENT_TYPE.into(),
            body: Body(draft.body()),
            reply_to: None,
            asks_receipt: false,
            encoding,
            encoded: Body(encoded.clone()),
            amount_msat,
            wanted_msat: draft.wanted_msat(),
            fee_limit_msat: draft.fee_limit_msat,
            queues,
            expires_at_ms: now_ms + expires_in_ms,
            idempotency_key,
            request_digest,
            now_ms,
        };
        let expires_at_ms = outgoing.expires_at_ms;
        let accepted = sender.store.accept(outgoing).unwrap();
        assert!(matches!(&accepted, Accepted::New(message) if message.id == id && message.state == State::Queued));
        let waiting = Waiting {
            total_bytes,
            encoding,
            missing: Ranges::whole(total_bytes),
            queues,
            unassigned_msat: draft.wanted_msat().map(signed),
            fee_left_msat: draft.fee_limit_msat.map(signed),
            rides: false,
        };
        let mut network = locked(&self.network);
        let earlier = network.ledger.0.iter().filter(|sent| sent.draft.sender == draft.sender);
        assert!(earlier.map(|sent| sent.id).max() < Some(id), "an id stands below an earlier one");
        network.ledger.0.push(Sent::new(id, draft.clone(), (encoding, encoded), queues, expires_at_ms));
        drop(network);
        if crashes {
            self.crash(draft.sender, 0);
        } else {
            self.sender(draft.sender).outbox.add(recipient, id, waiting);
        }
        crashes
    }

    /// What a call does whose idempotency key is known.
    fn known(&self, draft: &Draft, known: Accepted, queues: bool, expires_at_ms: u64) {
        let mut network = locked(&self.network);
        let now_ms = network.now_ms;
        let earlier =
            network.ledger.0.iter_mut().find(|sent| sent.draft.sender == draft.sender && sent.draft.key == draft.key);
        let earlier = earlier.unwrap();
        let sender = self.sender(draft.sender);
        match known {
            Accepted::New(_) => panic!("a known key was taken for a new one"),
            Accepted::Conflicting(id) => {
                assert_eq!(id, earlier.id);
                assert_ne!(&earlier.draft, draft, "the same request was refused under its key");
            }
            Accepted::Known(message) => {
                assert_eq!(message.id, earlier.id);
                assert_eq!(&earlier.draft, draft, "another request was taken for the one under its key");
                if message.state != State::Failed {
                    return;
                }
                let again = sender.store.take_up_again(message.id, queues, expires_at_ms, now_ms).unwrap().unwrap();
                assert_eq!(again.state, State::Queued);
                let unfinished = sender.store.unfinished_message(message.id).unwrap().unwrap();
                (earlier.queues, earlier.expires_at_ms, earlier.has_failed) = (queues, expires_at_ms, false);
                sender.outbox.add(unfinished.recipient, message.id, unfinished.waiting);
            }
        }
    }
}

fn digest(draft: &Draft) -> [u8; 32] {
    use bitcoin::hashes::{Hash as _, sha256};
    sha256::Hash::hash(format!("{draft:?}").as_bytes()).to_byte_array()
}
