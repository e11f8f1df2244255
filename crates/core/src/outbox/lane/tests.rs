//! What a lane picks, and when.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::IdSource;

const ROAD: Road = Road { room_bytes: 1_204, slots: 50, is_direct: true };

fn ids(count: usize) -> Vec<MessageId> {
    let mut source = IdSource::above(None);
    (0..count).map(|_| source.next(1_700_000_000_000)).collect()
}

fn text(total_bytes: u32) -> Waiting {
    Waiting {
        total_bytes,
        encoding: Encoding::Plain,
        missing: Ranges::whole(total_bytes),
        queues: true,
        unassigned_msat: None,
        fee_left_msat: None,
        rides: false,
    }
}

fn picked(lane: &mut Lane) -> Vec<Pick> {
    std::iter::from_fn(|| lane.pick(ROAD, 0)).collect()
}

#[test]
fn two_hundred_small_texts_go_in_order_in_at_most_forty_payments() {
    let (mut lane, ids) = (Lane::default(), ids(200));
    ids.iter().for_each(|id| lane.add(*id, text(60)));
    let picks = picked(&mut lane);
    assert!(picks.len() <= 40, "{}", picks.len());
    assert_eq!(picks.iter().flat_map(|pick| &pick.pieces).map(|piece| piece.id).collect::<Vec<_>>(), ids);
    for pick in &picks {
        assert!(record_bytes(&pick.pieces) <= ROAD.room_bytes);
        assert_eq!(pick.amount_msat(), 1_000 * pick.pieces.len() as u64);
    }
}

#[test]
fn a_long_message_is_cut_and_its_amount_split_without_a_rest() {
    let (mut lane, id) = (Lane::default(), ids(1)[0]);
    lane.add(id, Waiting { unassigned_msat: Some(100_007_000), ..text(20_000) });
    let picks = picked(&mut lane);
    assert_eq!(picks.len(), 19);
    assert_eq!(picks.iter().map(Pick::amount_msat).sum::<u64>(), 100_007_000);
    let joined: Ranges = picks.iter().map(|pick| pick.pieces[0].range.clone()).collect();
    assert!(joined.cover(20_000));
}

#[test]
fn a_message_with_a_fee_limit_of_its_own_shares_no_payment_and_its_payments_share_the_limit() {
    let (mut lane, ids) = (Lane::default(), ids(3));
    lane.add(ids[0], text(50));
    lane.add(ids[1], Waiting { fee_left_msat: Some(9_000), ..text(3_000) });
    lane.add(ids[2], text(50));
    let picks = picked(&mut lane);
    assert_eq!(picks[0].pieces.iter().map(|piece| piece.id).collect::<Vec<_>>(), [ids[0], ids[2]]);
    assert!(picks[1..].iter().all(|pick| pick.has_own_limit && pick.pieces.len() == 1));
    assert_eq!(picks[1..].iter().map(|pick| pick.fee_limit_msat).sum::<u64>(), 9_000);
}

#[test]
fn what_rides_goes_with_the_others_at_their_fee_limit_or_else_alone_at_its_own() {
    let receipt = |fee_left_msat| Waiting { fee_left_msat: Some(fee_left_msat), rides: true, ..text(160) };
    let (mut lane, ids) = (Lane::default(), ids(3));
    lane.add(ids[0], receipt(0));
    lane.add(ids[1], text(50));
    lane.add(ids[2], receipt(7_000));
    let pick = lane.pick(ROAD, 0).unwrap();
    assert_eq!(pick.pieces.iter().map(|piece| piece.id).collect::<Vec<_>>(), [ids[1], ids[0], ids[2]]);
    assert_eq!((pick.fee_limit_msat, pick.has_own_limit), (fee_limit_msat_default(1_000), false));
    assert!(lane.pick(ROAD, 0).is_none());

    let mut lane = Lane::default();
    ids.iter().for_each(|id| lane.add(*id, receipt(if *id == ids[1] { 7_000 } else { 0 })));
    let far = Road { is_direct: false, ..ROAD };
    let pick = lane.pick(far, 0).unwrap();
    assert_eq!((pick.pieces[0].id, pick.pieces.len(), pick.fee_limit_msat), (ids[1], 1, 7_000));
    assert!(lane.is_due(0) && lane.pick(far, 0).is_none(), "a way over others costs a fee");
    assert!(!lane.is_due(0) && lane.is_due(RETRY_MS_MAX), "it isn't looked for all the time");
    assert_eq!(lane.riders(), 3);
    lane.channels_changed();
    assert!(lane.is_due(0));
    assert_eq!(picked(&mut lane).iter().map(|pick| pick.fee_limit_msat).collect::<Vec<_>>(), [0, 0]);
}

