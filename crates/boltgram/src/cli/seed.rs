//! `boltgram seed`: the node's 24 words, read from its data folder. No node need run.

use std::path::PathBuf;

use boltgram_lightning::read_seed;

use super::confirm::confirm;
use crate::output::{line, note};

/// The arguments of `boltgram seed`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Shows the seed's 24 words, on one line (128 hex digits, if it was taken over from an ldk-node with a seed file).
    /// Who has them has all of the node's funds.
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
        let question = "The seed is about to be shown: see that nobody else looks at this screen.";
        confirm(question, "whether the seed may be shown", "nothing is shown")?;
    }
    let words = read_seed(&args.data_dir)?;
    note("keep these words secret: who has them has all of the node's funds");
    match args.json {
        true => line(&serde_json::json!({ "seed": words.as_str() }).to_string())?,
        false => line(&words)?,
    }
    Ok(())
}
