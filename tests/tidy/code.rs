//! Just enough of Rust's lexical structure to look at code without its comments and strings.

/// What a piece of source is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Code,
    Comment,
    Text,
}

/// Cuts source into pieces of code, comments, and string or character literals (with their quotes).
pub fn pieces(source: &str) -> Vec<(Kind, &str)> {
    let mut pieces = Vec::new();
    let (mut begin, mut at) = (0, 0);
    while at < source.len() {
        let rest = &source[at..];
        let after_word = source[..at].chars().next_back().is_some_and(is_word);
        match literal_or_comment(rest, after_word) {
            Some((kind, length)) => {
                pieces.push((Kind::Code, &source[begin..at]));
                pieces.push((kind, &rest[..length]));
                at += length;
                begin = at;
            }
            None => at += rest.chars().next().unwrap().len_utf8(),
        }
    }
    pieces.push((Kind::Code, &source[begin..]));
    pieces.retain(|(_, text)| !text.is_empty());
    pieces
}

/// Source without comments, and with every literal emptied to `""`; lines stay lines.
pub fn code_only(source: &str) -> String {
    let keep = |(kind, text): (Kind, &str)| match kind {
        Kind::Code => text.to_owned(),
        Kind::Comment => newlines(text),
        Kind::Text => format!("\"\"{}", newlines(text)),
    };
    pieces(source).into_iter().map(keep).collect()
}

/// The words (identifiers and keywords) of a piece of code.
pub fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c| !is_word(c)).filter(|word| !word.is_empty())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn newlines(text: &str) -> String {
    "\n".repeat(text.matches('\n').count())
}

fn literal_or_comment(rest: &str, after_word: bool) -> Option<(Kind, usize)> {
    if rest.starts_with("//") {
        return Some((Kind::Comment, rest.find('\n').unwrap_or(rest.len())));
    }
    if rest.starts_with("/*") {
        return Some((Kind::Comment, block_comment(rest)));
    }
    let prefix = ["b", "c", ""].into_iter().find(|prefix| {
        let body = rest.strip_prefix(prefix).unwrap_or_default();
        body.starts_with('"') || body.starts_with("r\"") || body.starts_with("r#")
    });
    if let Some(prefix) = prefix.filter(|prefix| !after_word || prefix.is_empty() && rest.starts_with('"')) {
        let body = &rest[prefix.len()..];
        let length = if body.starts_with('"') { quoted(body, '"') } else { raw(body)? };
        return Some((Kind::Text, prefix.len() + length));
    }
    is_character(rest).then(|| (Kind::Text, quoted(rest, '\'')))
}

/// Whether a quote opens a character, rather than a lifetime or label.
fn is_character(rest: &str) -> bool {
    let mut chars = rest.chars();
    chars.next() == Some('\'') && (chars.next() == Some('\\') || chars.next() == Some('\''))
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw(text: &str) -> Option<usize> {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    let open = 1 + hashes;
    if !text[open..].starts_with('"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let end = text[open + 1..].find(&close).map(|at| open + 1 + at + close.len());
    Some(end.unwrap_or(text.len()))
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().unwrap().len_utf8();
        }
    }
    text.len()
}

#[test]
fn comments_and_literals_are_told_from_code() {
    for (source, code) in [
        ("a // b \" c\nd", "a \nd"),
        ("a /* b /* c */ d */ e", "a  e"),
        (r#"f("a // b \" c", d)"#, r#"f("", d)"#),
        ("f(r#\"a \" b\"#, b\"c\", d)", "f(\"\", \"\", d)"),
        ("x: &'a str = '\"'; 'b: loop {}", "x: &'a str = \"\"; 'b: loop {}"),
        (r"'\'' + '\\'", r#""" + """#),
        ("r#type", "r#type"),
        ("for_r\"x\"", "for_r\"\""),
        ("\"two\nlines\"", "\"\"\n"),
    ] {
        assert_eq!(code_only(source), code, "{source}");
    }
}
