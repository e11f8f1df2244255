//! Version 3: what receiving needs beside the messages.
//!
//! `assemblies` has the messages of which some parts are missing, `fragments` the byte ranges that are held of them, which
//! never overlap. `senders` has what each sender takes of its quota and of the room for fragments; the empty blob stands
//! for the unknown senders of unsigned texts. `held` lists the payments that were put aside, in whole or in part, with
//! their records as long as there is room. `inbox_totals` is one row of sums, and the counts are kept as they change, so
//! that a payment costs the same whatever came before.

/// The statements. In `held.reason` 2 is `Unreadable` and 3 is `Conflict`; in `payments.outcome` 3 and 5 are the same.
pub(super) const V3: &str = "
CREATE TABLE assemblies (
    row_id INTEGER PRIMARY KEY,
    sender BLOB NOT NULL,
    message_id BLOB NOT NULL,
    total_bytes INTEGER NOT NULL,
    encoding INTEGER NOT NULL,
    held_bytes INTEGER NOT NULL,
    room_bytes INTEGER NOT NULL,
    amount_msat INTEGER NOT NULL,
    first_at_ms INTEGER NOT NULL,
    UNIQUE (sender, message_id)
) STRICT;
CREATE INDEX assemblies_by_age ON assemblies (first_at_ms);

CREATE TABLE fragments (
    assembly_row INTEGER NOT NULL REFERENCES assemblies (row_id) ON DELETE CASCADE,
    offset INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (assembly_row, offset)
) STRICT;

CREATE TABLE senders (
    sender BLOB PRIMARY KEY,
    day INTEGER NOT NULL,
    day_messages INTEGER NOT NULL,
    day_bytes INTEGER NOT NULL,
    room_bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE held (
    row_id INTEGER PRIMARY KEY AUTOINCREMENT,
    payment_hash BLOB NOT NULL UNIQUE,
    sender BLOB,
    message_id BLOB,
    amount_msat INTEGER NOT NULL,
    received_at_ms INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    detail TEXT NOT NULL,
    record_bytes INTEGER NOT NULL,
    record BLOB
) STRICT;
CREATE INDEX held_with_record ON held (received_at_ms) WHERE record IS NOT NULL;

INSERT INTO held (payment_hash, amount_msat, received_at_ms, reason, detail, record_bytes, record)
    SELECT payment_hash, amount_msat, received_at_ms, CASE outcome WHEN 3 THEN 2 ELSE 3 END, ifnull(reason, ''),
        ifnull(length(record), 0), record
    FROM payments WHERE outcome IN (3, 5) ORDER BY received_at_ms;
ALTER TABLE payments DROP COLUMN reason;
ALTER TABLE payments DROP COLUMN record;

CREATE TABLE inbox_totals (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    room_bytes INTEGER NOT NULL,
    held_record_bytes INTEGER NOT NULL,
    dropped_messages INTEGER NOT NULL,
    dropped_bytes INTEGER NOT NULL
) STRICT;
INSERT INTO inbox_totals SELECT 1, 0, ifnull(SUM(length(record)), 0), 0, 0 FROM held;

CREATE TABLE payment_counts (outcome INTEGER PRIMARY KEY, payments INTEGER NOT NULL) STRICT;
INSERT INTO payment_counts SELECT outcome, COUNT(*) FROM payments GROUP BY 1;

CREATE TABLE held_counts (reason INTEGER PRIMARY KEY, payments INTEGER NOT NULL) STRICT;
INSERT INTO held_counts SELECT reason, COUNT(*) FROM held GROUP BY 1;
";
