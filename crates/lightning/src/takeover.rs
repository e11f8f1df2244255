//! The state of a plain ldk-node, taken over once into a data folder, with no node running.
//!
//! Old channel state must never be opened again: the far side may take all of a channel's funds when it is published. So
//! the old database is renamed before the new one counts, and the data folder says so in between ([`Claimed::Takeover`]):
//!
//! 1. the database is locked and read whole, and tried out in memory with the seed: it builds a node on this network;
//! 2. the folder is marked, which keeps every node from starting in it;
//! 3. all is copied to `node.sqlite.new` in one transaction, synced, and compared, and the folder gets the seed;
//! 4. the old database is renamed to `.taken-over`;
//! 5. the copy gets its name, and the folder its kind of store.
//!
//! After a crash before the fourth step the old database is still what counts, and after it the copy is; either way the
//! same command, given again, goes on. After an error in the third step the mark is taken back.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use boltgram_core::NodeId;
use ldk_node::{BuildError, bitcoin::Network, io::sqlite_store::SQLITE_DB_FILE_NAME};

use crate::{
    build,
    config::{Checked, NodeConfig},
    data_dir::{Claimed, DataDir, make_private_folder, sync_folder},
    errors::LightningError,
    kv::kind::{
        STORE_FILE, StoreKind,
        stock::{Entries, StockFile, log_of},
    },
    node::OwnRuntime,
    panics::Marker,
    seed::{self, Seed},
};

/// What is to be taken over, and where to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Takeover {
    /// The data folder that gets it. It may be new.
    pub data_dir: PathBuf,
    /// The node's network; `None`: what the data folder says.
    pub network: Option<Network>,
    /// The old database, or its folder; `None`: that of this data folder, whose kind of store is `stock`.
    pub from: Option<PathBuf>,
}

/// What was taken over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TakenOver {
    /// The node.
    pub node_id: NodeId,
    /// How many keys were taken over.
    pub keys: usize,
    /// The bytes of their values.
    pub bytes: u64,
    /// Where the old database is now.
    pub old_file: PathBuf,
}

/// The steps, as far as they change something. After each the process may be killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Marked,
    Copied,
    SeedKept,
    OldRenamed,
    CopyInPlace,
}

impl Takeover {
    /// Where the old database is, or was.
    pub fn old_file(&self) -> PathBuf {
        match &self.from {
            Some(path) if path.is_dir() => path.join(SQLITE_DB_FILE_NAME),
            Some(path) => path.clone(),
            None => self.data_dir.join("ldk").join(SQLITE_DB_FILE_NAME),
        }
    }

    /// Takes over. Blocks on the disk; touches no network. After an error the same call may be made again, and until the
    /// old database is renamed it is what counts.
    pub fn run(&self) -> Result<TakenOver, LightningError> {
        self.run_with(&mut |_| {})
    }

    fn run_with(&self, after: &mut dyn FnMut(Step)) -> Result<TakenOver, LightningError> {
        let data_dir = DataDir::lock(&self.data_dir)?;
        let files = self.files(&data_dir)?;
        let network = self.network(&data_dir)?;
        let store = data_dir.store()?;
        files.check(&store)?;

        // Also a database that was renamed before a crash: it is what the copy is compared with.
        let is_renamed = !files.old.exists();
        let found = if is_renamed { &files.renamed } else { &files.old };
        let refused = |problem: String| refused(found, problem);
        if is_open_elsewhere(found) {
            return Err(refused("another process has it open: stop the program that runs this node".to_owned()));
        }
        let locked = StockFile::lock(found).map_err(refused)?;
        let entries = locked.entries().map_err(refused)?;
        let seed = files.seed(&data_dir)?;
        let node_id = try_out(&entries, &seed, network, found)?;

        if !is_renamed {
            data_dir.claim_for(network)?;
            data_dir.set_store(&Claimed::Takeover)?;
            after(Step::Marked);
            if let Err(error) = files.copy(&data_dir, &entries) {
                data_dir.set_store(&files.before(&store))?;
                // What is left of it goes with the next try.
                let _ = files.remove_copy();
                return Err(error);
            }
            after(Step::Copied);
            // From here the mark stays: with the seed alone a node would start with no channels.
            if seed::read(&data_dir)?.is_none() {
                seed::keep(&data_dir, &seed)?;
            }
            after(Step::SeedKept);
            files.rename_old()?;
            after(Step::OldRenamed);
        }
        drop(locked);
        files.put_in_place(&entries)?;
        after(Step::CopyInPlace);
        data_dir.set_store(&Claimed::Kind(StoreKind::Own.to_string()))?;
        Ok(TakenOver { node_id, keys: entries.count(), bytes: entries.bytes(), old_file: files.renamed })
    }

