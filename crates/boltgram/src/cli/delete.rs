//! `boltgram delete`: a message's content goes.

use boltgram_api::{
    client::ClientError,
    v1::{DeleteRequest, DeleteResponse},
};
use boltgram_core::MessageId;

use super::remote::Remote;
use crate::output::Show;

/// The arguments of `boltgram delete`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The message's id, as `boltgram inbox` shows it
    id: MessageId,
}

/// Runs the command.
pub async fn run(args: Args, remote: &Remote) -> anyhow::Result<()> {
    let client = remote.connect().await?;
    let request = DeleteRequest { id: args.id.to_string() };
    let answer = client.messages().delete(request).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

impl Show for DeleteResponse {
    const NAME: &'static str = "boltgram.v1.DeleteResponse";

    fn human(&self) -> String {
        "deleted".to_owned()
    }
}
