//! A store on a file of its own, and messages to put into it.

#![allow(dead_code, reason = "each test target uses a part of it")]

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bitcoin::secp256k1::{Secp256k1, SecretKey};
use boltgram_core::{
    MessageId, NodeId,
    message::{Body, Message, PaymentHash},
    transport::{Keysend, Preimage},
};
use boltgram_store::{
    Store,
    conversations::Conversation,
    incoming::{Incoming, IncomingContent, IncomingMessage, Received},
    outgoing::{Outcome, Outgoing},
    read::Query,
};

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
        let (content_type, body) = (content_type.to_owned(), Body(body.to_vec()));
        let message = IncomingMessage { id, sender, content_type, body, reply_to: Some(id), amount_msat: 1_000 };
        let incoming = Incoming {
            payment_hash: PaymentHash(self.payment()),
            amount_msat: 1_000,
            now_ms,
            content: IncomingContent::Messages(vec![message]),
        };
        match self.store.receive(incoming).unwrap() {
            Received::New(mut messages) => messages.pop(),
            Received::Known => None,
        }
    }

    /// Begins to send a message; gives its payment's hash.
    pub fn send(&self, id: MessageId, recipient: NodeId, text: &str) -> PaymentHash {
        let preimage = Preimage(self.payment());
        let payment = Keysend {
            recipient,
            amount_msat: 1_000,
            fee_limit_msat: 50_010,
            preimage,
            record_type: 400_001,
            record: Body(text.into()),
        };
        let (content_type, body) = ("text/plain".to_owned(), Body(text.into()));
        let outgoing = Outgoing { id, content_type, body, reply_to: None, payment, now_ms: NOW_MS };
        self.store.insert_outgoing(outgoing).unwrap();
        preimage.payment_hash()
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
