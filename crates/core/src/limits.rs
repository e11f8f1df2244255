//! Every bound of boltgram that isn't the edge's or the devnet's own, each with its unit in its name.

/// The custom TLV record that carries a frame. Odd on purpose: ldk-node 0.7.1 fails back every payment with a
/// custom record of an even type, and BOLT 1 lets a node ignore an odd record that it doesn't know.
pub const RECORD_TYPE_DEFAULT: u64 = 400_001;

/// Custom TLV records begin here (BOLT 4, "custom records"; bLIP 10).
pub const RECORD_TYPE_MIN: u64 = 65_536;

/// What one record holds on the way to a direct peer (measured with LDK 0.2.7).
pub const RECORD_BYTES_DIRECT_MAX: usize = 1_204;

/// What each further hop takes from it (measured with LDK 0.2.7).
pub const RECORD_BYTES_PER_HOP: usize = 56;

/// The hops that are assumed when the recipient is no direct peer, since ldk-node tells no route beforehand.
pub const HOPS_ASSUMED: usize = 4;

/// What is accepted as a record at all; LDK's onion bounds it far below.
pub const RECORD_BYTES_ACCEPTED_MAX: usize = 65_536;

/// The parts that one frame may hold.
pub const FRAME_PARTS_MAX: usize = 64;

/// A content type's length (RFC 6838 allows 127 on each side of the slash; we are content with less).
pub const CONTENT_TYPE_BYTES_MAX: usize = 127;

/// What a request may ask to send along with one message, in satoshi: 1 BTC. It keeps sums far from overflow.
pub const AMOUNT_SAT_MAX: u64 = 100_000_000;

/// The base part of the routing fee limit when none is given: 50 sat (ldk-node's own default).
pub const FEE_LIMIT_BASE_MSAT: u64 = 50_000;

/// The proportional part of the routing fee limit when none is given: 1 %.
pub const FEE_LIMIT_PERCENT: u64 = 1;

/// How long `SendMessage` waits for its payment when the caller gives no deadline.
pub const SEND_WAIT_MS_DEFAULT: u64 = 60_000;

/// How many sends may wait for their payments at the same time.
pub const SENDS_WAITING_MAX: usize = 1_024;

/// How many subscribers may follow the log at the same time.
pub const SUBSCRIBERS_MAX: usize = 1_024;

/// How many log entries wait for one slow subscriber before its reader waits too.
pub const SUBSCRIBER_QUEUE_ENTRIES_MAX: usize = 32;

/// How long a stop waits for payments under way; after it their callers are told that they go on.
pub const DRAIN_TIMEOUT_MS: u64 = 10_000;

/// A page of messages when the caller gives no size.
pub const PAGE_MESSAGES_DEFAULT: usize = 50;

/// A page of messages at most.
pub const PAGE_MESSAGES_MAX: usize = 500;

/// What the bodies of one page's messages may have together, but for a single longer one: with the text beside the body
/// an answer stays below tonic's 4 MiB.
pub const PAGE_BODY_BYTES_MAX: usize = 1_048_576;

/// How many messages one write marks as read, so that other writes come in between.
pub const MARK_READ_MESSAGES_MAX: usize = 1_000;

/// How many messages one write of the retention deletes.
pub const RETENTION_MESSAGES_MAX: usize = 1_000;

/// A search's text.
pub const SEARCH_BYTES_MAX: usize = 1_024;

/// The words of a search.
pub const SEARCH_WORDS_MAX: usize = 32;

/// The letters that a word of a search has before its `*`: each letter less means many more words to look up.
pub const SEARCH_PREFIX_LETTERS_MIN: usize = 2;

/// How many log entries a subscriber's reader takes at once.
pub const LOG_READ_ENTRIES_MAX: usize = 256;

/// How many writes may wait for the store's writer before callers wait too.
pub const STORE_WRITE_QUEUE_MAX: usize = 1_024;

/// How many waiting writes share one transaction.
pub const STORE_WRITES_PER_COMMIT_MAX: usize = 256;

/// How many connections read the store at the same time.
pub const STORE_READERS_MAX: usize = 4;

/// How long the store waits for SQLite's file lock, which only a foreign program can hold.
pub const STORE_BUSY_TIMEOUT_MS: u64 = 5_000;

/// How long a stop waits for the Lightning node. With the drain before it, and the API's close, a stop ends within 30 s.
pub const STOP_TIMEOUT_MS: u64 = 15_000;

/// The first wait before the node's start is tried again, while its Esplora server is away.
pub const START_RETRY_MS_MIN: u64 = 500;

/// The longest wait before the node's start is tried again.
pub const START_RETRY_MS_MAX: u64 = 15_000;

/// The first wait before a lost peer with a channel is dialled again.
pub const REDIAL_MS_MIN: u64 = 1_000;

/// The longest wait before a lost peer with a channel is dialled again.
pub const REDIAL_MS_MAX: u64 = 60_000;

/// How long one dial may take.
pub const DIAL_TIMEOUT_MS: u64 = 10_000;

/// The largest payload of a message when none is configured.
pub const MESSAGE_BYTES_MAX_DEFAULT: usize = 64 * 1_024;

