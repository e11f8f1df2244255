//! Hands the node's events to the handler, one at a time and in their order.
//!
//! This is the one place that tells ldk-node that an event was handled, and it does so once for each event and only
//! after the handler has it on disk: `event_handled` takes the event from the queue before it writes the queue, so a
//! second call would drop an event that nobody saw. After an error of either, the process ends; the event
//! comes again at the next start.

use std::pin::pin;

use boltgram_core::{
    Failure, Reason,
    message::{Body, PaymentHash},
    transport::{EventHandler, TlvRecord, TransportEvent},
};
use boltgram_failpoints::kill_point;
use ldk_node::{CustomTlvRecord, Event, lightning::events::PaymentFailureReason};

use crate::{caught_up::CatchUp, kv::EventHandledMark, node::Inner, settled, supervise::Ended};

/// Hands on events until the node is to stop, its disk is low, or it can't go on. Tells once when those from before the
/// start were handled.
pub(crate) fn run(inner: &Inner, handler: &dyn EventHandler, mut catch_up: CatchUp) -> Ended {
    let ldk = inner.ldk();
    let mut stop = inner.stop_asked();
    let mut low = pin!(inner.disk.becomes_low());
    loop {
        if catch_up.ends_with_an_empty_queue() && ldk.next_event().is_none() {
            catch_up = CatchUp::Done;
            tracing::debug!("all events from before the start were handled");
            handler.caught_up();
        }
        let next = inner.runtime().block_on(async {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => Err(Ended::Stopped),
                () = &mut low => Err(Ended::DiskLow),
                event = ldk.next_event_async() => Ok(Some(event)),
                () = catch_up.queued() => Ok(None),
            }
        });
        let handled = match next {
            Ok(Some(event)) => hand_on(inner, handler, event).map_err(Ended::Failed),
            Ok(None) => Ok(()),
            Err(ended) => Err(ended),
        };
        if let Err(ended) = handled {
            return ended;
        }
    }
}

/// Hands on one event, and tells the node that it was handled. An error says why the node can't go on.
fn hand_on(inner: &Inner, handler: &dyn EventHandler, event: Event) -> Result<(), String> {
    let settled = settled::told_by(&event);
    if let Some(event) = translate(event) {
        handler.handle(event).map_err(|error| error.to_string())?;
    }
    kill_point!("before-event-handled");
    // The node's store tells a pop of the event queue from an add by this mark.
    let _mark = EventHandledMark::enter();
    inner
        .call(ldk_node::Node::event_handled)
        .map_err(|error| format!("an event could not be acknowledged: {error}"))?;
    if let Some((payment_hash, outcome)) = settled {
        inner.waiting.tell(payment_hash, &outcome);
    }
    Ok(())
}

/// The event as messaging knows it, or `None` for one that it has no use for.
fn translate(event: Event) -> Option<TransportEvent> {
    match event {
        Event::PaymentReceived { payment_hash, amount_msat, custom_records, .. } => {
            let records = custom_records.into_iter().map(record).collect();
            Some(TransportEvent::PaymentReceived { payment_hash: PaymentHash(payment_hash.0), amount_msat, records })
        }
        Event::PaymentSuccessful { payment_hash, fee_paid_msat, .. } => Some(TransportEvent::PaymentSuccessful {
            payment_hash: PaymentHash(payment_hash.0),
            fee_msat: fee_paid_msat.unwrap_or(0),
        }),
        Event::PaymentFailed { payment_hash: Some(payment_hash), reason, .. } => {
            Some(TransportEvent::PaymentFailed { payment_hash: PaymentHash(payment_hash.0), failure: failure(reason) })
        }
        Event::ChannelReady { counterparty_node_id, channel_id, .. } => {
            tracing::info!(%channel_id, "a channel is ready");
            Some(TransportEvent::ChannelReady { peer: counterparty_node_id.map(Into::into) })
        }
        Event::ChannelClosed { counterparty_node_id, reason, channel_id, .. } => {
            let reason = reason.map(|reason| reason.to_string()).unwrap_or_default();
            tracing::warn!(%channel_id, reason, "a channel was closed");
            Some(TransportEvent::ChannelClosed { peer: counterparty_node_id.map(Into::into), reason })
        }
        other => {
            tracing::info!(event = name(&other), "an event of the node that messaging has no use for");
            None
        }
    }
}

