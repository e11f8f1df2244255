//! Invoices (BOLT 11): made, paid, looked at.

use std::{str::FromStr as _, time::Duration};

use boltgram_core::{
    Failure, NodeId, Reason,
    message::PaymentHash,
    transport::{Preimage, SendError, fee_limit_msat_default},
};
use ldk_node::{
    NodeError,
    bitcoin::{Network, hashes::Hash as _},
    lightning::{ln::channelmanager::PaymentId, routing::router::RouteParametersConfig},
    lightning_invoice::{Bolt11Invoice, Bolt11InvoiceDescription, Bolt11InvoiceDescriptionRef, Description},
    payment::PaymentStatus,
};
use tokio::sync::watch;

use super::field;
use crate::{
    check::{self, Paths},
    errors::failure,
    limits::{INVOICE_AMOUNT_SAT_MAX, INVOICE_BYTES_MAX, INVOICE_EXPIRY_S_MAX},
    node::{Node, Phase, Status},
    settled::{Settled, Wait},
};

/// An invoice to make.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewInvoice {
    /// What it asks for, in satoshi; `None`: the payer chooses.
    pub amount_sat: Option<u64>,
    /// What the payment is for; the payer reads it. At most 639 bytes (BOLT 11).
    pub description: String,
    /// For how many seconds it can be paid.
    pub expiry_s: u64,
}

/// What an invoice says, and whether it is paid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invoice {
    /// The invoice itself.
    pub text: String,
    /// Its payment hash.
    pub payment_hash: PaymentHash,
    /// Who made it.
    pub payee: NodeId,
    /// What it asks for, in millisatoshi; `None`: the payer chooses.
    pub amount_msat: Option<u64>,
    /// What the payment is for; empty when the invoice holds a hash of that alone.
    pub description: String,
    /// When it was made, Unix time in milliseconds.
    pub created_at_ms: u64,
    /// Until when it can be paid, Unix time in milliseconds.
    pub expires_at_ms: u64,
    /// What was paid, in millisatoshi; `None`: it isn't paid.
    pub paid_msat: Option<u64>,
}

/// An invoice to pay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PayInvoice {
    /// The invoice.
    pub invoice: String,
    /// The amount in satoshi, for an invoice that names none.
    pub amount_sat: Option<u64>,
    /// The most routing fee to pay, in millisatoshi; `None`: 1 % of the amount and 50 sat.
    pub fee_limit_msat: Option<u64>,
}

/// An invoice that is paid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Paid {
    /// The proof that it was paid.
    pub preimage: Preimage,
    /// The payment's hash.
    pub payment_hash: PaymentHash,
    /// What was paid without the fee, in millisatoshi.
    pub amount_msat: u64,
    /// The routing fee, in millisatoshi.
    pub fee_msat: u64,
}

/// An invoice whose payment is under way.
#[derive(Debug)]
pub struct Paying {
    payment_hash: PaymentHash,
    amount_msat: u64,
    wait: Wait,
    status: watch::Receiver<Status>,
}

impl Paying {
    /// Waits until the payment is settled, at most until `given_up` completes or the node stops. After `DeadlineExceeded`
    /// the payment goes on.
    pub async fn ended(mut self, given_up: impl Future<Output = ()>) -> Result<Paid, Failure> {
        let outcome = tokio::select! {
            outcome = self.wait.ended() => outcome,
            () = given_up => None,
            _ = self.status.wait_for(|status| status.phase != Phase::Running) => None,
        };
        let Settled { preimage, fee_msat } = outcome.unwrap_or_else(|| Err(self.goes_on()))?;
        Ok(Paid { preimage, payment_hash: self.payment_hash, amount_msat: self.amount_msat, fee_msat })
    }

    fn goes_on(&self) -> Failure {
        let message = "the payment goes on: pay the same invoice again to wait for it, which never pays it twice";
        Failure::new(Reason::DeadlineExceeded, message).with("payment_hash", self.payment_hash)
    }
}

impl Node {
    /// Makes an invoice. Blocks on the disk.
    pub fn create_invoice(&self, new: &NewInvoice) -> Result<Invoice, Failure> {
        let amount_msat = new.amount_sat.map(amount_msat).transpose()?;
        let description = Description::new(new.description.clone())
            .map(Bolt11InvoiceDescription::Direct)
            .map_err(|_| field("description", "the description is too long: at most 639 bytes fit into an invoice"))?;
        let expiry_s = u32::try_from(new.expiry_s).ok().filter(|s| (1..=INVOICE_EXPIRY_S_MAX).contains(s));
        let expiry_s = expiry_s.ok_or_else(|| {
            field("expiry_s", format!("the expiry is not valid: give 1 to {INVOICE_EXPIRY_S_MAX} seconds"))
        })?;
        let made = self.inner.call_running(|ldk| match amount_msat {
            Some(msat) => ldk.bolt11_payment().receive(msat, &description, expiry_s),
            None => ldk.bolt11_payment().receive_variable_amount(&description, expiry_s),
        })?;
        made.map(|invoice| show(&invoice, None)).map_err(|error| failure("make an invoice", error))
    }

