//! The data folder: whose it is, and for which network. The seed in it is [`crate::seed`]'s.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use ldk_node::bitcoin::Network;
use zeroize::Zeroizing;

use crate::{errors::LightningError, kv::kind::StoreKind, limits::SMALL_FILE_BYTES_MAX};

/// ldk-node's own folder in the data folder.
const LDK_FOLDER: &str = "ldk";

/// The file whose lock tells that a process has the folder.
const LOCK_FILE: &str = "node.lock";

/// The file that names the network.
const NETWORK_FILE: &str = "network";

/// The file that names the kind of store.
const STORE_FILE: &str = "store";

/// What stands in it from a takeover's begin to its end, so that no node starts in between.
const TAKEOVER: &str = "takeover";

/// A data folder that this process has, until it is dropped.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    /// The lock goes with the file's last handle, also when the process is killed.
    _lock: File,
}

impl DataDir {
    /// Makes the folder if it is missing, takes its lock, and sees to it that it belongs to this network.
    pub(crate) fn open(path: &Path, network: Network) -> Result<Self, LightningError> {
        let data_dir = Self::lock(path)?;
        data_dir.claim_for(network)?;
        Ok(data_dir)
    }

    /// The same for any network: nothing but the folder and its lock is made.
    pub(crate) fn lock(path: &Path) -> Result<Self, LightningError> {
        make_private_folder(path)?;
        Ok(Self { path: path.to_owned(), _lock: lock(path)? })
    }

    /// Whether a folder is a data folder that a node has used.
    pub(crate) fn is_one(path: &Path) -> bool {
        path.join(LOCK_FILE).is_file() && path.join(NETWORK_FILE).is_file()
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// ldk-node's own folder.
    pub(crate) fn ldk(&self) -> PathBuf {
        self.path.join(LDK_FOLDER)
    }

    /// The folder's network is written once, before there is a seed, and never changes.
    pub(crate) fn claim_for(&self, network: Network) -> Result<(), LightningError> {
        let wanted = network.to_string();
        let found = self.claim(NETWORK_FILE, &wanted)?;
        if found != wanted {
            return Err(LightningError::OtherNetwork { path: self.path.clone(), found, wanted });
        }
        Ok(())
    }

    /// The network that the folder is for, if that is written already.
    pub(crate) fn network(&self) -> Result<Option<String>, LightningError> {
        self.read(NETWORK_FILE)
    }

    /// The kind of the folder's store is written once, too; only a takeover changes it.
    pub(crate) fn claim_store(&self, kind: StoreKind) -> Result<(), LightningError> {
        let wanted = kind.to_string();
        let found = self.claim(STORE_FILE, &wanted)?;
        if found == TAKEOVER {
            return Err(LightningError::TakeoverUnfinished { path: self.path.clone() });
        }
        if found != wanted {
            return Err(LightningError::OtherStore { path: self.path.clone(), found, wanted });
        }
        Ok(())
    }

    /// The kind of the folder's store, if that is written already.
    pub(crate) fn store(&self) -> Result<Claimed, LightningError> {
        let found = self.read(STORE_FILE)?;
        Ok(found.map_or(Claimed::Nothing, |found| match found.as_str() {
            TAKEOVER => Claimed::Takeover,
            _ => Claimed::Kind(found),
        }))
    }

    /// Writes what the folder's store is, whatever it was.
    pub(crate) fn set_store(&self, store: &Claimed) -> Result<(), LightningError> {
        match store {
            Claimed::Kind(kind) => self.write(STORE_FILE, kind),
            Claimed::Takeover => self.write(STORE_FILE, TAKEOVER),
            Claimed::Nothing => {
                let path = self.path.join(STORE_FILE);
                fs::remove_file(&path).map_err(LightningError::file("remove", &path))?;
                sync_folder(&self.path)
            }
        }
    }

    /// What stands in a file that is written once; `wanted` is written when it isn't there yet.
    fn claim(&self, file: &str, wanted: &str) -> Result<String, LightningError> {
        if let Some(found) = self.read(file)? {
            return Ok(found);
        }
        self.write(file, wanted)?;
        Ok(wanted.to_owned())
    }

    fn read(&self, file: &str) -> Result<Option<String>, LightningError> {
        let path = self.path.join(file);
        match read_small(&path) {
            Ok(found) => Ok(Some(found.trim().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LightningError::file("read", &path)(error)),
        }
    }

    fn write(&self, file: &str, text: &str) -> Result<(), LightningError> {
        // A rename: after a crash the file is there whole, or as it was.
        let (new, path) = (self.path.join(format!("{file}.new")), self.path.join(file));
        let written = File::create(&new).and_then(|mut file| {
            writeln!(file, "{text}")?;
            file.sync_all()
        });
        written.and_then(|()| fs::rename(&new, &path)).map_err(LightningError::file("write", &path))?;
        sync_folder(&self.path)
    }
}

/// What a data folder says of its store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Claimed {
    /// Nothing yet.
    Nothing,
    /// Its kind, by name.
    Kind(String),
    /// That a takeover was begun and has not ended.
    Takeover,
}

/// Makes a folder that only this user can look into. One that exists is left as it is.
pub(crate) fn make_private_folder(path: &Path) -> Result<(), LightningError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(LightningError::file("make the folder", path))
}

/// Makes a folder's entries survive a power cut.
pub(crate) fn sync_folder(path: &Path) -> Result<(), LightningError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(LightningError::file("write", path))
}

/// Reads a small file's text, which is wiped from memory after its use.
pub(crate) fn read_small(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(SMALL_FILE_BYTES_MAX as usize + 1));
    File::open(path)?.take(SMALL_FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    Ok(text)
}

// ldk-node has no lock of its own, and two processes on one folder can cost the funds.
fn lock(folder: &Path) -> Result<File, LightningError> {
    let path = folder.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(LightningError::file("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LightningError::DataDirInUse { path: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(LightningError::file("lock", &path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(result: Result<DataDir, LightningError>) -> &'static str {
        result.unwrap_err().code()
    }

    #[test]
    fn a_folder_has_one_user_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDir::open(folder.path(), Network::Regtest).unwrap();
        assert_eq!(code(DataDir::open(folder.path(), Network::Regtest)), "DATA_DIR_IN_USE");
        drop(first);
        DataDir::open(folder.path(), Network::Regtest).unwrap();
    }

    #[test]
    fn a_folder_of_another_network_is_refused_with_both_names() {
        let folder = tempfile::tempdir().unwrap();
        drop(DataDir::open(folder.path(), Network::Signet).unwrap());
        let error = DataDir::open(folder.path(), Network::Bitcoin).unwrap_err();
        assert_eq!(error.code(), "OTHER_NETWORK");
        assert!(error.to_string().contains("signet") && error.to_string().contains("bitcoin"), "{error}");
        DataDir::open(folder.path(), Network::Signet).unwrap();
    }

    #[test]
    fn a_folder_keeps_its_kind_of_store() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(folder.path(), Network::Regtest).unwrap();
        data_dir.claim_store(StoreKind::Own).unwrap();
        data_dir.claim_store(StoreKind::Own).unwrap();
        for other in [StoreKind::Stock, StoreKind::Memory] {
            assert_eq!(data_dir.claim_store(other).unwrap_err().code(), "OTHER_STORE");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_a_clear_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = DataDir::open(&file.join("data"), Network::Regtest).unwrap_err();
        assert!(error.to_string().contains("make the folder"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_new_folder_is_closed_to_others() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(&folder.path().join("a/b"), Network::Regtest).unwrap();
        assert_eq!(fs::metadata(data_dir.path()).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
