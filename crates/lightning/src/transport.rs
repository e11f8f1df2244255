//! The seam to messaging: signatures, and keysend payments out.

use boltgram_core::{
    ChainHash, Failure, NodeId, Reason,
    limits::{HOPS_ASSUMED, RECORD_BYTES_DIRECT_MAX, RECORD_BYTES_PER_HOP},
    message::PaymentHash,
    outbox::lane::Road,
    sign::Signature,
    transport::{Keysend, SendError, Transport},
};
use ldk_node::{
    CustomTlvRecord, NodeError,
    lightning::{ln::channelmanager::PaymentId, routing::router::RouteParametersConfig},
    lightning_types::payment::PaymentPreimage,
    payment::PaymentDirection,
};

use crate::{
    check::{self, Paths},
    closed,
    limits::RECORD_BYTES_LONG_TYPE,
    node::Node,
};

/// Over ldk-node. `send` and `resend` block for some milliseconds (they write the channel's state), `forget` for one: they
/// are for blocking threads. The others only look into memory.
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

    fn road(&self, recipient: NodeId) -> Road {
        let channels = self.inner.call(check::channels);
        let is_direct = channels.iter().any(|channel| channel.is_usable && channel.peer == recipient);
        Road {
            room_bytes: record_bytes_max(is_direct, self.inner.config.record_type),
            slots: check::payments_in_flight_max(&channels, recipient),
            is_direct,
        }
    }

    fn check(&self, recipient: NodeId, amount_msat: u64) -> Result<(), SendError> {
        self.inner.check_running().map_err(SendError::NotSent)?;
        if recipient == self.inner.id {
            let message = "the recipient is this node itself: give another node's key";
            return Err(SendError::NotSent(Failure::new(Reason::OwnPubkey, message)));
        }
        self.inner.call(|ldk| check::check(ldk, recipient, amount_msat, Paths::One))
    }

    /// What can be known beforehand to be in the way isn't tried: ldk-node keeps a row of each try that it refused.
    fn send(&self, payment: &Keysend) -> Result<(), SendError> {
        let id = payment_id(payment.preimage.payment_hash());
        let _turn = self.inner.turn_to_send(payment.recipient);
        if self.inner.call(|ldk| ldk.payment(&id).is_some()) {
            return self.send_known(payment);
        }
        self.check(payment.recipient, payment.amount_msat)?;
        let begun = self.inner.call_running(|ldk| {
            let begun = begin(ldk, payment);
            if begun == Err(NodeError::PaymentSendingFailed) {
                ldk.remove_payment(&id)?;
            }
            begun
        });
        begun.map_err(SendError::NotSent)?.map_err(|error| self.send_error(payment, error))
    }

    /// ldk-node's own guard against duplicates is its row, which tells nothing of what LDK knows: without it LDK is
    /// asked. LDK looks for a route first, so only what follows that proves something.
    fn resend(&self, payment: &Keysend) -> Result<(), SendError> {
        let id = payment_id(payment.preimage.payment_hash());
        let _turn = self.inner.turn_to_send(payment.recipient);
        let outcome = self.inner.call_running(|ldk| {
            ldk.remove_payment(&id)?;
            begin(ldk, payment)
        });
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(NodeError::DuplicatePayment)) => Err(SendError::AlreadySent),
            Ok(Err(error)) => Err(SendError::Unclear(error.to_string())),
            Err(not_running) => Err(SendError::Unclear(not_running.message)),
        }
    }

    fn may_still_be_claimed(&self, payment_hash: PaymentHash) -> bool {
        self.inner.call(|ldk| {
            // In this order: a channel that is closed in between is taken for a closed one.
            let balances = ldk.list_balances().lightning_balances;
            let open = ldk.list_channels().into_iter().map(|channel| channel.channel_id).collect();
            closed::may_be_claimed(&balances, &open, payment_hash)
        })
    }

    fn forget(&self, payment_hash: PaymentHash) {
        let id = payment_id(payment_hash);
        let forgotten = self.inner.call(|ldk| match ldk.payment(&id) {
            Some(payment) if payment.direction == PaymentDirection::Outbound => ldk.remove_payment(&id),
            _ => Ok(()),
        });
        if let Err(error) = forgotten {
            tracing::warn!(%payment_hash, %error, "the row of a payment that has ended could not be removed");
        }
    }
}

fn payment_id(payment_hash: PaymentHash) -> PaymentId {
    PaymentId(payment_hash.0)
}

/// Hands the payment to ldk-node.
fn begin(ldk: &ldk_node::Node, payment: &Keysend) -> Result<(), NodeError> {
    let record = CustomTlvRecord { type_num: payment.record_type, value: payment.record.0.clone() };
    // The default has no fee limit at all, and it would override ldk-node's own.
    let route =
        RouteParametersConfig { max_total_routing_fee_msat: Some(payment.fee_limit_msat), ..Default::default() };
    let begun = ldk.spontaneous_payment().send_with_preimage_and_custom_tlvs(
        payment.amount_msat,
        payment.recipient.public_key(),
        vec![record],
        PaymentPreimage(payment.preimage.0),
        Some(route),
    );
    begun.map(|_| ())
}

impl Node {
    /// A preimage that was used before: what ldk-node refuses now may have been sent then.
    fn send_known(&self, payment: &Keysend) -> Result<(), SendError> {
        let begun = self.inner.call_running(|ldk| begin(ldk, payment)).map_err(SendError::NotSent)?;
        begun.map_err(|error| match error {
            NodeError::DuplicatePayment => SendError::AlreadySent,
            error => SendError::Unclear(format!("a payment with this preimage was begun before, and now: {error}")),
        })
    }

    /// What ldk-node's error says of a payment under a fresh preimage.
    fn send_error(&self, payment: &Keysend, error: NodeError) -> SendError {
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
            NodeError::PaymentSendingFailed => self.why_not_sent(payment),
            // A payment can be on its way when its row could not be written.
            error => SendError::Unclear(error.to_string()),
        }
    }

    /// ldk-node fails alike whatever is in the way: this looks again. What is found in nobody's way was in the way a
    /// moment before: to a direct peer all places, on a longer way a route.
    fn why_not_sent(&self, payment: &Keysend) -> SendError {
        if let Err(error) = self.check(payment.recipient, payment.amount_msat) {
            return error;
        }
        let limit = record_bytes_max(true, payment.record_type);
        if payment.record.0.len() > limit {
            let message = format!("the record has {} bytes, and at most {limit} fit", payment.record.0.len());
            return SendError::NotSent(Failure::new(Reason::MessageTooLong, message).with("limit_bytes", limit));
        }
        let channels = self.inner.call(check::channels);
        if check::is_direct(&channels, payment.recipient, payment.amount_msat) {
            return SendError::Busy;
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
