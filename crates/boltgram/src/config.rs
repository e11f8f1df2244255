//! A node's settings: plain data, checked, from defaults, a file, the environment and flags.
//!
//! What is wrong is said with the key, where its value came from and what is expected there. Reading the sources is in
//! [`layers`], the errors are in [`error`]; what follows from the settings is not here.

mod error;
mod layers;

use std::{
    env,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    path::{Path, PathBuf},
    str::FromStr,
};

use bitcoin::Network;
use tracing_subscriber::filter::Targets;

pub use error::ConfigError;
use layers::Layers;

use crate::{
    cli::NodeArgs,
    limits::{ADDRESSES_MAX, ALIAS_BYTES_MAX},
};

/// Where the gRPC API listens, and where the commands look for it: the address of the API family.
pub const GRPC_DEFAULT: SocketAddr = loopback(8881);

/// Where the HTTP API listens: the address of the API family.
pub const HTTP_DEFAULT: SocketAddr = loopback(8882);

/// The Lightning port (BOLT 1).
const LIGHTNING_PORT: u16 = 9735;

/// Where `boltgram devnet` has its Esplora API.
const REGTEST_ESPLORA: &str = "http://127.0.0.1:3002";

/// The data directory, in the home directory.
const DATA_DIR_DEFAULT: &str = ".boltgram";

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
    /// Where its gRPC API listens: a loopback address.
    pub grpc: SocketAddr,
    /// Where its HTTP API listens: a loopback address.
    pub http: SocketAddr,
    /// The name that it announces, at most 32 bytes (BOLT 7).
    pub alias: Option<String>,
    /// Where it says that it can be reached, each HOST:PORT.
    pub announce_addresses: Vec<String>,
    /// What is logged: a filter of `tracing_subscriber::filter::Targets`.
    pub log: String,
}

impl Config {
    /// The settings by this process's flags and environment, and the file that these lead to.
    pub fn load(args: &NodeArgs) -> Result<Self, ConfigError> {
        let variables = env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
        Self::from_sources(args, variables, env::home_dir().as_deref())
    }

    fn from_sources(
        args: &NodeArgs,
        variables: impl IntoIterator<Item = (String, String)>,
        home: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        let without_file = Layers::new(args, variables)?;
        let data_dir = |layers: &Layers| path(layers, home);
        let layers = match &args.config {
            Some(file) => without_file.with_file(file)?,
            None => {
                let dir = data_dir(&without_file)?;
                let file = dir.join(FILE_NAME);
                let layers = if file.is_file() { without_file.with_file(&file)? } else { without_file };
                if data_dir(&layers)? != dir {
                    return Err(ConfigError::Circular { file });
                }
                layers
            }
        };
        let data_dir = data_dir(&layers)?;
        Self::from_layers(&layers, data_dir)
    }

    fn from_layers(layers: &Layers, data_dir: PathBuf) -> Result<Self, ConfigError> {
        let network = layers.parse("network", "bitcoin, testnet, signet or regtest", network)?;
        let network = network.unwrap_or(Network::Regtest);
        let regtest = network == Network::Regtest;
        let esplora_url = layers
            .parse("esplora_url", "the URL of an Esplora server, such as https://host/api", url)?
            .or(regtest.then(|| REGTEST_ESPLORA.to_owned()))
            .ok_or(ConfigError::NoEsplora { network })?;
        let ip = if regtest { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
        let listen = addresses(layers, "listen")?.unwrap_or_else(|| vec![format!("{ip}:{LIGHTNING_PORT}")]);
        let grpc = layers.parse("grpc", LOOPBACK, loopback_address)?.unwrap_or(GRPC_DEFAULT);
        let http = layers.parse("http", LOOPBACK, loopback_address)?.unwrap_or(HTTP_DEFAULT);
        if grpc == http && grpc.port() != 0 {
            return Err(ConfigError::SameAddress { address: grpc });
        }
        Ok(Self {
            data_dir,
            network,
            esplora_url,
            listen,
            grpc,
            http,
            alias: layers.parse("alias", "a name of 1 to 32 bytes", alias)?,
            announce_addresses: addresses(layers, "announce_addresses")?.unwrap_or_default(),
            log: layers.parse("log", "a level such as info, or info,boltgram=debug", log)?.unwrap_or("info".to_owned()),
        })
    }
}

/// Why an API address must be one of this machine.
const LOOPBACK: &str = "IP:PORT on a loopback address such as 127.0.0.1:8881 (the API asks nobody for a password yet, so it stays on this machine)";

/// Whether a text is HOST:PORT, with an IPv6 host in brackets. Port 0 is one that the system chooses.
pub fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    if port.parse::<u16>().is_err() {
        return false;
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    SocketAddr::from_str(text).is_ok() || (!host.is_empty() && host.chars().all(is_name))
}

fn path(layers: &Layers, home: Option<&Path>) -> Result<PathBuf, ConfigError> {
    let text = layers.parse("data_dir", "a directory", |text| (!text.is_empty()).then(|| text.to_owned()))?;
    match text.as_deref().map(|text| (text, text.strip_prefix("~/"))) {
        Some((text, None)) => Ok(text.into()),
        Some((_, Some(below_home))) => Ok(home.ok_or(ConfigError::NoHome)?.join(below_home)),
        None => Ok(home.ok_or(ConfigError::NoHome)?.join(DATA_DIR_DEFAULT)),
    }
}

fn network(text: &str) -> Option<Network> {
    [Network::Bitcoin, Network::Testnet, Network::Signet, Network::Regtest]
        .into_iter()
        .find(|network| network.to_string() == text)
}

fn url(text: &str) -> Option<String> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))?;
    let plain = !rest.starts_with('/') && rest.chars().all(|c| c.is_ascii_graphic() && c != '?' && c != '#');
    (plain && !rest.is_empty()).then(|| text.trim_end_matches('/').to_owned())
}

fn loopback_address(text: &str) -> Option<SocketAddr> {
    text.parse().ok().filter(|address: &SocketAddr| address.ip().is_loopback())
}

fn alias(text: &str) -> Option<String> {
    let fits = !text.is_empty() && text.len() <= ALIAS_BYTES_MAX && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

fn log(text: &str) -> Option<String> {
    (!text.is_empty() && text.parse::<Targets>().is_ok()).then(|| text.to_owned())
}

fn addresses(layers: &Layers, key: &'static str) -> Result<Option<Vec<String>>, ConfigError> {
    let expected = "one or more HOST:PORT, at most 100";
    let Some(list) = layers.list(key, expected)? else { return Ok(None) };
    let wrong = list.iter().find(|address| !is_host_and_port(address));
    match wrong {
        None if (1..=ADDRESSES_MAX).contains(&list.len()) => Ok(Some(list)),
        _ => Err(layers.wrong(key, wrong.map_or_else(|| format!("{} addresses", list.len()), Clone::clone), expected)),
    }
}

#[cfg(test)]
mod tests;
