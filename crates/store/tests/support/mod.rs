//! A store on a file of its own, and messages to put into it.

#![allow(dead_code, reason = "each test target uses a part of it")]

use std::{
    ops::Range,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bitcoin::{
    Network,
    secp256k1::{Secp256k1, SecretKey},
};
use boltgram_core::{
    MessageId, NodeId,
    frame::{Content, Encoding, Part},
    limits::MESSAGE_BYTES_MAX,
    message::{Body, Message, PaymentHash},
    policy::InboxPolicy,
    reassembly::Piece,
    transport::{Keysend, Preimage},
};
use boltgram_store::{
    Store,
    conversations::Conversation,
    incoming::{Incoming, IncomingContent, IncomingPart, Received},
    outgoing::{Accepted, Attempt, AttemptPart, Outcome, Outgoing, Started, receipts::Receiver},
    read::Query,
};
use prost::Message as _;

/// When the messages of a test are stored, unless it says another time.
pub const NOW_MS: u64 = 1_700_000_000_000;

pub struct Fixture {
    pub folder: tempfile::TempDir,
    pub path: PathBuf,
    pub store: Arc<Store>,
    payments: AtomicU64,
}

pub fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages.sqlite");
    let store = Arc::new(Store::open(&path).unwrap());
    Fixture { folder, path, store, payments: AtomicU64::new(0) }
}

pub fn node(byte: u8) -> NodeId {
    SecretKey::from_slice(&[byte; 32]).unwrap().public_key(&Secp256k1::new()).into()
}

/// Who receives: the node of key 9.
pub fn receiver() -> Receiver {
    Receiver { node_id: node(9), chain_hash: Network::Regtest.into() }
}

/// The n-th id: the same each time, and above those of lower numbers.
pub fn id(n: u64) -> MessageId {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&n.to_be_bytes()[2..]);
    (bytes[6], bytes[8]) = (0x70, 0x80);
    MessageId::from_slice(&bytes).unwrap()
}

/// Everything, on one page.
pub fn all() -> Query {
    Query { limit: 500, ..Query::default() }
}

pub fn texts(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.text().unwrap()).collect()
}

impl Fixture {
    pub fn reopened(self) -> Self {
        drop(self.store);
        Self { store: Arc::new(Store::open(&self.path).unwrap()), ..self }
    }

    fn payment(&self) -> [u8; 32] {
        let mut bytes = [1; 32];
        bytes[..8].copy_from_slice(&self.payments.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        bytes
    }

    /// Receives a message, in a payment of its own; gives it if it is new.
    pub fn receive(&self, id: MessageId, sender: Option<NodeId>, text: &str) -> Option<Message> {
        self.receive_at(NOW_MS, id, sender, "text/plain", text.as_bytes())
    }

    pub fn receive_at(
        &self,
        now_ms: u64,
        id: MessageId,
        sender: Option<NodeId>,
        content_type: &str,
        body: &[u8],
    ) -> Option<Message> {
        let content = match sender {
            None => IncomingContent::Unsigned { id, text: String::from_utf8(body.to_vec()).unwrap() },
            Some(sender) => {
                let content = Content::new(content_type, Some(id), body.to_vec()).unwrap();
                let part = Part { body: content.encode_to_vec(), ..Part::default() };
                let part = IncomingPart { id, piece: Piece::of(part).unwrap(), amount_msat: 1_000 };
                IncomingContent::Parts { sender, parts: vec![part] }
            }
        };
        let incoming = Incoming {
            payment_hash: PaymentHash(self.payment()),
            amount_msat: 1_000,
            now_ms,
            receiver: receiver(),
            record: Body(vec![1]),
            content,
        };
        let policy = InboxPolicy { message_bytes_max: MESSAGE_BYTES_MAX, ..InboxPolicy::default() };
        match self.store.receive(incoming, &Arc::new(policy)).unwrap() {
            Received::New { mut messages, .. } => messages.pop(),
            Received::Known => None,
        }
    }

    /// Accepts a message.
    pub fn accept(&self, id: MessageId, recipient: NodeId, text: &str) {
        let outgoing = Outgoing {
            id,
            recipient,
            content_type: "text/plain".into(),
            body: Body(text.into()),
            reply_to: None,
            asks_receipt: false,
            encoding: Encoding::Plain,
            encoded: Body(text.into()),
            amount_msat: 1_000,
            wanted_msat: None,
            fee_limit_msat: None,
            queues: false,
            expires_at_ms: NOW_MS + 1_000,
            idempotency_key: Some(id.to_string()),
            request_digest: [0; 32],
            now_ms: NOW_MS,
        };
        assert!(matches!(self.store.accept(outgoing).unwrap(), Accepted::New(_)));
    }

    /// Starts a payment with a range of a message; gives its hash.
    pub fn pay(&self, id: MessageId, recipient: NodeId, range: Range<u32>) -> PaymentHash {
        let preimage = Preimage(self.payment());
        let payment = Keysend {
            recipient,
            amount_msat: 1_000,
            fee_limit_msat: 50_010,
            preimage,
            record_type: 400_001,
            record: Body(vec![7; 10]),
        };
        let parts = vec![AttemptPart { id, range, amount_msat: 1_000 }];
        let attempt = Attempt { payment, parts, fee_budget_msat: None, now_ms: NOW_MS };
        assert_eq!(self.store.start(attempt).unwrap(), Started::Yes);
        preimage.payment_hash()
    }

    /// Begins to send a message; gives its payment's hash.
    pub fn send(&self, id: MessageId, recipient: NodeId, text: &str) -> PaymentHash {
        self.accept(id, recipient, text);
        self.pay(id, recipient, 0..u32::try_from(text.len()).unwrap())
    }

    /// Sends a message, and it is delivered.
    pub fn deliver(&self, id: MessageId, recipient: NodeId, text: &str) {
        let hash = self.send(id, recipient, text);
        self.store.settle(hash, Outcome::Successful { fee_msat: 0 }, NOW_MS).unwrap();
    }

    pub fn conversations(&self) -> Vec<Conversation> {
        self.store.conversations(None, 500).unwrap().conversations
    }
}
