//! `boltgram listen`: messages as they arrive, over broken connections and restarts of the node too.

use boltgram_api::{
    client::Update,
    v1::{Message, SubscribeRequest, SubscribeResponse},
};
use clap::value_parser;

use super::{
    inbox::{content, correspondent},
    remote::Remote,
};
use crate::output::{Show, grouped, note, time};

/// The arguments of `boltgram listen`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Begin after this sequence number of the log, 0 for its beginning [default: only what arrives from now on]
    #[arg(long, value_name = "SEQ", value_parser = value_parser!(i64).range(0..))]
    after: Option<i64>,
}

/// Runs the command.
pub async fn run(args: Args, remote: &Remote) -> anyhow::Result<()> {
    tokio::select! {
        result = follow(args, remote) => result,
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

async fn follow(args: Args, remote: &Remote) -> anyhow::Result<()> {
    let request = SubscribeRequest { after_sequence: args.after, include_sent: false };
    let mut events = remote.connect().await?.subscribe_from(request);
    loop {
        match events.next().await? {
            Update::Event(event) => remote.output().show(event.as_ref())?,
            Update::Interrupted { error, wait } => {
                note(&format!("the stream broke ({error}); taken up again in {} ms", wait.as_millis()));
            }
        }
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
