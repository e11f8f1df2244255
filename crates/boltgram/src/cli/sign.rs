//! `boltgram sign` and `boltgram verify`: texts signed with a node's key, as `lncli signmessage` does.

use anyhow::ensure;
use boltgram_api::{
    client::ClientError,
    v1::{SignRequest, SignResponse, VerifyRequest, VerifyResponse},
};
use boltgram_core::NodeId;

use super::{content::text_or_stdin, remote::Remote};
use crate::output::{Show, fields};

/// The arguments of `boltgram sign`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The text; `-` reads it from standard input, without its last line end
    text: String,
}

/// The arguments of `boltgram verify`.
#[derive(clap::Args, Debug)]
pub struct VerifyArgs {
    /// The text; `-` reads it from standard input, without its last line end
    text: String,
    /// The signature, in zbase32
    signature: String,
    /// Who is to have signed it [default: any node that this one knows]
    #[arg(long)]
    pubkey: Option<NodeId>,
}

/// Runs `boltgram sign`.
pub async fn run(args: Args, remote: &Remote) -> anyhow::Result<()> {
    let request = SignRequest { text: text_or_stdin(args.text)? };
    let client = remote.connect().await?;
    let answer = client.node().sign(request).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

/// Runs `boltgram verify`; a signature that doesn't hold is an error.
pub async fn verify(args: VerifyArgs, remote: &Remote) -> anyhow::Result<()> {
    let request = VerifyRequest {
        text: text_or_stdin(args.text)?,
        signature: args.signature,
        pubkey: args.pubkey.map(|pubkey| pubkey.to_string()).unwrap_or_default(),
    };
    let client = remote.connect().await?;
    let answer = client.node().verify(request).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())?;
    ensure!(
        answer.get_ref().valid,
        "the signature doesn't hold: text or signature were changed, or another key signed"
    );
    Ok(())
}

impl Show for SignResponse {
    const NAME: &'static str = "boltgram.v1.SignResponse";

    fn human(&self) -> String {
        self.signature.clone()
    }
}

impl Show for VerifyResponse {
    const NAME: &'static str = "boltgram.v1.VerifyResponse";

    fn human(&self) -> String {
        let key = if self.pubkey.is_empty() { "-" } else { &self.pubkey };
        fields([("holds", if self.valid { "yes" } else { "no" }.to_owned()), ("key", key.to_owned())])
    }
}
