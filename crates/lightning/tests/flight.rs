//! Payments in flight: as many as a channel takes, those of before a start, and those in a channel that was closed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod world;

use std::{
    collections::BTreeMap,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use boltgram_core::{
    Reason,
    message::PaymentHash,
    transport::{Keysend, Preimage, SendError, Transport as _, TransportEvent},
};
use boltgram_lightning::Phase;
use world::{Told, World, cannot_send, keysend, relay::Relay, wait_for};

/// A payment of one satoshi under a preimage of its number.
fn numbered(world: &World, number: u16) -> Keysend {
    let mut preimage = [9; 32];
    preimage[..2].copy_from_slice(&number.to_be_bytes());
    Keysend { preimage: Preimage(preimage), ..keysend(world.bob.id(), 0, b"one of many") }
}

/// Starts payments from several threads at once, and tells how each start came out.
fn send_many(world: &World, payments: &[Keysend]) -> Vec<(PaymentHash, Result<(), SendError>)> {
    let (left, outcomes) = (Mutex::new(payments.iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let Some(payment) = left.lock().unwrap().next() else { return };
                    let outcome = world.alice.node().send(payment);
                    outcomes.lock().unwrap().push((payment.preimage.payment_hash(), outcome));
                }
            });
        }
    });
    outcomes.into_inner().unwrap()
}

/// How many payments came out how.
fn tally(outcomes: &[(PaymentHash, Result<(), SendError>)]) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for (_, outcome) in outcomes {
        let name = match outcome {
            Ok(()) => "started".to_owned(),
            Err(SendError::Busy) => "busy".to_owned(),
            Err(other) => format!("{other:?}"),
        };
        *tally.entry(name).or_default() += 1;
    }
    tally
}

/// Waits for the end of each payment that was started, and gives how many succeeded and why the others didn't.
fn ends(world: &World, outcomes: &[(PaymentHash, Result<(), SendError>)]) -> (usize, Vec<Reason>) {
    let (mut succeeded, mut failed) = (0, Vec::new());
    for (hash, _) in outcomes.iter().filter(|(_, outcome)| outcome.is_ok()) {
        let end = world.alice.events.wait_for("a payment has no end", |event| match event {
            TransportEvent::PaymentSuccessful { payment_hash, .. } if payment_hash == hash => Some(Ok(())),
            TransportEvent::PaymentFailed { payment_hash, failure } if payment_hash == hash => {
                Some(Err(failure.reason))
            }
            _ => None,
        });
        match end {
            Ok(()) => succeeded += 1,
            Err(reason) => failed.push(reason),
        }
    }
    (succeeded, failed)
}

fn is_success(told: &Told, hash: PaymentHash) -> bool {
    matches!(told, Told::Event(TransportEvent::PaymentSuccessful { payment_hash, .. }) if *payment_hash == hash)
}

#[test]
fn a_channel_full_of_payments_is_told_from_one_with_too_little() {
    let world = World::begin();
    let relay = Relay::start(&world.bob.address);
    world.open_channel_over(&relay.address);
    let (alice, bob) = (&world.alice, &world.bob);
    let window = alice.node().road(bob.id()).slots;
    assert_eq!(window, 50);
    assert_eq!(bob.node().road(alice.id()).slots, window);

    // With nothing in flight the bound is exact, for who opened the channel and who didn't.
    for (from, to) in [(alice, bob), (bob, alice)] {
        let limit_msat = from.node().list_channels()[0].next_outbound_htlc_limit_msat;
        from.node().check(to.id(), limit_msat).unwrap();
        assert_eq!(cannot_send(from, to.id(), limit_msat + 1).reason, Reason::InsufficientOutbound);
    }

    relay.hold();
    let begin = Instant::now();
    let payments: Vec<Keysend> = (0..200).map(|number| numbered(&world, number)).collect();
    let outcomes = send_many(&world, &payments);
    let held = tally(&outcomes);
    println!("200 at once, none arrives: {held:?} in {:?}", begin.elapsed());
    assert_eq!(held.values().sum::<usize>(), 200);
    assert!(held.keys().all(|outcome| ["started", "busy"].contains(&outcome.as_str())), "{held:?}");
    assert_eq!(held["started"], window);
    assert_eq!(alice.node().list_payments(500, None).payments.iter().filter(|row| row.txid.is_none()).count(), window);
    assert_eq!(alice.node().check(bob.id(), 1_000), Err(SendError::Busy));
    assert_eq!(alice.node().check(bob.id(), 20_000_000), Err(SendError::Busy));
    assert_eq!(cannot_send(alice, bob.id(), 400_000_000).reason, Reason::InsufficientOutbound);
    relay.release();
    let (succeeded, failed) = ends(&world, &outcomes);
    println!("let go: {succeeded} arrived, {} failed: {failed:?}", failed.len());
    assert_eq!((succeeded, failed), (window, vec![]));
    wait_for("the channel stays busy", || alice.node().check(bob.id(), 1_000).ok());

    // Whoever is told busy and tries again gets all through.
    let begin = Instant::now();
    let mut left: Vec<Keysend> = (200..400).map(|number| numbered(&world, number)).collect();
    let mut started = Vec::new();
    wait_for("not all are started", || {
        let outcomes = send_many(&world, &left);
        assert!(tally(&outcomes).keys().all(|outcome| ["started", "busy"].contains(&outcome.as_str())));
        let (now, later): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|(_, outcome)| outcome.is_ok());
        started.extend(now);
        left.retain(|payment| later.iter().any(|(hash, _)| *hash == payment.preimage.payment_hash()));
        left.is_empty().then_some(())
    });
    assert_eq!(ends(&world, &started), (200, vec![]));
    println!("200 arrived in {:?}, tried again when busy", begin.elapsed());
}

