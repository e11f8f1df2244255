//! A private regtest in one process, with the Esplora API that ldk-node and wallets speak, plus mine and fund.
//!
//! | module | what it holds |
//! |---|---|
//! | [`devnet`] | the running devnet: start, mine, fund, stop |
//! | [`backend`] | the seam between the HTTP API and a chain |
//! | [`chain`] | the embedded chain behind it |
//! | [`bitcoind`] | a real bitcoind behind it |
//! | `ledger`, `index` | blocks, and transactions by id, by output and by script: what both answer from |
//! | `bounds` | what may be asked of either |
//! | `esplora` | the HTTP API of Blockstream's Esplora |
//! | `control` | what Esplora doesn't have: mine, fund, invalidate |
//! | `http` | what both share: how a handler reaches the backend, how an error looks |
//! | [`error`] | what can go wrong, refused transactions in bitcoind's words |
//! | [`limits`] | every bound, with its unit |
//!
//! What does not live here: Lightning, and anything else of boltgram. The crate knows none of the others.

pub mod backend;
pub mod bitcoind;
mod bounds;
pub mod chain;
mod control;
pub mod devnet;
pub mod error;
mod esplora;
mod http;
mod index;
mod ledger;
pub mod limits;

pub use backend::Backend;
pub use bitcoind::{Bitcoind, BitcoindConfig, BitcoindLogin, BitcoindProcess};
pub use chain::Chain;
pub use devnet::{Devnet, DevnetConfig};
pub use error::{DevnetError, Rejection};
