//! What comes in, over a real store: frames of several parts and of byte ranges, made by hand as another program would,
//! and what is put aside.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::{sync::Arc, time::Duration};

use bitcoin::{
    Network,
    hashes::{Hash as _, sha256d},
    secp256k1::{Message as Digest, Secp256k1, SecretKey},
};
use boltgram_core::{
    ChainHash, Failure, IdSource, MessageId, NodeId,
    encoding::encode,
    frame::{Content, Encoding, Frame, Part},
    limits::WAITING_MS_MAX,
    message::{Authenticity, Body, Message, PaymentHash},
    outbox::lane::Road,
    policy::{HeldReason, InboxPolicy},
    record,
    sign::{Signature, signed_text},
    transport::{EventHandler as _, Keysend, SendError, TlvRecord, Transport, TransportEvent},
};
use boltgram_messaging::{Messaging, Options, Subscription};
use boltgram_store::{Store, read::Query};
use prost::Message as _;

const RECORD_TYPE: u64 = 400_001;
const WAIT: Duration = Duration::from_secs(20);
const CHAIN: Network = Network::Regtest;

/// A node that only receives.
struct Receiver;

const RECEIVER: u8 = 2;

impl Transport for Receiver {
    fn node_id(&self) -> NodeId {
        node(RECEIVER)
    }

    fn chain_hash(&self) -> ChainHash {
        CHAIN.into()
    }

    fn sign(&self, text: &[u8]) -> Result<Signature, Failure> {
        Ok(sign(RECEIVER, text))
    }

    fn road(&self, _: NodeId) -> Road {
        Road { room_bytes: 0, slots: 0, is_direct: false }
    }

    fn check(&self, _: NodeId, _: u64) -> Result<(), SendError> {
        Err(SendError::Busy)
    }

    fn send(&self, _: &Keysend) -> Result<(), SendError> {
        Err(SendError::Busy)
    }

    fn resend(&self, _: &Keysend) -> Result<(), SendError> {
        Err(SendError::Busy)
    }

    fn may_still_be_claimed(&self, _: PaymentHash) -> bool {
        false
    }
}

fn secret(byte: u8) -> SecretKey {
    SecretKey::from_slice(&[byte; 32]).unwrap()
}

fn node(byte: u8) -> NodeId {
    secret(byte).public_key(&Secp256k1::new()).into()
}

fn sign(by: u8, text: &[u8]) -> Signature {
    let digest = sha256d::Hash::hash(&[b"Lightning Signed Message:", text].concat());
    let message = Digest::from_digest(digest.to_byte_array());
    let (recovery_id, compact) = Secp256k1::new().sign_ecdsa_recoverable(&message, &secret(by)).serialize_compact();
    let first = 31 + u8::try_from(recovery_id.to_i32()).unwrap();
    Signature([&[first], compact.as_slice()].concat().try_into().unwrap())
}

struct Side {
    _folder: tempfile::TempDir,
    service: Arc<Messaging>,
    store: Arc<Store>,
}

fn side(inbox: InboxPolicy) -> Side {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(&folder.path().join("messages.sqlite")).unwrap());
    let options = Options { inbox, ..Options::default() };
    let service = Messaging::new(store.clone(), Arc::new(Receiver), &options).unwrap();
    Side { _folder: folder, service, store }
}

impl Side {
    /// A payment with this record arrives.
    fn pay(&self, hash: u8, amount_msat: u64, record: Vec<u8>) {
        let records = vec![TlvRecord { record_type: RECORD_TYPE, value: Body(record) }];
        let payment_hash = PaymentHash([hash; 32]);
        self.service.handle(TransportEvent::PaymentReceived { payment_hash, amount_msat, records }).unwrap();
    }

    async fn inbox(&self) -> Vec<Message> {
        self.service.page(Query { limit: 100, ..Query::default() }).await.unwrap().messages
    }

    async fn reasons(&self) -> Vec<HeldReason> {
        let page = self.service.held(None, 100).await.unwrap();
        page.held.into_iter().rev().map(|held| held.reason).collect()
    }
}

