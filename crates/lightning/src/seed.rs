//! The seed: 24 words (BIP 39) in the file `seed` of the data folder, from which all of the node's keys come.
//!
//! It is made once, is on disk for good before it is used, and is never overwritten. No word of it reaches a log
//! or an error.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    path::Path,
};

use ldk_node::{WordCount, bip39::Mnemonic, generate_entropy_mnemonic};
use zeroize::Zeroizing;

use crate::{
    data_dir::{DataDir, read_small, sync_folder},
    errors::LightningError,
};

/// The seed's file in the data folder.
const SEED_FILE: &str = "seed";

/// Reads the seed, or makes it in a folder that holds no node's state yet.
pub(crate) fn read_or_make(data_dir: &DataDir) -> Result<Mnemonic, LightningError> {
    let path = data_dir.path().join(SEED_FILE);
    match read_small(&path) {
        Ok(text) => {
            warn_if_open_to_others(&path);
            parse(&path, &text)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(data_dir, &path),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(invalid(&path, "it is no text")),
        Err(error) => Err(LightningError::file("read", path)(error)),
    }
}

/// The seed of the node in this data folder: its 24 words on one line. Only reads, also while the node runs.
pub fn read_seed(data_dir: &Path) -> Result<Zeroizing<String>, LightningError> {
    let path = data_dir.join(SEED_FILE);
    let text = read_small(&path).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => invalid(&path, "it is no text"),
        _ => LightningError::file("read", &path)(error),
    })?;
    Ok(Zeroizing::new(parse(&path, &text)?.to_string()))
}

fn parse(path: &Path, text: &str) -> Result<Mnemonic, LightningError> {
    if text.trim().is_empty() {
        return Err(invalid(path, "it is empty"));
    }
    // The parser's own error names the position of a word, and it isn't passed on all the same.
    Mnemonic::parse(text.trim()).map_err(|_| invalid(path, "it is no BIP 39 mnemonic, or a word of it is wrong"))
}

fn invalid(path: &Path, problem: &str) -> LightningError {
    let problem =
        format!("{problem}. Put the node's own 24 words there; only if the node has never run, remove the file");
    LightningError::InvalidSeed { path: path.to_owned(), problem }
}

fn make(data_dir: &DataDir, path: &Path) -> Result<Mnemonic, LightningError> {
    let state = data_dir.ldk();
    let is_used = match state.read_dir() {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(LightningError::file("read", state)(error)),
    };
    if is_used {
        return Err(LightningError::SeedMissing { seed: path.to_owned(), state });
    }
    let mnemonic = generate_entropy_mnemonic(Some(WordCount::Words24));
    let text = Zeroizing::new(format!("{mnemonic}\n"));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(LightningError::file("write", path))?;
    sync_folder(data_dir.path())?;
    tracing::info!(path = %path.display(), "a new seed was made: keep a copy of this file, all funds depend on it");
    Ok(mnemonic)
}

#[cfg(unix)]
fn warn_if_open_to_others(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0) {
        tracing::warn!(path = %path.display(), "other users can read the seed: chmod 600 the file");
    }
}

#[cfg(not(unix))]
fn warn_if_open_to_others(_path: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;
    use ldk_node::bitcoin::Network;
    use std::fs;
    use tempfile::TempDir;

    fn data_dir() -> (TempDir, DataDir) {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(folder.path(), Network::Regtest).unwrap();
        (folder, data_dir)
    }

    #[test]
    fn a_new_seed_has_24_words_and_reads_back_the_same() {
        let (folder, data_dir) = data_dir();
        let made = read_or_make(&data_dir).unwrap();
        assert_eq!(made.word_count(), 24);
        assert_eq!(fs::read_to_string(folder.path().join("seed")).unwrap().trim(), made.to_string());
        assert_eq!(read_or_make(&data_dir).unwrap(), made);
        assert_eq!(*read_seed(folder.path()).unwrap(), made.to_string());
    }

    #[test]
    fn a_folder_without_a_seed_is_told_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let error = read_seed(folder.path()).unwrap_err();
        assert!(error.to_string().contains("seed"), "{error}");
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_seed() {
        use std::os::unix::fs::PermissionsExt as _;
        let (folder, data_dir) = data_dir();
        read_or_make(&data_dir).unwrap();
        let mode = fs::metadata(folder.path().join("seed")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_no_seed_is_refused_and_left_untouched() {
        let wrong_checksum = ["abandon"; 24].join(" ");
        let bytes: [&[u8]; 5] = [b"", b"\n", b"hello world", wrong_checksum.as_bytes(), b"\xff\xfe"];
        for content in bytes {
            let (folder, data_dir) = data_dir();
            let path = folder.path().join("seed");
            fs::write(&path, content).unwrap();
            let error = read_or_make(&data_dir).unwrap_err();
            assert_eq!(error.code(), "INVALID_SEED");
            assert!(error.to_string().contains("24 words"), "{error}");
            assert!(!error.to_string().contains("abandon"), "{error}");
            assert_eq!(fs::read(&path).unwrap(), content);
        }
    }

    #[test]
    fn no_new_seed_is_made_beside_a_nodes_state() {
        let (folder, data_dir) = data_dir();
        fs::create_dir(data_dir.ldk()).unwrap();
        fs::write(data_dir.ldk().join("ldk_node_data.sqlite"), "state").unwrap();
        assert_eq!(read_or_make(&data_dir).unwrap_err().code(), "SEED_MISSING");
        assert!(!folder.path().join("seed").exists());
    }
}
