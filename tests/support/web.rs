//! Nodes with channels between them, for tests that kill nodes: a channel that a kill has cost is opened again.

use bitcoin::OutPoint;
use boltgram_api::{client::Client, v1};

use super::{
    chain::{Node, Opening, Regtest},
    eventually,
};

/// What each node has on chain: enough for a new channel after each of many kills.
pub const FUNDS_SAT: u64 = 100_000_000;

/// What is mined after a channel was closed, so that both sides are through with it: LDK gives a dust HTLC up when the
/// closing is 6 blocks deep.
const CLOSED_DEPTH: u32 = 8;

/// LDK tells of a start's troubles on this level.
pub const LOG: [&str; 2] = ["--log", "info,ldk=info"];

/// What LDK logs when it finds updates in a monitor that its manager holds back still. lightning 0.2.7 then takes them for
/// done, and may leave the channel waiting for them: it looks usable, and carries nothing any more.
const FREEZE: &str = "Dropping completed ChannelMonitorUpdate";

/// Nodes on a devnet of their own, and the channels that they are to have.
pub struct Web {
    pub net: Regtest,
    pub nodes: Vec<Node>,
    /// The height at which each node has its funds, and has opened no channel yet.
    pub funded_height: u32,
    /// Between whom channels were found closed so far, each as it was when that was found.
    pub lost: Vec<(usize, usize)>,
    links: Vec<Link>,
}

impl Drop for Web {
    fn drop(&mut self) {
        // What a failed test leaves is looked at.
        self.net.folder.disable_cleanup(std::thread::panicking());
    }
}

struct Link {
    from: usize,
    to: usize,
    opening: Opening,
    funding: OutPoint,
}

impl Web {
    /// Starts nodes of these names, and opens a channel for each pair of their numbers.
    pub async fn start(names: &[&str], openings: &[(usize, usize, Opening)]) -> Self {
        let net = Regtest::start().await;
        let esplora = net.devnet.url();
        let start = |name: &&str| Node::start_with(net.folder.path(), name, &esplora, &LOG);
        let nodes = names.iter().map(start).collect();
        Self::of(net, nodes, openings).await
    }

    /// The same with nodes that are started already, with [`LOG`] among their flags; a channel is opened at the address
    /// that the handle of its far side has.
    pub async fn of(net: Regtest, mut nodes: Vec<Node>, openings: &[(usize, usize, Opening)]) -> Self {
        for node in &mut nodes {
            node.runs().await;
        }
        net.fund(&nodes.iter().collect::<Vec<_>>(), FUNDS_SAT).await;
        let funded_height = net.devnet.height().await.unwrap();
        let mut links = Vec::new();
        for &(from, to, opening) in openings {
            let funding = net.channel(&nodes[from], &nodes[to], opening).await;
            links.push(Link { from, to, opening, funding });
        }
        Self { net, nodes, funded_height, lost: Vec::new(), links }
    }

    /// Waits until each channel can be used, and opens those again that are closed. Says how many those were.
    pub async fn mend(&mut self) -> usize {
        let before = self.lost.len();
        for number in 0..self.links.len() {
            let link = &self.links[number];
            if self.is_gone(link).await {
                let pair = (link.from, link.to);
                self.lost.push(pair);
                self.links[number].funding = self.open_again(&self.links[number]).await;
            }
        }
        self.lost.len() - before
    }

    /// Closes the channels that LDK has frozen at a start, and opens others. Says how many those were.
    pub async fn thaw(&mut self) -> usize {
        let mut frozen = 0;
        for link in &self.links {
            for who in [link.from, link.to] {
                let Some(channel) = self.nodes[who].channel(link.funding).await else { continue };
                let logged = self.nodes[who].process.logged();
                if logged.lines().any(|line| line.contains(FREEZE) && line.contains(&channel.channel_id)) {
                    self.nodes[who].close(link.funding, true).await;
                    frozen += 1;
                    break;
                }
            }
        }
        self.mend().await;
        frozen
    }

    /// Closes all channels, each by agreement of both sides, and waits until they are gone.
    pub async fn close_all(&self) {
        for link in &self.links {
            self.nodes[link.from].close(link.funding, false).await;
            for node in [&self.nodes[link.from], &self.nodes[link.to]] {
                eventually(&format!("{}'s channel is gone", node.name), || async {
                    node.channel(link.funding).await.is_none().then_some(())
                })
                .await;
            }
        }
    }

    /// Ends all nodes in order.
    pub async fn stop(&mut self) {
        for node in &mut self.nodes {
            node.process.stop().await;
        }
    }

    /// Whether a channel is closed; else it is waited for until both sides can use it.
    async fn is_gone(&self, link: &Link) -> bool {
        let (from, to) = (&self.nodes[link.from], &self.nodes[link.to]);
        eventually(&format!("the channel of {} and {} is usable or gone", from.name, to.name), || async {
            let (near, far) = (from.reached().await?, to.reached().await?);
            match (channel(&near, link.funding).await?, channel(&far, link.funding).await?) {
                (Some(near), Some(far)) => (near.usable && far.usable).then_some(false),
                _ => Some(true),
            }
        })
        .await
    }

    async fn open_again(&self, link: &Link) -> OutPoint {
        let (from, to) = (&self.nodes[link.from], &self.nodes[link.to]);
        let all: Vec<&Node> = self.nodes.iter().collect();
        eventually("both sides know that the channel is closed", || async {
            self.net.mine(1, &all).await;
            let (near, far) = (from.reached().await?, to.reached().await?);
            let left = (channel(&near, link.funding).await?, channel(&far, link.funding).await?);
            (left == (None, None)).then_some(())
        })
        .await;
        self.net.mine(CLOSED_DEPTH, &all).await;
        // A peer hangs up on whom it has just closed a channel with.
        let funding =
            eventually("another channel is begun", || async { self.net.try_open(from, to, link.opening).await.ok() })
                .await;
        self.net.confirm(funding, [from, to]).await;
        funding
    }
}

/// The channel with this funding, as this node has it; `None` when the node doesn't say.
async fn channel(node: &Client, funding: OutPoint) -> Option<Option<v1::Channel>> {
    let channels = node.node().list_channels(v1::ListChannelsRequest {}).await.ok()?.into_inner().channels;
    Some(channels.into_iter().find(|channel| channel.funding_outpoint == funding.to_string()))
}
