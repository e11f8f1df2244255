//! `boltgram invoice` and `boltgram pay`: invoices made, looked at and paid.

use boltgram_api::{
    client::ClientError,
    v1::{
        CreateInvoiceRequest, CreateInvoiceResponse, GetInvoiceRequest, GetInvoiceResponse, PayInvoiceRequest,
        PayInvoiceResponse,
    },
};
use clap::value_parser;

use super::remote::Remote;
use crate::output::{Show, fields, grouped, printable_line, time};

/// The arguments of `boltgram invoice`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What to ask for, in satoshi [default: the payer chooses]
    #[arg(value_parser = value_parser!(i64).range(1..))]
    amount_sat: Option<i64>,
    /// What the payment is for; the payer reads it
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// For how many seconds the invoice can be paid
    #[arg(long, value_name = "N", default_value_t = 3_600, value_parser = value_parser!(i64).range(1..))]
    expiry_s: i64,
    /// Make none, but look at this one: is it paid?
    #[arg(long, value_name = "INVOICE", conflicts_with_all = ["amount_sat", "description", "expiry_s"])]
    check: Option<String>,
}

/// The arguments of `boltgram pay`.
#[derive(clap::Args, Debug)]
pub struct PayArgs {
    /// The invoice (BOLT 11)
    invoice: String,
    /// Satoshi to pay, for an invoice that names no amount
    #[arg(long, value_name = "N", value_parser = value_parser!(i64).range(1..))]
    amount_sat: Option<i64>,
    /// The most routing fee to pay, in satoshi [default: 1 % of the amount and 50 sat]
    #[arg(long, value_name = "N", value_parser = value_parser!(i64).range(0..))]
    fee_limit_sat: Option<i64>,
}

/// Runs `boltgram invoice`.
pub async fn run(args: Args, remote: &Remote) -> anyhow::Result<()> {
    let mut node = remote.connect().await?.node();
    if let Some(invoice) = args.check {
        let answer = node.get_invoice(GetInvoiceRequest { invoice }).await.map_err(ClientError::from)?;
        return remote.output().show(answer.get_ref());
    }
    let request = CreateInvoiceRequest {
        amount_sat: args.amount_sat.unwrap_or_default(),
        description: args.description,
        expiry_s: args.expiry_s,
    };
    let answer = node.create_invoice(request).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

/// Runs `boltgram pay`.
pub async fn pay(args: PayArgs, remote: &Remote) -> anyhow::Result<()> {
    let request = PayInvoiceRequest {
        invoice: args.invoice,
        amount_sat: args.amount_sat.unwrap_or_default(),
        fee_limit_sat: args.fee_limit_sat,
    };
    let client = remote.connect().await?;
    let answer = client.node().pay_invoice(request).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

impl Show for CreateInvoiceResponse {
    const NAME: &'static str = "boltgram.v1.CreateInvoiceResponse";

    fn human(&self) -> String {
        // The invoice by itself, so that it can be copied: a table would break it.
        format!("{}\n(can be paid until {})", self.invoice, time(self.expires_at_ms))
    }
}

impl Show for GetInvoiceResponse {
    const NAME: &'static str = "boltgram.v1.GetInvoiceResponse";

    fn human(&self) -> String {
        let msat = |number| format!("{} msat", grouped(number));
        fields([
            ("paid", if self.paid { msat(self.paid_msat) } else { "no".to_owned() }),
            ("asks for", if self.amount_msat > 0 { msat(self.amount_msat) } else { "any amount".to_owned() }),
            ("description", printable_line(&self.description)),
            ("made by", self.payee_pubkey.clone()),
            ("made", time(self.created_at_ms)),
            ("can be paid until", time(self.expires_at_ms)),
            ("payment hash", self.payment_hash.clone()),
        ])
    }
}

impl Show for PayInvoiceResponse {
    const NAME: &'static str = "boltgram.v1.PayInvoiceResponse";

    fn human(&self) -> String {
        fields([
            ("paid", format!("{} msat", grouped(self.amount_msat))),
            ("routing fee", format!("{} msat", grouped(self.fee_msat))),
            ("preimage", self.preimage.clone()),
            ("payment hash", self.payment_hash.clone()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_sees_whether_an_invoice_is_paid() {
        let open = GetInvoiceResponse { description: "two\nlines".into(), ..Default::default() };
        let text = open.human();
        assert!(text.contains("any amount") && text.contains("two⏎lines"), "{text}");
        let paid = GetInvoiceResponse { paid: true, paid_msat: 5_000, amount_msat: 4_000, ..open };
        assert!(paid.human().contains("5,000 msat"), "{}", paid.human());
    }
}
