//! Nodes on a devnet that the test itself runs, so that a test can do to the chain what it wants.

use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
    path::Path,
    str::FromStr as _,
};

use bitcoin::{Address, Network, OutPoint, Txid};
use boltgram_api::{client::Client, v1};
use boltgram_devnet::{Devnet, DevnetConfig};
use tempfile::TempDir;
use tonic_types::StatusExt as _;

use super::{BOLTGRAM, DEADLINE, NodeHandle, Process, eventually, free_address};

/// How deep a funding must be before its channel is used.
pub const CONFIRMATIONS: u32 = 6;

/// An anchor output (BOLT 3).
pub const ANCHOR_SAT: u64 = 330;

/// A devnet with a folder for the nodes on it.
pub struct Regtest {
    pub devnet: Devnet,
    pub folder: TempDir,
}

/// A node that runs on it.
pub struct Node {
    pub handle: NodeHandle,
    pub process: Process,
}

impl Deref for Node {
    type Target = NodeHandle;

    fn deref(&self) -> &NodeHandle {
        &self.handle
    }
}

impl DerefMut for Node {
    fn deref_mut(&mut self) -> &mut NodeHandle {
        &mut self.handle
    }
}

/// A channel to open.
#[derive(Clone, Copy, Default)]
pub struct Opening {
    pub capacity_sat: i64,
    pub push_sat: i64,
    pub announce: bool,
}

/// Half a million satoshi, two fifths of them the far side's.
pub const USUAL: Opening = Opening { capacity_sat: 500_000, push_sat: 200_000, announce: false };

impl Regtest {
    pub async fn start() -> Self {
        let devnet = Devnet::start(DevnetConfig::default()).await.unwrap();
        Self { devnet, folder: tempfile::tempdir().unwrap() }
    }

    /// Starts a node that asks the devnet itself, and waits until it runs.
    pub async fn node(&self, name: &str) -> Node {
        let node = Node::start(self.folder.path(), name, &self.devnet.url());
        node.running().await
    }

    /// Starts a node that asks the Esplora server at `esplora`, and waits until it runs.
    pub async fn node_at(&self, name: &str, esplora: &str) -> Node {
        let node = Node::start(self.folder.path(), name, esplora);
        node.running().await
    }

    /// Two nodes with a million satoshi each.
    pub async fn pair(&self) -> (Node, Node) {
        let (alice, bob) = tokio::join!(self.node("alice"), self.node("bob"));
        self.fund(&[&alice, &bob], 1_000_000).await;
        (alice, bob)
    }

    /// Two nodes with a channel of the usual kind, from the first to the second.
    pub async fn pair_with_channel(&self) -> (Node, Node) {
        let (alice, bob) = self.pair().await;
        self.channel(&alice, &bob, USUAL).await;
        (alice, bob)
    }

    /// Pays each node so much on chain, confirmed and seen.
    pub async fn fund(&self, nodes: &[&Node], amount_sat: u64) {
        for node in nodes {
            self.devnet.fund(&node.new_address().await, amount_sat).await.unwrap();
        }
        self.mine(1, nodes).await;
    }

    /// Mines blocks and brings the nodes up to them.
    pub async fn mine(&self, blocks: u32, nodes: &[&Node]) {
        self.devnet.mine(blocks).await.unwrap();
        sync(nodes).await;
    }

    /// Begins a channel, and gives its funding output once its transaction waits for a block.
    pub async fn open(&self, from: &Node, to: &Node, opening: Opening) -> OutPoint {
        self.try_open(from, to, opening).await.unwrap()
    }

    /// The same, where the far side may refuse.
    pub async fn try_open(&self, from: &Node, to: &Node, opening: Opening) -> Result<OutPoint, Refused> {
        let request = v1::OpenChannelRequest {
            pubkey: to.pubkey.clone(),
            address: to.lightning.clone(),
            capacity_sat: opening.capacity_sat,
            push_sat: opening.push_sat,
            announce: opening.announce,
            count: 1,
        };
        let client = from.reached().await.ok_or_else(Refused::default)?;
        let id = client.node().open_channel(request).await?.into_inner().user_channel_id;
        let outpoint = eventually("the channel has its funding transaction", || async {
            let channel = from.channels().await.into_iter().find(|channel| channel.user_channel_id == id)?;
            OutPoint::from_str(&channel.funding_outpoint).ok()
        })
        .await;
        self.devnet.wait_for_tx(outpoint.txid, DEADLINE).await.unwrap();
        Ok(outpoint)
    }

