//! `boltgram outbox`: what is queued or being sent.

use boltgram_api::{
    client::ClientError,
    v1::{ListRequest, ListResponse, Message},
};
use clap::value_parser;

use super::{
    inbox::{OLDER, content, state},
    remote::Remote,
};
use crate::{
    limits::{INBOX_MESSAGES_DEFAULT, INBOX_MESSAGES_MAX},
    output::{grouped, short_key, table, time},
};

/// The arguments of `boltgram outbox`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// At most so many messages
    #[arg(long, value_name = "N", default_value_t = INBOX_MESSAGES_DEFAULT,
          value_parser = value_parser!(i32).range(1..=i64::from(INBOX_MESSAGES_MAX)))]
    limit: i32,
}

/// Runs the command.
pub async fn run(args: Args, remote: &Remote) -> anyhow::Result<()> {
    let request = ListRequest { page_size: args.limit, pending_only: true, ..Default::default() };
    let client = remote.connect().await?;
    let answer = client.messages().list(request).await.map_err(ClientError::from)?;
    remote.output().show_as(answer.get_ref(), human)
}

fn human(page: &ListResponse) -> String {
    if page.messages.is_empty() {
        return "nothing waits".to_owned();
    }
    let headings = ["since", "to", "state", "payments", "tried until", "text", "id"];
    let mut text = table(&headings, page.messages.iter().map(row));
    if !page.next_page_token.is_empty() {
        text.push_str(OLDER);
    }
    text
}

fn row(message: &Message) -> Vec<String> {
    vec![
        time(message.stored_at_ms),
        short_key(&message.peer_pubkey),
        state(message),
        grouped(message.payments.into()),
        if message.expires_at_ms == 0 { "-".to_owned() } else { time(message.expires_at_ms) },
        content(message),
        message.id.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use boltgram_api::v1::State;

    #[test]
    fn what_waits_is_shown_with_how_far_it_has_come() {
        let message = Message {
            state: State::Sending.into(),
            text: "a long one".into(),
            payments: 3,
            delivered_bytes: 1,
            total_bytes: 2,
            ..Default::default()
        };
        let text = human(&ListResponse { messages: vec![message], next_page_token: "x".into() });
        for part in ["sending (50 %)", "3", "a long one", "older"] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
        assert_eq!(human(&ListResponse::default()), "nothing waits");
    }
}
