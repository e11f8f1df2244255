//! Messages out of parts, against a model that keeps every byte by itself.
//!
//! Two senders write the same few messages in payments of several parts, in any order, doubled, overlapping, and some of
//! them not honest: another byte, another size, another encoding. The parts pass through frames. `Inbox` keeps ranges as
//! the store does, and the model says after every part what must have come of it.

#![no_main]

use std::{collections::BTreeMap, ops, sync::LazyLock};

use arbitrary::Arbitrary;
use boltgram_core::{
    MessageId,
    encoding::{decode, encode},
    frame::{Content, Encoding, Frame, Part},
    limits::CONTENT_OVERHEAD_BYTES_MAX,
    ranges::Ranges,
    reassembly::{Assembly, Conflict, Piece, Range},
};
use libfuzzer_sys::fuzz_target;
use prost::Message as _;

/// The largest payload that the receiver takes.
const MESSAGE_BYTES_MAX: usize = 300;

/// What its encoded or decoded bytes may have.
const JOINED_BYTES_MAX: usize = MESSAGE_BYTES_MAX + CONTENT_OVERHEAD_BYTES_MAX;

const PAYMENTS_MAX: usize = 48;
const PARTS_MAX: usize = 6;

/// What the senders do.
#[derive(Arbitrary, Debug)]
struct Plan {
    payments: Vec<Payment>,
}

/// One payment of one sender.
#[derive(Arbitrary, Debug)]
struct Payment {
    sender: bool,
    parts: Vec<Cut>,
    /// What it brings above what its parts name.
    rest_msat: u8,
}

/// A part of one of the messages.
#[derive(Arbitrary, Debug)]
struct Cut {
    message: u8,
    from: u16,
    length: u16,
    amount_msat: u16,
    twist: Twist,
}

/// How a part isn't what it was.
#[derive(Arbitrary, Debug)]
enum Twist {
    None,
    Whole,
    Byte(u8),
    Size(u8),
    Encoding,
}

/// A message as both senders have it.
struct Original {
    id: MessageId,
    content: Content,
    encoding: Encoding,
    bytes: Vec<u8>,
}

/// Short and long ones, such as are compressed and such as aren't, one of a byte more than the receiver takes, and bytes
/// that are no content.
static ORIGINALS: LazyLock<Vec<Original>> = LazyLock::new(|| {
    let payloads =
        [noise(1), noise(5), noise(300), b"again ".repeat(20), b"again ".repeat(50), vec![7; MESSAGE_BYTES_MAX + 1]];
    let ids = (1..).map(|number: u8| {
        let mut id = MessageId::LOWEST.to_bytes();
        id[15] = number;
        MessageId::from_slice(&id).expect("it is a version 7 UUID")
    });
    let of = |(id, payload): (MessageId, Vec<u8>)| {
        let content = Content::new("application/octet-stream", None, payload).expect("the content is valid");
        let (encoding, bytes) = encode(content.encode_to_vec());
        Original { id, content, encoding, bytes }
    };
    let broken = Original {
        id: MessageId::HIGHEST,
        content: Content::default(),
        encoding: Encoding::Plain,
        bytes: vec![0xff; 20],
    };
    ids.zip(payloads).map(of).chain([broken]).collect()
});

