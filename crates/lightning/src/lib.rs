//! The embedded Lightning node: the only crate that names ldk_node.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | what a node is made from |
//! | `data_dir`, `seed` | the data folder, its lock and network; the seed |
//! | `build` | from a configuration to ldk-node's node |
//! | [`node`] | the node: built, run, stopped, and its own account of its state |
//! | `supervise`, `esplora` | its life on its one thread: the start with retries, the stop |
//! | `pump`, `caught_up` | its events, handed on one by one; when those from before a start were |
//! | `settled` | who waits for the end of which payment |
//! | [`takeover`] | the state of a plain ldk-node, taken over once |
//! | `watch` | its Esplora server, watched while it runs |
//! | `links`, `redial` | its channels, watched: who can be paid again; lost peers, dialled again |
//! | `disk` | how much is free on its disk, and when that is too little |
//! | `transport`, `check` | keysend payments out, and why one can't be sent |
//! | `closed` | which HTLCs of closed channels may still be claimed |
//! | [`control`] | what an operator looks at and does |
//! | [`kv`] | the node's own key-value store |
//! | `logger`, [`panics`] | its log lines and its panics |
//! | [`limits`], [`errors`] | this crate's own bounds and errors |
//!
//! What does not live here: the message store, and anything of gRPC. The library never ends the process, but in the
//! panic hook: at [`Phase::Failed`] the program is to.

pub mod config;
pub mod control;
pub mod errors;
pub mod kv;
pub mod limits;
pub mod node;
pub mod panics;

mod build;
mod caught_up;
mod check;
mod closed;
mod data_dir;
mod disk;
mod esplora;
mod links;
mod logger;
mod pump;
mod redial;
mod seed;
mod settled;
mod supervise;
pub mod takeover;
mod transport;
mod watch;

pub use config::{Gossip, Lsp, NodeConfig};
pub use control::{Balances, Channel, JitInvoice, JitInvoiceRequest, NodeInfo, OpenChannel, Opened, Peer};
pub use errors::LightningError;
pub use ldk_node::bitcoin::Network;
pub use node::{Node, Phase, Status};
pub use panics::{EXIT_CODE_NODE_PANIC, install_panic_hook};
pub use seed::read_seed;