    /// What an invoice says that this node made, or paid, or tried to pay, and whether it is paid.
    pub fn invoice(&self, text: &str) -> Result<Invoice, Failure> {
        let invoice = read(text, self.inner.config.network)?;
        let id = PaymentId(invoice.payment_hash().to_byte_array());
        let payment = self.inner.call(|ldk| ldk.payment(&id)).ok_or_else(|| {
            let message = "this node neither made nor paid this invoice: ask the node that did";
            Failure::new(Reason::InvoiceNotFound, message)
        })?;
        let paid_msat = (payment.status == PaymentStatus::Succeeded).then(|| payment.amount_msat.unwrap_or(0));
        Ok(show(&invoice, paid_msat))
    }

    /// Begins to pay an invoice; [`Paying::ended`] waits for its end. An invoice whose payment is under way already
    /// isn't paid twice, but waited for; one that is paid is refused. Blocks for some milliseconds.
    pub fn pay_invoice(&self, pay: &PayInvoice) -> Result<Paying, Failure> {
        self.inner.check_running()?;
        let invoice = read(&pay.invoice, self.inner.config.network)?;
        let amount_msat = amount_to_pay(&invoice, pay.amount_sat)?;
        let payment_hash = PaymentHash(invoice.payment_hash().to_byte_array());
        let id = PaymentId(payment_hash.0);
        let payee = NodeId::from(invoice.get_payee_pub_key());
        if payee == self.inner.id {
            let message = "the invoice is this node's own: another node has to pay it";
            return Err(Failure::new(Reason::OwnPubkey, message));
        }
        // From now on, so that an event which comes at once isn't missed.
        let wait = self.inner.waiting.wait_for(payment_hash)?;
        let status = self.watch_status();
        let paying = |amount_msat| Paying { payment_hash, amount_msat, wait, status };
        if let Some(payment) = self.inner.call(|ldk| ldk.payment(&id)) {
            match payment.status {
                PaymentStatus::Succeeded => return Err(already_paid(payment_hash)),
                PaymentStatus::Pending => return Ok(paying(payment.amount_msat.unwrap_or(amount_msat))),
                PaymentStatus::Failed => {}
            }
        }
        if invoice.is_expired() {
            let message = "the invoice has expired: ask for a new one";
            return Err(Failure::new(Reason::InvoiceExpired, message));
        }
        let has_hints = !invoice.route_hints().is_empty();
        self.inner
            .call(|ldk| check::check(ldk, payee, amount_msat, Paths::Several { has_hints }))
            .map_err(cannot_pay)?;
        let fee_limit_msat = pay.fee_limit_msat.unwrap_or_else(|| fee_limit_msat_default(amount_msat));
        match self.send_for(&invoice, amount_msat, fee_limit_msat)? {
            // A payment may be on its way when its row could not be written.
            Ok(_) | Err(NodeError::DuplicatePayment | NodeError::PersistenceFailed) => Ok(paying(amount_msat)),
            Err(NodeError::PaymentSendingFailed) => Err(Failure::new(
                Reason::NoRoute,
                "no route to the payee carries this amount within the fee limit: try again later, or with a higher limit",
            )
            .with("fee_limit_msat", fee_limit_msat)),
            Err(error) => Err(failure("pay the invoice", error)),
        }
    }

    /// Hands the payment to ldk-node, always with a fee limit: without one there is none.
    fn send_for(
        &self,
        invoice: &Bolt11Invoice,
        amount_msat: u64,
        fee_limit_msat: u64,
    ) -> Result<Result<PaymentId, NodeError>, Failure> {
        let route = RouteParametersConfig { max_total_routing_fee_msat: Some(fee_limit_msat), ..Default::default() };
        self.inner.call_running(|ldk| match invoice.amount_milli_satoshis() {
            Some(_) => ldk.bolt11_payment().send(invoice, Some(route)),
            None => ldk.bolt11_payment().send_using_amount(invoice, amount_msat, Some(route)),
        })
    }
}

fn cannot_pay(error: SendError) -> Failure {
    match error {
        SendError::NotSent(failure) => failure,
        SendError::Busy | SendError::AlreadySent | SendError::Unclear(_) => Failure::new(
            Reason::PaymentFailed,
            "the channels have as many payments in flight as they may: try again when some have arrived",
        ),
    }
}

fn already_paid(payment_hash: PaymentHash) -> Failure {
    let message = "the invoice is paid already: Node.ListPayments shows the payment and its preimage";
    Failure::new(Reason::AlreadyPaid, message).with("payment_hash", payment_hash)
}

