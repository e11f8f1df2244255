//! Every bound and fixed rate of the devnet, each with its unit in its name.
//!
//! Consensus and relay numbers are those of Bitcoin Core 29 (`consensus/consensus.h`, `policy/policy.h`,
//! `kernel/mempool_limits.h`); page sizes are those of Blockstream's electrs (`src/rest.rs`).

/// The subsidy halves after this many blocks on regtest (`CRegTestParams` in `kernel/chainparams.cpp`).
pub const SUBSIDY_HALVING_BLOCKS: u32 = 150;

/// The first subsidy: 50 BTC.
pub const SUBSIDY_SAT: u64 = 5_000_000_000;

/// How many blocks back the median time past looks (BIP 113).
pub const MEDIAN_TIME_BLOCKS: usize = 11;

/// How far a header's time may stand ahead of the clock: 2 hours.
pub const BLOCK_TIME_AHEAD_S_MAX: u64 = 7_200;

/// What a block may weigh by consensus, and so the heaviest that a transaction in it can be.
pub const BLOCK_WEIGHT_CONSENSUS_MAX: u64 = 4_000_000;

/// The most keys of a relayed bare multisig output.
pub const MULTISIG_KEYS_MAX: u8 = 3;

/// What a block may weigh: consensus allows 4,000,000, Core's own miner stays 4,000 below.
pub const BLOCK_WEIGHT_MAX: u64 = 3_996_000;

/// What of a block's weight is kept for its header, its transaction count and its coinbase.
pub const BLOCK_RESERVED_WEIGHT: u64 = 4_000;

/// The signature operations that a block's transactions may cost: 80,000, less Core's 400 for the coinbase.
pub const BLOCK_SIGOPS_COST_MAX: u64 = 79_600;

/// What a transaction may weigh to be relayed.
pub const TX_WEIGHT_MAX: u64 = 400_000;

/// The least size of a relayed transaction without its witness (CVE-2017-12842).
pub const TX_NONWITNESS_BYTES_MIN: usize = 65;

/// The highest version of a relayed transaction. Core also relays version 3, with package rules (BIP 431) that
/// the embedded chain doesn't have.
pub const TX_VERSION_MAX: i32 = 2;

/// The dust outputs of a relayed transaction, which must pay no fee then (`MAX_DUST_OUTPUTS_PER_TX`).
pub const DUST_OUTPUTS_MAX: usize = 1;

/// What a relayed transaction's signature operations may cost.
pub const TX_SIGOPS_COST_MAX: u64 = 16_000;

/// Each signature operation counts as at least so many weight units of a transaction's virtual size.
pub const WEIGHT_PER_SIGOP: u64 = 20;

/// The longest scriptSig of a relayed transaction.
pub const SCRIPT_SIG_BYTES_MAX: usize = 1_650;

/// The longest `OP_RETURN` output script of a relayed transaction.
pub const DATA_CARRIER_BYTES_MAX: usize = 83;

/// The signature operations in a spent P2SH script.
pub const P2SH_SIGOPS_MAX: usize = 15;

/// The longest witness script of a relayed P2WSH spend.
pub const P2WSH_SCRIPT_BYTES_MAX: usize = 3_600;

/// The stack items below the witness script of a relayed P2WSH spend.
pub const P2WSH_STACK_ITEMS_MAX: usize = 100;

/// The longest stack item of a relayed P2WSH or tapscript spend.
pub const WITNESS_ITEM_BYTES_MAX: usize = 80;

/// The least fee rate of a relayed transaction (`DEFAULT_MIN_RELAY_TX_FEE`; 1,000 before Core 29.1).
pub const RELAY_FEE_SAT_PER_KVB_MIN: u64 = 100;

/// What a replacement pays for its own relay, beside the fees of what it replaces (`DEFAULT_INCREMENTAL_RELAY_FEE`).
pub const INCREMENTAL_FEE_SAT_PER_KVB: u64 = 100;

/// The transactions that one may replace, descendants counted (`MAX_REPLACEMENT_CANDIDATES` in `policy/rbf.h`).
pub const REPLACED_TXS_MAX: usize = 100;

/// The highest fee rate that a broadcast takes: 0.1 BTC/kvB, the default of `sendrawtransaction`.
pub const BROADCAST_FEE_SAT_PER_KVB_MAX: u64 = 10_000_000;

/// Unconfirmed ancestors, and unconfirmed descendants, each with the transaction itself.
pub const CHAIN_TXS_MAX: usize = 25;

/// The virtual size of a transaction with its unconfirmed ancestors, or with its descendants.
pub const CHAIN_VSIZE_MAX: u64 = 101_000;

/// A transaction up to this virtual size with one unconfirmed ancestor may be one descendant too many (CPFP carve-out).
pub const CARVE_OUT_VSIZE_MAX: u64 = 10_000;

