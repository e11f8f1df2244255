//! Every bound of this crate that `boltgram_core::limits` doesn't have, each with its unit in its name.

/// What is read of a seed or network file at most: 24 words of up to 8 letters are 215 bytes.
pub const SMALL_FILE_BYTES_MAX: u64 = 1_024;

/// How many addresses a node listens on or announces at most (ldk-node 0.7.1 refuses more).
pub const ADDRESSES_MAX: usize = 100;

/// A node alias's length at most (BOLT 7).
pub const ALIAS_BYTES_MAX: usize = 32;

/// How long the probe of an Esplora server may take, over all its requests.
pub const ESPLORA_PROBE_TIMEOUT_MS: u64 = 10_000;

/// How much of an answer the probe of an Esplora server reads: the longest that it asks for, the fee estimates, have a
/// few hundred bytes.
pub const ESPLORA_ANSWER_BYTES_MAX: usize = 65_536;

/// After how long without a sync with the chain the node's state says so. ldk-node syncs its channels every 30 s.
pub const SYNC_AGE_S_MAX: u64 = 180;

/// The same on regtest, where the syncs run more often.
pub const REGTEST_SYNC_AGE_S_MAX: u64 = 20;

/// How often the Esplora server is asked whether it answers while the node runs.
pub const ESPLORA_WATCH_INTERVAL_S: u64 = 30;

/// The same on regtest, where the server is on the same machine.
pub const REGTEST_ESPLORA_WATCH_INTERVAL_S: u64 = 2;

/// How often the background syncs run on regtest: ldk-node's floor, so that a demo is quick.
pub const REGTEST_SYNC_INTERVAL_S: u64 = 10;

/// How often the channels are looked at: for peers that were lost, and for those that can be paid again. One look takes
/// some microseconds for each channel.
pub const CHANNELS_POLL_MS: u64 = 200;

/// How long neither the channel manager's state nor the event queue is written after a start until it is taken that
/// there are no events from before it.
pub const CAUGHT_UP_QUIET_MS: u64 = 10_000;

/// The low-water mark that a node has unless it is given another: with less free on the disk of its data folder, in
/// bytes, it stops.
pub const DISK_LOW_WATER_BYTES_DEFAULT: u64 = 256 * 1_024 * 1_024;

/// How often it is looked how much is free there.
pub const DISK_POLL_MS: u64 = 1_000;

/// Which part of the mark must be free beyond it before a node that was stopped for it starts again, here a quarter: a
/// disk that is just at the mark must not make it start and stop all the time.
pub const DISK_ROOM_DIVISOR: u64 = 4;

/// What is kept aside in the data folder, and given up when the disk is full, so that the stores can still be opened:
/// SQLite can't even read a log without some room for its index.
pub const DISK_RESERVE_BYTES: u64 = 1_024 * 1_024;

/// How many lost peers are dialled at the same time.
pub const REDIALS_MAX: usize = 8;

/// How many dials on request run at the same time.
pub const DIALS_MAX: usize = 16;

/// How many threads of the node's runtime run tasks. Some of them block: LDK writes a channel's state where it stands.
pub const RUNTIME_WORKERS: usize = 4;

/// How many threads of the node's runtime run blocking work: store writes and dials.
pub const RUNTIME_BLOCKING_THREADS_MAX: usize = 64;

/// The smallest channel that is opened, in satoshi: what LND and others accept by default.
pub const CHANNEL_CAPACITY_SAT_MIN: u64 = 20_000;

/// The largest channel that is opened, in satoshi: 10 BTC, the bound of LND's wumbo channels.
pub const CHANNEL_CAPACITY_SAT_MAX: u64 = 1_000_000_000;

/// What each side keeps on chain for a channel, in satoshi, so that it can pay for a close (ldk-node's default).
pub const ANCHOR_RESERVE_SAT: u64 = 25_000;

/// What this node keeps in a channel that it opens at least, in satoshi: the channel reserve (LDK's smallest).
pub const CHANNEL_RESERVE_SAT_MIN: u64 = 1_000;

/// The weight of a commitment transaction without HTLCs, of a channel with anchors (BOLT 3).
pub const COMMITMENT_WEIGHT: u64 = 1_124;

