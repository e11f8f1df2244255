//! The byte ranges of messages that aren't complete, and the room that they have.

use boltgram_core::{
    MessageId, NodeId,
    limits::{
        DROPPED_PER_COMMIT_MAX, WAITING_BYTES_MAX, WAITING_BYTES_PER_SENDER_MAX, WAITING_MS_MAX,
        WAITING_OVERHEAD_BYTES_PER_RANGE,
    },
    message::Body,
    policy::HeldReason,
    reassembly::{Assembly, Piece, Range},
};
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};

use super::{refusal::Refusal, senders};
use crate::{
    Store, StoreError,
    rows::{Coded, Count, Id, Node},
};

/// What was dropped because the rest of it didn't come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Dropped {
    /// Messages.
    pub messages: u64,
    /// The bytes that were held of them.
    pub bytes: u64,
}

/// A message of which some parts are missing.
#[derive(Debug)]
pub(super) struct Unfinished {
    /// Its row; `None` while it isn't stored.
    row: Option<i64>,
    sender: NodeId,
    id: MessageId,
    first_at_ms: u64,
    /// What it takes of the room for fragments.
    room_bytes: u64,
    /// What the payments of its parts brought, in millisatoshi.
    pub(super) amount_msat: u64,
    pub(super) assembly: Assembly,
}

/// The message with this id of which something is held.
pub(super) fn find(connection: &Connection, sender: NodeId, id: MessageId) -> Result<Option<Unfinished>, StoreError> {
    let sql = "SELECT * FROM assemblies WHERE sender = ?1 AND message_id = ?2";
    Ok(connection.prepare_cached(sql)?.query_row(params![Node(sender), Id(id)], unfinished).optional()?)
}

fn unfinished(row: &Row<'_>) -> rusqlite::Result<Unfinished> {
    let count = |name: &str| row.get::<_, Count>(name).map(|count| count.0);
    Ok(Unfinished {
        row: Some(row.get("row_id")?),
        sender: row.get::<_, Node>("sender")?.0,
        id: row.get::<_, Id>("message_id")?.0,
        first_at_ms: count("first_at_ms")?,
        room_bytes: count("room_bytes")?,
        amount_msat: count("amount_msat")?,
        assembly: Assembly {
            total_bytes: row.get("total_bytes")?,
            encoding: Coded::column(row, "encoding")?,
            held_bytes: row.get("held_bytes")?,
        },
    })
}

impl Unfinished {
    /// A message of which nothing is held yet, and nothing stored.
    pub(super) fn begun_by(sender: NodeId, id: MessageId, piece: &Piece, now_ms: u64) -> Self {
        let assembly = Assembly::begun_by(piece);
        Self { row: None, sender, id, first_at_ms: now_ms, room_bytes: 0, amount_msat: 0, assembly }
    }

