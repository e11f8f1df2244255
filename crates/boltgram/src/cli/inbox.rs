//! `boltgram inbox`: what was received, and on request what was sent; and how a list of messages is shown.

use boltgram_api::{
    client::ClientError,
    v1::{Authenticity, Direction, ListRequest, ListResponse, Message},
};

use super::{
    page::{Limit, page},
    remote::Remote,
};
use crate::output::{Show, grouped, printable_line, short_key, time, word};

/// The arguments of `boltgram inbox`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    page: Limit,
    /// Also what this node sent
    #[arg(long)]
    all: bool,
}

/// Runs the command.
pub async fn run(args: Args, remote: &Remote) -> anyhow::Result<()> {
    let direction = if args.all { Direction::Unspecified } else { Direction::In };
    let request = ListRequest { page_size: args.page.limit, direction: direction.into(), ..Default::default() };
    let client = remote.connect().await?;
    let answer = client.messages().list(request).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

impl Show for ListResponse {
    const NAME: &'static str = "boltgram.v1.ListResponse";

    fn human(&self) -> String {
        messages(&self.messages, &self.next_page_token)
    }
}

/// Messages as a table, in the order in which they are given.
pub fn messages<'a>(messages: impl IntoIterator<Item = &'a Message>, next_page_token: &str) -> String {
    let headings = ["", "time", "peer", "state", "sat", "text", "id"];
    page("no messages", &headings, messages.into_iter().map(row), next_page_token)
}

/// Stands before a message that was not marked as read.
const UNREAD: &str = "*";

fn row(message: &Message) -> Vec<String> {
    let is_unread = message.direction() == Direction::In && !message.is_read;
    vec![
        if is_unread { UNREAD } else { "" }.to_owned(),
        time(message.sent_at_ms),
        correspondent(message),
        state(message),
        grouped(message.amount_sat),
        content(message),
        message.id.clone(),
    ]
}

/// What has become of a message, with what of it has arrived or why it failed.
pub fn state(message: &Message) -> String {
    let state = word(message.state().as_str_name(), "STATE_");
    let is_partial = (1..message.total_bytes).contains(&message.delivered_bytes);
    match message.failure_reason.as_str() {
        "" if is_partial => format!("{state} ({} %)", message.delivered_bytes * 100 / message.total_bytes),
        "" => state,
        reason => format!("{state}: {reason}"),
    }
}

/// Whom a message is from, or to.
pub fn correspondent(message: &Message) -> String {
    if message.authenticity() == Authenticity::Unsigned {
        return "unknown (unsigned)".to_owned();
    }
    let key = short_key(&message.peer_pubkey);
    if message.direction() == Direction::Out { format!("to {key}") } else { key }
}

/// A message's text on one line; of other content the type and size.
pub fn content(message: &Message) -> String {
    if message.text.is_empty() {
        format!("({}, {} bytes)", printable_line(&message.content_type), message.body.len())
    } else {
        printable_line(&message.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boltgram_api::v1::State;

    #[test]
    fn a_person_sees_who_wrote_what_and_what_failed_why() {
        let received = Message {
            direction: Direction::In.into(),
            state: State::Received.into(),
            peer_pubkey: format!("02{}", "ab".repeat(32)),
            text: "hello\u{1b}[2J".into(),
            ..Default::default()
        };
        let failed = Message {
            direction: Direction::Out.into(),
            state: State::Failed.into(),
            failure_reason: "NO_ROUTE".into(),
            content_type: "image/png".into(),
            body: vec![0; 7],
            text: String::new(),
            ..received.clone()
        };
        let text = ListResponse { messages: vec![received, failed], next_page_token: "x".into() }.human();
        assert!(
            text.lines().nth(1).unwrap().trim_start().starts_with('*') && !text.lines().nth(2).unwrap().contains('*'),
            "{text}"
        );
        for part in ["hello", r"\u{1b}", "failed: NO_ROUTE", "to 02ababab", "(image/png, 7 bytes)", "older"] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
        assert_eq!(ListResponse::default().human(), "no messages");
    }

    #[test]
    fn a_long_message_shows_how_much_of_it_has_arrived() {
        let sending = Message { state: State::Sending.into(), total_bytes: 3_000, ..Default::default() };
        assert_eq!(state(&sending), "sending");
        assert_eq!(state(&Message { delivered_bytes: 1_000, ..sending.clone() }), "sending (33 %)");
        assert_eq!(state(&Message { delivered_bytes: 3_000, ..sending }), "sending");
    }

    #[test]
    fn an_unsigned_text_names_no_sender() {
        let message = Message { authenticity: Authenticity::Unsigned.into(), ..Default::default() };
        assert_eq!(correspondent(&message), "unknown (unsigned)");
    }
}
