//! A node's settings: plain data, checked, from defaults, the network's preset, a file, the environment and flags.
//!
//! | module | what it holds |
//! |---|---|
//! | [`settings`] | the table of all settings, which everything else is made from |
//! | [`layers`] | reading the sources, one over the other |
//! | [`presets`] | what goes with a network |
//! | [`error`] | what can be wrong |
//!
//! What is wrong is said with the key, where its value came from and what is expected there. What follows from the
//! settings is not here.

mod error;
mod layers;
pub mod presets;
pub mod settings;

use std::{
    env,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    path::{Path, PathBuf},
    str::FromStr,
};

use bitcoin::Network;
use boltgram_core::{
    NodeId,
    limits::{AMOUNT_SAT_MAX, BLOCKED_SENDERS_MAX, MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX_MIN},
    policy::InboxPolicy,
    receipt::Budget,
};
use boltgram_lightning::{Gossip, Lsp, kv::kind::StoreKind};
use tracing_subscriber::filter::Targets;

pub use error::ConfigError;
use layers::Layers;
use settings::{Kind, Setting};

use crate::{
    cli::{NodeArgs, PeerAddress},
    limits::{
        ADDRESSES_MAX, ALIAS_BYTES_MAX, DISK_LOW_WATER_MIB_MAX, LSPS2_TOKEN_BYTES_MAX, RETENTION_DAYS_MAX,
        TRUSTED_PEERS_MAX,
    },
};

/// Where the gRPC API listens, and where the commands look for it: the address of the API family.
pub const GRPC_DEFAULT: SocketAddr = loopback(8881);

/// Where the HTTP API listens: the address of the API family.
pub const HTTP_DEFAULT: SocketAddr = loopback(8882);

/// The configuration file's name in the data directory.
const FILE_NAME: &str = "boltgram.toml";

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}

/// The settings of a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Where it keeps its keys, channels and messages.
    pub data_dir: PathBuf,
    /// The chain that it lives on.
    pub network: Network,
    /// The base URL of its Esplora server, without a slash at its end.
    pub esplora_url: String,
    /// Where it listens for Lightning peers, each HOST:PORT, at least one.
    pub listen: Vec<String>,
    /// Where its gRPC API listens: a loopback address, unless [`Config::insecure_listen`].
    pub grpc: SocketAddr,
    /// Where its HTTP API listens, likewise.
    pub http: SocketAddr,
    /// Whether its API may listen on any address: on regtest alone.
    pub insecure_listen: bool,
    /// The name that it announces, at most 32 bytes (BOLT 7).
    pub alias: Option<String>,
    /// Where it says that it can be reached, each HOST:PORT.
    pub announce_addresses: Vec<String>,
    /// The peers whose channels it uses before they are confirmed.
    pub trusted_peers_0conf: Vec<NodeId>,
    /// Where it learns of the channels of others.
    pub gossip: Gossip,
    /// Its provider of just-in-time channels.
    pub lsp: Option<Lsp>,
    /// What it takes into its inbox; its largest message holds both ways.
    pub inbox: InboxPolicy,
    /// What messages may cost in routing fees in 24 hours, in satoshi; `None`: no limit.
    pub fee_limit_sat_per_day: Option<u64>,
    /// What it spends on receipts.
    pub receipts: Budget,
    /// After how many days messages are deleted; 0: never.
    pub retention_days: u32,
    /// Where the Lightning node keeps its state.
    pub store: StoreKind,
    /// With less free on its disk than this, in MiB, it stops until there is room; 0: it is not looked.
    pub disk_low_water_mib: u64,
    /// What is logged: a filter of `tracing_subscriber::filter::Targets`.
    pub log: String,
}

/// A setting's value and where it comes from, as it may be shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// Which.
    pub setting: &'static Setting,
    /// Its value, if it has one; several only of a list.
    pub values: Vec<String>,
    /// Where it comes from, such as `flag --alias`.
    pub origin: String,
}

impl Config {
    /// The settings by this process's flags and environment, and the file that these lead to.
    pub fn load(args: &NodeArgs) -> Result<Self, ConfigError> {
        Ok(Self::load_shown(args)?.0)
    }

    /// The same, with where each comes from.
    pub fn load_shown(args: &NodeArgs) -> Result<(Self, Vec<Shown>), ConfigError> {
        Self::from_sources(args, variables(), env::home_dir().as_deref())
    }