#[test]
fn what_failed_is_picked_again_and_nothing_else() {
    let (mut lane, id) = (Lane::default(), ids(1)[0]);
    lane.add(id, Waiting { unassigned_msat: Some(5_000), fee_left_msat: Some(500), ..text(5_000) });
    let picks = picked(&mut lane);
    let failed = picks[2].pieces[0].clone();
    lane.failed();
    lane.put_back(id, &Ranges::from_iter([failed.range.clone()]), failed.amount_msat, picks[2].fee_limit_msat);
    lane.delay(id, 0, 0);
    assert!(lane.pick(ROAD, 0).is_none(), "it waits");
    assert!(!lane.is_due(0) && lane.is_due(60_000));
    let again = lane.pick(ROAD, 60_000).unwrap();
    assert_eq!((again.pieces, again.fee_limit_msat), (vec![failed], picks[2].fee_limit_msat));
    assert!(lane.pick(ROAD, 60_000).is_none());
}

#[test]
fn a_route_that_is_not_found_makes_the_next_records_smaller() {
    let (mut lane, ids) = (Lane::default(), ids(1));
    lane.add(ids[0], text(5_000));
    let before = lane.pick(ROAD, 0).unwrap();
    lane.failed();
    lane.put_back(ids[0], &Ranges::from_iter([before.pieces[0].range.clone()]), 0, 0);
    lane.no_route();
    let after = lane.pick(ROAD, 0).unwrap();
    assert_eq!(record_bytes(&before.pieces) - record_bytes(&after.pieces), RECORD_BYTES_PER_HOP);
    lane.failed();
    lane.put_back(ids[0], &Ranges::from_iter([after.pieces[0].range.clone()]), 0, 0);
    lane.channels_changed();
    assert_eq!(lane.pick(ROAD, 0).unwrap().pieces[0].range, before.pieces[0].range);
}

#[test]
fn no_more_payments_are_in_flight_than_the_window_takes() {
    let (mut lane, ids) = (Lane::default(), ids(100));
    ids.iter().for_each(|id| lane.add(*id, text(1_000)));
    assert_eq!(picked(&mut lane).len(), 25);
    lane.claimed();
    assert_eq!(picked(&mut lane).len(), 1);
    lane.failed();
    lane.channels_full(0);
    assert_eq!(picked(&mut lane).len(), 0, "24 are in flight, and no more fit");
}

#[test]
fn full_channels_with_nothing_in_flight_are_tried_again_soon() {
    let (mut lane, id) = (Lane::default(), ids(1)[0]);
    lane.add(id, text(10));
    lane.channels_full(10_000);
    assert!(lane.pick(ROAD, 10_000).is_none());
    assert!(lane.pick(ROAD, 10_000 + BUSY_RETRY_MS).is_some());
}

#[test]
fn a_message_that_is_taken_out_is_not_picked() {
    let (mut lane, ids) = (Lane::default(), ids(2));
    ids.iter().for_each(|id| lane.add(*id, text(10)));
    lane.remove(ids[0]);
    let picks = picked(&mut lane);
    assert_eq!(picks.len(), 1);
    assert_eq!(picks[0].pieces.len(), 1);
    lane.remove(ids[1]);
    assert!(!lane.is_idle(), "its payment is in flight");
    lane.claimed();
    assert!(lane.is_idle());
}

#[test]
fn a_record_that_found_no_route_is_cut_smaller_once_however_many_of_its_size_failed() {
    let (mut lane, id) = (Lane::default(), ids(1)[0]);
    lane.add(id, text(20_000));
    let first = record_bytes(&lane.pick(ROAD, 0).unwrap().pieces);
    assert!(lane.cuts_smaller(first, ROAD) && lane.cuts_smaller(first, ROAD));
    let second = record_bytes(&lane.pick(ROAD, 0).unwrap().pieces);
    assert_eq!(first - second, RECORD_BYTES_PER_HOP);
    // It ends: neither a short record nor one for the longest way is cut for want of a route.
    assert!(!lane.cuts_smaller(150, ROAD));
    let smaller = (0..).take_while(|_| {
        let record = record_bytes(&lane.pick(ROAD, 0).unwrap().pieces);
        lane.cuts_smaller(record, ROAD)
    });
    assert_eq!(smaller.count(), HOPS_EXTRA_MAX - 1);
}
