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

#[test]
fn the_checks_of_the_api_can_fail() {
    let bad = r#"
        syntax = "proto3";
        package bad;
        import "google/api/annotations.proto";
        service Bad {
          rpc Hidden(Nothing) returns (Nothing);
          rpc One(Nothing) returns (Nothing) { option (google.api.http) = { get: "/v1/same" }; }
          rpc Two(Nothing) returns (Nothing) { option (google.api.http) = { get: "/v1/same" }; }
        }
        // Explained.
        message Nothing { string bare = 1; }
    "#;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.proto"), bad).unwrap();
    let proto = crate::workspace::top().join("proto");
    let mut compiler = protox::Compiler::new([dir.path(), &proto]).unwrap();
    let encoded = compiler.include_source_info(true).include_imports(true).open_file("bad.proto").unwrap();
    let pool = DescriptorPool::decode(encoded.encode_file_descriptor_set().as_slice()).unwrap();
    assert_eq!(without_http(&pool), ["bad.Bad.Hidden has no google.api.http"]);
    assert_eq!(same_http(&pool), [r#"get /v1/same: ["bad.Bad.One", "bad.Bad.Two"]"#]);
    let findings: Vec<String> = our_files(&pool).iter().flat_map(unexplained).collect();
    assert!(findings.contains(&"bad.Nothing.bare has no comment".to_owned()), "{findings:?}");
    assert!(!findings.contains(&"bad.Nothing has no comment".to_owned()), "{findings:?}");
    assert_eq!(findings.len(), 5, "{findings:?}");
}
