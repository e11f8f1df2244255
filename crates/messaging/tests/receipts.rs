//! Receipts between two services over real stores: asked for, given within a budget, kept, and put aside when they prove
//! nothing. The test carries the payments.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use bitcoin::{
    Network,
    hashes::{Hash as _, sha256d},
    secp256k1::{Message as Digest, Secp256k1, SecretKey},
};
use boltgram_core::{
    ChainHash, Failure, MessageId, NodeId, Reason,
    frame::{Content, Frame, TEXT},
    limits::{FRAME_PARTS_MAX, RECEIPTS_WAITING_MAX},
    message::{Body, Message, PaymentHash, State},
    outbox::lane::Road,
    policy::HeldReason,
    receipt::{self, Budget, Receipt},
    record::{self, Received},
    sign::Signature,
    transport::{EventHandler as _, Keysend, SendError, TlvRecord, Transport, TransportEvent},
};
use boltgram_messaging::{Messaging, Options, send::NewMessage};
use boltgram_store::{Store, read::Query};
use tokio::time::{Instant, sleep};

const WAIT: Duration = Duration::from_secs(20);
const CHAIN: Network = Network::Regtest;

/// A node whose payments the test carries.
struct Played {
    key: SecretKey,
    is_direct: AtomicBool,
    sent: Mutex<Vec<Keysend>>,
}

fn signed(key: &SecretKey, text: &[u8]) -> Signature {
    let digest = sha256d::Hash::hash(&[b"Lightning Signed Message:", text].concat());
    let digest = Digest::from_digest(digest.to_byte_array());
    let (recovery_id, compact) = Secp256k1::new().sign_ecdsa_recoverable(&digest, key).serialize_compact();
    Signature([&[31 + u8::try_from(recovery_id.to_i32()).unwrap()], compact.as_slice()].concat().try_into().unwrap())
}

impl Transport for Played {
    fn node_id(&self) -> NodeId {
        self.key.public_key(&Secp256k1::new()).into()
    }

    fn chain_hash(&self) -> ChainHash {
        CHAIN.into()
    }

    fn sign(&self, text: &[u8]) -> Result<Signature, Failure> {
        Ok(signed(&self.key, text))
    }

    fn road(&self, _: NodeId) -> Road {
        Road { room_bytes: 1_204, slots: 200, is_direct: self.is_direct.load(SeqCst) }
    }

    fn check(&self, _: NodeId, _: u64) -> Result<(), SendError> {
        Ok(())
    }

    fn send(&self, payment: &Keysend) -> Result<(), SendError> {
        self.sent.lock().unwrap().push(payment.clone());
        Ok(())
    }

    fn resend(&self, payment: &Keysend) -> Result<(), SendError> {
        self.send(payment)
    }

    fn may_still_be_claimed(&self, _: PaymentHash) -> bool {
        false
    }
}

struct Side {
    folder: tempfile::TempDir,
    transport: Arc<Played>,
    service: Arc<Messaging>,
}

fn side_with(key: u8, is_direct: bool, receipts: Budget) -> Side {
    let key = SecretKey::from_slice(&[key; 32]).unwrap();
    let transport = Arc::new(Played { key, is_direct: is_direct.into(), sent: Mutex::default() });
    started(tempfile::tempdir().unwrap(), transport, receipts)
}

fn side(key: u8) -> Side {
    side_with(key, true, Budget::default())
}

fn started(folder: tempfile::TempDir, transport: Arc<Played>, receipts: Budget) -> Side {
    let store = Arc::new(Store::open(&folder.path().join("messages.sqlite")).unwrap());
    let options = Options { receipts, ..Options::default() };
    let service = Messaging::new(store, transport.clone(), &options).unwrap();
    Side { folder, transport, service }
}

/// Waits until something is there.
async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + WAIT;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        sleep(Duration::from_millis(5)).await;
    }
}

fn text_to(recipient: NodeId, text: &str) -> NewMessage {
    NewMessage {
        recipient,
        content_type: TEXT.into(),
        body: Body(text.into()),
        amount_sat: 0,
        reply_to: None,
        fee_limit_msat: None,
        queue: false,
        expires_in_ms: None,
        idempotency_key: None,
        receipt: false,
    }
}

