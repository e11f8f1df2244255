//! How a command reaches the node, and in which form it shows what it gets; and how a peer is written.

use std::{env, str::FromStr};

use boltgram_api::client::{Client, ClientError};
use boltgram_core::NodeId;

use crate::{config::GRPC_DEFAULT, output::Output};

/// The variable that names the node's gRPC address; `boltgram node` reads the same one.
const GRPC_VARIABLE: &str = "BOLTGRAM_GRPC";

/// The flags of every command that talks to a node, at any depth; they may stand before the command too.
#[derive(clap::Args, Clone, Default, Debug)]
#[command(next_help_heading = "The node")]
pub struct Remote {
    /// The node's gRPC address [env: BOLTGRAM_GRPC] [default: 127.0.0.1:8881]
    #[arg(long, value_name = "HOST:PORT", global = true)]
    grpc: Option<String>,
    /// Write JSON, also on a terminal (in a pipe it is JSON always)
    #[arg(long, global = true)]
    json: bool,
}

impl Remote {
    /// Whether any of them was given.
    pub fn is_given(&self) -> bool {
        self.grpc.is_some() || self.json
    }

    /// These, and from `other` what is absent here.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { grpc: self.grpc.or(other.grpc), json: self.json || other.json }
    }

    /// Connects to the node.
    pub async fn connect(&self) -> Result<Client, ClientError> {
        Client::connect(&self.address(env::var(GRPC_VARIABLE).ok())).await
    }

    /// Where results go.
    pub fn output(&self) -> Output {
        Output::new(self.json)
    }

    fn address(&self, variable: Option<String>) -> String {
        let variable = variable.filter(|value| !value.is_empty());
        self.grpc.clone().or(variable).unwrap_or_else(|| GRPC_DEFAULT.to_string())
    }
}

/// A peer, written `PUBKEY@HOST:PORT`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerAddress {
    /// Its public key.
    pub pubkey: NodeId,
    /// Where it listens: HOST:PORT.
    pub address: String,
}

impl FromStr for PeerAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (pubkey, address) = text.split_once('@').ok_or("give it as PUBKEY@HOST:PORT")?;
        let pubkey = pubkey.parse().map_err(|failure: boltgram_core::Failure| failure.to_string())?;
        if !crate::config::is_host_and_port(address) {
            return Err(format!("{address:?} is no address: give it as HOST:PORT"));
        }
        Ok(Self { pubkey, address: address.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_outranks_the_variable_and_that_the_default() {
        let given = Remote { grpc: Some("a:1".into()), json: false };
        assert_eq!(given.address(Some("b:2".into())), "a:1");
        assert_eq!(Remote::default().address(Some("b:2".into())), "b:2");
        assert_eq!(Remote::default().address(Some(String::new())), "127.0.0.1:8881");
        assert_eq!(Remote::default().address(None), "127.0.0.1:8881");
    }

    #[test]
    fn the_flag_after_the_command_outranks_the_one_before() {
        let (before, after) =
            (Remote { grpc: Some("a:1".into()), json: true }, Remote { grpc: Some("b:2".into()), json: false });
        let both = after.or(before);
        assert_eq!((both.grpc.as_deref(), both.json), (Some("b:2"), true));
    }
}
