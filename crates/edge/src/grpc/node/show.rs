//! The node's answers as the API shows them.

use boltgram_api::v1;
use boltgram_core::message::PaymentHash;
use boltgram_lightning::{
    Phase,
    control::{Channel, Invoice, NodeInfo, Opened, Paid, Payment, PaymentKind, PaymentState, Peer},
};
use data_encoding::HEXLOWER;

use crate::grpc::convert::{direction, signed};

pub(super) fn info(info: NodeInfo) -> v1::GetInfoResponse {
    v1::GetInfoResponse {
        pubkey: info.node_id.to_string(),
        alias: info.alias.unwrap_or_default(),
        network: info.network.to_string(),
        phase: phase(info.status.phase).into(),
        status_message: info.status.message,
        block_height: info.block_height.unwrap_or_default().into(),
        block_hash: info.block_hash.unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        listening_addresses: info.listening_addresses,
        connected_peers: small(info.connected_peers),
        channels: small(info.channels),
        usable_channels: small(info.usable_channels),
        last_wallet_sync_at_ms: signed(info.last_wallet_sync_at_ms.unwrap_or_default()),
        last_lightning_sync_at_ms: signed(info.last_lightning_sync_at_ms.unwrap_or_default()),
    }
}

fn phase(phase: Phase) -> v1::Phase {
    match phase {
        Phase::Starting => v1::Phase::Starting,
        Phase::Running => v1::Phase::Running,
        Phase::DiskLow => v1::Phase::DiskLow,
        // A node that stopped or failed takes its process with it.
        Phase::Stopping | Phase::Stopped | Phase::Failed => v1::Phase::Stopping,
    }
}

pub(super) fn peer(peer: Peer) -> v1::Peer {
    v1::Peer {
        pubkey: peer.node_id.to_string(),
        address: peer.address,
        connected: peer.is_connected,
        persisted: peer.is_persisted,
    }
}

pub(super) fn opened(opened: Opened) -> v1::OpenChannelResponse {
    let (reason, message) =
        opened.failure.map(|failure| (failure.reason.code().to_owned(), failure.message)).unwrap_or_default();
    v1::OpenChannelResponse {
        user_channel_id: opened.user_channel_ids.first().cloned().unwrap_or_default(),
        user_channel_ids: opened.user_channel_ids,
        reason,
        message,
    }
}

pub(super) fn channel(channel: Channel) -> v1::Channel {
    v1::Channel {
        channel_id: channel.channel_id,
        user_channel_id: channel.user_channel_id,
        pubkey: channel.peer.to_string(),
        funding_outpoint: channel.funding_outpoint.unwrap_or_default(),
        capacity_sat: signed(channel.capacity_sat),
        outbound_msat: signed(channel.outbound_msat),
        inbound_msat: signed(channel.inbound_msat),
        next_outbound_htlc_limit_msat: signed(channel.next_outbound_htlc_limit_msat),
        outbound: channel.is_outbound,
        ready: channel.is_ready,
        usable: channel.is_usable,
        announced: channel.is_announced,
        confirmations: signed_32(channel.confirmations),
        confirmations_required: signed_32(channel.confirmations_required.unwrap_or_default()),
    }
}

fn small(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn signed_32(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

pub(super) fn payment(payment: Payment) -> v1::Payment {
    let amount_msat = payment.amount_msat.unwrap_or_default();
    v1::Payment {
        id: payment.id,
        kind: kind(payment.kind).into(),
        direction: direction(payment.direction).into(),
        state: state(payment.state).into(),
        amount_sat: signed(amount_msat / 1_000),
        amount_msat: signed(amount_msat),
        fee_msat: signed(payment.fee_msat),
        payment_hash: payment.payment_hash.as_ref().map(PaymentHash::to_string).unwrap_or_default(),
        preimage: payment.preimage.map(|preimage| HEXLOWER.encode(&preimage.0)).unwrap_or_default(),
        txid: payment.txid.unwrap_or_default(),
        updated_at_ms: signed(payment.updated_at_s.saturating_mul(1_000)),
    }
}

fn kind(kind: PaymentKind) -> v1::PaymentKind {
    match kind {
        PaymentKind::Onchain => v1::PaymentKind::Onchain,
        PaymentKind::Invoice => v1::PaymentKind::Invoice,
        PaymentKind::Keysend => v1::PaymentKind::Keysend,
        PaymentKind::Other => v1::PaymentKind::Unspecified,
    }
}

fn state(state: PaymentState) -> v1::PaymentState {
    match state {
        PaymentState::Pending => v1::PaymentState::Pending,
        PaymentState::Succeeded => v1::PaymentState::Succeeded,
        PaymentState::Failed => v1::PaymentState::Failed,
    }
}

pub(super) fn created_invoice(invoice: Invoice) -> v1::CreateInvoiceResponse {
    v1::CreateInvoiceResponse {
        invoice: invoice.text,
        payment_hash: invoice.payment_hash.to_string(),
        expires_at_ms: signed(invoice.expires_at_ms),
    }
}

pub(super) fn invoice(invoice: Invoice) -> v1::GetInvoiceResponse {
    v1::GetInvoiceResponse {
        paid: invoice.paid_msat.is_some(),
        paid_msat: signed(invoice.paid_msat.unwrap_or_default()),
        amount_msat: signed(invoice.amount_msat.unwrap_or_default()),
        description: invoice.description,
        payment_hash: invoice.payment_hash.to_string(),
        payee_pubkey: invoice.payee.to_string(),
        created_at_ms: signed(invoice.created_at_ms),
        expires_at_ms: signed(invoice.expires_at_ms),
    }
}

pub(super) fn paid(paid: Paid) -> v1::PayInvoiceResponse {
    v1::PayInvoiceResponse {
        preimage: HEXLOWER.encode(&paid.preimage.0),
        payment_hash: paid.payment_hash.to_string(),
        amount_msat: signed(paid.amount_msat),
        fee_msat: signed(paid.fee_msat),
    }
}
