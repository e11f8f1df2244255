//! The bounds of the command line and the configuration, each with its unit in its name.

/// What is read from standard input or a file as one message: the most that a node can be told to take. Its own limit
/// names the exact number.
pub const MESSAGE_INPUT_BYTES_MAX: u64 = 1024 * 1024;

/// What is read of a receipt's proof: one for the largest message fits.
pub const PROOF_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// How many messages `inbox` shows when no number is given.
pub const INBOX_MESSAGES_DEFAULT: i32 = 20;

/// How many messages `inbox` shows at most: one page of the API.
pub const INBOX_MESSAGES_MAX: i32 = 500;

/// How many messages `read` shows when no number is given.
pub const READ_MESSAGES_DEFAULT: i32 = 50;

/// The longest time after which messages are deleted: a hundred years.
pub const RETENTION_DAYS_MAX: u32 = 36_500;

/// What is read of the file in which `listen` keeps its place.
pub const PLACE_BYTES_MAX: u64 = 64;

/// How many payments `payments` shows when no number is given.
pub const PAYMENTS_DEFAULT: i32 = 20;

/// How many payments `payments` shows at most: one page of the API.
pub const PAYMENTS_MAX: i32 = 500;

/// What is read of an answer to a question on the terminal.
pub const ANSWER_BYTES_MAX: u64 = 64;

/// How many addresses may be listened on, and how many announced (ldk-node 0.7.1 accepts 100).
pub const ADDRESSES_MAX: usize = 100;

/// How many peers may be trusted with unconfirmed channels.
pub const TRUSTED_PEERS_MAX: usize = 100;

/// The token of a provider of just-in-time channels.
pub const LSPS2_TOKEN_BYTES_MAX: usize = 1_024;

/// The low-water mark of the disk: what no disk has.
pub const DISK_LOW_WATER_MIB_MAX: u64 = 1_000_000_000;

/// A node's alias (BOLT 7, `node_announcement`).
pub const ALIAS_BYTES_MAX: usize = 32;

/// A configuration file's size.
pub const CONFIG_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// How long a stop waits for API callers to leave before their connections are cut.
pub const API_CLOSE_TIMEOUT_MS: u64 = 3_000;

/// The least similarity (Jaro-Winkler, 0 to 1) at which a key is suggested for an unknown one.
pub const SUGGESTION_SIMILARITY_MIN: f64 = 0.75;

/// How many ports the demo tries until it finds a free one.
pub const PORT_TRIES_MAX: usize = 1_000;

/// The largest number of satoshi that a command takes: all there can be.
pub const SAT_MAX: i64 = 21_000_000 * 100_000_000;
