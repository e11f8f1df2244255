//! `boltgram search`: messages by their words.

use boltgram_api::{
    client::ClientError,
    v1::{SearchRequest, SearchResponse},
};
use boltgram_core::message::Peer;

use super::{inbox::messages, page::Limit, remote::Remote};
use crate::output::Show;

/// The arguments of `boltgram search`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The words, all of which must be in a text; `*` at a word's end stands for any ending
    #[arg(required = true, value_name = "WORD")]
    words: Vec<String>,
    /// Only messages from or to this node, or `unsigned` for the texts of unknown senders
    #[arg(long, value_name = "PUBKEY|unsigned")]
    peer: Option<Peer>,
    #[command(flatten)]
    page: Limit,
}

/// Runs the command.
pub async fn run(args: Args, remote: &Remote) -> anyhow::Result<()> {
    let request = SearchRequest {
        query: args.words.join(" "),
        peer_pubkey: args.peer.map(|peer| peer.to_string()).unwrap_or_default(),
        page_size: args.page.limit,
        page_token: String::new(),
    };
    let client = remote.connect().await?;
    let answer = client.messages().search(request).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

impl Show for SearchResponse {
    const NAME: &'static str = "boltgram.v1.SearchResponse";

    fn human(&self) -> String {
        messages(&self.messages, &self.next_page_token)
    }
}
