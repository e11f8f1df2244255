//! What can happen, step by step, and how often.

use boltgram_core::Reason;
use proptest::prelude::*;

use crate::{
    network::{Meanwhile, Trick, Weather},
    world::WAIT_MS,
};

/// A message to send, as its caller asks for it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Draft {
    pub sender: usize,
    pub body: Bytes,
    pub amount_sat: u64,
    pub fee_limit_msat: Option<u64>,
    /// The caller's key, as a number.
    pub key: Option<u8>,
}

/// A body, by what makes it: so that a failing case stays readable.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Bytes {
    /// Bytes that can't be compressed.
    Random { seed: u8, length: u16 },
    /// A text of one word again and again.
    Words { seed: u8, length: u16 },
}

impl Draft {
    pub fn wanted_msat(&self) -> Option<u64> {
        (self.amount_sat > 0).then_some(self.amount_sat * 1_000)
    }

    pub fn body(&self) -> Vec<u8> {
        match self.body {
            Bytes::Words { seed, length } => format!("word {seed} ").bytes().cycle().take(length.into()).collect(),
            Bytes::Random { seed, length } => {
                let mut state = u64::from(seed) | 1 << 40;
                let next = || {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (state >> 33) as u8
                };
                std::iter::repeat_with(next).take(length.into()).collect()
            }
        }
    }
}

/// One step.
#[derive(Clone, Debug)]
pub enum Step {
    /// A message is accepted and handed to the outbox; a crash can come in between.
    Send {
        draft: Draft,
        queues: bool,
        expires_in_ms: u64,
        crashes: bool,
    },
    /// The outbox starts what it can; all of it, or one payment.
    Carry {
        sender: usize,
        all: bool,
    },
    /// Its regular look at what has become due, once and after each of so many waits.
    Tick {
        sender: usize,
        waits: u8,
    },
    Cancel {
        sender: usize,
        which: u8,
    },
    /// Time goes by.
    Wait {
        ms: u64,
    },
    /// The channels change.
    Weather {
        sender: usize,
        weather: Weather,
    },
    /// A payment arrives, fails, or is told to have failed though it may arrive.
    Arrive {
        which: u8,
        fee_permille: u64,
    },
    Fail {
        which: u8,
        reason: Reason,
    },
    FailFalsely {
        which: u8,
        tells_late: bool,
    },
    /// A sender's outbox handles an event; unless it is acknowledged, it comes again.
    Tell {
        sender: usize,
        which: u8,
        is_acknowledged: bool,
    },
    /// The receiver handles its next event.
    Receive {
        is_acknowledged: bool,
    },
    /// What the sender's next send meets.
    Trick {
        sender: usize,
        trick: Trick,
    },
    /// What happens while its next payment is made.
    Meanwhile {
        sender: usize,
        meanwhile: Meanwhile,
    },
    Crash {
        sender: usize,
        fates: u64,
    },
    CrashReceiver,
}

/// A case: the day's fee budget of both senders, and what happens.
pub fn case() -> impl Strategy<Value = (Option<u64>, Vec<Step>)> {
    let budget = prop_oneof![4 => Just(None), 1 => (50_010u64..600_000).prop_map(Some)];
    (budget, prop::collection::vec(step(), 1..64))
}

fn sender() -> impl Strategy<Value = usize> {
    // Mostly one of them, so that its messages meet.
    prop_oneof![3 => Just(0usize), 1 => Just(1usize)]
}

