//! `boltgram conversations`: who wrote to whom, and how much of it is unread.

use boltgram_api::{
    client::ClientError,
    v1::{Conversation, ListConversationsRequest, ListConversationsResponse, Message},
};

use super::{
    inbox::content,
    page::{Limit, page},
    remote::Remote,
};
use crate::output::{Show, grouped, time};

/// The arguments of `boltgram conversations`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    page: Limit,
}

/// Runs the command.
pub async fn run(args: Args, remote: &Remote) -> anyhow::Result<()> {
    let request = ListConversationsRequest { page_size: args.page.limit, ..Default::default() };
    let client = remote.connect().await?;
    let answer = client.messages().list_conversations(request).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

impl Show for ListConversationsResponse {
    const NAME: &'static str = "boltgram.v1.ListConversationsResponse";

    fn human(&self) -> String {
        let headings = ["last", "messages", "unread", "newest", "with"];
        page("no conversations", &headings, self.conversations.iter().map(row), &self.next_page_token)
    }
}

fn row(conversation: &Conversation) -> Vec<String> {
    let nothing = Message::default();
    // As `boltgram read` takes it.
    let peer = if conversation.peer_pubkey.is_empty() { "unsigned" } else { &conversation.peer_pubkey };
    vec![
        time(conversation.last_at_ms),
        grouped(conversation.messages),
        grouped(conversation.unread),
        content(conversation.last_message.as_ref().unwrap_or(&nothing)),
        peer.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_is_named_as_read_takes_it() {
        let last_message = Some(Message { text: "hello\u{1b}[2J".into(), ..Default::default() });
        let with_node = Conversation {
            peer_pubkey: format!("02{}", "ab".repeat(32)),
            messages: 1_234,
            unread: 7,
            last_message,
            ..Default::default()
        };
        let unsigned = Conversation { peer_pubkey: String::new(), ..with_node.clone() };
        let answer = ListConversationsResponse { conversations: vec![with_node, unsigned], ..Default::default() };
        for part in ["1,234", "7", r"hello\u{1b}", "abab", "unsigned"] {
            assert!(answer.human().contains(part), "{part:?} in {}", answer.human());
        }
        assert_eq!(ListConversationsResponse::default().human(), "no conversations");
    }
}
