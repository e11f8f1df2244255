//! The invariants of the repository, each one test that reads the workspace: what the compiler and clippy can't
//! hold for us.
//!
//! A check is a function from text to findings, so that each module can also show it a bad sample. What is read is in
//! `workspace`; what is found is told with its place, all of it at once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "tidy/api.rs"]
mod api;
#[path = "tidy/code.rs"]
mod code;
#[path = "tidy/dependencies.rs"]
mod dependencies;
#[path = "tidy/features.rs"]
mod features;
#[path = "tidy/manifests.rs"]
mod manifests;
#[path = "tidy/repository.rs"]
mod repository;
#[path = "tidy/secrets.rs"]
mod secrets;
#[path = "tidy/sources.rs"]
mod sources;
#[path = "tidy/workspace.rs"]
mod workspace;

/// Fails with every finding, one a line.
#[track_caller]
fn assert_none(findings: Vec<String>) {
    assert!(findings.is_empty(), "{} found:\n{}", findings.len(), findings.join("\n"));
}
