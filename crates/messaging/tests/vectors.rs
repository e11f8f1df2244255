//! `data/vectors/` through a real inbox: each valid vector gives its messages, and of each hostile one the last payment, and it
//! alone, is put aside for the reason that the vector names.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::sync::Arc;

use boltgram_core::{
    ChainHash, Failure, NodeId,
    message::{Authenticity, Body, Message, PaymentHash},
    outbox::lane::Road,
    sign::Signature,
    transport::{EventHandler as _, Keysend, SendError, TlvRecord, Transport, TransportEvent},
};
use boltgram_messaging::{Messaging, Options};
use boltgram_store::{Store, read::Query};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

const RECORD_TYPE: u64 = 400_001;
const VALID: &str = include_str!("../../../data/vectors/valid.json");
const HOSTILE: &str = include_str!("../../../data/vectors/hostile.json");

/// The node that a vector's payments are for. It only receives.
struct Receiver {
    id: NodeId,
    chain: ChainHash,
}

impl Transport for Receiver {
    fn node_id(&self) -> NodeId {
        self.id
    }

    fn chain_hash(&self) -> ChainHash {
        self.chain
    }

    fn sign(&self, _: &[u8]) -> Result<Signature, Failure> {
        Ok(Signature([0; 65]))
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

fn bytes(hex: &Value) -> Vec<u8> {
    HEXLOWER.decode(hex.as_str().unwrap().as_bytes()).unwrap()
}

fn list(of: &Value) -> &[Value] {
    of.as_array().unwrap()
}

/// Gives a vector's payments to an inbox, and reads the messages, and which payments were put aside for what.
async fn received(vector: &Value) -> (Vec<Message>, Vec<(usize, &'static str)>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(&folder.path().join("messages.sqlite")).unwrap());
    let chain = ChainHash(bytes(&vector["chain_hash"]).try_into().unwrap());
    let receiver = Receiver { id: NodeId::from_slice(&bytes(&vector["recipient"])).unwrap(), chain };
    let service = Messaging::new(store, Arc::new(receiver), &Options::default()).unwrap();
    for (number, payment) in list(&vector["payments"]).iter().enumerate() {
        let amount_msat = payment["amount_msat"].as_u64().unwrap();
        let records = vec![TlvRecord { record_type: RECORD_TYPE, value: Body(bytes(&payment["record"])) }];
        let payment_hash = PaymentHash([u8::try_from(number).unwrap(); 32]);
        service.handle(TransportEvent::PaymentReceived { payment_hash, amount_msat, records }).unwrap();
    }
    let page = service.page(Query { limit: 100, ..Query::default() }).await.unwrap();
    let held = service.held(None, 100).await.unwrap().held;
    let held = held.iter().map(|held| (usize::from(held.payment_hash.0[0]), held.reason.code())).collect();
    (page.messages.into_iter().rev().collect(), held)
}

/// A message as a vector lists it, but for its flags, which an inbox doesn't keep. A text without a signature has an id of the
/// receiver's own.
fn listed(message: &Message) -> Value {
    let hex = |bytes: &[u8]| HEXLOWER.encode(bytes);
    let is_signed = message.authenticity == Authenticity::Signed;
    json!({
        "id": is_signed.then(|| hex(&message.id.to_bytes())),
        "sender": message.peer.map(|peer| hex(&peer.to_bytes())),
        "content_type": message.content_type,
        "reply_to_id": message.reply_to.map(|id| hex(&id.to_bytes())),
        "payload": hex(&message.body.0),
        "amount_msat": message.amount_msat,
    })
}

fn without_flags(message: &Value) -> Value {
    let mut message = message.clone();
    message.as_object_mut().unwrap().remove("flags");
    message
}

/// A receipt isn't a message to an inbox: it counts for what was sent, and a vector's receiver has sent nothing.
fn has_receipt(vector: &Value) -> bool {
    list(&vector["messages"]).iter().any(|message| message["content_type"] == "application/vnd.boltgram.receipt")
}

/// Checks each vector of a file: its messages, and what is put aside.
async fn check(file: &str, aside: impl for<'a> Fn(&'a Value) -> Vec<(usize, &'a str)>) {
    let file: Value = serde_json::from_str(file).unwrap();
    assert!(list(&file["vectors"]).len() >= 40);
    for vector in list(&file["vectors"]).iter().filter(|vector| !has_receipt(vector)) {
        let (messages, held) = received(vector).await;
        assert_eq!(held, aside(vector), "{}", vector["name"]);
        let wanted: Vec<Value> = list(&vector["messages"]).iter().map(without_flags).collect();
        let found: Vec<Value> = messages.iter().map(listed).collect();
        assert_eq!(found, wanted, "{}", vector["name"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inbox_takes_every_valid_vector() {
    check(VALID, |_| Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inbox_puts_aside_the_last_payment_of_every_hostile_vector() {
    check(HOSTILE, |vector| vec![(list(&vector["payments"]).len() - 1, vector["reason"].as_str().unwrap())]).await;
}