    /// Mines what a funding needs, and waits until both sides can use the channel.
    pub async fn confirm(&self, funding: OutPoint, nodes: [&Node; 2]) {
        self.devnet.mine(CONFIRMATIONS).await.unwrap();
        for node in nodes {
            eventually(&format!("the channel is usable for {}", node.name), || async {
                sync(&nodes).await;
                node.channel(funding).await.filter(|channel| channel.usable)
            })
            .await;
        }
    }

    /// Opens a channel and waits until both sides can use it.
    pub async fn channel(&self, from: &Node, to: &Node, opening: Opening) -> OutPoint {
        let funding = self.open(from, to, opening).await;
        self.confirm(funding, [from, to]).await;
        funding
    }

    /// What was paid in fees by all transactions in the blocks above a height, in satoshi.
    pub fn fees_sat(&self, above: u32) -> u64 {
        let chain = self.devnet.backend();
        let heights = above + 1..=chain.tip().unwrap().height;
        let hashes = heights.map(|height| chain.block_hash(height).unwrap().unwrap());
        let txids: Vec<Txid> =
            hashes.flat_map(|hash| chain.block(&hash).unwrap().unwrap().txids[1..].to_vec()).collect();
        let fee_sat = |txid: &Txid| {
            let entry = chain.tx(txid).unwrap().unwrap();
            let in_sat: u64 = entry.prevouts.iter().flatten().map(|output| output.value.to_sat()).sum();
            in_sat - entry.tx.output.iter().map(|output| output.value.to_sat()).sum::<u64>()
        };
        txids.iter().map(fee_sat).sum()
    }

    /// The anchors of a closed channel that nobody has spent.
    pub fn unspent_anchors(&self, funding: OutPoint) -> usize {
        let chain = self.devnet.backend();
        let closing = chain.tx(&chain.spend(&funding).unwrap().unwrap().txid).unwrap().unwrap();
        let outputs = (0u32..).zip(&closing.tx.output);
        let anchors = outputs.filter(|(_, output)| output.value.to_sat() == ANCHOR_SAT);
        anchors.filter(|(vout, _)| chain.spend(&OutPoint::new(closing.txid, *vout)).unwrap().is_none()).count()
    }

    /// Mines and brings the nodes up to it, until no channel holds anything for them any more and nothing waits.
    pub async fn settle(&self, nodes: &[&Node]) {
        eventually("all funds are back on chain", || async {
            self.mine(1, nodes).await;
            let mut in_channels_sat = 0;
            for node in nodes {
                in_channels_sat += node.balances().await.total_lightning_sat;
            }
            (in_channels_sat == 0 && self.devnet.mempool().await.unwrap().is_empty()).then_some(())
        })
        .await;
    }
}

/// What all these nodes hold on chain, in satoshi.
pub async fn onchain_sat(nodes: &[&Node]) -> u64 {
    let mut total_sat = 0;
    for node in nodes {
        total_sat += node.balances().await.total_onchain_sat.unsigned_abs();
    }
    total_sat
}

/// Brings nodes up to the chain's tip. On a busy machine a sync may take longer than the node allows it.
pub async fn sync(nodes: &[&Node]) {
    for node in nodes {
        eventually(&format!("{} is at the tip", node.name), || async {
            node.reached().await?.node().sync(v1::SyncRequest {}).await.ok()
        })
        .await;
    }
}

impl Node {
    /// Starts a node in a folder of its name, and waits for nothing.
    pub fn start(folder: &Path, name: &str, esplora: &str) -> Self {
        Self::start_with(folder, name, esplora, &[])
    }

