//! `docs/protocol.md` says what the code does: its example is made anew from its keys, byte for byte, and its numbers are
//! the code's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use bitcoin::{
    Network,
    hashes::{Hash as _, sha256d},
    secp256k1::{Message, Secp256k1, SecretKey},
};
use boltgram_core::{
    ChainHash, MessageId, NodeId,
    frame::{Content, Frame, TEXT},
    limits,
    policy::HeldReason,
    receipt::{self, ContentHash, Receipt},
    record::{self, Received},
    sign::{Signature, signed_text},
};
use data_encoding::HEXLOWER;
use prost::Message as _;

const PAGE: &str = include_str!("../../../docs/protocol.md");

const ID: &str = "0190163d-8694-739b-aea5-966c26f8ad91";

fn key(byte: u8) -> (SecretKey, NodeId) {
    let secret = SecretKey::from_slice(&[byte; 32]).unwrap();
    (secret, secret.public_key(&Secp256k1::new()).into())
}

/// Signs a text as Lightning nodes do, by the page's words.
fn sign(key: &SecretKey, text: &[u8]) -> Signature {
    let digest = sha256d::Hash::hash(&[b"Lightning Signed Message:", text].concat());
    let message = Message::from_digest(digest.to_byte_array());
    let (recovery_id, compact) = Secp256k1::new().sign_ecdsa_recoverable(&message, key).serialize_compact();
    let bytes = [&[31 + u8::try_from(recovery_id.to_i32()).unwrap()], compact.as_slice()].concat();
    Signature(bytes.try_into().unwrap())
}

/// The example as it should stand on the page, a name and its bytes a line.
fn example() -> String {
    let ((secret, sender), (_, recipient)) = (key(0x11), key(0x22));
    let chain = ChainHash::from(Network::Regtest);
    let content = Content::new(TEXT, None, b"hello".to_vec()).unwrap();
    let frame = Frame::whole(sender, ID.parse().unwrap(), &content);
    let frame_bytes = frame.encode_to_vec();
    let text = signed_text(chain, recipient, &frame_bytes);
    let signature = sign(&secret, &text);
    let lines: [(&str, Vec<u8>); 10] = [
        ("sender", sender.to_bytes().to_vec()),
        ("recipient", recipient.to_bytes().to_vec()),
        ("chain hash", chain.0.to_vec()),
        ("message id", frame.parts[0].message_id.clone()),
        ("sender_check", frame.sender_check.clone()),
        ("content", content.encode_to_vec()),
        ("frame", frame_bytes.clone()),
        ("text", text),
        ("signature", signature.0.to_vec()),
        ("record", record::write(&signature, &frame_bytes)),
    ];
    shown(&lines)
}

/// The example of a receipt, as it should stand on the page.
fn receipt_example() -> String {
    let ((_, sender), (secret, _)) = (key(0x11), key(0x22));
    let content = Content::new(TEXT, None, b"hello".to_vec()).unwrap().asking_receipt(true).encode_to_vec();
    let (id, content_hash) = (ID.parse().unwrap(), ContentHash::of(&content));
    let text = receipt::signed_text(Network::Regtest.into(), sender, id, content_hash);
    let signature = sign(&secret, &text);
    shown(&[
        ("content", content),
        ("content hash", content_hash.0.to_vec()),
        ("receipt text", text),
        ("receipt signature", signature.0.to_vec()),
        ("receipt content", Receipt { id, content_hash, signature }.content().encode_to_vec()),
    ])
}

fn shown(lines: &[(&str, Vec<u8>)]) -> String {
    lines.iter().map(|(name, bytes)| format!("{name} = {}\n", HEXLOWER.encode(bytes))).collect()
}

/// An example as it stands on the page.
fn written(name: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(&format!("```{name}\n")).expect("an example");
    rest.split_once("```").expect("the example's end").0
}

#[test]
fn the_pages_example_is_what_its_keys_give() {
    for (name, wanted) in [("example", example()), ("receipt-example", receipt_example())] {
        assert_eq!(written(name), wanted, "the {name} of docs/protocol.md should be:\n{wanted}");
    }
}

