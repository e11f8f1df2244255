//! A key of ldk-node's store, and how durable what stands under it must be.

use std::fmt;

use ldk_node::lightning::io;

/// Two namespaces and a name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Key {
    pub(super) primary: String,
    pub(super) secondary: String,
    pub(super) name: String,
}

/// How durable a write must be before it is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Durability {
    /// Synced to the disk.
    Synced,
    /// In the log; the next sync carries it. Lost by a power failure at most, never by the process's end.
    Logged,
}

/// What a key holds, for the counters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A whole channel monitor, archived ones included.
    Monitor,
    /// An update of a channel monitor.
    MonitorUpdate,
    /// The channel manager.
    Manager,
    /// A payment of ldk-node's list.
    Payment,
    /// The event queue.
    Events,
    /// The scorer, the network graph, and the node's metrics.
    Gossip,
    /// Anything else: wallet, peers, sweeper.
    Other,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Monitor, Self::MonitorUpdate, Self::Manager, Self::Payment, Self::Events, Self::Gossip, Self::Other];
}

impl Key {
    /// A key of these parts; refused when the name is empty, or only the first namespace is.
    pub(super) fn new(primary: &str, secondary: &str, name: &str) -> Result<Self, io::Error> {
        if name.is_empty() || (primary.is_empty() && !secondary.is_empty()) {
            let message = format!("{primary}/{secondary}/{name} is no key of the node's store");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Ok(Self { primary: primary.into(), secondary: secondary.into(), name: name.into() })
    }

    /// Where ldk-node 0.7.1 keeps its event queue (its `io/mod.rs`).
    pub(super) fn events() -> Self {
        Self { primary: String::new(), secondary: String::new(), name: "events".into() }
    }

    /// What stands here, by the names of ldk-node 0.7.1 (`io/mod.rs`) and LDK 0.2.7 (`util/persist.rs`).
    pub(super) fn kind(&self) -> Kind {
        match (self.primary.as_str(), self.secondary.as_str(), self.name.as_str()) {
            ("monitors" | "archived_monitors", _, _) => Kind::Monitor,
            ("monitor_updates", _, _) => Kind::MonitorUpdate,
            ("payments", "", _) => Kind::Payment,
            ("", "", "manager") => Kind::Manager,
            ("", "", "events") => Kind::Events,
            ("", "", "scorer" | "network_graph" | "node_metrics") => Kind::Gossip,
            _ => Kind::Other,
        }
    }

    /// How durable a write here must be.
    ///
    /// An event that is lost by a power failure comes again: LDK keeps it until the manager is written after it, to the
    /// same log and synced. Payments and what gossip has taught are kept anew.
    pub(super) fn durability(&self) -> Durability {
        match self.kind() {
            Kind::Payment | Kind::Events | Kind::Gossip => Durability::Logged,
            Kind::Monitor | Kind::MonitorUpdate | Kind::Manager | Kind::Other => Durability::Synced,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.primary, self.secondary, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_again_may_be_acknowledged_unsynced() {
        for (primary, secondary, name, kind, durability) in [
            ("monitors", "", "ab_0", Kind::Monitor, Durability::Synced),
            ("archived_monitors", "", "ab_0", Kind::Monitor, Durability::Synced),
            ("monitor_updates", "ab_0", "7", Kind::MonitorUpdate, Durability::Synced),
            ("", "", "manager", Kind::Manager, Durability::Synced),
            ("", "", "events", Kind::Events, Durability::Logged),
            ("payments", "", "ab", Kind::Payment, Durability::Logged),
            ("", "", "scorer", Kind::Gossip, Durability::Logged),
            ("", "", "network_graph", Kind::Gossip, Durability::Logged),
            ("", "", "node_metrics", Kind::Gossip, Durability::Logged),
            ("", "", "peers", Kind::Other, Durability::Synced),
            ("bdk_wallet", "", "tx_graph", Kind::Other, Durability::Synced),
            ("something", "new", "x", Kind::Other, Durability::Synced),
        ] {
            let key = Key::new(primary, secondary, name).unwrap();
            assert_eq!((key.kind(), key.durability()), (kind, durability), "{key}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert!(Key::new("a", "b", "").is_err());
        assert!(Key::new("", "b", "c").is_err());
    }
}
