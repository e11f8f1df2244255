//! The request message of an RPC, out of an HTTP request: its JSON body or its query, and its path's variables.

use std::{collections::HashSet, time::Duration};

use axum::{body::Body, extract::Query};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Uri, header};
use http_body_util::BodyExt as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use serde_json::json;
use tonic::Status;

use super::{
    error::Refusal,
    json,
    route::{FieldPath, Route, Variable, nested_mut},
};
use crate::limits::{BODY_BYTES_DISCARDED_MAX, BODY_READ_TIMEOUT_S, QUERY_NAME_PARTS_MAX};

/// Reads a body of at most `bytes_max` bytes.
pub(super) async fn read_body(headers: &HeaderMap, body: Body, bytes_max: usize) -> Result<Bytes, Refusal> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    // A client that asks first needs no more than the refusal.
    if headers.contains_key(header::EXPECT) && announced.is_some_and(|bytes| bytes > bytes_max) {
        return Err(Refusal::body_too_long(bytes_max));
    }
    let timeout = Duration::from_secs(BODY_READ_TIMEOUT_S);
    tokio::time::timeout(timeout, read_frames(body, bytes_max)).await.unwrap_or_else(|_| {
        Err(Status::invalid_argument(format!("the request body did not arrive within {BODY_READ_TIMEOUT_S} s")).into())
    })
}

async fn read_frames(mut body: Body, bytes_max: usize) -> Result<Bytes, Refusal> {
    let (mut kept, mut read_bytes) = (BytesMut::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Status::invalid_argument("the request body broke off; send it again"))?;
        let Ok(data) = frame.into_data() else { continue };
        read_bytes = read_bytes.saturating_add(data.len());
        if read_bytes <= bytes_max {
            kept.extend_from_slice(&data);
        } else if read_bytes > BODY_BYTES_DISCARDED_MAX {
            break;
        }
    }
    if read_bytes > bytes_max { Err(Refusal::body_too_long(bytes_max)) } else { Ok(kept.freeze()) }
}

/// The request message: from the body if the route takes one, else from the query; then the path's variables.
pub(super) fn message(
    route: &Route,
    variables: Vec<Variable>,
    uri: &Uri,
    body: &[u8],
) -> Result<DynamicMessage, Status> {
    let Query(query) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|rejection| Status::invalid_argument(rejection.body_text()))?;
    let mut message = if route.takes_body {
        if let Some((name, _)) = query.first().filter(|_| route.is_strict) {
            return Err(invalid(&format!("query parameter {name}"), "put it into the JSON body here"));
        }
        json::read(&route.input, body, route.is_strict)?
    } else {
        let mut message = DynamicMessage::new(route.input.clone());
        fill_from_query(&mut message, query, route.is_strict)?;
        message
    };
    for (field, text) in variables {
        fill_from_path(&mut message, &field, &text)?;
    }
    Ok(message)
}

fn invalid(place: &str, problem: &str) -> Status {
    Status::invalid_argument(format!("{place}: {problem}"))
}

fn fill_from_query(message: &mut DynamicMessage, query: Vec<(String, String)>, is_strict: bool) -> Result<(), Status> {
    let mut seen = HashSet::new();
    for (name, text) in query {
        let place = format!("query parameter {name}");
        let Some(field) = find_field(&message_type(message), &name) else {
            if is_strict {
                return Err(invalid(&place, "the request has no such field"));
            }
            continue;
        };
        let Some((leaf, parents)) = field.split_last() else { continue };
        let is_first = seen.insert(field.iter().map(FieldDescriptor::number).collect::<Vec<_>>());
        if !is_first && !leaf.is_list() {
            return Err(invalid(&place, "it is given twice"));
        }
        let value = parse(leaf, &text).map_err(|problem| invalid(&place, &problem))?;
        let parent = nested_mut(message, parents).ok_or_else(|| invalid(&place, "it names no single field"))?;
        set(parent, leaf, value).map_err(|problem| invalid(&place, &problem))?;
    }
    Ok(())
}

fn message_type(message: &DynamicMessage) -> MessageDescriptor {
    prost_reflect::ReflectMessage::descriptor(message)
}

/// The field that a query parameter's name means: its parts are separated by dots, in either form.
fn find_field(message: &MessageDescriptor, name: &str) -> Option<FieldPath> {
    let mut fields = FieldPath::new();
    let mut message = Some(message.clone());
    for part in name.split('.') {
        if fields.len() == QUERY_NAME_PARTS_MAX {
            return None;
        }
        let field = json::field_by_name(message.as_ref()?, part)?;
        message = field.kind().as_message().filter(|_| !field.is_list() && !field.is_map()).cloned();
        fields.push(field);
    }
    Some(fields)
}

/// A value from its text, by the rules of JSON strings; an enum by name or number. For a list: one element of it.
fn parse(field: &FieldDescriptor, text: &str) -> Result<Value, String> {
    let value = match field.kind() {
        Kind::Bool => text.parse::<bool>().map_err(|_| "give true or false")?.into(),
        Kind::Enum(_) => text.parse::<i32>().map_or_else(|_| text.into(), serde_json::Value::from),
        _ => serde_json::Value::from(text),
    };
    let value = if field.is_list() { json!([value]) } else { value };
    let holder = json!({ field.json_name(): value });
    let mut holder =
        DynamicMessage::deserialize(field.parent_message().clone(), holder).map_err(|error| error.to_string())?;
    match holder.take_field(field) {
        Some(Value::List(mut values)) => values.pop().ok_or_else(|| "it has no value".to_owned()),
        Some(value) => Ok(value),
        None => Ok(Value::default_value_for_field(field)),
    }
}

fn set(message: &mut DynamicMessage, field: &FieldDescriptor, value: Value) -> Result<(), String> {
    if let Some(oneof) = field.containing_oneof()
        && let Some(other) = oneof.fields().find(|other| other != field && message.has_field(other))
    {
        return Err(format!("it excludes {}, which is given too", other.json_name()));
    }
    if field.is_list() {
        let values = message.get_field_mut(field).as_list_mut();
        values.ok_or("it is no list")?.push(value);
        return Ok(());
    }
    message.try_set_field(field, value).map_err(|error| error.to_string())
}

fn fill_from_path(message: &mut DynamicMessage, field: &FieldPath, text: &str) -> Result<(), Status> {
    let Some((leaf, parents)) = field.split_last() else { return Ok(()) };
    let place = format!("{} in the path", leaf.json_name());
    let value = parse(leaf, text).map_err(|problem| invalid(&place, &problem))?;
    let parent = nested_mut(message, parents).ok_or_else(|| invalid(&place, "it names no single field"))?;
    if parent.has_field(leaf) && *parent.get_field(leaf) != value {
        return Err(invalid(&place, "the request gives another value for it too"));
    }
    set(parent, leaf, value).map_err(|problem| invalid(&place, &problem))
}
