//! `boltgram completions` and `boltgram man`: what shells and manual readers need, made from the commands themselves.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use clap::Command;
use clap_complete::Shell;

use crate::output::text;

/// The arguments of `boltgram completions`.
#[derive(clap::Args, Debug)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// The arguments of `boltgram man`.
#[derive(clap::Args, Debug)]
pub struct ManArgs {
    /// Where to write a page for each command; it is made if it isn't there [default: write boltgram(1) alone, to standard
    /// output]
    dir: Option<PathBuf>,
}

/// Runs `boltgram completions`.
pub fn completions(args: CompletionsArgs, mut command: Command) -> anyhow::Result<()> {
    let name = command.get_name().to_owned();
    // Into memory first: the generator panics when its reader goes away.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    Ok(text(&script)?)
}

/// Runs `boltgram man`.
pub fn man(args: ManArgs, command: Command) -> anyhow::Result<()> {
    match args.dir {
        Some(dir) => {
            let written = fs::create_dir_all(&dir).and_then(|()| clap_mangen::generate_to(command, &dir));
            written.with_context(|| format!("the man pages can't be written into {}", dir.display()))
        }
        None => {
            let mut page = Vec::new();
            // As `generate_to` has it: no page for `help`.
            clap_mangen::Man::new(command.disable_help_subcommand(true)).render(&mut page)?;
            Ok(text(&page)?)
        }
    }
}
