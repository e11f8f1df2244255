//! The API's description: it has every RPC, holds together, and its page needs nobody else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;

use axum::{Router, body::Body};
use boltgram_api::DESCRIPTOR_SET;
use boltgram_edge::openapi;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use prost_reflect::DescriptorPool;
use serde_json::Value;
use tower::ServiceExt as _;

fn document() -> Value {
    serde_json::from_str(&openapi::document(DESCRIPTOR_SET).unwrap()).unwrap()
}

/// Every operation: method, path and the operation itself.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let methods = paths.flat_map(|(path, methods)| methods.as_object().unwrap().iter().map(move |m| (path, m)));
    methods.map(|(path, (method, operation))| (method.clone(), path.clone(), operation.clone())).collect()
}

fn operation(document: &Value, id: &str) -> Value {
    let all = operations(document);
    all.into_iter().find(|(_, _, operation)| operation["operationId"] == id).expect(id).2
}

/// Calls `visit` with every object of a JSON value.
fn each_object(value: &Value, visit: &mut impl FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            visit(members);
            // What a schema excludes isn't described.
            members.iter().filter(|(name, _)| *name != "not").for_each(|(_, inner)| each_object(inner, visit));
        }
        Value::Array(values) => values.iter().for_each(|inner| each_object(inner, visit)),
        _ => {}
    }
}

async fn get(router: &Router, method: &str, path: &str) -> (StatusCode, http::HeaderMap, String) {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    (parts.status, parts.headers, text)
}

#[test]
fn every_rpc_is_an_operation_of_its_own_name() {
    let pool = DescriptorPool::decode(DESCRIPTOR_SET).unwrap();
    let rpcs = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    let rpcs: BTreeSet<String> = rpcs.map(|rpc| rpc.full_name().to_owned()).collect();
    let operations = operations(&document());
    let ids: BTreeSet<String> = operations.iter().map(|(.., it)| it["operationId"].as_str().unwrap().into()).collect();
    assert_eq!(ids, rpcs);
    assert_eq!(operations.len(), rpcs.len());
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut references = BTreeSet::new();
    each_object(&document, &mut |members| {
        if let Some(Value::String(reference)) = members.get("$ref") {
            references.insert(reference.clone());
        }
    });
    assert!(references.len() > 20);
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("a reference within the document");
        assert!(document.pointer(pointer).is_some_and(|target| target != &Value::Null), "{reference}");
    }
}

#[test]
fn every_variable_of_a_path_is_a_required_parameter() {
    for (_, path, operation) in operations(&document()) {
        let in_path = |parameter: &&Value| parameter["in"] == "path" && parameter["required"] == true;
        let parameters = operation["parameters"].as_array().unwrap();
        let named: BTreeSet<_> =
            parameters.iter().filter(in_path).map(|it| it["name"].as_str().unwrap().to_owned()).collect();
        let variables = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        assert_eq!(named, variables.map(str::to_owned).collect(), "{path}");
    }
}

#[test]
fn every_operation_field_and_parameter_is_explained() {
    let document = document();
    for (_, path, operation) in operations(&document) {
        assert!(operation["description"].as_str().unwrap().len() > 10, "{path}");
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{path}");
    }
    let mut fields = 0;
    each_object(&document, &mut |members| {
        for (name, field) in members.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if name != "result" && name != "error" {
                assert!(field["description"].as_str().is_some_and(|text| !text.is_empty()), "{name}");
                fields += 1;
            }
        }
    });
    assert!(fields > 50);
}

#[test]
fn messages_have_their_json_forms() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    let message = &schemas["boltgram.v1.Message"];
    assert_eq!(message["properties"]["amountMsat"]["type"], "string");
    assert_eq!(message["properties"]["amountMsat"]["format"], "int64");
    assert_eq!(message["properties"]["body"]["contentEncoding"], "base64");
    assert!(message["properties"]["state"]["enum"].as_array().unwrap().contains(&"STATE_RECEIVED".into()));
    assert!(message["required"].as_array().unwrap().contains(&"replyToId".into()));
    assert!(message["additionalProperties"].is_null());

    let request = &schemas["boltgram.v1.SendRequest"];
    assert_eq!(request["additionalProperties"], false);
    assert!(request["properties"]["amountSat"]["type"].as_array().unwrap().contains(&"integer".into()));
    assert!(request["properties"]["replyToId"].is_object() && request["properties"]["reply_to_id"].is_null());
    assert_eq!(request["allOf"][0]["not"]["required"], serde_json::json!(["text", "body"]));
    assert!(schemas["messaging.SendMessageRequest"]["additionalProperties"].is_null());
}

