//! The binary: reads the command line, runs one command, and turns what came of it into an exit code.
//!
//! | module | what it holds |
//! |---|---|
//! | [`cli`] | the commands and their flags; those that talk to a running node |
//! | [`config`] | where a node's settings come from |
//! | [`node`], [`devnet`], [`demo`] | the commands that are processes of their own |
//! | [`stop_signal`] | what asks a process to end |
//! | [`output`] | what is written for a person or a program |
//! | [`exit`] | exit codes, and what an error says |
//! | [`limits`] | the bounds of all of these |

mod bitcoind;
mod cli;
mod config;
mod demo;
mod devnet;
mod exit;
mod limits;
mod node;
mod output;
mod stop_signal;

use std::{env, process::ExitCode};

use crate::cli::Cli;

fn main() -> ExitCode {
    boltgram_failpoints::begin();
    // The one rustls provider of the tree. It fails only when one is installed already, and nothing ran before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match Cli::read(env::args_os()) {
        Ok(cli) => exit::report(run(cli)),
        Err(error) => exit::usage(&error),
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(cli.run());
    // All that must be kept is on disk by now. A thread that still waits for an Esplora server, a peer or standard input
    // must not hold up the end.
    runtime.shutdown_background();
    result
}
