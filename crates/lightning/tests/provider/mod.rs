//! A provider of just-in-time channels, ldk-node's own LSPS2 service, on a devnet with a payer who has a channel with
//! it. The end-to-end tests use it too.

#[path = "../../../../tests/support/wait.rs"]
mod wait;

use std::{path::Path, sync::Arc};

use bitcoin::{Address, Network};
use boltgram_devnet::{Devnet, DevnetConfig};
use ldk_node::{Builder, config::Config, lightning::ln::msgs::SocketAddress, liquidity::LSPS2ServiceConfig};
use tokio::runtime::Runtime;

use crate::free_address;
pub use wait::{DEADLINE, wait_for};

/// What the provider asks its users for.
pub const TOKEN: &str = "a-known-user";

/// What the provider keeps of 100,000 sat: 1 %.
pub const FEE_MSAT: u64 = 1_000_000;

/// A node of ldk-node itself, whose events nobody needs.
pub struct Other {
    pub node: Arc<ldk_node::Node>,
    pub address: SocketAddress,
}

impl Other {
    pub fn start(folder: &Path, esplora_url: &str, service: Option<LSPS2ServiceConfig>) -> Self {
        let address = free_address().parse::<SocketAddress>().unwrap();
        let storage_dir_path = folder.display().to_string();
        let mut builder =
            Builder::from_config(Config { storage_dir_path, network: Network::Regtest, ..Config::default() });
        builder.set_chain_source_esplora(esplora_url.to_owned(), None);
        builder.set_listening_addresses(vec![address.clone()]).unwrap();
        if let Some(service) = service {
            builder.set_liquidity_provider_lsps2(service);
        }
        let node = Arc::new(builder.build().unwrap());
        node.start().unwrap();
        Self { node, address }
    }

    /// Takes the events that are there, so that the queue doesn't grow.
    pub fn drain(&self) {
        while self.node.next_event().is_some() {
            self.node.event_handled().unwrap();
        }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.node.stop().unwrap();
    }
}

pub fn service() -> LSPS2ServiceConfig {
    LSPS2ServiceConfig {
        require_token: Some(TOKEN.into()),
        advertise_service: false,
        channel_opening_fee_ppm: 10_000,
        channel_over_provisioning_ppm: 500_000,
        min_channel_opening_fee_msat: 0,
        min_channel_lifetime: 144,
        max_client_to_self_delay: 1_024,
        min_payment_size_msat: 50_000_000,
        max_payment_size_msat: 500_000_000,
        client_trusts_lsp: false,
    }
}

/// A devnet, a provider, and a payer who has a channel with it.
pub struct World {
    // Dropped in this order: the nodes, then what they stand on.
    pub payer: Other,
    pub provider: Other,
    pub devnet: Devnet,
    pub runtime: Runtime,
    pub folder: tempfile::TempDir,
}

impl World {
    pub fn begin() -> Self {
        let runtime = Runtime::new().unwrap();
        let devnet = runtime.block_on(Devnet::start(DevnetConfig::default())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let provider = Other::start(&folder.path().join("provider"), &devnet.url(), Some(service()));
        let payer = Other::start(&folder.path().join("payer"), &devnet.url(), None);
        let world = Self { payer, provider, devnet, runtime, folder };
        for node in [&world.provider.node, &world.payer.node] {
            let address = node.onchain_payment().new_address().unwrap().to_string();
            let address = address.parse::<Address<_>>().unwrap().assume_checked();
            world.runtime.block_on(world.devnet.fund(&address, 2_000_000)).unwrap();
        }
        world.mine(1);
        for node in [&world.provider.node, &world.payer.node] {
            // A sync that began before the block may have been joined.
            wait_for("the coins are not seen", || {
                node.sync_wallets().unwrap();
                (node.list_balances().spendable_onchain_balance_sats > 0).then_some(())
            });
        }
        let provider = (world.provider.node.node_id(), world.provider.address.clone());
        world.payer.node.open_channel(provider.0, provider.1, 1_000_000, None, None).unwrap();
        world.runtime.block_on(world.devnet.wait_for_mempool(1, DEADLINE)).unwrap();
        world.mine(6);
        wait_for("the payer's channel is not usable", || {
            [&world.provider.node, &world.payer.node].into_iter().for_each(|node| node.sync_wallets().unwrap());
            world.payer.node.list_channels().first().filter(|channel| channel.is_usable).map(|_| ())
        });
        world
    }

    pub fn mine(&self, blocks: u32) {
        self.runtime.block_on(self.devnet.mine(blocks)).unwrap();
        for node in [&self.provider.node, &self.payer.node] {
            node.sync_wallets().unwrap();
        }
    }
}
