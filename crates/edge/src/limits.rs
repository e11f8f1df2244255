//! Every bound of the edge, each with its unit in its name, and the few of them that a caller may set.

use std::time::Duration;

/// The longest request body: 4 MiB, which is also tonic 0.14's bound for one gRPC message.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How much of a body that is too long is still read, so that the client gets to read the refusal: a connection
/// that is closed with unread bytes is reset.
pub const BODY_BYTES_DISCARDED_MAX: usize = 16 * 1024 * 1024;

/// How long a client may take to send its request body.
pub const BODY_READ_TIMEOUT_S: u64 = 30;

/// The longest message that a service may answer. It is made in this process, so this is a bound for mistakes.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The deadline of a unary RPC when the client gives none.
pub const UNARY_TIMEOUT_S: u64 = 60;

/// The most digits of a `grpc-timeout` (the gRPC protocol, "PROTOCOL-HTTP2").
pub const TIMEOUT_DIGITS_MAX: usize = 8;

/// The most that a send takes off its caller's deadline, so that its own answer, which names the message, comes first.
pub const DEADLINE_MARGIN_MS_MAX: u64 = 250;

/// How long a payment is still waited for once the process is asked to stop. The API closes 3 s later at the earliest.
pub const STOP_GRACE_MS: u64 = 2_000;

/// How much longer than the deadline the gateway itself waits, so that the service's own answer, which knows more,
/// comes first.
pub const DEADLINE_GRACE_MS: u64 = 500;

/// How many fields deep a query parameter's dotted name may go.
pub const QUERY_NAME_PARTS_MAX: usize = 16;

/// How often the server pings over a WebSocket.
pub const PING_INTERVAL_S: u64 = 20;

/// A WebSocket peer that has sent nothing, no pong either, after so many pings is taken for dead.
pub const PINGS_UNANSWERED_MAX: u32 = 3;

/// How long one WebSocket frame may take to be written before its peer is taken for dead.
pub const FRAME_WRITE_TIMEOUT_S: u64 = 60;

/// How long the WebSocket close handshake may take.
pub const CLOSE_TIMEOUT_S: u64 = 5;

/// The longest frame, and message, that a WebSocket client may send; what it sends is ignored.
pub const CLIENT_FRAME_BYTES_MAX: usize = 64 * 1024;

/// How much is read from a WebSocket at once.
pub const WEBSOCKET_READ_BUFFER_BYTES: usize = 8 * 1024;

/// How often an idle stream of server-sent events carries a comment.
pub const KEEP_ALIVE_INTERVAL_S: u64 = 15;

/// What of it may be set, by configuration or a test.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The longest request body, in bytes.
    pub body_bytes_max: usize,
    /// The deadline of a unary RPC when the client gives none.
    pub unary_timeout: Duration,
    /// How much longer than a deadline the gateway itself waits.
    pub deadline_grace: Duration,
    /// How often the server pings over a WebSocket.
    pub ping_interval: Duration,
    /// How often an idle stream of server-sent events carries a comment.
    pub keep_alive_interval: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: BODY_BYTES_MAX,
            unary_timeout: Duration::from_secs(UNARY_TIMEOUT_S),
            deadline_grace: Duration::from_millis(DEADLINE_GRACE_MS),
            ping_interval: Duration::from_secs(PING_INTERVAL_S),
            keep_alive_interval: Duration::from_secs(KEEP_ALIVE_INTERVAL_S),
        }
    }
}
