//! The node's store alone: a process writes until a write fails, and another looks at what is there.

use std::{
    collections::BTreeSet,
    env,
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
    sync::Mutex,
    thread,
};

use boltgram_lightning::kv::KvStore;
use ldk_node::lightning::util::persist::KVStoreSync as _;

use crate::support::{books::is_whole, tmpfs::Tmpfs};

/// The argument that makes this program the one that writes.
pub const WRITER: &str = "--writer";

const FILE: &str = "node.sqlite";

const THREADS: usize = 4;

/// The value of the n-th key of a thread: any size, known beforehand.
fn value(thread: usize, n: usize) -> Vec<u8> {
    let bytes = 1 + (n * 7_919 + thread * 104_729) % 16_384;
    (0..bytes).map(|at| (at * 31 + n * 7 + thread) as u8).collect()
}

/// Writes keys from several threads, and tells each that was acknowledged, until a write of each thread has failed. Then
/// later ones fail too, and what was written can be read.
pub fn write_until_it_fails(folder: &Path) {
    let store = KvStore::open(&folder.join(FILE)).unwrap();
    let out = Mutex::new(std::io::stdout());
    let tell = |line: String| writeln!(out.lock().unwrap(), "{line}").unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, tell) = (&store, &tell);
            scope.spawn(move || {
                let write = |n: usize| store.write("monitors", "", &format!("{thread}-{n}"), value(thread, n));
                let failed = (0..).find(|&n| {
                    let written = write(n);
                    if written.is_ok() {
                        tell(format!("{thread}-{n}"));
                    }
                    written.is_err()
                });
                let failed = failed.unwrap();
                assert!((1..5).all(|later| write(failed + later).is_err()), "a write after the failed one succeeded");
                if failed > 0 {
                    assert_eq!(store.read("monitors", "", &format!("{thread}-0")).unwrap(), value(thread, 0));
                }
            });
        }
    });
}

/// What the process that wrote has told, which must have ended well: the keys that were acknowledged.
fn acknowledged(output: Output) -> BTreeSet<(usize, usize)> {
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    told.lines()
        .filter_map(|line| line.split_once('-'))
        .map(|(a, b)| (a.parse().unwrap(), b.parse().unwrap()))
        .collect()
}

/// The store has all that was acknowledged, is whole, and can be written.
fn check(folder: &Path, acknowledged: &BTreeSet<(usize, usize)>) {
    assert!(acknowledged.len() > 100, "{} writes until it was full", acknowledged.len());
    let store = KvStore::open(&folder.join(FILE)).unwrap();
    for &(thread, n) in acknowledged {
        let found = store.read("monitors", "", &format!("{thread}-{n}"));
        assert!(found.is_ok_and(|found| found == value(thread, n)), "{thread}-{n} was acknowledged and isn't there");
    }
    // Of what was not acknowledged, each thread may have one more: the write whose commit failed.
    let there = store.list("monitors", "").unwrap().len();
    assert!(there <= acknowledged.len() + THREADS, "{there} keys, {} acknowledged", acknowledged.len());
    store.write("monitors", "", "after", vec![7; 100_000]).unwrap();
    drop(store);
    is_whole(&folder.join(FILE));
    println!("  {} writes were acknowledged, {there} are there", acknowledged.len());
}

pub fn on_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Tmpfs::mount(&folder.path().join("disk"), 24);
    disk.fill(8 * 1_024 * 1_024);
    let output = Command::new(env::current_exe().unwrap()).arg(WRITER).arg(&disk.path).output().unwrap();
    let acknowledged = acknowledged(output);
    assert!(disk.free_bytes() < 64 * 1_024, "{} bytes are free", disk.free_bytes());
    disk.make_room();
    check(&disk.path, &acknowledged);
}

/// The same without root: files may have so many blocks, and a write beyond that is an error.
pub fn smoke() {
    let folder = tempfile::tempdir().unwrap();
    let limited = "ulimit -f 8192 && trap '' XFSZ && exec \"$0\" \"$@\"";
    let output = Command::new("sh")
        .args(["-c", limited])
        .arg(env::current_exe().unwrap())
        .arg(WRITER)
        .arg(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    check(folder.path(), &acknowledged(output));
}
