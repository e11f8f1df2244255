//! Progress, step by step, on standard error: a spinner on a terminal, a line for each end elsewhere.

use std::{io::IsTerminal as _, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::note;

/// How often the spinner moves.
const TICK_MS: u64 = 100;

pub(super) struct Steps {
    total: usize,
    number: usize,
    text: &'static str,
    spinner: Option<ProgressBar>,
    is_terminal: bool,
}

impl Steps {
    pub(super) fn new(total: usize) -> Self {
        Self { total, number: 0, text: "", spinner: None, is_terminal: std::io::stderr().is_terminal() }
    }

    /// Begins the next step.
    pub(super) fn begin(&mut self, text: &'static str) {
        self.number += 1;
        self.text = text;
        if self.is_terminal {
            let spinner = ProgressBar::new_spinner().with_message(format!("{} {text} …", self.place()));
            spinner.set_style(ProgressStyle::default_spinner());
            spinner.enable_steady_tick(Duration::from_millis(TICK_MS));
            self.spinner = Some(spinner);
        }
    }

    /// Ends the step that was begun, with what came of it.
    pub(super) fn done(&mut self, result: &str) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
        note(&format!("{} {}: {result}", self.place(), self.text));
    }

    fn place(&self) -> String {
        format!("[{}/{}]", self.number, self.total)
    }
}
