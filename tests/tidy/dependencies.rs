//! Who may depend on whom, and what the whole tree may hold.

use std::collections::BTreeSet;

use crate::{
    assert_none,
    code::{code_only, words},
    workspace::{self, Locked, Package, crate_of},
};

/// Which of our crates each of them may depend on (normal dependencies). The binary may on all.
const DIRECTION: &[(&str, &[&str])] = &[
    ("api", &[]),
    ("core", &[]),
    ("devnet", &[]),
    ("failpoints", &[]),
    ("store", &["core"]),
    ("lightning", &["core", "failpoints"]),
    ("messaging", &["core", "failpoints", "store", "lightning"]),
    ("edge", &["api", "core", "lightning", "messaging"]),
];

/// Libraries that only some crates may name, and which; by the beginning of their names. In sources `-` is `_`.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("rusqlite", &["store", "lightning"]),
    ("libsqlite3", &[]),
    ("ldk-node", &["lightning"]),
    ("lightning", &[]),
    ("tonic", &["api", "edge"]),
    ("tokio", &["api", "boltgram", "devnet", "edge", "lightning", "messaging", "store"]),
];

/// The part of the lightning crate that may name rusqlite: its KV store.
const KV_STORE: &str = "crates/lightning/src/kv";

/// What `core` may depend on: nothing that reads, writes, waits or talks.
const CORE: &[&str] = &["bitcoin", "data-encoding", "prost", "thiserror", "uuid", "zeroize", "zstd"];

/// Libraries that do I/O: none may be below `core`, at any depth.
const IO: &[&str] = &["tokio", "mio", "socket2", "hyper", "rusqlite", "libsqlite3-sys", "ldk-node", "tonic", "reqwest"];

/// The package name without the common beginning.
fn short(name: &str) -> &str {
    name.strip_prefix("boltgram-").unwrap_or(name)
}

fn against_direction<'a>(dependencies: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let is_allowed = |from: &str, to: &str| {
        from == "boltgram" || DIRECTION.iter().any(|(name, allowed)| *name == from && allowed.contains(&to))
    };
    let ours = dependencies.into_iter().filter(|(_, to)| to.starts_with("boltgram"));
    ours.filter(|(from, to)| !is_allowed(short(from), short(to)))
        .map(|(from, to)| format!("{from} depends on {to}"))
        .collect()
}

fn outside_their_crates<'a>(dependencies: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let is_refused = |from: &str, to: &str| {
        ONLY_IN.iter().any(|(library, crates)| is_part_of(to, library) && !crates.contains(&from))
    };
    dependencies
        .into_iter()
        .filter(|(from, to)| is_refused(short(from), to))
        .map(|(from, to)| format!("{from} depends on {to}"))
        .collect()
}

/// Whether a library is this one or one of its family: `tonic-health` is of `tonic`.
fn is_part_of(name: &str, library: &str) -> bool {
    name.strip_prefix(library).is_some_and(|rest| rest.is_empty() || rest.starts_with('-') || rest.starts_with('_'))
}

fn named_outside_their_crates(path: &str, text: &str) -> Vec<String> {
    let code = code_only(text);
    let named: BTreeSet<&str> = words(&code).collect();
    let refused = |library: &str, crates: &[&str]| {
        let in_kv_store = library == "rusqlite" && crate_of(path) == "lightning";
        !crates.contains(&crate_of(path)) || (in_kv_store && !path.starts_with(KV_STORE))
    };
    // `lightning` is a common word, so its own crate is only looked for among the dependencies.
    ONLY_IN
        .iter()
        .filter(|(library, crates)| *library != "lightning" && refused(library, crates))
        .filter(|(library, _)| named.iter().any(|word| is_part_of(word, &library.replace('-', "_"))))
        .map(|(library, _)| format!("{path} names {library}"))
        .collect()
}

fn below<'a>(lock: &'a [Locked], roots: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = roots.into_iter().collect();
    while let Some(name) = open.pop() {
        if found.insert(name) {
            let packages = lock.iter().filter(|package| package.name == name);
            open.extend(packages.flat_map(|package| &package.dependencies).filter_map(|entry| entry.split(' ').next()));
        }
    }
    found
}

fn wrong_counts(lock: &[Locked]) -> Vec<String> {
    let expected = [
        ("libsqlite3-sys", 1),
        ("rusqlite", 1),
        ("rustls", 1),
        ("ring", 1),
        ("tokio", 1),
        ("tonic", 1),
        ("aws-lc-rs", 0),
        ("aws-lc-sys", 0),
        ("openssl-sys", 0),
        ("native-tls", 0),
    ];
    let count = |name: &str| lock.iter().filter(|package| package.name == name).count();
    expected
        .iter()
        .filter(|(name, expected)| count(name) != *expected)
        .map(|(name, expected)| format!("Cargo.lock has {name} {} times, not {expected}", count(name)))
        .collect()
}