/// Bytes that don't compress, the same each time.
fn noise(bytes: usize) -> Vec<u8> {
    let next = |seed: &u32| Some(seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(Some(7), next).map(|seed| (seed >> 24) as u8).take(bytes).collect()
}

/// Whose message, and which.
type Key = (bool, MessageId);

/// What came of a part.
#[derive(Clone, PartialEq, Debug)]
enum Outcome {
    TooLarge,
    Conflict,
    Repeated,
    Kept,
    /// All is there: what it carries, and the message if it can be read.
    Complete(u64, Option<Content>),
}

fuzz_target!(|plan: Plan| {
    let (mut inbox, mut model) = (Inbox::default(), Model::default());
    for payment in plan.payments.iter().take(PAYMENTS_MAX) {
        for (id, piece, amount_msat) in received(payment).unwrap_or_default() {
            let key = (payment.sender, id);
            let expected = model.take(key, &piece, amount_msat);
            assert_eq!(inbox.take(key, &piece, amount_msat), expected);
            inbox.check(key, &model);
        }
    }
});

/// A payment's parts as the receiver reads them out of its frame, with what each carries.
fn received(payment: &Payment) -> Option<Vec<(MessageId, Piece, u64)>> {
    let is_lone = payment.parts.len() == 1;
    let mut parts: Vec<Part> = payment.parts.iter().take(PARTS_MAX).map(part).collect();
    if let ([part], true) = (parts.as_mut_slice(), is_lone) {
        part.amount_msat = 0;
    }
    let sum_msat: u64 = parts.iter().map(|part| part.amount_msat).sum();
    let frame = Frame { parts, sender_check: vec![1, 2, 3, 4] };
    let frame = Frame::read(&frame.encode_to_vec()).ok()?;
    let payment_msat = sum_msat + u64::from(payment.rest_msat);
    let amounts_msat = frame.amounts_msat(payment_msat).expect("the payment carries the sum");
    assert!(amounts_msat.iter().sum::<u64>() <= payment_msat);
    let parts = frame.parts.into_iter().zip(amounts_msat);
    parts.map(|(part, amount_msat)| Some((part.id()?, Piece::of(part).ok()?, amount_msat))).collect()
}

fn part(cut: &Cut) -> Part {
    let original = &ORIGINALS[usize::from(cut.message) % ORIGINALS.len()];
    let total = original.bytes.len();
    let from = usize::from(cut.from) % total;
    let length = 1 + usize::from(cut.length) % (total - from);
    let mut part = Part {
        message_id: original.id.to_bytes().to_vec(),
        offset: from as u32,
        total_bytes: total as u32,
        amount_msat: cut.amount_msat.into(),
        encoding: original.encoding.into(),
        body: original.bytes[from..from + length].to_vec(),
    };
    match cut.twist {
        Twist::None => {}
        Twist::Whole => (part.offset, part.total_bytes, part.body) = (0, 0, original.bytes.clone()),
        Twist::Byte(change) => part.body[length / 2] ^= change,
        Twist::Size(more) => part.total_bytes += u32::from(more),
        Twist::Encoding => part.encoding = 1 - part.encoding,
    }
    part
}

/// The receiver: it keeps ranges that don't overlap, in order, as the store does.
#[derive(Default)]
struct Inbox {
    waiting: BTreeMap<Key, Waiting>,
    complete: BTreeMap<Key, Content>,
}

/// A message of which something is missing.
#[derive(Clone)]
struct Waiting {
    assembly: Assembly,
    ranges: Vec<Range>,
    amount_msat: u64,
}

impl Inbox {
    fn take(&mut self, key: Key, piece: &Piece, amount_msat: u64) -> Outcome {
        if !piece.fits(MESSAGE_BYTES_MAX) {
            return Outcome::TooLarge;
        }
        if let Some(known) = self.complete.get(&key) {
            return known_again(piece, known);
        }
        let begun = || Waiting { assembly: Assembly::begun_by(piece), ranges: Vec::new(), amount_msat: 0 };
        let mut waiting = self.waiting.get(&key).cloned().unwrap_or_else(begun);
        let before = waiting.assembly;
        let reach = u64::from(piece.range.offset)..piece.range.end();
        let overlapping: Vec<Range> = waiting
            .ranges
            .iter()
            .filter(|held| held.end() > reach.start && u64::from(held.offset) < reach.end)
            .cloned()
            .collect();
        let fresh = match waiting.assembly.add(piece, &overlapping) {
            Ok(fresh) => fresh,
            Err(Conflict) => {
                assert_eq!(waiting.assembly, before, "a conflict changes nothing");
                return Outcome::Conflict;
            }
        };
        if fresh.is_empty() {
            return Outcome::Repeated;
        }
        waiting.ranges.extend(fresh);
        waiting.ranges.sort_by_key(|range| range.offset);
        waiting.amount_msat += amount_msat;
        if !waiting.assembly.is_complete() {
            assert!(waiting.assembly.read(&waiting.ranges, MESSAGE_BYTES_MAX).is_err(), "a range is missing");
            self.waiting.insert(key, waiting);
            return Outcome::Kept;
        }
        self.waiting.remove(&key);
        let content = waiting.assembly.read(&waiting.ranges, MESSAGE_BYTES_MAX).ok();
        self.complete.extend(content.clone().map(|content| (key, content)));
        Outcome::Complete(waiting.amount_msat, content)
    }

    /// What is kept of a message is what the model has of it, byte by byte.
    fn check(&self, key: Key, model: &Model) {
        let (kept, known) = (self.waiting.get(&key), model.waiting.get(&key));
        assert_eq!(kept.is_some(), known.is_some());
        let Some((kept, known)) = kept.zip(known) else { return };
        assert!(kept.ranges.windows(2).all(|pair| pair[0].end() <= u64::from(pair[1].offset)));
        assert!(kept.assembly.held_bytes < kept.assembly.total_bytes);
        assert_eq!(kept.amount_msat, known.amount_msat);
        let mut bytes = vec![None; known.bytes.len()];
        for range in &kept.ranges {
            for (at, byte) in (range.offset as usize..).zip(&range.body.0) {
                bytes[at] = Some(*byte);
            }
        }
        assert_eq!(bytes, known.bytes);
        assert_eq!(known.held(), kept.assembly.held_bytes as usize);
        ranges(&kept.ranges, known);
    }
}

/// The set of ranges that a sender keeps of what was delivered agrees with the bytes.
fn ranges(kept: &[Range], known: &Known) {
    let total = known.bytes.len() as u32;
    let delivered: Ranges = kept.iter().map(|range| range.offset..range.end() as u32).collect();
    let mut missing = Ranges::whole(total);
    delivered.iter().for_each(|range| missing.remove(&range));
    let has = |set: &Ranges, is_held: bool| {
        let in_set = |range: ops::Range<u32>| range.map(|byte| known.bytes[byte as usize].is_some() == is_held);
        set.iter().flat_map(in_set).all(|holds| holds)
    };
    assert!(has(&delivered, true) && has(&missing, false));
    assert_eq!(delivered.bytes() + missing.bytes(), total);
    assert!(delivered.intersection(&missing).is_empty());
    assert!(!delivered.cover(total));
    missing.iter().for_each(|range| missing_comes(&delivered, range));
}

fn missing_comes(delivered: &Ranges, range: ops::Range<u32>) {
    let mut more = delivered.clone();
    more.insert(range.clone());
    assert_eq!(more.bytes(), delivered.bytes() + range.len() as u32);
    more.remove(&range);
    assert_eq!(more, *delivered);
}

/// What a part of a message that is there brings: nothing, or another content.
fn known_again(piece: &Piece, known: &Content) -> Outcome {
    if !piece.is_whole() {
        return Outcome::Repeated;
    }
    let whole = Assembly::begun_by(piece).read(std::slice::from_ref(&piece.range), MESSAGE_BYTES_MAX);
    if whole.as_ref() == Ok(known) { Outcome::Repeated } else { Outcome::Conflict }
}

/// What must come of the parts, told by bytes alone.
#[derive(Default)]
struct Model {
    waiting: BTreeMap<Key, Known>,
    complete: BTreeMap<Key, Content>,
}

/// What is known of a message.
#[derive(Clone)]
struct Known {
    encoding: Encoding,
    bytes: Vec<Option<u8>>,
    amount_msat: u64,
}

impl Known {
    fn held(&self) -> usize {
        self.bytes.iter().flatten().count()
    }
}

impl Model {
    fn take(&mut self, key: Key, piece: &Piece, amount_msat: u64) -> Outcome {
        let (total, from) = (piece.total_bytes as usize, piece.range.offset as usize);
        if total > JOINED_BYTES_MAX {
            return Outcome::TooLarge;
        }
        let body = &piece.range.body.0;
        if let Some(known) = self.complete.get(&key) {
            let is_other = body.len() == total && self.read(piece.encoding, body).as_ref() != Some(known);
            return if is_other { Outcome::Conflict } else { Outcome::Repeated };
        }
        let begun = || Known { encoding: piece.encoding, bytes: vec![None; total], amount_msat: 0 };
        let mut known = self.waiting.get(&key).cloned().unwrap_or_else(begun);
        if (known.encoding, known.bytes.len()) != (piece.encoding, total) {
            return Outcome::Conflict;
        }
        let places = &mut known.bytes[from..from + body.len()];
        if places.iter().zip(body).any(|(held, byte)| held.is_some_and(|held| held != *byte)) {
            return Outcome::Conflict;
        }
        if places.iter().all(Option::is_some) {
            return Outcome::Repeated;
        }
        places.iter_mut().zip(body).for_each(|(place, byte)| *place = Some(*byte));
        known.amount_msat += amount_msat;
        let Some(joined) = known.bytes.iter().copied().collect::<Option<Vec<u8>>>() else {
            self.waiting.insert(key, known);
            return Outcome::Kept;
        };
        self.waiting.remove(&key);
        let content = self.read(known.encoding, &joined);
        self.complete.extend(content.clone().map(|content| (key, content)));
        Outcome::Complete(known.amount_msat, content)
    }

    fn read(&self, encoding: Encoding, joined: &[u8]) -> Option<Content> {
        let original = ORIGINALS.iter().find(|original| original.bytes == joined && original.encoding == encoding);
        let content = match original {
            Some(original) => Some(original.content.clone()),
            None => decode(encoding, joined, JOINED_BYTES_MAX).ok().and_then(|bytes| Content::read(&bytes).ok()),
        };
        content.filter(|content| (1..=MESSAGE_BYTES_MAX).contains(&content.payload.len()))
    }
}
