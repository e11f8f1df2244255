//! Just-in-time channels: an invoice whose payment makes the configured provider open a channel to this node (LSPS2,
//! bLIP 52). Other invoices don't live here.
//!
//! An invoice has an amount always: for one that the payer chooses, ldk-node 0.7.1 can limit the provider's
//! proportional fee alone, and refuses the payment later when its smallest fee is above that.

use std::time::Duration;

use boltgram_core::{Failure, Reason};
use ldk_node::{
    NodeError,
    lightning::ln::channelmanager::PaymentId,
    lightning_invoice::{Bolt11Invoice, Bolt11InvoiceDescription, Description},
    payment::PaymentKind,
};

use super::field;
use crate::{
    errors::failure,
    limits::{
        INVOICE_AMOUNT_MSAT_MAX, INVOICE_DESCRIPTION_BYTES_MAX, INVOICE_EXPIRY_S_DEFAULT, INVOICE_EXPIRY_S_MAX,
        LSP_FEE_LIMIT_PERCENT,
    },
    node::Node,
};

/// What is asked of the provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JitInvoiceRequest {
    /// What the payer pays, in millisatoshi.
    pub amount_msat: u64,
    /// What the payer is told that it is for.
    pub description: String,
    /// How long the invoice is good for, in seconds; 0: an hour.
    pub expiry_s: u32,
    /// How much of the amount the provider may keep, in millisatoshi; `None`: half of it.
    pub fee_limit_msat: Option<u64>,
}

/// An invoice that can be paid once the provider has agreed to open a channel for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JitInvoice {
    /// The invoice as text (BOLT 11).
    pub invoice: String,
    /// The payment's hash, as 64 hex digits.
    pub payment_hash: String,
    /// How much of the amount the provider keeps, in millisatoshi. Nothing is owed until the invoice is paid.
    pub fee_msat: u64,
    /// Until when it can be paid, Unix time in milliseconds.
    pub expires_at_ms: u64,
}

impl Node {
    /// Makes an invoice over a channel that the configured provider opens when it is paid. The channel can be used
    /// at once, and no coins are needed on chain. Blocks, at most some 20 s: it asks the provider.
    pub fn create_jit_invoice(&self, request: &JitInvoiceRequest) -> Result<JitInvoice, Failure> {
        let description = checked(request)?;
        let Some(lsp) = &self.inner.config.lsp else {
            let message = "no provider of just-in-time channels is configured: set lsps2_node to one that you trust";
            return Err(Failure::new(Reason::NoLsp, message));
        };
        self.inner.check_running()?;
        // Beforehand, since it tells an unreachable provider apart, and bounds the time.
        self.dial(lsp.node_id, lsp.address.clone(), false)?;
        let expiry_s = if request.expiry_s == 0 { INVOICE_EXPIRY_S_DEFAULT } else { request.expiry_s };
        let fee_limit_msat = request.fee_limit_msat.unwrap_or(request.amount_msat * LSP_FEE_LIMIT_PERCENT / 100);
        let made = self.inner.call_running(|ldk| {
            let payment = ldk.bolt11_payment();
            payment.receive_via_jit_channel(request.amount_msat, &description, expiry_s, Some(fee_limit_msat))
        })?;
        self.made(&made.map_err(|error| refused(error, fee_limit_msat))?)
    }

    fn made(&self, invoice: &Bolt11Invoice) -> Result<JitInvoice, Failure> {
        let id = PaymentId(*invoice.payment_hash().as_ref());
        let payment = self.inner.call(|ldk| ldk.payment(&id));
        let fee_msat = payment.and_then(|payment| match payment.kind {
            PaymentKind::Bolt11Jit { lsp_fee_limits, .. } => lsp_fee_limits.max_total_opening_fee_msat,
            _ => None,
        });
        let fee_msat = fee_msat
            .ok_or_else(|| Failure::new(Reason::NodeError, "the invoice was made and not kept: make another one"))?;
        let expires_at_ms = invoice.expires_at().as_ref().map_or(0, Duration::as_millis);
        Ok(JitInvoice {
            invoice: invoice.to_string(),
            payment_hash: invoice.payment_hash().to_string(),
            fee_msat,
            expires_at_ms: u64::try_from(expires_at_ms).unwrap_or(u64::MAX),
        })
    }
}

/// The request's description, when the rest of it is right too.
fn checked(request: &JitInvoiceRequest) -> Result<Bolt11InvoiceDescription, Failure> {
    if !(1..=INVOICE_AMOUNT_MSAT_MAX).contains(&request.amount_msat) {
        return Err(field("amount_msat", format!("the amount must be from 1 to {INVOICE_AMOUNT_MSAT_MAX} msat")));
    }
    if request.expiry_s > INVOICE_EXPIRY_S_MAX {
        return Err(field("expiry_s", format!("the invoice can be good for at most {INVOICE_EXPIRY_S_MAX} s")));
    }
    let description = Some(&request.description).filter(|text| text.len() <= INVOICE_DESCRIPTION_BYTES_MAX);
    let description = description.and_then(|text| Description::new(text.clone()).ok());
    description.map(Bolt11InvoiceDescription::Direct).ok_or_else(|| {
        field("description", format!("the description may have at most {INVOICE_DESCRIPTION_BYTES_MAX} bytes"))
    })
}

/// Why the provider makes no offer that suits.
fn refused(error: NodeError, fee_limit_msat: u64) -> Failure {
    match error {
        NodeError::LiquidityFeeTooHigh => {
            let message = format!(
                "the provider wants more than {fee_limit_msat} msat for the channel: allow a higher fee, or ask for a \
                larger amount"
            );
            Failure::new(Reason::LspFeeTooHigh, message).with("fee_limit_msat", fee_limit_msat)
        }
        NodeError::LiquidityRequestFailed => {
            let message = "the provider made no offer: it serves no LSPS2, doesn't take the amount, or refuses \
            lsps2_token. See its own limits, then try again";
            Failure::new(Reason::LspFailed, message)
        }
        other => failure("make an invoice over a just-in-time channel", other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> JitInvoiceRequest {
        JitInvoiceRequest { amount_msat: 1_000, description: String::new(), expiry_s: 0, fee_limit_msat: None }
    }

    #[test]
    fn each_wrong_field_is_named() {
        checked(&request()).unwrap();
        let long = "x".repeat(INVOICE_DESCRIPTION_BYTES_MAX);
        checked(&JitInvoiceRequest { description: long.clone(), ..request() }).unwrap();
        for (name, wrong) in [
            ("amount_msat", JitInvoiceRequest { amount_msat: 0, ..request() }),
            ("amount_msat", JitInvoiceRequest { amount_msat: u64::MAX, ..request() }),
            ("expiry_s", JitInvoiceRequest { expiry_s: u32::MAX, ..request() }),
            ("description", JitInvoiceRequest { description: long + "x", ..request() }),
        ] {
            let failure = checked(&wrong).unwrap_err();
            assert_eq!((failure.reason, failure.metadata["field"].as_str()), (Reason::InvalidField, name));
        }
    }

    #[test]
    fn what_the_provider_refuses_says_what_to_change() {
        let failure = refused(NodeError::LiquidityFeeTooHigh, 5_000);
        assert_eq!((failure.reason, failure.metadata["fee_limit_msat"].as_str()), (Reason::LspFeeTooHigh, "5000"));
        assert_eq!(refused(NodeError::LiquidityRequestFailed, 0).reason, Reason::LspFailed);
        assert_eq!(refused(NodeError::PersistenceFailed, 0).reason, Reason::NodeError);
    }
}