/// What is fuzzed in another version than the binary has.
fn fuzzed_in_other_versions(fuzz: &[Locked], lock: &[Locked]) -> Vec<String> {
    let is_other = |package: &&Locked| {
        let mut named = lock.iter().filter(|other| other.name == package.name).peekable();
        named.peek().is_some() && named.all(|other| other.version != package.version)
    };
    let found = fuzz.iter().filter(is_other);
    found
        .map(|package| format!("fuzz/Cargo.lock has {} {}, which Cargo.lock has not", package.name, package.version))
        .collect()
}

fn normal_dependencies() -> Vec<(&'static str, &'static str)> {
    let of = |package: &'static Package| package.normal().map(|to| (package.name.as_str(), to));
    workspace::packages().iter().flat_map(of).collect()
}

#[test]
fn our_crates_depend_on_each_other_in_one_direction() {
    assert_none(against_direction(normal_dependencies()));
}

#[test]
fn every_crate_stands_in_the_table_of_directions() {
    let names = workspace::packages().iter().map(|package| short(&package.name));
    let known = |name: &&str| *name == "boltgram" || DIRECTION.iter().any(|(known, _)| known == name);
    assert_none(names.filter(|name| !known(name)).map(|name| format!("{name} is not in DIRECTION")).collect());
}

#[test]
fn only_their_own_crates_depend_on_rusqlite_ldk_node_tonic_and_tokio() {
    assert_none(outside_their_crates(normal_dependencies()));
}

#[test]
fn only_their_own_crates_name_rusqlite_ldk_node_tonic_and_tokio() {
    assert_none(
        workspace::source_files().flat_map(|file| named_outside_their_crates(&file.path, &file.text)).collect(),
    );
}

#[test]
fn core_has_no_io_crate() {
    let core = workspace::packages().iter().find(|package| package.name == "boltgram-core").unwrap();
    let unknown = core.normal().filter(|name| !CORE.contains(name)).map(|name| format!("core depends on {name}"));
    let lock = workspace::lock();
    let all = below(&lock, core.normal());
    let io = IO.iter().filter(|name| all.contains(*name)).map(|name| format!("{name} is below core"));
    assert_none(unknown.chain(io).collect());
}

#[test]
fn the_tree_has_one_sqlite_one_rustls_with_ring_and_no_other_tls() {
    assert_none(wrong_counts(&workspace::lock()));
}

#[test]
fn every_dependency_comes_from_crates_io() {
    let elsewhere = |package: &Locked| {
        let source = package.source.as_deref()?;
        let is_crates_io = source == "registry+https://github.com/rust-lang/crates.io-index";
        (!is_crates_io).then(|| format!("{} comes from {source}", package.name))
    };
    assert_none(workspace::lock().iter().chain(&workspace::fuzz_lock()).filter_map(elsewhere).collect());
}

#[test]
fn what_is_fuzzed_has_the_versions_of_the_binary() {
    assert_none(fuzzed_in_other_versions(&workspace::fuzz_lock(), &workspace::lock()));
}

#[test]
fn the_checks_of_dependencies_can_fail() {
    assert_eq!(against_direction([("boltgram-store", "boltgram-edge"), ("boltgram", "boltgram-edge")]).len(), 1);
    assert_eq!(against_direction([("boltgram-devnet", "boltgram-core"), ("boltgram-edge", "boltgram-core")]).len(), 1);
    let libraries = [("boltgram", "tonic-health"), ("boltgram-core", "tokio"), ("boltgram-edge", "tonic")];
    assert_eq!(outside_their_crates(libraries).len(), 2);

    let named = |path: &str, text: &str| named_outside_their_crates(path, text).len();
    assert_eq!(named("crates/edge/src/a.rs", "use ldk_node::Node; // tonic"), 1);
    assert_eq!(named("crates/edge/src/a.rs", "// ldk_node\nlet a = \"rusqlite\"; use tonic::Status;"), 0);
    assert_eq!(named("crates/core/src/a.rs", "use tokio::spawn; use tonic_health::pb;"), 2);
    assert_eq!(named("crates/lightning/src/kv_store.rs", "use rusqlite::Connection;"), 0);
    assert_eq!(named("crates/lightning/src/node.rs", "use rusqlite::Connection;"), 1);

    let lock = workspace::locked(
        "[[package]]\nname = \"a\"\ndependencies = [\"rustls 0.1\"]\n[[package]]\nname = \"rustls\"\ndependencies = [\"openssl-sys\"]\n\
         [[package]]\nname = \"openssl-sys\"\n",
    );
    assert!(below(&lock, ["a"]).contains("openssl-sys"));
    assert!(wrong_counts(&lock).iter().any(|finding| finding.contains("openssl-sys 1 times, not 0")));

    let fuzz =
        workspace::locked("[[package]]\nname = \"a\"\nversion = \"1\"\n[[package]]\nname = \"b\"\nversion = \"1\"\n");
    let lock = workspace::locked("[[package]]\nname = \"a\"\nversion = \"2\"\n");
    assert_eq!(fuzzed_in_other_versions(&fuzz, &lock), ["fuzz/Cargo.lock has a 1, which Cargo.lock has not"]);
}
