//! `boltgram health`: whether the node serves, by the standard health service (`grpc.health.v1`).

use anyhow::ensure;
use boltgram_api::client::{
    ClientError,
    health::{HealthCheckRequest, health_check_response::ServingStatus},
};

use super::remote::Remote;

/// Runs the command; a node that doesn't serve is an error.
pub async fn run(remote: &Remote) -> anyhow::Result<()> {
    let client = remote.connect().await?;
    let answer = client.health().check(HealthCheckRequest::default()).await.map_err(ClientError::from)?;
    let status = answer.get_ref().status();
    let name = status.as_str_name();
    remote.output().either(&serde_json::json!({ "status": name }), name)?;
    ensure!(status == ServingStatus::Serving, "the node doesn't serve now: `boltgram info` says what it waits for");
    Ok(())
}
