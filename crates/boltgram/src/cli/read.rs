//! `boltgram read`: one conversation in the order in which it was written, marked as read when it was shown.

use boltgram_api::{
    client::ClientError,
    v1::{ListRequest, MarkReadRequest, MarkReadResponse},
};
use boltgram_core::message::Peer;
use clap::value_parser;

use super::{inbox::messages, remote::Remote};
use crate::{
    limits::{INBOX_MESSAGES_MAX, READ_MESSAGES_DEFAULT},
    output::{Show, fields, grouped},
};

/// The arguments of `boltgram read`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Whose conversation: a public key of 66 hex digits, or `unsigned` for the texts of unknown senders
    #[arg(value_name = "PUBKEY|unsigned")]
    peer: Peer,
    /// At most so many messages, the newest ones
    #[arg(long, value_name = "N", default_value_t = READ_MESSAGES_DEFAULT,
          value_parser = value_parser!(i32).range(1..=i64::from(INBOX_MESSAGES_MAX)))]
    limit: i32,
    /// Mark nothing as read
    #[arg(long)]
    keep_unread: bool,
    /// Show nothing: only mark all of it as read
    #[arg(long, conflicts_with_all = ["keep_unread", "limit"])]
    mark_only: bool,
}

/// Runs the command.
pub async fn run(args: Args, remote: &Remote) -> anyhow::Result<()> {
    let peer_pubkey = args.peer.to_string();
    let mut client = remote.connect().await?.messages();
    if args.mark_only {
        let request = MarkReadRequest { peer_pubkey, up_to_id: String::new() };
        let answer = client.mark_read(request).await.map_err(ClientError::from)?;
        return remote.output().show(answer.get_ref());
    }
    let request = ListRequest { page_size: args.limit, peer_pubkey: peer_pubkey.clone(), ..Default::default() };
    let answer = client.list(request).await.map_err(ClientError::from)?.into_inner();
    // For a person the newest stands last, where the eye is; JSON is the API's answer.
    remote.output().show_as(&answer, |page| messages(page.messages.iter().rev(), &page.next_page_token))?;
    // Marked once it was shown, and no further than that.
    if let Some(newest) = answer.messages.first().filter(|_| !args.keep_unread) {
        let request = MarkReadRequest { peer_pubkey, up_to_id: newest.id.clone() };
        client.mark_read(request).await.map_err(ClientError::from)?;
    }
    Ok(())
}

impl Show for MarkReadResponse {
    const NAME: &'static str = "boltgram.v1.MarkReadResponse";

    fn human(&self) -> String {
        fields([("marked as read", grouped(self.marked)), ("still unread", grouped(self.unread))])
    }
}
