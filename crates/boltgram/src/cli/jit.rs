//! `boltgram jit-invoice`: an invoice whose payment opens a channel to the node.

use boltgram_api::{
    client::ClientError,
    v1::{CreateJitInvoiceRequest, CreateJitInvoiceResponse},
};
use clap::value_parser;

use super::remote::Remote;
use crate::{
    limits::SAT_MAX,
    output::{Show, fields, grouped, time},
};

/// The arguments of `boltgram jit-invoice`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What the payer pays, in satoshi
    #[arg(value_parser = value_parser!(i64).range(1..=SAT_MAX))]
    amount_sat: i64,
    /// What the payer is told that it is for
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// How much of the amount the provider may keep for the channel, in satoshi [default: half of it]
    #[arg(long, value_name = "N", value_parser = value_parser!(i64).range(0..=SAT_MAX))]
    max_fee_sat: Option<i64>,
}

/// Runs the command.
pub async fn run(args: Args, remote: &Remote) -> anyhow::Result<()> {
    let client = remote.connect().await?;
    let request = CreateJitInvoiceRequest {
        amount_msat: args.amount_sat * 1_000,
        description: args.description,
        expiry_s: 0,
        fee_limit_msat: args.max_fee_sat.map(|fee_sat| fee_sat * 1_000),
    };
    let answer = client.node().create_jit_invoice(request).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

impl Show for CreateJitInvoiceResponse {
    const NAME: &'static str = "boltgram.v1.CreateJitInvoiceResponse";

    fn human(&self) -> String {
        let facts = fields([
            ("payment hash", self.payment_hash.clone()),
            ("provider keeps msat", grouped(self.fee_msat)),
            ("can be paid until", time(self.expires_at_ms)),
        ]);
        // On a line of its own, unbroken, so that it can be copied.
        format!("{facts}\n\n{}", self.invoice)
    }
}
