//! A message enters the outbox, or is found to be there already.

use boltgram_core::{
    MessageId,
    message::{Authenticity, Direction, Message},
    outbox::entry::Entry,
};
use rusqlite::{Connection, OptionalExtension as _, named_params, params};

use super::{Accepted, Outgoing, entry};
use crate::{
    Store, StoreError,
    insert::insert_message,
    read::message_by_row,
    rows::{Coded as _, Count, Id},
};

impl Store {
    /// Stores a message to send. Under an idempotency key that is known nothing is stored.
    pub fn accept(&self, outgoing: Outgoing) -> Result<Accepted, StoreError> {
        self.write(move |connection| {
            if let Some(key) = &outgoing.idempotency_key
                && let Some(known) = known(connection, key, &outgoing.request_digest)?
            {
                return Ok(known);
            }
            let entry = Entry::new(outgoing.encoded.0.len() as u32, outgoing.queues);
            let message_row = insert_message(connection, &as_stored(&outgoing, &entry), true)?;
            insert(connection, message_row, &outgoing, &entry)?;
            message_by_row(connection, message_row).map(Accepted::New)
        })
    }

    /// What was accepted under this idempotency key, if anything was.
    pub fn accepted_as(&self, key: &str, request_digest: &[u8; 32]) -> Result<Option<Accepted>, StoreError> {
        self.readers.with(|connection| known(connection, key, request_digest))
    }

    /// Takes a message up again that had failed with nothing of it delivered; `None` when it hadn't.
    pub fn take_up_again(
        &self,
        id: MessageId,
        queues: bool,
        expires_at_ms: u64,
        now_ms: u64,
    ) -> Result<Option<Message>, StoreError> {
        self.write(move |connection| {
            let sql = "SELECT m.row_id FROM messages m JOIN outbox o ON o.message_row = m.row_id \
                       WHERE m.id = ?1 AND m.is_own_id = 1 AND m.deleted_at_ms IS NULL \
                       AND m.receipt_at_ms IS NULL AND o.stop = 3 AND o.is_open = 0";
            let found = connection.prepare_cached(sql)?.query_row([Id(id)], |row| row.get(0)).optional()?;
            let Some(message_row) = found else { return Ok(None) };
            let sql = "UPDATE outbox SET expires_at_ms = ?2 WHERE message_row = ?1";
            connection.prepare_cached(sql)?.execute(params![message_row, Count(expires_at_ms)])?;
            let sql = "UPDATE messages SET failure_reason = NULL WHERE row_id = ?1";
            connection.prepare_cached(sql)?.execute([message_row])?;
            let mut stored = entry::load(connection, message_row)?;
            stored.entry.stop = None;
            stored.entry.queues = queues;
            stored.save(connection, now_ms)?;
            message_by_row(connection, message_row).map(Some)
        })
    }

    /// Some of a message's joined, encoded bytes. Empty once it has ended.
    pub fn encoded(&self, id: MessageId, range: &std::ops::Range<u32>) -> Result<Vec<u8>, StoreError> {
        self.readers.with(|connection| {
            // SQLite counts bytes from 1, and gives NULL as a stretch of no bytes.
            let sql = "SELECT substr(o.encoded, ?2 + 1, ?3) FROM outbox o JOIN messages m ON m.row_id = o.message_row \
                       WHERE m.id = ?1 AND m.is_own_id = 1";
            let values = params![Id(id), range.start, range.len() as i64];
            let found: Option<Option<Vec<u8>>> =
                connection.prepare_cached(sql)?.query_row(values, |row| row.get(0)).optional()?;
            Ok(found.flatten().unwrap_or_default())
        })
    }
}

fn known(connection: &Connection, key: &str, request_digest: &[u8; 32]) -> Result<Option<Accepted>, StoreError> {
    let sql = "SELECT message_row, request_digest = ?2 FROM outbox WHERE idempotency_key = ?1";
    let found = connection
        .prepare_cached(sql)?
        .query_row(params![key, request_digest], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((message_row, is_same)) = found else { return Ok(None) };
    let message = message_by_row(connection, message_row)?;
    Ok(Some(if is_same { Accepted::Known(message) } else { Accepted::Conflicting(message.id) }))
}

/// The message that enters the outbox.
pub(super) fn as_stored(outgoing: &Outgoing, entry: &Entry) -> Message {
    Message {
        id: outgoing.id,
        direction: Direction::Out,
        peer: Some(outgoing.recipient),
        content_type: outgoing.content_type.clone(),
        body: outgoing.body.clone(),
        reply_to: outgoing.reply_to,
        amount_msat: outgoing.amount_msat,
        fee_msat: 0,
        state: entry.state(),
        authenticity: Authenticity::Signed,
        stored_at_ms: outgoing.now_ms,
        failure_reason: None,
        payment_hash: None,
        sequence: 0,
        is_read: true,
        expires_at_ms: Some(outgoing.expires_at_ms),
        payments: 0,
        progress: None,
        asks_receipt: outgoing.asks_receipt,
        receipt: None,
    }
}

/// Writes what sending needs of a message that was just stored.
pub(super) fn insert(
    connection: &Connection,
    message_row: i64,
    outgoing: &Outgoing,
    entry: &Entry,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO outbox (message_row, encoding, encoded, total_bytes, wanted_msat, fee_limit_msat, queues, \
               expires_at_ms, stop, is_open, idempotency_key, request_digest) VALUES (:message_row, :encoding, \
               :encoded, :total_bytes, :wanted_msat, :fee_limit_msat, :queues, :expires_at_ms, :stop, 1, \
               :idempotency_key, :request_digest)";
    connection.prepare_cached(sql)?.execute(named_params! {
        ":message_row": message_row,
        ":encoding": outgoing.encoding.code(),
        ":encoded": outgoing.encoded.0,
        ":total_bytes": entry.total_bytes,
        ":wanted_msat": outgoing.wanted_msat.map(Count),
        ":fee_limit_msat": outgoing.fee_limit_msat.map(Count),
        ":queues": entry.queues,
        ":expires_at_ms": Count(outgoing.expires_at_ms),
        ":stop": entry.stop.code(),
        ":idempotency_key": outgoing.idempotency_key,
        ":request_digest": outgoing.request_digest,
    })?;
    Ok(())
}
