//! What became of a payment, and so of its messages.

use boltgram_core::{message::PaymentHash, ranges::Ranges};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{AttemptPart, AttemptState, Outcome, Settled, SettledPart, entry};
use crate::{
    Store, StoreError,
    read::message_by_row,
    rows::{Coded as _, Count, Hash, Id, Node},
};

impl Store {
    /// Stores what became of a payment and of the messages in it; `None` when no attempt has this hash.
    ///
    /// A success outranks a failure, whichever comes first: a failure after a success changes nothing, a success after a
    /// failure is delivery.
    pub fn settle(
        &self,
        payment_hash: PaymentHash,
        outcome: Outcome,
        now_ms: u64,
    ) -> Result<Option<Settled>, StoreError> {
        self.write(move |connection| {
            let sql = "SELECT attempt_row, state, recipient, fee_limit_msat FROM attempts WHERE payment_hash = ?1";
            let found = connection
                .prepare_cached(sql)?
                .query_row([Hash(payment_hash)], |row| {
                    let recipient: Node = row.get("recipient")?;
                    let fee_limit: Count = row.get("fee_limit_msat")?;
                    Ok((row.get::<_, i64>(0)?, AttemptState::column(row, "state")?, recipient.0, fee_limit.0))
                })
                .optional()?;
            let Some((attempt_row, before, recipient, fee_limit_msat)) = found else { return Ok(None) };
            let is_news = match outcome {
                Outcome::Successful { .. } => before != AttemptState::Successful,
                Outcome::Failed(_) | Outcome::NotSent => before == AttemptState::Open,
            };
            let found = parts(connection, attempt_row)?;
            if is_news {
                apply(connection, attempt_row, &outcome, &found, now_ms)?;
            }
            let parts = found
                .into_iter()
                .map(|(message_row, part)| now(connection, message_row, part))
                .collect::<Result<_, StoreError>>()?;
            let was_ended = before != AttemptState::Open;
            Ok(Some(Settled { recipient, fee_limit_msat, is_news, was_ended, parts }))
        })
    }
}

/// How a part of a payment stands now.
pub(super) fn now(connection: &Connection, message_row: i64, part: AttemptPart) -> Result<SettledPart, StoreError> {
    let missing = entry::load(connection, message_row)?.entry.missing();
    let missing = missing.intersection(&Ranges::from_iter([part.range.clone()]));
    Ok(SettledPart { part, missing, message: message_by_row(connection, message_row)? })
}

/// What a payment carries, each part with the row of its message.
pub(super) fn parts(connection: &Connection, attempt_row: i64) -> Result<Vec<(i64, AttemptPart)>, StoreError> {
    let sql = "SELECT p.message_row, m.id, p.start, p.end, p.amount_msat FROM attempt_parts p \
               JOIN messages m ON m.row_id = p.message_row WHERE p.attempt_row = ?1 ORDER BY m.id";
    let mut statement = connection.prepare_cached(sql)?;
    let parts = statement.query_map([attempt_row], |row| {
        let (id, amount): (Id, Count) = (row.get(1)?, row.get(4)?);
        Ok((row.get(0)?, AttemptPart { id: id.0, range: row.get(2)?..row.get(3)?, amount_msat: amount.0 }))
    })?;
    Ok(parts.collect::<Result<_, _>>()?)
}

fn apply(
    connection: &Connection,
    attempt_row: i64,
    outcome: &Outcome,
    parts: &[(i64, AttemptPart)],
    now_ms: u64,
) -> Result<(), StoreError> {
    let (state, fee_msat) = match outcome {
        Outcome::Successful { fee_msat } => (AttemptState::Successful, *fee_msat),
        Outcome::Failed(_) | Outcome::NotSent => (AttemptState::Failed, 0),
    };
    if *outcome == Outcome::NotSent {
        // Nothing will ever be told of it.
        connection.prepare_cached("DELETE FROM attempt_parts WHERE attempt_row = ?1")?.execute([attempt_row])?;
        connection.prepare_cached("DELETE FROM attempts WHERE attempt_row = ?1")?.execute([attempt_row])?;
    } else {
        // The record is not needed any more: a late success is known by the hash.
        let sql = "UPDATE attempts SET state = ?2, fee_msat = ?3, record = x'' WHERE attempt_row = ?1";
        connection.prepare_cached(sql)?.execute(params![attempt_row, state.code(), Count(fee_msat)])?;
    }
    let fees = shares(fee_msat, parts);
    for ((message_row, _), fee_msat) in parts.iter().zip(fees) {
        let mut stored = entry::load(connection, *message_row)?;
        match outcome {
            Outcome::Successful { .. } => {
                stored.entry.after_success();
                stored.save_amounts(connection, fee_msat)?;
            }
            Outcome::Failed(_) => stored.entry.after_failure(),
            Outcome::NotSent => {}
        }
        let reason = match outcome {
            Outcome::Failed(failure) => Some(failure.reason.code()),
            Outcome::Successful { .. } | Outcome::NotSent => None,
        };
        save_reason(connection, *message_row, outcome, reason)?;
        stored.save(connection, now_ms)?;
    }
    Ok(())
}

/// Keeps why the last try failed; a success or a try that never began says nothing about that, but a claim clears it.
fn save_reason(
    connection: &Connection,
    message_row: i64,
    outcome: &Outcome,
    reason: Option<&str>,
) -> Result<(), StoreError> {
    if !matches!(outcome, Outcome::NotSent) {
        let sql = "UPDATE messages SET failure_reason = ?2 WHERE row_id = ?1 AND receipt_at_ms IS NULL";
        connection.prepare_cached(sql)?.execute(params![message_row, reason])?;
    }
    Ok(())
}

/// Splits a payment's fee over its parts by their amounts; the last one takes what is left by rounding.
fn shares(fee_msat: u64, parts: &[(i64, AttemptPart)]) -> Vec<u64> {
    let total = parts.iter().fold(0u128, |sum, (_, part)| sum + u128::from(part.amount_msat)).max(1);
    let mut left = fee_msat;
    let mut shares: Vec<u64> = parts
        .iter()
        .map(|(_, part)| {
            let share = (u128::from(fee_msat) * u128::from(part.amount_msat) / total) as u64;
            left = left.saturating_sub(share);
            share
        })
        .collect();
    if let Some(last) = shares.last_mut() {
        *last += left;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use boltgram_core::MessageId;

    #[test]
    fn a_fee_is_split_without_a_rest() {
        let part = |amount_msat| (0, AttemptPart { id: MessageId::LOWEST, range: 0..1, amount_msat });
        assert_eq!(shares(10, &[part(1_000), part(1_000), part(1_000)]), [3, 3, 4]);
        assert_eq!(shares(7, &[part(5)]), [7]);
        assert_eq!(shares(u64::MAX, &[part(u64::MAX), part(u64::MAX)]).iter().sum::<u64>(), u64::MAX);
    }
}