fn record(record: CustomTlvRecord) -> TlvRecord {
    TlvRecord { record_type: record.type_num, value: Body(record.value) }
}

/// An event's name alone: some hold the records of a payment.
fn name(event: &Event) -> &'static str {
    match event {
        Event::PaymentSuccessful { .. } => "PaymentSuccessful",
        Event::PaymentFailed { .. } => "PaymentFailed",
        Event::PaymentReceived { .. } => "PaymentReceived",
        Event::PaymentForwarded { .. } => "PaymentForwarded",
        Event::PaymentClaimable { .. } => "PaymentClaimable",
        Event::ChannelPending { .. } => "ChannelPending",
        Event::ChannelReady { .. } => "ChannelReady",
        Event::ChannelClosed { .. } => "ChannelClosed",
        Event::SplicePending { .. } => "SplicePending",
        Event::SpliceFailed { .. } => "SpliceFailed",
    }
}

/// Why a payment failed, as far as LDK tells.
pub(crate) fn failure(reason: Option<PaymentFailureReason>) -> Failure {
    use PaymentFailureReason as Ldk;
    let (reason, message) = match reason {
        Some(Ldk::RecipientRejected | Ldk::UnknownRequiredFeatures | Ldk::InvoiceRequestRejected) => {
            (Reason::Refused, "the recipient refused the payment")
        }
        Some(Ldk::RouteNotFound | Ldk::BlindedPathCreationFailed) => {
            (Reason::NoRoute, "no route to the recipient is left that carries the amount within the fee limit")
        }
        Some(Ldk::RetriesExhausted) => {
            (Reason::PaymentFailed, "every route that was tried failed on the way: try again later")
        }
        Some(Ldk::PaymentExpired | Ldk::InvoiceRequestExpired) => {
            (Reason::PaymentFailed, "the payment expired on the way: try again later")
        }
        Some(Ldk::UserAbandoned) => (Reason::PaymentFailed, "the payment was given up"),
        Some(Ldk::UnexpectedError) | None => (Reason::PaymentFailed, "the payment failed; the log may have more"),
    };
    Failure::new(reason, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ldk_node::lightning_types::payment::PaymentHash as LdkPaymentHash;

    #[test]
    fn each_reason_of_a_failed_payment_has_its_place_in_the_table() {
        use PaymentFailureReason as Ldk;
        for (ldk, reason) in [
            (Some(Ldk::RecipientRejected), Reason::Refused),
            (Some(Ldk::UnknownRequiredFeatures), Reason::Refused),
            (Some(Ldk::InvoiceRequestRejected), Reason::Refused),
            (Some(Ldk::RouteNotFound), Reason::NoRoute),
            (Some(Ldk::BlindedPathCreationFailed), Reason::NoRoute),
            (Some(Ldk::RetriesExhausted), Reason::PaymentFailed),
            (Some(Ldk::PaymentExpired), Reason::PaymentFailed),
            (Some(Ldk::InvoiceRequestExpired), Reason::PaymentFailed),
            (Some(Ldk::UserAbandoned), Reason::PaymentFailed),
            (Some(Ldk::UnexpectedError), Reason::PaymentFailed),
            (None, Reason::PaymentFailed),
        ] {
            assert_eq!(failure(ldk).reason, reason, "{ldk:?}");
        }
    }

    #[test]
    fn a_received_payment_keeps_all_its_records() {
        let records = vec![
            CustomTlvRecord { type_num: 400_001, value: b"a".to_vec() },
            CustomTlvRecord { type_num: 65_537, value: Vec::new() },
        ];
        let event = Event::PaymentReceived {
            payment_id: None,
            payment_hash: LdkPaymentHash([7; 32]),
            amount_msat: 1_234,
            custom_records: records,
        };
        let expected = TransportEvent::PaymentReceived {
            payment_hash: PaymentHash([7; 32]),
            amount_msat: 1_234,
            records: vec![
                TlvRecord { record_type: 400_001, value: Body(b"a".to_vec()) },
                TlvRecord { record_type: 65_537, value: Body(Vec::new()) },
            ],
        };
        assert_eq!(translate(event), Some(expected));
    }

    #[test]
    fn a_failed_payment_without_a_hash_is_none_of_ours() {
        assert_eq!(translate(Event::PaymentFailed { payment_id: None, payment_hash: None, reason: None }), None);
    }
}
