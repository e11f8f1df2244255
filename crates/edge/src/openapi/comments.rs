//! What the protos say about their parts: the comments that a descriptor set keeps as source info.

use prost_reflect::FileDescriptor;

/// The comment before the part of a file at this descriptor path; empty if there is none.
pub(super) fn of(file: &FileDescriptor, path: &[i32]) -> String {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let locations = info.map(|info| info.location.as_slice()).unwrap_or_default();
    let comment = locations.iter().find(|location| location.path == path).map(|location| location.leading_comments());
    unwrapped(comment.unwrap_or_default())
}

/// A comment's lines joined to paragraphs, with an empty line between two.
fn unwrapped(comment: &str) -> String {
    let lines: Vec<&str> = comment.lines().map(str::trim).collect();
    let paragraphs = lines.split(|line| line.is_empty()).map(|lines| lines.join(" "));
    paragraphs.filter(|paragraph| !paragraph.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// The first sentence of a text.
pub(super) fn first_sentence(text: &str) -> &str {
    let end = [". ", ": ", ".\n"].iter().filter_map(|end| text.find(end)).min();
    text[..end.unwrap_or(text.len())].trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_its_paragraphs() {
        assert_eq!(unwrapped(" One\n two.\n\n Three.\n"), "One two.\n\nThree.");
        assert_eq!(unwrapped(""), "");
    }

    #[test]
    fn a_summary_is_the_first_sentence() {
        assert_eq!(first_sentence("Opens a channel. It answers soon."), "Opens a channel");
        assert_eq!(first_sentence("Connects to a peer."), "Connects to a peer");
        assert_eq!(first_sentence("Connects."), "Connects");
        assert_eq!(first_sentence(""), "");
    }
}
