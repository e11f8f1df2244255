//! The binary and the tests share one build: a dependency that both use has the same features in both, else it is
//! compiled twice, and with it all that stands on it.

use std::{collections::BTreeMap, process::Command};

use crate::{assert_none, workspace::top};

/// Each package of a selection with its features, as `cargo tree` tells it for this platform.
type Features = BTreeMap<String, String>;

fn features(selection: &[&str]) -> Features {
    let cargo = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--prefix", "none", "--format", "{p}|{f}"])
        .args(selection)
        .current_dir(top())
        .output()
        .unwrap();
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    read(&String::from_utf8(cargo.stdout).unwrap())
}

/// A package that is built for the machine itself and for build scripts may have two sets of features.
fn read(tree: &str) -> Features {
    let mut features = Features::new();
    for line in tree.lines().map(|line| line.trim_end_matches(" (*)")) {
        let Some((package, set)) = line.split_once('|') else { continue };
        let sets = features.entry(package.to_owned()).or_default();
        if !sets.split(' ').any(|known| known == format!("[{set}]")) {
            *sets = [sets.as_str(), &format!("[{set}]")].join(" ").trim().to_owned();
        }
    }
    for sets in features.values_mut() {
        let mut sorted: Vec<&str> = sets.split(' ').collect();
        sorted.sort_unstable();
        *sets = sorted.join(" ");
    }
    features
}

fn different(run: &Features, tested: &Features) -> Vec<String> {
    let shared = run.iter().filter_map(|(package, features)| Some((package, features, tested.get(package)?)));
    shared
        .filter(|(_, run, tested)| run != tested)
        .map(|(package, run, tested)| format!("{package} has {run} to run and {tested} to test"))
        .collect()
}

#[test]
fn tests_add_no_features_to_what_the_binary_is_built_of() {
    let run = features(&["--package", "boltgram", "--edges", "normal,build"]);
    let tested = features(&["--workspace", "--edges", "normal,build,dev"]);
    assert!(run.len() > 200, "{} packages", run.len());
    assert_none(different(&run, &tested));
}

#[test]
fn the_check_of_features_can_fail() {
    let run = read("a v1|std\na v1|std (*)\nb v1|x\nc v1|\n");
    assert!(different(&run, &read("c v1|\nb v1|x\na v1|std\nd v1|y")).is_empty());
    assert_eq!(different(&run, &read("a v1|alloc,std")), ["a v1 has [std] to run and [alloc,std] to test"]);
    assert_eq!(different(&run, &read("b v1|x\nb v1|y")).len(), 1);
}
