//! `lightning.Lightning`: invoices, as clients of the API family make, pay and check them.

use boltgram_api::lightning::{
    CheckInvoiceRequest, CheckInvoiceResponse, GenerateInvoiceRequest, GenerateInvoiceResponse, PayInvoiceRequest,
    PayInvoiceResponse, lightning_server,
};
use boltgram_lightning::{
    control::{NewInvoice, PayInvoice},
    limits::INVOICE_EXPIRY_S_DEFAULT,
};
use data_encoding::HEXLOWER;
use tonic::{Request, Response, Status, async_trait};

use super::{ask::Ask, convert::amount_sat, deadline};

/// Serves it over the Lightning node.
#[derive(Clone)]
pub struct Lightning {
    node: Ask,
}

impl Lightning {
    /// Over this node.
    pub fn new(node: Ask) -> Self {
        Self { node }
    }
}

#[async_trait]
impl lightning_server::Lightning for Lightning {
    async fn generate_invoice(
        &self,
        request: Request<GenerateInvoiceRequest>,
    ) -> Result<Response<GenerateInvoiceResponse>, Status> {
        let request = request.into_inner();
        let new = NewInvoice {
            amount_sat: Some(amount_sat(request.amount)?).filter(|sat| *sat > 0),
            description: request.memo,
            expiry_s: INVOICE_EXPIRY_S_DEFAULT.into(),
        };
        let invoice = self.node.ask(move |node| node.create_invoice(&new)).await?;
        Ok(Response::new(GenerateInvoiceResponse { invoice: invoice.text }))
    }

    async fn pay_invoice(&self, request: Request<PayInvoiceRequest>) -> Result<Response<PayInvoiceResponse>, Status> {
        let wait = deadline::wait(request.metadata());
        let pay = PayInvoice { invoice: request.into_inner().invoice, amount_sat: None, fee_limit_msat: None };
        let paid = self.node.pay(pay, wait).await?;
        Ok(Response::new(PayInvoiceResponse { preimage: HEXLOWER.encode(&paid.preimage.0) }))
    }

    async fn check_invoice(
        &self,
        request: Request<CheckInvoiceRequest>,
    ) -> Result<Response<CheckInvoiceResponse>, Status> {
        let request = request.into_inner();
        let invoice = self.node.ask(move |node| node.invoice(&request.invoice)).await?;
        Ok(Response::new(CheckInvoiceResponse { paid: invoice.paid_msat.is_some() }))
    }
}