fn read(text: &str, network: Network) -> Result<Bolt11Invoice, Failure> {
    let invalid = |problem: String| Failure::new(Reason::InvalidInvoice, problem);
    let text = text.trim();
    if text.len() > INVOICE_BYTES_MAX {
        return Err(invalid(format!("the invoice is longer than {INVOICE_BYTES_MAX} characters, and so none")));
    }
    let text = text.strip_prefix("lightning:").unwrap_or(text);
    let invoice = Bolt11Invoice::from_str(text)
        .map_err(|_| invalid("this is no BOLT 11 invoice: look for a missing or wrong character".to_owned()))?;
    if invoice.network() != network {
        let message = format!("the invoice is for {}, and this node is on {network}", invoice.network());
        return Err(invalid(message).with("network", network));
    }
    Ok(invoice)
}

fn amount_to_pay(invoice: &Bolt11Invoice, amount_sat: Option<u64>) -> Result<u64, Failure> {
    match (invoice.amount_milli_satoshis(), amount_sat) {
        (Some(msat), None) => Ok(msat),
        (Some(_), Some(_)) => Err(field("amount_sat", "the invoice names its amount: leave amount_sat out")),
        (None, Some(sat)) => amount_msat(sat),
        (None, None) => Err(field("amount_sat", "the invoice names no amount: give the satoshi to pay")),
    }
}

fn amount_msat(sat: u64) -> Result<u64, Failure> {
    if !(1..=INVOICE_AMOUNT_SAT_MAX).contains(&sat) {
        let message = format!("the amount is not valid: give 1 to {INVOICE_AMOUNT_SAT_MAX} sat");
        return Err(Failure::new(Reason::InvalidAmount, message).with("amount_sat_max", INVOICE_AMOUNT_SAT_MAX));
    }
    Ok(sat.saturating_mul(1_000))
}

fn show(invoice: &Bolt11Invoice, paid_msat: Option<u64>) -> Invoice {
    let created = invoice.duration_since_epoch();
    Invoice {
        text: invoice.to_string(),
        payment_hash: PaymentHash(invoice.payment_hash().to_byte_array()),
        payee: invoice.get_payee_pub_key().into(),
        amount_msat: invoice.amount_milli_satoshis(),
        description: match invoice.description() {
            Bolt11InvoiceDescriptionRef::Direct(text) => text.to_string(),
            Bolt11InvoiceDescriptionRef::Hash(_) => String::new(),
        },
        created_at_ms: ms(created),
        expires_at_ms: ms(invoice.expires_at().unwrap_or(Duration::MAX)),
        paid_msat,
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BOLT 11's examples: one without an amount, and one over 2,500 µBTC; both for mainnet, both expired.
    const ANY_AMOUNT: &str = "lnbc1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq9qrsgq357wnc5r2ueh7ck6q93dj32dlqnls087fxdwk8qakdyafkq3yap9us6v52vjjsrvywa6rt52cm9r9zqt8r2t7mlcwspyetp5h2tztugp9lfyql";
    const A_COFFEE: &str = "lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpu9qrsgquk0rl77nj30yxdy8j9vdx85fkpmdla2087ne0xh8nhedh8w27kyke0lp53ut353s06fv3qfegext0eh0ymjpf39tuven09sam30g4vgpfna3rh";

    #[test]
    fn what_an_invoice_says_is_shown() {
        let invoice = show(&read(&format!("lightning:{A_COFFEE} "), Network::Bitcoin).unwrap(), Some(5));
        assert_eq!(invoice.text, A_COFFEE);
        assert_eq!((invoice.amount_msat, invoice.paid_msat), (Some(250_000_000), Some(5)));
        assert_eq!(invoice.description, "1 cup coffee");
        assert_eq!(invoice.expires_at_ms - invoice.created_at_ms, 60_000);
        assert_eq!(invoice.payee.to_string(), "03e7156ae33b0a208d0744199163177e909e80176e55d97a2f221ede0f934dd9ad");
    }

    #[test]
    fn what_is_no_invoice_or_is_for_another_network_is_refused() {
        let reason = |text: &str, network| read(text, network).unwrap_err().reason;
        for text in ["", "lnbc1", "hello", &A_COFFEE[..80], &A_COFFEE.replace('q', "p"), &"l".repeat(100_000)] {
            assert_eq!(reason(text, Network::Bitcoin), Reason::InvalidInvoice, "{text}");
        }
        assert_eq!(reason(A_COFFEE, Network::Regtest), Reason::InvalidInvoice);
    }

    #[test]
    fn an_amount_is_given_where_the_invoice_has_none_and_only_there() {
        let [coffee, any] = [A_COFFEE, ANY_AMOUNT].map(|text| read(text, Network::Bitcoin).unwrap());
        assert_eq!(amount_to_pay(&coffee, None).unwrap(), 250_000_000);
        assert_eq!(amount_to_pay(&any, Some(3)).unwrap(), 3_000);
        assert_eq!(amount_to_pay(&coffee, Some(250_000)).unwrap_err().metadata["field"], "amount_sat");
        assert_eq!(amount_to_pay(&any, None).unwrap_err().metadata["field"], "amount_sat");
        for sat in [0, INVOICE_AMOUNT_SAT_MAX + 1, u64::MAX] {
            assert_eq!(amount_to_pay(&any, Some(sat)).unwrap_err().reason, Reason::InvalidAmount, "{sat}");
        }
    }
}