impl Side {
    fn id(&self) -> NodeId {
        self.transport.node_id()
    }

    /// Queues a text that asks for a receipt.
    async fn asks(&self, to: &Side, text: &str, amount_sat: u64) -> MessageId {
        let new = NewMessage { amount_sat, receipt: true, queue: true, ..text_to(to.id(), text) };
        self.service.send(new, WAIT).await.unwrap().id
    }

    /// Queues a text that asks for nothing.
    async fn says(&self, to: NodeId, text: &str) -> MessageId {
        self.service.send(NewMessage { queue: true, ..text_to(to, text) }, WAIT).await.unwrap().id
    }

    /// The next payment that this side has started.
    async fn payment(&self) -> Keysend {
        eventually("a payment starts", async || {
            let mut sent = self.transport.sent.lock().unwrap();
            (!sent.is_empty()).then(|| sent.remove(0))
        })
        .await
    }

    /// This side receives a payment, and its sender is told so.
    fn claims(&self, payment: &Keysend, from: &Side) {
        self.receives(payment);
        from.is_told(payment);
    }

    fn receives(&self, payment: &Keysend) {
        let records = vec![TlvRecord { record_type: payment.record_type, value: payment.record.clone() }];
        let (payment_hash, amount_msat) = (payment.preimage.payment_hash(), payment.amount_msat);
        self.service.handle(TransportEvent::PaymentReceived { payment_hash, amount_msat, records }).unwrap();
    }

    fn is_told(&self, payment: &Keysend) {
        let payment_hash = payment.preimage.payment_hash();
        self.service.handle(TransportEvent::PaymentSuccessful { payment_hash, fee_msat: 0 }).unwrap();
    }

    async fn message(&self, id: MessageId) -> Message {
        self.service.message(id).await.unwrap()
    }

    async fn shown(&self) -> Vec<Message> {
        self.service.page(Query { limit: 100, ..Query::default() }).await.unwrap().messages
    }

    /// Nothing is sent, and nothing is owed or in the outbox.
    async fn gives_nothing(&self) {
        // What would be given is in the outbox when the event has been handled.
        let store = Store::open(&self.folder.path().join("messages.sqlite")).unwrap();
        assert!(store.unfinished().unwrap().is_empty() && store.owed_receipts(10).unwrap().is_empty());
        assert!(self.transport.sent.lock().unwrap().is_empty());
    }
}

fn frame(payment: &Keysend, recipient: NodeId) -> (NodeId, Frame) {
    match record::read(&payment.record.0, CHAIN.into(), recipient).unwrap() {
        Received::Signed { sender, frame } => (sender, frame),
        Received::Unsigned(_) => panic!("unsigned"),
    }
}

