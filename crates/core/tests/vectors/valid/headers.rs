//! Chains, people, signatures and ids.

use bitcoin::{Network, secp256k1::constants::CURVE_ORDER};
use boltgram_core::{
    ChainHash, MessageId,
    frame::Frame,
    record::{self, HEADER_BYTES},
    sign::Signature,
};
use data_encoding::HEXLOWER;
use prost::Message as _;

use super::canonical;
use crate::{
    file::{Hex, Vector},
    inbox::message,
    wire::{ROAD, Road, USUAL_MSAT, Who, id, payment, text, vector, whole},
};

pub fn vectors() -> Vec<Vector> {
    [chains(), signatures(), ids(), amounts()].concat()
}

/// The vector of one text on a road of its own.
fn on(road: Road, name: &str, about: &str, words: &str) -> Vector {
    let content = text(words);
    let payments = vec![road.pays(vec![whole(id(0), &content)], USUAL_MSAT)];
    canonical(Vector {
        chain_hash: Hex(ChainHash::from(road.chain).0.to_vec()),
        recipient: Hex(road.to.id().to_bytes().to_vec()),
        ..vector(name, about, payments, vec![road.message(id(0), &content, USUAL_MSAT)])
    })
}

fn chains() -> Vec<Vector> {
    let chain = |chain, name: &str| {
        on(Road { chain, ..ROAD }, &format!("chain-{name}"), &format!("The chain hash of {name}"), "hello")
    };
    vec![
        chain(Network::Bitcoin, "mainnet"),
        chain(Network::Testnet, "testnet"),
        chain(Network::Signet, "signet"),
        on(Road { from: Who::Other, ..ROAD }, "another-sender", "Another sender", "hello"),
        on(
            Road { from: Who::Recipient, to: Who::Sender, ..ROAD },
            "the-way-back",
            "The recipient writes to the sender",
            "hello",
        ),
    ]
}

/// The first text of a row that is signed with this recovery id.
fn with_recovery_id(recovery_id: u8) -> Vector {
    let name = format!("recovery-id-{recovery_id}");
    let about = format!("A signature with recovery id {recovery_id}");
    let texts = (0..).map(|number| format!("text {number}"));
    let mut vectors = texts.map(|words| on(ROAD, &name, &about, &words));
    vectors.find(|vector| vector.payments[0].record.0[1] == 31 + recovery_id).unwrap()
}

/// The other form of a signature: n - s, and the other parity. It recovers to the same key.
fn with_high_s(vector: Vector) -> Vector {
    let mut record = vector.payments[0].record.0.clone();
    record[1] = 31 + ((record[1] - 31) ^ 1);
    let mut borrow = 0;
    for (byte, order) in record[34..HEADER_BYTES].iter_mut().zip(CURVE_ORDER).rev() {
        let difference = i32::from(order) - i32::from(*byte) - borrow;
        borrow = i32::from(difference < 0);
        *byte = difference.rem_euclid(256) as u8;
    }
    let payments = vec![payment(record, USUAL_MSAT)];
    Vector { payments, canonical: None, ..vector }
}

/// A signature whose nonce's point has an x above n: r is 2, x is n + 2. No sender meets one by chance (1 in 2^127). Nobody
/// knows the nonce, or the key: s was searched for, 2^32 tries in the mean, until `sender_check` was that of the key to
/// which the signature recovers.
fn with_recovery_id_2() -> Vector {
    const S: &str = "00b1b67ccbad1517ff6e8497643c847307feabe38b2a585276ccc595ca9efe67";
    const SENDER: &str = "02b017b01740a680d8118eade0ce48e5fad5c4067e8ff72101edb54ec9046a3773";
    let (content, sender) =
        (text("a text by nobody: the key is what the signature recovers to"), SENDER.parse().unwrap());
    let frame = Frame::of(sender, vec![whole(id(0), &content)]).encode_to_vec();
    let mut r = [0; 32];
    r[31] = 2;
    let signature = [&[33], r.as_slice(), &HEXLOWER.decode(S.as_bytes()).unwrap()].concat();
    let record = record::write(&Signature(signature.try_into().unwrap()), &frame);
    let messages = vec![message(Some((sender, id(0))), &content, USUAL_MSAT)];
    vector(
        "recovery-id-2",
        "A signature with recovery id 2, by a key that nobody has",
        vec![payment(record, USUAL_MSAT)],
        messages,
    )
}

fn signatures() -> Vec<Vector> {
    let id_3 = Vector {
        name: "recovery-id-3".into(),
        about: "The other form of that signature: recovery id 3, and the same key".into(),
        ..with_high_s(with_recovery_id_2())
    };
    let high_s = on(ROAD, "signature-with-high-s", "A signature whose s is above n / 2 is taken", "hello");
    vec![with_recovery_id(0), with_recovery_id(1), with_recovery_id_2(), id_3, with_high_s(high_s)]
}

fn ids() -> Vec<Vector> {
    let one = |name: &str, about: &str, id: MessageId| {
        let payments = vec![ROAD.pays(vec![whole(id, &text("hello"))], USUAL_MSAT)];
        canonical(vector(name, about, payments, vec![ROAD.message(id, &text("hello"), USUAL_MSAT)]))
    };
    let other = Road { from: Who::Other, ..ROAD };
    let both = [ROAD, other];
    let same_id = vector(
        "same-id-of-two-senders",
        "An id belongs to its sender: two messages",
        both.map(|road| road.pays(vec![whole(id(0), &text("mine"))], USUAL_MSAT)).to_vec(),
        both.map(|road| road.message(id(0), &text("mine"), USUAL_MSAT)).to_vec(),
    );
    vec![
        one("id-lowest", "The lowest id there can be", MessageId::LOWEST),
        one("id-highest", "The highest id there can be", MessageId::HIGHEST),
        same_id,
    ]
}

fn amounts() -> Vec<Vector> {
    let one = |name: &str, about: &str, amount_msat| {
        let payments = vec![ROAD.pays(vec![whole(id(0), &text("paid"))], amount_msat)];
        canonical(vector(name, about, payments, vec![ROAD.message(id(0), &text("paid"), amount_msat)]))
    };
    vec![
        one("amount-odd", "A lone part carries its whole payment, to the millisatoshi", 1_234_567),
        one("amount-largest", "1 BTC", 100_000_000_000),
    ]
}
