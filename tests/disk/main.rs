//! What a full disk does: `bash tests/disk/run`, which needs root, since the disks are memory of a limited size.
//!
//! | part | the disk | what must hold |
//! |---|---|---|
//! | `kv` | the node's store alone, written until it is full | what was acknowledged is there, and it goes on when there is room |
//! | `low` | filled to below the mark, under messages | the node stops in order, reads, refuses, and goes on by itself |
//! | `full` | filled faster than it is looked, under messages | the process ends, waits for room, and has all that was acknowledged |
//!
//! Without `--tmpfs` it is a smoke of `kv` alone, with a limit on the size of files in place of one on the disk's.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, missing_docs)]

mod kv;
mod nodes;
#[path = "../support/mod.rs"]
mod support;

use std::env;

fn main() {
    let args: Vec<String> = env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == kv::WRITER) {
        return kv::write_until_it_fails(args[at + 1].as_ref());
    }
    if !args.iter().any(|arg| arg == "--tmpfs") {
        kv::smoke();
        println!("the store alone, with files of a limited size: ok (`bash tests/disk/run` has the rest)");
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    kv::on_a_full_disk();
    println!("kv: ok");
    runtime.block_on(nodes::the_disk_gets_low_and_has_room_again());
    println!("low: ok");
    for victim in ["alice", "bob"] {
        runtime.block_on(nodes::the_disk_is_full_at_once(victim));
        println!("full, for {victim}: ok");
    }
}
