//! A server stream as server-sent events (WHATWG HTML, section 9.2), with resumption by `Last-Event-ID`.

use std::{convert::Infallible, time::Duration};

use axum::response::{
    IntoResponse, Response, Sse,
    sse::{Event, KeepAlive},
};
use futures_util::StreamExt as _;
use http::{HeaderMap, header};
use prost_reflect::{DynamicMessage, Kind, ReflectMessage as _, Value};
use tonic::{Status, metadata::MetadataMap};

use super::{
    headers,
    stream::{Frame, RpcStream},
};

/// The request field that `Last-Event-ID` fills, if the request's type has it.
const RESUME_FIELD: &str = "after_sequence";

/// Whether the client asks for events.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_events = parts.next().is_some_and(|media_type| media_type.eq_ignore_ascii_case("text/event-stream"));
        let is_refused = |weight: &str| weight.parse().is_ok_and(|weight: f32| weight == 0.0);
        is_events && !parts.any(|part| part.strip_prefix("q=").is_some_and(is_refused))
    })
}

/// Lets a client that comes again go on after the last event that it has seen; this outranks its query.
pub(super) fn resume(headers: &HeaderMap, request: &mut DynamicMessage) -> Result<(), Status> {
    let Some(last) = headers.get("last-event-id").filter(|value| !value.is_empty()) else { return Ok(()) };
    let Some(field) = request.descriptor().get_field_by_name(RESUME_FIELD) else { return Ok(()) };
    let text = last.to_str().unwrap_or_default();
    let sequence = match field.kind() {
        Kind::Int64 => text.parse().map(Value::I64).ok(),
        Kind::Uint64 => text.parse().map(Value::U64).ok(),
        _ => return Ok(()),
    };
    let problem = || Status::invalid_argument("header Last-Event-ID: not the id of an event of this stream");
    request.try_set_field(&field, sequence.ok_or_else(problem)?).map_err(|_| problem())
}

/// The stream as events.
pub(super) fn events(rpc: RpcStream, metadata: &MetadataMap, keep_alive_interval: Duration) -> Response {
    let events = rpc.into_frames().map(|frame| {
        Ok::<_, Infallible>(match frame {
            Frame::Result { json, sequence: Some(sequence) } => Event::default().id(sequence).data(json),
            Frame::Result { json, sequence: None } | Frame::Error { json } => Event::default().data(json),
        })
    });
    let keep_alive = KeepAlive::new().interval(keep_alive_interval);
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    headers::copy_from_answer(metadata, response.headers_mut());
    response
}
