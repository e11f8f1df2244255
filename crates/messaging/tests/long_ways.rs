//! The outbox over a way that takes smaller records than was assumed: messages are cut anew, also after a crash.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use bitcoin::{
    Network,
    secp256k1::{Secp256k1, SecretKey},
};
use boltgram_core::{
    ChainHash, Failure, IdSource, MessageId, NodeId, Reason,
    frame::{Encoding, Frame},
    limits::{RECORD_BYTES_PER_HOP, RETRY_MS_MIN},
    message::{Body, PaymentHash, State},
    outbox::lane::{Road, Waiting},
    ranges::Ranges,
    record::HEADER_BYTES,
    sign::Signature,
    transport::{Keysend, SendError, Transport},
};
use boltgram_messaging::outbox::Outbox;
use boltgram_store::{
    Store,
    outgoing::{Outcome, Outgoing},
};

/// What the way takes; 1,204 bytes are said to fit.
const WAY_BYTES: usize = 1_000;
const MESSAGE_BYTES: u32 = 5_000;
const START_MS: u64 = 1_700_000_000_000;

/// A node whose every way is longer than it says.
#[derive(Default)]
struct LongWay {
    sent: Mutex<Vec<Keysend>>,
    /// Whether it dies before it sends, so that nobody learns whether it has.
    dies: AtomicBool,
}

fn node(byte: u8) -> NodeId {
    SecretKey::from_slice(&[byte; 32]).unwrap().public_key(&Secp256k1::new()).into()
}

impl LongWay {
    fn try_to_send(&self, payment: &Keysend) -> bool {
        let fits = payment.record.0.len() <= WAY_BYTES;
        if fits {
            self.sent.lock().unwrap().push(payment.clone());
        }
        fits
    }

    /// Which bytes of the message were sent, when none of them was sent twice.
    fn bytes_sent(&self) -> Ranges {
        let mut ranges = Ranges::default();
        for payment in self.sent.lock().unwrap().iter() {
            for part in Frame::read(&payment.record.0[HEADER_BYTES..]).unwrap().parts {
                let range = part.offset..part.offset + part.body.len() as u32;
                assert_eq!(part.body, body()[range.start as usize..range.end as usize]);
                let before = ranges.bytes();
                ranges.insert(range.clone());
                assert_eq!(ranges.bytes(), before + range.len() as u32, "{range:?} was sent twice");
            }
        }
        ranges
    }
}

impl Transport for LongWay {
    fn node_id(&self) -> NodeId {
        node(1)
    }

    fn chain_hash(&self) -> ChainHash {
        Network::Regtest.into()
    }

    fn sign(&self, _: &[u8]) -> Result<Signature, Failure> {
        Ok(Signature([7; 65]))
    }

    fn road(&self, _: NodeId) -> Road {
        Road { room_bytes: 1_204, slots: 50, is_direct: false }
    }

    fn check(&self, _: NodeId, _: u64) -> Result<(), SendError> {
        Ok(())
    }

    fn send(&self, payment: &Keysend) -> Result<(), SendError> {
        match self.dies.load(SeqCst) {
            true => Err(SendError::Unclear("the process dies".into())),
            false if self.try_to_send(payment) => Ok(()),
            false => Err(SendError::NotSent(Failure::new(Reason::NoRoute, "the record is too long"))),
        }
    }

    fn resend(&self, payment: &Keysend) -> Result<(), SendError> {
        if self.try_to_send(payment) { Ok(()) } else { Err(SendError::Unclear("no route".into())) }
    }

    fn may_still_be_claimed(&self, _: PaymentHash) -> bool {
        false
    }
}

fn body() -> Vec<u8> {
    (0..MESSAGE_BYTES).map(|byte| byte as u8).collect()
}

/// A store with one message in it, which is to wait or not.
fn stored(folder: &tempfile::TempDir, queues: bool) -> (Arc<Store>, MessageId) {
    let store = Arc::new(Store::open(&folder.path().join("messages.sqlite")).unwrap());
    let id = IdSource::above(None).next(START_MS);
    let outgoing = Outgoing {
        id,
        recipient: node(2),
        content_type: "text/plain".into(),
        body: Body(b"text".to_vec()),
        reply_to: None,
        asks_receipt: false,
        encoding: Encoding::Plain,
        encoded: Body(body()),
        amount_msat: 6_000,
        wanted_msat: None,
        fee_limit_msat: None,
        queues,
        expires_at_ms: START_MS + 1_000_000,
        idempotency_key: None,
        request_digest: [0; 32],
        now_ms: START_MS,
    };
    store.accept(outgoing).unwrap();
    (store, id)
}

