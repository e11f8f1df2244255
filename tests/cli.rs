//! The command line as a script meets it, where no node is needed: exit codes, and which stream says what.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    net::TcpListener,
    process::{Command, Output, Stdio},
};

fn boltgram(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_boltgram"));
    command.args(arguments).stdin(Stdio::null()).env_remove("BOLTGRAM_GRPC");
    command
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = boltgram(arguments).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// An address that was free a moment ago, so that nobody answers there.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn help_and_version_are_asked_for_and_succeed() {
    let (code, stdout, stderr) = run(&["--help"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    for part in ["send", "listen", "channel", "Exit codes:", "BOLTGRAM_GRPC"] {
        assert!(stdout.contains(part), "{part:?} in {stdout}");
    }
    assert_eq!(run(&["--version"]), (0, format!("boltgram {}\n", env!("CARGO_PKG_VERSION")), String::new()));
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    for arguments in [&["frobnicate"][..], &["send", "nobody", "hello"], &["inbox", "--limit", "0"], &[]] {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(!stderr.is_empty());
    }
}

#[test]
fn a_command_without_a_node_is_exit_code_3_and_says_how_to_start_one() {
    let address = free_address();
    for arguments in [&["info"][..], &["health"], &["listen", "--json"], &["wallet", "balance"]] {
        let (code, stdout, stderr) = run(&[arguments, &["--grpc", &address]].concat());
        assert_eq!((code, stdout.as_str()), (3, ""), "{arguments:?}: {stderr}");
        assert_eq!(
            stderr,
            format!(
                "error: no boltgram node answers at {address}: start one with `boltgram node`, or give its address with --grpc\n"
            )
        );
    }
}

#[test]
fn the_address_comes_from_the_environment_too() {
    let address = free_address();
    let output = boltgram(&["info"]).env("BOLTGRAM_GRPC", &address).output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains(&address));
}

#[test]
fn a_node_with_a_wrong_setting_says_which_and_where() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("boltgram.toml"), "listn = ['127.0.0.1:0']").unwrap();
    let (code, _, stderr) = run(&["node", "--data-dir", dir.path().to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(stderr.contains("boltgram.toml") && stderr.contains("did you mean listen?"), "{stderr}");
}
