//! `boltgram send`: one text or file to one node.

use std::path::PathBuf;

use boltgram_api::{
    client::ClientError,
    v1::{SendRequest, SendResponse, send_request::Content},
};
use boltgram_core::{
    MessageId, NodeId,
    limits::{AMOUNT_SAT_MAX, EXPIRY_MS_MAX},
};
use clap::value_parser;

use super::{content, inbox::state, remote::Remote};
use crate::output::{Show, fields, grouped, short_key, time};

/// The arguments of `boltgram send`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The recipient's public key, 66 hex digits
    pubkey: NodeId,
    /// The text; `-` reads it from standard input, without its last line end
    #[arg(required_unless_present = "file")]
    text: Option<String>,
    /// Send a file's content instead of a text
    #[arg(long, value_name = "PATH", conflicts_with = "text")]
    file: Option<PathBuf>,
    /// What the content is: a media type [default: text/plain, and of a file what the end of its name says]
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// Satoshi to send along [default: 1 for each payment that the content needs]
    #[arg(long, value_name = "N", value_parser = value_parser!(i64).range(1..=AMOUNT_SAT_MAX as i64))]
    amount_sat: Option<i64>,
    /// The id of the message that this one answers
    #[arg(long, value_name = "ID")]
    reply_to: Option<MessageId>,
    /// The most routing fee to pay, in satoshi [default: 1 % of the amount and 50]
    #[arg(long, value_name = "N", value_parser = value_parser!(i64).range(0..=AMOUNT_SAT_MAX as i64))]
    fee_limit_sat: Option<i64>,
    /// Don't wait: the node tries it until it is delivered, expires or is cancelled
    #[arg(long)]
    queue: bool,
    /// How long it is tried, such as 90s, 30m, 2h or 7d, which is the most [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    expires: Option<i64>,
    /// A key of your own: the same command with the same key sends one message, however often it is run
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Ask the recipient for a receipt, which `boltgram receipt` shows when it has come
    #[arg(long)]
    receipt: bool,
}

/// Runs the command.
pub async fn run(args: Args, remote: &Remote) -> anyhow::Result<()> {
    let (content, media_type) = match (&args.file, args.text) {
        (Some(file), _) => (content::of_file(file)?, content::media_type(file)),
        (None, text) => (Content::Text(content::text_or_stdin(text.unwrap_or_default())?), ""),
    };
    let request = SendRequest {
        pubkey: args.pubkey.to_string(),
        content: Some(content),
        content_type: args.content_type.unwrap_or_else(|| media_type.to_owned()),
        amount_sat: args.amount_sat.unwrap_or_default(),
        reply_to_id: args.reply_to.map(|id| id.to_string()).unwrap_or_default(),
        fee_limit_sat: args.fee_limit_sat,
        idempotency_key: args.idempotency_key.unwrap_or_default(),
        queue: args.queue,
        expires_in_seconds: args.expires,
        receipt: args.receipt,
    };
    let client = remote.connect().await?;
    let answer = client.messages().send(request).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

/// A time in seconds: a number and a unit.
fn seconds(text: &str) -> Result<i64, String> {
    let (number, unit) = text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let unit_s = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => 0,
    };
    let seconds = number.parse::<u32>().ok().map(|number| i64::from(number) * unit_s);
    let limit_s = (EXPIRY_MS_MAX / 1_000) as i64;
    seconds
        .filter(|seconds| (1..=limit_s).contains(seconds))
        .ok_or_else(|| format!("give a number and a unit, s, m, h or d, such as 2h, and at most {}d", limit_s / 86_400))
}

impl Show for SendResponse {
    const NAME: &'static str = "boltgram.v1.SendResponse";

    fn human(&self) -> String {
        let message = self.message.clone().unwrap_or_default();
        let mut rows = vec![
            ("id", message.id.clone()),
            ("to", short_key(&message.peer_pubkey)),
            ("state", state(&message)),
            ("sent along", format!("{} sat", grouped(message.amount_sat))),
            ("routing fee", format!("{} msat", grouped(message.fee_msat))),
        ];
        if message.expires_at_ms > 0 {
            rows.push(("tried until", time(message.expires_at_ms)));
        }
        fields(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_a_unit() {
        for (text, expected) in [("90s", 90), ("30m", 1_800), ("2h", 7_200), ("7d", 604_800)] {
            assert_eq!(seconds(text), Ok(expected));
        }
        for text in ["", "2", "h", "0s", "-1h", "8d", "2 h", "1.5h", "2ü", "9999999999s"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
