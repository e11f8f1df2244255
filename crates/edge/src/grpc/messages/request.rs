//! Requests of `boltgram.v1.Messages` in the domain's words.

use boltgram_api::v1::{self, send_request::Content};
use boltgram_core::{
    MessageId,
    limits::{AMOUNT_SAT_MAX, EXPIRY_MS_MAX, PAGE_MESSAGES_DEFAULT, PAGE_MESSAGES_MAX},
    message::{Body, Direction, Peer, State},
};
use boltgram_messaging::{PageKey, Query, Search, send::NewMessage};
use tonic::{Status, metadata::MetadataMap};

use crate::grpc::{
    convert::{self, invalid_field},
    idempotency,
    status::from_failure,
};

/// What bytes are when their sender doesn't say.
const BYTES: &str = "application/octet-stream";

/// A message to send.
pub(super) fn new_message(metadata: &MetadataMap, request: v1::SendRequest) -> Result<NewMessage, Status> {
    let (body, default_type) = match request.content {
        Some(Content::Text(text)) => (text.into_bytes(), boltgram_core::frame::TEXT),
        Some(Content::Body(body)) => (body, BYTES),
        None => (Vec::new(), BYTES),
    };
    Ok(NewMessage {
        recipient: request.pubkey.parse().map_err(from_failure)?,
        content_type: if request.content_type.is_empty() { default_type.to_owned() } else { request.content_type },
        body: Body(body),
        amount_sat: convert::amount_sat(request.amount_sat)?,
        reply_to: convert::reply_to(&request.reply_to_id)?,
        fee_limit_msat: request.fee_limit_sat.map(fee_limit_msat).transpose()?,
        queue: request.queue,
        expires_in_ms: request.expires_in_seconds.map(expires_in_ms).transpose()?,
        idempotency_key: idempotency::key(metadata, &request.idempotency_key)?,
        receipt: request.receipt,
    })
}

/// As with the amount, a bound keeps sums far from overflow.
fn fee_limit_msat(sat: i64) -> Result<u64, Status> {
    let sat = convert::count("fee_limit_sat", sat)?;
    if sat > AMOUNT_SAT_MAX {
        return Err(invalid_field("fee_limit_sat", &format!("is too large: give at most {AMOUNT_SAT_MAX}")));
    }
    Ok(sat * 1_000)
}

fn expires_in_ms(seconds: i64) -> Result<u64, Status> {
    let ms = u64::try_from(seconds).ok().and_then(|seconds| seconds.checked_mul(1_000));
    ms.filter(|ms| (1..=EXPIRY_MS_MAX).contains(ms)).ok_or_else(|| {
        invalid_field("expires_in_seconds", &format!("is not possible: give 1 to {} seconds", EXPIRY_MS_MAX / 1_000))
    })
}

/// Which messages to list.
pub(super) fn query(request: &v1::ListRequest) -> Result<Query, Status> {
    let peer = peer(&request.peer_pubkey)?;
    let direction = match v1::Direction::try_from(request.direction) {
        Ok(v1::Direction::Unspecified) => None,
        Ok(v1::Direction::In) => Some(Direction::In),
        Ok(v1::Direction::Out) => Some(Direction::Out),
        Err(_) => return Err(invalid_field("direction", "is unknown: give DIRECTION_IN or DIRECTION_OUT")),
    };
    Ok(Query {
        direction,
        peer,
        state: state(request.state)?,
        pending_only: request.pending_only,
        before: page_token(&request.page_token, peer.is_some())?,
        limit: page_size(request.page_size)?,
    })
}

/// What to look for.
pub(super) fn search(request: &v1::SearchRequest) -> Result<Search, Status> {
    Ok(Search {
        words: request.query.parse().map_err(from_failure)?,
        peer: peer(&request.peer_pubkey)?,
        before: page_token(&request.page_token, false)?,
        limit: page_size(request.page_size)?,
    })
}

/// Whose conversation is marked as read, and up to which id.
pub(super) fn read(request: &v1::MarkReadRequest) -> Result<(Peer, Option<MessageId>), Status> {
    Ok((request.peer_pubkey.parse().map_err(from_failure)?, id("up_to_id", &request.up_to_id)?))
}

/// The bounded size of a page.
pub(super) fn page_size(asked: i32) -> Result<usize, Status> {
    match usize::try_from(asked) {
        Ok(0) => Ok(PAGE_MESSAGES_DEFAULT),
        Ok(size) => Ok(size.min(PAGE_MESSAGES_MAX)),
        Err(_) => Err(invalid_field("page_size", "is negative: give 0 or more")),
    }
}

/// Where a page begins. A token of a conversation's list means nothing to another one.
pub(super) fn page_token(token: &str, is_by_id: bool) -> Result<Option<PageKey>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let key = token.parse().ok().filter(|key: &PageKey| key.is_by_id() == is_by_id);
    key.map(Some)
        .ok_or_else(|| invalid_field("page_token", "is none that was given: take next_page_token of the page before"))
}

fn id(field: &'static str, text: &str) -> Result<Option<MessageId>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|failure: boltgram_core::Failure| from_failure(failure.with("field", field)))
}

fn peer(pubkey: &str) -> Result<Option<Peer>, Status> {
    if pubkey.is_empty() { Ok(None) } else { pubkey.parse().map(Some).map_err(from_failure) }
}

fn state(state: i32) -> Result<Option<State>, Status> {
    match v1::State::try_from(state) {
        Ok(v1::State::Unspecified) => Ok(None),
        Ok(v1::State::Sending) => Ok(Some(State::Sending)),
        Ok(v1::State::Delivered) => Ok(Some(State::Delivered)),
        Ok(v1::State::Failed) => Ok(Some(State::Failed)),
        Ok(v1::State::Received) => Ok(Some(State::Received)),
        Ok(v1::State::Queued) => Ok(Some(State::Queued)),
        Ok(v1::State::Expired) => Ok(Some(State::Expired)),
        Ok(v1::State::Cancelled) => Ok(Some(State::Cancelled)),
        Err(_) => Err(invalid_field("state", "is unknown: give one of STATE_QUEUED to STATE_CANCELLED")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_no_message_can_have_are_refused_with_their_field() {
        let pubkey = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".to_owned();
        let most = i64::try_from(AMOUNT_SAT_MAX).unwrap();
        let of = |fee_limit_sat, expires_in_seconds| {
            let request =
                v1::SendRequest { pubkey: pubkey.clone(), fee_limit_sat, expires_in_seconds, ..Default::default() };
            new_message(&MetadataMap::new(), request)
        };
        let new = of(Some(most), Some(604_800)).unwrap();
        assert_eq!((new.fee_limit_msat, new.expires_in_ms), (Some(AMOUNT_SAT_MAX * 1_000), Some(EXPIRY_MS_MAX)));
        assert_eq!(of(None, None).unwrap().fee_limit_msat, None);
        for (fee_limit_sat, expires, field) in [
            (Some(-1), None, "fee_limit_sat"),
            (Some(most + 1), None, "fee_limit_sat"),
            (Some(i64::MAX), None, "fee_limit_sat"),
            (None, Some(0), "expires_in_seconds"),
            (None, Some(i64::MAX), "expires_in_seconds"),
        ] {
            let refused = of(fee_limit_sat, expires).unwrap_err();
            assert!(
                refused.code() == tonic::Code::InvalidArgument && refused.message().starts_with(field),
                "{refused}"
            );
        }
    }
}
