//! The routes: what the `google.api.http` annotations say, checked once, and the search for a request's RPC.
//!
//! A path template is made of literals and `{field}` variables, each one whole segment; `{a.b}` names a nested
//! field. Any other syntax of the annotations is an error here, so that nothing is mapped in half.

use std::sync::Arc;

use http::{Method, StatusCode, uri::PathAndQuery};
use percent_encoding::percent_decode_str;
use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor,
    Value,
};
use tonic::{Code, Status};

use super::error::{GatewayError, Refusal};

/// A field of a request, from the outermost message inwards.
pub(crate) type FieldPath = Vec<FieldDescriptor>;

/// A field that a path fills, and the text that stands there.
pub(super) type Variable = (FieldPath, String);

/// One RPC's HTTP face.
#[derive(Debug)]
pub(crate) struct Route {
    /// The RPC.
    pub(crate) rpc: MethodDescriptor,
    /// Its HTTP method.
    pub(crate) http_method: Method,
    segments: Vec<Segment>,
    /// Where the RPC is called: `/package.Service/Method`.
    pub(super) grpc_path: PathAndQuery,
    /// The request's type.
    pub(crate) input: MessageDescriptor,
    /// The answer's type, or that of a stream's messages.
    pub(crate) output: MessageDescriptor,
    /// Whether the JSON body fills the fields that aren't in the path (`body: "*"`); else the query does.
    pub(crate) takes_body: bool,
    /// Whether the answer is a stream.
    pub(crate) is_streaming: bool,
    /// Whether a field that the request's type doesn't have is refused; in the family packages it is ignored.
    pub(crate) is_strict: bool,
}

#[derive(Debug)]
enum Segment {
    Literal(String),
    Field(FieldPath),
}

/// All routes, the more specific first: of two that match, the one whose literal comes first in the path.
pub(super) struct Routes(Vec<Arc<Route>>);

impl Routes {
    /// Reads the routes of every RPC in a descriptor set.
    pub(super) fn read(descriptor_set: &[u8]) -> Result<Self, GatewayError> {
        let mut routes: Vec<_> = read_all(descriptor_set)?.into_iter().map(Arc::new).collect();
        routes.sort_by_key(|route| route.segments.iter().map(Segment::is_variable).collect::<Vec<_>>());
        Ok(Self(routes))
    }

    /// The route of a request and the values of its path's variables, percent-decoded.
    pub(super) fn find(&self, method: &Method, path: &str) -> Result<(Arc<Route>, Vec<Variable>), Refusal> {
        let segments = decode_path(path)?;
        // The most specific path is the one that is meant; what others allow isn't allowed there.
        let meant = self.0.iter().find(|route| route.matches(&segments));
        let Some(meant) = meant else {
            return Err(Refusal::new(StatusCode::NOT_FOUND, Code::NotFound, format!("no RPC has the path {path}")));
        };
        let on_path = || self.0.iter().filter(|route| route.has_path_of(meant));
        if let Some(route) = on_path().find(|route| route.http_method == *method) {
            return Ok((Arc::clone(route), route.variables(segments)));
        }
        let mut allowed: Vec<&str> = on_path().map(|route| route.http_method.as_str()).collect();
        allowed.sort_unstable();
        Err(Refusal::method_not_allowed(&allowed.join(", ")))
    }
}

/// The route of every RPC in a descriptor set, in the order in which the set declares them.
pub(crate) fn read_all(descriptor_set: &[u8]) -> Result<Vec<Route>, GatewayError> {
    let pool = DescriptorPool::decode(descriptor_set)?;
    let annotation = pool.get_extension_by_name("google.api.http").ok_or(GatewayError::NoAnnotations)?;
    let mut routes: Vec<Route> = Vec::new();
    for rpc in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        let name = rpc.full_name().to_owned();
        let route =
            Route::read(rpc, &annotation).map_err(|problem| GatewayError::Rpc { rpc: name.clone(), problem })?;
        if let Some(other) = routes.iter().find(|other| route.is_same_as(other)) {
            return Err(GatewayError::Conflict { first: other.rpc.full_name().into(), second: name });
        }
        routes.push(route);
    }
    Ok(routes)
}

fn decode_path(path: &str) -> Result<Vec<String>, Status> {
    path.strip_prefix('/')
        .unwrap_or(path)
        .split('/')
        .map(|segment| percent_decode_str(segment).decode_utf8().map(Into::into))
        .collect::<Result<_, _>>()
        .map_err(|_| Status::invalid_argument("the path is not UTF-8 once its %XX are decoded"))
}

impl Segment {
    fn is_variable(&self) -> bool {
        matches!(self, Segment::Field(_))
    }
}

impl Route {
    fn read(rpc: MethodDescriptor, annotation: &ExtensionDescriptor) -> Result<Self, String> {
        if rpc.is_client_streaming() {
            return Err("a stream of requests has no JSON form; make the request one message".into());
        }
        let options = rpc.options();
        if !options.has_extension(annotation) {
            return Err("it has no option google.api.http; give it one".into());
        }
        let rule = Rule::read(options.get_extension(annotation).as_message())?;
        let (input, service) = (rpc.input(), rpc.parent_service());
        let grpc_path = format!("/{}/{}", service.full_name(), rpc.name());
        Ok(Self {
            segments: read_template(&rule.template, &input)?,
            http_method: rule.http_method,
            grpc_path: grpc_path.parse().map_err(|error| format!("{grpc_path} is no path: {error}"))?,
            input,
            output: rpc.output(),
            takes_body: rule.takes_body,
            is_streaming: rpc.is_server_streaming(),
            is_strict: service.package_name().starts_with("boltgram."),
            rpc,
        })
    }

