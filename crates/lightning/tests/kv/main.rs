//! What the node's store promises to LDK, on real files: each kind of store against a model, over crashes; torn logs,
//! killed processes, LDK's own persister, and the counters.
//!
//! | module | what it checks | more of it |
//! |---|---|---|
//! | `model` | every kind, random operations, crashes between them | `PROPTEST_CASES=10000` |
//! | `torn` | a log that is cut or damaged anywhere | `KV_TORN_COPIES=1000` |
//! | `kill` | a process that is killed in the middle of writes | `KV_KILLS=200` |
//! | `order` | many threads, and who reads what they write | |
//! | `lazily` | lazy removals | |
//! | `persister` | real channels through LDK's `MonitorUpdatingPersister` | |
//! | `counters` | what the store says it did | |
//!
//! Each alone: `KV_KILLS=200 cargo test -p boltgram-lightning --test kv kill -- --nocapture`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod counters;
mod history;
mod kill;
mod lazily;
mod model;
mod order;
mod persister;
mod support;
mod torn;
mod workload;
