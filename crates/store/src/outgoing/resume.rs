//! What a start finds: messages that are not finished, and payments without an end.

use boltgram_core::{
    MessageId,
    frame::Encoding,
    message::{Body, PaymentHash},
    outbox::{
        entry::Entry,
        lane::{Waiting, signed},
    },
    transport::{Keysend, Preimage},
};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{Unfinished, Unresolved, entry};
use crate::{
    Store, StoreError,
    rows::{Coded as _, Count, Hash, Id, Node},
};

impl Store {
    /// The messages of which more may be tried, in their order.
    pub fn unfinished(&self) -> Result<Vec<Unfinished>, StoreError> {
        self.readers.with(|connection| {
            let sql = "SELECT o.message_row FROM outbox o JOIN messages m ON m.row_id = o.message_row \
                       WHERE o.is_open = 1 AND o.stop = 0 ORDER BY m.id";
            let mut statement = connection.prepare_cached(sql)?;
            let rows: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            rows.into_iter().map(|row| unfinished(connection, row, &entry::load(connection, row)?.entry)).collect()
        })
    }

    /// One of them, as it stands now; `None` when no more of it may be tried.
    pub fn unfinished_message(&self, id: MessageId) -> Result<Option<Unfinished>, StoreError> {
        self.readers.with(|connection| {
            let Some(row) = entry::row_of(connection, id)? else { return Ok(None) };
            let entry = entry::load(connection, row)?.entry;
            entry.is_live().then(|| unfinished(connection, row, &entry)).transpose()
        })
    }

    /// The payments whose end isn't known, the oldest first.
    pub fn unresolved(&self) -> Result<Vec<Unresolved>, StoreError> {
        self.readers.with(|connection| {
            let sql = "SELECT payment_hash, recipient FROM attempts WHERE state = 1 ORDER BY attempt_row";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| {
                let (hash, recipient): (Hash, Node) = (row.get(0)?, row.get(1)?);
                Ok(Unresolved { payment_hash: hash.0, recipient: recipient.0 })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// A payment without an end, as it was or was about to be sent; `None` once its end is known.
    pub fn open_payment(&self, payment_hash: PaymentHash) -> Result<Option<Keysend>, StoreError> {
        self.readers.with(|connection| {
            let sql = "SELECT * FROM attempts WHERE payment_hash = ?1 AND state = 1";
            Ok(connection.prepare_cached(sql)?.query_row([Hash(payment_hash)], keysend).optional()?)
        })
    }

    /// The payments of this message that failed, if they were worth at least so much: the hash of each.
    pub fn failed_payments(&self, id: MessageId, amount_msat_min: u64) -> Result<Vec<PaymentHash>, StoreError> {
        self.readers.with(|connection| {
            let sql = "SELECT a.payment_hash FROM messages m JOIN attempt_parts p ON p.message_row = m.row_id \
                       JOIN attempts a USING (attempt_row) WHERE m.id = ?1 AND m.is_own_id = 1 AND a.state = 3 \
                       AND a.amount_msat >= ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map((Id(id), Count(amount_msat_min)), |row| row.get::<_, Hash>(0))?;
            Ok(rows.map(|row| row.map(|hash| hash.0)).collect::<Result<_, _>>()?)
        })
    }
}

/// What of a message is to be sent still. A receipt, and nothing else, may ride.
pub(super) fn unfinished(connection: &Connection, message_row: i64, entry: &Entry) -> Result<Unfinished, StoreError> {
    let missing = entry.missing();
    // What payments carry or have cost that were claimed or are in flight. A message with a fee limit of its own is alone
    // in them, or it rides along and takes nothing of that.
    let sql = "SELECT m.id, m.peer, o.total_bytes, o.encoding, o.queues, o.wanted_msat, o.fee_limit_msat, \
               COALESCE(SUM(CASE a.state WHEN 3 THEN 0 ELSE p.amount_msat END), 0) AS carried_msat, \
               COALESCE(SUM(CASE WHEN a.state = 3 OR (SELECT COUNT(*) FROM attempt_parts s WHERE s.attempt_row = \
               a.attempt_row) > 1 THEN 0 WHEN a.state = 1 THEN a.fee_limit_msat ELSE a.fee_msat END), 0) AS fees_msat, \
               EXISTS (SELECT 1 FROM receipts WHERE receipt_row = m.row_id) AS rides \
               FROM outbox o JOIN messages m ON m.row_id = o.message_row \
               LEFT JOIN attempt_parts p ON p.message_row = o.message_row \
               LEFT JOIN attempts a ON a.attempt_row = p.attempt_row WHERE o.message_row = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([message_row], |row| {
        let count = |name: &str| row.get::<_, Count>(name).map(|count| count.0);
        let wanted = row.get::<_, Option<Count>>("wanted_msat")?;
        let limit = row.get::<_, Option<Count>>("fee_limit_msat")?;
        let (carried_msat, fees_msat) = (count("carried_msat")?, count("fees_msat")?);
        Ok(Unfinished {
            id: row.get::<_, Id>("id")?.0,
            recipient: row.get::<_, Node>("peer")?.0,
            waiting: Waiting {
                total_bytes: row.get("total_bytes")?,
                encoding: Encoding::column(row, "encoding")?,
                missing,
                queues: row.get("queues")?,
                unassigned_msat: wanted.map(|wanted| signed(wanted.0).saturating_sub(signed(carried_msat))),
                fee_left_msat: limit.map(|limit| signed(limit.0).saturating_sub(signed(fees_msat))),
                rides: row.get("rides")?,
            },
        })
    })?)
}

fn keysend(row: &Row<'_>) -> rusqlite::Result<Keysend> {
    let count = |name: &str| row.get::<_, Count>(name).map(|count| count.0);
    Ok(Keysend {
        recipient: row.get::<_, Node>("recipient")?.0,
        amount_msat: count("amount_msat")?,
        fee_limit_msat: count("fee_limit_msat")?,
        preimage: Preimage(row.get("preimage")?),
        record_type: count("record_type")?,
        record: Body(row.get("record")?),
    })
}
