//! The place in a node's log up to which `boltgram listen --resume` has shown messages: a number in a small file.

use std::{
    env, fs,
    io::{ErrorKind, Read as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};

use crate::limits::PLACE_BYTES_MAX;

/// Where such files are kept when none is named (the XDG base directory specification's state home).
pub fn folder() -> Option<PathBuf> {
    let given = env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = given.or_else(|| Some(env::home_dir()?.join(".local/state")))?;
    Some(folder.join("boltgram"))
}

/// The sequence number in the file; 0 when there is none.
pub fn read(file: &Path) -> anyhow::Result<i64> {
    let mut text = String::new();
    match fs::File::open(file) {
        Ok(open) => open.take(PLACE_BYTES_MAX).read_to_string(&mut text),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => Err(error),
    }
    .with_context(|| format!("{} can't be read", file.display()))?;
    let number = text.trim().parse().ok().filter(|number| *number >= 0);
    number.ok_or_else(|| anyhow!("{} holds no sequence number: remove it, or name another file", file.display()))
}

/// Puts the number into the file, in one step: a reader finds the one before or this one.
pub fn write(file: &Path, sequence: i64) -> anyhow::Result<()> {
    let mut unfinished = file.to_owned();
    unfinished.as_mut_os_string().push(".part");
    let put = || {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&unfinished, format!("{sequence}\n"))?;
        fs::rename(&unfinished, file)
    };
    put().with_context(|| format!("{} can't be written", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back_and_begins_at_the_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new folder/place");
        assert_eq!(read(&file).unwrap(), 0);
        for sequence in [1, i64::MAX] {
            write(&file, sequence).unwrap();
            assert_eq!(read(&file).unwrap(), sequence);
        }
        for text in ["", "-1", "seven", &"9".repeat(100)] {
            fs::write(&file, text).unwrap();
            assert!(read(&file).unwrap_err().to_string().contains("no sequence number"), "{text}");
        }
        assert!(read(folder.path()).is_err());
    }
}
