//! `boltgram wallet`: the on-chain wallet, and what the channels hold.

use boltgram_api::{
    client::ClientError,
    v1::{BalancesRequest, BalancesResponse, NewAddressRequest, NewAddressResponse},
};

use super::remote::Remote;
use crate::output::{Show, fields, grouped};

/// The arguments of `boltgram wallet`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Makes a fresh on-chain address to pay to.
    Address,
    /// Shows what the wallet and the channels hold.
    Balance,
}

/// Runs the command.
pub async fn run(args: Args, remote: &Remote) -> anyhow::Result<()> {
    let mut node = remote.connect().await?.node();
    match args.command {
        Command::Address => {
            let answer = node.new_address(NewAddressRequest {}).await.map_err(ClientError::from)?;
            remote.output().show(answer.get_ref())
        }
        Command::Balance => {
            let answer = node.balances(BalancesRequest {}).await.map_err(ClientError::from)?;
            remote.output().show(answer.get_ref())
        }
    }
}

impl Show for NewAddressResponse {
    const NAME: &'static str = "boltgram.v1.NewAddressResponse";

    fn human(&self) -> String {
        self.address.clone()
    }
}

impl Show for BalancesResponse {
    const NAME: &'static str = "boltgram.v1.BalancesResponse";

    fn human(&self) -> String {
        let sat = |number| format!("{} sat", grouped(number));
        let msat = |number| format!("{} msat", grouped(number));
        fields([
            ("on chain", sat(self.total_onchain_sat)),
            ("  spendable now", sat(self.spendable_onchain_sat)),
            ("  kept to close channels", sat(self.anchor_reserve_sat)),
            ("in channels", sat(self.total_lightning_sat)),
            ("  can be sent now", msat(self.outbound_msat)),
            ("  can be received now", msat(self.inbound_msat)),
        ])
    }
}
