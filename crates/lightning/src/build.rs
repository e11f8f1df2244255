//! From a configuration to a node of ldk-node that has touched no network yet.

use std::{
    net::{TcpListener, ToSocketAddrs as _},
    path::PathBuf,
    sync::Arc,
};

use ldk_node::{
    Builder, DynStore,
    bitcoin::Network,
    config::{AnchorChannelsConfig, BackgroundSyncConfig, Config, EsploraSyncConfig},
    lightning::ln::msgs::SocketAddress,
};
use tokio::{runtime::Handle, sync::watch};

use crate::{
    config::{Checked, Gossip},
    data_dir::DataDir,
    errors::LightningError,
    kv::{
        counters::StoreCounters,
        observed::{Acknowledged, observe},
    },
    limits::REGTEST_SYNC_INTERVAL_S,
    logger,
    seed::Seed,
};

/// ldk-node's node, and what its store tells.
pub(crate) struct Built {
    pub(crate) ldk: ldk_node::Node,
    /// Which writes it has acknowledged.
    pub(crate) acknowledged: watch::Receiver<Acknowledged>,
    /// What it has counted, if it is our own.
    pub(crate) store_counters: Option<StoreCounters>,
}

/// Builds ldk-node's node in its folder.
pub(crate) fn build(
    config: &Checked,
    data_dir: &DataDir,
    seed: &Seed,
    runtime: Handle,
) -> Result<Built, LightningError> {
    let path = data_dir.ldk();
    crate::data_dir::make_private_folder(&path)?;
    let (store, store_counters) = config.store.open_counted(&path)?;
    let (store, acknowledged) = observe(store);
    Ok(Built { ldk: build_over(store, config, path, seed, runtime)?, acknowledged, store_counters })
}

/// Builds ldk-node's node over this store, which is all that it reads and writes; `path` only stands in errors.
pub(crate) fn build_over(
    store: Arc<DynStore>,
    config: &Checked,
    path: PathBuf,
    seed: &Seed,
    runtime: Handle,
) -> Result<ldk_node::Node, LightningError> {
    let failed = |source| LightningError::Build { path: path.clone(), source };

    let mut builder = Builder::from_config(Config {
        storage_dir_path: path.to_string_lossy().into_owned(),
        network: config.network,
        trusted_peers_0conf: config.trusted_peers_0conf.iter().map(|peer| peer.public_key()).collect(),
        anchor_channels_config: Some(AnchorChannelsConfig {
            // What is to be a node's first channel can't need coins that it doesn't have.
            trusted_peers_no_reserve: config.lsp.iter().map(|lsp| lsp.node_id.public_key()).collect(),
            ..AnchorChannelsConfig::default()
        }),
        ..Config::default()
    });
    builder.set_runtime(runtime);
    builder.set_custom_logger(Arc::new(logger::Bridge));
    match seed {
        Seed::Words(words) => builder.set_entropy_bip39_mnemonic(words.clone(), None),
        Seed::Bytes(bytes) => builder.set_entropy_seed_bytes(**bytes),
    };
    builder.set_chain_source_esplora(config.esplora_url.clone(), Some(sync_config(config.network)));
    match &config.gossip {
        Gossip::P2p => builder.set_gossip_source_p2p(),
        Gossip::RapidSync(server) => builder.set_gossip_source_rgs(server.clone()),
    };
    if let Some(lsp) = &config.lsp {
        builder.set_liquidity_source_lsps2(lsp.node_id.public_key(), lsp.address.clone(), lsp.token.clone());
    }
    if !config.listen.is_empty() {
        builder.set_listening_addresses(config.listen.clone()).map_err(failed)?;
        // ldk-node takes announcements and an alias only from a node that listens and has both.
        if let Some(alias) = &config.alias {
            builder.set_node_alias(alias.clone()).map_err(failed)?;
            builder.set_announcement_addresses(config.announce.clone()).map_err(failed)?;
        }
    }
    // The one place that says where ldk-node keeps its state.
    builder.build_with_store(store).map_err(failed)
}

fn sync_config(network: Network) -> EsploraSyncConfig {
    let defaults = BackgroundSyncConfig::default();
    let background = match network {
        Network::Regtest => BackgroundSyncConfig {
            onchain_wallet_sync_interval_secs: REGTEST_SYNC_INTERVAL_S,
            lightning_wallet_sync_interval_secs: REGTEST_SYNC_INTERVAL_S,
            ..defaults
        },
        _ => defaults,
    };
    EsploraSyncConfig { background_sync_config: Some(background) }
}

/// Finds out whether every address can be listened on. ldk-node itself finds out too late: its sync task runs by
/// then, and can't be stopped any more.
pub(crate) fn test_listening(addresses: &[SocketAddress]) -> Result<(), LightningError> {
    let failed = |address: &SocketAddress| {
        let address = address.to_string();
        move |source| LightningError::Listen { address, source }
    };
    // All are held until the end, so that two of one configuration which exclude each other are found too.
    let mut listeners = Vec::new();
    for address in addresses {
        for resolved in address.to_socket_addrs().map_err(failed(address))? {
            listeners.push(TcpListener::bind(resolved).map_err(failed(address))?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_taken_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = [SocketAddress::from(taken.local_addr().unwrap())];
        let error = test_listening(&address).unwrap_err();
        assert_eq!(error.code(), "LISTEN");
        assert!(error.to_string().contains(&address[0].to_string()), "{error}");
        drop(taken);
        test_listening(&address).unwrap();
        assert_eq!(test_listening(&[address.clone(), address].concat()).unwrap_err().code(), "LISTEN");
    }
}
