//! `boltgram send`: one text to one node.

use std::io::{self, Read};

use anyhow::{Context as _, ensure};
use boltgram_api::{
    client::ClientError,
    v1::{SendRequest, SendResponse, send_request::Content},
};
use boltgram_core::{MessageId, NodeId, limits::AMOUNT_SAT_MAX};
use clap::value_parser;

use super::remote::Remote;
use crate::{
    limits::STDIN_TEXT_BYTES_MAX,
    output::{Show, fields, grouped, short_key, word},
};

/// The arguments of `boltgram send`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The recipient's public key, 66 hex digits
    pubkey: NodeId,
    /// The text; `-` reads it from standard input, without its last line end
    text: String,
    /// Satoshi to send along [default: 1 for each payment that the text needs]
    #[arg(long, value_name = "N", value_parser = value_parser!(i64).range(1..=AMOUNT_SAT_MAX as i64))]
    amount_sat: Option<i64>,
    /// The id of the message that this one answers
    #[arg(long, value_name = "ID")]
    reply_to: Option<MessageId>,
}

/// Runs the command.
pub async fn run(args: Args, remote: &Remote) -> anyhow::Result<()> {
    let text = text_or_stdin(args.text)?;
    let request = SendRequest {
        pubkey: args.pubkey.to_string(),
        content: Some(Content::Text(text)),
        amount_sat: args.amount_sat.unwrap_or_default(),
        reply_to_id: args.reply_to.map(|id| id.to_string()).unwrap_or_default(),
        ..Default::default()
    };
    let client = remote.connect().await?;
    let answer = client.messages().send(request).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

/// A text argument; `-` stands for standard input, without its last line end.
pub(super) fn text_or_stdin(text: String) -> anyhow::Result<String> {
    if text == "-" { read_text(io::stdin().lock()) } else { Ok(text) }
}

/// All of `input` as one text, without its last line end.
fn read_text(input: impl Read) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    input.take(STDIN_TEXT_BYTES_MAX + 1).read_to_end(&mut bytes).context("standard input can't be read")?;
    ensure!(
        bytes.len() as u64 <= STDIN_TEXT_BYTES_MAX,
        "standard input holds more than {STDIN_TEXT_BYTES_MAX} bytes: send a shorter text"
    );
    let mut text = String::from_utf8(bytes).context("standard input is not UTF-8: only texts can be sent")?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

impl Show for SendResponse {
    const NAME: &'static str = "boltgram.v1.SendResponse";

    fn human(&self) -> String {
        let message = self.message.clone().unwrap_or_default();
        fields([
            ("id", message.id.clone()),
            ("to", short_key(&message.peer_pubkey)),
            ("state", word(message.state().as_str_name(), "STATE_")),
            ("sent along", format!("{} sat", grouped(message.amount_sat))),
            ("routing fee", format!("{} msat", grouped(message.fee_msat))),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_a_pipe_loses_its_last_line_end_only() {
        for (input, text) in [("hi\n", "hi"), ("hi\r\n", "hi"), ("a\n\n", "a\n"), ("hi", "hi"), ("", "")] {
            assert_eq!(read_text(input.as_bytes()).unwrap(), text);
        }
    }

    #[test]
    fn an_endless_or_binary_input_is_refused() {
        let error = read_text(io::repeat(b'a')).unwrap_err();
        assert!(error.to_string().contains("more than"), "{error}");
        assert!(read_text(&[0xff, 0xfe][..]).unwrap_err().to_string().contains("UTF-8"));
    }
}
