//! `boltgram stop`: ends the node in order.

use boltgram_api::{
    client::ClientError,
    v1::{StopRequest, StopResponse},
};

use super::remote::Remote;
use crate::output::Show;

/// Runs the command: it ends when the node has begun to stop.
pub async fn run(remote: &Remote) -> anyhow::Result<()> {
    let client = remote.connect().await?;
    let answer = client.admin().stop(StopRequest {}).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

impl Show for StopResponse {
    const NAME: &'static str = "boltgram.v1.StopResponse";

    fn human(&self) -> String {
        "the node stops".to_owned()
    }
}
