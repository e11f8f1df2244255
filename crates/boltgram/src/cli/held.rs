//! `boltgram held`: payments whose content was put aside.

use boltgram_api::{
    client::ClientError,
    v1::{HeldPayment, ListHeldRequest, ListHeldResponse},
};

use super::{
    page::{Limit, page_with},
    remote::Remote,
};
use crate::output::{Show, grouped, printable_line, short_key, time};

/// The arguments of `boltgram held`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    page: Limit,
}

/// Runs the command.
pub async fn run(args: Args, remote: &Remote) -> anyhow::Result<()> {
    let request = ListHeldRequest { page_size: args.page.limit, page_token: String::new() };
    let client = remote.connect().await?;
    let answer = client.messages().list_held(request).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

impl Show for ListHeldResponse {
    const NAME: &'static str = "boltgram.v1.ListHeldResponse";

    fn human(&self) -> String {
        let headings = ["time", "from", "msat", "bytes", "reason", "payment hash"];
        let counts =
            self.counts.iter().map(|count| format!("{}: {}", printable_line(&count.reason), grouped(count.payments)));
        let in_all = format!("\nin all: {}", counts.collect::<Vec<_>>().join(", "));
        let rows = self.payments.iter().map(row);
        page_with("nothing was put aside", &headings, rows, &in_all, &self.next_page_token)
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
