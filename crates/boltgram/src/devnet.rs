//! `boltgram devnet`: a private regtest with an Esplora API, until it is stopped.

use boltgram_devnet::{Devnet, DevnetConfig};

use crate::{bitcoind::BitcoindChain, cli::DevnetArgs, output::line, stop_signal::StopSignal};

/// Runs it until SIGINT or SIGTERM.
pub async fn run(args: DevnetArgs) -> anyhow::Result<()> {
    let stop = StopSignal::listen()?;
    let config = DevnetConfig { listen: args.listen, auto_mine_ms: args.auto_mine_ms, ..DevnetConfig::default() };
    let chain = BitcoindChain::of(&args.bitcoind).await?;
    let (devnet, about) = match &chain {
        Some(chain) => (chain.devnet(config).await?, format!("A regtest over {}.", chain.about)),
        None => (Devnet::start(config).await?, "A private regtest, gone when it stops.".to_owned()),
    };
    let url = devnet.url();
    line(&format!(
        "{about}\n\
         Esplora  {url}\n\
         fund     curl -d '{{\"address\":\"ADDRESS\",\"amount_sat\":1000000}}' {url}/devnet/fund\n\
         mine     curl -d '{{\"blocks\":1}}' {url}/devnet/mine\n\
         node     boltgram node --network regtest --esplora {url}\n\
         Ctrl-C stops it."
    ))?;
    stop.received().await;
    devnet.stop().await;
    if let Some(chain) = chain {
        chain.stop().await?;
    }
    Ok(())
}
