//! `boltgram payments`: what was paid and received, on chain and over channels.

use boltgram_api::{
    client::ClientError,
    v1::{Direction, ListPaymentsRequest, ListPaymentsResponse, Payment},
};
use clap::value_parser;

use super::remote::Remote;
use crate::{
    limits::{PAYMENTS_DEFAULT, PAYMENTS_MAX},
    output::{Show, grouped, table, time, word},
};

/// The arguments of `boltgram payments`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// At most so many payments
    #[arg(long, value_name = "N", default_value_t = PAYMENTS_DEFAULT,
          value_parser = value_parser!(i32).range(1..=i64::from(PAYMENTS_MAX)))]
    limit: i32,
}

/// Runs the command.
pub async fn run(args: Args, remote: &Remote) -> anyhow::Result<()> {
    let request = ListPaymentsRequest { page_size: args.limit, page_token: String::new() };
    let client = remote.connect().await?;
    let answer = client.node().list_payments(request).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

impl Show for ListPaymentsResponse {
    const NAME: &'static str = "boltgram.v1.ListPaymentsResponse";

    fn human(&self) -> String {
        if self.payments.is_empty() {
            return "no payments".to_owned();
        }
        let headings = ["time", "kind", "way", "state", "sat", "fee msat", "id"];
        let mut text = table(&headings, self.payments.iter().map(row));
        if !self.next_page_token.is_empty() {
            text.push_str("\n(there are older ones: see --limit)");
        }
        text
    }
}

fn row(payment: &Payment) -> Vec<String> {
    let way = if payment.direction() == Direction::In { "in" } else { "out" };
    vec![
        time(payment.updated_at_ms),
        word(payment.kind().as_str_name(), "PAYMENT_KIND_"),
        way.to_owned(),
        word(payment.state().as_str_name(), "PAYMENT_STATE_"),
        grouped(payment.amount_sat),
        grouped(payment.fee_msat),
        payment.id.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use boltgram_api::v1::{PaymentKind, PaymentState};

    #[test]
    fn a_person_sees_what_was_paid_and_what_became_of_it() {
        let payment = Payment {
            kind: PaymentKind::Invoice.into(),
            direction: Direction::Out.into(),
            state: PaymentState::Failed.into(),
            amount_sat: 12_345,
            ..Default::default()
        };
        let text = ListPaymentsResponse { payments: vec![payment], next_page_token: "x".into() }.human();
        for part in ["invoice", "out", "failed", "12,345", "older"] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
        assert_eq!(ListPaymentsResponse::default().human(), "no payments");
    }
}