/// The record of a frame that `by` signed for `recipient` on `chain`.
fn record_for(by: u8, recipient: u8, chain: Network, parts: Vec<Part>) -> Vec<u8> {
    let [_, check @ ..] = node(by).to_bytes();
    let frame = Frame { parts, sender_check: check[..4].to_vec() }.encode_to_vec();
    record::write(&sign(by, &signed_text(chain.into(), node(recipient), &frame)), &frame)
}

fn record(by: u8, parts: Vec<Part>) -> Vec<u8> {
    record_for(by, RECEIVER, CHAIN, parts)
}

fn id(time_ms: u64) -> MessageId {
    IdSource::above(None).next(time_ms)
}

/// The parts of a message, cut so that none has more than so many bytes.
fn parts(id: MessageId, payload: &[u8], bytes_max: usize) -> Vec<Part> {
    let content = Content::new("application/octet-stream", None, payload.to_vec()).unwrap();
    let (encoding, bytes) = encode(content.encode_to_vec());
    let is_whole = bytes.len() <= bytes_max;
    let part = |(n, body): (usize, &[u8])| Part {
        message_id: id.to_bytes().to_vec(),
        offset: u32::try_from(n * bytes_max).unwrap(),
        total_bytes: if is_whole { 0 } else { u32::try_from(bytes.len()).unwrap() },
        encoding: encoding.into(),
        body: body.to_vec(),
        amount_msat: 0,
    };
    bytes.chunks(bytes_max).enumerate().map(part).collect()
}

/// Bytes that don't compress.
fn noise(bytes: usize) -> Vec<u8> {
    let blocks = (0..bytes.div_ceil(32) as u64).flat_map(|n| sha256d::Hash::hash(&n.to_be_bytes()).to_byte_array());
    blocks.take(bytes).collect()
}