    fn from_sources(
        args: &NodeArgs,
        variables: impl IntoIterator<Item = (String, String)>,
        home: Option<&Path>,
    ) -> Result<(Self, Vec<Shown>), ConfigError> {
        let without_file = Layers::new(args, variables)?;
        let file = file(args, &without_file, home)?;
        let layers = match &args.config {
            Some(_) => without_file.with_file(&file)?,
            None if !file.is_file() => without_file,
            None => {
                let dir = data_dir(&without_file, home)?;
                let layers = without_file.with_file(&file)?;
                if data_dir(&layers, home)? != dir {
                    return Err(ConfigError::Circular { file });
                }
                layers
            }
        };
        let network = layers.required(&settings::NETWORK, presets::network)?;
        let layers = match presets::of(network) {
            Some(preset) => layers.with_preset(preset)?,
            None => layers,
        };
        let config = Self::from_layers(&layers, network, data_dir(&layers, home)?)?;
        let shown = settings::ALL.iter().map(|setting| shown(&layers, setting)).collect::<Result<_, _>>()?;
        Ok((config, shown))
    }

    fn from_layers(layers: &Layers, network: Network, data_dir: PathBuf) -> Result<Self, ConfigError> {
        let accepted: bool = layers.required(&settings::ACCEPT_MAINNET, |text| text.parse().ok())?;
        if network == Network::Bitcoin && !accepted {
            return Err(ConfigError::MainnetNotAccepted);
        }
        let insecure_listen: bool = layers.required(&settings::INSECURE_LISTEN, |text| text.parse().ok())?;
        if insecure_listen && network != Network::Regtest {
            return Err(ConfigError::InsecureListen { network });
        }
        let grpc = layers.required(&settings::GRPC, |text| api_address(text, insecure_listen))?;
        let http = layers.required(&settings::HTTP, |text| api_address(text, insecure_listen))?;
        if grpc == http && grpc.port() != 0 {
            return Err(ConfigError::SameAddress { address: grpc });
        }
        Ok(Self {
            data_dir,
            network,
            esplora_url: layers.required(&settings::ESPLORA_URL, url)?,
            listen: list(layers, &settings::LISTEN, ADDRESSES_MAX, address)?,
            grpc,
            http,
            insecure_listen,
            alias: layers.parse(&settings::ALIAS, alias)?,
            announce_addresses: list(layers, &settings::ANNOUNCE_ADDRESSES, ADDRESSES_MAX, address)?,
            trusted_peers_0conf: list(layers, &settings::TRUSTED_PEERS_0CONF, TRUSTED_PEERS_MAX, node_id)?,
            gossip: gossip(layers)?,
            inbox: inbox(layers)?,
            fee_limit_sat_per_day: layers.parse(&settings::FEE_LIMIT_SAT_PER_DAY, sat)?,
            receipts: receipts(layers)?,
            retention_days: layers.required(&settings::RETENTION_DAYS, retention_days)?,
            store: layers.required(&settings::STORE, |text| store(text, network))?,
            disk_low_water_mib: layers.required(&settings::DISK_LOW_WATER_MIB, disk_low_water_mib)?,
            lsp: lsp(layers)?,
            log: layers.required(&settings::LOG, log)?,
        })
    }
}

/// The configuration file that a node with these flags reads, if it is there.
pub fn file_path(args: &NodeArgs) -> Result<PathBuf, ConfigError> {
    file(args, &Layers::new(args, variables())?, env::home_dir().as_deref())
}

fn file(args: &NodeArgs, without_file: &Layers, home: Option<&Path>) -> Result<PathBuf, ConfigError> {
    match &args.config {
        Some(file) => Ok(file.clone()),
        None => Ok(data_dir(without_file, home)?.join(FILE_NAME)),
    }
}

fn variables() -> impl Iterator<Item = (String, String)> {
    env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
}

fn shown(layers: &Layers, setting: &'static Setting) -> Result<Shown, ConfigError> {
    let values = match setting.kind {
        Kind::List => layers.list(setting)?.unwrap_or_default(),
        _ => layers.parse(setting, |text| Some(text.to_owned()))?.into_iter().collect(),
    };
    let values = values.iter().map(|value| setting.shown(value)).collect();
    let origin = layers.source(setting).map_or_else(|| "default".to_owned(), |source| source.origin(setting));
    Ok(Shown { setting, values, origin })
}

/// Whether a text is HOST:PORT, with an IPv6 host in brackets. Port 0 is one that the system chooses.
pub fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    if port.parse::<u16>().is_err() {
        return false;
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    SocketAddr::from_str(text).is_ok() || (!host.is_empty() && host.chars().all(is_name))
}

fn data_dir(layers: &Layers, home: Option<&Path>) -> Result<PathBuf, ConfigError> {
    let text = layers.required(&settings::DATA_DIR, |text| (!text.is_empty()).then(|| text.to_owned()))?;
    match text.strip_prefix("~/") {
        Some(below_home) => Ok(home.ok_or(ConfigError::NoHome)?.join(below_home)),
        None => Ok(text.into()),
    }
}

/// Another store than the node's own is for comparison: not where there is anything to lose.
fn store(text: &str, network: Network) -> Option<StoreKind> {
    let kind = text.parse().ok()?;
    (kind == StoreKind::Own || network == Network::Regtest).then_some(kind)
}