#[test]
fn a_payment_is_sent_again_only_if_it_was_not_sent() {
    let mut world = World::begin();
    let relay = Relay::start(&world.bob.address);
    world.open_channel_over(&relay.address);

    // Never sent: it is now, once.
    let (fresh, flying) = (keysend(world.bob.id(), 1, b"fresh"), keysend(world.bob.id(), 2, b"flying"));
    world.alice.node().resend(&fresh).unwrap();
    let fresh_hash = fresh.preimage.payment_hash();
    world.bob.events.received(fresh_hash);
    world.alice.events.succeeded(fresh_hash);

    // In flight: nothing is sent, however often it is asked.
    relay.hold();
    world.alice.node().send(&flying).unwrap();
    for _ in 0..3 {
        assert_eq!(world.alice.node().resend(&flying), Err(SendError::AlreadySent));
    }
    relay.release();
    let flying_hash = flying.preimage.payment_hash();
    world.bob.events.received(flying_hash);
    world.alice.events.succeeded(flying_hash);

    // The recipient is away: that proves nothing, of a payment that arrived as of one that was never sent.
    let late = keysend(world.bob.id(), 3, b"late");
    let bob = world.bob.id();
    world.bob.end();
    wait_for("Bob is not missed", || (!world.alice.is_usable()).then_some(()));
    for payment in [&flying, &late] {
        assert!(matches!(world.alice.node().resend(payment), Err(SendError::Unclear(_))));
    }
    world.bob.begin();
    wait_for("the channel does not come back", || world.alice.node().check(bob, 1_000).ok());
    world.alice.node().resend(&late).unwrap();
    world.alice.events.succeeded(late.preimage.payment_hash());

    // LDK tells of a payment again at a start soon after it, with the same hash; from here on nothing more comes.
    let hashes = [fresh_hash, flying_hash, late.preimage.payment_hash()];
    let before = hashes.map(|hash| world.bob.events.receipts(hash));
    assert_eq!(before[2], 1);

    // Claimed long ago: LDK forgets a payment after some minutes, or after some starts. The recipient refuses it then.
    world.alice.node().forget(flying_hash);
    let mut starts = 0;
    while world.alice.node().resend(&flying) != Ok(()) {
        assert!(starts < 20, "LDK does not forget the payment");
        starts += 1;
        world.alice.end();
        world.alice.begin();
        wait_for("the channel does not come back", || world.alice.node().check(bob, 1_000).ok());
    }
    println!("LDK knew the payment over {starts} starts");
    assert_eq!(world.alice.events.failed(flying_hash).reason, Reason::Refused);
    assert_eq!(hashes.map(|hash| world.bob.events.receipts(hash)), before, "{:?}", world.bob.events.told());
}

