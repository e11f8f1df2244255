//! Channels closed, together and by force, from either side: where every satoshi is afterwards.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use std::ops::RangeInclusive;

use support::{
    chain::{ANCHOR_SAT, Node, Regtest, USUAL, onchain_sat},
    eventually,
};

/// How long the closer's own output of a forced close is locked (ldk-node's `to_self_delay`, LDK's `BREAKDOWN_TIMEOUT`).
const FORCED_DELAY_BLOCKS: u32 = 144;

/// Who closes a channel that alice opened to bob.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Closer {
    Opener,
    Acceptor,
}

/// Two nodes with a channel that has carried messages each way.
struct Talk {
    net: Regtest,
    alice: Node,
    bob: Node,
    funding: bitcoin::OutPoint,
    start_sat: u64,
    start_height: u32,
}

impl Talk {
    async fn start() -> Self {
        let net = Regtest::start().await;
        let (alice, bob) = net.pair().await;
        let start_sat = onchain_sat(&[&alice, &bob]).await;
        assert_eq!(start_sat, 2_000_000);
        let start_height = net.devnet.height().await.unwrap();
        let funding = net.channel(&alice, &bob, USUAL).await;
        for _ in 0..3 {
            alice.send(&bob, "to bob").await.unwrap();
        }
        bob.send(&alice, "to alice").await.unwrap();
        Self { net, alice, bob, funding, start_sat, start_height }
    }

    /// Closes the channel, and waits until both nodes have it no more and the closing transaction waits for a block.
    async fn close(&self, closer: Closer, force: bool) {
        let closer = if closer == Closer::Opener { &self.alice } else { &self.bob };
        closer.close(self.funding, force).await;
        for node in [&self.alice, &self.bob] {
            eventually(&format!("{}'s channel is gone", node.name), || async {
                node.channel(self.funding).await.is_none().then_some(())
            })
            .await;
        }
        self.net.devnet.wait_for_mempool(1, support::DEADLINE).await.unwrap();
        // Who would send now is told why not.
        for (from, to) in [(&self.alice, &self.bob), (&self.bob, &self.alice)] {
            assert_eq!(from.send(to, "too late").await.unwrap_err().reason, "NO_USABLE_CHANNEL");
        }
    }

    /// Every satoshi of the start is in a wallet, in an anchor that nobody spends, or was a fee.
    async fn account(&self, anchors: RangeInclusive<usize>) {
        let nodes = [&self.alice, &self.bob];
        self.net.settle(&nodes).await;
        let (wallets_sat, fees_sat) = (onchain_sat(&nodes).await, self.net.fees_sat(self.start_height));
        let unspent = self.net.unspent_anchors(self.funding);
        assert!(anchors.contains(&unspent), "{unspent}");
        // A payment's amount and a fee here are whole satoshi, so nothing is rounded away: the msat remainders are 0.
        assert_eq!(wallets_sat + fees_sat + unspent as u64 * ANCHOR_SAT, self.start_sat, "fees: {fees_sat} sat");
        for node in nodes {
            let balances = node.balances().await;
            assert_eq!((balances.spendable_onchain_sat, balances.anchor_reserve_sat), (balances.total_onchain_sat, 0));
        }
        // Bob has what was pushed to him and paid to him, less what he paid for claiming it.
        let bob_sat = self.bob.balances().await.total_onchain_sat;
        assert!((1_195_000..=1_200_002).contains(&bob_sat), "{bob_sat}");
    }

    async fn finish(mut self) {
        for node in [&mut self.alice, &mut self.bob] {
            node.process.stop().await;
        }
    }
}

async fn closed_together(closer: Closer) {
    let talk = Talk::start().await;
    talk.close(closer, false).await;
    talk.account(0..=0).await;
    assert_eq!(talk.bob.balances().await.total_onchain_sat, 1_200_002, "the opener pays for the close");
    talk.finish().await;
}

async fn forced(closer: Closer) {
    let talk = Talk::start().await;
    let nodes = [&talk.alice, &talk.bob];
    talk.close(closer, true).await;
    talk.net.mine(1, &nodes).await;
    talk.net.mine(FORCED_DELAY_BLOCKS, &nodes).await;
    // Each side has an anchor. LDK spends the closer's own to raise the fee when the commitment's rate is below the
    // estimate, as it is here by a rounding (lightning 0.2.7, `BumpTransactionEventHandler::handle_channel_close`).
    talk.account(1..=2).await;
    talk.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_closed_together_at_its_openers_wish_gives_both_what_is_theirs() {
    closed_together(Closer::Opener).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_closed_together_at_its_acceptors_wish_gives_both_what_is_theirs() {
    closed_together(Closer::Acceptor).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_closed_by_its_opener_alone_gives_both_what_is_theirs() {
    forced(Closer::Opener).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_closed_by_its_acceptor_alone_gives_both_what_is_theirs() {
    forced(Closer::Acceptor).await;
}
