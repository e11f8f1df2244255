//! A Lightning node that knows nothing of messages: `ldk-node` as it is, driven over stdin and stdout in lines of JSON, so that
//! a program in another language can send and receive payments with records.
//!
//! The first line starts it: `{"esplora", "listen", "folder", "seed"}`, the seed 64 bytes in hex. It answers `{"ready":
//! {"node_id", "onchain_address"}}`. Then:
//!
//! | line | what follows, at once or later |
//! |---|---|
//! | `{"sync": {}}` | `{"synced": {"onchain_sat", "usable_channels"}}` |
//! | `{"send": {"to", "amount_msat", "record_type", "record"}}` | `{"claimed": {}}` or `{"failed": {"reason"}}` |
//! | | `{"received": {"amount_msat", "records": [{"record_type", "record"}]}}` for each payment that comes in |
//!
//! It stops when stdin ends.

#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    io::{self, BufRead as _, Write as _},
    sync::Arc,
    thread,
};

use data_encoding::HEXLOWER;
use ldk_node::{
    Builder, CustomTlvRecord, Event, Node,
    bitcoin::{Network, secp256k1::PublicKey},
    logger::{LogRecord, LogWriter},
};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Start {
    esplora: String,
    listen: String,
    folder: String,
    seed: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    Sync {},
    Send { to: PublicKey, amount_msat: u64, record_type: u64, record: String },
}

struct NoLog;

impl LogWriter for NoLog {
    fn log(&self, _: LogRecord<'_>) {}
}

fn main() {
    let mut lines = io::stdin().lock().lines();
    let start = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let node = Arc::new(begin(start));
    let onchain_address = node.onchain_payment().new_address().unwrap().to_string();
    say(&json!({ "ready": { "node_id": node.node_id().to_string(), "onchain_address": onchain_address } }));
    let events = node.clone();
    thread::spawn(move || {
        loop {
            if let Some(told) = told(events.wait_next_event()) {
                say(&told);
            }
            events.event_handled().unwrap();
        }
    });
    for line in lines {
        match serde_json::from_str(&line.unwrap()).unwrap() {
            Request::Sync {} => say(&sync(&node)),
            Request::Send { to, amount_msat, record_type, record } => {
                let value = HEXLOWER.decode(record.as_bytes()).unwrap();
                let records = vec![CustomTlvRecord { type_num: record_type, value }];
                let sent = node.spontaneous_payment().send_with_custom_tlvs(amount_msat, to, None, records);
                if let Err(error) = sent {
                    say(&failed(&error.to_string()));
                }
            }
        }
    }
    node.stop().unwrap();
}

fn begin(start: Start) -> Node {
    let mut builder = Builder::new();
    builder.set_network(Network::Regtest);
    builder.set_storage_dir_path(start.folder);
    builder.set_entropy_seed_bytes(HEXLOWER.decode(start.seed.as_bytes()).unwrap().try_into().unwrap());
    builder.set_listening_addresses(vec![start.listen.parse().unwrap()]).unwrap();
    builder.set_chain_source_esplora(start.esplora, None);
    builder.set_custom_logger(Arc::new(NoLog));
    let node = builder.build().unwrap();
    node.start().unwrap();
    node
}

/// A sync may take longer than ldk-node allows it: what it has seen is told all the same.
fn sync(node: &Node) -> Value {
    let _ = node.sync_wallets();
    let usable_channels = node.list_channels().iter().filter(|channel| channel.is_usable).count();
    let onchain_sat = node.list_balances().spendable_onchain_balance_sats;
    json!({ "synced": { "onchain_sat": onchain_sat, "usable_channels": usable_channels } })
}

/// What is told of an event, if anything.
fn told(event: Event) -> Option<Value> {
    match event {
        Event::PaymentReceived { amount_msat, custom_records, .. } => {
            let record = |record: CustomTlvRecord| json!({ "record_type": record.type_num, "record": HEXLOWER.encode(&record.value) });
            let records: Vec<Value> = custom_records.into_iter().map(record).collect();
            Some(json!({ "received": { "amount_msat": amount_msat, "records": records } }))
        }
        Event::PaymentSuccessful { .. } => Some(json!({ "claimed": {} })),
        Event::PaymentFailed { reason, .. } => Some(failed(&format!("{reason:?}"))),
        _ => None,
    }
}

fn failed(reason: &str) -> Value {
    json!({ "failed": { "reason": reason } })
}

fn say(line: &Value) {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).unwrap();
}