    /// The same with more flags.
    pub fn start_with(folder: &Path, name: &str, esplora: &str, more: &[&str]) -> Self {
        let [lightning, grpc, http] = [free_address(), free_address(), free_address()];
        let data_dir = folder.join(name);
        let shown = data_dir.display().to_string();
        let flags = [
            ("--data-dir", shown.as_str()),
            ("--network", "regtest"),
            ("--esplora", esplora),
            ("--listen", &lightning),
            ("--grpc", &grpc),
            ("--http", &http),
            ("--alias", name),
        ];
        let flags = flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value.to_owned()]);
        let flags = flags.chain(more.iter().map(|&flag| flag.to_owned()));
        let argv: Vec<String> = [BOLTGRAM.to_owned(), "node".into()].into_iter().chain(flags).collect();
        let process = Process::start(&argv, folder.join(format!("{name}.log")));
        let (name, pubkey, pid) = (name.to_owned(), String::new(), process.child.id());
        Self { handle: NodeHandle { name, pubkey, grpc, http, lightning, data_dir, pid, argv }, process }
    }

    /// Waits until it runs.
    pub async fn running(self) -> Self {
        self.at(v1::Phase::Running).await
    }

    /// Waits until it is in this phase.
    pub async fn at(mut self, phase: v1::Phase) -> Self {
        assert!(self.comes_to(phase).await, "it ended: {}", self.process.logged());
        self
    }

    /// Waits until it runs.
    pub async fn runs(&mut self) {
        assert!(self.comes_to(v1::Phase::Running).await, "it ended: {}", self.process.logged());
    }

    /// Waits until it is in this phase, or its process has ended: then `false`.
    pub async fn comes_to(&mut self, phase: v1::Phase) -> bool {
        let what = format!("{} is at {phase:?}, see {}", self.name, self.process.log.display());
        let handle = self.handle.clone();
        let pubkey = eventually(&what, || {
            let has_ended = self.process.child.try_wait().unwrap().is_some();
            let handle = handle.clone();
            async move {
                if has_ended {
                    return Some(None);
                }
                let client = Client::connect(&handle.grpc).await.ok()?;
                let info = client.node().get_info(v1::GetInfoRequest {}).await.ok()?.into_inner();
                (info.phase() == phase).then_some(Some(info.pubkey))
            }
        })
        .await;
        let is_there = pubkey.is_some();
        self.pubkey = pubkey.unwrap_or_else(|| self.pubkey.clone());
        is_there
    }

    /// Starts its process again, on the same data, and waits for nothing.
    pub fn again(&mut self) {
        self.again_with(&[]);
    }

    /// The same, with these environment variables.
    pub fn again_with(&mut self, variables: &[(&str, &str)]) {
        self.process = Process::start_with(&self.argv.clone(), self.process.log.clone(), variables);
        self.pid = self.process.child.id();
    }

    pub async fn info(&self) -> v1::GetInfoResponse {
        self.client().await.node().get_info(v1::GetInfoRequest {}).await.unwrap().into_inner()
    }

    pub async fn balances(&self) -> v1::BalancesResponse {
        self.client().await.node().balances(v1::BalancesRequest {}).await.unwrap().into_inner()
    }

    pub async fn new_address(&self) -> Address {
        let answer = self.client().await.node().new_address(v1::NewAddressRequest {}).await.unwrap();
        let address = answer.into_inner().address.parse::<Address<_>>().unwrap();
        address.require_network(Network::Regtest).unwrap()
    }

    /// The channel with this funding, unless it is closed.
    pub async fn channel(&self, funding: OutPoint) -> Option<v1::Channel> {
        let funding = funding.to_string();
        self.channels().await.into_iter().find(|channel| channel.funding_outpoint == funding)
    }

    /// Begins to close the channel with this funding.
    pub async fn close(&self, funding: OutPoint, force: bool) {
        let channel_id = self.channel(funding).await.unwrap().channel_id;
        let request = v1::CloseChannelRequest { channel_id, force };
        self.client().await.node().close_channel(request).await.unwrap();
    }

    /// Sends a text and waits until it is delivered.
    pub async fn send(&self, to: &Node, text: &str) -> Result<String, Refused> {
        let request = v1::SendRequest {
            pubkey: to.pubkey.clone(),
            content: Some(v1::send_request::Content::Text(text.to_owned())),
            ..Default::default()
        };
        let answer = self.client().await.messages().send(request).await?;
        Ok(answer.into_inner().message.unwrap().id)
    }

    /// How often a text is in its inbox.
    pub async fn received(&self, text: &str) -> usize {
        let messages = self.messages().await;
        messages.iter().filter(|message| message.direction() == v1::Direction::In && message.text == text).count()
    }
}

/// How a call was refused, as gRPC or HTTP told it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Refused {
    pub code: i32,
    pub message: String,
    pub reason: String,
    pub domain: String,
    pub metadata: BTreeMap<String, String>,
}

impl From<tonic::Status> for Refused {
    fn from(status: tonic::Status) -> Self {
        let (code, message) = (status.code().into(), status.message().to_owned());
        let Some(info) = status.get_details_error_info() else {
            return Self { code, message, ..Self::default() };
        };
        let metadata = info.metadata.into_iter().collect();
        Self { code, message, reason: info.reason, domain: info.domain, metadata }
    }
}
