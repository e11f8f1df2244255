//! `boltgram held`: payments whose content was put aside.

use boltgram_api::{
    client::ClientError,
    v1::{HeldPayment, ListHeldRequest, ListHeldResponse},
};
use clap::value_parser;

use super::{inbox::OLDER, remote::Remote};
use crate::{
    limits::{INBOX_MESSAGES_DEFAULT, INBOX_MESSAGES_MAX},
    output::{Show, grouped, printable_line, short_key, table, time},
};

/// The arguments of `boltgram held`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// At most so many payments
    #[arg(long, value_name = "N", default_value_t = INBOX_MESSAGES_DEFAULT,
          value_parser = value_parser!(i32).range(1..=i64::from(INBOX_MESSAGES_MAX)))]
    limit: i32,
}

/// Runs the command.
pub async fn run(args: Args, remote: &Remote) -> anyhow::Result<()> {
    let request = ListHeldRequest { page_size: args.limit, page_token: String::new() };
    let client = remote.connect().await?;
    let answer = client.messages().list_held(request).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

impl Show for ListHeldResponse {
    const NAME: &'static str = "boltgram.v1.ListHeldResponse";

    fn human(&self) -> String {
        if self.payments.is_empty() {
            return "nothing was put aside".to_owned();
        }
        let headings = ["time", "from", "msat", "bytes", "reason", "payment hash"];
        let mut text = table(&headings, self.payments.iter().map(row));
        let counts =
            self.counts.iter().map(|count| format!("{}: {}", printable_line(&count.reason), grouped(count.payments)));
        text.push_str(&format!("\nin all: {}", counts.collect::<Vec<_>>().join(", ")));
        if !self.next_page_token.is_empty() {
            text.push_str(OLDER);
        }
        text
    }
}

fn row(payment: &HeldPayment) -> Vec<String> {
    let from = if payment.sender_pubkey.is_empty() { "unknown".to_owned() } else { short_key(&payment.sender_pubkey) };
    vec![
        time(payment.received_at_ms),
        from,
        grouped(payment.amount_msat),
        grouped(payment.record_bytes),
        printable_line(&payment.reason),
        payment.payment_hash.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use boltgram_api::v1::HeldCount;

    #[test]
    fn what_was_put_aside_is_shown_with_why_and_how_often() {
        let payment = HeldPayment { reason: "SIGNATURE".into(), amount_msat: 1_000, ..Default::default() };
        let counts = vec![HeldCount { reason: "SIGNATURE".into(), payments: 1_200 }];
        let text = ListHeldResponse { payments: vec![payment], counts, ..Default::default() }.human();
        for part in ["SIGNATURE", "unknown", "1,000", "in all: SIGNATURE: 1,200"] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
        assert_eq!(ListHeldResponse::default().human(), "nothing was put aside");
    }
}