/// The receipt that a payment carries, alone.
fn receipt_in(payment: &Keysend, recipient: NodeId) -> Receipt {
    let (_, frame) = frame(payment, recipient);
    assert_eq!(frame.parts.len(), 1);
    Receipt::read(&Content::read(&frame.parts[0].body).unwrap()).unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_asks_is_received_once_its_receipt_has_come() {
    let (a, b) = (side(1), side(2));
    let id = a.asks(&b, "hello", 0).await;
    let payment = a.payment().await;
    let mut events = a.service.subscribe(None, true).unwrap();
    b.claims(&payment, &a);
    assert_eq!(events.recv().await.unwrap().unwrap().message.state, State::Delivered);
    assert!(a.message(id).await.asks_receipt && b.message(id).await.asks_receipt);

    let back = b.payment().await;
    assert_eq!((back.amount_msat, back.fee_limit_msat), (1_000, 0), "what the message brought pays, and no more");
    let receipt = receipt_in(&back, a.id());
    assert_eq!((receipt.id, receipt.signer(CHAIN.into(), a.id())), (id, Some(b.id())));
    a.claims(&back, &b);
    let event = events.recv().await.unwrap().unwrap().message;
    assert_eq!((event.id, event.state), (id, State::Received));
    let kept = a.message(id).await.receipt.unwrap();
    assert_eq!((kept.signature, kept.content_hash), (receipt.signature, receipt.content_hash));

    // Neither side shows the receipt, nobody answers it, and a repeat of the message brings no second one.
    b.receives(&Keysend { preimage: boltgram_core::transport::Preimage([9; 32]), ..payment });
    assert_eq!((a.shown().await.len(), b.shown().await.len()), (1, 1));
    assert_eq!(b.service.conversations(None, 10).await.unwrap().conversations[0].messages, 1);
    a.gives_nothing().await;
    b.gives_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_rides_along_with_an_answer() {
    let (a, b) = (side(1), side_with(2, false, Budget::default()));
    let id = a.asks(&b, "hello", 0).await;
    b.claims(&a.payment().await, &a);
    // Over hops it would need a fee, for which the message brought nothing.
    let answer = b.says(a.id(), "answer").await;
    let payment = b.payment().await;
    let (_, frame) = frame(&payment, a.id());
    assert_eq!((frame.parts.len(), frame.parts[0].id()), (2, Some(answer)));
    assert_eq!((payment.amount_msat, payment.fee_limit_msat), (2_000, 50_010), "the fee limit is the answer's");
    a.claims(&payment, &b);
    assert_eq!(a.message(id).await.state, State::Received);
    assert_eq!(a.message(answer).await.text(), Some("answer"));
    b.gives_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rode_in_a_payment_that_failed_has_its_own_fee_limit_still() {
    let (a, b) = (side(1), side_with(2, false, Budget::default()));
    let id = a.asks(&b, "hello", 0).await;
    b.claims(&a.payment().await, &a);
    let answer = b.says(a.id(), "answer").await;
    let failure = Failure::new(Reason::NoRoute, "no route");
    let payment_hash = b.payment().await.preimage.payment_hash();
    b.service.handle(TransportEvent::PaymentFailed { payment_hash, failure }).unwrap();
    b.service.cancel(answer).await.unwrap();
    b.transport.is_direct.store(true, SeqCst);
    b.service.reachable(&[a.id()]);
    let payment = b.payment().await;
    assert_eq!((payment.amount_msat, payment.fee_limit_msat), (1_000, 0));
    a.claims(&payment, &b);
    assert_eq!(a.message(id).await.state, State::Received);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_finds_no_way_for_want_of_a_fee_makes_no_other_record_smaller() {
    let (a, b) = (side(1), side_with(2, false, Budget::default()));
    a.asks(&b, "hello", 2).await;
    b.claims(&a.payment().await, &a);
    let failure = Failure::new(Reason::NoRoute, "no route");
    let payment_hash = b.payment().await.preimage.payment_hash();
    b.service.handle(TransportEvent::PaymentFailed { payment_hash, failure }).unwrap();
    let digits: String = (0u64..500).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_string()).collect();
    b.says(a.id(), &digits).await;
    assert_eq!(b.payment().await.record.0.len(), 1_204);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_ask_or_does_not_pay_gets_none() {
    let (a, b) = (side(1), side_with(2, true, Budget { gives: false, msat_per_day: 1_000_000 }));
    let id = a.asks(&b, "hello", 100).await;
    b.claims(&a.payment().await, &a);
    b.gives_nothing().await;
    assert_eq!(a.message(id).await.state, State::Delivered);

    // A message of 0 sat beside another in one payment: by default nothing pays.
    let c = side(3);
    let content = Content::new(TEXT, None, b"free".to_vec()).unwrap().asking_receipt(true);
    let part = boltgram_core::frame::Part {
        message_id: MessageId::LOWEST.to_bytes().to_vec(),
        body: content.to_bytes(),
        ..Default::default()
    };
    let other = boltgram_core::frame::Part {
        message_id: boltgram_core::IdSource::above(None).next(5).to_bytes().to_vec(),
        body: Content::new(TEXT, None, b"paid, and asks for nothing".to_vec()).unwrap().to_bytes(),
        amount_msat: 1_000,
        ..Default::default()
    };
    let payment = by(1, &c, vec![part, other]);
    c.receives(&payment);
    assert_eq!(c.shown().await.len(), 2);
    c.gives_nothing().await;
}

/// A payment of 1 sat with these parts, signed by the key of this byte for this side.
fn by(key: u8, to: &Side, parts: Vec<boltgram_core::frame::Part>) -> Keysend {
    let key = SecretKey::from_slice(&[key; 32]).unwrap();
    let sender: NodeId = key.public_key(&Secp256k1::new()).into();
    let frame = prost::Message::encode_to_vec(&Frame::of(sender, parts));
    let signature = signed(&key, &boltgram_core::sign::signed_text(CHAIN.into(), to.id(), &frame));
    let mut preimage = [7; 32];
    preimage[..8].copy_from_slice(&(frame.len() as u64).to_be_bytes());
    preimage[8..16].copy_from_slice(&signature.0[1..9]);
    Keysend {
        recipient: to.id(),
        amount_msat: 1_000,
        fee_limit_msat: 0,
        preimage: boltgram_core::transport::Preimage(preimage),
        record_type: 400_001,
        record: Body(record::write(&signature, &frame)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_costs_what_the_message_brings_or_what_the_operator_adds() {
    let (a, b) = (side(1), side_with(2, false, Budget::default()));
    a.asks(&b, "hello", 11).await;
    b.claims(&a.payment().await, &a);
    assert_eq!(b.payment().await.fee_limit_msat, 10_000);
    a.asks(&b, "hello", 1_000).await;
    b.claims(&a.payment().await, &a);
    assert_eq!(b.payment().await.fee_limit_msat, 50_010, "no more than for any payment");

    let generous = side_with(3, false, Budget { gives: true, msat_per_day: 60_000 });
    for fee_limit_msat in [Some(50_010), None] {
        a.asks(&generous, "hello", 1).await;
        generous.claims(&a.payment().await, &a);
        match fee_limit_msat {
            Some(limit) => assert_eq!(generous.payment().await.fee_limit_msat, limit),
            // The day's budget is reserved; what has no fee waits for a way without one.
            None => assert!(generous.transport.sent.lock().unwrap().is_empty()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_that_wait_leave_room_in_the_outbox() {
    let b = side_with(2, false, Budget::default());
    let content = Content::new(TEXT, None, b"hello".to_vec()).unwrap().asking_receipt(true).to_bytes();
    let mut ids = boltgram_core::IdSource::above(None);
    // Nobody pays for a way over others, so all receipts wait.
    for _ in 0..=RECEIPTS_WAITING_MAX / FRAME_PARTS_MAX {
        let parts = (0..FRAME_PARTS_MAX).map(|_| boltgram_core::frame::Part {
            message_id: ids.next(5).to_bytes().to_vec(),
            amount_msat: 1_000,
            body: content.clone(),
            ..Default::default()
        });
        let payment = by(1, &b, parts.collect());
        b.receives(&Keysend { amount_msat: 1_000 * FRAME_PARTS_MAX as u64, ..payment });
    }
    let store = Store::open(&b.folder.path().join("messages.sqlite")).unwrap();
    assert_eq!(store.unfinished().unwrap().len(), RECEIPTS_WAITING_MAX);
    let owed = store.owed_receipts(10_000).unwrap().len();
    assert_eq!(owed, (RECEIPTS_WAITING_MAX / FRAME_PARTS_MAX + 1) * FRAME_PARTS_MAX - RECEIPTS_WAITING_MAX);
    drop(store);
    // Those that wait go all at once where a payment goes anyway, or expire: then the others are given.
    b.says(SecretKey::from_slice(&[1; 32]).unwrap().public_key(&Secp256k1::new()).into(), "answer").await;
    let payment = b.payment().await;
    assert!(payment.amount_msat > 1_000 && payment.record.0.len() > 800, "{}", payment.record.0.len());
    b.is_told(&payment);
    b.service.give_receipts(1_800_000_000_000);
    let store = Store::open(&b.folder.path().join("messages.sqlite")).unwrap();
    let ridden = usize::try_from(payment.amount_msat / 1_000).unwrap() - 1;
    assert_eq!(store.owed_receipts(10_000).unwrap().len(), owed - ridden);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_told_to_have_failed_turns_out_to_be_received() {
    let (a, b) = (side(1), side(2));
    let new = |text| NewMessage { receipt: true, ..text_to(b.id(), text) };
    let (service, message) = (a.service.clone(), new("told to have failed"));
    let sending = tokio::spawn(async move { service.send(message, WAIT).await });
    let payment = a.payment().await;
    let failure = Failure::new(Reason::PaymentFailed, "an HTLC in a closed channel");
    let payment_hash = payment.preimage.payment_hash();
    a.service.handle(TransportEvent::PaymentFailed { payment_hash, failure: failure.clone() }).unwrap();
    assert_eq!(sending.await.unwrap().unwrap_err(), failure);
    let id = a.shown().await[0].id;
    assert_eq!(a.message(id).await.state, State::Failed);
    b.receives(&payment);
    a.claims(&b.payment().await, &b);
    let message = a.message(id).await;
    assert_eq!((message.state, message.failure_reason), (State::Received, None));
    a.is_told(&payment);
    assert_eq!(a.message(id).await.state, State::Received);

    // One whose payment's end isn't told yet: who waits for it is answered, and nothing more of it is sent.
    let (service, message) = (a.service.clone(), new("not told yet"));
    let sending = tokio::spawn(async move { service.send(message, WAIT).await });
    b.receives(&a.payment().await);
    a.claims(&b.payment().await, &b);
    assert_eq!(sending.await.unwrap().unwrap().state, State::Received);
    a.gives_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_receipt_is_put_aside() {
    let (a, b) = (side(1), side(2));
    let id = a.asks(&b, "hello", 0).await;
    b.claims(&a.payment().await, &a);
    let good = receipt_in(&b.payment().await, a.id());
    let as_part = |receipt: Receipt, n: u64| boltgram_core::frame::Part {
        message_id: boltgram_core::IdSource::above(None).next(n).to_bytes().to_vec(),
        body: receipt.content().to_bytes(),
        ..Default::default()
    };
    let other = receipt::ContentHash::of(b"other");
    let text = receipt::signed_text(CHAIN.into(), a.id(), id, other);
    let of_other_content = Receipt { content_hash: other, signature: b.transport.sign(&text).unwrap(), ..good };
    let by_other = receipt::signed_text(CHAIN.into(), a.id(), id, good.content_hash);
    let by_other = Receipt { signature: signed(&SecretKey::from_slice(&[3; 32]).unwrap(), &by_other), ..good };
    a.receives(&by(3, &a, vec![as_part(good, 5)]));
    a.receives(&by(3, &a, vec![as_part(by_other, 6)]));
    a.receives(&by(2, &a, vec![as_part(by_other, 7)]));
    a.receives(&by(2, &a, vec![as_part(of_other_content, 8)]));
    let held = a.service.held(None, 10).await.unwrap().held;
    assert_eq!(held.iter().map(|held| held.reason).collect::<Vec<_>>(), [HeldReason::Receipt; 4]);
    let message = a.message(id).await;
    assert_eq!((message.state, message.receipt), (State::Delivered, None));
    assert_eq!(a.shown().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_owed_at_a_start_is_given() {
    let (a, b) = (side(1), side(2));
    let id = a.asks(&b, "hello", 0).await;
    let payment = a.payment().await;
    // As a kill between the message's commit and the receipt's leaves it.
    b.service.stop(Duration::ZERO).await;
    let (sender, frame) = frame(&payment, b.id());
    let Side { folder, transport, service } = b;
    drop(service);
    let store = Store::open(&folder.path().join("messages.sqlite")).unwrap();
    let incoming = boltgram_store::incoming::Incoming {
        payment_hash: payment.preimage.payment_hash(),
        amount_msat: payment.amount_msat,
        now_ms: 1_700_000_000_000,
        receiver: boltgram_store::outgoing::receipts::Receiver {
            node_id: transport.node_id(),
            chain_hash: CHAIN.into(),
        },
        record: payment.record.clone(),
        content: boltgram_store::incoming::IncomingContent::Parts {
            sender,
            parts: vec![boltgram_store::incoming::IncomingPart {
                id,
                piece: boltgram_core::reassembly::Piece::of(frame.parts[0].clone()).unwrap(),
                amount_msat: payment.amount_msat,
            }],
        },
    };
    store.receive(incoming, &Arc::default()).unwrap();
    drop(store);
    let b = started(folder, transport, Budget::default());
    let back = b.payment().await;
    a.claims(&back, &b);
    a.is_told(&payment);
    assert_eq!(a.message(id).await.state, State::Received);
    b.service.give_receipts(1_800_000_000_000);
    b.gives_nothing().await;
}
