//! Version 2: the outbox.
//!
//! `outbox` holds what sending needs of each outgoing message, `attempts` each payment that was tried, and
//! `attempt_parts` which bytes of which messages it carries. An attempt's record is kept until its end is known, a
//! message's encoded bytes until all of them are delivered.

use boltgram_core::{frame::Frame, message::State, record::HEADER_BYTES};
use rusqlite::{Transaction, params};
use rusqlite_migration::HookResult;

use crate::rows::Coded as _;

pub(super) const V2: &str = "
CREATE TABLE outbox (
    message_row INTEGER PRIMARY KEY REFERENCES messages (row_id),
    encoding INTEGER NOT NULL,
    encoded BLOB NOT NULL,
    total_bytes INTEGER NOT NULL,
    wanted_msat INTEGER,
    fee_limit_msat INTEGER,
    queues INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    stop INTEGER NOT NULL,
    is_open INTEGER NOT NULL,
    idempotency_key TEXT,
    request_digest BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX outbox_by_idempotency_key ON outbox (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX outbox_open_by_expiry ON outbox (expires_at_ms) WHERE is_open = 1;

ALTER TABLE attempts RENAME TO attempts_1;
DROP INDEX attempts_by_message;
DROP INDEX attempts_open;
CREATE TABLE attempts (
    attempt_row INTEGER PRIMARY KEY,
    payment_hash BLOB NOT NULL UNIQUE,
    preimage BLOB NOT NULL,
    recipient BLOB NOT NULL,
    amount_msat INTEGER NOT NULL,
    fee_limit_msat INTEGER NOT NULL,
    fee_msat INTEGER NOT NULL,
    record_type INTEGER NOT NULL,
    record BLOB NOT NULL,
    state INTEGER NOT NULL,
    started_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX attempts_open ON attempts (state) WHERE state = 1;
CREATE INDEX attempts_by_start ON attempts (started_at_ms);

CREATE TABLE attempt_parts (
    message_row INTEGER NOT NULL REFERENCES outbox (message_row),
    attempt_row INTEGER NOT NULL REFERENCES attempts (attempt_row),
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    amount_msat INTEGER NOT NULL,
    PRIMARY KEY (message_row, attempt_row)
) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_parts_by_attempt ON attempt_parts (attempt_row);
";

/// Brings what version 1 has sent into the outbox: each message had one attempt, which carried all of it.
pub(super) fn take_over(transaction: &Transaction<'_>) -> HookResult {
    let mut attempts = transaction.prepare(
        "SELECT a.payment_hash, a.message_row, a.record, m.state FROM attempts_1 a \
         JOIN messages m ON m.row_id = a.message_row ORDER BY a.message_row",
    )?;
    let mut rows = attempts.query([])?;
    while let Some(row) = rows.next()? {
        let (hash, message_row): (Vec<u8>, i64) = (row.get(0)?, row.get(1)?);
        let (record, state): (Vec<u8>, i64) = (row.get(2)?, row.get(3)?);
        let frame = record.get(HEADER_BYTES..).and_then(|frame| Frame::read(frame).ok());
        let body = frame.and_then(|mut frame| frame.parts.pop()).map(|part| part.body).unwrap_or_default();
        let (is_delivered, is_open) = (state == State::Delivered.code(), state == State::Sending.code());
        let is_failed = state == State::Failed.code();
        transaction.execute(
            "INSERT INTO outbox SELECT m.row_id, 0, ?2, ?3, a.amount_msat, a.fee_limit_msat, 0, a.started_at_ms, ?4, ?5, \
             NULL, x'' FROM messages m JOIN attempts_1 a ON a.message_row = m.row_id WHERE m.row_id = ?1",
            params![
                message_row,
                if is_delivered { &[] } else { body.as_slice() },
                body.len() as i64,
                if is_failed { 3 } else { 0 },
                is_open
            ],
        )?;
        transaction.execute(
            "INSERT INTO attempts (payment_hash, preimage, recipient, amount_msat, fee_limit_msat, fee_msat, \
             record_type, record, state, started_at_ms) SELECT payment_hash, preimage, recipient, a.amount_msat, \
             fee_limit_msat, m.fee_msat, record_type, CASE a.state WHEN 1 THEN record ELSE x'' END, a.state, \
             started_at_ms FROM attempts_1 a JOIN messages m ON m.row_id = a.message_row WHERE a.payment_hash = ?1",
            [&hash],
        )?;
        transaction.execute(
            "INSERT INTO attempt_parts SELECT ?1, attempt_row, 0, ?2, amount_msat FROM attempts WHERE payment_hash = ?3",
            params![message_row, body.len() as i64, hash],
        )?;
    }
    drop(rows);
    drop(attempts);
    transaction.execute_batch("DROP TABLE attempts_1")?;
    Ok(())
}