    fn files(&self, data_dir: &DataDir) -> Result<Files, LightningError> {
        let old = self.old_file();
        let with = |path: &Path, end: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        let new = data_dir.ldk().join(STORE_FILE);
        let same_folder =
            |a: &Path, b: &Path| a.canonicalize().ok().is_some_and(|a| b.canonicalize().is_ok_and(|b| a == b));
        Ok(Files {
            is_own: old.parent().is_some_and(|folder| same_folder(folder, &data_dir.ldk())),
            renamed: with(&old, ".taken-over"),
            copy: with(&new, ".new"),
            old,
            new,
        })
    }

    /// The network that was asked for, which must be the folder's if it has one.
    fn network(&self, data_dir: &DataDir) -> Result<Network, LightningError> {
        let found = data_dir.network()?;
        let of_folder = found.as_deref().and_then(|name| name.parse::<Network>().ok());
        match (self.network, of_folder) {
            (None, Some(network)) => Ok(network),
            (Some(wanted), None) if found.is_none() => Ok(wanted),
            (Some(wanted), Some(network)) if wanted == network => Ok(wanted),
            (Some(wanted), _) => Err(LightningError::OtherNetwork {
                path: self.data_dir.clone(),
                found: found.unwrap_or_default(),
                wanted: wanted.to_string(),
            }),
            (None, None) => Err(LightningError::Config {
                field: "the network",
                problem: format!("{} doesn't say which it is: give it", self.data_dir.display()),
            }),
        }
    }
}

/// The files of a takeover.
struct Files {
    /// Whether the old database is in the data folder itself.
    is_own: bool,
    old: PathBuf,
    renamed: PathBuf,
    copy: PathBuf,
    new: PathBuf,
}

impl Files {
    /// Refuses what must not be taken over. Nothing is touched.
    fn check(&self, store: &Claimed) -> Result<(), LightningError> {
        let refused = |problem: &str| Err(refused(&self.old, problem));
        match store {
            Claimed::Kind(kind) if *kind == StoreKind::Own.to_string() => {
                return refused("this data folder has a store of its own already, which is never overwritten");
            }
            Claimed::Kind(_) if !self.is_own => return refused("this data folder has another node's state already"),
            Claimed::Kind(_) | Claimed::Nothing | Claimed::Takeover => {}
        }
        let is_begun = *store == Claimed::Takeover;
        match (self.old.exists(), self.renamed.exists()) {
            (true, true) => refused("there is one with `.taken-over` at its end already: move one of them away"),
            (false, true) if is_begun => Ok(()),
            (false, true) => refused("it was taken over already"),
            (false, false) => refused("there is no such file: give the folder of the node with --from"),
            (true, false) if self.new.exists() => {
                refused("this data folder has a store of its own already, which is never overwritten")
            }
            (true, false) if !self.is_own && self.is_in_a_data_folder() => {
                refused("it is the state of a data folder of boltgram: give that one with --data-dir, and no --from")
            }
            (true, false) => Ok(()),
        }
    }

    /// Whether the old database is a data folder's own, which would go on to say that it is there.
    fn is_in_a_data_folder(&self) -> bool {
        self.old.parent().and_then(Path::parent).is_some_and(DataDir::is_one)
    }

    /// The data folder's seed, else that of the old node's folder.
    fn seed(&self, data_dir: &DataDir) -> Result<Seed, LightningError> {
        if let Some(seed) = seed::read(data_dir)? {
            return Ok(seed);
        }
        let of_ldk_node = self.old.parent().map(seed::read_of_ldk_node).transpose()?.flatten();
        of_ldk_node.ok_or_else(|| {
            let seed = data_dir.path().join("seed");
            let problem =
                format!("there is no keys_seed beside it: write the node's 24 words into {} first", seed.display());
            refused(&self.old, problem)
        })
    }

