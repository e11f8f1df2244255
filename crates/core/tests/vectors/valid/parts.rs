//! Several parts in a frame, and messages in several payments.

use boltgram_core::{frame::Content, limits::FRAME_PARTS_MAX};
use prost::Message as _;

use super::canonical;
use crate::{
    file::{Message, Payment, Vector},
    wire::{ROAD, Road, USUAL_MSAT, Who, content, id, range, text, vector, whole, with_amount},
};

pub fn vectors() -> Vec<Vector> {
    [frames(), long(), twice()].concat()
}

/// A frame of whole texts, each with what it carries, in a payment of `payment_msat`.
fn texts(name: &str, about: &str, amounts_msat: &[u64], payment_msat: u64) -> Vector {
    let each = || {
        (0u8..).zip(amounts_msat).map(|(number, amount_msat)| (number, text(&format!("text {number}")), *amount_msat))
    };
    let parts = each().map(|(number, content, amount_msat)| with_amount(whole(id(number), &content), amount_msat));
    let messages = each().map(|(number, content, amount_msat)| ROAD.message(id(number), &content, amount_msat));
    canonical(vector(name, about, vec![ROAD.pays(parts.collect(), payment_msat)], messages.collect()))
}

fn frames() -> Vec<Vector> {
    vec![
        texts("two-parts", "Two messages share a payment", &[400, 600], 1_000),
        texts("two-parts-one-of-nothing", "A part may carry nothing", &[0, 1_000], 1_000),
        texts(
            "three-parts-of-nothing",
            "What the amounts leave of the payment belongs to no message",
            &[0, 0, 0],
            3_000,
        ),
        texts("three-parts-and-a-rest", "The same where they leave a part of it", &[1, 2, 3], 1_000),
        texts("most-parts", "As many parts as a frame may have", &[10; FRAME_PARTS_MAX], 1_000),
    ]
}

/// A message that doesn't fit into one record.
fn letter() -> Content {
    let lines: Vec<String> = (0..100).map(|line| format!("line {line} of a letter")).collect();
    Content { reply_to_id: id(7).to_bytes().to_vec(), ..text(&lines.join("\n")) }
}

/// A payment with a range of the letter.
fn pays(from: usize, to: usize, amount_msat: u64) -> Payment {
    ROAD.pays(vec![range(id(0), &letter(), from..to)], amount_msat)
}

fn arrives(amount_msat: u64) -> Vec<Message> {
    vec![ROAD.message(id(0), &letter(), amount_msat)]
}

fn long() -> Vec<Vector> {
    let end = letter().encoded_len();
    let (a, b) = (1_000, 2_000);
    assert!(end > b);
    let [first, second, third] = [pays(0, a, 1_000), pays(a, b, 2_000), pays(b, end, 3_000)];
    let row = |indices: &[usize]| indices.iter().map(|index| [&first, &second, &third][*index].clone()).collect();
    let letter_in = |name: &str, about: &str, payments: Vec<Payment>, amount_msat| {
        vector(name, about, payments, arrives(amount_msat))
    };
    let within = vec![
        range(id(0), &letter(), 0..a),
        with_amount(whole(id(1), &text("between")), 5),
        with_amount(range(id(0), &letter(), a..end), 7),
    ];
    let both = vec![ROAD.message(id(1), &text("between"), 5), arrives(7).remove(0)];
    vec![
        letter_in("long-in-order", "A message in three payments carries their sum", row(&[0, 1, 2]), 6_000),
        letter_in("long-reversed", "The same from the last to the first", row(&[2, 1, 0]), 6_000),
        letter_in(
            "long-doubled",
            "Each payment's part twice: the second brings nothing",
            row(&[1, 1, 0, 0, 2, 2]),
            6_000,
        ),
        letter_in(
            "long-overlapping",
            "Ranges that overlap",
            vec![pays(0, 1_500, 1_000), pays(1_400, end, 500), first.clone()],
            1_500,
        ),
        letter_in(
            "long-gap-filled-by-a-range-over-all",
            "A range over two others fills the gap between them",
            vec![pays(0, 10, 1), pays(20, 30, 2), pays(5, end, 4)],
            7,
        ),
        letter_in(
            "long-within-what-is-held",
            "A range within one that is held brings nothing",
            vec![pays(0, b, 10), pays(5, 15, 20), pays(b, end, 40)],
            50,
        ),
        letter_in(
            "long-byte-at-the-end",
            "A range of one byte",
            vec![pays(0, end - 1, 10), pays(end - 1, end, 20)],
            30,
        ),
        letter_in(
            "long-then-whole",
            "A whole part completes what is held, and adds what it carries",
            vec![first.clone(), ROAD.pays(vec![whole(id(0), &letter())], 30)],
            1_030,
        ),
        letter_in("long-in-one-range", "A range of all bytes is a whole message", vec![pays(0, end, 9)], 9),
        vector(
            "long-within-a-frame",
            "Two ranges of a message in one frame, with another message between them",
            vec![ROAD.pays(within, 20)],
            both,
        ),
        of_two_senders(),
        of_two_messages(),
    ]
}

fn of_two_senders() -> Vector {
    let other = Road { from: Who::Other, ..ROAD };
    let theirs = content("text/markdown", letter().payload.as_slice());
    let end = theirs.encoded_len();
    let payments = vec![
        pays(0, 1_000, 1),
        other.pays(vec![range(id(0), &theirs, 0..1_000)], 10),
        pays(1_000, letter().encoded_len(), 2),
        other.pays(vec![range(id(0), &theirs, 1_000..end)], 20),
    ];
    let messages = vec![arrives(3).remove(0), other.message(id(0), &theirs, 30)];
    vector("long-of-two-senders", "Two senders use the same id at the same time: two messages", payments, messages)
}

fn of_two_messages() -> Vector {
    let other = text(&"another letter ".repeat(100));
    let end = other.encoded_len();
    let payments = vec![
        pays(0, 1_000, 1),
        ROAD.pays(vec![range(id(1), &other, 700..end)], 10),
        ROAD.pays(vec![range(id(1), &other, 0..700)], 20),
        pays(1_000, letter().encoded_len(), 2),
    ];
    let messages = vec![ROAD.message(id(1), &other, 30), arrives(3).remove(0)];
    vector(
        "long-two-at-a-time",
        "The parts of two messages among each other: listed is which is complete first",
        payments,
        messages,
    )
}

fn twice() -> Vec<Vector> {
    let hello = || ROAD.pays(vec![whole(id(0), &text("hello"))], USUAL_MSAT);
    let known = vec![ROAD.message(id(0), &text("hello"), USUAL_MSAT)];
    let spelt_out = Content { flags: 4, ..Content { content_type: "text/plain".into(), ..text("hello") } };
    let again = ROAD.pays(vec![whole(id(0), &spelt_out)], USUAL_MSAT);
    let other_range = ROAD.pays(vec![range(id(0), &text("another"), 0..3)], USUAL_MSAT);
    vec![
        vector(
            "again",
            "The same message in a second payment is the same message",
            vec![hello(), hello()],
            known.clone(),
        ),
        vector(
            "again-written-otherwise",
            "The same by type, payload and reply-to id; unknown flags and how it is written don't matter",
            vec![hello(), again],
            known.clone(),
        ),
        vector(
            "again-a-range",
            "A range of a message that is there is ignored, whatever it has",
            vec![hello(), other_range],
            known,
        ),
    ]
}
