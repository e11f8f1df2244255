//! `boltgram.v1.Node`: the node's state, wallet, peers, channels, payments and key.
//!
//! | module | what it holds |
//! |---|---|
//! | `request` | requests in the node's own words |
//! | `show` | the node's answers as the API shows them |

mod jit;
mod request;
mod show;

use boltgram_api::v1::{self, node_server};
use boltgram_core::NodeId;
use boltgram_lightning::Node as LightningNode;
use tonic::{Request, Response, Status, async_trait};

use super::{ask::Ask, convert::signed, deadline, status::from_failure};

/// Serves it over the Lightning node.
#[derive(Clone)]
pub struct Node {
    node: Ask,
}

impl Node {
    /// Over this node.
    pub fn new(node: Ask) -> Self {
        Self { node }
    }
}

#[async_trait]
impl node_server::Node for Node {
    async fn get_info(&self, _: Request<v1::GetInfoRequest>) -> Result<Response<v1::GetInfoResponse>, Status> {
        let info = self.node.ask(|node| Ok(node.info())).await?;
        Ok(Response::new(show::info(info)))
    }

    async fn balances(&self, _: Request<v1::BalancesRequest>) -> Result<Response<v1::BalancesResponse>, Status> {
        let balances = self.node.ask(|node| Ok(node.balances())).await?;
        Ok(Response::new(v1::BalancesResponse {
            total_onchain_sat: signed(balances.total_onchain_sat),
            spendable_onchain_sat: signed(balances.spendable_onchain_sat),
            anchor_reserve_sat: signed(balances.anchor_reserve_sat),
            total_lightning_sat: signed(balances.total_lightning_sat),
            outbound_msat: signed(balances.outbound_msat),
            inbound_msat: signed(balances.inbound_msat),
        }))
    }

    async fn new_address(&self, _: Request<v1::NewAddressRequest>) -> Result<Response<v1::NewAddressResponse>, Status> {
        let address = self.node.ask(LightningNode::new_address).await?;
        Ok(Response::new(v1::NewAddressResponse { address }))
    }

    async fn send_onchain(
        &self,
        request: Request<v1::SendOnchainRequest>,
    ) -> Result<Response<v1::SendOnchainResponse>, Status> {
        let request = request.into_inner();
        let amount = request::onchain_amount(&request)?;
        let fee_rate = request::fee_rate(&request)?;
        let txid = self.node.ask(move |node| node.send_onchain(&request.address, amount, fee_rate)).await?;
        Ok(Response::new(v1::SendOnchainResponse { txid }))
    }

    async fn connect(&self, request: Request<v1::ConnectRequest>) -> Result<Response<v1::ConnectResponse>, Status> {
        let request = request.into_inner();
        let peer: NodeId = request.pubkey.parse().map_err(from_failure)?;
        let persist = request.persist.unwrap_or(true);
        self.node.ask(move |node| node.connect(peer, &request.address, persist)).await?;
        Ok(Response::new(v1::ConnectResponse {}))
    }

    async fn disconnect(
        &self,
        request: Request<v1::DisconnectRequest>,
    ) -> Result<Response<v1::DisconnectResponse>, Status> {
        let peer: NodeId = request.into_inner().pubkey.parse().map_err(from_failure)?;
        self.node.ask(move |node| node.disconnect(peer)).await?;
        Ok(Response::new(v1::DisconnectResponse {}))
    }

    async fn list_peers(&self, _: Request<v1::ListPeersRequest>) -> Result<Response<v1::ListPeersResponse>, Status> {
        let peers = self.node.ask(|node| Ok(node.list_peers())).await?;
        Ok(Response::new(v1::ListPeersResponse { peers: peers.into_iter().map(show::peer).collect() }))
    }

    async fn open_channel(
        &self,
        request: Request<v1::OpenChannelRequest>,
    ) -> Result<Response<v1::OpenChannelResponse>, Status> {
        let (channel, count) = request::open_channels(request.into_inner())?;
        let opened = self.node.ask(move |node| node.open_channels(&channel, count)).await?;
        Ok(Response::new(show::opened(opened)))
    }

