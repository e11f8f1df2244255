//! Every bound of this crate that `boltgram_core::limits` doesn't have, each with its unit in its name.

/// What is read of a seed or network file at most: 24 words of up to 8 letters are 215 bytes.
pub const SMALL_FILE_BYTES_MAX: u64 = 1_024;

/// How many addresses a node listens on or announces at most (ldk-node 0.7.1 refuses more).
pub const ADDRESSES_MAX: usize = 100;

/// A node alias's length at most (BOLT 7).
pub const ALIAS_BYTES_MAX: usize = 32;

/// How long the probe of an Esplora server may take, over all its requests.
pub const ESPLORA_PROBE_TIMEOUT_MS: u64 = 10_000;

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

/// How often it is looked for peers that were lost.
pub const REDIAL_POLL_MS: u64 = 500;

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

/// How far a channel's balance must stand above an amount for its momentary limit to be the doing of payments in
/// flight rather than of its balance, in millisatoshi: it covers the fees that LDK keeps back.
pub const IN_FLIGHT_MARGIN_MSAT: u64 = 20_000_000;

/// What a record of a type beyond 32 bits takes more: such a type is written as 9 bytes instead of 5 (BOLT 1, BigSize).
pub const RECORD_BYTES_LONG_TYPE: usize = 4;
