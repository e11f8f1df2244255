//! Requests of the API in the node's own words.

use boltgram_api::v1;
use boltgram_lightning::{
    control::{NewInvoice, OnchainAmount, OpenChannel, PayInvoice, PaymentKey},
    limits::{INVOICE_EXPIRY_S_DEFAULT, PAGE_PAYMENTS_DEFAULT, PAGE_PAYMENTS_MAX},
};
use tonic::Status;

use crate::grpc::{
    convert::{count, invalid_field},
    status::from_failure,
};

/// The kind of channel, and how many.
pub(super) fn open_channels(request: v1::OpenChannelRequest) -> Result<(OpenChannel, usize), Status> {
    let many = match usize::try_from(request.count) {
        Ok(0) => 1,
        Ok(count) => count,
        Err(_) => return Err(invalid_field("count", "is negative: give 0 or more")),
    };
    let channel = OpenChannel {
        peer: request.pubkey.parse().map_err(from_failure)?,
        address: Some(request.address).filter(|address| !address.is_empty()),
        capacity_sat: count("capacity_sat", request.capacity_sat)?,
        push_sat: count("push_sat", request.push_sat)?,
        announce: request.announce,
    };
    Ok((channel, many))
}

/// Either an amount or all.
pub(super) fn onchain_amount(request: &v1::SendOnchainRequest) -> Result<OnchainAmount, Status> {
    match (count("amount_sat", request.amount_sat)?, request.all) {
        (0, true) => Ok(OnchainAmount::All),
        (0, false) => Err(invalid_field("amount_sat", "is missing: give satoshi, or set all")),
        (sat, false) => Ok(OnchainAmount::Sat(sat)),
        (_, true) => Err(invalid_field("all", "stands beside an amount: give one of both")),
    }
}

pub(super) fn fee_rate(request: &v1::SendOnchainRequest) -> Result<Option<u64>, Status> {
    request.fee_rate_sat_per_vb.map(|rate| count("fee_rate_sat_per_vb", rate)).transpose()
}

/// The page's size, and what it begins after.
pub(super) fn payments_page(request: &v1::ListPaymentsRequest) -> Result<(usize, Option<PaymentKey>), Status> {
    let limit = match usize::try_from(request.page_size) {
        Ok(0) => PAGE_PAYMENTS_DEFAULT,
        Ok(size) => size.min(PAGE_PAYMENTS_MAX),
        Err(_) => return Err(invalid_field("page_size", "is negative: give 0 or more")),
    };
    let after = match request.page_token.as_str() {
        "" => None,
        token => Some(token.parse().map_err(from_failure)?),
    };
    Ok((limit, after))
}

pub(super) fn new_invoice(request: v1::CreateInvoiceRequest) -> Result<NewInvoice, Status> {
    Ok(NewInvoice {
        amount_sat: optional_amount(count("amount_sat", request.amount_sat)?),
        description: request.description,
        expiry_s: match count("expiry_s", request.expiry_s)? {
            0 => INVOICE_EXPIRY_S_DEFAULT.into(),
            seconds => seconds,
        },
    })
}

pub(super) fn pay_invoice(request: v1::PayInvoiceRequest) -> Result<PayInvoice, Status> {
    let fee_limit_sat = request.fee_limit_sat.map(|sat| count("fee_limit_sat", sat)).transpose()?;
    Ok(PayInvoice {
        amount_sat: optional_amount(count("amount_sat", request.amount_sat)?),
        invoice: request.invoice,
        fee_limit_msat: fee_limit_sat.map(|sat| sat.saturating_mul(1_000)),
    })
}

/// 0 stands for an amount that is left out.
fn optional_amount(sat: u64) -> Option<u64> {
    (sat > 0).then_some(sat)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_chain_an_amount_or_all_is_sent_never_both_or_none() {
        let amount =
            |amount_sat, all| onchain_amount(&v1::SendOnchainRequest { amount_sat, all, ..Default::default() }).ok();
        assert_eq!(amount(5, false), Some(OnchainAmount::Sat(5)));
        assert_eq!(amount(0, true), Some(OnchainAmount::All));
        for (sat, all) in [(0, false), (5, true), (-1, false), (-1, true)] {
            assert_eq!(amount(sat, all), None, "{sat} {all}");
        }
    }

    #[test]
    fn a_page_of_payments_is_bounded() {
        let limit = |page_size| payments_page(&v1::ListPaymentsRequest { page_size, ..Default::default() }).ok();
        assert_eq!(limit(0), Some((PAGE_PAYMENTS_DEFAULT, None)));
        assert_eq!(limit(i32::MAX), Some((PAGE_PAYMENTS_MAX, None)));
        assert_eq!(limit(-1), None);
    }
}
