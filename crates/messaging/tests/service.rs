//! The service over a real store and a transport that a test plays: what is stored, answered and told, and when.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bitcoin::{
    Network,
    hashes::{Hash as _, sha256d},
    secp256k1::{Message as Digest, Secp256k1, SecretKey},
};
use boltgram_core::{
    ChainHash, Failure, NodeId, Reason,
    frame::TEXT,
    limits::MESSAGE_BYTES_MAX_DEFAULT,
    message::{Authenticity, Body, Direction, PaymentHash, State},
    outbox::lane::Road,
    sign::Signature,
    transport::{EventHandler as _, Keysend, SendError, TlvRecord, Transport, TransportEvent},
};
use boltgram_messaging::{Messaging, Options, send::NewMessage};
use boltgram_store::{Store, read::Query};

const RECORD_TYPE: u64 = 400_001;
const WAIT: Duration = Duration::from_secs(20);

/// A node that sends nothing: it keeps what it is given, and answers what the test says.
struct Played {
    key: SecretKey,
    sent: Mutex<Vec<Keysend>>,
    answers: Mutex<Vec<Result<(), SendError>>>,
}

impl Played {
    fn last_sent(&self) -> Keysend {
        self.sent.lock().unwrap().last().unwrap().clone()
    }
}

impl Transport for Played {
    fn node_id(&self) -> NodeId {
        self.key.public_key(&Secp256k1::new()).into()
    }

    fn chain_hash(&self) -> ChainHash {
        Network::Regtest.into()
    }

    fn sign(&self, text: &[u8]) -> Result<Signature, Failure> {
        let digest = sha256d::Hash::hash(&[b"Lightning Signed Message:", text].concat());
        let message = Digest::from_digest(digest.to_byte_array());
        let (recovery_id, compact) = Secp256k1::new().sign_ecdsa_recoverable(&message, &self.key).serialize_compact();
        let mut bytes = [0; 65];
        bytes[0] = 31 + u8::try_from(recovery_id.to_i32()).unwrap();
        bytes[1..].copy_from_slice(&compact);
        Ok(Signature(bytes))
    }

    fn road(&self, _: NodeId) -> Road {
        Road { room_bytes: 1_204, slots: 200, is_direct: true }
    }

    fn check(&self, _: NodeId, _: u64) -> Result<(), SendError> {
        Ok(())
    }

    fn resend(&self, payment: &Keysend) -> Result<(), SendError> {
        self.send(payment)
    }

    fn may_still_be_claimed(&self, _: PaymentHash) -> bool {
        false
    }

    fn send(&self, payment: &Keysend) -> Result<(), SendError> {
        self.sent.lock().unwrap().push(payment.clone());
        self.answers.lock().unwrap().pop().unwrap_or(Ok(()))
    }
}

struct Side {
    _folder: tempfile::TempDir,
    transport: Arc<Played>,
    service: Arc<Messaging>,
}

fn side(key: u8) -> Side {
    let folder = tempfile::tempdir().unwrap();
    let key = SecretKey::from_slice(&[key; 32]).unwrap();
    let transport = Arc::new(Played { key, sent: Mutex::default(), answers: Mutex::default() });
    let store = Arc::new(Store::open(&folder.path().join("messages.sqlite")).unwrap());
    let service = Messaging::new(store, transport.clone(), &Options::default()).unwrap();
    Side { _folder: folder, transport, service }
}

