//! Which payments that were told to have failed may still be claimed in a channel that was closed.
//!
//! LDK tells a failure too early when it is started with a channel manager older than a channel's monitor: the channel
//! is closed, and an HTLC that the old manager had not sent yet is failed, while the monitor has it and the
//! far side may claim it on chain (`DESIGN`, "Recovery after a crash"). What is known of it stands in the balances
//! (lightning 0.2.7, `ChannelMonitor::get_claimable_balances`):
//!
//! - until a closing transaction is in a block, the balance says `ClaimableOnChannelClose`, and lists the HTLCs of this
//!   side's commitment alone. The far side's may have others, so every payment may be claimed then;
//! - after that, each HTLC that has an output there is listed with its payment hash until the output is spent.
//!
//! An HTLC of dust has no output, so it is not seen, and can't be claimed on chain.

use std::collections::HashSet;

use boltgram_core::message::PaymentHash;
use ldk_node::{LightningBalance, lightning::ln::types::ChannelId};

/// Whether a payment with this hash may still be claimed, by what the node's channels hold and which of them are open.
pub(crate) fn may_be_claimed(
    balances: &[LightningBalance],
    open: &HashSet<ChannelId>,
    payment_hash: PaymentHash,
) -> bool {
    balances.iter().any(|balance| match balance {
        LightningBalance::ClaimableOnChannelClose { channel_id, .. } => !open.contains(channel_id),
        LightningBalance::MaybeTimeoutClaimableHTLC { payment_hash: hash, .. }
        | LightningBalance::MaybePreimageClaimableHTLC { payment_hash: hash, .. }
        | LightningBalance::ContentiousClaimable { payment_hash: hash, .. } => hash.0 == payment_hash.0,
        LightningBalance::ClaimableAwaitingConfirmations { .. }
        | LightningBalance::CounterpartyRevokedOutputClaimable { .. } => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ldk_node::{
        bitcoin::secp256k1::PublicKey,
        lightning::chain::channelmonitor::BalanceSource,
        lightning_types::payment::{PaymentHash as LdkHash, PaymentPreimage},
    };

    const HASH: PaymentHash = PaymentHash([7; 32]);

    fn peer() -> PublicKey {
        format!("02{}1", "0".repeat(63)).parse().unwrap()
    }

    fn on_close(channel: u8) -> LightningBalance {
        LightningBalance::ClaimableOnChannelClose {
            channel_id: ChannelId([channel; 32]),
            counterparty_node_id: peer(),
            amount_satoshis: 100_000,
            transaction_fee_satoshis: 300,
            outbound_payment_htlc_rounded_msat: 0,
            outbound_forwarded_htlc_rounded_msat: 0,
            inbound_claiming_htlc_rounded_msat: 0,
            inbound_htlc_rounded_msat: 0,
        }
    }

    fn timeout(channel: u8, hash: u8) -> LightningBalance {
        LightningBalance::MaybeTimeoutClaimableHTLC {
            channel_id: ChannelId([channel; 32]),
            counterparty_node_id: peer(),
            amount_satoshis: 1_000,
            claimable_height: 300,
            payment_hash: LdkHash([hash; 32]),
            outbound_payment: true,
        }
    }

    fn awaiting(channel: u8, source: BalanceSource) -> LightningBalance {
        LightningBalance::ClaimableAwaitingConfirmations {
            channel_id: ChannelId([channel; 32]),
            counterparty_node_id: peer(),
            amount_satoshis: 1_000,
            confirmation_height: 300,
            source,
        }
    }

    #[test]
    fn a_payment_may_be_claimed_while_a_closing_is_not_in_a_block_or_its_htlc_has_an_output() {
        let open = HashSet::from([ChannelId([1; 32])]);
        let contentious = LightningBalance::ContentiousClaimable {
            channel_id: ChannelId([2; 32]),
            counterparty_node_id: peer(),
            amount_satoshis: 1_000,
            timeout_height: 300,
            payment_hash: LdkHash([7; 32]),
            payment_preimage: PaymentPreimage([8; 32]),
        };
        for (name, balances, expected) in [
            ("no channel ever", vec![], false),
            ("an open channel", vec![on_close(1)], false),
            ("a closed one that isn't in a block", vec![on_close(1), on_close(2)], true),
            ("another payment's HTLC", vec![on_close(1), timeout(2, 8)], false),
            ("its HTLC in a closed channel", vec![on_close(1), timeout(2, 8), timeout(2, 7)], true),
            ("its HTLC in an open channel", vec![on_close(1), timeout(1, 7)], true),
            ("its hash, claimed by this side", vec![contentious], true),
            ("a close that matures", vec![awaiting(2, BalanceSource::HolderForceClosed)], false),
            ("an HTLC that was taken back", vec![awaiting(2, BalanceSource::Htlc)], false),
        ] {
            assert_eq!(may_be_claimed(&balances, &open, HASH), expected, "{name}");
        }
    }
}