    /// Copies all, so that it is there after a power failure too.
    fn copy(&self, data_dir: &DataDir, entries: &Entries) -> Result<(), LightningError> {
        make_private_folder(&data_dir.ldk())?;
        self.remove_copy()?;
        entries.write_to(&self.copy).map_err(|problem| refused(&self.old, problem))?;
        sync_folder(&data_dir.ldk())?;
        sync_folder(data_dir.path())
    }

    /// A copy that was begun and not ended.
    fn remove_copy(&self) -> Result<(), LightningError> {
        for path in [self.copy.clone(), log_of(&self.copy)].iter().filter(|path| path.exists()) {
            fs::remove_file(path).map_err(LightningError::file("remove", path))?;
        }
        Ok(())
    }

    fn rename_old(&self) -> Result<(), LightningError> {
        fs::rename(&self.old, &self.renamed).map_err(LightningError::file("rename", &self.old))?;
        self.old.parent().map_or(Ok(()), sync_folder)
    }

    /// Gives the copy its name, unless it has it already.
    fn put_in_place(&self, entries: &Entries) -> Result<(), LightningError> {
        let is_there = if self.new.exists() { &self.new } else { &self.copy };
        entries.is_in(is_there).map_err(|problem| refused(&self.renamed, problem))?;
        if is_there == &self.copy {
            fs::rename(&self.copy, &self.new).map_err(LightningError::file("rename", &self.copy))?;
        }
        self.new.parent().map_or(Ok(()), sync_folder)
    }

    /// What the folder said of its store before the takeover was begun, maybe by a process that was killed in it.
    fn before(&self, store: &Claimed) -> Claimed {
        match store {
            Claimed::Nothing => Claimed::Nothing,
            Claimed::Kind(_) | Claimed::Takeover if self.is_own => Claimed::Kind(StoreKind::Stock.to_string()),
            Claimed::Kind(_) | Claimed::Takeover => Claimed::Nothing,
        }
    }
}

/// Builds a node over the state in memory: it must be of this seed and network. It is never started, so it does nothing.
fn try_out(entries: &Entries, seed: &Seed, network: Network, found: &Path) -> Result<NodeId, LightningError> {
    if entries.count() == 0 {
        return Err(refused(found, "it holds nothing"));
    }
    let store = entries.in_memory().map_err(|problem| refused(found, problem))?;
    let config = Checked::new(NodeConfig::new(found, network, "http://127.0.0.1:1"))?;
    let runtime = OwnRuntime::new()?;
    let _context = runtime.handle.enter();
    let _marker = Marker::enter();
    let built = build::build_over(Arc::new(store), &config, found.to_owned(), seed, runtime.handle.clone());
    match built {
        Ok(node) => Ok(node.node_id().into()),
        Err(LightningError::Build { source: BuildError::NetworkMismatch, .. }) => {
            Err(refused(found, format!("it is of another network than {network}")))
        }
        Err(LightningError::Build { source: BuildError::WalletSetupFailed, .. }) => {
            Err(refused(found, "its wallet is not of this seed"))
        }
        Err(LightningError::Build { source, .. }) => {
            Err(refused(found, format!("no node can be built from it: {source}")))
        }
        Err(error) => Err(error),
    }
}

fn refused(path: &Path, problem: impl Into<String>) -> LightningError {
    LightningError::Takeover { path: path.to_owned(), problem: problem.into() }
}

/// Whether another process has this file open, as far as Linux tells: ldk-node has no lock that would.
fn is_open_elsewhere(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(file) = fs::metadata(path) else { return false };
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let others = processes.filter(|process| process.file_name() != *own);
    let mut open = others.flat_map(|process| fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten());
    open.any(|open| fs::metadata(open.path()).is_ok_and(|open| (open.dev(), open.ino()) == (file.dev(), file.ino())))
}

#[cfg(test)]
mod tests;