    /// The path with its variables as `{field}`, by their JSON names.
    pub(crate) fn path_template(&self) -> String {
        let show = |segment: &Segment| match segment {
            Segment::Literal(literal) => format!("/{literal}"),
            Segment::Field(field) => format!("/{{{}}}", json_name(field)),
        };
        self.segments.iter().map(show).collect()
    }

    /// The fields that the path fills.
    pub(crate) fn path_fields(&self) -> impl Iterator<Item = &FieldPath> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Field(field) => Some(field),
        })
    }

    fn is_same_as(&self, other: &Route) -> bool {
        self.http_method == other.http_method && self.has_path_of(other)
    }

    /// Whether both have one path, whatever its variables are called.
    fn has_path_of(&self, other: &Route) -> bool {
        let same = |pair: (&Segment, &Segment)| match pair {
            (Segment::Literal(a), Segment::Literal(b)) => a == b,
            (a, b) => a.is_variable() && b.is_variable(),
        };
        self.segments.len() == other.segments.len() && self.segments.iter().zip(&other.segments).all(same)
    }

    fn matches(&self, path: &[String]) -> bool {
        let fits = |(segment, text): (&Segment, &String)| match segment {
            Segment::Literal(literal) => literal == text,
            Segment::Field(_) => !text.is_empty(),
        };
        self.segments.len() == path.len() && self.segments.iter().zip(path).all(fits)
    }

    fn variables(&self, path: Vec<String>) -> Vec<Variable> {
        let value = |(segment, text)| match segment {
            &Segment::Literal(_) => None,
            Segment::Field(field) => Some((field.clone(), text)),
        };
        self.segments.iter().zip(path).filter_map(value).collect()
    }
}

/// A `google.api.HttpRule`, as far as it is used.
struct Rule {
    http_method: Method,
    template: String,
    takes_body: bool,
}

impl Rule {
    fn read(rule: Option<&DynamicMessage>) -> Result<Self, String> {
        let rule = rule.ok_or("its option google.api.http is no message")?;
        if let Some(unknown) = rule.unknown_fields().next() {
            return Err(format!("field {} of google.api.HttpRule is not supported", unknown.number()));
        }
        let (mut pattern, mut takes_body) = (None, false);
        for (field, value) in rule.fields() {
            let text = value.as_str().unwrap_or_default().to_owned();
            match field.name() {
                "get" => pattern = Some((Method::GET, text)),
                "put" => pattern = Some((Method::PUT, text)),
                "post" => pattern = Some((Method::POST, text)),
                "delete" => pattern = Some((Method::DELETE, text)),
                "patch" => pattern = Some((Method::PATCH, text)),
                "body" if text == "*" => takes_body = true,
                "body" => return Err(format!("body: \"{text}\" is not supported; use \"*\" or leave it out")),
                other => return Err(format!("field {other} of google.api.HttpRule is not supported")),
            }
        }
        let (http_method, template) = pattern.ok_or("its google.api.http names no method and path")?;
        if http_method == Method::GET && takes_body {
            return Err("a GET has no body; leave out body: \"*\"".into());
        }
        Ok(Self { http_method, template, takes_body })
    }
}

fn read_template(template: &str, input: &MessageDescriptor) -> Result<Vec<Segment>, String> {
    let path = template.strip_prefix('/').ok_or_else(|| format!("path \"{template}\" does not begin with /"))?;
    let mut segments: Vec<Segment> = Vec::new();
    for part in path.split('/') {
        let segment = match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => Segment::Field(resolve(name, input)?),
            None if part.is_empty() => return Err(format!("path \"{template}\" has an empty segment")),
            None if part.contains(['{', '}', '*']) => {
                return Err(format!("segment \"{part}\" is not supported; use a literal or {{field}}"));
            }
            None => Segment::Literal(part.to_owned()),
        };
        if let Segment::Field(field) = &segment
            && segments.iter().any(|other| matches!(other, Segment::Field(other) if other == field))
        {
            return Err(format!("segment \"{part}\" stands twice in its path"));
        }
        segments.push(segment);
    }
    Ok(segments)
}

fn resolve(name: &str, input: &MessageDescriptor) -> Result<FieldPath, String> {
    let mut fields = FieldPath::new();
    let mut message = Some(input.clone());
    for part in name.split('.') {
        let field = message.and_then(|message| message.get_field_by_name(part));
        let field =
            field.ok_or_else(|| format!("its path names {name}, which is no field of {}", input.full_name()))?;
        message = field.kind().as_message().filter(|_| is_single(&field)).cloned();
        fields.push(field);
    }
    match fields.last() {
        Some(field) if is_single(field) && !matches!(field.kind(), Kind::Message(_)) => Ok(fields),
        _ => Err(format!("its path names {name}, which is no single value")),
    }
}

/// The name of a field of a request outside a body: its parts' JSON names with dots between them.
pub(crate) fn json_name(field: &[FieldDescriptor]) -> String {
    field.iter().map(FieldDescriptor::json_name).collect::<Vec<_>>().join(".")
}

fn is_single(field: &FieldDescriptor) -> bool {
    !field.is_list() && !field.is_map()
}

/// The message in `fields` of `message`, made if it isn't there; `None` when one of them is no single message.
pub(super) fn nested_mut<'a>(
    mut message: &'a mut DynamicMessage,
    fields: &[FieldDescriptor],
) -> Option<&'a mut DynamicMessage> {
    for field in fields {
        match message.get_field_mut(field) {
            Value::Message(inner) => message = inner,
            _ => return None,
        }
    }
    Some(message)
}
