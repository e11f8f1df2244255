//! `boltgram config` and what a node does with its settings: where each comes from, and what is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use support::BOLTGRAM;

/// How a command ended: its exit code, and what it wrote to each stream.
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs a command with a home directory and the environment's settings of its own.
fn run(home: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let mut command = Command::new(BOLTGRAM);
    command.args(arguments).stdin(Stdio::null()).env_clear().env("HOME", home).envs(variables.iter().copied());
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Ended { code: output.status.code().unwrap(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

fn show(home: &Path, variables: &[(&str, &str)], flags: &[&str]) -> Value {
    let ended = run(home, variables, &[&["config", "show"], flags].concat());
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    serde_json::from_str(&ended.stdout).unwrap()
}

fn write(home: &Path, text: &str) -> String {
    let file = home.join(".boltgram/boltgram.toml");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[test]
fn every_origin_of_a_value_is_told_and_the_highest_wins() {
    let home = tempfile::tempdir().unwrap();
    let set_in_all =
        "alias = 'file'\nhttp = '127.0.0.1:1'\nlog = 'warn'\nannounce_addresses = ['a.example:1', 'b.example:2']";
    let file = write(home.path(), set_in_all);
    let variables =
        [("BOLTGRAM_ALIAS", "environment"), ("BOLTGRAM_LOG", "error"), ("BOLTGRAM_LISTEN", "127.0.0.1:5, [::1]:6")];
    let shown = show(home.path(), &variables, &["--log", "debug", "--network", "signet"]);
    for (key, value, origin) in [
        ("grpc", json!("127.0.0.1:8881"), "default"),
        ("lsps2_node", Value::Null, "default"),
        ("accept_mainnet", json!(false), "default"),
        ("esplora_url", json!("https://mempool.space/signet/api"), "preset data/networks/signet.toml"),
        ("http", json!("127.0.0.1:1"), &format!("file {file}")),
        ("announce_addresses", json!(["a.example:1", "b.example:2"]), &format!("file {file}")),
        ("alias", json!("environment"), "environment BOLTGRAM_ALIAS"),
        ("listen", json!(["127.0.0.1:5", "[::1]:6"]), "environment BOLTGRAM_LISTEN"),
        ("log", json!("debug"), "flag --log"),
        ("network", json!("signet"), "flag --network"),
    ] {
        assert_eq!(shown[key], json!({ "value": value, "origin": origin }), "{key}");
    }
}

#[test]
fn each_network_has_its_preset() {
    let home = tempfile::tempdir().unwrap();
    for (network, file, esplora, gossip) in [
        ("regtest", "regtest", "http://127.0.0.1:3002", "p2p"),
        ("signet", "signet", "https://mempool.space/signet/api", "p2p"),
        ("testnet", "testnet", "https://blockstream.info/testnet/api", "rgs"),
        ("bitcoin", "mainnet", "https://blockstream.info/api", "rgs"),
        ("mainnet", "mainnet", "https://blockstream.info/api", "rgs"),
    ] {
        let shown = show(home.path(), &[], &["--network", network, "--accept-mainnet"]);
        let origin = format!("preset data/networks/{file}.toml");
        assert_eq!(shown["esplora_url"], json!({ "value": esplora, "origin": origin }));
        assert_eq!(shown["gossip"], json!({ "value": gossip, "origin": origin }));
    }
}

#[test]
fn the_file_that_is_read_can_be_asked_for_and_moved() {
    let home = tempfile::tempdir().unwrap();
    let path = |flags: &[&str]| run(home.path(), &[], &[&["config", "path"], flags].concat()).stdout;
    assert_eq!(path(&[]), format!("{}/.boltgram/boltgram.toml\n", home.path().display()));
    assert_eq!(path(&["--data-dir", "/elsewhere"]), "/elsewhere/boltgram.toml\n");
    assert_eq!(path(&["--config", "own.toml"]), "own.toml\n");
    write(home.path(), "broken");
    assert_eq!(path(&[]), format!("{}/.boltgram/boltgram.toml\n", home.path().display()), "also to mend it");

    let own = home.path().join("own.toml").display().to_string();
    fs::write(&own, "alias = 'own'").unwrap();
    let shown = show(home.path(), &[], &["--config", &own]);
    assert_eq!(shown["alias"], json!({ "value": "own", "origin": format!("file {own}") }));
}

#[test]
fn what_no_node_reads_is_an_error_that_suggests_the_nearest_key() {
    let home = tempfile::tempdir().unwrap();
    let file = write(home.path(), "announce_adresses = ['a.example:1']");
    for command in [&["config", "show"][..], &["node"]] {
        let ended = run(home.path(), &[], command);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{command:?}");
        let expected =
            format!("error: \"announce_adresses\" in {file} is no setting: did you mean announce_addresses?\n");
        assert_eq!(ended.stderr, expected);
    }
    write(home.path(), "");
    let ended = run(home.path(), &[("BOLTGRAM_NETWROK", "signet")], &["config", "show"]);
    assert!(ended.stderr.contains("did you mean BOLTGRAM_NETWORK?"), "{}", ended.stderr);
    let ended = run(home.path(), &[], &["config", "show", "--netwrok", "signet"]);
    assert!(ended.code == 2 && ended.stderr.contains("--network"), "{}", ended.stderr);
}

#[test]
fn a_node_on_bitcoin_itself_does_not_start_without_the_yes() {
    let home = tempfile::tempdir().unwrap();
    for command in [&["config", "show"][..], &["node"]] {
        let ended = run(home.path(), &[("BOLTGRAM_NETWORK", "mainnet")], command);
        assert_eq!(ended.code, 1);
        for part in ["the money is real", "experimental", "--accept-mainnet", "accept_mainnet = true"] {
            assert!(ended.stderr.contains(part), "{part:?} in {}", ended.stderr);
        }
    }
    assert!(!home.path().join(".boltgram").exists(), "nothing was made");
    let yes = show(home.path(), &[("BOLTGRAM_NETWORK", "mainnet"), ("BOLTGRAM_ACCEPT_MAINNET", "true")], &[]);
    assert_eq!(yes["accept_mainnet"], json!({ "value": true, "origin": "environment BOLTGRAM_ACCEPT_MAINNET" }));
}

#[test]
fn tokens_and_passwords_are_never_shown() {
    let home = tempfile::tempdir().unwrap();
    let provider = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798@lsp.example:9735";
    write(home.path(), &format!("lsps2_node = '{provider}'\nlsps2_token = 'hunter2'"));
    let ended =
        run(home.path(), &[("BOLTGRAM_ESPLORA_URL", "https://me:hunter2@host/api")], &["config", "show", "--json"]);
    assert!(ended.code == 0 && !ended.stdout.contains("hunter2"), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains(provider) && ended.stdout.contains("https://********@host/api"), "{}", ended.stdout);
}
