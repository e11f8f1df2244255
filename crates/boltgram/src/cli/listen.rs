//! `boltgram listen`: messages as they arrive, over broken connections and restarts of the node too; and with
//! `--resume` over its own restarts.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use boltgram_api::{
    client::{Client, ClientError, RpcError, Update},
    v1::{GetInfoRequest, Message, SubscribeRequest, SubscribeResponse},
};
use boltgram_core::Reason;
use clap::value_parser;

use super::{
    inbox::{content, correspondent},
    place,
    remote::Remote,
};
use crate::output::{Show, grouped, note, time};

/// The arguments of `boltgram listen`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Begin after this sequence number of the log, 0 for its beginning [default: only what arrives from now on]
    #[arg(long, value_name = "SEQ", value_parser = value_parser!(i64).range(0..))]
    after: Option<i64>,
    /// Keep the last sequence number in a file, and go on after it: what the command has shown isn't shown again, and what
    /// came while it didn't run isn't missed. The first time it begins with the first message.
    /// [default file: one for each node in ~/.local/state/boltgram]
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    resume: Option<Option<PathBuf>>,
}

/// Runs the command.
pub async fn run(args: Args, remote: &Remote) -> anyhow::Result<()> {
    tokio::select! {
        result = follow(args, remote) => result,
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

async fn follow(args: Args, remote: &Remote) -> anyhow::Result<()> {
    let client = remote.connect().await?;
    let file = match args.resume {
        None => None,
        Some(Some(file)) => Some(file),
        Some(None) => Some(default_file(&client).await?),
    };
    let after_sequence = match (args.after, &file) {
        (None, Some(file)) => Some(place::read(file)?),
        (after, _) => after,
    };
    let mut events = client.subscribe_from(SubscribeRequest { after_sequence, include_sent: false });
    loop {
        match events.next().await.map_err(|error| explained(error, file.as_deref()))? {
            Update::Event(event) => {
                remote.output().show(event.as_ref())?;
                if let Some(file) = &file {
                    place::write(file, event.sequence)?;
                }
            }
            Update::Interrupted { error, wait } => {
                note(&format!("the stream broke ({error}); taken up again in {} ms", wait.as_millis()));
            }
        }
    }
}

/// The file of this node: a place in one node's log means nothing in another's.
async fn default_file(client: &Client) -> anyhow::Result<PathBuf> {
    let info = client.node().get_info(GetInfoRequest {}).await.map_err(ClientError::from)?.into_inner();
    let folder = place::folder().ok_or_else(|| anyhow!("no home directory is known: give a file by --resume=FILE"))?;
    Ok(folder.join(format!("listen-{}", info.pubkey)))
}

/// A number that the log doesn't have yet is of another node, or of one whose messages are lost.
fn explained(error: RpcError, file: Option<&Path>) -> anyhow::Error {
    let is_beyond = error.reason.as_deref() == Some(Reason::InvalidField.code());
    let error = anyhow::Error::from(error);
    match file.filter(|_| is_beyond) {
        Some(file) => error.context(format!("{} is not of this node's log: remove the file", file.display())),
        None => error,
    }
}

impl Show for SubscribeResponse {
    const NAME: &'static str = "boltgram.v1.SubscribeResponse";

    fn human(&self) -> String {
        let nothing = Message::default();
        let message = self.message.as_ref().unwrap_or(&nothing);
        let (at, who) = (time(message.stored_at_ms), correspondent(message));
        format!("{at}  {who}  {} sat  {}", grouped(message.amount_sat), content(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_its_text() {
        let message = Message { text: "two\nlines\u{1b}[2J".into(), amount_sat: 1_000, ..Default::default() };
        let line = SubscribeResponse { sequence: 1, message: Some(message) }.human();
        assert!(line.ends_with(r"1,000 sat  two⏎lines\u{1b}[2J"), "{line}");
    }
}