#[test]
fn a_start_tells_when_all_from_before_it_was_told_and_who_can_be_paid() {
    let mut world = World::begin();
    let is_caught_up = |told: &Told| *told == Told::CaughtUp;
    for side in [&world.alice, &world.bob] {
        side.events.wait_for_count("a new node does not catch up", 1, is_caught_up);
    }
    world.open_channel();
    let (alice, bob) = (world.alice.id(), world.bob.id());
    let reaches = |peer| move |told: &Told| *told == Told::Reachable(vec![peer]);
    world.alice.events.wait_for_count("Bob is not reached", 1, reaches(bob));
    world.bob.events.wait_for_count("Alice is not reached", 1, reaches(alice));

    // An event that is not taken stays in the queue over the end of the node.
    world.bob.events.is_broken.store(true, std::sync::atomic::Ordering::SeqCst);
    let payment = keysend(bob, 1, b"keep me");
    let hash = payment.preimage.payment_hash();
    world.alice.node().send(&payment).unwrap();
    wait_for("Bob's node does not fail", || (world.bob.node().status().phase == Phase::Failed).then_some(()));
    world.bob.end();
    assert_eq!(world.bob.events.receipts(hash), 0);
    world.bob.events.is_broken.store(false, std::sync::atomic::Ordering::SeqCst);

    let begin = Instant::now();
    world.bob.begin();
    world.bob.events.wait_for_count("Bob does not catch up", 2, is_caught_up);
    println!("caught up {:?} after the start began", begin.elapsed());
    world.alice.events.wait_for_count("Bob is not reached again", 2, reaches(bob));
    world.bob.events.wait_for_count("Alice is not reached again", 2, reaches(alice));
    println!("reached again {:?} after the start began", begin.elapsed());
    let told = world.bob.events.told();
    let place = |is_it: &dyn Fn(&Told) -> bool| told.iter().rposition(is_it).unwrap();
    let received = place(
        &|told| matches!(told, Told::Event(TransportEvent::PaymentReceived { payment_hash, .. }) if *payment_hash == hash),
    );
    assert!(received < place(&is_caught_up), "{told:?}");
    assert_eq!(world.alice.events.count(is_caught_up), 1);
}

#[test]
fn a_payment_may_be_claimed_until_the_closing_of_its_channel_is_resolved() {
    let world = World::begin();
    let relay = Relay::start(&world.bob.address);
    world.open_channel_over(&relay.address);
    let (alice, never) = (&world.alice, PaymentHash([1; 32]));
    assert!(!alice.node().may_still_be_claimed(never));

    // Bob claims some 50 ms after the HTLC is in the channel, and Alice is not to hear of it: held in between.
    let payments =
        (2..100).map(|preimage| Keysend { amount_msat: 5_000_000, ..keysend(world.bob.id(), preimage, b"") });
    let is_held = |payment: Keysend| {
        let hash = payment.preimage.payment_hash();
        let has_ended = || alice.events.count(|told| is_success(told, hash)) > 0;
        alice.node().send(&payment).unwrap();
        wait_for("the HTLC is not in the channel", || {
            (alice.node().may_still_be_claimed(hash) || has_ended()).then_some(())
        });
        thread::sleep(Duration::from_millis(10));
        relay.hold();
        thread::sleep(Duration::from_millis(500));
        if world.bob.events.receipts(hash) == 1 && alice.node().may_still_be_claimed(hash) {
            return Some(hash);
        }
        relay.release();
        alice.events.succeeded(hash);
        None
    };
    let hash = payments.into_iter().find_map(is_held).expect("no payment was held");
    assert!(!alice.node().may_still_be_claimed(never));

    let channel_id = alice.node().list_channels()[0].channel_id.clone();
    alice.node().close_channel(&channel_id, true).unwrap();
    assert!(alice.node().may_still_be_claimed(hash));
    assert!(alice.node().may_still_be_claimed(never), "before the closing is in a block nothing is known");
    world.wait_for_mempool(1);
    world.mine(1);
    assert!(alice.node().may_still_be_claimed(hash));
    assert!(!alice.node().may_still_be_claimed(never));
    // Bob knows the preimage, and claims on chain.
    wait_for("the payment is not claimed on chain", || {
        world.mine(1);
        alice.events.count(|told| is_success(told, hash)).checked_sub(1)
    });
    wait_for("the claim is not taken for settled", || {
        world.mine(1);
        (!alice.node().may_still_be_claimed(hash)).then_some(())
    });
}
