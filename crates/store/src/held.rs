//! Payments whose content was put aside: booked, counted, and never shown as messages.

use boltgram_core::{NodeId, message::PaymentHash};

use crate::{
    Store, StoreError,
    read::PageKey,
    rows::{Count, Hash},
};

/// A payment that brought something which is no message for the inbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// Its hash.
    pub payment_hash: PaymentHash,
    /// Who signed what it brought, if that is known.
    pub sender: Option<NodeId>,
    /// What arrived, in millisatoshi.
    pub amount_msat: u64,
    /// When it was stored, Unix time in milliseconds.
    pub received_at_ms: u64,
    /// Why it was put aside.
    pub reason: String,
    /// The size of the record that is kept, in bytes.
    pub record_bytes: u64,
}

/// A page of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldPage {
    /// The payments, the newest first.
    pub payments: Vec<Held>,
    /// How many there are in all, by reason.
    pub counts: Vec<(String, u64)>,
    /// Where the next, older page begins; `None` when there is none.
    pub next: Option<PageKey>,
}

impl Store {
    /// The newest payments whose content was put aside, at most `limit`.
    pub fn held(&self, _before: Option<PageKey>, limit: usize) -> Result<HeldPage, StoreError> {
        self.readers.with(|connection| {
            let sql = "SELECT payment_hash, amount_msat, received_at_ms, ifnull(reason, 'conflict') AS why, \
                       ifnull(length(record), 0) AS bytes FROM payments WHERE outcome IN (3, 5) \
                       ORDER BY received_at_ms DESC LIMIT ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let payments = statement.query_map([Count(limit as u64)], |row| {
                Ok(Held {
                    payment_hash: row.get::<_, Hash>("payment_hash")?.0,
                    sender: None,
                    amount_msat: row.get::<_, Count>("amount_msat")?.0,
                    received_at_ms: row.get::<_, Count>("received_at_ms")?.0,
                    reason: row.get("why")?,
                    record_bytes: row.get::<_, Count>("bytes")?.0,
                })
            })?;
            let payments = payments.collect::<Result<_, _>>()?;
            let sql = "SELECT ifnull(reason, 'conflict'), COUNT(*) FROM payments WHERE outcome IN (3, 5) GROUP BY 1";
            let mut statement = connection.prepare_cached(sql)?;
            let counts = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, Count>(1)?.0)))?;
            let counts = counts.collect::<Result<_, _>>()?;
            Ok(HeldPage { payments, counts, next: None })
        })
    }
}
