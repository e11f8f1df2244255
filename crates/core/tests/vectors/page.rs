//! The rules, as `docs/protocol.md` has them, and what the code says of one that is broken.

use std::collections::BTreeSet;

const PAGE: &str = include_str!("../../../../docs/protocol.md");

/// What the code says of each broken rule, as far as it tells them apart. Prost and Zstandard have words of their own.
const SAID: &[(&str, &str)] = &[
    ("record-size", "record is too large"),
    ("record-text", "neither a frame nor UTF-8 text"),
    ("record-header", "ends within its signature"),
    ("signature-", "the signature doesn't hold"),
    ("sender-check", "the signature doesn't hold"),
    ("protobuf-", "not a protobuf message"),
    ("frame-has-parts", "at least one part"),
    ("frame-parts-max", "too many parts"),
    ("part-id", "a message id is a version 7 UUID"),
    ("part-has-body", "a part has a body"),
    ("part-encoding", "encoding is unknown"),
    ("whole-has-no-offset", "has no offset"),
    ("range-within-total", "ends within its message"),
    ("lone-part-names-no-amount", "names no amount"),
    ("amounts-within-payment", "claim more than the payment"),
    ("encoded-size", "larger than this node takes"),
    ("zstd-magic", "not compressed with Zstandard"),
    ("decoded-size", "larger than this node takes"),
    ("zstd-bytes-max", "damaged or too many"),
    // What of a compressed frame is damaged is told in several words.
    ("zstd-", "compressed"),
    ("parts-same-", "disagrees"),
    ("message-same-content", "disagrees"),
    ("content-has-payload", "has a payload"),
    ("content-type", "no media type"),
    ("content-text", "a text is UTF-8"),
    ("content-reply-to-id", "the id of the answered message"),
    ("payload-size", "larger than this node takes"),
    ("receipt-names-message", "a receipt names the message"),
    ("receipt-payload", "a receipt has a content hash"),
    ("receipt-signature", "not signed by its sender"),
    ("receipt-sent", "no such message was sent there"),
    ("receipt-content-hash", "another content was sent"),
];

/// The words of the code for a rule; the first entry that fits.
pub fn said(rule: &str) -> &'static str {
    let entry = SAID.iter().find(|(name, _)| rule == *name || (name.ends_with('-') && rule.starts_with(name)));
    match entry {
        Some((_, said)) => said,
        None => panic!("{rule} is not in the table"),
    }
}

/// Each rule of the page with its reason: the rows of the tables whose last column is a reason.
pub fn rules() -> BTreeSet<(String, String)> {
    let cells = |line: &'static str| {
        let cells: Vec<&str> = line.split(" | ").collect();
        let name = cells.first()?.strip_prefix("| `")?.strip_suffix('`')?;
        let reason = cells.last()?.strip_suffix("` |")?.strip_prefix('`')?;
        (cells.len() == 3).then(|| (name.to_owned(), reason.to_owned()))
    };
    PAGE.lines().filter_map(cells).collect()
}
