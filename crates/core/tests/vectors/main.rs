//! `data/vectors/`: what an implementation of `docs/protocol.md` in another language is tried with. The files are what this
//! code makes, every valid vector gives its messages, and every hostile one is refused for the rule that it breaks.
//!
//! | module | what it holds |
//! |---|---|
//! | `file` | the shape of the files |
//! | `wire` | keys, signatures, and protobuf fields as no encoder would write them |
//! | `valid` | the vectors that keep all rules |
//! | `hostile` | those that break one each |
//! | `receipts` | receipts, and what they are for |
//! | `inbox` | a receiver, over the reading path of this crate |
//! | `page` | the rules, as the page has them |
//!
//! `UPDATE_VECTORS=1 cargo test -p boltgram-core --test vectors` writes the files anew.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod file;
mod hostile;
mod inbox;
mod page;
mod receipts;
mod valid;
mod wire;

use std::{collections::BTreeSet, fs, path::PathBuf};

use file::{File, Vector};
use inbox::Inbox;

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../data/vectors", name].iter().collect()
}

/// The file is what the code makes, or it is written now.
fn is_up_to_date(name: &str, vectors: Vec<Vector>) {
    let wanted = File::of(vectors).to_json();
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        fs::write(path(name), &wanted).unwrap();
    }
    let written = fs::read_to_string(path(name)).unwrap();
    assert!(written == wanted, "{name} is not what the code makes: write it anew with UPDATE_VECTORS=1");
}

fn read(name: &str) -> Vec<Vector> {
    let file: File = serde_json::from_str(&fs::read_to_string(path(name)).unwrap()).unwrap();
    assert!(file.vectors.len() >= 40, "{} vectors", file.vectors.len());
    file.vectors
}

#[test]
fn the_files_are_what_the_code_makes() {
    is_up_to_date("valid.json", valid::vectors());
    is_up_to_date("hostile.json", hostile::vectors());
}

#[test]
fn every_vector_has_a_name_of_its_own() {
    let vectors: Vec<Vector> = [valid::vectors(), hostile::vectors()].concat();
    let names: BTreeSet<&str> = vectors.iter().map(|vector| vector.name.as_str()).collect();
    assert_eq!(names.len(), vectors.len());
    assert!(vectors.iter().all(|vector| !vector.about.is_empty() && !vector.payments.is_empty()));
}

#[test]
fn every_valid_vector_gives_the_messages_that_it_lists() {
    for vector in read("valid.json") {
        let mut inbox = Inbox::of(&vector);
        for payment in &vector.payments {
            assert_eq!(inbox.receive(payment), None, "{}", vector.name);
        }
        assert_eq!(inbox.messages, vector.messages, "{}", vector.name);
    }
}

#[test]
fn every_hostile_vector_is_refused_for_its_rule() {
    for vector in read("hostile.json") {
        let (mut inbox, name) = (Inbox::of(&vector), &vector.name);
        let (last, before) = vector.payments.split_last().unwrap();
        for payment in before {
            assert_eq!(inbox.receive(payment), None, "{name}: a payment before the last");
        }
        let Some(refusal) = inbox.receive(last) else { panic!("{name} is taken") };
        let rule = vector.rule.as_deref().unwrap();
        assert_eq!(Some(refusal.reason.code()), vector.reason.as_deref(), "{name}: {}", refusal.detail);
        let said = page::said(rule);
        assert!(refusal.detail.contains(said), "{name} breaks {rule}, and is refused since {}", refusal.detail);
        assert_eq!(inbox.messages, vector.messages, "{name}");
    }
}

#[test]
fn every_rule_of_the_page_is_broken_by_a_vector_for_the_pages_reason() {
    let rules = page::rules();
    assert!(rules.len() > 30, "{rules:?}");
    let broken: BTreeSet<(String, String)> =
        read("hostile.json").into_iter().map(|vector| (vector.rule.unwrap(), vector.reason.unwrap())).collect();
    assert_eq!(broken, rules);
}

#[test]
fn the_valid_vectors_have_every_recovery_id() {
    let vectors = read("valid.json");
    let records = vectors.iter().flat_map(|vector| &vector.payments).map(|payment| &payment.record.0);
    let headers: BTreeSet<u8> = records.filter(|record| record[0] == 1).map(|record| record[1]).collect();
    assert_eq!(headers, BTreeSet::from([31, 32, 33, 34]));
}
