//! An inbox on a real file, and messages cut into the parts that it receives.

use std::{path::PathBuf, sync::Arc};

use bitcoin::{
    Network,
    secp256k1::{Secp256k1, SecretKey},
};
use boltgram_core::{
    IdSource, MessageId, NodeId,
    encoding::encode,
    frame::{Content, Encoding},
    message::{Body, Message, PaymentHash},
    policy::{HeldReason, InboxPolicy},
    reassembly::{Piece, Range},
};
use boltgram_store::{
    Store,
    incoming::{Incoming, IncomingContent, IncomingPart, PaymentCounts, Received},
    outgoing::receipts::Receiver,
    read::Query,
};
use prost::Message as _;

pub const NOW_MS: u64 = 1_700_000_000_000;

pub struct Inbox {
    pub _folder: tempfile::TempDir,
    pub path: PathBuf,
    pub store: Store,
    pub policy: Arc<InboxPolicy>,
    pub payments: u64,
    pub now_ms: u64,
}

pub fn inbox() -> Inbox {
    inbox_with(InboxPolicy::default())
}

pub fn inbox_with(policy: InboxPolicy) -> Inbox {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages.sqlite");
    let store = Store::open(&path).unwrap();
    Inbox { _folder: folder, path, store, policy: Arc::new(policy), payments: 0, now_ms: NOW_MS }
}

impl Inbox {
    pub fn reopened(self) -> Self {
        drop(self.store);
        Self { store: Store::open(&self.path).unwrap(), ..self }
    }

    /// A payment that wasn't there before.
    pub fn payment(&mut self, amount_msat: u64, record: &[u8], content: IncomingContent) -> Incoming {
        self.payments += 1;
        let payment_hash = PaymentHash([[0; 24].as_slice(), &self.payments.to_be_bytes()].concat().try_into().unwrap());
        let receiver = Receiver { node_id: node(9), chain_hash: Network::Regtest.into() };
        Incoming { payment_hash, amount_msat, now_ms: self.now_ms, receiver, record: Body(record.to_vec()), content }
    }

    pub fn receive(&self, incoming: Incoming) -> Received {
        self.store.receive(incoming, &self.policy).unwrap()
    }

    /// Receives parts of this sender, 1 sat each, in a payment of their own.
    pub fn parts(&mut self, sender: NodeId, parts: Vec<IncomingPart>) -> (Vec<Message>, Option<HeldReason>) {
        let amount_msat = parts.iter().map(|part| part.amount_msat).sum();
        let payment = self.payment(amount_msat, b"record", IncomingContent::Parts { sender, parts });
        match self.receive(payment) {
            Received::New { messages, held, .. } => (messages, held),
            Received::Known => panic!("a new payment is known"),
        }
    }

    pub fn part(&mut self, sender: NodeId, part: IncomingPart) -> (Vec<Message>, Option<HeldReason>) {
        self.parts(sender, vec![part])
    }

    pub fn shown(&self) -> Vec<Message> {
        self.store.page(&Query { limit: 500, ..Query::default() }).unwrap().messages
    }

    pub fn counts(&self) -> PaymentCounts {
        self.store.payment_counts().unwrap()
    }

    pub fn waiting_bytes(&self) -> u64 {
        self.store.inbox_counts().unwrap().waiting_bytes
    }
}

pub fn node(byte: u8) -> NodeId {
    SecretKey::from_slice(&[byte; 32]).unwrap().public_key(&Secp256k1::new()).into()
}

pub fn id(time_ms: u64) -> MessageId {
    IdSource::above(None).next(time_ms)
}

/// A message as it travels.
#[derive(Clone)]
pub struct Sent {
    pub sender: NodeId,
    pub id: MessageId,
    pub payload: Vec<u8>,
    pub encoding: Encoding,
    pub bytes: Vec<u8>,
}

pub fn sent(sender: u8, payload: Vec<u8>) -> Sent {
    let content = Content::new("application/octet-stream", None, payload.clone()).unwrap();
    let (encoding, bytes) = encode(content.encode_to_vec());
    Sent { sender: node(sender), id: id(7), payload, encoding, bytes }
}

/// Bytes that don't compress.
pub fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u8::try_from(state >> 56).unwrap()
    };
    (0..bytes).map(|_| next()).collect()
}

impl Sent {
    pub fn part(&self, from: usize, to: usize) -> IncomingPart {
        let range = Range { offset: u32::try_from(from).unwrap(), body: Body(self.bytes[from..to].to_vec()) };
        let piece = Piece { total_bytes: u32::try_from(self.bytes.len()).unwrap(), encoding: self.encoding, range };
        IncomingPart { id: self.id, piece, amount_msat: 1_000 }
    }

    pub fn whole(&self) -> IncomingPart {
        self.part(0, self.bytes.len())
    }

    pub fn cut(&self, bytes: usize) -> Vec<IncomingPart> {
        let starts = (0..self.bytes.len()).step_by(bytes);
        starts.map(|from| self.part(from, (from + bytes).min(self.bytes.len()))).collect()
    }

    pub fn is(&self, message: &Message) -> bool {
        (message.id, message.peer, &message.body.0) == (self.id, Some(self.sender), &self.payload)
    }
}
