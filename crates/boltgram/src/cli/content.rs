//! What a message holds: a text from the command line or standard input, or a file with its media type.

use std::{
    ffi::OsStr,
    fs,
    io::{self, Read},
    path::Path,
};

use anyhow::{Context as _, ensure};
use boltgram_api::v1::send_request::Content;

use crate::limits::MESSAGE_INPUT_BYTES_MAX;

/// Media types by the end of a file's name (the IANA registry). Others are bytes.
const MEDIA_TYPES: &[(&str, &[&str])] = &[
    ("text/plain", &["txt", "text", "log"]),
    ("text/markdown", &["md", "markdown"]),
    ("text/html", &["html", "htm"]),
    ("text/csv", &["csv"]),
    ("application/json", &["json"]),
    ("application/xml", &["xml"]),
    ("application/pdf", &["pdf"]),
    ("application/zip", &["zip"]),
    ("application/gzip", &["gz", "tgz"]),
    ("image/png", &["png"]),
    ("image/jpeg", &["jpg", "jpeg"]),
    ("image/gif", &["gif"]),
    ("image/webp", &["webp"]),
    ("image/svg+xml", &["svg"]),
    ("audio/mpeg", &["mp3"]),
    ("audio/ogg", &["ogg", "oga", "opus"]),
    ("video/mp4", &["mp4"]),
    ("video/webm", &["webm"]),
];

/// A text argument; `-` stands for standard input, without its last line end.
pub fn text_or_stdin(text: String) -> anyhow::Result<String> {
    if text == "-" { read_text(io::stdin().lock()) } else { Ok(text) }
}

/// A file's bytes.
pub fn of_file(file: &Path) -> anyhow::Result<Content> {
    let open = fs::File::open(file).with_context(|| format!("{} can't be opened", file.display()))?;
    Ok(Content::Body(read_all(open, &file.display().to_string())?))
}

/// What a file is by the end of its name; empty when that says nothing.
pub fn media_type(file: &Path) -> &'static str {
    let end = file.extension().and_then(OsStr::to_str).map(str::to_lowercase).unwrap_or_default();
    let known = MEDIA_TYPES.iter().find(|(_, ends)| ends.contains(&end.as_str()));
    known.map(|(media_type, _)| *media_type).unwrap_or_default()
}

/// All of `input` as one text, without its last line end.
fn read_text(input: impl Read) -> anyhow::Result<String> {
    let bytes = read_all(input, "standard input")?;
    let mut text = String::from_utf8(bytes).context("standard input is not UTF-8: send it as a file, with --file")?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

fn read_all(input: impl Read, name: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = input.take(MESSAGE_INPUT_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.with_context(|| format!("{name} can't be read"))?;
    ensure!(
        bytes.len() as u64 <= MESSAGE_INPUT_BYTES_MAX,
        "{name} holds more than {MESSAGE_INPUT_BYTES_MAX} bytes: send less at once"
    );
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_a_pipe_loses_its_last_line_end_only() {
        for (input, text) in [("hi\n", "hi"), ("hi\r\n", "hi"), ("a\n\n", "a\n"), ("hi", "hi"), ("", "")] {
            assert_eq!(read_text(input.as_bytes()).unwrap(), text);
        }
    }

    #[test]
    fn an_endless_or_binary_input_is_refused() {
        let error = read_text(io::repeat(b'a')).unwrap_err();
        assert!(error.to_string().contains("more than"), "{error}");
        assert!(read_text(&[0xff, 0xfe][..]).unwrap_err().to_string().contains("UTF-8"));
    }

    #[test]
    fn a_file_is_what_its_name_ends_with() {
        for (file, media) in
            [("a.txt", "text/plain"), ("photo.of.me.JPG", "image/jpeg"), ("x.unknown", ""), ("x", ""), (".png", "")]
        {
            assert_eq!(media_type(Path::new(file)), media, "{file}");
        }
    }
}
