//! One RPC's HTTP face as an OpenAPI operation.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::{
    comments, errors,
    model::{Media, Operation, OrRef, Ordered, Parameter, RequestBody, Response, Schema},
    schema::{Place, Schemas},
};
use crate::{
    http::route::{FieldPath, Route, json_name},
    limits::QUERY_NAME_PARTS_MAX,
};

/// The component with the deadline's header.
pub(super) const TIMEOUT: &str = "GrpcTimeout";

/// The error statuses that any operation may answer with.
const ERRORS_OF_ALL: &[u16] = &[400, 429, 500, 503, 504];

/// Those that need something in the request: a thing that isn't there, or a far side that refuses.
const ERRORS_OF_REQUESTS: &[u16] = &[403, 404, 409];

/// The one that needs a body.
const ERROR_OF_BODIES: u16 = 413;

/// The operation of a route. `error_components` are those that the document has.
pub(super) fn operation(route: &Route, schemas: &mut Schemas, error_components: &Ordered<Response>) -> Operation {
    let description = comments::of(&route.rpc.parent_file(), route.rpc.path());
    let mut responses = answers(route, schemas);
    for status in error_statuses(route) {
        let name = errors::component(status);
        if error_components.has(&name) {
            responses.push((status.to_string(), OrRef::There { reference: format!("#/components/responses/{name}") }));
        }
    }
    Operation {
        operation_id: route.rpc.full_name().to_owned(),
        tags: vec![route.rpc.parent_service().full_name().to_owned()],
        summary: comments::first_sentence(&description).to_owned(),
        description,
        parameters: parameters(route, schemas),
        request_body: route.takes_body.then(|| body(route, schemas)),
        responses: Ordered(responses),
    }
}

/// A content of one media type.
pub(super) fn media(media_type: &str, schema: Schema) -> Ordered<Media> {
    Ordered(vec![(media_type.to_owned(), Media { schema })])
}

fn error_statuses(route: &Route) -> Vec<u16> {
    let mut statuses = ERRORS_OF_ALL.to_vec();
    if route.input.fields().len() > 0 {
        statuses.extend(ERRORS_OF_REQUESTS);
    }
    if route.takes_body {
        statuses.push(ERROR_OF_BODIES);
    }
    statuses.sort_unstable();
    statuses
}

fn parameters(route: &Route, schemas: &mut Schemas) -> Vec<OrRef<Parameter>> {
    let mut parameters: Vec<OrRef<Parameter>> = Vec::new();
    for field in route.path_fields() {
        parameters.extend(parameter(field, "path", schemas).map(OrRef::Here));
    }
    if !route.takes_body {
        let in_path: Vec<&FieldPath> = route.path_fields().collect();
        let mut in_query = Vec::new();
        query_fields(&route.input, &FieldPath::new(), &mut in_query);
        for field in in_query.iter().filter(|field| !in_path.contains(field)) {
            parameters.extend(parameter(field, "query", schemas).map(OrRef::Here));
        }
    }
    parameters.push(OrRef::There { reference: format!("#/components/parameters/{TIMEOUT}") });
    parameters
}

/// Every field that a query can fill: single values and lists of them, those of nested messages too.
fn query_fields(message: &MessageDescriptor, parents: &FieldPath, found: &mut Vec<FieldPath>) {
    if parents.len() == QUERY_NAME_PARTS_MAX {
        return;
    }
    for field in message.fields() {
        let path = [parents.clone(), vec![field.clone()]].concat();
        match field.kind() {
            Kind::Message(_) if field.is_map() || field.is_list() => {}
            // A message that holds itself would go on for ever: once is told.
            Kind::Message(inner) if parents.iter().any(|parent| parent.kind() == Kind::Message(inner.clone())) => {}
            Kind::Message(inner) => query_fields(&inner, &path, found),
            _ => found.push(path),
        }
    }
}

fn parameter(field: &[FieldDescriptor], place: &'static str, schemas: &mut Schemas) -> Option<Parameter> {
    let leaf = field.last()?;
    let is_path = place == "path";
    let mut schema = schemas.field(leaf, Place::Url);
    if is_path && matches!(leaf.kind(), Kind::String) {
        schema.min_length = Some(1);
    }
    let description = Some(comments::of(&leaf.parent_file(), leaf.path()));
    Some(Parameter { name: json_name(field), place, required: is_path, description, schema })
}

/// The fields that aren't in the path.
fn body(route: &Route, schemas: &mut Schemas) -> RequestBody {
    let place = Place::Body { is_strict: route.is_strict };
    let in_path: Vec<&FieldDescriptor> =
        route.path_fields().filter(|field| field.len() == 1).filter_map(|field| field.first()).collect();
    let schema = if in_path.is_empty() {
        schemas.message(&route.input, place)
    } else {
        schemas.object(&route.input, place, &in_path)
    };
    RequestBody {
        description: "An absent body is an empty message.",
        required: false,
        content: media("application/json", schema),
    }
}

/// What comes when all goes well.
fn answers(route: &Route, schemas: &mut Schemas) -> Vec<(String, OrRef<Response>)> {
    let message = schemas.message(&route.output, Place::Answer);
    if !route.is_streaming {
        let description = comments::of(&route.output.parent_file(), route.output.path());
        let response = Response { description, content: media("application/json", message) };
        return vec![("200".into(), OrRef::Here(response))];
    }
    let frame = frame(&route.output, message, schemas);
    let stream = Response {
        description: "A stream that goes on until the client leaves or the node stops: a frame a line, or, if the \
                      client accepts `text/event-stream`, one in the `data` of each server-sent event, whose `id` is the \
                      frame's sequence number where it has one (`Last-Event-ID` resumes behind it)."
            .into(),
        content: Ordered(vec![
            ("application/x-ndjson".into(), Media { schema: frame.clone() }),
            ("text/event-stream".into(), Media { schema: frame }),
        ]),
    };
    let upgrade = Response {
        description: "The client asked for a WebSocket (RFC 6455): each text frame is one such frame. What the client \
                      sends is ignored."
            .into(),
        ..Response::default()
    };
    vec![("101".into(), OrRef::Here(upgrade)), ("200".into(), OrRef::Here(stream))]
}

/// One frame of a stream: a message, or the error that ends it.
fn frame(output: &MessageDescriptor, message: Schema, schemas: &mut Schemas) -> Schema {
    let name = format!("{}.Frame", output.full_name());
    if !schemas.by_name.has(&name) {
        let only = |key: &str, schema: Schema| Schema::object(Ordered(vec![(key.to_owned(), schema)]), true);
        let any_of = vec![only("result", message), only("error", Schema::reference(errors::STATUS))];
        let frame = Schema { any_of, ..Schema::default() };
        *schemas.by_name.entry(&name) = frame.described("One frame of a stream: a message, or the error that ends it.");
    }
    Schema::reference(&name)
}
