//! Just-in-time channels against ldk-node's own LSPS2 service: a node with neither coins nor channels is paid.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener},
    path::Path,
    str::FromStr as _,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use bitcoin::Address;
use boltgram_core::{
    NodeId, Reason,
    transport::{EventHandler, HandlerError, Transport as _, TransportEvent},
};
use boltgram_devnet::{Devnet, DevnetConfig};
use boltgram_lightning::{Gossip, JitInvoiceRequest, Lsp, Network, Node, NodeConfig, Phase};
use ldk_node::{
    Builder, config::Config, lightning::ln::msgs::SocketAddress, lightning_invoice::Bolt11Invoice,
    liquidity::LSPS2ServiceConfig,
};
use tokio::runtime::Runtime;

const DEADLINE: Duration = Duration::from_secs(60);

/// What the provider asks its users for.
const TOKEN: &str = "a-known-user";

/// What the provider keeps of 100,000 sat: 1 %.
const FEE_MSAT: u64 = 1_000_000;

/// Waits until the condition yields something; the time between looks is no synchronisation.
fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(begin.elapsed() < DEADLINE, "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Keeps the events that come.
#[derive(Default)]
struct Events(Mutex<Vec<TransportEvent>>);

impl EventHandler for Events {
    fn handle(&self, event: TransportEvent) -> Result<(), HandlerError> {
        self.0.lock().unwrap().push(event);
        Ok(())
    }
}

/// A node of ldk-node itself, whose events nobody needs.
struct Other {
    node: Arc<ldk_node::Node>,
    address: SocketAddress,
}

impl Other {
    fn start(folder: &Path, esplora_url: &str, service: Option<LSPS2ServiceConfig>) -> Self {
        let address = SocketAddress::from(free_address());
        let storage_dir_path = folder.display().to_string();
        let mut builder =
            Builder::from_config(Config { storage_dir_path, network: Network::Regtest, ..Config::default() });
        builder.set_chain_source_esplora(esplora_url.to_owned(), None);
        builder.set_listening_addresses(vec![address.clone()]).unwrap();
        if let Some(service) = service {
            builder.set_liquidity_provider_lsps2(service);
        }
        let node = Arc::new(builder.build().unwrap());
        node.start().unwrap();
        Self { node, address }
    }

    /// Takes the events that are there, so that the queue doesn't grow.
    fn drain(&self) {
        while self.node.next_event().is_some() {
            self.node.event_handled().unwrap();
        }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.node.stop().unwrap();
    }
}

fn service() -> LSPS2ServiceConfig {
    LSPS2ServiceConfig {
        require_token: Some(TOKEN.into()),
        advertise_service: false,
        channel_opening_fee_ppm: 10_000,
        channel_over_provisioning_ppm: 500_000,
        min_channel_opening_fee_msat: 0,
        min_channel_lifetime: 144,
        max_client_to_self_delay: 1_024,
        min_payment_size_msat: 50_000_000,
        max_payment_size_msat: 500_000_000,
        client_trusts_lsp: false,
    }
}

/// A devnet, a provider, and a payer who has a channel with it.
struct World {
    // Dropped in this order: the nodes, then what they stand on.
    payer: Other,
    provider: Other,
    devnet: Devnet,
    runtime: Runtime,
    folder: tempfile::TempDir,
}

impl World {
    fn begin() -> Self {
        let runtime = Runtime::new().unwrap();
        let devnet = runtime.block_on(Devnet::start(DevnetConfig::default())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let provider = Other::start(&folder.path().join("provider"), &devnet.url(), Some(service()));
        let payer = Other::start(&folder.path().join("payer"), &devnet.url(), None);
        let world = Self { payer, provider, devnet, runtime, folder };
        for node in [&world.provider.node, &world.payer.node] {
            let address = node.onchain_payment().new_address().unwrap().to_string();
            let address = address.parse::<Address<_>>().unwrap().assume_checked();
            world.runtime.block_on(world.devnet.fund(&address, 2_000_000)).unwrap();
        }
        world.mine(1);
        let provider = (world.provider.node.node_id(), world.provider.address.clone());
        world.payer.node.open_channel(provider.0, provider.1, 1_000_000, None, None).unwrap();
        world.runtime.block_on(world.devnet.wait_for_mempool(1, DEADLINE)).unwrap();
        world.mine(6);
        wait_for("the payer's channel is not usable", || {
            world.payer.node.list_channels().first().filter(|channel| channel.is_usable).map(|_| ())
        });
        world
    }

    fn mine(&self, blocks: u32) {
        self.runtime.block_on(self.devnet.mine(blocks)).unwrap();
        for node in [&self.provider.node, &self.payer.node] {
            node.sync_wallets().unwrap();
        }
    }

    fn lsp(&self) -> Lsp {
        let node_id = NodeId::from(self.provider.node.node_id());
        Lsp { node_id, address: self.provider.address.to_string(), token: Some(TOKEN.into()) }
    }

    /// A node of ours that runs, with nothing on chain.
    fn client(&self, name: &str, lsp: Option<Lsp>) -> (Arc<Node>, Arc<Events>) {
        let config = NodeConfig::new(self.folder.path().join(name), Network::Regtest, self.devnet.url());
        let (node, events) = (Node::build(NodeConfig { lsp, ..config }).unwrap(), Arc::<Events>::default());
        node.run(events.clone()).unwrap();
        wait_for("the node does not run", || (node.status().phase == Phase::Running).then_some(()));
        (node, events)
    }
}

fn request() -> JitInvoiceRequest {
    JitInvoiceRequest { amount_msat: 100_000_000, description: "a first".into(), expiry_s: 600, fee_limit_msat: None }
}

#[test]
fn a_node_without_coins_and_channels_is_paid_over_a_channel_that_its_provider_opens_for_it() {
    let world = World::begin();
    let (client, events) = world.client("client", Some(world.lsp()));
    assert_eq!((client.balances().total_onchain_sat, client.list_channels().len()), (0, 0));

    let made = client.create_jit_invoice(&request()).unwrap();
    assert_eq!(made.fee_msat, FEE_MSAT);
    let invoice = Bolt11Invoice::from_str(&made.invoice).unwrap();
    assert_eq!(invoice.amount_milli_satoshis(), Some(100_000_000));
    assert_eq!(invoice.payment_hash().to_string(), made.payment_hash);
    assert_eq!(invoice.expiry_time(), Duration::from_secs(600));
    assert_eq!(invoice.expires_at().unwrap().as_millis(), u128::from(made.expires_at_ms));

    world.payer.node.bolt11_payment().send(&invoice, None).unwrap();
    let amount_msat = wait_for("the payment does not arrive", || {
        world.provider.drain();
        world.payer.drain();
        events.0.lock().unwrap().iter().find_map(|event| match event {
            TransportEvent::PaymentReceived { amount_msat, .. } => Some(*amount_msat),
            _ => None,
        })
    });
    assert_eq!(amount_msat, 100_000_000 - FEE_MSAT);
    let channel = client.list_channels().pop().unwrap();
    assert!(channel.is_usable && !channel.is_outbound && channel.confirmations == 0, "{channel:?}");
    assert_eq!(channel.peer, world.lsp().node_id);
    assert!(client.balances().inbound_msat > 0, "there is room for more: {:?}", client.balances());
    wait_for("what came cannot be sent on", || client.check(world.lsp().node_id, 50_000_000).ok());
    client.stop().unwrap();
}

#[test]
fn without_an_offer_it_is_told_why() {
    let world = World::begin();
    let refused = |name: &str, lsp: Option<Lsp>, request: &JitInvoiceRequest| {
        let (client, _) = world.client(name, lsp);
        let failure = client.create_jit_invoice(request).unwrap_err();
        assert!(client.list_channels().is_empty());
        client.stop().unwrap();
        failure
    };
    assert_eq!(refused("alone", None, &request()).reason, Reason::NoLsp);
    let away = Lsp { address: free_address().to_string(), ..world.lsp() };
    assert_eq!(refused("away", Some(away), &request()).reason, Reason::PeerOffline);
    let stranger = Lsp { token: Some("a-stranger".into()), ..world.lsp() };
    assert_eq!(refused("stranger", Some(stranger), &request()).reason, Reason::LspFailed);
    let no_service =
        Lsp { node_id: world.payer.node.node_id().into(), address: world.payer.address.to_string(), token: None };
    assert_eq!(refused("no-service", Some(no_service), &request()).reason, Reason::LspFailed);
    let small = JitInvoiceRequest { amount_msat: 1_000_000, ..request() };
    assert_eq!(refused("small", Some(world.lsp()), &small).reason, Reason::LspFailed);
    let cheap = JitInvoiceRequest { fee_limit_msat: Some(FEE_MSAT - 1), ..request() };
    let failure = refused("cheap", Some(world.lsp()), &cheap);
    assert_eq!((failure.reason, failure.metadata["fee_limit_msat"].as_str()), (Reason::LspFeeTooHigh, "999999"));
    let exact = JitInvoiceRequest { fee_limit_msat: Some(FEE_MSAT), ..request() };
    let (client, _) = world.client("exact", Some(world.lsp()));
    assert_eq!(client.create_jit_invoice(&exact).unwrap().fee_msat, FEE_MSAT);
    client.stop().unwrap();
}

#[test]
fn a_node_asks_its_rapid_gossip_sync_server_and_runs_without_an_answer() {
    let runtime = Runtime::new().unwrap();
    let devnet = runtime.block_on(Devnet::start(DevnetConfig::default())).unwrap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let gossip = Gossip::RapidSync(format!("http://{}/snapshot/", server.local_addr().unwrap()));
    let asked = thread::spawn(move || {
        let mut line = String::new();
        BufReader::new(server.accept().unwrap().0).read_line(&mut line).unwrap();
        line
    });
    let folder = tempfile::tempdir().unwrap();
    let config = NodeConfig::new(folder.path(), Network::Regtest, devnet.url());
    let node = Node::build(NodeConfig { gossip, ..config }).unwrap();
    node.run(Arc::<Events>::default()).unwrap();
    wait_for("the node does not run", || (node.status().phase == Phase::Running).then_some(()));
    wait_for("the server is not asked", || asked.is_finished().then_some(()));
    assert_eq!(asked.join().unwrap(), "GET /snapshot/0 HTTP/1.1\r\n");
    node.stop().unwrap();
}
