//! A question before something that can't be taken back.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use anyhow::{Context as _, bail};

use crate::{limits::ANSWER_BYTES_MAX, output::note};

/// Tells on the terminal what is about to be done, and asks for a yes; where nobody can be asked whether, `--yes` is needed.
pub fn confirm(what: &str, whether: &str, otherwise: &str) -> anyhow::Result<()> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        bail!("nobody can be asked here {whether}: give --yes");
    }
    note(&format!("{what} Type yes to go on:"));
    let mut answer = String::new();
    io::stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut answer).context("the answer can't be read")?;
    if answer.trim() != "yes" {
        bail!("the answer was not yes: {otherwise}");
    }
    Ok(())
}
