//! Records and signatures.

use bitcoin::{
    Network,
    hashes::{Hash as _, sha256d},
    secp256k1::{Secp256k1, SecretKey, constants::CURVE_ORDER},
};
use boltgram_core::{
    frame::Frame,
    limits::RECORD_BYTES_ACCEPTED_MAX,
    record::{self, HEADER_BYTES},
    sign::signed_text,
};
use prost::Message as _;

use super::{SIGNATURE, UNREADABLE, frame, lone};
use crate::{
    file::Vector,
    wire::{ROAD, Road, USUAL_MSAT, Who, bytes_field, id, payment, text, whole},
};

pub fn vectors() -> Vec<Vector> {
    [records(), headers(), checks()].concat()
}

/// The record of the page's example.
fn hello() -> Vec<u8> {
    ROAD.record(&hello_frame())
}

fn hello_frame() -> Vec<u8> {
    ROAD.frame(vec![whole(id(0), &text("hello"))])
}

fn records() -> Vec<Vector> {
    let of = |rule, name: &str, about: &str, record: &[u8]| {
        lone((rule, UNREADABLE), name, about, payment(record.to_vec(), USUAL_MSAT))
    };
    vec![
        of("record-size", "record-too-large", "A text of 65,537 bytes", &vec![b'a'; RECORD_BYTES_ACCEPTED_MAX + 1]),
        of("record-text", "record-empty", "A record of no bytes", b""),
        of("record-text", "record-no-utf-8", "Neither version 1 nor UTF-8", b"\xff\xfe"),
        of(
            "record-text",
            "record-other-version",
            "The example with another version byte",
            &[&[2], &hello()[1..]].concat(),
        ),
        of("record-text", "record-half-a-letter", "A text that ends within a letter", b"gr\xc3"),
        of("record-text", "record-surrogate", "A surrogate is no UTF-8", b"\xed\xa0\x80"),
        of("record-text", "record-longer-than-needed", "A slash in two bytes is no UTF-8", b"\xc0\xaf"),
        of("record-text", "record-above-unicode", "U+110000 is no UTF-8", b"\xf4\x90\x80\x80"),
        of("record-header", "record-version-alone", "The version byte and nothing more", &[1]),
        of("record-header", "record-ends-within-signature", "65 bytes", &hello()[..HEADER_BYTES - 1]),
        of("record-header", "record-text-of-version-1", "A text that begins with the version byte", b"\x01hello"),
    ]
}

/// The example's record with other bytes in the signature.
fn with(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut record = hello();
    record[at..at + bytes.len()].copy_from_slice(bytes);
    record
}

/// Where the signature's header, r and s stand.
const HEADER: usize = 1;
const R: usize = 2;
const S: usize = 34;

/// The order of the group and more, to a number of 32 bytes.
fn order_and(more: u8) -> [u8; 32] {
    let mut number = CURVE_ORDER;
    number[31] += more;
    number
}

fn headers() -> Vec<Vector> {
    let of = |rule, name: &str, about: &str, record| lone((rule, SIGNATURE), name, about, payment(record, USUAL_MSAT));
    let header = |name: &str, value: u8| {
        of(
            "signature-header",
            &format!("signature-header-{name}"),
            &format!("A first byte of {value}"),
            with(HEADER, &[value]),
        )
    };
    // The x of no point: 5, since 5^3 + 7 = 132 has no square root.
    let mut no_point = [0; 32];
    no_point[31] = 5;
    vec![
        header("0", 0),
        header("30", 30),
        header("35", 35),
        header("255", 255),
        of("signature-range", "signature-r-zero", "r is 0", with(R, &[0; 32])),
        of("signature-range", "signature-s-zero", "s is 0", with(S, &[0; 32])),
        of("signature-range", "signature-r-order", "r is n", with(R, &order_and(0))),
        of("signature-range", "signature-s-order", "s is n", with(S, &order_and(0))),
        of("signature-range", "signature-s-above-order", "s is n + 1, which is 1 modulo n", with(S, &order_and(1))),
        of("signature-range", "signature-all-ones", "r and s are as large as can be", with(R, &[0xff; 64])),
        of("signature-recovers", "signature-r-of-no-point", "r is the x of no point", with(R, &no_point)),
        of(
            "signature-recovers",
            "signature-r-above-prime",
            "Recovery id 2, and r + n is no x: it is above the field's prime",
            with(HEADER, &[33]),
        ),
        at_infinity(),
    ]
}

