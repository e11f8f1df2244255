//! A disk of a limited size, in memory, and a file that fills it.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

/// A file system that is mounted until this is dropped.
pub struct Tmpfs {
    pub path: PathBuf,
}

impl Tmpfs {
    /// Mounts one of `mib` MiB at a new folder.
    pub fn mount(path: &Path, mib: u64) -> Self {
        fs::create_dir(path).unwrap();
        let options = format!("size={mib}m,mode=0700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(path).status().unwrap();
        assert!(mounted.success(), "a tmpfs can't be mounted here ({mounted}): run it as root, by tests/disk/run");
        Self { path: path.to_owned() }
    }

    /// What is free on it, in bytes.
    pub fn free_bytes(&self) -> u64 {
        let output = Command::new("df").args(["--output=avail", "-B1"]).arg(&self.path).output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().nth(1).unwrap().trim().parse().unwrap()
    }

    /// Takes room until so much is left, in bytes; less when others write meanwhile. At 0 until there is none.
    pub fn fill(&self, left_bytes: u64) {
        let mut file = File::options().create(true).append(true).open(self.filling()).unwrap();
        let chunk = vec![1; 64 * 1_024];
        while left_bytes == 0 || self.free_bytes() > left_bytes {
            match file.write(&chunk) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Gives back what was taken.
    pub fn make_room(&self) {
        fs::remove_file(self.filling()).unwrap();
    }

    fn filling(&self) -> PathBuf {
        self.path.join("filling")
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: after a failed test a node may still stand in it. The mount is gone with tests/disk/run's namespace anyway.
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}