    /// The ranges that are held, in order: those that overlap this one, or all.
    pub(super) fn ranges(
        &self,
        connection: &Connection,
        overlapping: Option<&Range>,
    ) -> Result<Vec<Range>, StoreError> {
        let Some(row) = self.row else { return Ok(Vec::new()) };
        let (from, to) = overlapping.map_or((0, u64::MAX >> 1), |range| (range.offset.into(), range.end()));
        // Ranges don't overlap each other, so of those that begin before this one only the last can reach into it.
        let sql = "SELECT offset, body FROM fragments WHERE assembly_row = ?1 AND offset < ?3 AND offset >= \
                   ifnull((SELECT MAX(offset) FROM fragments WHERE assembly_row = ?1 AND offset <= ?2), ?2) ORDER BY offset";
        let mut statement = connection.prepare_cached(sql)?;
        let read = |row: &Row<'_>| Ok(Range { offset: row.get("offset")?, body: Body(row.get("body")?) });
        let rows = statement.query_map(params![row, Count(from), Count(to)], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What these ranges would take of the room for fragments; refused when there isn't so much.
    pub(super) fn room_for(&self, connection: &Connection, fresh: &[Range]) -> Result<u64, Refusal> {
        let one = |range: &Range| range.body.0.len() as u64 + WAITING_OVERHEAD_BYTES_PER_RANGE;
        let wanted = fresh.iter().map(one).sum::<u64>();
        let sql = "SELECT room_bytes FROM inbox_totals";
        let all = connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, Count>(0))?.0;
        let of_sender = senders::room_bytes(connection, self.sender)?;
        let has_room = all + wanted <= WAITING_BYTES_MAX && of_sender + wanted <= WAITING_BYTES_PER_SENDER_MAX;
        if has_room { Ok(wanted) } else { Err(HeldReason::NoRoom.into()) }
    }

    /// Stores these ranges, which take `room_bytes`, and what has changed.
    pub(super) fn keep(mut self, connection: &Connection, fresh: &[Range], room_bytes: u64) -> Result<(), StoreError> {
        self.room_bytes += room_bytes;
        let sql = "INSERT INTO assemblies (sender, message_id, total_bytes, encoding, held_bytes, room_bytes, \
                   amount_msat, first_at_ms) VALUES (:sender, :message_id, :total_bytes, :encoding, :held_bytes, \
                   :room_bytes, :amount_msat, :first_at_ms) ON CONFLICT (sender, message_id) DO UPDATE SET \
                   held_bytes = :held_bytes, room_bytes = :room_bytes, amount_msat = :amount_msat RETURNING row_id";
        let values = named_params! {
            ":sender": Node(self.sender),
            ":message_id": Id(self.id),
            ":total_bytes": self.assembly.total_bytes,
            ":encoding": self.assembly.encoding.code(),
            ":held_bytes": self.assembly.held_bytes,
            ":room_bytes": Count(self.room_bytes),
            ":amount_msat": Count(self.amount_msat),
            ":first_at_ms": Count(self.first_at_ms),
        };
        let row: i64 = connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
        let mut insert =
            connection.prepare_cached("INSERT INTO fragments (assembly_row, offset, body) VALUES (?1, ?2, ?3)")?;
        for range in fresh {
            insert.execute(params![row, range.offset, range.body.0])?;
        }
        move_room(connection, self.sender, i64::try_from(room_bytes).unwrap_or(i64::MAX))
    }

    /// Removes all that is stored of it and gives its room back.
    pub(super) fn remove(&self, connection: &Connection) -> Result<(), StoreError> {
        let Some(row) = self.row else { return Ok(()) };
        connection.prepare_cached("DELETE FROM assemblies WHERE row_id = ?1")?.execute([row])?;
        move_room(connection, self.sender, i64::try_from(self.room_bytes).unwrap_or(i64::MAX).saturating_neg())
    }
}

/// Adds to what the fragments of this sender, and of all, take.
fn move_room(connection: &Connection, sender: NodeId, bytes: i64) -> Result<(), StoreError> {
    connection.prepare_cached("UPDATE inbox_totals SET room_bytes = room_bytes + ?1")?.execute([bytes])?;
    senders::move_room(connection, sender, bytes)
}

impl Store {
    /// Drops the messages whose first part came 8 days ago ([`WAITING_MS_MAX`]) and whose last one didn't: no sender tries
    /// for so long. Their payments stay booked.
    pub fn drop_old_fragments(&self, now_ms: u64) -> Result<Dropped, StoreError> {
        let until_ms = now_ms.saturating_sub(WAITING_MS_MAX);
        let mut dropped = Dropped::default();
        // A transaction each, so that nothing waits long; it ends since `until_ms` stands still.
        loop {
            let some = self.write(move |connection| drop_some(connection, until_ms))?;
            dropped.messages += some.messages;
            dropped.bytes += some.bytes;
            if some.messages < DROPPED_PER_COMMIT_MAX as u64 {
                break;
            }
        }
        self.write(move |connection| senders::forget(connection, now_ms))?;
        Ok(dropped)
    }
}

fn drop_some(connection: &Connection, until_ms: u64) -> Result<Dropped, StoreError> {
    let sql = "SELECT * FROM assemblies WHERE first_at_ms <= ?1 ORDER BY first_at_ms LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([Count(until_ms), Count(DROPPED_PER_COMMIT_MAX as u64)], unfinished)?;
    let old: Vec<Unfinished> = rows.collect::<Result<_, _>>()?;
    let mut dropped = Dropped::default();
    for unfinished in old {
        unfinished.remove(connection)?;
        dropped.messages += 1;
        dropped.bytes += u64::from(unfinished.assembly.held_bytes);
    }
    let sql = "UPDATE inbox_totals SET dropped_messages = dropped_messages + ?1, dropped_bytes = dropped_bytes + ?2";
    connection.prepare_cached(sql)?.execute([Count(dropped.messages), Count(dropped.bytes)])?;
    Ok(dropped)
}
