//! The settings of messages: what is taken, what they may cost, how long they are kept.

use super::{Fallback, Kind, Setting};

/// The largest message.
pub static MESSAGE_BYTES_MAX: Setting = Setting {
    key: "message_bytes_max",
    flag: "message-bytes-max",
    value_name: "BYTES",
    kind: Kind::Number,
    fallback: Fallback::Value("65536"),
    example: "",
    expected: "a number of bytes from 1024 to 1048576",
    summary: "The largest message that the node sends or takes, in bytes",
    details: "A larger one that comes in is put aside, with its payment booked.",
};

/// Whether anybody's texts are taken.
pub static ACCEPT_UNSIGNED: Setting = Setting {
    key: "accept_unsigned",
    flag: "accept-unsigned",
    value_name: "true|false",
    kind: Kind::Switch,
    fallback: Fallback::Value("true"),
    example: "",
    expected: "true or false",
    summary: "Take texts that nobody signed, as other Lightning programs send them",
    details: "They are marked as unsigned. Otherwise they are put aside.",
};

/// The least that a message brings.
pub static MESSAGE_SAT_MIN: Setting = Setting {
    key: "message_sat_min",
    flag: "message-sat-min",
    value_name: "SAT",
    kind: Kind::Number,
    fallback: Fallback::Value("0"),
    example: "",
    expected: "a number of satoshi from 0 to 100000000",
    summary: "The least that a message has to bring along, in satoshi",
    details: "What all its payments bring together counts. A message that brings less is put aside; its payments stay \
              with the node, since they are claimed before the message can be read.",
};

/// The senders from whom nothing is taken.
pub static BLOCKED_SENDERS: Setting = Setting {
    key: "blocked_senders",
    flag: "block-sender",
    value_name: "PUBKEY",
    kind: Kind::List,
    fallback: Fallback::None,
    example: "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    expected: "one or more public keys of 66 hex digits, at most 1024",
    summary: "A node whose messages are put aside; may be repeated",
    details: "",
};

/// How many messages a sender may send.
pub static SENDER_MESSAGES_PER_DAY_MAX: Setting = Setting {
    key: "sender_messages_per_day_max",
    flag: "sender-messages-per-day-max",
    value_name: "NUMBER",
    kind: Kind::Number,
    fallback: Fallback::None,
    example: "1000",
    expected: "a whole number",
    summary: "How many messages are taken from each sender in a day of UTC",
    details: "Without it there is no limit. What is above is put aside. All unsigned texts count as one sender's.",
};

/// How many bytes a sender may send.
pub static SENDER_BYTES_PER_DAY_MAX: Setting = Setting {
    key: "sender_bytes_per_day_max",
    flag: "sender-bytes-per-day-max",
    value_name: "BYTES",
    kind: Kind::Number,
    fallback: Fallback::None,
    example: "10000000",
    expected: "a whole number of bytes",
    summary: "How many bytes of messages are taken from each sender in a day of UTC",
    details: "Without it there is no limit. A long message counts with all its bytes when its first part comes.",
};

/// The budget for routing fees.
pub static FEE_LIMIT_SAT_PER_DAY: Setting = Setting {
    key: "fee_limit_sat_per_day",
    flag: "fee-limit-sat-per-day",
    value_name: "SAT",
    kind: Kind::Number,
    fallback: Fallback::None,
    example: "1000",
    expected: "a whole number of satoshi, at most 100000000",
    summary: "The most routing fees that messages may cost in 24 hours, in satoshi",
    details: "What payments in flight may cost at most counts as spent until they have ended. Without it there is no such \
              limit, only that of each message.",
};

/// Whether receipts are given.
pub static RECEIPTS: Setting = Setting {
    key: "receipts",
    flag: "receipts",
    value_name: "true|false",
    kind: Kind::Switch,
    fallback: Fallback::Value("true"),
    example: "",
    expected: "true or false",
    summary: "Give receipts for messages whose senders ask for one",
    details: "A receipt is signed with the node's key, and carries 1 sat. What the message brought along pays for it: what \
              is above that 1 sat is the most that its routing fees may cost, if it is less than for any payment. For a \
              message of 1 sat it goes only where no fee is needed, such as to a direct peer, or along with another message.",
};

/// What the operator adds to receipts.
pub static RECEIPT_SAT_PER_DAY: Setting = Setting {
    key: "receipt_sat_per_day",
    flag: "receipt-sat-per-day",
    value_name: "SAT",
    kind: Kind::Number,
    fallback: Fallback::Value("0"),
    example: "",
    expected: "a whole number of satoshi, at most 100000000",
    summary: "What receipts may cost in a day of UTC beyond what their messages bring along, in satoshi",
    details: "What receipts under way may cost at most counts as spent until they have arrived. When it is spent, only what \
              messages bring along pays.",
};

/// How long messages are kept.
pub static RETENTION_DAYS: Setting = Setting {
    key: "retention_days",
    flag: "retention-days",
    value_name: "DAYS",
    kind: Kind::Number,
    fallback: Fallback::Value("0"),
    example: "",
    expected: "a number of days from 0 to 36500",
    summary: "After how many days messages are deleted; 0 keeps them for ever",
    details: "Read or unread, sent or received; what is still being sent stays. Their ids and payments are kept, so that a \
              repeat of a deleted message is not shown again.",
};
