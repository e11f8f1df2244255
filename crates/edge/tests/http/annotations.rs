//! Broken descriptor sets and annotations: each is an error when the router is built, and names the RPC.

use boltgram_api::DESCRIPTOR_SET;
use boltgram_edge::http::{GatewayError, Limits, router};
use serde_json::{Value, json};
use tonic::service::Routes;

use crate::support::changed_descriptors;

fn build(descriptor_set: &[u8]) -> Result<(), GatewayError> {
    router(descriptor_set, Routes::default(), Limits::default()).map(|_| ())
}

/// The descriptor set with one method changed.
fn with(method: &str, change: impl Fn(&mut Value)) -> Vec<u8> {
    changed_descriptors(|files| {
        let services = files.iter_mut().filter_map(|file| file.get_mut("service")?.as_array_mut()).flatten();
        let mut methods = services.filter_map(|service| service["method"].as_array_mut()).flatten();
        change(methods.find(|found| found["name"] == method).unwrap());
    })
}

fn with_rule(method: &str, rule: Value) -> Vec<u8> {
    with(method, |method| method["options"]["[google.api.http]"] = rule.clone())
}

#[track_caller]
fn is_refused(descriptor_set: &[u8], rpc: &str, why: &str) {
    let error = build(descriptor_set).unwrap_err().to_string();
    assert!(error.contains(rpc) && error.contains(why), "{error}");
}

#[test]
fn the_descriptor_set_of_the_api_is_sound() {
    build(DESCRIPTOR_SET).unwrap();
    build(&with("Get", |_| {})).unwrap();
}

#[test]
fn what_is_no_descriptor_set_is_an_error() {
    assert!(matches!(build(b"\xff"), Err(GatewayError::Descriptors(_))));
    assert!(matches!(build(b""), Err(GatewayError::NoAnnotations)));
    assert!(build(&DESCRIPTOR_SET[..DESCRIPTOR_SET.len() / 2]).is_err());
}

#[test]
fn an_annotation_that_can_not_be_mapped_is_an_error_that_names_the_rpc() {
    let rpc = "boltgram.v1.Messages.Get";
    for (rule, why) in [
        (json!({}), "no method and path"),
        (json!({"get": "v1/x"}), "does not begin with /"),
        (json!({"get": "/v1/"}), "empty segment"),
        (json!({"get": "/v1//x"}), "empty segment"),
        (json!({"get": "/v1/{nothing}"}), "nothing, which is no field of boltgram.v1.GetRequest"),
        (json!({"get": "/v1/{id.x}"}), "id.x, which is no field"),
        (json!({"get": "/v1/{id}/{id}"}), "stands twice"),
        (json!({"get": "/v1/{id=**}"}), "id=**"),
        (json!({"get": "/v1/*"}), "not supported"),
        (json!({"get": "/v1/{id}:cancel"}), "not supported"),
        (json!({"get": "/v1/{id", "body": ""}), "not supported"),
        (json!({"get": "/v1/x", "body": "*"}), "a GET has no body"),
        (json!({"post": "/v1/x", "body": "id"}), "body: \"id\" is not supported"),
        (json!({"get": "/v1/messages/subscribe", "body": ""}), "same HTTP method and path"),
    ] {
        is_refused(&with_rule("Get", rule), rpc, why);
    }
    is_refused(&with("Get", |method| method["options"] = json!({})), rpc, "no option google.api.http");
    is_refused(&with("Get", |method| method["clientStreaming"] = json!(true)), rpc, "stream of requests");
}

#[test]
fn variables_of_other_names_at_one_place_are_the_same_path() {
    let clash = with_rule("Balances", json!({"get": "/v1/messages/x"}));
    build(&clash).unwrap();
    let clash = with_rule("ListChannels", json!({"post": "/v1/node/channels/{nothing}/close"}));
    is_refused(&clash, "boltgram.v1.Node.ListChannels", "nothing");
    let clash = with_rule("SendMessage", json!({"post": "/v1/node/channels/{pubkey}/close", "body": "*"}));
    is_refused(&clash, "messaging.Messaging.SendMessage", "boltgram.v1.Node.CloseChannel");
}
