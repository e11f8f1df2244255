//! The seed: 24 words (BIP 39) in the file `seed` of the data folder, from which all of the node's keys come. That of a
//! node that was taken over may be 64 bytes instead, as 128 hex digits: a plain ldk-node makes it so.
//!
//! It is made once, is on disk for good before it is used, and is never overwritten. No word of it reaches a log
//! or an error.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::Path,
};

use ldk_node::{
    WordCount,
    bip39::Mnemonic,
    bitcoin::hex::{DisplayHex as _, FromHex as _},
    generate_entropy_mnemonic,
};
use zeroize::Zeroizing;

use crate::{
    data_dir::{DataDir, read_small, sync_folder},
    errors::LightningError,
};

/// The seed's file in the data folder.
const SEED_FILE: &str = "seed";

/// The bytes of a seed that a plain ldk-node has made (its `WALLET_KEYS_SEED_LEN`).
const SEED_BYTES: usize = 64;

/// A plain ldk-node's file with its seed, in its own folder.
const LDK_SEED_FILE: &str = "keys_seed";

/// A seed, in one of its two forms.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Seed {
    /// 24 words.
    Words(Mnemonic),
    /// What a plain ldk-node keeps in its file.
    Bytes(Zeroizing<[u8; SEED_BYTES]>),
}

impl Seed {
    /// As it stands in the file, without the line end.
    fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::Words(words) => words.to_string(),
            Self::Bytes(bytes) => bytes.to_lower_hex_string(),
        })
    }
}

/// Reads the seed, or makes it in a folder that holds no node's state yet.
pub(crate) fn read_or_make(data_dir: &DataDir) -> Result<Seed, LightningError> {
    match read(data_dir)? {
        Some(found) => Ok(found),
        None => make(data_dir),
    }
}

/// Reads the seed; `None` when there is none.
pub(crate) fn read(data_dir: &DataDir) -> Result<Option<Seed>, LightningError> {
    let path = data_dir.path().join(SEED_FILE);
    match read_small(&path) {
        Ok(text) => {
            warn_if_open_to_others(&path);
            parse(&path, &text).map(Some)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(invalid(&path, "it is no text")),
        Err(error) => Err(LightningError::file("read", path)(error)),
    }
}

/// Reads the seed that a plain ldk-node has made in its folder; `None` when there is none.
pub(crate) fn read_of_ldk_node(folder: &Path) -> Result<Option<Seed>, LightningError> {
    let path = folder.join(LDK_SEED_FILE);
    let mut bytes = Zeroizing::new(Vec::with_capacity(SEED_BYTES + 1));
    match File::open(&path).and_then(|file| file.take(SEED_BYTES as u64 + 1).read_to_end(&mut bytes)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LightningError::file("read", path)(error)),
    }
    let bytes = bytes.as_slice().try_into().map(|bytes| Some(Seed::Bytes(Zeroizing::new(bytes))));
    bytes.map_err(|_| invalid(&path, "it has not the 64 bytes that ldk-node writes"))
}

/// The seed of the node in this data folder, on one line: its 24 words, or 128 hex digits. Only reads, also while the
/// node runs.
pub fn read_seed(data_dir: &Path) -> Result<Zeroizing<String>, LightningError> {
    let path = data_dir.join(SEED_FILE);
    let text = read_small(&path).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => invalid(&path, "it is no text"),
        _ => LightningError::file("read", &path)(error),
    })?;
    Ok(parse(&path, &text)?.text())
}

fn parse(path: &Path, text: &str) -> Result<Seed, LightningError> {
    if text.trim().is_empty() {
        return Err(invalid(path, "it is empty"));
    }
    if let Ok(bytes) = <[u8; SEED_BYTES]>::from_hex(text.trim()) {
        return Ok(Seed::Bytes(Zeroizing::new(bytes)));
    }
    // The parser's own error names the position of a word, and it isn't passed on all the same.
    Mnemonic::parse(text.trim())
        .map(Seed::Words)
        .map_err(|_| invalid(path, "it is no BIP 39 mnemonic, or a word of it is wrong"))
}

fn invalid(path: &Path, problem: &str) -> LightningError {
    let problem =
        format!("{problem}. Put the node's own 24 words there; only if the node has never run, remove the file");
    LightningError::InvalidSeed { path: path.to_owned(), problem }
}

fn make(data_dir: &DataDir) -> Result<Seed, LightningError> {
    let path = data_dir.path().join(SEED_FILE);
    let state = data_dir.ldk();
    let is_used = match state.read_dir() {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(LightningError::file("read", state)(error)),
    };
    if is_used {
        return Err(LightningError::SeedMissing { seed: path, state });
    }
    let made = Seed::Words(generate_entropy_mnemonic(Some(WordCount::Words24)));
    keep(data_dir, &made)?;
    tracing::info!(path = %path.display(), "a new seed was made: keep a copy of this file, all funds depend on it");
    Ok(made)
}

/// Writes the seed of a folder that has none.
pub(crate) fn keep(data_dir: &DataDir, seed: &Seed) -> Result<(), LightningError> {
    let (new, path) = (data_dir.path().join("seed.new"), data_dir.path().join(SEED_FILE));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // A rename: after a crash the seed is there whole, or not at all. Nobody else has the folder meanwhile.
    let written = match path.exists() {
        true => Err(io::ErrorKind::AlreadyExists.into()),
        false => options.open(&new).and_then(|mut file| {
            file.write_all(seed.text().as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&new, &path)
        }),
    };
    written.map_err(LightningError::file("write", path))?;
    sync_folder(data_dir.path())
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
        let Seed::Words(words) = &made else { panic!("it is no mnemonic") };
        assert_eq!(words.word_count(), 24);
        assert_eq!(fs::read_to_string(folder.path().join("seed")).unwrap().trim(), words.to_string());
        assert!(read_or_make(&data_dir).unwrap() == made);
        assert_eq!(*read_seed(folder.path()).unwrap(), words.to_string());
        assert!(keep(&data_dir, &made).is_err(), "a seed is never overwritten");
    }

    #[test]
    fn the_seed_of_a_plain_ldk_node_is_read_kept_and_shown_as_hex_digits() {
        let (folder, data_dir) = data_dir();
        assert!(read_of_ldk_node(folder.path()).unwrap().is_none());
        let bytes: Vec<u8> = (0..64).collect();
        fs::write(folder.path().join("keys_seed"), &bytes).unwrap();
        let found = read_of_ldk_node(folder.path()).unwrap().unwrap();
        keep(&data_dir, &found).unwrap();
        assert!(read_or_make(&data_dir).unwrap() == found);
        assert_eq!(*read_seed(folder.path()).unwrap(), bytes.to_lower_hex_string());
        fs::write(folder.path().join("keys_seed"), &bytes[1..]).unwrap();
        let Err(error) = read_of_ldk_node(folder.path()) else { panic!("it was read") };
        assert!(error.to_string().contains("64 bytes"), "{error}");
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
            let Err(error) = read_or_make(&data_dir) else { panic!("it was read") };
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
        let Err(error) = read_or_make(&data_dir) else { panic!("one was made") };
        assert_eq!(error.code(), "SEED_MISSING");
        assert!(!folder.path().join("seed").exists());
    }
}
