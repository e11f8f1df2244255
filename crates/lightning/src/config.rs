//! What a node is made from, and what of it is checked before anything is touched.

use std::{fmt, path::PathBuf};

use boltgram_core::{
    NodeId,
    limits::{RECORD_TYPE_DEFAULT, RECORD_TYPE_MIN},
};
use ldk_node::{bitcoin::Network, lightning::ln::msgs::SocketAddress};

use crate::{
    errors::LightningError,
    kv::kind::StoreKind,
    limits::{ADDRESSES_MAX, ALIAS_BYTES_MAX, DISK_LOW_WATER_BYTES_DEFAULT},
};

/// Where a node learns of the channels of others, which it needs for payments over several hops.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Gossip {
    /// From its peers (BOLT 7), each message checked.
    P2p,
    /// From the rapid gossip sync server with this base address, such as `https://HOST/snapshot`: quick, and the
    /// server is trusted not to leave out channels.
    RapidSync(String),
}

/// A provider of just-in-time channels (LSPS2, bLIP 52). Its channels are used before they are confirmed, and with no
/// coins kept back for them on chain, so that a node can begin with none: it is trusted not to cheat.
#[derive(Clone, PartialEq, Eq)]
pub struct Lsp {
    /// Its public key.
    pub node_id: NodeId,
    /// Where it listens: HOST:PORT.
    pub address: String,
    /// What it knows this node's operator by, if it asks for that.
    pub token: Option<String>,
}

/// Without the token.
impl fmt::Debug for Lsp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lsp").field("node_id", &self.node_id).field("address", &self.address).finish_non_exhaustive()
    }
}

/// What a node is made from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeConfig {
    /// The data folder: the seed stands in it, and ldk-node's own folder `ldk`. It is made when it is missing.
    pub data_dir: PathBuf,
    /// The network.
    pub network: Network,
    /// The Esplora server's base address, such as `https://blockstream.info/api`.
    pub esplora_url: String,
    /// Where to listen for Lightning peers, each as HOST:PORT with a port of its own; empty: nowhere.
    pub listen: Vec<String>,
    /// What to announce as this node's addresses, each as HOST:PORT. Empty: the listening addresses, but those that
    /// stand for every interface.
    pub announce_addresses: Vec<String>,
    /// The alias, at most 32 bytes. It is announced only by a node that listens.
    pub alias: Option<String>,
    /// The TLV record type of the messages; it decides how much a record holds.
    pub record_type: u64,
    /// Peers whose channels are used before their funding is confirmed. They can cheat: only one's own nodes.
    pub trusted_peers_0conf: Vec<NodeId>,
    /// Where it keeps its state; another kind than its own on regtest alone.
    pub store: StoreKind,
    /// With less free on the data folder's disk than this, in bytes, it stops until there is room; 0: it is not looked.
    pub disk_low_water_bytes: u64,
    /// Where it learns of the channels of others.
    pub gossip: Gossip,
    /// Who opens a channel to this node when a payment comes that none of its channels can take.
    pub lsp: Option<Lsp>,
}

impl NodeConfig {
    /// A node that listens nowhere, has no alias, and learns of channels from its peers.
    pub fn new(data_dir: impl Into<PathBuf>, network: Network, esplora_url: impl Into<String>) -> Self {
        Self {
            data_dir: data_dir.into(),
            network,
            esplora_url: esplora_url.into(),
            listen: Vec::new(),
            announce_addresses: Vec::new(),
            alias: None,
            record_type: RECORD_TYPE_DEFAULT,
            trusted_peers_0conf: Vec::new(),
            store: StoreKind::Own,
            disk_low_water_bytes: DISK_LOW_WATER_BYTES_DEFAULT,
            gossip: Gossip::P2p,
            lsp: None,
        }
    }
}

