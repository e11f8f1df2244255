//! The on-chain wallet, and what the channels hold.

use boltgram_core::Failure;

use crate::{errors::failure, node::Node};

/// What the node holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Balances {
    /// All that is on chain and the wallet's own, in satoshi.
    pub total_onchain_sat: u64,
    /// What of it can be spent now: without the anchor reserve and what is unconfirmed from others, in satoshi.
    pub spendable_onchain_sat: u64,
    /// What of it is kept back to close channels safely, in satoshi.
    pub anchor_reserve_sat: u64,
    /// What the channels hold for this node, closing ones included, in satoshi.
    pub total_lightning_sat: u64,
    /// What can be sent over usable channels now, in millisatoshi.
    pub outbound_msat: u64,
    /// What can be received over usable channels now, in millisatoshi.
    pub inbound_msat: u64,
}

impl Node {
    /// What the node holds, as of its last sync. Blocks for a moment while a sync is applied.
    pub fn balances(&self) -> Balances {
        let balances = self.inner.call(ldk_node::Node::list_balances);
        let channels = self.inner.call(ldk_node::Node::list_channels);
        let usable = || channels.iter().filter(|channel| channel.is_usable);
        Balances {
            total_onchain_sat: balances.total_onchain_balance_sats,
            spendable_onchain_sat: balances.spendable_onchain_balance_sats,
            anchor_reserve_sat: balances.total_anchor_channels_reserve_sats,
            total_lightning_sat: balances.total_lightning_balance_sats,
            outbound_msat: usable().fold(0, |sum, channel| sum.saturating_add(channel.outbound_capacity_msat)),
            inbound_msat: usable().fold(0, |sum, channel| sum.saturating_add(channel.inbound_capacity_msat)),
        }
    }

    /// A fresh on-chain address of the wallet, for the node's network. Blocks on the disk.
    pub fn new_address(&self) -> Result<String, Failure> {
        self.inner.check_room()?;
        let address = self.inner.call(|ldk| ldk.onchain_payment().new_address());
        address.map(|address| address.to_string()).map_err(|error| failure("make an address", error))
    }
}