fn outbox(store: &Arc<Store>, way: &Arc<LongWay>) -> Outbox {
    Outbox::new(store.clone(), way.clone(), 400_001, None).unwrap()
}

/// Starts all payments that can be started.
fn carry_all(outbox: &Outbox, now_ms: u64) {
    while outbox.carry(node(2), now_ms).unwrap().may_go_on {}
}

/// Tells of each payment that was sent that it has arrived.
fn arrive(outbox: &Outbox, way: &LongWay) {
    for payment in way.sent.lock().unwrap().iter() {
        outbox.settle(payment.preimage.payment_hash(), Outcome::Successful { fee_msat: 0 }, START_MS).unwrap();
    }
}

#[test]
fn a_message_that_may_not_wait_is_cut_smaller_before_it_fails() {
    let folder = tempfile::tempdir().unwrap();
    let (store, id) = stored(&folder, false);
    let way = Arc::new(LongWay::default());
    let outbox = outbox(&store, &way);
    let waiting = Waiting {
        total_bytes: MESSAGE_BYTES,
        encoding: Encoding::Plain,
        missing: Ranges::whole(MESSAGE_BYTES),
        queues: false,
        unassigned_msat: None,
        fee_left_msat: None,
        rides: false,
    };
    outbox.add(node(2), id, waiting);
    carry_all(&outbox, START_MS);
    assert!(way.bytes_sent().cover(MESSAGE_BYTES));
    arrive(&outbox, &way);
    assert_eq!(store.message(id).unwrap().unwrap().state, State::Delivered);
}

#[test]
fn payments_that_fail_together_are_one_failure() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = stored(&folder, true);
    let way = Arc::new(LongWay::default());
    let outbox = outbox(&store, &way);
    let sent = || std::mem::take(&mut *way.sent.lock().unwrap());
    carry_all(&outbox, START_MS);
    let first = sent();
    assert!(first.len() > 4, "{} payments", first.len());
    for payment in &first {
        let failure = Failure::new(Reason::NoRoute, "a hop on the way is down");
        outbox.settle(payment.preimage.payment_hash(), Outcome::Failed(failure), START_MS).unwrap();
    }
    // After the first wait it is tried again, cut for one hop more.
    let now_ms = START_MS + RETRY_MS_MIN;
    carry_all(&outbox, now_ms);
    let [before, after] = [&first, &sent()].map(|payments| payments.first().unwrap().record.0.len());
    assert_eq!(before - after, RECORD_BYTES_PER_HOP);
}

#[test]
fn a_payment_that_a_crash_left_unsent_and_too_long_is_cut_anew_under_its_preimage() {
    let folder = tempfile::tempdir().unwrap();
    let (store, id) = stored(&folder, false);
    let way = Arc::new(LongWay::default());
    way.dies.store(true, SeqCst);
    carry_all(&outbox(&store, &way), START_MS);
    let left = store.unresolved().unwrap();
    assert_eq!(left.len(), 1);

    // After the restart its record is too long; it is tried as it is for a while.
    way.dies.store(false, SeqCst);
    let outbox = outbox(&store, &way);
    outbox.caught_up();
    carry_all(&outbox, START_MS);
    assert!(!way.bytes_sent().cover(MESSAGE_BYTES));
    let mut now_ms = START_MS;
    while !way.bytes_sent().cover(MESSAGE_BYTES) {
        now_ms += 250;
        assert!(now_ms < START_MS + 60_000, "{:?}", way.bytes_sent());
        outbox.resolve(now_ms).unwrap();
        carry_all(&outbox, now_ms);
    }
    let preimages: Vec<_> = way.sent.lock().unwrap().iter().map(|payment| payment.preimage.payment_hash()).collect();
    assert!(preimages.contains(&left[0].payment_hash));
    arrive(&outbox, &way);
    assert_eq!(store.message(id).unwrap().unwrap().state, State::Delivered);
    assert!(store.unresolved().unwrap().is_empty());
}
