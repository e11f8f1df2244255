//! `docs/api.md`: the services, their messages and the error table, out of the descriptors and core's reasons.

use std::{collections::BTreeSet, fmt::Write as _};

use boltgram_api::DESCRIPTOR_SET;
use boltgram_edge::openapi;
use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor,
    MethodDescriptor, ServiceDescriptor, Value,
};

/// What is said to who reads the document, and to who edits it.
const INTRODUCTION: &str = "\
<!-- Made from proto/ and crates/core/src/failure.rs: `UPDATE_DOCS=1 cargo test -p boltgram --test docs`. -->
# The API

gRPC on 127.0.0.1:8881 and HTTP on 127.0.0.1:8882, unless they are set otherwise. A running node shows the same as a page at
`/docs`, and for tools as `/openapi.json` (OpenAPI 3.1); gRPC has reflection and `grpc.health.v1.Health`.
";

const JSON: &str = include_str!("../../crates/edge/assets/docs/introduction.md");

const STREAMS: &str = "\
A stream over HTTP is a WebSocket when the client upgrades (a text frame for each message), server-sent events when it
accepts `text/event-stream`, and else JSON lines. Each frame is `{\"result\":{…}}`, or `{\"error\":{…}}` at its end.
";

const ERRORS: &str = "\
A status carries a `google.rpc.ErrorInfo` of the domain `boltgram` with one of these reasons, and numbers and ids in its
metadata, `retryable` among them. Retry: whether the same request may work later with nothing changed by the caller.
What can't be read at all is refused with INVALID_ARGUMENT and no reason; a body over 4 MiB with HTTP status 413.
";

/// The whole document.
pub fn document() -> String {
    let pool = DescriptorPool::decode(DESCRIPTOR_SET).unwrap();
    let mut text = format!("{INTRODUCTION}\n{JSON}\n{STREAMS}\n## Errors\n\n{ERRORS}\n");
    text += &errors();
    let services: Vec<ServiceDescriptor> = pool.services().collect();
    let mut told = BTreeSet::new();
    for service in &services {
        write!(text, "\n## {}\n\n{}\n", service.full_name(), comment(&service.parent_file(), service.path())).unwrap();
        for method in service.methods() {
            text += &rpc(&pool, &method);
            told.extend([method.input(), method.output()].map(|message| message.full_name().to_owned()));
        }
    }
    let (messages, enums) = types(&services, &told);
    text += "\n## Messages and enums\n";
    for message in messages {
        let about = comment(&message.parent_file(), message.path());
        write!(text, "\n### {}\n\n{about}\n{}", message.full_name(), fields(&message)).unwrap();
    }
    for enumeration in enums {
        text += &values(&enumeration);
    }
    text
}

fn errors() -> String {
    let mut table = "| reason | gRPC code | HTTP | retry | meaning |\n|---|---|---|---|---|\n".to_owned();
    for row in openapi::errors() {
        let retry = if row.is_retryable { "yes" } else { "no" };
        let (reason, code, status, meaning) = (row.reason, row.code, row.http_status, cell(row.meaning));
        writeln!(table, "| `{reason}` | {code} | {status} | {retry} | {meaning} |").unwrap();
    }
    table
}

fn rpc(pool: &DescriptorPool, method: &MethodDescriptor) -> String {
    let about = comment(&method.parent_file(), method.path());
    let (verb, path) = http_rule(pool, method);
    let answer = if method.is_server_streaming() { "Answer, a stream, each" } else { "Answer" };
    format!(
        "\n### {}\n\n`{verb} {path}`\n\n{about}\n\nRequest: {}\n{}\n{answer}: {}\n{}",
        method.name(),
        comment(&method.input().parent_file(), method.input().path()),
        fields(&method.input()),
        comment(&method.output().parent_file(), method.output().path()),
        fields(&method.output()),
    )
}

/// The HTTP method and path of an RPC; a tidy test holds that each has one.
fn http_rule(pool: &DescriptorPool, method: &MethodDescriptor) -> (String, String) {
    let extension = pool.get_extension_by_name("google.api.http").unwrap();
    let options = method.options();
    let Value::Message(rule) = options.get_extension(&extension).into_owned() else { panic!("no rule") };
    let verbs = ["get", "put", "post", "delete", "patch"];
    let verb = verbs.into_iter().find(|verb| rule.has_field_by_name(verb)).unwrap();
    (verb.to_uppercase(), rule.get_field_by_name(verb).unwrap().as_str().unwrap().to_owned())
}

/// The messages below the RPCs' own that the RPCs use, and the enums, each by its first use.
fn types(services: &[ServiceDescriptor], told: &BTreeSet<String>) -> (Vec<MessageDescriptor>, Vec<EnumDescriptor>) {
    let methods = services.iter().flat_map(|service| service.methods().collect::<Vec<_>>());
    let mut waiting: Vec<MessageDescriptor> = methods.flat_map(|method| [method.input(), method.output()]).collect();
    let (mut messages, mut enums) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(message) = waiting.get(at).cloned() {
        at += 1;
        for field in message.fields() {
            match field.kind() {
                Kind::Message(inner) if !waiting.contains(&inner) => waiting.push(inner),
                Kind::Enum(inner) if !enums.contains(&inner) => enums.push(inner),
                _ => {}
            }
        }
        if !told.contains(message.full_name()) && !message.is_map_entry() {
            messages.push(message);
        }
    }
    (messages, enums)
}

fn fields(message: &MessageDescriptor) -> String {
    if message.fields().len() == 0 {
        return String::new();
    }
    let mut table = "\n| field | type | meaning |\n|---|---|---|\n".to_owned();
    for field in message.fields() {
        let about = cell(&comment(&field.parent_file(), field.path()));
        writeln!(table, "| `{}` = {} | {} | {about} |", field.name(), field.number(), type_name(&field)).unwrap();
    }
    table
}

fn values(enumeration: &EnumDescriptor) -> String {
    let about = comment(&enumeration.parent_file(), enumeration.path());
    let mut text = format!("\n### {}\n\n{about}\n\n| value | meaning |\n|---|---|\n", enumeration.full_name());
    for value in enumeration.values() {
        let about = cell(&comment(&value.parent_enum().parent_file(), value.path()));
        writeln!(text, "| `{}` = {} | {about} |", value.name(), value.number()).unwrap();
    }
    text
}

fn type_name(field: &FieldDescriptor) -> String {
    let name = match field.kind() {
        Kind::Message(entry) if field.is_map() => {
            return format!(
                "map of {} to {}",
                type_name(&entry.map_entry_key_field()),
                type_name(&entry.map_entry_value_field())
            );
        }
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(enumeration) => enumeration.full_name().to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    };
    let is_one_of = field.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic());
    match field.cardinality() {
        Cardinality::Repeated => format!("list of {name}"),
        _ if is_one_of => format!("one of: {name}"),
        _ => name,
    }
}

/// What a proto says about one of its parts, on one line.
fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    let info = file.file_descriptor_proto().source_code_info.clone().unwrap_or_default();
    let comment = info.location.iter().find(|location| location.path == path);
    let text = comment.and_then(|location| location.leading_comments.clone()).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text as a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
