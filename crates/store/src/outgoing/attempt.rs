//! A payment is stored before it starts.

use boltgram_core::{limits::FEE_BUDGET_WINDOW_MS, message::PaymentHash};
use rusqlite::{Connection, named_params, params};

use super::{Attempt, AttemptState, Started, entry};
use crate::{
    Store, StoreError,
    rows::{Coded as _, Count, Hash, Node},
};

impl Store {
    /// Stores a payment with its preimage and its record's exact bytes. It may start only after `Started::Yes`.
    pub fn start(&self, attempt: Attempt) -> Result<Started, StoreError> {
        self.write(move |connection| {
            if let Some(budget_msat) = attempt.fee_budget_msat {
                let spent_msat = fees_msat(connection, attempt.now_ms.saturating_sub(FEE_BUDGET_WINDOW_MS))?;
                if spent_msat.saturating_add(attempt.payment.fee_limit_msat) > budget_msat {
                    return Ok(Started::OverBudget { spent_msat });
                }
            }
            let (mut messages, mut stopped) = (Vec::new(), Vec::new());
            for part in &attempt.parts {
                let found = entry::row_of(connection, part.id)?.map(|row| entry::load(connection, row)).transpose()?;
                match found {
                    Some(stored) if stored.entry.may_start(&part.range) => messages.push(stored),
                    _ => stopped.push(part.id),
                }
            }
            if !stopped.is_empty() {
                return Ok(Started::Stopped(stopped));
            }
            let payment_hash = attempt.payment.preimage.payment_hash();
            let attempt_row = insert(connection, &attempt, payment_hash)?;
            for (part, mut stored) in attempt.parts.iter().zip(messages) {
                let sql = "INSERT INTO attempt_parts (message_row, attempt_row, start, end, amount_msat) \
                           VALUES (?1, ?2, ?3, ?4, ?5)";
                let amount = Count(part.amount_msat);
                let values = params![stored.message_row, attempt_row, part.range.start, part.range.end, amount];
                connection.prepare_cached(sql)?.execute(values)?;
                let sql = "UPDATE messages SET payment_hash = ?2 WHERE row_id = ?1";
                connection.prepare_cached(sql)?.execute(params![stored.message_row, Hash(payment_hash)])?;
                stored.entry.open.insert(part.range.clone());
                stored.save(connection, attempt.now_ms)?;
            }
            Ok(Started::Yes)
        })
    }
}

fn insert(connection: &Connection, attempt: &Attempt, payment_hash: PaymentHash) -> Result<i64, StoreError> {
    let sql = "INSERT INTO attempts (payment_hash, preimage, recipient, amount_msat, fee_limit_msat, fee_msat, \
               record_type, record, state, started_at_ms) VALUES (:payment_hash, :preimage, :recipient, \
               :amount_msat, :fee_limit_msat, 0, :record_type, :record, :state, :started_at_ms)";
    let payment = &attempt.payment;
    connection.prepare_cached(sql)?.execute(named_params! {
        ":payment_hash": Hash(payment_hash),
        ":preimage": payment.preimage.0,
        ":recipient": Node(payment.recipient),
        ":amount_msat": Count(payment.amount_msat),
        ":fee_limit_msat": Count(payment.fee_limit_msat),
        ":record_type": Count(payment.record_type),
        ":record": payment.record.0,
        ":state": AttemptState::Open.code(),
        ":started_at_ms": Count(attempt.now_ms),
    })?;
    Ok(connection.last_insert_rowid())
}

/// What payments since then have cost in routing fees, or may still cost, in millisatoshi.
fn fees_msat(connection: &Connection, since_ms: u64) -> Result<u64, StoreError> {
    let sql = "SELECT COALESCE(SUM(CASE state WHEN 1 THEN fee_limit_msat ELSE fee_msat END), 0) FROM attempts \
               WHERE started_at_ms > ?1";
    let spent: Count = connection.prepare_cached(sql)?.query_row([Count(since_ms)], |row| row.get(0))?;
    Ok(spent.0)
}
