//! `boltgram sync`: brings the node up to the chain's tip.

use boltgram_api::{
    client::ClientError,
    v1::{SyncRequest, SyncResponse},
};

use super::remote::Remote;
use crate::output::{Show, grouped};

/// Runs the command.
pub async fn run(remote: &Remote) -> anyhow::Result<()> {
    let client = remote.connect().await?;
    let answer = client.node().sync(SyncRequest {}).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

impl Show for SyncResponse {
    const NAME: &'static str = "boltgram.v1.SyncResponse";

    fn human(&self) -> String {
        format!("synced to block {}", grouped(self.block_height))
    }
}
