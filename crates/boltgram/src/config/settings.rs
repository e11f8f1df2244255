//! The table of settings: all that is known of each, in one place.
//!
//! The flags of `boltgram node` and their help, the errors about values, `boltgram config show`, `data/boltgram.toml`
//! and `docs/configuration.md` are made from it. What a value must fulfil is checked in [`super`].

mod messages;

pub use messages::*;

/// What the variables begin with.
pub const PREFIX: &str = "BOLTGRAM_";

/// What stands for a value that isn't shown.
const MASK: &str = "********";

/// What kind of value a setting has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A text.
    Text,
    /// A text that is never shown.
    Secret,
    /// The URL of a server; a user name and password in it are never shown.
    Url,
    /// A list of texts: in the environment with commas, and its flag may be repeated.
    List,
    /// True or false.
    Switch,
    /// A whole number; in the file also as a text.
    Number,
}

/// What a setting is when no source has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fallback {
    /// This.
    Value(&'static str),
    /// What the network's preset says.
    Preset,
    /// Nothing.
    None,
}

/// One setting.
#[derive(PartialEq, Eq, Debug)]
pub struct Setting {
    /// Its name in the file; in the environment it is `BOLTGRAM_` and the name in capitals.
    pub key: &'static str,
    /// Its flag, without the dashes.
    pub flag: &'static str,
    /// What stands for a value in the help.
    pub value_name: &'static str,
    /// What kind of value it has.
    pub kind: Kind,
    /// What it is when no source has it.
    pub fallback: Fallback,
    /// A value as an example, where there is none otherwise.
    pub example: &'static str,
    /// What a value must be: it follows "it must be".
    pub expected: &'static str,
    /// What it is, as a line of the help: no full stop.
    pub summary: &'static str,
    /// What else is to be known, as sentences; may be empty.
    pub details: &'static str,
}

impl Setting {
    /// Its environment variable.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.key.to_uppercase())
    }

    /// A value as it may be shown: neither secrets nor passwords in it.
    pub fn shown(&self, value: &str) -> String {
        match self.kind {
            Kind::Secret => MASK.to_owned(),
            Kind::Url => without_password(value),
            Kind::Text | Kind::List | Kind::Switch | Kind::Number => value.to_owned(),
        }
    }
}

fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_at(url.find("://").map_or(0, |at| at + 3));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}{MASK}@{host}{path}"),
        None => url.to_owned(),
    }
}

/// Every setting, in the order in which they are shown.
pub static ALL: &[&Setting] = &[
    &DATA_DIR,
    &NETWORK,
    &ACCEPT_MAINNET,
    &ESPLORA_URL,
    &GOSSIP,
    &RGS_URL,
    &LISTEN,
    &GRPC,
    &HTTP,
    &INSECURE_LISTEN,
    &ALIAS,
    &ANNOUNCE_ADDRESSES,
    &TRUSTED_PEERS_0CONF,
    &LSPS2_NODE,
    &LSPS2_TOKEN,
    &MESSAGE_BYTES_MAX,
    &ACCEPT_UNSIGNED,
    &MESSAGE_SAT_MIN,
    &BLOCKED_SENDERS,
    &SENDER_MESSAGES_PER_DAY_MAX,
    &SENDER_BYTES_PER_DAY_MAX,
    &FEE_LIMIT_SAT_PER_DAY,
    &RECEIPTS,
    &RECEIPT_SAT_PER_DAY,
    &RETENTION_DAYS,
    &STORE,
    &DISK_LOW_WATER_MIB,
    &LOG,
];

/// What an API address must be.
const LOOPBACK: &str = "IP:PORT on a loopback address such as 127.0.0.1:8881 (the API asks nobody for a password yet, \
                        so it stays on this machine; on regtest insecure_listen opens it)";

/// What a list of addresses must be.
const ADDRESSES: &str = "one or more HOST:PORT, at most 100";

/// Where everything is kept.
pub static DATA_DIR: Setting = Setting {
    key: "data_dir",
    flag: "data-dir",
    value_name: "DIR",
    kind: Kind::Text,
    fallback: Fallback::Value("~/.boltgram"),
    example: "",
    expected: "a directory",
    summary: "Where the node keeps its keys, channels and messages",
    details: "`~/` is the home directory. It belongs to one node and one network. In a file it has an effect only when \
              that is given with `--config`, not when it is found in the directory itself.",
};

