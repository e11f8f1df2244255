//! Online backup: a copy of the store as it is at one moment, made while messages come and go.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use crate::{Store, StoreError};

impl Store {
    /// Writes a copy of the store to `path`, where nothing must be yet: a file for its owner alone, whole and synced
    /// when this returns. Writes go on meanwhile; the copy has those that were committed before it began. It opens as
    /// any store does.
    ///
    /// It takes one of the reading connections and, until it ends, lets the write-ahead log grow.
    pub fn backup(&self, path: &Path) -> Result<(), StoreError> {
        let failed =
            |path: &Path, error: io::Error| StoreError::Backup { path: path.to_owned(), error: error.to_string() };
        if path.exists() {
            return Err(failed(path, io::ErrorKind::AlreadyExists.into()));
        }
        // Under another name until it is whole, so that what is at `path` can always be used.
        let mut unfinished = path.to_owned();
        unfinished.as_mut_os_string().push(".part");
        let name = unfinished.to_str().ok_or_else(|| failed(path, io::ErrorKind::InvalidFilename.into()))?;
        let part = Part::create(&unfinished).map_err(|error| failed(&unfinished, error))?;
        self.readers.with(|connection| {
            connection.execute("VACUUM INTO ?1", [name])?;
            Ok(())
        })?;
        part.complete(path).map_err(|error| failed(path, error))
    }
}

/// The unfinished copy. Dropped, it is gone.
struct Part<'a>(&'a Path);

impl<'a> Part<'a> {
    /// An empty file, which SQLite takes as a place to copy to.
    fn create(path: &'a Path) -> io::Result<Self> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Self(path))
    }

    fn complete(self, path: &Path) -> io::Result<()> {
        File::open(self.0)?.sync_all()?;
        fs::rename(self.0, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        // After a rename it isn't there any longer.
        let _ = fs::remove_file(self.0);
    }
}
