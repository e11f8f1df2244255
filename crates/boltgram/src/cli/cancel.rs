//! `boltgram cancel`: nothing more of a message is tried.

use boltgram_api::{
    client::ClientError,
    v1::{CancelRequest, CancelResponse},
};
use boltgram_core::MessageId;

use super::{inbox::state, remote::Remote};
use crate::output::{Show, fields, short_key};

/// The arguments of `boltgram cancel`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The message's id, as `boltgram outbox` shows it
    id: MessageId,
}

/// Runs the command.
pub async fn run(args: Args, remote: &Remote) -> anyhow::Result<()> {
    let client = remote.connect().await?;
    let request = CancelRequest { id: args.id.to_string() };
    let answer = client.messages().cancel(request).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

impl Show for CancelResponse {
    const NAME: &'static str = "boltgram.v1.CancelResponse";

    fn human(&self) -> String {
        let message = self.message.clone().unwrap_or_default();
        fields([("id", message.id.clone()), ("to", short_key(&message.peer_pubkey)), ("state", state(&message))])
    }
}