#[test]
fn requests_are_described_where_they_stand() {
    let document = document();
    let list = operation(&document, "boltgram.v1.Messages.List");
    let query: Vec<_> = list["parameters"].as_array().unwrap().iter().filter(|it| it["in"] == "query").collect();
    let names: Vec<_> = query.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert!(names.starts_with(&["pageSize", "pageToken", "direction", "peerPubkey"]), "{names:?}");
    assert_eq!(query[0]["schema"]["type"], "integer");
    assert_eq!(list["requestBody"], Value::Null);

    let close = operation(&document, "boltgram.v1.Node.CloseChannel");
    let body = &close["requestBody"]["content"]["application/json"]["schema"]["properties"];
    assert!(body["force"].is_object() && body["channelId"].is_null());
}

#[test]
fn a_stream_is_told_in_each_of_its_forms() {
    let document = document();
    let responses = &operation(&document, "websocket.Websocket.Subscribe")["responses"];
    assert!(responses["101"]["description"].as_str().unwrap().contains("WebSocket"));
    for media_type in ["application/x-ndjson", "text/event-stream"] {
        let reference = responses["200"]["content"][media_type]["schema"]["$ref"].as_str().unwrap();
        let frame = document.pointer(&reference[1..]).unwrap();
        assert!(frame["anyOf"][0]["properties"]["result"].is_object());
        assert!(frame["anyOf"][1]["properties"]["error"].is_object());
    }
}

#[test]
fn every_reason_stands_with_its_http_status() {
    let document = document();
    for row in openapi::errors() {
        let name = format!("Error{}", row.http_status);
        let description = document["components"]["responses"][name.as_str()]["description"].as_str().unwrap();
        assert!(description.contains(&format!("`{}`: {}", row.reason, row.meaning)), "{}", row.reason);
        let send = operation(&document, "messaging.Messaging.SendMessage");
        let reference = format!("#/components/responses/{name}");
        assert_eq!(send["responses"][row.http_status.to_string()]["$ref"], reference);
    }
    assert!(openapi::errors().iter().any(|row| row.code == "FAILED_PRECONDITION" && row.http_status == 400));
}

#[test]
fn a_broken_descriptor_set_is_an_error() {
    assert!(openapi::document(b"\xff").is_err());
    assert!(openapi::router(b"").is_err());
}

#[tokio::test]
async fn the_document_and_its_page_are_served() {
    let router = openapi::router(DESCRIPTOR_SET).unwrap();
    let (status, headers, text) = get(&router, "GET", "/openapi.json").await;
    assert_eq!((status, &headers[header::CONTENT_TYPE]), (StatusCode::OK, &"application/json".parse().unwrap()));
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), document());
    for (path, part) in [("/docs", "<!doctype html>"), ("/docs/docs.js", "use strict"), ("/docs/docs.css", ":root")] {
        let (status, headers, text) = get(&router, "GET", path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(text.contains(part), "{path}");
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    }
    let (status, headers, text) = get(&router, "POST", "/docs").await;
    assert_eq!((status, &headers[header::ALLOW]), (StatusCode::METHOD_NOT_ALLOWED, &"GET, HEAD".parse().unwrap()));
    assert!(text.contains("this path has no such method"));
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere_and_has_no_script_in_it() {
    let router = openapi::router(DESCRIPTOR_SET).unwrap();
    for path in ["/docs", "/docs/docs.js", "/docs/docs.css"] {
        let (_, _, text) = get(&router, "GET", path).await;
        for foreign in ["http:", "https:", "//cdn", "@import", ": url(", "innerHTML", "eval("] {
            assert!(!text.contains(foreign), "{path} has {foreign}");
        }
    }
    let (_, _, page) = get(&router, "GET", "/docs").await;
    assert_eq!(page.matches("<script").count(), page.matches("<script src=\"/docs/docs.js\"").count());
    assert!(!page.contains("style=") && !page.contains("<style") && !page.contains("onload"), "inline code");
}
