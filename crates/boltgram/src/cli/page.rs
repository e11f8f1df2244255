//! A page of what the API lists a page at a time: how much of it is asked for, and how it is shown.

use clap::value_parser;

use crate::{
    limits::{INBOX_MESSAGES_DEFAULT, INBOX_MESSAGES_MAX},
    output::table,
};

/// How much is shown. Each command has it among its arguments.
#[derive(clap::Args, Debug)]
pub struct Limit {
    /// Show at most so many, the newest ones
    #[arg(long, value_name = "N", default_value_t = INBOX_MESSAGES_DEFAULT,
          value_parser = value_parser!(i32).range(1..=i64::from(INBOX_MESSAGES_MAX)))]
    pub limit: i32,
}

/// What stands below a page that isn't the last.
const OLDER: &str = "\n(there are older ones: see --limit)";

/// A page as a table, or `nothing` when there are no rows.
pub fn page(
    nothing: &str,
    headings: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
    next_page_token: &str,
) -> String {
    page_with(nothing, headings, rows, "", next_page_token)
}

/// The same with a line below the table.
pub fn page_with(
    nothing: &str,
    headings: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
    below: &str,
    next_page_token: &str,
) -> String {
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_none() {
        return nothing.to_owned();
    }
    let older = if next_page_token.is_empty() { "" } else { OLDER };
    format!("{}{below}{older}", table(headings, rows))
}
