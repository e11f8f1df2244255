//! `boltgram devnet`: a private regtest with an Esplora API, until it is stopped.

use boltgram_devnet::{Devnet, DevnetConfig};

use crate::{cli::DevnetArgs, output::line, stop_signal::StopSignal};

/// Runs it until SIGINT or SIGTERM.
pub async fn run(args: DevnetArgs) -> anyhow::Result<()> {
    let stop = StopSignal::listen()?;
    let config = DevnetConfig { listen: args.listen, auto_mine_ms: args.auto_mine_ms, ..DevnetConfig::default() };
    let devnet = Devnet::start(config).await?;
    let url = devnet.url();
    line(&format!(
        "A private regtest, gone when it stops.\n\
         Esplora  {url}\n\
         fund     curl -d '{{\"address\":\"ADDRESS\",\"amount_sat\":1000000}}' {url}/devnet/fund\n\
         mine     curl -d '{{\"blocks\":1}}' {url}/devnet/mine\n\
         node     boltgram node --network regtest --esplora {url}\n\
         Ctrl-C stops it."
    ))?;
    stop.received().await;
    devnet.stop().await;
    Ok(())
}
