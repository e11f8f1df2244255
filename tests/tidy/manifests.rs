//! What every manifest of the workspace says.

use std::fs;

use toml::{Table, Value};

use crate::{
    assert_none,
    workspace::{self, Package, Target},
};

fn without_shared_lints(name: &str, manifest: &str) -> Option<String> {
    let manifest: Table = manifest.parse().unwrap();
    let shared = manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(Value::as_bool);
    (shared != Some(true)).then(|| format!("{name} has no `[lints] workspace = true`"))
}

fn publishable(package: &Package) -> Option<String> {
    let is_private = package.publish.as_ref().is_some_and(Vec::is_empty);
    (!is_private).then(|| format!("{} has no `publish = false`", package.name))
}

fn skipped_targets(name: &str, targets: &[Target], manifest: &str) -> Vec<String> {
    let is_tested = |target: &&Target| target.kind.iter().any(|kind| matches!(kind.as_str(), "lib" | "bin" | "test"));
    let skipped = targets.iter().filter(is_tested).filter(|target| !target.test);
    let mut found: Vec<String> =
        skipped.map(|target| format!("{name}: target {} has `test = false`", target.name)).collect();
    let manifest: Table = manifest.parse().unwrap();
    let sections = manifest.iter().filter(|(section, _)| ["lib", "bin", "test", "bench"].contains(&section.as_str()));
    for (section, value) in sections {
        let entries = value.as_array().map_or_else(|| vec![value], |entries| entries.iter().collect());
        if entries.iter().any(|entry| entry.get("bench").and_then(Value::as_bool) == Some(false)) {
            found.push(format!("{name}: a target of [{section}] has `bench = false`"));
        }
    }
    found
}

fn manifest(package: &Package) -> String {
    fs::read_to_string(&package.manifest_path).unwrap()
}

#[test]
fn no_crate_can_be_published() {
    assert_none(workspace::packages().iter().filter_map(publishable).collect());
}

#[test]
fn every_crate_has_the_lints_of_the_workspace() {
    let check = |package: &Package| without_shared_lints(&package.name, &manifest(package));
    assert_none(workspace::packages().iter().filter_map(check).collect());
}

#[test]
fn no_target_is_left_out_of_tests_or_of_clippy() {
    let check = |package: &'static Package| skipped_targets(&package.name, &package.targets, &manifest(package));
    assert_none(workspace::packages().iter().flat_map(check).collect());
}

#[test]
fn the_checks_of_manifests_can_fail() {
    assert!(without_shared_lints("a", "[package]\nname = \"a\"").is_some());
    assert!(without_shared_lints("a", "[lints]\nworkspace = true").is_none());

    let target = |test| Target { name: "t".into(), kind: vec!["test".into()], test };
    assert_eq!(skipped_targets("a", &[target(false), target(true)], "").len(), 1);
    assert_eq!(skipped_targets("a", &[], "[[bench]]\nname = \"b\"\nbench = false").len(), 1);

    let package = |publish| Package {
        name: "a".into(),
        publish,
        manifest_path: "Cargo.toml".into(),
        dependencies: vec![],
        targets: vec![],
    };
    assert!(publishable(&package(None)).is_some());
    assert!(publishable(&package(Some(vec!["registry".into()]))).is_some());
    assert!(publishable(&package(Some(vec![]))).is_none());
}