fn at_infinity() -> Vector {
    let (r, s, frame) = infinity();
    let record = [&[1, 31], r.as_slice(), &s, &frame].concat();
    let about = "r is the generator's x, and s such that the key is the point at infinity";
    lone(("signature-recovers", SIGNATURE), "signature-recovers-to-infinity", about, payment(record, USUAL_MSAT))
}

/// With R = k G, r = R.x and s = z / k, the recovered key (s R - z G) / r is none. Here k = 1.
fn infinity() -> ([u8; 32], [u8; 32], Vec<u8>) {
    let mut one = [0; 32];
    one[31] = 1;
    let generator = SecretKey::from_slice(&one).unwrap().public_key(&Secp256k1::new()).serialize();
    let frame = hello_frame();
    let text = signed_text(ROAD.chain.into(), ROAD.to.id(), &frame);
    let z = sha256d::Hash::hash(&[b"Lightning Signed Message:", text.as_slice()].concat()).to_byte_array();
    // An even y, as the header says, and a z below the order.
    assert!(generator[0] == 2 && SecretKey::from_slice(&z).is_ok());
    (generator[1..].try_into().unwrap(), z, frame)
}

/// Signatures that recover to another key than the frame tells.
fn checks() -> Vec<Vector> {
    const RULE: (&str, &str) = ("sender-check", SIGNATURE);
    let record = |name: &str, about: &str, record| lone(RULE, name, about, payment(record, USUAL_MSAT));
    let signed = |name: &str, about: &str, bytes: &[u8]| frame(RULE, name, about, bytes);
    let part = || whole(id(0), &text("hello"));
    let by = |road: Road| road.record(&hello_frame());
    let flipped = |at: usize| {
        let mut record = hello();
        record[at] ^= 1;
        record
    };
    let check = |bytes: &[u8]| Frame { parts: vec![part()], sender_check: bytes.to_vec() }.encode_to_vec();
    let id_bytes = ROAD.from.id().to_bytes();
    vec![
        record(
            "signed-for-another-recipient",
            "The example, signed for another recipient",
            by(Road { to: Who::Other, ..ROAD }),
        ),
        record(
            "signed-for-the-sender",
            "The example, signed for its sender: a reflected frame",
            by(Road { to: Who::Sender, ..ROAD }),
        ),
        record(
            "signed-for-mainnet",
            "The example, signed for another chain",
            by(Road { chain: Network::Bitcoin, ..ROAD }),
        ),
        record(
            "signed-by-another",
            "Somebody else signs the frame with the sender's sender_check",
            by(Road { from: Who::Other, ..ROAD }),
        ),
        record("byte-flipped-in-the-text", "The last letter changed", {
            let at = hello().len() - 7;
            flipped(at)
        }),
        record("byte-flipped-in-the-id", "The message's id changed", flipped(HEADER_BYTES + 19)),
        record("byte-flipped-in-s", "s changed", flipped(HEADER_BYTES - 1)),
        record("other-parity", "The other recovery id", with(HEADER, &[31 + ((hello()[HEADER] - 31) ^ 1)])),
        signed(
            "sender-check-of-another",
            "The sender signs with another's sender_check",
            &check(&Who::Other.id().to_bytes()[1..5]),
        ),
        signed("sender-check-from-the-first-byte", "Bytes 0 to 3 of the key", &check(&id_bytes[..4])),
        signed("sender-check-too-short", "3 bytes", &check(&id_bytes[1..4])),
        signed("sender-check-too-long", "5 bytes", &check(&id_bytes[1..6])),
        signed("sender-check-absent", "No sender_check", &check(b"")),
        signed(
            "sender-check-twice",
            "The last sender_check counts, and it is another's",
            &[hello_frame(), bytes_field(2, b"none")].concat(),
        ),
        no_tag(),
    ]
}

/// A text that a node may have signed for anybody.
fn no_tag() -> Vector {
    let frame = hello_frame();
    let record = record::write(&ROAD.from.sign(&frame), &frame);
    let about = "A signature over the frame alone, without tag, chain and recipient";
    lone(("sender-check", SIGNATURE), "signed-without-the-tag", about, payment(record, USUAL_MSAT))
}
