//! The answer of a unary RPC as an HTTP response.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use prost_reflect::{DynamicMessage, MessageDescriptor};
use tonic::{Status, metadata::MetadataMap};

use super::{headers, json};

/// The answer's message, from its bytes.
pub(super) fn decode(output: &MessageDescriptor, message: Bytes) -> Result<DynamicMessage, Status> {
    DynamicMessage::decode(output.clone(), message)
        .map_err(|error| Status::internal(format!("the answer is no {}: {error}", output.full_name())))
}

/// The response headers of an answer.
pub(super) fn answer_headers(content_type: &'static str, metadata: &MetadataMap) -> HeaderMap {
    let mut answer = HeaderMap::new();
    answer.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers::copy_from_answer(metadata, &mut answer);
    answer
}

/// The whole response of a unary RPC.
pub(super) fn unary(output: &MessageDescriptor, answer: tonic::Response<Bytes>) -> Result<Response, Status> {
    let (metadata, message, _) = answer.into_parts();
    let json = json::write(&decode(output, message)?)?;
    Ok((answer_headers("application/json", &metadata), json).into_response())
}
