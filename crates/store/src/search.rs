//! Full-text search over both directions: the words of every text, in an FTS5 index without content of its own.
//!
//! What is looked for is given as words. Each is quoted, so that nothing in it is syntax of FTS5; a `*` at a word's end
//! looks for all words that begin so. Case and diacritics don't count.

use std::str::FromStr;

use boltgram_core::{
    Failure, Reason,
    limits::{SEARCH_BYTES_MAX, SEARCH_PREFIX_LETTERS_MIN, SEARCH_WORDS_MAX},
    message::{Message, Peer},
};
use rusqlite::{Connection, named_params, params};

use crate::{
    Store, StoreError,
    read::{Page, PageKey, key, page},
    rows::MESSAGE_COLUMNS,
};

/// The words of a search: all of them must be in a text.
#[derive(Clone, PartialEq, Eq)]
pub struct Words(String);

impl std::fmt::Debug for Words {
    /// Without the words: what somebody looks for is like what they write.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(words)")
    }
}

impl FromStr for Words {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let wrong = |problem: String| Failure::new(Reason::InvalidField, problem).with("field", "query");
        if text.len() > SEARCH_BYTES_MAX {
            return Err(wrong(format!("query is too long: give at most {SEARCH_BYTES_MAX} bytes")));
        }
        // A NUL would end the expression for SQLite.
        let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(has_letters).collect();
        if words.is_empty() {
            return Err(wrong("query holds no word: give at least one with a letter or a digit".to_owned()));
        }
        if words.len() > SEARCH_WORDS_MAX {
            return Err(wrong(format!("query has too many words: give at most {SEARCH_WORDS_MAX}")));
        }
        let quoted: Vec<String> = words.into_iter().map(quoted).collect::<Result<_, _>>().map_err(wrong)?;
        Ok(Self(quoted.join(" ")))
    }
}

/// What FTS5's tokenizer makes a word of: a word of a query without any finds nothing and says nothing.
fn has_letters(word: &&str) -> bool {
    word.chars().any(char::is_alphanumeric)
}

/// A word as FTS5 reads it literally.
fn quoted(word: &str) -> Result<String, String> {
    let (stem, star) = match word.strip_suffix('*') {
        Some(stem) => (stem, " *"),
        None => (word, ""),
    };
    let last = stem.rsplit(|c: char| !c.is_alphanumeric()).find(|part| !part.is_empty()).unwrap_or_default();
    if !star.is_empty() && last.chars().count() < SEARCH_PREFIX_LETTERS_MIN {
        return Err(format!("query has a word with too little before its *: give {SEARCH_PREFIX_LETTERS_MIN} letters"));
    }
    Ok(format!("\"{}\"{star}", stem.replace('"', "\"\"")))
}

/// What to look for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Search {
    /// The words, all of which must be there.
    pub words: Words,
    /// Only in this conversation.
    pub peer: Option<Peer>,
    /// Only messages that come after the page that gave this.
    pub before: Option<PageKey>,
    /// At most so many.
    pub limit: usize,
}

/// The statement of a search. The index gives its rows in this order itself.
pub(crate) fn sql() -> String {
    format!(
        "SELECT {MESSAGE_COLUMNS}, m.row_id FROM search s JOIN messages m ON m.row_id = s.rowid \
         WHERE s.search MATCH :expression AND s.rowid < :row ORDER BY s.rowid DESC"
    )
}

impl Store {
    /// A page of the texts with these words, the newest by arrival first.
    pub fn search(&self, search: &Search) -> Result<Page, StoreError> {
        self.readers.with(|connection| {
            let among = search.peer.map(|peer| format!("peer : \"{peer}\" AND ")).unwrap_or_default();
            let expression = format!("{among}text : ({})", search.words.0);
            let mut statement = connection.prepare_cached(&sql())?;
            let rows = statement
                .query(named_params! { ":expression": expression, ":row": PageKey::row_or_max(search.before) })?;
            page(rows, search.limit, |row| key(row, false))
        })
    }
}

/// Adds a message's words, if it is a text.
pub(crate) fn add(connection: &Connection, message_row: i64, message: &Message) -> Result<(), StoreError> {
    if let Some(text) = message.text() {
        let sql = "INSERT INTO search (rowid, peer, text) VALUES (?1, ?2, ?3)";
        let peer = Peer::from(message.peer).to_string();
        connection.prepare_cached(sql)?.execute(params![message_row, peer, text])?;
    }
    Ok(())
}

/// Takes a message's words out.
pub(crate) fn take_out(connection: &Connection, message_row: i64) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM search WHERE rowid = ?1")?.execute([message_row])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_quoted_whatever_stands_in_it() {
        for (text, expression) in [
            ("tea", r#""tea""#),
            (" green  tea ", r#""green" "tea""#),
            ("te* four*", r#""te" * "four" *"#),
            ("a\"b OR NEAR(x) peer:y -z ^c", r#""a""b" "OR" "NEAR(x)" "peer:y" "-z" "^c""#),
            ("tea\0leaf", r#""tea" "leaf""#),
            ("( tea !", r#""tea""#),
        ] {
            assert_eq!(text.parse::<Words>().unwrap().0, expression);
        }
    }

    #[test]
    fn a_search_without_words_or_without_end_is_refused_with_its_field() {
        for text in ["", "  ", "!?", "👋", "*", "t*", "green a*", "x-y*", &"tea ".repeat(33), &"t".repeat(1_025)] {
            let failure = text.parse::<Words>().unwrap_err();
            assert_eq!((failure.reason, failure.metadata["field"].as_str()), (Reason::InvalidField, "query"), "{text}");
        }
    }
}