    async fn list_channels(
        &self,
        _: Request<v1::ListChannelsRequest>,
    ) -> Result<Response<v1::ListChannelsResponse>, Status> {
        let channels = self.node.ask(|node| Ok(node.list_channels())).await?;
        Ok(Response::new(v1::ListChannelsResponse { channels: channels.into_iter().map(show::channel).collect() }))
    }

    async fn close_channel(
        &self,
        request: Request<v1::CloseChannelRequest>,
    ) -> Result<Response<v1::CloseChannelResponse>, Status> {
        let request = request.into_inner();
        self.node.ask(move |node| node.close_channel(&request.channel_id, request.force)).await?;
        Ok(Response::new(v1::CloseChannelResponse {}))
    }

    async fn create_jit_invoice(
        &self,
        request: Request<v1::CreateJitInvoiceRequest>,
    ) -> Result<Response<v1::CreateJitInvoiceResponse>, Status> {
        let request = jit::read(request.into_inner())?;
        let made = self.node.ask(move |node| node.create_jit_invoice(&request)).await?;
        Ok(Response::new(jit::show(made)))
    }

    async fn list_payments(
        &self,
        request: Request<v1::ListPaymentsRequest>,
    ) -> Result<Response<v1::ListPaymentsResponse>, Status> {
        let (limit, after) = request::payments_page(&request.into_inner())?;
        let page = self.node.ask(move |node| Ok(node.list_payments(limit, after))).await?;
        Ok(Response::new(v1::ListPaymentsResponse {
            payments: page.payments.into_iter().map(show::payment).collect(),
            next_page_token: page.next.map(|key| key.to_string()).unwrap_or_default(),
        }))
    }

    async fn create_invoice(
        &self,
        request: Request<v1::CreateInvoiceRequest>,
    ) -> Result<Response<v1::CreateInvoiceResponse>, Status> {
        let new = request::new_invoice(request.into_inner())?;
        let invoice = self.node.ask(move |node| node.create_invoice(&new)).await?;
        Ok(Response::new(show::created_invoice(invoice)))
    }

    async fn pay_invoice(
        &self,
        request: Request<v1::PayInvoiceRequest>,
    ) -> Result<Response<v1::PayInvoiceResponse>, Status> {
        let wait = deadline::wait(request.metadata());
        let pay = request::pay_invoice(request.into_inner())?;
        let paid = self.node.pay(pay, wait).await?;
        Ok(Response::new(show::paid(paid)))
    }

    async fn get_invoice(
        &self,
        request: Request<v1::GetInvoiceRequest>,
    ) -> Result<Response<v1::GetInvoiceResponse>, Status> {
        let request = request.into_inner();
        let invoice = self.node.ask(move |node| node.invoice(&request.invoice)).await?;
        Ok(Response::new(show::invoice(invoice)))
    }

    async fn sign(&self, request: Request<v1::SignRequest>) -> Result<Response<v1::SignResponse>, Status> {
        let request = request.into_inner();
        let signature = self.node.ask(move |node| node.sign_text(&request.text)).await?;
        Ok(Response::new(v1::SignResponse { signature }))
    }

    async fn verify(&self, request: Request<v1::VerifyRequest>) -> Result<Response<v1::VerifyResponse>, Status> {
        let request = request.into_inner();
        let expected = match request.pubkey.as_str() {
            "" => None,
            pubkey => Some(pubkey.parse().map_err(from_failure)?),
        };
        let verified =
            self.node.ask(move |node| Ok(node.verify_text(&request.text, &request.signature, expected))).await?;
        Ok(Response::new(v1::VerifyResponse {
            valid: verified.is_valid,
            pubkey: verified.signer.map(|signer| signer.to_string()).unwrap_or_default(),
        }))
    }

    async fn sync(&self, _: Request<v1::SyncRequest>) -> Result<Response<v1::SyncResponse>, Status> {
        let height = self.node.ask(LightningNode::sync).await?;
        Ok(Response::new(v1::SyncResponse { block_height: height.into() }))
    }
}
