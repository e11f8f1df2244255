//! The documents that are made of the code: a document that no longer says what the code does fails here, and
//! `UPDATE_DOCS=1 cargo test -p boltgram --test docs` writes it anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "docs/api.rs"]
mod api;

use std::{env, fs, path::Path};

/// The variable that has the documents written anew.
const UPDATE: &str = "UPDATE_DOCS";

/// Holds a document equal to what it should be, or makes it so.
#[track_caller]
fn is_current(path: &str, wanted: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if env::var_os(UPDATE).is_some() {
        fs::write(&file, wanted).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    let differing = found.lines().zip(wanted.lines()).position(|(found, wanted)| found != wanted);
    let line = differing.unwrap_or(found.lines().count().min(wanted.lines().count())) + 1;
    assert!(
        found == wanted,
        "{path} is stale from line {line} on; `{UPDATE}=1 cargo test -p boltgram --test docs` writes it anew"
    );
}

#[test]
fn the_api_document_says_what_the_protos_and_the_error_table_say() {
    is_current("docs/api.md", &api::document());
}
