//! What never reaches a log: the content of messages, and secrets.
//!
//! The check looks at the arguments of tracing's macros: the names in their code, and the names that their texts
//! capture (`"{body}"`). It can't see through a renamed variable; types whose `Debug` is redacted do the rest.

use crate::{
    assert_none,
    code::{Kind, code_only, pieces, words},
    workspace,
};

/// The names that content and secrets go by in this code.
const NEVER_LOGGED: &[&str] = &[
    "body",
    "payload",
    "plaintext",
    "preimage",
    "seed",
    "mnemonic",
    "entropy",
    "secret",
    "secret_key",
    "passphrase",
    "token",
];

/// The macros of tracing that write.
const MACROS: &[&str] = &[
    "trace",
    "debug",
    "info",
    "warn",
    "error",
    "event",
    "span",
    "trace_span",
    "debug_span",
    "info_span",
    "warn_span",
    "error_span",
];

/// Each call of one of the macros: its arguments, with comments taken out.
fn calls(source: &str) -> Vec<String> {
    let without_comments: String =
        pieces(source).into_iter().filter(|(kind, _)| *kind != Kind::Comment).map(|(_, text)| text).collect();
    // Pieces of the cleaned source; a call may hold several.
    let mut calls: Vec<String> = Vec::new();
    let mut depth = 0usize;
    for (kind, text) in pieces(&without_comments) {
        if kind == Kind::Text {
            if depth > 0 {
                calls.last_mut().unwrap().push_str(text);
            }
            continue;
        }
        for (at, c) in text.char_indices() {
            let opens = matches!(c, '(' | '[' | '{');
            if depth == 0 && opens && ends_with_macro(&text[..at]) {
                calls.push(String::new());
                depth = 1;
            } else if depth > 0 {
                calls.last_mut().unwrap().push(c);
                depth = if opens { depth + 1 } else { depth - usize::from(matches!(c, ')' | ']' | '}')) };
            }
        }
    }
    calls
}

fn ends_with_macro(code: &str) -> bool {
    code.trim_end().strip_suffix('!').is_some_and(|code| {
        words(code.rsplit(char::is_whitespace).next().unwrap_or_default())
            .last()
            .is_some_and(|word| MACROS.contains(&word))
    })
}

/// The names that a text captures: `a` and `b` of `"{a} {{no}} {b:?}"`.
fn captures(text: &str) -> Vec<String> {
    let plain = text.replace("{{", "").replace("}}", "");
    let inside = plain.split('{').skip(1).filter_map(|part| part.split('}').next());
    inside.filter_map(|part| words(part.split(':').next()?).next().map(str::to_owned)).collect()
}

fn logged_secrets(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for call in calls(text) {
        let code = code_only(&call);
        let texts = pieces(&call).into_iter().filter(|(kind, _)| *kind == Kind::Text);
        let captured: Vec<String> = texts.flat_map(|(_, text)| captures(text)).collect();
        let names = words(&code).chain(captured.iter().map(String::as_str));
        found.extend(
            names.filter(|name| NEVER_LOGGED.contains(name)).map(|name| format!("{path} logs {name}: {}", call.trim())),
        );
    }
    found
}

/// `#[instrument]` logs every argument unless it is told not to.
fn instruments_everything(path: &str, text: &str) -> Vec<String> {
    let code = code_only(text);
    let attributes = code.split("#[").skip(1).filter_map(|rest| rest.split(']').next());
    let bare = attributes.filter(|attribute| words(attribute).any(|word| word == "instrument"));
    bare.filter(|attribute| !words(attribute).any(|word| word == "skip_all"))
        .map(|attribute| format!("{path} has #[{attribute}] without skip_all"))
        .collect()
}

#[test]
fn neither_messages_nor_secrets_are_logged() {
    assert_none(workspace::source_files().flat_map(|file| logged_secrets(&file.path, &file.text)).collect());
}

#[test]
fn no_function_logs_all_of_its_arguments() {
    assert_none(workspace::source_files().flat_map(|file| instruments_everything(&file.path, &file.text)).collect());
}

#[test]
fn the_checks_of_logs_can_fail() {
    for bad in [
        r#"info!("{body}");"#,
        r#"tracing::debug!(id = %id, ?body, "sent");"#,
        r#"warn!("got {:?}", message.payload);"#,
        "error! {\n    \"{preimage:?}\" // a comment\n}",
        r#"let span = tracing::info_span!("send", seed = %hex(seed));"#,
    ] {
        assert!(!logged_secrets("a.rs", bad).is_empty(), "{bad}");
    }
    for good in [
        r#"info!("the body of {id} has {} bytes", body_bytes); let a = body;"#,
        r#"fn info(body: &str) {} println!("{body}")"#,
        r#"debug!("{{body}}"); // info!("{body}")"#,
        r#"assert!(body.is_empty()); thiserror!("{seed}")"#,
    ] {
        assert_none(logged_secrets("a.rs", good));
    }
    assert_eq!(instruments_everything("a.rs", "#[tracing::instrument(level = \"debug\")]\nfn a() {}").len(), 1);
    assert!(instruments_everything("a.rs", "#[instrument(skip_all)]\nfn a() {}").is_empty());
}
