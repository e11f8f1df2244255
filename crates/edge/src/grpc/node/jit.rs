//! `boltgram.v1.Node.CreateJitInvoice`: its request and answer in the Lightning node's words.

use boltgram_api::v1;
use boltgram_lightning::control::{JitInvoice, JitInvoiceRequest};
use tonic::Status;

use crate::grpc::convert::{count, invalid_field, signed};

/// What is asked for; the node itself has the bounds.
pub(super) fn read(request: v1::CreateJitInvoiceRequest) -> Result<JitInvoiceRequest, Status> {
    let expiry_s = u32::try_from(count("expiry_s", request.expiry_s)?);
    Ok(JitInvoiceRequest {
        amount_msat: count("amount_msat", request.amount_msat)?,
        description: request.description,
        expiry_s: expiry_s.map_err(|_| invalid_field("expiry_s", "is too large: give at most a year"))?,
        fee_limit_msat: request.fee_limit_msat.map(|limit| count("fee_limit_msat", limit)).transpose()?,
    })
}

/// What was made.
pub(super) fn show(made: JitInvoice) -> v1::CreateJitInvoiceResponse {
    v1::CreateJitInvoiceResponse {
        invoice: made.invoice,
        payment_hash: made.payment_hash,
        fee_msat: signed(made.fee_msat),
        expires_at_ms: signed(made.expires_at_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;

    #[test]
    fn a_number_that_cannot_be_meant_is_refused_by_its_name() {
        let request = v1::CreateJitInvoiceRequest::default;
        for (name, wrong) in [
            ("amount_msat", v1::CreateJitInvoiceRequest { amount_msat: -1, ..request() }),
            ("expiry_s", v1::CreateJitInvoiceRequest { expiry_s: -1, ..request() }),
            ("expiry_s", v1::CreateJitInvoiceRequest { expiry_s: i64::MAX, ..request() }),
            ("fee_limit_msat", v1::CreateJitInvoiceRequest { fee_limit_msat: Some(-1), ..request() }),
        ] {
            let status = read(wrong).unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument);
            assert!(status.message().starts_with(name), "{status:?}");
        }
        assert_eq!(read(request()).unwrap().fee_limit_msat, None);
    }
}
