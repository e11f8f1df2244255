//! From two empty wallets to a channel that both can pay over.

use std::time::Duration;

use anyhow::Context as _;
use bitcoin::{Address, Network};
use boltgram_api::v1;
use boltgram_devnet::Devnet;

use super::{
    process::{NodeProcess, wait_for},
    steps::Steps,
};
use crate::output::grouped;

/// What each node gets on chain. Both sides of a channel keep 25,000 sat as an anchor reserve (ldk-node 0.7.1).
const FUND_SAT: i64 = 1_000_000;

/// The channel's capacity.
const CAPACITY_SAT: i64 = 500_000;

/// What the opener gives to the far side at once, so that both can send.
const PUSH_SAT: i64 = 200_000;

/// How deep a funding must be before ldk-node uses its channel.
const CONFIRMATIONS: u32 = 6;

/// How long each wait may take.
const WAIT_S: u64 = 30;

pub(super) async fn open(devnet: &Devnet, [alice, bob]: [&NodeProcess; 2], steps: &mut Steps) -> anyhow::Result<()> {
    steps.begin("coins for both");
    for node in [alice, bob] {
        let address = node.client.node().new_address(v1::NewAddressRequest {}).await?.into_inner().address;
        let address = address.parse::<Address<_>>()?.require_network(Network::Regtest)?;
        devnet.fund(&address, FUND_SAT.unsigned_abs()).await?;
    }
    devnet.mine(1).await?;
    sync([alice, bob]).await?;
    steps.done(&format!("{} sat each, mined", grouped(FUND_SAT)));

    steps.begin("a channel from alice to bob");
    let request = v1::OpenChannelRequest {
        pubkey: bob.pubkey.clone(),
        address: bob.plan.lightning.clone(),
        capacity_sat: CAPACITY_SAT,
        push_sat: PUSH_SAT,
        announce: false,
        count: 1,
    };
    alice.client.node().open_channel(request).await?;
    let funding = wait_for("the channel", "get its funding transaction", WAIT_S, async || {
        let funding = channels(alice).await?.pop().map(|channel| channel.funding_outpoint);
        Ok(funding.filter(|outpoint| !outpoint.is_empty()))
    })
    .await?;
    let txid = funding.split(':').next().context("the funding outpoint has no txid")?.parse()?;
    devnet.wait_for_tx(txid, Duration::from_secs(WAIT_S)).await?;
    devnet.mine(CONFIRMATIONS).await?;
    wait_for("the channel", "become usable", WAIT_S, async || {
        sync([alice, bob]).await?;
        let usable = |channels: Vec<v1::Channel>| channels.iter().any(|channel| channel.usable);
        Ok((usable(channels(alice).await?) && usable(channels(bob).await?)).then_some(()))
    })
    .await?;
    steps.done(&format!(
        "{} sat, {} of them bob's, {CONFIRMATIONS} blocks deep",
        grouped(CAPACITY_SAT),
        grouped(PUSH_SAT)
    ));
    Ok(())
}

async fn channels(node: &NodeProcess) -> anyhow::Result<Vec<v1::Channel>> {
    Ok(node.client.node().list_channels(v1::ListChannelsRequest {}).await?.into_inner().channels)
}

/// Brings both to the chain's tip.
async fn sync(nodes: [&NodeProcess; 2]) -> anyhow::Result<()> {
    for node in nodes {
        node.client.node().sync(v1::SyncRequest {}).await?;
    }
    Ok(())
}