/// What one HTLC adds to it.
pub const HTLC_WEIGHT: u64 = 172;

/// An HTLC below this many satoshi is dust: it has no output in a commitment transaction (BOLT 3, a P2WSH output's
/// limit, which LDK takes on either side).
pub const DUST_LIMIT_SAT: u64 = 354;

/// How many channels to one peer are opened in one go. LDK takes no more from one peer that aren't confirmed
/// (lightning 0.2.7, `MAX_UNFUNDED_CHANS_PER_PEER`); others take fewer.
pub const CHANNELS_OPENED_AT_ONCE_MAX: usize = 4;

/// How long it is waited at most until the wallet knows the transaction that funds the channel before.
pub const FUNDING_WAIT_MS_MAX: u64 = 20_000;

/// How often it is looked for that transaction.
pub const FUNDING_POLL_MS: u64 = 100;

/// How many recipients may be sent to at the same time; payments to one of them are started one after the other.
pub const SENDING_MAX: usize = 16;

/// What a record of a type beyond 32 bits takes more: such a type is written as 9 bytes instead of 5 (BOLT 1, BigSize).
pub const RECORD_BYTES_LONG_TYPE: usize = 4;

/// How long the node's store waits for SQLite's file lock, which only a foreign program can hold.
pub const KV_BUSY_TIMEOUT_MS: u64 = 5_000;

/// How many prepared statements the store's writer keeps.
pub const KV_STATEMENTS_CACHED_MAX: usize = 8;

/// About how long the store's log grows before it is copied into the database, after the channel manager's next write.
pub const KV_CHECKPOINT_BYTES_MAX: usize = 4 * 1_024 * 1_024;

/// About how long it grows before it is copied without waiting for that.
pub const KV_CHECKPOINT_LATE_BYTES_MAX: usize = 8 * KV_CHECKPOINT_BYTES_MAX;

/// How many lazy removals wait for another operation before they are carried out by themselves. LDK's monitor
/// consolidation makes some hundred in a row.
pub const KV_LAZY_REMOVES_MAX: usize = 1_024;

/// How long an invoice is good for when the caller doesn't say, in seconds (BOLT 11's own default).
pub const INVOICE_EXPIRY_S_DEFAULT: u32 = 3_600;

/// How long an invoice's description may be, in bytes (BOLT 11: a tagged field of at most 1,023 groups of 5 bits).
pub const INVOICE_DESCRIPTION_BYTES_MAX: usize = 639;

/// How much of an amount the provider of a just-in-time channel may keep when the caller sets no limit, in percent. A
/// channel's opening costs much the same for every amount, so a small one needs room.
pub const LSP_FEE_LIMIT_PERCENT: u64 = 50;

/// The same in millisatoshi.
pub const INVOICE_AMOUNT_MSAT_MAX: u64 = INVOICE_AMOUNT_SAT_MAX * 1_000;

/// How many payments callers of the API may wait for at the same time.
pub const PAYMENTS_WAITING_MAX: usize = 256;

/// A page of payments when the caller gives no size.
pub const PAGE_PAYMENTS_DEFAULT: usize = 50;

/// A page of payments at most.
pub const PAGE_PAYMENTS_MAX: usize = 500;

/// The highest fee rate that an on-chain payment may ask for: what is above is taken for a slip.
pub const FEE_RATE_SAT_PER_VB_MAX: u64 = 1_000;

/// The largest amount of an invoice, in satoshi: what the largest channel holds.
pub const INVOICE_AMOUNT_SAT_MAX: u64 = CHANNEL_CAPACITY_SAT_MAX;

/// For how long an invoice can be paid at most: a year.
pub const INVOICE_EXPIRY_S_MAX: u32 = 365 * 24 * 60 * 60;

/// The longest text that is looked at as an invoice: lightning-invoice 0.34.1 reads no longer ones (7,089 characters, the
/// most that a QR code holds).
pub const INVOICE_BYTES_MAX: usize = 7_089;

/// How many payments one channel carries at the same time one way: LDK 0.2.7's default of `max_accepted_htlcs`. LND takes
/// 483; what the far side of a channel takes ldk-node doesn't tell, so the smaller number stands for all.
pub const HTLC_SLOTS_PER_CHANNEL: usize = 50;
