//! The presets: what a network's nodes have unless their own settings say otherwise.
//!
//! They are files of `data/networks/`, built into the binary so that it needs none beside it.

use bitcoin::Network;

/// A preset.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its file in the repository.
    pub file: &'static str,
    /// The file's text: TOML, with the keys of a configuration file.
    pub text: &'static str,
}

macro_rules! preset {
    ($name:literal) => {
        Preset {
            file: concat!("data/networks/", $name, ".toml"),
            text: include_str!(concat!("../../../../data/networks/", $name, ".toml")),
        }
    };
}

/// Each network that a node can live on, with its preset.
pub const ALL: &[(Network, Preset)] = &[
    (Network::Regtest, preset!("regtest")),
    (Network::Signet, preset!("signet")),
    (Network::Testnet, preset!("testnet")),
    (Network::Bitcoin, preset!("mainnet")),
];

/// The network of this name; Bitcoin itself has two.
pub fn network(name: &str) -> Option<Network> {
    let is_named =
        |network: &Network| network.to_string() == name || (*network == Network::Bitcoin && name == "mainnet");
    ALL.iter().map(|(network, _)| *network).find(is_named)
}

/// The preset of a network.
pub fn of(network: Network) -> Option<Preset> {
    ALL.iter().find(|(of, _)| *of == network).map(|(_, preset)| *preset)
}
