//! `boltgram outbox`: what is queued or being sent.

use boltgram_api::{
    client::ClientError,
    v1::{ListRequest, ListResponse, Message},
};

use super::{
    inbox::{content, state},
    page::{Limit, page},
    remote::Remote,
};
use crate::output::{grouped, short_key, time};

/// The arguments of `boltgram outbox`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    page: Limit,
}

/// Runs the command.
pub async fn run(args: Args, remote: &Remote) -> anyhow::Result<()> {
    let request = ListRequest { page_size: args.page.limit, pending_only: true, ..Default::default() };
    let client = remote.connect().await?;
    let answer = client.messages().list(request).await.map_err(ClientError::from)?;
    remote.output().show_as(answer.get_ref(), human)
}

fn human(answer: &ListResponse) -> String {
    let headings = ["since", "to", "state", "payments", "tried until", "text", "id"];
    page("nothing waits", &headings, answer.messages.iter().map(row), &answer.next_page_token)
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
