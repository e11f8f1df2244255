//! How every source file is written.

use crate::{
    assert_none,
    code::{code_only, words},
    workspace::{self, TextFile, crate_of},
};

/// A file's length.
const FILE_LINES_MAX: usize = 500;

/// Queues without a bound, by their names in the standard library, tokio, futures and flume.
const UNBOUNDED: &[&str] =
    &["unbounded_channel", "unbounded", "UnboundedSender", "UnboundedReceiver", "UnboundedReceiverStream"];

fn without_purpose(path: &str, text: &str) -> Option<String> {
    let is_told =
        text.lines().next().is_some_and(|line| line.strip_prefix("//! ").is_some_and(|rest| !rest.is_empty()));
    (!is_told).then(|| format!("{path} doesn't begin with a `//!` that says what lives there"))
}

fn too_long(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > FILE_LINES_MAX).then(|| format!("{path} has {lines} lines, more than {FILE_LINES_MAX}"))
}

fn ignored_tests(path: &str, text: &str) -> Option<String> {
    let code: String = code_only(text).split_whitespace().collect();
    (code.contains("#[ignore") || code.contains(",ignore)]")).then(|| format!("{path} has an ignored test"))
}

fn unbounded_queues(path: &str, text: &str) -> Vec<String> {
    let code = code_only(text);
    let found = words(&code).filter(|word| UNBOUNDED.contains(word));
    found.map(|word| format!("{path} uses {word}: every queue has a bound")).collect()
}

/// Bounds by their names: constants that end in `_MAX` or `_MIN`.
fn bounds_outside_limits(path: &str, text: &str) -> Vec<String> {
    if path.ends_with("/limits.rs") || crate_of(path).is_empty() {
        return Vec::new();
    }
    let code = code_only(text);
    let own_code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let all: Vec<&str> = words(own_code).collect();
    let constants = all.windows(2).filter(|pair| pair[0] == "const").map(|pair| pair[1]);
    let bounds = constants.filter(|name| name.ends_with("_MAX") || name.ends_with("_MIN"));
    bounds.map(|name| format!("{path} defines {name}: bounds stand in the crate's limits.rs")).collect()
}

/// How many places call `event_handled`, and whether any takes events at all.
fn event_calls<'a>(sources: impl Iterator<Item = (&'a str, &'a str)>) -> (Vec<String>, bool) {
    let (mut places, mut takes_events) = (Vec::new(), false);
    for (path, text) in sources {
        let code: String = code_only(text);
        let calls = words(&code).filter(|word| *word == "event_handled").count();
        places.extend(std::iter::repeat_n(path.to_owned(), calls));
        takes_events |= words(&code).any(|word| word.starts_with("next_event") || word == "wait_next_event");
    }
    (places, takes_events)
}

/// The places where a node can be killed that no test names.
fn untested_kill_points(path: &str, text: &str, tests: &str) -> Vec<String> {
    let names = text.split("kill_point!(\"").skip(1).filter_map(|rest| rest.split('"').next());
    let untested = names.filter(|name| !tests.contains(&format!("\"{name}\"")));
    untested.map(|name| format!("{path} can be killed at {name}, and tests/kills.rs does not do it")).collect()
}

fn texts(files: impl Iterator<Item = &'static TextFile>) -> impl Iterator<Item = (&'static str, &'static str)> {
    files.map(|file| (file.path.as_str(), file.text.as_str()))
}

#[test]
fn every_rust_file_says_what_lives_there() {
    assert_none(texts(workspace::rust_files()).filter_map(|(path, text)| without_purpose(path, text)).collect());
}

#[test]
fn no_rust_file_is_longer_than_500_lines() {
    assert_none(texts(workspace::rust_files()).filter_map(|(path, text)| too_long(path, text)).collect());
}

#[test]
fn no_test_is_ignored() {
    assert_none(texts(workspace::rust_files()).filter_map(|(path, text)| ignored_tests(path, text)).collect());
}

#[test]
fn no_queue_is_unbounded() {
    assert_none(texts(workspace::source_files()).flat_map(|(path, text)| unbounded_queues(path, text)).collect());
}

#[test]
fn bounds_stand_in_the_limits_file_of_their_crate() {
    assert_none(texts(workspace::source_files()).flat_map(|(path, text)| bounds_outside_limits(path, text)).collect());
}

#[test]
fn event_handled_is_called_in_one_place() {
    let (places, takes_events) = event_calls(texts(workspace::source_files()));
    let expected = usize::from(takes_events);
    assert_eq!(places.len(), expected, "called in {places:?}");
}

#[test]
fn a_node_is_killed_at_every_point_that_is_made_for_it() {
    let tests = &workspace::rust_files().find(|file| file.path == "tests/kills.rs").unwrap().text;
    let found = texts(workspace::source_files()).flat_map(|(path, text)| untested_kill_points(path, text, tests));
    assert_none(found.collect());
}

#[test]
fn the_checks_of_sources_can_fail() {
    assert!(without_purpose("a.rs", "use a;\n//! later").is_some());
    assert!(without_purpose("a.rs", "//! \n").is_some());
    assert!(without_purpose("a.rs", "//! What lives here.\n").is_none());
    assert!(too_long("a.rs", &"\n".repeat(501)).is_some() && too_long("a.rs", &"\n".repeat(500)).is_none());
    // Written in two parts, so that this file has no ignored test.
    for ignored in [concat!("#[ig", "nore]\nfn a() {}"), "#[ ignore = \"slow\"]", "#[cfg_attr(unix, ignore)]"] {
        assert!(ignored_tests("a.rs", ignored).is_some(), "{ignored}");
    }
    assert_eq!(unbounded_queues("a.rs", "let (a, b) = mpsc::unbounded_channel(); // unbounded").len(), 1);
    assert_eq!(bounds_outside_limits("crates/a/src/b.rs", "const A_BYTES_MAX: usize = 1;").len(), 1);
    assert!(bounds_outside_limits("crates/a/src/limits.rs", "const A_BYTES_MAX: usize = 1;").is_empty());
    let killed = "kill_point!(\"here\"); kill_point!(\"there\");";
    assert_eq!(untested_kill_points("a.rs", killed, "step(\"here\", 1)").len(), 1);
    let twice = [("a.rs", "node.event_handled(); // node.event_handled()"), ("b.rs", "node.event_handled()")];
    assert_eq!(event_calls(twice.into_iter()), (vec!["a.rs".to_owned(), "b.rs".to_owned()], false));
    assert!(event_calls([("a.rs", "node.next_event_async().await")].into_iter()).1);
}
