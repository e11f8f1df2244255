//! What stands at the top of the repository, and what stands in none of its files.

use std::fs;

use crate::{assert_none, workspace};

/// What may stand at the top beside dot files: nothing else.
const TOP: &[&str] = &[
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
    "build.rs",
    "clippy.toml",
    "crates",
    "data",
    "deny.toml",
    "docker",
    "docs",
    "fuzz",
    "proto",
    "rustfmt.toml",
    "target",
    "tests",
];

/// What must.
const TOP_NEEDED: &[&str] = &["Cargo.lock", "Cargo.toml", "build.rs", "crates", "data", "proto", "tests"];

/// The dot files that are usual.
const DOT_FILES: &[&str] =
    &[".ci", ".dockerignore", ".editorconfig", ".git", ".gitattributes", ".github", ".gitignore"];

/// What belongs to one machine or one registry, written in two parts so that this file has none of it.
const FOREIGN: &[&str] = &[
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("index", "-url"),
    concat!("find", "-links"),
    concat!("[sou", "rce."),
    concat!("[regis", "tries"),
];

fn out_of_place<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let is_known = |name: &&str| TOP.contains(name) || DOT_FILES.contains(name);
    names.into_iter().filter(|name| !is_known(name)).map(|name| format!("{name} at the top")).collect()
}

fn foreign(path: &str, text: &str) -> Vec<String> {
    FOREIGN.iter().filter(|part| text.contains(*part)).map(|part| format!("{path} has {part}")).collect()
}

#[test]
fn the_top_holds_what_the_architecture_names_and_nothing_else() {
    let entries = fs::read_dir(workspace::top()).unwrap();
    let names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    let missing = TOP_NEEDED.iter().filter(|needed| !names.iter().any(|name| name == *needed));
    let mut findings = out_of_place(names.iter().map(String::as_str));
    findings.extend(missing.map(|name| format!("{name} is missing")));
    assert_none(findings);
}

#[test]
fn no_file_names_a_path_of_one_machine_or_a_registry() {
    assert_none(workspace::files().iter().flat_map(|file| foreign(&file.path, &file.text)).collect());
}

#[test]
fn the_checks_of_the_repository_can_fail() {
    assert_eq!(out_of_place(["Cargo.toml", "notes.txt", ".ci", ".cargo"]).len(), 2);
    assert_eq!(foreign("a", concat!("cd /ro", "ot/x && pip install --index", "-url https://host")).len(), 2);
    assert!(foreign("a", "rooted in the work of others").is_empty());
}