fn disk_low_water_mib(text: &str) -> Option<u64> {
    text.parse().ok().filter(|mib| *mib <= DISK_LOW_WATER_MIB_MAX)
}

/// An amount of satoshi, within bounds.
fn sat(text: &str) -> Option<u64> {
    text.parse().ok().filter(|sat| *sat <= AMOUNT_SAT_MAX)
}

/// What is taken into the inbox.
fn inbox(layers: &Layers) -> Result<InboxPolicy, ConfigError> {
    let number = |text: &str| text.parse::<u64>().ok();
    let bytes = |text: &str| {
        text.parse::<usize>().ok().filter(|bytes| (MESSAGE_BYTES_MAX_MIN..=MESSAGE_BYTES_MAX).contains(bytes))
    };
    Ok(InboxPolicy {
        message_bytes_max: layers.required(&settings::MESSAGE_BYTES_MAX, bytes)?,
        amount_msat_min: layers.required(&settings::MESSAGE_SAT_MIN, sat)? * 1_000,
        blocked: list(layers, &settings::BLOCKED_SENDERS, BLOCKED_SENDERS_MAX, node_id)?.into_iter().collect(),
        messages_per_day_max: layers.parse(&settings::SENDER_MESSAGES_PER_DAY_MAX, number)?,
        bytes_per_day_max: layers.parse(&settings::SENDER_BYTES_PER_DAY_MAX, number)?,
        accepts_unsigned: layers.required(&settings::ACCEPT_UNSIGNED, |text| text.parse().ok())?,
    })
}

/// What is spent on receipts.
fn receipts(layers: &Layers) -> Result<Budget, ConfigError> {
    Ok(Budget {
        gives: layers.required(&settings::RECEIPTS, |text| text.parse().ok())?,
        msat_per_day: layers.required(&settings::RECEIPT_SAT_PER_DAY, sat)? * 1_000,
    })
}

fn gossip(layers: &Layers) -> Result<Gossip, ConfigError> {
    let is_rapid = layers.required(&settings::GOSSIP, |text| match text {
        "p2p" => Some(false),
        "rgs" => Some(true),
        _ => None,
    })?;
    // Read in both cases: what is wrong with it is told also while it isn't used.
    layers.parse(&settings::RGS_URL, url)?;
    match is_rapid {
        true => layers.required(&settings::RGS_URL, url).map(Gossip::RapidSync),
        false => Ok(Gossip::P2p),
    }
}

fn lsp(layers: &Layers) -> Result<Option<Lsp>, ConfigError> {
    let fits = |text: &str| (1..=LSPS2_TOKEN_BYTES_MAX).contains(&text.len()).then(|| text.to_owned());
    let token = layers.parse(&settings::LSPS2_TOKEN, fits)?;
    match layers.parse(&settings::LSPS2_NODE, |text| text.parse::<PeerAddress>().ok())? {
        Some(PeerAddress { pubkey, address }) => Ok(Some(Lsp { node_id: pubkey, address, token })),
        None if token.is_some() => Err(ConfigError::TokenWithoutProvider),
        None => Ok(None),
    }
}

fn url(text: &str) -> Option<String> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))?;
    let plain = !rest.starts_with('/') && rest.chars().all(|c| c.is_ascii_graphic() && c != '?' && c != '#');
    (plain && !rest.is_empty()).then(|| text.trim_end_matches('/').to_owned())
}

fn api_address(text: &str, insecure_listen: bool) -> Option<SocketAddr> {
    text.parse().ok().filter(|address: &SocketAddr| insecure_listen || address.ip().is_loopback())
}

fn alias(text: &str) -> Option<String> {
    let fits = !text.is_empty() && text.len() <= ALIAS_BYTES_MAX && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

fn log(text: &str) -> Option<String> {
    (!text.is_empty() && text.parse::<Targets>().is_ok()).then(|| text.to_owned())
}

fn retention_days(text: &str) -> Option<u32> {
    text.parse().ok().filter(|days| *days <= RETENTION_DAYS_MAX)
}

fn address(text: &str) -> Option<String> {
    is_host_and_port(text).then(|| text.to_owned())
}

fn node_id(text: &str) -> Option<NodeId> {
    text.parse().ok()
}

/// A list whose every entry is right; empty when no source has it, and only then.
fn list<T>(
    layers: &Layers,
    setting: &Setting,
    entries_max: usize,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, ConfigError> {
    let Some(texts) = layers.list(setting)? else { return Ok(Vec::new()) };
    if !(1..=entries_max).contains(&texts.len()) {
        return Err(layers.wrong(setting, &format!("{} entries", texts.len())));
    }
    texts.iter().map(|text| parse(text).ok_or_else(|| layers.wrong(setting, text))).collect()
}

#[cfg(test)]
mod docs;
#[cfg(test)]
mod tests;
