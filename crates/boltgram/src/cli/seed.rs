//! `boltgram seed`: the node's 24 words, read from its data folder. No node need run.

use std::{
    io::{self, BufRead as _, IsTerminal as _, Read as _},
    path::PathBuf,
};

use anyhow::{Context as _, bail};
use boltgram_lightning::read_seed;

use crate::{
    limits::ANSWER_BYTES_MAX,
    output::{line, note},
};

/// The arguments of `boltgram seed`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Shows the seed's 24 words, on one line. Who has them has all of the node's funds.
    Show(ShowArgs),
}

#[derive(clap::Args, Debug)]
struct ShowArgs {
    /// The node's data directory
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Don't ask first; needed where nobody can be asked
    #[arg(long)]
    yes: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<()> {
    let Command::Show(args) = args.command;
    if !args.yes {
        confirm()?;
    }
    let words = read_seed(&args.data_dir)?;
    note("keep these words secret: who has them has all of the node's funds");
    match args.json {
        true => line(&serde_json::json!({ "seed": words.as_str() }).to_string())?,
        false => line(&words)?,
    }
    Ok(())
}

/// Asks on the terminal; where there is none, `--yes` is needed.
fn confirm() -> anyhow::Result<()> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        bail!("nobody can be asked here whether the seed may be shown: give --yes");
    }
    note("The seed is about to be shown: see that nobody else looks at this screen. Type yes to go on:");
    let mut answer = String::new();
    io::stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut answer).context("the answer can't be read")?;
    if answer.trim() != "yes" {
        bail!("the answer was not yes: nothing is shown");
    }
    Ok(())
}