/// A configuration that has been checked.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) data_dir: PathBuf,
    pub(crate) network: Network,
    /// Without a slash at its end.
    pub(crate) esplora_url: String,
    pub(crate) listen: Vec<SocketAddress>,
    pub(crate) announce: Vec<SocketAddress>,
    pub(crate) alias: Option<String>,
    pub(crate) record_type: u64,
    pub(crate) trusted_peers_0conf: Vec<NodeId>,
    pub(crate) store: StoreKind,
    pub(crate) disk_low_water_bytes: u64,
    /// A server's address is without a slash at its end.
    pub(crate) gossip: Gossip,
    pub(crate) lsp: Option<CheckedLsp>,
}

/// A provider of just-in-time channels that has been checked.
#[derive(Clone)]
pub(crate) struct CheckedLsp {
    pub(crate) node_id: NodeId,
    pub(crate) address: SocketAddress,
    pub(crate) token: Option<String>,
}

/// Without the token.
impl fmt::Debug for CheckedLsp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.node_id, self.address)
    }
}

impl Checked {
    /// Checks what can be checked without touching anything.
    pub(crate) fn new(config: NodeConfig) -> Result<Self, LightningError> {
        let esplora_url = url("the Esplora address", &config.esplora_url)?;
        let gossip = match config.gossip {
            Gossip::P2p => Gossip::P2p,
            Gossip::RapidSync(server) => Gossip::RapidSync(url("the rapid gossip sync address", &server)?),
        };
        let lsp = config.lsp.map(|lsp| {
            let address = address(&lsp.address).map_err(|problem| invalid("the LSP's address", problem))?;
            Ok(CheckedLsp { node_id: lsp.node_id, address, token: lsp.token })
        });
        if config.record_type < RECORD_TYPE_MIN || config.record_type.is_multiple_of(2) {
            let problem =
                format!("take an odd number from {RECORD_TYPE_MIN} up: ldk-node refuses payments with an even one");
            return Err(invalid("the record type", problem));
        }
        if config.alias.as_ref().is_some_and(|alias| alias.is_empty() || alias.len() > ALIAS_BYTES_MAX) {
            return Err(invalid("the alias", format!("give it 1 to {ALIAS_BYTES_MAX} bytes")));
        }
        if config.store != StoreKind::Own && config.network != Network::Regtest {
            let problem = format!("{} is for comparison on regtest alone: leave it out", config.store);
            return Err(invalid("the kind of store", problem));
        }
        let listen = addresses("the listening address", &config.listen)?;
        let announce = match config.announce_addresses.is_empty() {
            true => listen.iter().filter(|address| !is_unspecified(address)).cloned().collect(),
            false => addresses("the announced address", &config.announce_addresses)?,
        };
        Ok(Self {
            data_dir: config.data_dir,
            network: config.network,
            esplora_url,
            listen,
            announce,
            alias: config.alias,
            record_type: config.record_type,
            trusted_peers_0conf: config.trusted_peers_0conf,
            store: config.store,
            disk_low_water_bytes: config.disk_low_water_bytes,
            gossip,
            lsp: lsp.transpose()?,
        })
    }