async fn next(subscription: &mut Subscription) -> Message {
    tokio::time::timeout(WAIT, subscription.recv()).await.unwrap().unwrap().unwrap().message
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_message_is_told_once_when_its_last_part_has_come() {
    let side = side(InboxPolicy::default());
    let mut subscription = side.service.subscribe(Some(0), false).unwrap();
    let (id, payload) = (id(5), noise(20_000));
    let cut = parts(id, &payload, 1_000);
    assert_eq!(cut.len(), 21);
    let records: Vec<_> = cut.into_iter().map(|part| record(1, vec![part])).collect();
    for (hash, record) in (1..).zip(records.iter().rev()) {
        assert!(side.inbox().await.is_empty());
        side.pay(hash, 1_000, record.clone());
        side.pay(hash, 1_000, record.clone());
    }
    side.pay(100, 1_000, records[7].clone());
    side.pay(101, 1_000, record(1, parts(IdSource::above(None).next(6), b"after", 1_000)));

    let message = next(&mut subscription).await;
    assert_eq!((message.id, message.peer, &message.body.0), (id, Some(node(1)), &payload));
    assert_eq!((message.amount_msat, message.authenticity), (21_000, Authenticity::Signed));
    assert_eq!(next(&mut subscription).await.body.0, b"after");
    let counts = side.service.inbox_counts().await.unwrap();
    assert_eq!((counts.payments.messages, counts.payments.parts, counts.payments.repeated), (2, 20, 1));
    assert_eq!(counts.waiting_bytes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_share_a_payment_are_each_shown_with_their_amount() {
    let side = side(InboxPolicy::default());
    let ids = [id(1), id(2), id(3)];
    let with = |part: &Part, amount_msat| Part { amount_msat, ..part.clone() };
    let long = parts(ids[2], &noise(600), 400);
    let small = |n: usize| parts(ids[n], format!("{n}").repeat(50).as_bytes(), 400).remove(0);
    assert_eq!(small(0).encoding, i32::from(Encoding::Zstd));
    side.pay(1, 3_000, record(1, vec![with(&small(0), 1_000), with(&small(1), 1_500), with(&long[0], 500)]));
    side.pay(2, 700, record(1, vec![long[1].clone()]));
    let shown: Vec<_> = side.inbox().await.iter().rev().map(|message| (message.id, message.amount_msat)).collect();
    assert_eq!(shown, [(ids[0], 1_000), (ids[1], 1_500), (ids[2], 1_200)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_genuine_is_put_aside_with_its_reason_and_never_shown() {
    let side = side(InboxPolicy::default());
    let whole = |text: &str| parts(id(1), text.as_bytes(), 1_000);
    let mut broken = record(1, whole("broken"));
    *broken.last_mut().unwrap() ^= 1;
    let too_much = vec![Part { amount_msat: 2_000, ..whole("a").remove(0) }, whole("b").remove(0)];
    let genuine = whole("genuine");
    let known = Part { message_id: genuine[0].message_id.clone(), ..whole("forged").remove(0) };
    for (hash, record) in (1..).zip([
        broken,
        record_for(1, 3, CHAIN, whole("for another")),
        record_for(1, RECEIVER, Network::Bitcoin, whole("on another chain")),
        record(1, too_much),
        vec![0xff; 20],
        record(1, genuine),
        record(1, vec![known]),
    ]) {
        side.pay(hash, 1_000, record);
    }
    let inbox = side.inbox().await;
    assert_eq!((inbox.len(), &inbox[0].body.0[..]), (1, &b"genuine"[..]));
    let signature = HeldReason::Signature;
    let unreadable = HeldReason::Unreadable;
    assert_eq!(side.reasons().await, [signature, signature, signature, unreadable, unreadable, HeldReason::Conflict]);
    let counts = side.service.inbox_counts().await.unwrap().payments;
    assert_eq!((counts.messages, counts.unreadable, counts.conflicting), (1, 5, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_holds_for_what_comes_in() {
    let policy = InboxPolicy {
        amount_msat_min: 2_000,
        blocked: [node(9)].into(),
        accepts_unsigned: false,
        ..InboxPolicy::default()
    };
    let side = side(policy);
    let whole = |text: &str| parts(id(1), text.as_bytes(), 1_000);
    side.pay(1, 5_000, record(9, whole("from a blocked sender")));
    side.pay(2, 1_999, record(1, whole("for too little")));
    side.pay(3, 5_000, b"from nobody".to_vec());
    side.pay(4, 2_000, record(1, whole("welcome")));
    let large = Part { total_bytes: 70_000, offset: 5, ..whole("too large").remove(0) };
    side.pay(5, 5_000, record(1, vec![large]));
    assert_eq!(side.inbox().await.iter().filter_map(|message| message.text()).count(), 0);
    assert_eq!(side.inbox().await.len(), 1);
    use HeldReason::{AmountTooSmall, Blocked, TooLarge, Unsigned};
    assert_eq!(side.reasons().await, [Blocked, AmountTooSmall, Unsigned, TooLarge]);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_whose_rest_does_not_come_are_dropped_in_time_and_counted() {
    let side = side(InboxPolicy::default());
    side.pay(1, 1_000, record(1, vec![parts(id(1), &noise(2_000), 1_000).remove(0)]));
    let waiting = async || side.service.inbox_counts().await.unwrap().waiting_bytes;
    assert!(waiting().await > 1_000);
    let now_ms = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    let (service, store) = (side.service.clone(), side.store.clone());
    tokio::task::spawn_blocking(move || {
        service.tidy_inbox(now_ms + WAITING_MS_MAX - 60_000).unwrap();
        assert!(store.inbox_counts().unwrap().waiting_bytes > 1_000);
        service.tidy_inbox(now_ms + WAITING_MS_MAX).unwrap();
    })
    .await
    .unwrap();
    let counts = side.service.inbox_counts().await.unwrap();
    assert_eq!((counts.waiting_bytes, counts.dropped_messages, counts.dropped_bytes), (0, 1, 1_000));
}
