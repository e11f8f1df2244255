//! Texts signed with the node's key, and signatures of other nodes: those of `lncli signmessage`.

use boltgram_core::{
    Failure, NodeId, Reason,
    sign::{Signature, is_reserved},
    transport::Transport as _,
};
use ldk_node::lightning::routing::gossip;

use crate::node::Node;

/// What a signature turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verified {
    /// Whether it is of the key that was asked for, or without one, of a node that this one knows.
    pub is_valid: bool,
    /// The key that made this signature over this text; `None` when no key can have made it.
    pub signer: Option<NodeId>,
}

impl Node {
    /// Signs a text with the node's key and answers the signature in zbase32. A text that begins as our own frames or receipts
    /// do is refused: whoever had it signed could send messages in this node's name. Works in every phase.
    pub fn sign_text(&self, text: &str) -> Result<String, Failure> {
        check_text(text)?;
        Ok(self.sign(text.as_bytes())?.to_zbase32())
    }

    /// Tells who signed a text. Over any other text the same signature seems to be of some other key, so it
    /// counts for something only if that key is expected or known. Works in every phase.
    pub fn verify_text(&self, text: &str, signature: &str, expected: Option<NodeId>) -> Verified {
        let signer = Signature::from_zbase32(signature.trim()).and_then(|signature| signature.signer(text.as_bytes()));
        let is_valid = match (signer, expected) {
            (Some(signer), Some(expected)) => signer == expected,
            (Some(signer), None) => self.knows(signer),
            (None, _) => false,
        };
        Verified { is_valid, signer }
    }

    /// Whether this is the node itself, a peer of it, or known from gossip.
    fn knows(&self, node: NodeId) -> bool {
        node == self.inner.id
            || self.inner.call(|ldk| {
                ldk.list_channels().iter().any(|channel| NodeId::from(channel.counterparty_node_id) == node)
                    || ldk.list_peers().iter().any(|peer| NodeId::from(peer.node_id) == node)
                    || ldk.network_graph().node(&gossip::NodeId::from_pubkey(&node.public_key())).is_some()
            })
    }
}

fn check_text(text: &str) -> Result<(), Failure> {
    if is_reserved(text.as_bytes()) {
        let message = "the text begins as this node's own messages and receipts do, and is not signed: whoever had it \
            signed could send these in the node's name";
        return Err(Failure::new(Reason::ReservedText, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use boltgram_core::sign::{FRAME_TAG, RECEIPT_TAG};

    #[test]
    fn only_a_text_that_begins_as_a_frame_or_a_receipt_is_refused() {
        for tag in [FRAME_TAG, RECEIPT_TAG] {
            let tag = std::str::from_utf8(tag).unwrap();
            for text in [tag.to_owned(), format!("{tag} and more")] {
                assert_eq!(check_text(&text).unwrap_err().reason, Reason::ReservedText);
            }
            for text in ["", "hello", &tag[..tag.len() - 1], &format!(" {tag}")] {
                assert!(check_text(text).is_ok(), "{text}");
            }
        }
    }
}
