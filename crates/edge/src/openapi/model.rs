//! The parts of an OpenAPI 3.1 document that boltgram uses, in the order in which they were made: a reader sees
//! fields as the protos have them. What they say is made elsewhere.

use serde::{Serialize, Serializer};

/// A JSON object that keeps the order of its members.
#[derive(Clone, Debug)]
pub(super) struct Ordered<T>(pub(super) Vec<(String, T)>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> FromIterator<(String, T)> for Ordered<T> {
    fn from_iter<I: IntoIterator<Item = (String, T)>>(members: I) -> Self {
        Self(members.into_iter().collect())
    }
}

impl<T> Ordered<T> {
    /// The member of this name, made with its default if it isn't there.
    pub(super) fn entry(&mut self, name: &str) -> &mut T
    where
        T: Default,
    {
        let at = self.0.iter().position(|(other, _)| other == name).unwrap_or_else(|| {
            self.0.push((name.to_owned(), T::default()));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }

    /// Whether a member has this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(other, _)| other == name)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Serialize> Serialize for Ordered<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The document.
#[derive(Serialize, Debug)]
pub(super) struct Document {
    pub(super) openapi: &'static str,
    pub(super) info: Info,
    pub(super) servers: Vec<Described>,
    pub(super) tags: Vec<Described>,
    pub(super) paths: Ordered<Ordered<Operation>>,
    pub(super) components: Components,
}

/// What the document is about.
#[derive(Serialize, Debug)]
pub(super) struct Info {
    pub(super) title: &'static str,
    pub(super) version: &'static str,
    pub(super) description: &'static str,
    pub(super) license: License,
}

/// The licence, as an SPDX expression.
#[derive(Serialize, Debug)]
pub(super) struct License {
    pub(super) name: &'static str,
    pub(super) identifier: &'static str,
}

/// A server or a tag.
#[derive(Serialize, Default, Debug)]
pub(super) struct Described {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    pub(super) description: String,
}

/// What several operations share.
#[derive(Serialize, Default, Debug)]
pub(super) struct Components {
    pub(super) schemas: Ordered<Schema>,
    pub(super) responses: Ordered<Response>,
    pub(super) parameters: Ordered<Parameter>,
}

/// One method of one path.
#[derive(Serialize, Default, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct Operation {
    pub(super) operation_id: String,
    pub(super) tags: Vec<String>,
    pub(super) summary: String,
    pub(super) description: String,
    pub(super) parameters: Vec<OrRef<Parameter>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_body: Option<RequestBody>,
    pub(super) responses: Ordered<OrRef<Response>>,
}

/// Something, or where among the components it stands.
#[derive(Serialize, Debug)]
#[serde(untagged)]
pub(super) enum OrRef<T> {
    Here(T),
    There {
        #[serde(rename = "$ref")]
        reference: String,
    },
}

/// A parameter in the path, the query or a header.
#[derive(Serialize, Default, Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    #[serde(rename = "in")]
    pub(super) place: &'static str,
    pub(super) required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    pub(super) schema: Schema,
}

/// A request's body.
#[derive(Serialize, Debug)]
pub(super) struct RequestBody {
    pub(super) description: &'static str,
    pub(super) required: bool,
    pub(super) content: Ordered<Media>,
}

/// An answer.
#[derive(Serialize, Default, Debug)]
pub(super) struct Response {
    pub(super) description: String,
    #[serde(skip_serializing_if = "Ordered::is_empty")]
    pub(super) content: Ordered<Media>,
}

/// A content of one media type.
#[derive(Serialize, Debug)]
pub(super) struct Media {
    pub(super) schema: Schema,
}

/// A JSON Schema (draft 2020-12), as far as protobuf's JSON needs it.
#[derive(Serialize, Clone, Default, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct Schema {
    #[serde(rename = "$ref", skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) types: Option<Types>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pattern: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min_length: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) minimum: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) maximum: Option<u64>,
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub(super) values: Vec<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) items: Option<Box<Schema>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) properties: Option<Ordered<Schema>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) required: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) additional_properties: Option<Additional>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) any_of: Vec<Schema>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) all_of: Vec<Schema>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) not: Option<Box<Schema>>,
}

/// One type, or several.
#[derive(Serialize, Clone, Debug)]
#[serde(untagged)]
pub(super) enum Types {
    One(&'static str),
    Any(Vec<&'static str>),
}

/// What an object may hold beside its properties.
#[derive(Serialize, Clone, Debug)]
#[serde(untagged)]
pub(super) enum Additional {
    Allowed(bool),
    Like(Box<Schema>),
}

impl Schema {
    /// Of one type.
    pub(super) fn of(one: &'static str) -> Self {
        Self { types: Some(Types::One(one)), ..Self::default() }
    }

    /// The component of this name.
    pub(super) fn reference(name: &str) -> Self {
        Self { reference: Some(format!("#/components/schemas/{name}")), ..Self::default() }
    }

    /// An object of these properties, which are all there if `are_required`.
    pub(super) fn object(properties: Ordered<Schema>, are_required: bool) -> Self {
        let required = properties.0.iter().filter(|_| are_required).map(|(name, _)| name.clone()).collect();
        Self { required, properties: Some(properties), ..Self::of("object") }
    }

    /// The same, explained.
    pub(super) fn described(self, description: impl Into<String>) -> Self {
        Self { description: Some(description.into()), ..self }
    }
}
