//! The kinds of store that a node can keep its state in. A data folder has one kind for its life.

pub(crate) mod stock;

use std::{fmt, path::Path, str::FromStr, sync::Arc};

use ldk_node::io::sqlite_store::{KV_TABLE_NAME, SQLITE_DB_FILE_NAME, SqliteStore};

use super::{KvStore, counters::StoreCounters, memory::MemoryStore};
use crate::errors::LightningError;

/// The file of the node's own store, in ldk-node's folder.
pub(crate) const STORE_FILE: &str = "node.sqlite";

/// Where a node keeps its state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StoreKind {
    /// The node's own store, [`KvStore`].
    #[default]
    Own,
    /// ldk-node's SQLite store, for comparison: on regtest alone.
    Stock,
    /// Memory, for comparison: on regtest alone. Channels are lost with the process.
    Memory,
}

impl StoreKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Own, Self::Stock, Self::Memory];

    fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Stock => "stock",
            Self::Memory => "memory",
        }
    }

    /// Opens the store in ldk-node's folder; makes it when it isn't there.
    pub fn open(self, folder: &Path) -> Result<Arc<ldk_node::DynStore>, LightningError> {
        self.open_counted(folder).map(|(store, _)| store)
    }

    /// The same with what looks at its counts, which only the node's own store has.
    pub(crate) fn open_counted(
        self,
        folder: &Path,
    ) -> Result<(Arc<ldk_node::DynStore>, Option<StoreCounters>), LightningError> {
        let failed = |path: &Path, problem: String| LightningError::Store { path: path.to_owned(), problem };
        let store: Arc<ldk_node::DynStore> = match self {
            Self::Own => {
                let path = folder.join(STORE_FILE);
                let store = KvStore::open(&path).map_err(|error| failed(&path, error.to_string()))?;
                let counters = store.store_counters();
                return Ok((Arc::new(store), Some(counters)));
            }
            Self::Stock => {
                let (file, table) = (SQLITE_DB_FILE_NAME.to_owned(), KV_TABLE_NAME.to_owned());
                let store = SqliteStore::new(folder.to_owned(), Some(file), Some(table));
                Arc::new(store.map_err(|error| failed(folder, error.to_string()))?)
            }
            Self::Memory => Arc::new(MemoryStore::default()),
        };
        Ok((store, None))
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for StoreKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let kind = Self::ALL.into_iter().find(|kind| kind.name() == text);
        kind.ok_or_else(|| format!("{text:?} is no kind of store: give own, stock or memory"))
    }
}
