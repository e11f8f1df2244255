//! `boltgram info`: who the node is and how it does.

use boltgram_api::{
    client::ClientError,
    v1::{GetInfoRequest, GetInfoResponse},
};

use super::remote::Remote;
use crate::output::{Show, fields, grouped, printable_line, time, word};

/// Runs the command.
pub async fn run(remote: &Remote) -> anyhow::Result<()> {
    let client = remote.connect().await?;
    let answer = client.node().get_info(GetInfoRequest {}).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

impl Show for GetInfoResponse {
    const NAME: &'static str = "boltgram.v1.GetInfoResponse";

    fn human(&self) -> String {
        let optional = |text: &str| if text.is_empty() { "-".to_owned() } else { printable_line(text) };
        fields([
            ("public key", self.pubkey.clone()),
            ("alias", optional(&self.alias)),
            ("network", self.network.clone()),
            ("phase", word(self.phase().as_str_name(), "PHASE_")),
            ("status", optional(&self.status_message)),
            ("block", format!("{} {}", grouped(self.block_height), self.block_hash)),
            ("listens at", optional(&self.listening_addresses.join(", "))),
            ("peers connected", self.connected_peers.to_string()),
            ("channels", format!("{}, {} usable", self.channels, self.usable_channels)),
            ("wallet synced", time(self.last_wallet_sync_at_ms)),
            ("channels synced", time(self.last_lightning_sync_at_ms)),
            ("version", self.version.clone()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boltgram_api::v1::Phase;

    #[test]
    fn a_person_reads_the_phase_and_what_it_waits_for() {
        let answer = GetInfoResponse {
            phase: Phase::Starting.into(),
            status_message: "waits for \u{1b}[31mEsplora".into(),
            ..Default::default()
        };
        let text = answer.human();
        assert!(text.contains("starting") && text.contains("waits for"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
