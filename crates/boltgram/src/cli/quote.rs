//! `boltgram quote`: what sending a text would take.

use boltgram_api::{
    client::ClientError,
    v1::{QuoteResponse, SendRequest, send_request::Content},
};
use boltgram_core::{NodeId, limits::AMOUNT_SAT_MAX};
use clap::value_parser;

use super::{content::text_or_stdin, remote::Remote};
use crate::output::{Show, fields, grouped};

/// The arguments of `boltgram quote`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The recipient's public key, 66 hex digits
    pubkey: NodeId,
    /// The text; `-` reads it from standard input, without its last line end
    text: String,
    /// Satoshi to send along [default: 1 for each payment that the text needs]
    #[arg(long, value_name = "N", value_parser = value_parser!(i64).range(1..=AMOUNT_SAT_MAX as i64))]
    amount_sat: Option<i64>,
}

/// Runs the command.
pub async fn run(args: Args, remote: &Remote) -> anyhow::Result<()> {
    let request = SendRequest {
        pubkey: args.pubkey.to_string(),
        content: Some(Content::Text(text_or_stdin(args.text)?)),
        amount_sat: args.amount_sat.unwrap_or_default(),
        ..Default::default()
    };
    let client = remote.connect().await?;
    let answer = client.messages().quote(request).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

impl Show for QuoteResponse {
    const NAME: &'static str = "boltgram.v1.QuoteResponse";

    fn human(&self) -> String {
        fields([
            ("payments", self.frames.to_string()),
            ("sent along", format!("{} sat", grouped(self.amount_sat))),
            ("routing fee", format!("at most {} sat", grouped(self.fee_limit_sat))),
            ("record", format!("{} of {} bytes", grouped(self.record_bytes), grouped(self.record_bytes_max))),
        ])
    }
}
