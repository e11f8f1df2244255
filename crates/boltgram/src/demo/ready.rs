//! What a demo that is left running tells: to a program as a file, to a person as lines that can be copied.

use std::{fs, path::Path};

use anyhow::Context as _;
use serde::Serialize;

use super::process::NodeProcess;

#[derive(Serialize)]
struct Ready<'a> {
    esplora: &'a str,
    nodes: Vec<ReadyNode<'a>>,
}

#[derive(Serialize)]
struct ReadyNode<'a> {
    name: &'a str,
    pubkey: &'a str,
    grpc: &'a str,
    http: &'a str,
    lightning: &'a str,
    data_dir: &'a Path,
    pid: u32,
    /// Starts this node again on the same data.
    argv: Vec<String>,
}

/// Writes the file in one piece: who sees it sees all of it.
pub(super) fn write(file: &Path, esplora: &str, nodes: [&NodeProcess; 2]) -> anyhow::Result<()> {
    let nodes = nodes.iter().map(|node| {
        let plan = &node.plan;
        Ok(ReadyNode {
            name: plan.name,
            pubkey: &node.pubkey,
            grpc: &plan.grpc,
            http: &plan.http,
            lightning: &plan.lightning,
            data_dir: &plan.data_dir,
            pid: node.pid,
            argv: plan.argv()?,
        })
    });
    let ready = Ready { esplora, nodes: nodes.collect::<anyhow::Result<_>>()? };
    let mut beside = file.as_os_str().to_owned();
    beside.push(".tmp");
    let cannot = || format!("{} can't be written", file.display());
    fs::write(&beside, serde_json::to_vec_pretty(&ready)?).with_context(cannot)?;
    fs::rename(&beside, file).with_context(cannot)
}

/// What to try, for a person.
pub(super) fn human(esplora: &str, nodes: [&NodeProcess; 2]) -> String {
    let mut text = format!("\nEsplora      {esplora}\n");
    for node in nodes {
        let plan = &node.plan;
        text += &format!(
            "\n{}\n  public key {}\n  gRPC       {}\n  HTTP       {}\n  Lightning  {}\n  data       {}\n  process    {}\n",
            plan.name,
            node.pubkey,
            plan.grpc,
            plan.http,
            plan.lightning,
            plan.data_dir.display(),
            node.pid
        );
    }
    let [alice, bob] = nodes;
    text += &format!(
        "\nTry, in another terminal:\n\
         \n  boltgram listen --grpc {bob_grpc}\
         \n  boltgram send --grpc {alice_grpc} {bob_key} 'hello again'\
         \n  curl -d '{{\"msg\":\"hi\",\"pubkey\":\"{bob_key}\"}}' http://{alice_http}/v1/message/send\
         \n  curl -d '{{\"blocks\":1}}' {esplora}/devnet/mine\n\
         \nCtrl-C stops it all.",
        bob_grpc = bob.plan.grpc,
        alice_grpc = alice.plan.grpc,
        alice_http = alice.plan.http,
        bob_key = bob.pubkey,
    );
    text
}
