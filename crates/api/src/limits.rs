//! The bounds of the client, each with its unit in its name.

/// How long a connection to the node may take to stand.
pub const CONNECT_TIMEOUT_MS: u64 = 5_000;

/// How often an idle connection is asked whether it still stands, so that a follower notices a node that is gone.
pub const KEEPALIVE_INTERVAL_MS: u64 = 20_000;

/// How long the answer to that may take.
pub const KEEPALIVE_TIMEOUT_MS: u64 = 10_000;

/// What one answer may hold: a page of 500 messages, each at its longest, and to spare.
pub const RESPONSE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The first wait before a broken subscription is taken up again.
pub const RESUME_WAIT_MS_MIN: u64 = 250;

/// The longest wait before a broken subscription is taken up again.
pub const RESUME_WAIT_MS_MAX: u64 = 10_000;