/// The chain.
pub static NETWORK: Setting = Setting {
    key: "network",
    flag: "network",
    value_name: "NETWORK",
    kind: Kind::Text,
    fallback: Fallback::Value("regtest"),
    example: "",
    expected: "bitcoin (or mainnet), testnet, signet or regtest",
    summary: "The chain: bitcoin, testnet, signet or regtest",
    details: "It also chooses a preset: what the settings below have unless they are set.",
};

/// The yes to real money.
pub static ACCEPT_MAINNET: Setting = Setting {
    key: "accept_mainnet",
    flag: "accept-mainnet",
    value_name: "true|false",
    kind: Kind::Switch,
    fallback: Fallback::Value("false"),
    example: "",
    expected: "true or false",
    summary: "Accept that on the network bitcoin real money can be lost",
    details: "Without it a node refuses to start there: this is young software, and a fault in it, a lost disk or an old \
              copy of the data can cost what the wallet and the channels hold.",
};

/// The chain's source.
pub static ESPLORA_URL: Setting = Setting {
    key: "esplora_url",
    flag: "esplora",
    value_name: "URL",
    kind: Kind::Url,
    fallback: Fallback::Preset,
    example: "",
    expected: "the URL of an Esplora server, such as https://host/api",
    summary: "The Esplora server that the node follows the chain through",
    details: "It is trusted to tell the truth about the chain, and learns which addresses are this node's: on a network \
              with real money better one of your own.",
};

/// The source of the channel graph.
pub static GOSSIP: Setting = Setting {
    key: "gossip",
    flag: "gossip",
    value_name: "SOURCE",
    kind: Kind::Text,
    fallback: Fallback::Preset,
    example: "",
    expected: "p2p or rgs",
    summary: "Where the node learns of the channels of others: p2p or rgs",
    details: "`p2p`: from its peers, each message checked. `rgs`: once an hour from the rapid gossip sync server at \
              `rgs_url`; on a large network that takes seconds, where peers take much longer.",
};

/// The rapid gossip sync server.
pub static RGS_URL: Setting = Setting {
    key: "rgs_url",
    flag: "rgs",
    value_name: "URL",
    kind: Kind::Url,
    fallback: Fallback::Preset,
    example: "https://rgs.example.com/snapshot",
    expected: "the URL of a rapid gossip sync server's snapshots, such as https://host/snapshot",
    summary: "The rapid gossip sync server that is asked when gossip is rgs",
    details: "It is trusted not to leave out or invent channels; it can't take money.",
};

/// Where peers come in.
pub static LISTEN: Setting = Setting {
    key: "listen",
    flag: "listen",
    value_name: "HOST:PORT",
    kind: Kind::List,
    fallback: Fallback::Preset,
    example: "",
    expected: ADDRESSES,
    summary: "Where the node listens for Lightning peers; may be repeated",
    details: "",
};

/// The gRPC API.
pub static GRPC: Setting = Setting {
    key: "grpc",
    flag: "grpc",
    value_name: "IP:PORT",
    kind: Kind::Text,
    fallback: Fallback::Value("127.0.0.1:8881"),
    example: "",
    expected: LOOPBACK,
    summary: "Where the gRPC API listens",
    details: "An address of this machine alone, since it asks nobody for a password. The variable also tells `boltgram \
              info` and the other commands where the node is.",
};

/// The HTTP API.
pub static HTTP: Setting = Setting {
    key: "http",
    flag: "http",
    value_name: "IP:PORT",
    kind: Kind::Text,
    fallback: Fallback::Value("127.0.0.1:8882"),
    example: "",
    expected: LOOPBACK,
    summary: "Where the HTTP API listens",
    details: "An address of this machine alone.",
};

/// The API for everybody.
pub static INSECURE_LISTEN: Setting = Setting {
    key: "insecure_listen",
    flag: "insecure-listen",
    value_name: "true|false",
    kind: Kind::Switch,
    fallback: Fallback::Value("false"),
    example: "",
    expected: "true or false",
    summary: "Let the API listen on other addresses than loopback ones, on regtest alone",
    details: "Whoever reaches it then can read every message and spend what the node holds. It is for containers, whose \
              ports are published on this machine alone.",
};