#[test]
fn the_pages_receipt_is_the_recipients_for_that_message() {
    let hex = written("receipt-example").lines().find_map(|line| line.strip_prefix("receipt content = ")).unwrap();
    let content = Content::read(&HEXLOWER.decode(hex.as_bytes()).unwrap()).unwrap();
    let receipt = Receipt::read(&content).unwrap().unwrap();
    assert_eq!((receipt.id, content.payload.len()), (ID.parse().unwrap(), receipt::PAYLOAD_BYTES));
    assert_eq!(receipt.signer(Network::Regtest.into(), key(0x11).1), Some(key(0x22).1));
    assert!(PAGE.contains(receipt::CONTENT_TYPE));
}

#[test]
fn the_pages_record_is_read_as_the_message_that_it_tells_of() {
    let hex = written("example").lines().find_map(|line| line.strip_prefix("record = ")).unwrap();
    let record = HEXLOWER.decode(hex.as_bytes()).unwrap();
    let ((_, sender), (_, recipient)) = (key(0x11), key(0x22));
    let Ok(Received::Signed { sender: found, frame }) = record::read(&record, Network::Regtest.into(), recipient)
    else {
        panic!("the record is not read");
    };
    assert_eq!((found, frame.parts.len()), (sender, 1));
    assert_eq!(frame.parts[0].id(), Some(ID.parse::<MessageId>().unwrap()));
    assert_eq!(Content::read(&frame.parts[0].body).unwrap().payload, b"hello");
    assert!(record::read(&record, Network::Regtest.into(), sender).is_err());
}

#[test]
fn the_pages_numbers_are_the_codes() {
    let limits = [
        ("RECORD_TYPE_DEFAULT", limits::RECORD_TYPE_DEFAULT),
        ("RECORD_BYTES_DIRECT_MAX", limits::RECORD_BYTES_DIRECT_MAX as u64),
        ("RECORD_BYTES_PER_HOP", limits::RECORD_BYTES_PER_HOP as u64),
        ("RECORD_BYTES_ACCEPTED_MAX", limits::RECORD_BYTES_ACCEPTED_MAX as u64),
        ("FRAME_PARTS_MAX", limits::FRAME_PARTS_MAX as u64),
        ("CONTENT_TYPE_BYTES_MAX", limits::CONTENT_TYPE_BYTES_MAX as u64),
        ("MESSAGE_BYTES_MAX_DEFAULT", limits::MESSAGE_BYTES_MAX_DEFAULT as u64),
        ("MESSAGE_BYTES_MAX", limits::MESSAGE_BYTES_MAX as u64),
        ("CONTENT_OVERHEAD_BYTES_MAX", limits::CONTENT_OVERHEAD_BYTES_MAX as u64),
        ("EXPIRY_MS_MAX", limits::EXPIRY_MS_MAX),
        ("WAITING_MS_MAX", limits::WAITING_MS_MAX),
        ("WAITING_BYTES_PER_SENDER_MAX", limits::WAITING_BYTES_PER_SENDER_MAX),
        ("WAITING_BYTES_MAX", limits::WAITING_BYTES_MAX),
        ("WAITING_OVERHEAD_BYTES_PER_RANGE", limits::WAITING_OVERHEAD_BYTES_PER_RANGE),
        ("AMOUNT_SAT_MAX", limits::AMOUNT_SAT_MAX),
    ];
    for (name, value) in limits {
        let row = PAGE.lines().find(|line| line.contains(&format!("| `{name}` |"))).expect(name);
        let number = row.trim_end_matches(" |").rsplit("| ").next().unwrap().replace(',', "");
        assert_eq!(number, value.to_string(), "{name}");
    }
    assert_eq!(record::HEADER_BYTES, 66);
    // The page says both in days, too.
    const DAY_MS: u64 = 24 * 3_600 * 1_000;
    assert_eq!((limits::EXPIRY_MS_MAX / DAY_MS, limits::WAITING_MS_MAX / DAY_MS), (7, 8));
    assert!(PAGE.contains("tries for at most 7 days") && PAGE.contains("isn't complete for 8 days"));
}

#[test]
fn the_page_names_every_reason_for_which_something_is_put_aside() {
    for reason in HeldReason::ALL {
        assert!(PAGE.contains(&format!("`{}`", reason.code())), "{}", reason.code());
    }
}