    /// The Esplora server's address as it may be shown: without a user name and password.
    pub(crate) fn esplora_shown(&self) -> String {
        match self.esplora_url.split_once("://") {
            Some((scheme, rest)) => {
                let (authority, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
                let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
                let path = path.map(|path| format!("/{path}")).unwrap_or_default();
                format!("{scheme}://{host}{path}")
            }
            None => self.esplora_url.clone(),
        }
    }
}

fn invalid(field: &'static str, problem: impl Into<String>) -> LightningError {
    LightningError::Config { field, problem: problem.into() }
}

/// An address of an HTTP server, without a slash at its end.
fn url(field: &'static str, text: &str) -> Result<String, LightningError> {
    let is_http = text.starts_with("http://") || text.starts_with("https://");
    match is_http {
        true => Ok(text.trim_end_matches('/').to_owned()),
        false => Err(invalid(field, "give it as http://HOST:PORT or https://HOST/PATH")),
    }
}

fn addresses(field: &'static str, texts: &[String]) -> Result<Vec<SocketAddress>, LightningError> {
    if texts.len() > ADDRESSES_MAX {
        return Err(invalid(field, format!("give at most {ADDRESSES_MAX}")));
    }
    texts.iter().map(|text| address(text).map_err(|problem| invalid(field, problem))).collect()
}

/// Reads HOST:PORT, with a port that isn't 0.
pub(crate) fn address(text: &str) -> Result<SocketAddress, String> {
    let problem = || format!("{text:?}: give it as HOST:PORT, such as 192.0.2.1:9735 or [2001:db8::1]:9735");
    let address: SocketAddress = text.parse().map_err(|_| problem())?;
    match &address {
        SocketAddress::TcpIpV4 { port: 0, .. }
        | SocketAddress::TcpIpV6 { port: 0, .. }
        | SocketAddress::Hostname { port: 0, .. } => Err(problem()),
        SocketAddress::Hostname { hostname, .. } if hostname.is_empty() => Err(problem()),
        _ => Ok(address),
    }
}

fn is_unspecified(address: &SocketAddress) -> bool {
    match address {
        SocketAddress::TcpIpV4 { addr, .. } => *addr == [0; 4],
        SocketAddress::TcpIpV6 { addr, .. } => *addr == [0; 16],
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> NodeConfig {
        NodeConfig::new("/nowhere", Network::Regtest, "http://127.0.0.1:1")
    }

    fn problem(config: NodeConfig) -> String {
        Checked::new(config).unwrap_err().to_string()
    }

    #[test]
    fn each_wrong_value_is_named() {
        let url = |url: &str| NodeConfig { esplora_url: url.into(), ..config() };
        assert!(problem(url("")).contains("Esplora address"));
        assert!(problem(url("ftp://x")).contains("Esplora address"));
        let gossip = Gossip::RapidSync("rapidsync.example".into());
        assert!(problem(NodeConfig { gossip, ..config() }).contains("rapid gossip sync address"));
        let node_id = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".parse().unwrap();
        let lsp = Lsp { node_id, address: "lsp.example".into(), token: Some("hunter2".into()) };
        assert!(!format!("{lsp:?}").contains("hunter2"));
        assert!(problem(NodeConfig { lsp: Some(lsp), ..config() }).contains("LSP's address"));
        for record_type in [0, 65_535, 65_536, 400_000] {
            assert!(problem(NodeConfig { record_type, ..config() }).contains("record type"), "{record_type}");
        }
        for alias in [String::new(), "a".repeat(33)] {
            assert!(problem(NodeConfig { alias: Some(alias), ..config() }).contains("alias"));
        }
        for listen in ["", "9735", ":9735", "localhost", "127.0.0.1:0", "[::1]:0", "localhost:x", "127.0.0.1:99999"] {
            let shown = problem(NodeConfig { listen: vec![listen.into()], ..config() });
            assert!(shown.contains("listening address") && shown.contains("HOST:PORT"), "{listen}: {shown}");
        }
        let announce_addresses = vec!["127.0.0.1:9735".into(); ADDRESSES_MAX + 1];
        assert!(problem(NodeConfig { announce_addresses, ..config() }).contains("announced address"));
    }

    #[test]
    fn an_address_for_every_interface_is_never_announced() {
        let listen = ["0.0.0.0:9735", "[::]:9735", "192.0.2.1:9735", "localhost:9736"].map(String::from).to_vec();
        let announced = Checked::new(NodeConfig { listen, ..config() }).unwrap().announce;
        assert_eq!(announced.iter().map(ToString::to_string).collect::<Vec<_>>(), ["192.0.2.1:9735", "localhost:9736"]);
    }

    #[test]
    fn a_password_in_the_esplora_address_is_never_shown() {
        for (url, shown) in [
            ("http://user:secret@host:3000/api/", "http://host:3000/api"),
            ("http://user:sec@ret@host", "http://host"),
            ("https://blockstream.info/api", "https://blockstream.info/api"),
        ] {
            let config = NodeConfig { esplora_url: url.into(), ..config() };
            assert_eq!(Checked::new(config).unwrap().esplora_shown(), shown);
        }
    }
}
