//! The API's descriptors: every RPC can be reached over HTTP, and everything is explained.

use std::collections::BTreeMap;

use boltgram_api::DESCRIPTOR_SET;
use prost_reflect::{DescriptorPool, FileDescriptor, MethodDescriptor, Value};

use crate::assert_none;

/// The packages that are not ours to explain.
const FOREIGN: &str = "google.";

/// The methods that HTTP has here, as fields of `google.api.HttpRule`.
const METHODS: &[&str] = &["get", "put", "post", "delete", "patch"];

fn pool() -> DescriptorPool {
    DescriptorPool::decode(DESCRIPTOR_SET).unwrap()
}

fn our_files(pool: &DescriptorPool) -> Vec<FileDescriptor> {
    pool.files().filter(|file| !file.package_name().starts_with(FOREIGN)).collect()
}

/// `POST /v1/…` of an RPC, if it has one.
fn http_rule(pool: &DescriptorPool, method: &MethodDescriptor) -> Option<String> {
    let extension = pool.get_extension_by_name("google.api.http")?;
    let options = method.options();
    if !options.has_extension(&extension) {
        return None;
    }
    let Value::Message(rule) = options.get_extension(&extension).into_owned() else { return None };
    let verb = METHODS.iter().find(|verb| rule.has_field_by_name(verb))?;
    let path = rule.get_field_by_name(verb)?.as_str()?.to_owned();
    path.starts_with('/').then(|| format!("{verb} {path}"))
}

fn methods(pool: &DescriptorPool) -> Vec<MethodDescriptor> {
    let services = our_files(pool).into_iter().flat_map(|file| file.services().collect::<Vec<_>>());
    services.flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

fn without_http(pool: &DescriptorPool) -> Vec<String> {
    let unreachable = methods(pool).into_iter().filter(|method| http_rule(pool, method).is_none());
    unreachable.map(|method| format!("{} has no google.api.http", method.full_name())).collect()
}

fn same_http(pool: &DescriptorPool) -> Vec<String> {
    let mut rules: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for method in methods(pool) {
        if let Some(rule) = http_rule(pool, &method) {
            rules.entry(rule).or_default().push(method.full_name().to_owned());
        }
    }
    rules.into_iter().filter(|(_, names)| names.len() > 1).map(|(rule, names)| format!("{rule}: {names:?}")).collect()
}

/// Everything of a file that has no comment.
fn unexplained(file: &FileDescriptor) -> Vec<String> {
    let info = file.file_descriptor_proto().source_code_info.clone().unwrap_or_default();
    let is_explained = |path: &[i32]| {
        let comments = info.location.iter().filter(|location| location.path == path);
        comments.filter_map(|location| location.leading_comments.as_deref()).any(|comment| !comment.trim().is_empty())
    };
    let mut things: Vec<(String, Vec<i32>)> = Vec::new();
    for service in file.services() {
        things.push((service.full_name().to_owned(), service.path().to_vec()));
        things.extend(service.methods().map(|method| (method.full_name().to_owned(), method.path().to_vec())));
    }
    for message in file.messages() {
        things.push((message.full_name().to_owned(), message.path().to_vec()));
        things.extend(message.fields().map(|field| (field.full_name().to_owned(), field.path().to_vec())));
    }
    for enumeration in file.enums() {
        things.push((enumeration.full_name().to_owned(), enumeration.path().to_vec()));
        things.extend(enumeration.values().map(|value| (value.full_name().to_owned(), value.path().to_vec())));
    }
    let bare = things.into_iter().filter(|(_, path)| !is_explained(path));
    bare.map(|(name, _)| format!("{name} has no comment")).collect()
}

#[test]
fn every_rpc_can_be_reached_over_http() {
    let pool = pool();
    assert!(!methods(&pool).is_empty());
    assert_none(without_http(&pool));
}

#[test]
fn no_two_rpcs_share_a_method_and_path() {
    assert_none(same_http(&pool()));
}

#[test]
fn every_service_rpc_message_field_and_value_is_explained() {
    assert_none(our_files(&pool()).iter().flat_map(unexplained).collect());
}

/// The API's descriptors with one text replaced by another of the same length, so that the encoding stays whole.
fn edited(from: &str, to: &str) -> DescriptorPool {
    assert_eq!(from.len(), to.len());
    let mut bytes = DESCRIPTOR_SET.to_vec();
    let places: Vec<usize> =
        (0..bytes.len() - from.len()).filter(|&at| bytes[at..].starts_with(from.as_bytes())).collect();
    assert!(!places.is_empty(), "{from} is not there");
    places.into_iter().for_each(|at| bytes[at..at + to.len()].copy_from_slice(to.as_bytes()));
    DescriptorPool::decode(bytes.as_slice()).unwrap()
}

#[test]
fn the_checks_of_the_api_can_fail() {
    let hidden = edited("/v1/node/balances", "-v1/node/balances");
    assert_eq!(without_http(&hidden), ["boltgram.v1.Node.Balances has no google.api.http"]);
    let same = edited("/v1/node/balances", "/v1/node/channels");
    let expected = r#"get /v1/node/channels: ["boltgram.v1.Node.Balances", "boltgram.v1.Node.ListChannels"]"#;
    assert_eq!(same_http(&same), [expected]);
    let bare = edited("Whether it is connected now.", &" ".repeat("Whether it is connected now.".len()));
    let findings: Vec<String> = our_files(&bare).iter().flat_map(unexplained).collect();
    assert_eq!(findings, ["boltgram.v1.Peer.connected has no comment"]);
}
