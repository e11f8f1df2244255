//! `signing.Signing`: texts signed with the node's key, as clients of the API family sign and verify them.

use boltgram_api::signing::{
    SignMessageRequest, SignMessageResponse, VerifySignatureRequest, VerifySignatureResponse, signing_server,
};
use tonic::{Request, Response, Status, async_trait};

use super::ask::Ask;

/// Serves it over the Lightning node.
#[derive(Clone)]
pub struct Signing {
    node: Ask,
}

impl Signing {
    /// Over this node.
    pub fn new(node: Ask) -> Self {
        Self { node }
    }
}

#[async_trait]
impl signing_server::Signing for Signing {
    async fn sign_message(
        &self,
        request: Request<SignMessageRequest>,
    ) -> Result<Response<SignMessageResponse>, Status> {
        let request = request.into_inner();
        let signature = self.node.ask(move |node| node.sign_text(&request.msg)).await?;
        Ok(Response::new(SignMessageResponse { signature }))
    }

    async fn verify_signature(
        &self,
        request: Request<VerifySignatureRequest>,
    ) -> Result<Response<VerifySignatureResponse>, Status> {
        let request = request.into_inner();
        let verified = self.node.ask(move |node| Ok(node.verify_text(&request.msg, &request.signature, None))).await?;
        Ok(Response::new(VerifySignatureResponse { result: verified.is_valid }))
    }
}
