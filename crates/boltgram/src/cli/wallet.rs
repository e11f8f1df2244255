//! `boltgram wallet`: the on-chain wallet, and what the channels hold.

use std::str::FromStr;

use boltgram_api::{
    client::ClientError,
    v1::{
        BalancesRequest, BalancesResponse, NewAddressRequest, NewAddressResponse, SendOnchainRequest,
        SendOnchainResponse,
    },
};
use clap::value_parser;

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
    /// Sends from the on-chain wallet to an address.
    Send(SendArgs),
}

#[derive(clap::Args, Debug)]
struct SendArgs {
    /// The address
    address: String,
    /// How much, in satoshi, the fee on top; or `all` that can be spent, less the fee
    #[arg(value_name = "AMOUNT_SAT|all")]
    amount: Amount,
    /// The fee rate in satoshi per virtual byte [default: what the Esplora server estimates]
    #[arg(long, value_name = "SAT_PER_VB", value_parser = value_parser!(i64).range(1..))]
    fee_rate: Option<i64>,
}

/// How much to send on chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Amount {
    Sat(i64),
    All,
}

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            text => match text.parse() {
                Ok(sat) if sat > 0 => Ok(Self::Sat(sat)),
                _ => Err("give a number of satoshi, 1 or more, or `all`".to_owned()),
            },
        }
    }
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
        Command::Send(args) => {
            let (amount_sat, all) = match args.amount {
                Amount::Sat(sat) => (sat, false),
                Amount::All => (0, true),
            };
            let request =
                SendOnchainRequest { address: args.address, amount_sat, all, fee_rate_sat_per_vb: args.fee_rate };
            let answer = node.send_onchain(request).await.map_err(ClientError::from)?;
            remote.output().show(answer.get_ref())
        }
    }
}

impl Show for SendOnchainResponse {
    const NAME: &'static str = "boltgram.v1.SendOnchainResponse";

    fn human(&self) -> String {
        format!("sent in transaction {}", self.txid)
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
