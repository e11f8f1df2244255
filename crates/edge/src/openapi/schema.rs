//! The JSON form of messages as schemas, by the public mapping (protobuf.dev, "ProtoJSON"): answers as
//! `boltgram_api::json` writes them, requests as the gateway reads them, which is more.

use std::collections::BTreeSet;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::Value;

use super::{
    comments,
    model::{Additional, Ordered, Schema, Types},
};

/// Decimal digits, how a 64-bit integer is written.
const INTEGER: &str = "^-?[0-9]+$";

/// Packages whose messages have a JSON form of their own.
const WELL_KNOWN: &str = "google.protobuf.";

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In an answer: one form, and every field that has no presence is there.
    Answer,
    /// In a request's body: every form that is read; `null` is a field's default.
    Body {
        /// Whether other fields are refused.
        is_strict: bool,
    },
    /// In the path or the query.
    Url,
}

/// The schemas of all messages that were asked for, and of those in them.
#[derive(Default)]
pub(super) struct Schemas {
    /// Each by its component's name.
    pub(super) by_name: Ordered<Schema>,
    /// The full names of messages that answers hold: as requests these have another name.
    pub(super) answers: BTreeSet<String>,
}

impl Schemas {
    /// A reference to a message's schema.
    pub(super) fn message(&mut self, message: &MessageDescriptor, place: Place) -> Schema {
        let full_name = message.full_name();
        if full_name.starts_with(WELL_KNOWN) {
            return Schema::default().described(format!("The JSON form of `{full_name}`."));
        }
        let is_both = place != Place::Answer && self.answers.contains(full_name);
        let name = if is_both { format!("{full_name}.Input") } else { full_name.to_owned() };
        if !self.by_name.has(&name) {
            // The place is taken first, so that a message may hold itself.
            *self.by_name.entry(&name) = Schema::default();
            let schema = self.object(message, place, &[]);
            *self.by_name.entry(&name) = schema;
        }
        Schema::reference(&name)
    }

    /// A message's schema itself, without some of its fields.
    pub(super) fn object(&mut self, message: &MessageDescriptor, place: Place, without: &[&FieldDescriptor]) -> Schema {
        let (mut properties, mut required) = (Ordered::default(), Vec::new());
        for field in message.fields().filter(|field| !without.contains(&field)) {
            let comment = comments::of(&field.parent_file(), field.path());
            let schema = self.field(&field, place);
            // Beside the description of its own message a field's stands in the way of neither (OpenAPI 3.1).
            *properties.entry(field.json_name()) = schema.described(comment);
            if place == Place::Answer && !field.supports_presence() {
                required.push(field.json_name().to_owned());
            }
        }
        let additional_properties = match place {
            Place::Body { is_strict: true } => Some(Additional::Allowed(false)),
            _ => None,
        };
        let comment = comments::of(&message.parent_file(), message.path());
        let all_of = exclusions(message);
        Schema { required, additional_properties, all_of, ..Schema::object(properties, false) }.described(comment)
    }

    /// What a field's value looks like.
    pub(super) fn field(&mut self, field: &FieldDescriptor, place: Place) -> Schema {
        match field.kind() {
            Kind::Message(entry) if field.is_map() => {
                let values = Box::new(self.field(&entry.map_entry_value_field(), place));
                let additional_properties = Some(Additional::Like(values));
                with_null(Schema { additional_properties, ..Schema::of("object") }, place)
            }
            kind if field.is_list() => {
                // An element of a list has no default that null could stand for.
                let items = self.single(&kind, if place == Place::Answer { place } else { Place::Url });
                with_null(Schema { items: Some(Box::new(items)), ..Schema::of("array") }, place)
            }
            Kind::Message(message) => {
                let reference = self.message(&message, place);
                match place {
                    Place::Body { .. } => Schema { any_of: vec![reference, Schema::of("null")], ..Schema::default() },
                    _ => reference,
                }
            }
            kind => with_null(self.single(&kind, place), place),
        }
    }

    fn single(&mut self, kind: &Kind, place: Place) -> Schema {
        match kind {
            Kind::Bool => Schema::of("boolean"),
            Kind::String => Schema::of("string"),
            Kind::Bytes => Schema { content_encoding: Some("base64"), ..Schema::of("string") },
            Kind::Double | Kind::Float => number(place),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => integer(place, "int32", i32::MIN.into(), i32::MAX as u64),
            Kind::Uint32 | Kind::Fixed32 => integer(place, "uint32", 0, u32::MAX.into()),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => integer(place, "int64", i64::MIN, i64::MAX as u64),
            Kind::Uint64 | Kind::Fixed64 => integer(place, "uint64", 0, u64::MAX),
            Kind::Message(message) => self.message(message, place),
            Kind::Enum(values) => enumeration(values, place),
        }
    }
}

fn integer(place: Place, format: &'static str, minimum: i64, maximum: u64) -> Schema {
    let is_64_bit = format.ends_with("64");
    let bounded = Schema { format: Some(format), minimum: Some(minimum), maximum: Some(maximum), ..Schema::default() };
    match place {
        Place::Answer if is_64_bit => Schema { format: Some(format), pattern: Some(INTEGER), ..Schema::of("string") },
        Place::Answer | Place::Url => Schema { types: Some(Types::One("integer")), ..bounded },
        Place::Body { .. } => {
            let types = if is_64_bit { vec!["string", "integer"] } else { vec!["integer", "string"] };
            Schema { types: Some(Types::Any(types)), pattern: Some(INTEGER), ..bounded }
        }
    }
}

/// Numbers that JSON doesn't have are strings.
fn number(place: Place) -> Schema {
    match place {
        Place::Url => Schema::of("number"),
        _ => Schema { types: Some(Types::Any(vec!["number", "string"])), ..Schema::default() },
    }
}

/// The names, and in a request the numbers too.
fn enumeration(values: &EnumDescriptor, place: Place) -> Schema {
    let names = values.values().map(|value| Value::from(value.name()));
    if place == Place::Answer {
        return Schema { values: names.collect(), ..Schema::of("string") };
    }
    let numbers = values.values().map(|value| Value::from(value.number()));
    let types = Some(Types::Any(vec!["string", "integer"]));
    Schema { types, values: names.chain(numbers).collect(), ..Schema::default() }
}

/// In a body, `null` is a field's default value.
fn with_null(mut schema: Schema, place: Place) -> Schema {
    if !matches!(place, Place::Body { .. }) {
        return schema;
    }
    schema.types = schema.types.map(|types| match types {
        Types::One(one) => Types::Any(vec![one, "null"]),
        Types::Any(several) => Types::Any([several, vec!["null"]].concat()),
    });
    if !schema.values.is_empty() {
        schema.values.push(Value::Null);
    }
    schema
}

/// Of the fields of a oneof at most one is there.
fn exclusions(message: &MessageDescriptor) -> Vec<Schema> {
    let mut pairs = Vec::new();
    for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
        let names: Vec<String> = oneof.fields().map(|field| field.json_name().to_owned()).collect();
        for (at, first) in names.iter().enumerate() {
            for second in &names[at + 1..] {
                let there = || Schema { not: Some(Box::new(Schema::of("null"))), ..Schema::default() };
                let properties = [first, second].map(|name| (name.clone(), there())).into_iter().collect();
                let both = Schema {
                    required: vec![first.clone(), second.clone()],
                    properties: Some(properties),
                    ..Schema::default()
                };
                pairs.push(Schema { not: Some(Box::new(both)), ..Schema::default() });
            }
        }
    }
    pairs
}
