//! The seam to messaging: signatures, and keysend payments out.

use boltgram_core::{
    ChainHash, Failure, NodeId, Reason,
    limits::{HOPS_ASSUMED, RECORD_BYTES_DIRECT_MAX, RECORD_BYTES_PER_HOP},
    message::PaymentHash,
    sign::Signature,
    transport::{Keysend, SendError, Transport},
};
use ldk_node::{
    CustomTlvRecord, NodeError,
    lightning::{ln::channelmanager::PaymentId, routing::router::RouteParametersConfig},
    lightning_types::payment::PaymentPreimage,
};

use crate::{
    check::{self, Paths},
    limits::{HTLC_SLOTS_PER_CHANNEL, RECORD_BYTES_LONG_TYPE},
    node::Node,
};

/// Over ldk-node. `send` blocks for some milliseconds (it writes the channel's state) and is for blocking threads; the
/// others only look into memory.
impl Transport for Node {
    fn node_id(&self) -> NodeId {
        self.inner.id
    }

    fn chain_hash(&self) -> ChainHash {
        self.inner.chain_hash
    }

    fn sign(&self, text: &[u8]) -> Result<Signature, Failure> {
        let signature = self.inner.call(|ldk| ldk.sign_message(text));
        Signature::from_zbase32(&signature)
            .ok_or_else(|| Failure::new(Reason::NodeError, "the node made a signature that can't be read"))
    }

    fn record_bytes_max(&self, recipient: NodeId) -> usize {
        let channels = self.inner.call(ldk_node::Node::list_channels);
        let is_direct =
            channels.iter().any(|channel| channel.is_usable && NodeId::from(channel.counterparty_node_id) == recipient);
        record_bytes_max(is_direct, self.inner.config.record_type)
    }

    fn payments_in_flight_max(&self, recipient: NodeId) -> usize {
        let channels = self.inner.call(ldk_node::Node::list_channels);
        let usable = channels.iter().filter(|channel| channel.is_usable);
        let (direct, others): (Vec<_>, Vec<_>) =
            usable.partition(|channel| NodeId::from(channel.counterparty_node_id) == recipient);
        let count = if direct.is_empty() { others.len() } else { direct.len() };
        count * HTLC_SLOTS_PER_CHANNEL
    }

    fn check(&self, recipient: NodeId, amount_msat: u64) -> Result<(), SendError> {
        self.inner.check_running().map_err(SendError::NotSent)?;
        if recipient == self.inner.id {
            let message = "the recipient is this node itself: give another node's key";
            return Err(SendError::NotSent(Failure::new(Reason::OwnPubkey, message)));
        }
        self.inner.call(|ldk| check::check(ldk, recipient, amount_msat, Paths::One)).map_err(|failure| {
            match failure.reason {
                Reason::PaymentFailed => SendError::Busy,
                _ => SendError::NotSent(failure),
            }
        })
    }

    /// `NotSent` holds for a preimage that is used for the first time. For one that may have been sent before,
    /// only `Ok` and `AlreadySent` prove something: LDK looks for a route before it looks for a duplicate.
    fn send(&self, payment: &Keysend) -> Result<(), SendError> {
        self.start(payment)
    }

    fn resend(&self, payment: &Keysend) -> Result<(), SendError> {
        let id = PaymentId(payment.preimage.payment_hash().0);
        self.inner
            .call_running(|ldk| ldk.remove_payment(&id))
            .map_err(SendError::NotSent)?
            .map_err(|error| SendError::Unclear(error.to_string()))?;
        self.start(payment)
    }

    fn may_still_be_claimed(&self, _payment_hash: PaymentHash) -> bool {
        false
    }
}

impl Node {
    fn start(&self, payment: &Keysend) -> Result<(), SendError> {
        let id = PaymentId(payment.preimage.payment_hash().0);
        let record = CustomTlvRecord { type_num: payment.record_type, value: payment.record.0.clone() };
        // The default has no fee limit at all, and it would override ldk-node's own.
        let route =
            RouteParametersConfig { max_total_routing_fee_msat: Some(payment.fee_limit_msat), ..Default::default() };
        let (was_known, outcome) = self
            .inner
            .call_running(|ldk| {
                let was_known = ldk.payment(&id).is_some();
                let outcome = ldk.spontaneous_payment().send_with_preimage_and_custom_tlvs(
                    payment.amount_msat,
                    payment.recipient.public_key(),
                    vec![record],
                    PaymentPreimage(payment.preimage.0),
                    Some(route),
                );
                (was_known, outcome)
            })
            .map_err(SendError::NotSent)?;
        match outcome {
            Ok(_) => Ok(()),
            Err(error) => Err(self.send_error(payment, was_known, error)),
        }
    }

    /// What ldk-node's error says about whether something was sent.
    fn send_error(&self, payment: &Keysend, was_known: bool, error: NodeError) -> SendError {
        match error {
            NodeError::DuplicatePayment => SendError::AlreadySent,
            NodeError::NotRunning => SendError::NotSent(Failure::new(Reason::Stopping, "the node is stopping")),
            NodeError::InvalidCustomTlvs => SendError::NotSent(
                Failure::new(
                    Reason::InvalidField,
                    format!(
                        "{} is no type for a record of one's own: take an odd number from 65536 up",
                        payment.record_type
                    ),
                )
                .with("field", "record_type"),
            ),
            NodeError::PaymentSendingFailed if was_known => SendError::Unclear(
                "a payment with this preimage was begun before, and no route is left for it now".into(),
            ),
            NodeError::PaymentSendingFailed => self.why_not_sent(payment),
            // A payment can be on its way when its row could not be written.
            error => SendError::Unclear(error.to_string()),
        }
    }

    /// ldk-node fails alike whatever is in the way: this looks again, and else knows that there was no route.
    fn why_not_sent(&self, payment: &Keysend) -> SendError {
        if let Err(error) = self.check(payment.recipient, payment.amount_msat) {
            return error;
        }
        let limit = record_bytes_max(true, payment.record_type);
        if payment.record.0.len() > limit {
            let message = format!("the record has {} bytes, and at most {limit} fit", payment.record.0.len());
            return SendError::NotSent(Failure::new(Reason::MessageTooLong, message).with("limit_bytes", limit));
        }
        let message = "no route to the recipient carries this amount and this record within the fee limit";
        SendError::NotSent(Failure::new(Reason::NoRoute, message).with("fee_limit_msat", payment.fee_limit_msat))
    }
}

/// What a record of this type may hold on the way to a direct peer, or over the assumed number of hops.
fn record_bytes_max(is_direct: bool, record_type: u64) -> usize {
    let hops = if is_direct { 1 } else { HOPS_ASSUMED };
    let long_type = if record_type > u64::from(u32::MAX) { RECORD_BYTES_LONG_TYPE } else { 0 };
    RECORD_BYTES_DIRECT_MAX.saturating_sub(RECORD_BYTES_PER_HOP * hops.saturating_sub(1) + long_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_holds_less_over_hops_and_with_a_long_type() {
        assert_eq!(record_bytes_max(true, 400_001), 1_204);
        assert_eq!(record_bytes_max(false, 400_001), 1_204 - 3 * 56);
        assert_eq!(record_bytes_max(true, (1 << 32) + 1), 1_200);
    }
}