/// The transactions that the mempool holds at most.
pub const MEMPOOL_TXS_MAX: usize = 20_000;

/// The blocks that a new embedded chain has: the first 21 rewards can be spent.
pub const PREMINED_BLOCKS: u32 = 120;

/// The blocks that an embedded chain may have from the start.
pub const PREMINED_BLOCKS_MAX: u32 = 10_000;

/// The blocks that one request may mine.
pub const MINE_BLOCKS_MAX: u32 = 1_000;

/// What one request may fund: 100 BTC.
pub const FUND_AMOUNT_SAT_MAX: u64 = 10_000_000_000;

/// The coins that one funding transaction spends at most.
pub const FUND_INPUTS_MAX: usize = 100;

/// The fee rate of a funding transaction.
pub const FUND_FEE_SAT_PER_VB: u64 = 2;

/// The fee rate that the devnet estimates for each target: above the relay minimum, so that roundings don't matter.
pub const FEE_ESTIMATE_SAT_PER_VB: f64 = 2.0;

/// The shortest interval between two looks of the automatic miner.
pub const AUTO_MINE_MS_MIN: u64 = 10;

/// The longest interval between two looks of the automatic miner: an hour.
pub const AUTO_MINE_MS_MAX: u64 = 3_600_000;

/// The longest request body (electrs: `MAX_BODY_SIZE`).
pub const BODY_BYTES_MAX: usize = 1_000_000;

/// The requests that are worked on at the same time; more wait.
pub const REQUESTS_RUNNING_MAX: usize = 32;

/// The threads of the devnet's own runtime that serve connections.
pub const SERVER_THREADS: usize = 2;

/// How long a stop waits for connections to end before they are cut.
pub const STOP_GRACE_MS: u64 = 500;

/// How often a wait looks at the chain.
pub const WAIT_POLL_MS: u64 = 10;

/// The blocks in one answer of `/blocks`.
pub const PAGE_BLOCKS: usize = 10;

/// The confirmed transactions in one answer.
pub const PAGE_CHAIN_TXS: usize = 25;

/// The unconfirmed transactions of a script in one answer.
pub const PAGE_MEMPOOL_TXS: usize = 50;

/// The transactions in one answer of `/mempool/recent`.
pub const PAGE_RECENT_TXS: usize = 10;

/// The virtual size of one bin of the mempool's fee histogram (electrs: `VSIZE_BIN_WIDTH`).
pub const FEE_HISTOGRAM_BIN_VSIZE: u64 = 50_000;

/// How long an RPC call of bitcoind may take.
pub const RPC_TIMEOUT_MS: u64 = 60_000;

/// The longest answer of bitcoind that is read: a full block in hexadecimal digits has 8 million.
pub const RPC_ANSWER_BYTES_MAX: usize = 32 * 1_024 * 1_024;

/// How long a connection to bitcoind is kept for the next call: it cuts idle ones after 30 s (`-rpcservertimeout`).
pub const RPC_IDLE_MS: u64 = 10_000;

/// How long bitcoind is waited for while it starts.
pub const BITCOIND_START_MS_MAX: u64 = 60_000;

/// How long bitcoind is waited for while it stops.
pub const BITCOIND_STOP_MS_MAX: u64 = 30_000;

/// How often bitcoind is looked at while it starts or stops.
pub const BITCOIND_POLL_MS: u64 = 50;

/// The oldest bitcoind that is taken, as `getnetworkinfo` tells it: 28.0. Its reject reasons may be older words.
pub const BITCOIND_VERSION_MIN: u32 = 280_000;

/// The last lines of a log or of an output that an error shows.
pub const LOG_LINES_SHOWN: usize = 5;

/// The blocks that are held in memory over a bitcoind: its chain is a private regtest's.
pub const INDEXED_BLOCKS_MAX: usize = 200_000;

/// The unconfirmed transactions that one batch of RPC calls asks for: each may have 800,000 hexadecimal digits.
pub const RPC_BATCH_TXS: usize = 16;

/// How often a look at bitcoind begins anew because something changed meanwhile.
pub const REFRESH_TRIES_MAX: usize = 20;

/// The blocks that one RPC call mines.
pub const RPC_MINE_BLOCKS_MAX: u32 = 100;

/// How many seconds are tried for a block that would be one that was invalidated.
pub const MINE_TIMES_MAX: u32 = 100;

/// The ports that are tried for a bitcoind of one's own.
pub const PORT_TRIES_MAX: usize = 100;

/// What is read of what a bitcoind says of its version.
pub const VERSION_BYTES_MAX: u64 = 64 * 1_024;

/// The virtual size of the smallest funding transaction with change: one P2WPKH input and two such outputs.
pub const FUND_TX_VSIZE_MIN: u64 = 141;
