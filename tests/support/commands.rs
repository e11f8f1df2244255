//! Commands of the binary against a node.

use serde_json::Value;

use super::{NodeHandle, boltgram, boltgram_json};

/// Runs a command against a node, and gives the JSON that it wrote.
pub async fn on(node: &NodeHandle, args: &[&str]) -> Value {
    boltgram_json(&[args, &["--grpc", &node.grpc]].concat()).await
}

/// Runs a command against a node that must fail, and gives its exit code and what it said.
pub async fn fails(node: &NodeHandle, args: &[&str]) -> (i32, String) {
    let output = boltgram(&[args, &["--grpc", &node.grpc]].concat()).await;
    assert!(!output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// A text in JSON.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
