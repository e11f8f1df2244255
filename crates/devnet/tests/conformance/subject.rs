//! What a run is about: the embedded chain, a real bitcoind, or the embedded chain with a real bitcoind at its side.

use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
};

use boltgram_devnet::{Backend, BitcoindProcess, Chain};
use tempfile::TempDir;

use crate::shadow::Shadow;

/// Which backend is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// The embedded chain.
    Embedded,
    /// The backend over a bitcoind.
    Bitcoind,
    /// The embedded chain; a bitcoind must say the same to every block and transaction.
    Shadowed,
}

static MODE: OnceLock<Mode> = OnceLock::new();

/// The mode of this run.
pub fn mode() -> Mode {
    *MODE.get_or_init(|| Mode::Embedded)
}

/// Sets the mode, once.
pub fn set_mode(mode: Mode) {
    MODE.set(mode).unwrap();
}

/// A new chain of its own for a case.
pub struct Subject {
    backend: Arc<dyn Backend>,
    /// Stopped with the subject, and then its folder is removed.
    _bitcoind: Option<(BitcoindProcess, TempDir)>,
}

impl Subject {
    /// A chain with so many blocks, whose rewards are the wallet's. It blocks its thread.
    pub fn new(blocks: u32) -> Self {
        if mode() == Mode::Embedded {
            return Self { backend: Arc::new(Chain::new(blocks).unwrap()), _bitcoind: None };
        }
        let folder = tempfile::tempdir().unwrap();
        let mut process = BitcoindProcess::start(folder.path()).unwrap();
        let bitcoind = process.connect().unwrap();
        let backend: Arc<dyn Backend> = match mode() {
            Mode::Shadowed => Arc::new(Shadow::new(blocks, bitcoind)),
            _ => {
                bitcoind.premine(blocks).unwrap();
                Arc::new(bitcoind)
            }
        };
        Self { backend, _bitcoind: Some((process, folder)) }
    }

    /// The chain.
    pub fn backend(&self) -> Arc<dyn Backend> {
        self.backend.clone()
    }
}

impl Deref for Subject {
    type Target = dyn Backend;

    fn deref(&self) -> &Self::Target {
        self.backend.as_ref()
    }
}
