//! The panic hook, in a process of its own: a panic inside ldk-node ends it, any other doesn't.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    env,
    process::{Command, Output},
};

use boltgram_lightning::{EXIT_CODE_NODE_PANIC, Network, Node, NodeConfig, install_panic_hook};

/// Which of the children below a process is to be.
const CHILD: &str = "BOLTGRAM_TEST_PANIC";

/// A child's data folder.
const FOLDER: &str = "BOLTGRAM_TEST_FOLDER";

/// Runs this test program again as one of its children.
fn child(name: &str) -> Output {
    let program = env::current_exe().unwrap();
    let arguments = ["--exact", "as_a_child", "--nocapture", "--test-threads=1"];
    // The folder is the parent's: a child that ends so doesn't clean up.
    let folder = tempfile::tempdir().unwrap();
    Command::new(program).args(arguments).env(CHILD, name).env(FOLDER, folder.path()).output().unwrap()
}

#[test]
fn as_a_child() {
    let Ok(name) = env::var(CHILD) else { return };
    install_panic_hook();
    match name.as_str() {
        "elsewhere" => assert!(std::thread::spawn(|| panic!("an ordinary panic")).join().is_err()),
        "node" => {
            let node = Node::build(NodeConfig::new(env::var(FOLDER).unwrap(), Network::Regtest, "http://127.0.0.1:1"))
                .unwrap();
            tracing::subscriber::set_global_default(Panicking).unwrap();
            let _ = node.new_address();
        }
        other => panic!("{other}"),
    }
}

/// Panics at the node's log line about a new address, which is written inside ldk-node.
struct Panicking;

impl tracing::Subscriber for Panicking {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "ldk"
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        panic!("a text with {}", env::var(CHILD).unwrap());
    }
}

#[test]
fn a_panic_inside_the_node_ends_the_process_and_tells_no_formatted_text() {
    let output = child("node");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(EXIT_CODE_NODE_PANIC), "{told}");
    assert!(told.contains("the Lightning node panicked at"), "{told}");
    assert!(!told.contains("a text with"), "{told}");
}

#[test]
fn a_panic_elsewhere_is_an_ordinary_one() {
    let output = child("elsewhere");
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("an ordinary panic"));
}
