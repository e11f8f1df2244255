//! A payment without an end carries less from now on: where it isn't known to be on its way, it may be sent again as a
//! smaller one under the same preimage.
//!
//! If it was on its way after all, the recipient has more by it than is written down here, and what was taken out goes to
//! it once more. So it is written down before the smaller one is sent.

use boltgram_core::transport::Keysend;
use rusqlite::{OptionalExtension as _, params};

use super::{AttemptPart, SettledPart, entry, settle};
use crate::{
    Store, StoreError,
    rows::{Count, Hash},
};

impl Store {
    /// Leaves of a payment without an end only these parts, each the beginning of one that it has; `payment` is what is sent
    /// then. Returns what was in it, each with its message as it is now; nothing once its end is known.
    pub fn shrink(
        &self,
        payment: Keysend,
        kept: Vec<AttemptPart>,
        now_ms: u64,
    ) -> Result<Vec<SettledPart>, StoreError> {
        self.write(move |connection| {
            let payment_hash = payment.preimage.payment_hash();
            let sql = "SELECT attempt_row FROM attempts WHERE payment_hash = ?1 AND state = 1";
            let found = connection.prepare_cached(sql)?.query_row([Hash(payment_hash)], |row| row.get(0)).optional()?;
            let Some(attempt_row) = found else { return Ok(Vec::new()) };
            let parts = settle::parts(connection, attempt_row)?;
            let sql = "UPDATE attempts SET record = ?2, amount_msat = ?3 WHERE attempt_row = ?1";
            let values = params![attempt_row, payment.record.0, Count(payment.amount_msat)];
            connection.prepare_cached(sql)?.execute(values)?;
            for (message_row, part) in &parts {
                let end = kept.iter().find(|kept| kept.id == part.id).map(|kept| kept.range.end);
                let sql = match end {
                    Some(_) => "UPDATE attempt_parts SET end = ?3 WHERE attempt_row = ?1 AND message_row = ?2",
                    None => "DELETE FROM attempt_parts WHERE attempt_row = ?1 AND message_row = ?2 AND ?3 IS NULL",
                };
                connection.prepare_cached(sql)?.execute(params![attempt_row, message_row, end])?;
                entry::load(connection, *message_row)?.save(connection, now_ms)?;
            }
            parts.into_iter().map(|(row, part)| settle::now(connection, row, part)).collect()
        })
    }
}