/// The smallest "largest payload" that can be configured: what one payment carries fits.
pub const MESSAGE_BYTES_MAX_MIN: usize = 1_024;

/// The largest payload of a message that can be configured.
pub const MESSAGE_BYTES_MAX: usize = 1_024 * 1_024;

/// The least that one payment carries: some channels take no smaller HTLC (LND's default of `min_htlc`).
pub const PAYMENT_MSAT_MIN: u64 = 1_000;

/// How many messages may wait in the outbox.
pub const OUTBOX_MESSAGES_MAX: usize = 10_000;

/// An idempotency key's length at most.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;

/// How long a message waits for its delivery when its caller doesn't say.
pub const EXPIRY_MS_DEFAULT: u64 = 24 * 3_600 * 1_000;

/// The longest that a message may wait for its delivery. Its parts are kept longer by the receiver.
pub const EXPIRY_MS_MAX: u64 = 7 * 24 * 3_600 * 1_000;

/// The first wait before a failed payment is followed by another.
pub const RETRY_MS_MIN: u64 = 1_000;

/// The longest wait before a failed payment is followed by another.
pub const RETRY_MS_MAX: u64 = 60_000;

/// How often a payment whose end isn't known is tried as it is before its record is taken to be too long for the way.
pub const UNRESOLVED_TRIES_MIN: u32 = 3;

/// After how long without an event it is looked again whether a payment from before a start is in flight. LDK 0.2.7
/// forgets a payment that was claimed after 7 to 8 minutes.
pub const UNTOLD_RETRY_MS: u64 = 10 * 60 * 1_000;

/// What a record holds on the longest way that is looked for; no record is cut smaller than that for want of a route.
pub const RECORD_BYTES_LONGEST_WAY_MIN: usize =
    RECORD_BYTES_DIRECT_MAX - RECORD_BYTES_PER_HOP * (HOPS_ASSUMED - 1 + HOPS_EXTRA_MAX);

/// The longest wait before it is looked again whether a recipient can be reached.
pub const UNREACHABLE_RETRY_MS_MAX: u64 = 5_000;

/// How long a recipient's payments pause when its channels are full and none is in flight that would tell when
/// there is room.
pub const BUSY_RETRY_MS: u64 = 200;

/// By how many hops more than assumed a route may be looked for, when none was found.
pub const HOPS_EXTRA_MAX: usize = 8;

/// How many payments to one recipient are made and started at the same time.
pub const LANE_WORKERS_MAX: usize = 4;

/// How often the outbox looks for what has become due.
pub const OUTBOX_TICK_MS: u64 = 250;

/// How many messages one look ends whose time is over.
pub const EXPIRED_PER_TICK_MAX: usize = 256;

/// Over how long the routing fees are added up for the budget.
pub const FEE_BUDGET_WINDOW_MS: u64 = 24 * 3_600 * 1_000;

/// From which amount on a failed payment is looked up on chain before its bytes go out under another preimage: below
/// it an HTLC is dust on any chain's fees, and can't be watched.
pub const WATCHED_MSAT_MIN: u64 = 354_000;

/// What a message has beside its payload: content type, reply-to id, flags and the fields' heads need less than 160.
pub const CONTENT_OVERHEAD_BYTES_MAX: usize = 256;

/// What the parts of one sender's unfinished messages may take: 4 MiB.
pub const WAITING_BYTES_PER_SENDER_MAX: u64 = 4 * 1_024 * 1_024;

/// What the parts of all unfinished messages may take: 64 MiB.
pub const WAITING_BYTES_MAX: u64 = 64 * 1_024 * 1_024;

/// What a kept range counts beside its bytes, so that many tiny ones are bounded too: its rows and their indexes.
pub const WAITING_OVERHEAD_BYTES_PER_RANGE: u64 = 256;

/// How long the parts of an unfinished message are kept: 8 days, longer than a sender may try.
pub const WAITING_MS_MAX: u64 = 8 * 24 * 3_600 * 1_000;

/// How many unfinished messages one transaction drops.
pub const DROPPED_PER_COMMIT_MAX: usize = 64;

/// What the records of payments that were put aside may take: 16 MiB. Above it a payment is listed without its record.
pub const HELD_RECORD_BYTES_MAX: u64 = 16 * 1_024 * 1_024;

/// How many receipts may wait in the outbox: a tenth of it. More are owed until there is room.
pub const RECEIPTS_WAITING_MAX: usize = OUTBOX_MESSAGES_MAX / 10;

/// How many receipts that are owed one look gives at once.
pub const RECEIPTS_PER_LOOK_MAX: usize = 256;

/// How long the record of a payment that was put aside is kept: 30 days.
pub const HELD_RECORD_MS_MAX: u64 = 30 * 24 * 3_600 * 1_000;

/// How many senders can be blocked.
pub const BLOCKED_SENDERS_MAX: usize = 1_024;

/// How long a sender's quota lasts: a day of UTC.
pub const QUOTA_DAY_MS: u64 = 24 * 3_600 * 1_000;

/// How often what is kept for a time only is looked through.
pub const TIDY_MS: u64 = 3_600 * 1_000;
