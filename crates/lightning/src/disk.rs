//! How much is free on the disk of the data folder, and when that is too little for the node to run.
//!
//! A full disk must never reach LDK, which panics when it can't write a channel's state: below the mark the node is
//! stopped while it can still write all that a stop writes. What acts on it is in [`crate::supervise`].

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use boltgram_core::{Failure, Reason};
use tokio::time::sleep;

use crate::limits::{DISK_POLL_MS, DISK_RESERVE_BYTES, DISK_ROOM_DIVISOR};

/// The file that keeps some room aside, in the data folder.
const RESERVE_FILE: &str = "reserve";

/// The disk of a data folder.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
    mark: Mark,
    /// What was free when it was looked last.
    free_bytes: AtomicU64,
}

/// How much must be free.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Mark {
    low_water_bytes: u64,
}

impl Mark {
    fn is_low(self, free_bytes: u64) -> bool {
        free_bytes < self.low_water_bytes
    }

    /// What must be free before a node that was stopped starts again.
    fn room_bytes(self) -> u64 {
        self.low_water_bytes.saturating_add(self.low_water_bytes / DISK_ROOM_DIVISOR)
    }
}

/// What is free on the disk of this folder, in bytes, for a user who isn't root.
pub(crate) fn free_bytes(folder: &Path) -> std::io::Result<u64> {
    let found = rustix::fs::statvfs(folder)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// What to do about this folder's disk, if it is full.
pub(crate) fn full(folder: &Path) -> Option<String> {
    let free_bytes = free_bytes(folder).ok().filter(|free| *free < DISK_RESERVE_BYTES)?;
    Some(format!(
        "The disk that holds {} is full ({free_bytes} bytes are free): make room there, then start the node again",
        folder.display()
    ))
}

impl Disk {
    /// The disk of this folder; with less free than the mark it is low. A mark of 0: never.
    pub(crate) fn new(folder: &Path, low_water_bytes: u64) -> Self {
        Self { folder: folder.to_owned(), mark: Mark { low_water_bytes }, free_bytes: AtomicU64::new(u64::MAX) }
    }

    /// Whether less is free than the mark, now.
    pub(crate) fn is_low(&self) -> bool {
        self.mark.is_low(self.look())
    }

    /// Completes when less is free than the mark.
    pub(crate) async fn becomes_low(&self) {
        while !self.is_low() {
            sleep(Duration::from_millis(DISK_POLL_MS)).await;
        }
    }

    /// Whether there is enough room to start again, now.
    pub(crate) fn has_room(&self) -> bool {
        self.look() >= self.mark.room_bytes()
    }

    /// What is wrong when it is low, and what to do.
    pub(crate) fn message(&self) -> String {
        let mib = |bytes: u64| bytes / (1_024 * 1_024);
        format!(
            "{} MiB are free on the disk that holds {}, and the node needs {} MiB to run: make room there, or set \
             disk_low_water_mib lower; the node starts again by itself",
            mib(self.look()),
            self.folder.display(),
            mib(self.mark.room_bytes()),
        )
    }

    /// The failure that a caller is told while it is low.
    pub(crate) fn failure(&self) -> Failure {
        Failure::new(Reason::DiskLow, self.message())
            .with("free_bytes", self.look())
            .with("needed_bytes", self.mark.room_bytes())
    }

    /// Gives up the reserve when the disk is so full that the stores could not be opened.
    pub(crate) fn make_room_to_open(&self) {
        if self.look() >= DISK_RESERVE_BYTES {
            return;
        }
        if fs::remove_file(self.reserve()).is_ok() {
            tracing::warn!("the disk is full: the room that was kept aside is used to open the node's files");
        }
    }

    /// Keeps some room aside, unless that was done before.
    pub(crate) fn keep_reserve(&self) {
        let path = self.reserve();
        let is_whole = |path: &Path| fs::metadata(path).is_ok_and(|file| file.len() == DISK_RESERVE_BYTES);
        if is_whole(&path) {
            return;
        }
        // Written, not only given a length: that would take no room. What it holds is not looked at, but some file
        // systems keep zeros for nothing.
        let bytes = vec![0xb0; usize::try_from(DISK_RESERVE_BYTES).unwrap_or_default()];
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()
        });
        if let Err(error) = written {
            tracing::warn!(%error, path = %path.display(), "no room could be kept aside");
        }
    }

    fn reserve(&self) -> PathBuf {
        self.folder.join(RESERVE_FILE)
    }

    /// What is free now; where the system doesn't tell, what was free before.
    fn look(&self) -> u64 {
        match free_bytes(&self.folder) {
            Ok(free) => self.free_bytes.store(free, Relaxed),
            Err(error) => tracing::warn!(%error, "the system doesn't tell how much is free on the node's disk"),
        }
        self.free_bytes.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1_024 * 1_024;

    #[test]
    fn a_disk_at_the_mark_is_not_low_and_one_that_was_low_needs_a_quarter_more() {
        let mark = Mark { low_water_bytes: 256 * MIB };
        assert!(mark.is_low(256 * MIB - 1) && !mark.is_low(256 * MIB));
        assert_eq!(mark.room_bytes(), 320 * MIB);
        let off = Mark { low_water_bytes: 0 };
        assert!(!off.is_low(0) && off.room_bytes() == 0);
        assert_eq!(Mark { low_water_bytes: u64::MAX }.room_bytes(), u64::MAX);
    }

    #[test]
    fn what_is_free_is_told_with_what_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!Disk::new(folder.path(), 0).is_low());
        let disk = Disk::new(folder.path(), u64::MAX);
        assert!(disk.is_low() && !disk.has_room());
        let failure = disk.failure();
        assert_eq!(failure.reason, Reason::DiskLow);
        assert_eq!(failure.metadata["needed_bytes"], u64::MAX.to_string());
        assert!(failure.metadata["free_bytes"].parse::<u64>().unwrap() < u64::MAX);
        assert!(failure.message.contains(&folder.path().display().to_string()), "{failure}");
    }

    #[test]
    fn a_system_that_tells_nothing_changes_nothing() {
        let disk = Disk::new(Path::new("/no/such/folder"), 256 * MIB);
        assert!(!disk.is_low() && disk.has_room());
    }

    #[test]
    fn the_reserve_takes_real_room_and_is_kept_while_the_disk_has_some() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path(), 0);
        disk.keep_reserve();
        let found = fs::metadata(folder.path().join(RESERVE_FILE)).unwrap();
        assert_eq!(found.len(), DISK_RESERVE_BYTES);
        assert!(found.blocks() * 512 >= DISK_RESERVE_BYTES);
        disk.make_room_to_open();
        assert!(folder.path().join(RESERVE_FILE).exists());
    }
}
