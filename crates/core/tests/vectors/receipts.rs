//! Receipts by the vectors' sender, for what the vectors' recipient had sent to it.

use boltgram_core::{
    MessageId, NodeId,
    frame::{ASKS_RECEIPT, Content},
    receipt::{ContentHash, Receipt, signed_text},
};
use prost::Message as _;

use crate::{
    file::{Hex, Sent, Vector},
    wire::{ROAD, Road, Who, id, text},
};

/// A message that the recipient had sent, and that a receipt is for.
#[derive(Clone)]
pub struct Asked {
    pub id: MessageId,
    pub to: NodeId,
    pub content: Vec<u8>,
}

impl Asked {
    pub fn hello() -> Self {
        let content = Content { flags: ASKS_RECEIPT, ..text("hello") };
        Self { id: id(9), to: ROAD.from.id(), content: content.encode_to_vec() }
    }

    /// The receipt for it.
    pub fn receipt(&self) -> Content {
        self.receipt_by(ROAD.from, ROAD)
    }

    /// The same, signed by somebody, for a message that went the other way on this road.
    pub fn receipt_by(&self, by: Who, road: Road) -> Content {
        let content_hash = ContentHash::of(&self.content);
        let signed = signed_text(road.chain.into(), road.to.id(), self.id, content_hash);
        Receipt { id: self.id, content_hash, signature: by.sign(&signed) }.content()
    }

    /// A vector whose receiver had sent it.
    pub fn known_to(&self, vector: Vector) -> Vector {
        let hex = |bytes: &[u8]| Hex(bytes.to_vec());
        let sent =
            Sent { id: hex(&self.id.to_bytes()), to: hex(&self.to.to_bytes()), content: Hex(self.content.clone()) };
        Vector { sent: vec![sent], ..vector }
    }
}
