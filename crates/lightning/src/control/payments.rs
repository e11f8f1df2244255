//! The list of payments: on chain and over channels, both ways.

use std::{fmt, str::FromStr};

use boltgram_core::{
    Failure,
    message::{Direction, PaymentHash},
    transport::Preimage,
};
use ldk_node::{
    lightning::ln::channelmanager::PaymentId,
    payment::{PaymentDetails, PaymentDirection, PaymentKind as LdkKind, PaymentStatus},
};

use super::field;
use crate::{limits::PAGE_PAYMENTS_MAX, node::Node};

/// The kinds of payments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PaymentKind {
    /// A transaction on chain.
    Onchain,
    /// An invoice (BOLT 11).
    Invoice,
    /// A payment without an invoice (keysend): what carries messages.
    Keysend,
    /// Another kind (BOLT 12), which boltgram doesn't make.
    Other,
}

/// What has become of a payment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PaymentState {
    /// It is under way; on chain: it has fewer than 6 confirmations; an invoice of this node: it isn't paid.
    Pending,
    /// It is settled.
    Succeeded,
    /// It failed, and nothing was paid.
    Failed,
}

/// A payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payment {
    /// Its id as 64 hex digits: the payment hash, on chain the transaction's id.
    pub id: String,
    /// Its kind.
    pub kind: PaymentKind,
    /// Which way it went.
    pub direction: Direction,
    /// What has become of it.
    pub state: PaymentState,
    /// Its amount in millisatoshi; `None` for an invoice without an amount that isn't paid.
    pub amount_msat: Option<u64>,
    /// The fee that this node paid for it, in millisatoshi.
    pub fee_msat: u64,
    /// Its payment hash; `None` on chain.
    pub payment_hash: Option<PaymentHash>,
    /// The proof that it was paid; `None` unless this node paid it.
    pub preimage: Option<Preimage>,
    /// Its transaction's id as 64 hex digits; `None` over channels.
    pub txid: Option<String>,
    /// When it last changed, Unix time in seconds.
    pub updated_at_s: u64,
}

/// Where a page of payments begins: after the last one of the page before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PaymentKey {
    updated_at_s: u64,
    id: [u8; 32],
}

/// A page of payments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PaymentPage {
    /// The payments, the one that changed last first.
    pub payments: Vec<Payment>,
    /// Where the next, older page begins; `None` when there is none.
    pub next: Option<PaymentKey>,
}

impl Node {
    /// A page of at most `limit` payments (and `PAGE_PAYMENTS_MAX`), those that changed last first, after the key of the
    /// page before. A payment that changes meanwhile moves to the front. Looks into memory alone.
    pub fn list_payments(&self, limit: usize, after: Option<PaymentKey>) -> PaymentPage {
        let limit = limit.min(PAGE_PAYMENTS_MAX);
        self.inner.call(|ldk| {
            let mut keys = Vec::new();
            // The keys alone: whole payments of a busy node are many.
            ldk.list_payments_with_filter(|payment| {
                let key = key(payment);
                if after.is_none_or(|after| key < after) {
                    keys.push(key);
                }
                false
            });
            keys.sort_unstable_by(|a, b| b.cmp(a));
            let next = (keys.len() > limit).then(|| keys.get(limit.saturating_sub(1)).copied()).flatten();
            keys.truncate(limit);
            let payments = keys.iter().filter_map(|key| ldk.payment(&PaymentId(key.id)));
            PaymentPage { payments: payments.map(Payment::from).collect(), next }
        })
    }
}

fn key(payment: &PaymentDetails) -> PaymentKey {
    PaymentKey { updated_at_s: payment.latest_update_timestamp, id: payment.id.0 }
}

impl From<PaymentDetails> for Payment {
    fn from(details: PaymentDetails) -> Self {
        let (direction, is_paid_by_us) = match details.direction {
            PaymentDirection::Inbound => (Direction::In, false),
            PaymentDirection::Outbound => (Direction::Out, details.status == PaymentStatus::Succeeded),
        };
        let (kind, hash, preimage, txid) = match details.kind {
            LdkKind::Onchain { txid, .. } => (PaymentKind::Onchain, None, None, Some(txid.to_string())),
            LdkKind::Bolt11 { hash, preimage, .. } | LdkKind::Bolt11Jit { hash, preimage, .. } => {
                (PaymentKind::Invoice, Some(hash), preimage, None)
            }
            LdkKind::Spontaneous { hash, preimage } => (PaymentKind::Keysend, Some(hash), preimage, None),
            LdkKind::Bolt12Offer { hash, preimage, .. } | LdkKind::Bolt12Refund { hash, preimage, .. } => {
                (PaymentKind::Other, hash, preimage, None)
            }
        };
        Self {
            id: txid.clone().unwrap_or_else(|| PaymentHash(details.id.0).to_string()),
            kind,
            direction,
            state: match details.status {
                PaymentStatus::Pending => PaymentState::Pending,
                PaymentStatus::Succeeded => PaymentState::Succeeded,
                PaymentStatus::Failed => PaymentState::Failed,
            },
            amount_msat: details.amount_msat,
            fee_msat: match direction {
                Direction::Out => details.fee_paid_msat.unwrap_or(0),
                Direction::In => 0,
            },
            payment_hash: hash.map(|hash| PaymentHash(hash.0)),
            preimage: preimage.filter(|_| is_paid_by_us).map(|preimage| Preimage(preimage.0)),
            txid,
            updated_at_s: details.latest_update_timestamp,
        }
    }
}

impl fmt::Display for PaymentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.updated_at_s, PaymentHash(self.id))
    }
}

impl FromStr for PaymentKey {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let read = || {
            let (updated_at_s, id) = text.split_once('-')?;
            let id = id.parse::<ldk_node::bitcoin::hashes::sha256::Hash>().ok()?;
            Some(Self { updated_at_s: updated_at_s.parse().ok()?, id: *AsRef::<[u8; 32]>::as_ref(&id) })
        };
        read().ok_or_else(|| {
            field("page_token", "page_token is none that was given: take next_page_token of the page before")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_key_reads_back_as_written_and_nothing_else_is_one() {
        let key = PaymentKey { updated_at_s: 1_700_000_000, id: [0xab; 32] };
        assert_eq!(key.to_string().parse::<PaymentKey>().unwrap(), key);
        for text in ["", "-", "1", "1-", "1-ab", &format!("x-{}", "ab".repeat(32)), &format!("1-{}", "é".repeat(32))] {
            assert_eq!(text.parse::<PaymentKey>().unwrap_err().metadata["field"], "page_token", "{text}");
        }
    }

    #[test]
    fn keys_stand_in_the_order_of_time() {
        let key = |updated_at_s, id| PaymentKey { updated_at_s, id: [id; 32] };
        assert!(key(2, 0) > key(1, 9) && key(2, 1) > key(2, 0));
    }
}