fn step() -> impl Strategy<Value = Step> {
    let sends = (draft(), any::<bool>(), expiry(), prop::bool::weighted(0.05));
    prop_oneof![
        14 => sends.prop_map(|(draft, queues, expires_in_ms, crashes)| Step::Send { draft, queues, expires_in_ms, crashes }),
        14 => (sender(), any::<bool>()).prop_map(|(sender, all)| Step::Carry { sender, all }),
        5 => (sender(), prop_oneof![1 => Just(0u8), 1 => 1u8..6]).prop_map(|(sender, waits)| Step::Tick { sender, waits }),
        2 => (sender(), any::<u8>()).prop_map(|(sender, which)| Step::Cancel { sender, which }),
        // The short waits together stay below the shortest one after a failure, the longer ones are above the longest: how
        // a case goes doesn't depend on the jitter.
        6 => prop_oneof![3 => Just(5u64), 6 => Just(WAIT_MS), 1 => Just(3 * 3_600_000), 1 => Just(25 * 3_600_000)]
            .prop_map(|ms| Step::Wait { ms }),
        3 => (sender(), weather()).prop_map(|(sender, weather)| Step::Weather { sender, weather }),
        9 => (any::<u8>(), prop::sample::select(vec![0u64, 500, 1_000]))
            .prop_map(|(which, fee_permille)| Step::Arrive { which, fee_permille }),
        4 => (any::<u8>(), reason()).prop_map(|(which, reason)| Step::Fail { which, reason }),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(which, tells_late)| Step::FailFalsely { which, tells_late }),
        14 => (sender(), any::<u8>(), prop::bool::weighted(0.85))
            .prop_map(|(sender, which, is_acknowledged)| Step::Tell { sender, which, is_acknowledged }),
        7 => prop::bool::weighted(0.8).prop_map(|is_acknowledged| Step::Receive { is_acknowledged }),
        5 => (sender(), trick()).prop_map(|(sender, trick)| Step::Trick { sender, trick }),
        4 => (sender(), meanwhile()).prop_map(|(sender, meanwhile)| Step::Meanwhile { sender, meanwhile }),
        3 => (sender(), any::<u64>()).prop_map(|(sender, fates)| Step::Crash { sender, fates }),
        1 => Just(Step::CrashReceiver),
    ]
}

fn draft() -> impl Strategy<Value = Draft> {
    let length = prop_oneof![8 => 1u16..40, 3 => 150u16..450, 5 => 900u16..4_500];
    let bytes = (any::<u8>(), length, prop::bool::weighted(0.15)).prop_map(|(seed, length, is_text)| match is_text {
        true => Bytes::Words { seed, length },
        false => Bytes::Random { seed, length },
    });
    let amount_sat = prop_oneof![6 => Just(0u64), 3 => 1u64..30, 1 => 300u64..2_000];
    let fee_limit = prop_oneof![6 => Just(None), 1 => (0u64..120_000).prop_map(Some)];
    let key = prop_oneof![4 => Just(None), 1 => (0u8..3).prop_map(Some)];
    (sender(), bytes, amount_sat, fee_limit, key).prop_map(|(sender, body, amount_sat, fee_limit_msat, key)| {
        // Under a key mostly the same message is meant.
        let body =
            if let (Some(key), true) = (key, amount_sat != 1) { Bytes::Random { seed: key, length: 30 } } else { body };
        let (amount_sat, fee_limit_msat) = if key.is_some() { (0, None) } else { (amount_sat, fee_limit_msat) };
        Draft { sender, body, amount_sat, fee_limit_msat, key }
    })
}

fn expiry() -> impl Strategy<Value = u64> {
    prop_oneof![6 => Just(24 * 3_600_000u64), 1 => Just(60_000u64), 1 => Just(2 * 3_600_000)]
}

fn weather() -> impl Strategy<Value = Weather> {
    let slots = prop_oneof![Just(1usize), Just(2), Just(4), Just(50)];
    let room_bytes = prop_oneof![2 => Just(1_204usize), 1 => Just(700), 1 => Just(500)];
    let payment_msat_max = prop_oneof![4 => Just(u64::MAX), 1 => Just(2_500u64), 1 => Just(20_000)];
    (prop::bool::weighted(0.8), slots, room_bytes, payment_msat_max).prop_map(
        |(is_online, slots, room_bytes, payment_msat_max)| Weather { is_online, slots, room_bytes, payment_msat_max },
    )
}

fn reason() -> impl Strategy<Value = Reason> {
    prop::sample::select(vec![Reason::NoRoute, Reason::Refused, Reason::PaymentFailed])
}

fn trick() -> impl Strategy<Value = Trick> {
    let not_sent = vec![Reason::NoRoute, Reason::PeerOffline, Reason::InsufficientOutbound, Reason::Stopping];
    prop_oneof![
        2 => any::<bool>().prop_map(|has_left| Trick::Crash { has_left }),
        2 => prop::sample::select(not_sent).prop_map(Trick::NotSent),
        1 => Just(Trick::Busy),
        2 => any::<bool>().prop_map(|has_left| Trick::Unclear { has_left }),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(is_claimed, is_unclear)| Trick::Ends { is_claimed, is_unclear }),
    ]
}

fn meanwhile() -> impl Strategy<Value = Meanwhile> {
    prop_oneof![
        1 => Just(Meanwhile::Crash),
        2 => any::<u8>().prop_map(Meanwhile::Cancel),
        1 => Just(Meanwhile::Expire),
        3 => Just(Meanwhile::Carry),
        2 => Just(Meanwhile::Event),
    ]
}