/// The announced name.
pub static ALIAS: Setting = Setting {
    key: "alias",
    flag: "alias",
    value_name: "NAME",
    kind: Kind::Text,
    fallback: Fallback::None,
    example: "my node",
    expected: "a name of 1 to 32 bytes",
    summary: "The name that the node announces",
    details: "A node announces itself when it has an alias, an announced address and an announced channel.",
};

/// The announced addresses.
pub static ANNOUNCE_ADDRESSES: Setting = Setting {
    key: "announce_addresses",
    flag: "announce-address",
    value_name: "HOST:PORT",
    kind: Kind::List,
    fallback: Fallback::None,
    example: "node.example.com:9735",
    expected: ADDRESSES,
    summary: "Where the node says that it can be reached; may be repeated",
    details: "Without any, those addresses that it listens on and that don't stand for every interface.",
};

/// The peers that are trusted with unconfirmed channels.
pub static TRUSTED_PEERS_0CONF: Setting = Setting {
    key: "trusted_peers_0conf",
    flag: "trusted-peer-0conf",
    value_name: "PUBKEY",
    kind: Kind::List,
    fallback: Fallback::None,
    example: "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    expected: "one or more public keys of 66 hex digits, at most 100",
    summary: "A peer whose channels are used before they are confirmed; may be repeated",
    details: "Such a peer can take back what it paid over a channel: only nodes of your own.",
};

/// The provider of just-in-time channels.
pub static LSPS2_NODE: Setting = Setting {
    key: "lsps2_node",
    flag: "lsps2-node",
    value_name: "PUBKEY@HOST:PORT",
    kind: Kind::Text,
    fallback: Fallback::None,
    example: "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798@lsp.example.com:9735",
    expected: "PUBKEY@HOST:PORT, with a public key of 66 hex digits",
    summary: "The provider (LSPS2) that opens a channel to this node when a jit-invoice is paid",
    details: "Its channels are used before they are confirmed, and with no coins kept back on chain for them: it is \
              trusted like a peer of `trusted_peers_0conf`.",
};

/// What the provider knows this node by.
pub static LSPS2_TOKEN: Setting = Setting {
    key: "lsps2_token",
    flag: "lsps2-token",
    value_name: "TOKEN",
    kind: Kind::Secret,
    fallback: Fallback::None,
    example: "what the provider gave you",
    expected: "a text of 1 to 1024 bytes",
    summary: "What the provider at lsps2_node asks its users for",
    details: "Better in the file or the environment: flags can be seen by others on the machine.",
};

/// The kind of store.
pub static STORE: Setting = Setting {
    key: "store",
    flag: "store",
    value_name: "KIND",
    kind: Kind::Text,
    fallback: Fallback::Value("own"),
    example: "",
    expected: "own; on regtest also stock or memory",
    summary: "Where the Lightning node keeps its state: own, stock or memory",
    details: "`own` is this node's store. The others are for comparison, on regtest alone: `stock` is ldk-node's, `memory` \
              loses the channels with the process. A data directory keeps the kind that it began with, until `boltgram \
              takeover` moves a `stock` one into a store of its own.",
};

/// The low-water mark of the disk.
pub static DISK_LOW_WATER_MIB: Setting = Setting {
    key: "disk_low_water_mib",
    flag: "disk-low-water-mib",
    value_name: "MIB",
    kind: Kind::Number,
    fallback: Fallback::Value("256"),
    example: "",
    expected: "a whole number of MiB up to 1000000000, or 0 for no such check",
    summary: "With less free on the data directory's disk than this, in MiB, the node stops until there is room",
    details: "What it would send is then refused (`DISK_LOW`), what it has can be read, and it starts again by itself when \
              a quarter more than this is free. It is looked once a second, so better not less than 64: a disk that runs \
              full in between ends the process. 0: it is not looked.",
};

/// The log's filter.
pub static LOG: Setting = Setting {
    key: "log",
    flag: "log",
    value_name: "FILTER",
    kind: Kind::Text,
    fallback: Fallback::Value("info,ldk=warn"),
    example: "",
    expected: "a level such as info, or info,boltgram=debug",
    summary: "What is logged: a level, or levels by module",
    details: "The levels are error, warn, info, debug and trace; the Lightning node's own lines, several for each \
              payment, go by `ldk`. Neither the texts of messages nor secrets are logged at any level.",
};
