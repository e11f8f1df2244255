//! What is written for a person (tables and lines, on a terminal) or for a program (JSON, in a pipe).
//!
//! Nothing else writes to standard output or error. Text that comes from other nodes is made harmless before it
//! reaches a terminal: see [`printable`].

use std::io::{self, IsTerminal as _, Write as _};

use boltgram_api::json::{self, Message};
use chrono::{DateTime, Local};
use comfy_table::{ContentArrangement, Table, presets};

/// An answer of the API that can be shown.
pub trait Show: Message {
    /// Its full name in the API, such as `boltgram.v1.GetInfoResponse`.
    const NAME: &'static str;

    /// What a person reads, without a line end.
    fn human(&self) -> String;
}

/// Where a command's result goes, and in which form.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    /// JSON if asked for, or when standard output is no terminal.
    pub fn new(json: bool) -> Self {
        Self { json: json || !io::stdout().is_terminal() }
    }

    /// Writes one answer: as JSON on one line, or for a person.
    pub fn show<T: Show>(self, answer: &T) -> anyhow::Result<()> {
        self.show_as(answer, T::human)
    }

    /// Writes one answer: as JSON on one line, or for a person in this form instead of its usual one.
    pub fn show_as<T: Show>(self, answer: &T, human: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
        let text = if self.json { json::to_json(T::NAME, answer)? } else { human(answer) };
        Ok(line(&text)?)
    }

    /// Writes one of two texts: the JSON value, or what a person reads.
    pub fn either(self, json: &serde_json::Value, human: &str) -> io::Result<()> {
        if self.json { line(&json.to_string()) } else { line(human) }
    }
}

/// Writes a line to standard output, at once.
pub fn line(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// Writes a whole text, with its own line ends, to standard output.
pub fn text(text: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text)?;
    stdout.flush()
}

/// Writes a line to standard error. When even that fails there is nobody left to tell.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A table with a heading line that fits the terminal's width.
pub fn table(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = plain_table();
    table.set_header(headings.iter().copied());
    table.add_rows(rows);
    table.trim_fmt()
}

/// A table of names and values.
pub fn fields(rows: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let mut table = plain_table();
    table.add_rows(rows.into_iter().map(|(name, value)| [name.to_owned(), value]));
    table.trim_fmt()
}

fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

/// A text that does nothing to a terminal: control characters (but the line end) and those that change the direction
/// of writing are shown as escapes, so that a message can neither move the cursor nor pose as another one.
pub fn printable(text: &str) -> String {
    let is_harmless = |c: char| {
        let turns =
            matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        c == '\n' || !(c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}'))
    };
    let escape = |c: char| if is_harmless(c) { c.to_string() } else { c.escape_unicode().to_string() };
    text.chars().map(escape).collect()
}

/// The same on one line.
pub fn printable_line(text: &str) -> String {
    printable(text).replace('\n', "⏎")
}

/// A number of satoshi or millisatoshi with its thousands set apart.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    format!("{}{}", if number < 0 { "-" } else { "" }, groups.join(","))
}

/// Unix time in milliseconds as local date and time; "never" for 0.
pub fn time(at_ms: i64) -> String {
    match DateTime::from_timestamp_millis(at_ms) {
        Some(at) if at_ms != 0 => at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string(),
        _ => "never".to_owned(),
    }
}

/// The generated name of an enum's value (`STATE_DELIVERED`) as a word (`delivered`).
pub fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_lowercase().replace('_', " ")
}

/// The beginning and the end of a public key, enough to tell peers apart.
pub fn short_key(pubkey: &str) -> String {
    match (pubkey.get(..8), pubkey.get(58..)) {
        (Some(begin), Some(end)) if pubkey.len() == 66 => format!("{begin}…{end}"),
        _ => printable_line(pubkey),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_can_do_nothing_to_the_terminal() {
        assert_eq!(printable("grüezi 👋\nsecond line"), "grüezi 👋\nsecond line");
        assert_eq!(printable("\u{1b}[2J\rx\u{202e}y\u{7}"), r"\u{1b}[2J\u{d}x\u{202e}y\u{7}");
        assert_eq!(printable_line("two\nlines"), "two⏎lines");
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (-1_234_567, "-1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(grouped(i64::MIN), "-9,223,372,036,854,775,808");
    }

    #[test]
    fn times_and_words_and_keys_are_short() {
        assert_eq!(time(0), "never");
        assert_eq!(time(1_700_000_000_000).len(), "2023-11-14 22:13:20".len());
        assert_eq!(time(i64::MAX), "never");
        assert_eq!(word("STATE_DELIVERED", "STATE_"), "delivered");
        assert_eq!(short_key(&format!("02{}", "ab".repeat(32))), "02ababab…abababab");
        assert_eq!(short_key("x"), "x");
    }

    #[test]
    fn a_table_holds_its_rows() {
        let table = table(&["name", "sat"], [vec!["alice".to_owned(), "1".to_owned()]]);
        assert!(table.contains("alice") && table.contains("sat"), "{table}");
    }
}