fn text(to: &Side, text: &str) -> NewMessage {
    NewMessage {
        recipient: to.transport.node_id(),
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

fn received(payment: &Keysend) -> TransportEvent {
    TransportEvent::PaymentReceived {
        payment_hash: payment.preimage.payment_hash(),
        amount_msat: payment.amount_msat,
        records: vec![TlvRecord { record_type: payment.record_type, value: payment.record.clone() }],
    }
}

fn all() -> Query {
    Query { limit: 10, ..Query::default() }
}

/// Begins a send, waits until its payment has started, and returns both.
async fn begun(
    from: &Side,
    new: NewMessage,
    wait: Duration,
) -> (tokio::task::JoinHandle<Result<boltgram_core::message::Message, Failure>>, Keysend) {
    let before = from.transport.sent.lock().unwrap().len();
    let service = from.service.clone();
    let sending = tokio::spawn(async move { service.send(new, wait).await });
    let deadline = tokio::time::Instant::now() + WAIT;
    while from.transport.sent.lock().unwrap().len() == before {
        assert!(tokio::time::Instant::now() < deadline, "the payment did not start");
        tokio::task::yield_now().await;
    }
    (sending, from.transport.last_sent())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_answered_when_claimed_and_shown_once_with_the_same_id() {
    let (a, b) = (side(1), side(2));
    let (sending, payment) = begun(&a, NewMessage { amount_sat: 5, ..text(&b, "hello") }, WAIT).await;
    assert_eq!(a.service.page(all()).await.unwrap().messages[0].state, State::Sending);
    b.service.handle(received(&payment)).unwrap();
    b.service.handle(received(&payment)).unwrap();
    let payment_hash = payment.preimage.payment_hash();
    a.service.handle(TransportEvent::PaymentSuccessful { payment_hash, fee_msat: 3 }).unwrap();

    let sent = sending.await.unwrap().unwrap();
    assert_eq!((sent.state, sent.fee_msat, sent.amount_msat), (State::Delivered, 3, 5_000));
    let inbox = b.service.page(all()).await.unwrap().messages;
    assert_eq!(inbox.len(), 1);
    assert_eq!((inbox[0].id, inbox[0].text(), inbox[0].amount_msat), (sent.id, Some("hello"), 5_000));
    assert_eq!((inbox[0].peer, inbox[0].authenticity), (Some(a.transport.node_id()), Authenticity::Signed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_fails_is_told_with_its_reason_and_kept_as_failed() {
    let (a, b) = (side(1), side(2));
    let (sending, payment) = begun(&a, text(&b, "hello"), WAIT).await;
    let failure = Failure::new(Reason::Refused, "refused");
    let payment_hash = payment.preimage.payment_hash();
    a.service.handle(TransportEvent::PaymentFailed { payment_hash, failure: failure.clone() }).unwrap();
    assert_eq!(sending.await.unwrap().unwrap_err(), failure);
    let kept = &a.service.page(all()).await.unwrap().messages[0];
    assert_eq!((kept.state, kept.failure_reason.as_deref()), (State::Failed, Some("REFUSED_BY_RECIPIENT")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_was_not_sent_is_a_failure_at_once() {
    let (a, b) = (side(1), side(2));
    let failure = Failure::new(Reason::NoRoute, "no route");
    a.transport.answers.lock().unwrap().push(Err(SendError::NotSent(failure.clone())));
    assert_eq!(a.service.send(text(&b, "hello"), WAIT).await.unwrap_err(), failure);
    assert_eq!(a.service.page(all()).await.unwrap().messages[0].state, State::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_is_what_the_send_takes_and_stores_nothing() {
    let (a, b) = (side(1), side(2));
    let new = NewMessage { amount_sat: 200, ..text(&b, "hello") };
    let quote = a.service.quote(new.clone()).await.unwrap();
    assert!(a.service.page(all()).await.unwrap().messages.is_empty());
    let (_sending, payment) = begun(&a, new.clone(), WAIT).await;
    assert_eq!((quote.frames, quote.amount_sat * 1_000), (1, payment.amount_msat));
    assert_eq!((quote.record_bytes, quote.record_bytes_max), (payment.record.0.len(), 1_204));
    assert_eq!((quote.fee_limit_msat, payment.fee_limit_msat), (52_000, 52_000));

    let refused = async |new| a.service.quote(new).await.unwrap_err().reason;
    assert_eq!(refused(text(&a, "hello")).await, Reason::OwnPubkey);
    assert_eq!(refused(text(&b, "")).await, Reason::EmptyMessage);
    assert_eq!(refused(text(&b, &"x".repeat(MESSAGE_BYTES_MAX_DEFAULT + 1))).await, Reason::MessageTooLong);
    a.service.stop(Duration::ZERO).await;
    assert_eq!(refused(new).await, Reason::Stopping);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unclear_send_waits_for_its_event() {
    let (a, b) = (side(1), side(2));
    a.transport.answers.lock().unwrap().push(Err(SendError::Unclear("the disk".into())));
    let (sending, payment) = begun(&a, text(&b, "hello"), WAIT).await;
    let payment_hash = payment.preimage.payment_hash();
    a.service.handle(TransportEvent::PaymentSuccessful { payment_hash, fee_msat: 0 }).unwrap();
    assert_eq!(sending.await.unwrap().unwrap().state, State::Delivered);
}

#[tokio::test(flavor = "multi_thread")]
async fn past_its_deadline_a_send_answers_its_id_and_is_settled_all_the_same() {
    let (a, b) = (side(1), side(2));
    let (sending, payment) = begun(&a, text(&b, "hello"), Duration::from_millis(1)).await;
    let failure = sending.await.unwrap().unwrap_err();
    assert_eq!(failure.reason, Reason::DeadlineExceeded);
    let id = failure.metadata["id"].parse().unwrap();
    assert_eq!(a.service.message(id).await.unwrap().state, State::Sending);
    let payment_hash = payment.preimage.payment_hash();
    a.service.handle(TransportEvent::PaymentSuccessful { payment_hash, fee_msat: 0 }).unwrap();
    assert_eq!(a.service.message(id).await.unwrap().state, State::Delivered);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_store_and_send_nothing() {
    let (a, b) = (side(1), side(2));
    let reason = |new: NewMessage| {
        let service = a.service.clone();
        async move { service.send(new, WAIT).await.unwrap_err().reason }
    };
    assert_eq!(reason(text(&a, "to myself")).await, Reason::OwnPubkey);
    assert_eq!(reason(text(&b, "")).await, Reason::EmptyMessage);
    assert_eq!(reason(text(&b, &"x".repeat(MESSAGE_BYTES_MAX_DEFAULT + 1))).await, Reason::MessageTooLong);
    assert_eq!(reason(NewMessage { amount_sat: u64::MAX, ..text(&b, "x") }).await, Reason::InvalidAmount);
    assert_eq!(reason(NewMessage { content_type: "x".into(), ..text(&b, "x") }).await, Reason::InvalidField);
    assert!(a.service.page(all()).await.unwrap().messages.is_empty());
    assert!(a.transport.sent.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_that_is_told_is_exact() {
    let (a, b) = (side(1), side(2));
    let failure = a.service.send(text(&b, &"x".repeat(100_000)), WAIT).await.unwrap_err();
    let limit: usize = failure.metadata["limit_bytes"].parse().unwrap();
    assert_eq!(limit, MESSAGE_BYTES_MAX_DEFAULT);
    begun(&a, text(&b, &"x".repeat(limit)), WAIT).await.0.abort();
    let failure = a.service.send(text(&b, &"x".repeat(limit + 1)), WAIT).await.unwrap_err();
    assert_eq!(failure.reason, Reason::MessageTooLong);
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_records_are_kept_apart_and_plain_texts_are_marked() {
    let (a, b) = (side(1), side(2));
    let (_sending, payment) = begun(&a, text(&b, "hello"), WAIT).await;
    let event = |n: u8, record_type, value: Vec<u8>| TransportEvent::PaymentReceived {
        payment_hash: PaymentHash([n; 32]),
        amount_msat: 1_000,
        records: vec![TlvRecord { record_type, value: Body(value) }],
    };
    let mut tampered = payment.record.0.clone();
    *tampered.last_mut().unwrap() ^= 1;
    b.service.handle(event(1, RECORD_TYPE, tampered)).unwrap();
    b.service.handle(event(2, RECORD_TYPE + 2, payment.record.0.clone())).unwrap();
    b.service.handle(event(3, RECORD_TYPE, b"from lncli".to_vec())).unwrap();
    let inbox = b.service.page(all()).await.unwrap().messages;
    assert_eq!(inbox.len(), 1);
    assert_eq!((inbox[0].text(), inbox[0].authenticity), (Some("from lncli"), Authenticity::Unsigned));
    assert_eq!(inbox[0].peer, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_catches_up_then_goes_on_live_and_misses_nothing() {
    let (a, b) = (side(1), side(2));
    let mut payments = Vec::new();
    for n in 0..40 {
        let (_sending, payment) = begun(&a, text(&b, &format!("{n}")), WAIT).await;
        payments.push(payment);
    }
    let (before, after) = payments.split_at(20);
    before.iter().for_each(|payment| b.service.handle(received(payment)).unwrap());
    let mut from_first = b.service.subscribe(Some(0), false).unwrap();
    let mut from_now = b.service.subscribe(None, false).unwrap();
    let mut from_five = b.service.subscribe(Some(5), false).unwrap();
    let (service, events): (_, Vec<_>) = (b.service.clone(), after.iter().map(received).collect());
    let arriving = tokio::task::spawn_blocking(move || events.into_iter().for_each(|e| service.handle(e).unwrap()));
    for (subscription, first) in [(&mut from_first, 1), (&mut from_now, 21), (&mut from_five, 6)] {
        for sequence in first..=40 {
            let entry = tokio::time::timeout(WAIT, subscription.recv()).await.unwrap().unwrap().unwrap();
            assert_eq!(entry.sequence, sequence);
            assert_eq!(entry.message.text(), Some(format!("{}", sequence - 1).as_str()));
            assert_eq!(entry.message.direction, Direction::In);
        }
    }
    arriving.await.unwrap();
    assert_eq!(b.service.subscribe(Some(41), false).unwrap_err().reason, Reason::InvalidField);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_refuses_new_messages_waits_for_those_under_way_and_ends_subscriptions() {
    let (a, b) = (side(1), side(2));
    let mut subscription = a.service.subscribe(None, true).unwrap();
    let (first, payment) = begun(&a, text(&b, "in time"), WAIT).await;
    let (second, _) = begun(&a, text(&b, "too late"), WAIT).await;
    let payment_hash = payment.preimage.payment_hash();
    a.service.handle(TransportEvent::PaymentSuccessful { payment_hash, fee_msat: 0 }).unwrap();
    a.service.stop(Duration::from_millis(200)).await;
    assert_eq!(first.await.unwrap().unwrap().state, State::Delivered);
    assert_eq!(second.await.unwrap().unwrap_err().reason, Reason::DeadlineExceeded);
    assert_eq!(a.service.send(text(&b, "x"), WAIT).await.unwrap_err().reason, Reason::Stopping);
    let rest = async { while subscription.recv().await.is_some() {} };
    tokio::time::timeout(WAIT, rest).await.unwrap();
}
