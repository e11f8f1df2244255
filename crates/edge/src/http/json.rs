//! Protobuf messages as JSON, by the public mapping (protobuf.dev, "ProtoJSON"), both ways.
//!
//! prost-reflect maps; this adds what it leaves out: the field's name in an error, and the refusal of a field that
//! is given twice, under one name or both.

use std::{collections::HashSet, fmt};

use boltgram_api::json::OPTIONS;
use prost_reflect::{DeserializeOptions, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use tonic::Status;

/// Reads a request body. An empty one is an empty message. With `is_strict` an unknown field is an error, else it
/// is ignored.
pub(super) fn read(message: &MessageDescriptor, body: &[u8], is_strict: bool) -> Result<DynamicMessage, Status> {
    if body.is_empty() {
        return Ok(DynamicMessage::new(message.clone()));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let once_each = OnceEach(Some(message.clone())).deserialize(&mut json).and_then(|()| json.end());
    once_each.map_err(|error| Status::invalid_argument(format!("the request body: {error}")))?;

    let mut json = serde_json::Deserializer::from_slice(body);
    let mut track = serde_path_to_error::Track::new();
    let json = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    let options = DeserializeOptions::new().deny_unknown_fields(is_strict);
    DynamicMessage::deserialize_with_options(message.clone(), json, &options).map_err(|error| {
        let path = track.path();
        let place = if path.iter().next().is_some() { format!("{path}: ") } else { String::new() };
        Status::invalid_argument(format!("the request body: {place}{error}"))
    })
}

/// Writes a message.
pub(super) fn write(message: &DynamicMessage) -> Result<String, Status> {
    let mut json = Vec::new();
    message
        .serialize_with_options(&mut serde_json::Serializer::new(&mut json), &OPTIONS)
        .map_err(|error| Status::internal(format!("the answer has no JSON form: {error}")))?;
    String::from_utf8(json).map_err(|_| Status::internal("the answer has no JSON form: it is not UTF-8"))
}

/// The field of a message that a name means, in either form: `replyToId` or `reply_to_id`.
pub(super) fn field_by_name(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message.get_field_by_json_name(name).or_else(|| message.get_field_by_name(name))
}

/// Passes over JSON and finds a field that stands twice in one object. It knows the message that the JSON is, or
/// nothing of what it is.
struct OnceEach(Option<MessageDescriptor>);

impl OnceEach {
    /// The name by which a key is counted, and what its value is.
    fn member(&self, key: String) -> (Option<String>, OnceEach) {
        let Some(message) = &self.0 else { return (None, OnceEach(None)) };
        let field =
            if message.is_map_entry() { Some(message.map_entry_value_field()) } else { field_by_name(message, &key) };
        let inner = field.as_ref().and_then(|field| match field.kind() {
            Kind::Message(inner) => Some(inner),
            _ => None,
        });
        let name = match field {
            Some(field) if !message.is_map_entry() => Some(field.name().to_owned()),
            Some(_) => Some(key),
            None => None,
        };
        (name, OnceEach(inner))
    }
}

impl<'de> DeserializeSeed<'de> for OnceEach {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OnceEach {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            let (name, inner) = self.member(key);
            if let Some(name) = name
                && let Some(name) = seen.replace(name)
            {
                return Err(A::Error::custom(format!("field {name} is given twice")));
            }
            map.next_value_seed(inner)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(OnceEach(self.0.clone()))?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}
