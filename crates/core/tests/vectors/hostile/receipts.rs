//! Receipts that don't count.

use bitcoin::Network;
use boltgram_core::{frame::Content, record::HEADER_BYTES};

use super::{RECEIPT, UNREADABLE, breaks, lone};
use crate::{
    file::Vector,
    receipts::Asked,
    wire::{ROAD, Road, USUAL_MSAT, Who, id, text, whole, with_amount},
};

pub fn vectors() -> Vec<Vector> {
    [forms(), signatures(), others(), beside()].concat()
}

/// What a broken receipt is for: the receiver had sent it.
fn of(rule: &'static str, name: &str, about: &str, receipt: &Content) -> Vector {
    let reason = if matches!(rule, "receipt-names-message" | "receipt-payload") { UNREADABLE } else { RECEIPT };
    let payment = ROAD.pays(vec![whole(id(0), receipt)], USUAL_MSAT);
    Asked::hello().known_to(lone((rule, reason), name, about, payment))
}

fn forms() -> Vec<Vector> {
    let good = Asked::hello().receipt();
    let with = |payload: Vec<u8>| Content { payload, ..good.clone() };
    let longer = [good.payload.as_slice(), &[0]].concat();
    vec![
        of(
            "receipt-names-message",
            "receipt-for-no-message",
            "A receipt without a reply-to id",
            &Content { reply_to_id: Vec::new(), ..good.clone() },
        ),
        of("receipt-payload", "receipt-of-96-bytes", "A byte too few", &with(good.payload[..96].to_vec())),
        of("receipt-payload", "receipt-of-98-bytes", "A byte too many", &with(longer)),
        of("receipt-payload", "receipt-of-a-hash-alone", "No signature", &with(good.payload[..32].to_vec())),
        of("receipt-payload", "receipt-of-one-byte", "Less than a hash", &with(vec![1])),
    ]
}

fn signatures() -> Vec<Vector> {
    let signature = |name: &str, about: &str, receipt: &Content| of("receipt-signature", name, about, receipt);
    let asked = Asked::hello();
    let with = |at: usize, byte: u8| {
        let mut receipt = asked.receipt();
        receipt.payload[at] = byte;
        receipt
    };
    let last = asked.receipt().payload[96];
    let frame_signature = ROAD.record(&ROAD.frame(vec![whole(id(0), &text("hello"))]));
    let of_a_frame = [&asked.receipt().payload[..32], &frame_signature[1..HEADER_BYTES]].concat();
    vec![
        signature("receipt-by-another", "Another node's signature", &asked.receipt_by(Who::Other, ROAD)),
        signature("receipt-by-the-receiver", "The receiver's own signature", &asked.receipt_by(Who::Recipient, ROAD)),
        signature(
            "receipt-of-another-chain",
            "Signed for mainnet",
            &asked.receipt_by(ROAD.from, Road { chain: Network::Bitcoin, ..ROAD }),
        ),
        signature(
            "receipt-of-anothers-message",
            "Signed for a message of another sender",
            &asked.receipt_by(ROAD.from, Road { to: Who::Other, ..ROAD }),
        ),
        signature(
            "receipt-with-another-hash",
            "The hash that stands there is not the one that is signed",
            &with(0, !asked.receipt().payload[0]),
        ),
        signature("receipt-signature-flipped", "The signature's last bit changed", &with(96, last ^ 1)),
        signature("receipt-signature-header-30", "A signature with a first byte of 30", &with(32, 30)),
        signature(
            "receipt-with-a-frames-signature",
            "A signature over a frame is none over a receipt",
            &Content { payload: of_a_frame, ..asked.receipt() },
        ),
        signature(
            "receipt-for-another-id",
            "Signed for one message, and names another",
            &Content { reply_to_id: id(8).to_bytes().to_vec(), ..asked.receipt() },
        ),
    ]
}

fn others() -> Vec<Vector> {
    let asked = Asked::hello();
    let unsent = Asked { id: id(8), ..asked.clone() };
    let other = Asked { content: b"\x1a\x05hullo\x20\x01".to_vec(), ..asked.clone() };
    let without_flag = Asked { content: b"\x1a\x05hello".to_vec(), ..asked.clone() };
    let to_another = Asked { to: Who::Other.id(), ..asked.clone() };
    let payment = || ROAD.pays(vec![whole(id(0), &asked.receipt())], USUAL_MSAT);
    let about = "The receiver had sent that message to somebody else";
    vec![
        of(
            "receipt-sent",
            "receipt-for-what-was-not-sent",
            "A receipt for a message that the receiver didn't send",
            &unsent.receipt(),
        ),
        lone(("receipt-sent", RECEIPT), "receipt-where-nothing-was-sent", "The receiver had sent nothing", payment()),
        to_another.known_to(lone(("receipt-sent", RECEIPT), "receipt-for-what-was-sent-to-another", about, payment())),
        of(
            "receipt-content-hash",
            "receipt-for-another-text",
            "A receipt for another content under the same id",
            &other.receipt(),
        ),
        of(
            "receipt-content-hash",
            "receipt-for-the-text-without-its-flag",
            "The hash is over the content's bytes, flags and all",
            &without_flag.receipt(),
        ),
    ]
}

/// A receipt that doesn't count, in one frame with a text that is taken.
fn beside() -> Vec<Vector> {
    let asked = Asked::hello();
    let parts = vec![
        with_amount(whole(id(0), &asked.receipt_by(Who::Other, ROAD)), 0),
        with_amount(whole(id(1), &text("and a word")), USUAL_MSAT),
    ];
    let messages = vec![ROAD.message(id(1), &text("and a word"), USUAL_MSAT)];
    let payments = vec![ROAD.pays(parts, USUAL_MSAT)];
    let about = "Another node's receipt, and a text that is taken";
    vec![asked.known_to(breaks(
        ("receipt-signature", RECEIPT),
        "receipt-by-another-beside-a-text",
        about,
        payments,
        messages,
    ))]
}
