//! Just-in-time channels against ldk-node's own LSPS2 service: a node with neither coins nor channels is paid.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../../../tests/support/ports.rs"]
mod ports;
mod provider;

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    str::FromStr as _,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use bitcoin::Address;
use boltgram_core::{
    NodeId, Reason,
    transport::{EventHandler, HandlerError, Transport as _, TransportEvent},
};
use boltgram_devnet::{Devnet, DevnetConfig};
use boltgram_lightning::{Gossip, JitInvoiceRequest, Lsp, Network, Node, NodeConfig, Phase};
use ldk_node::lightning_invoice::Bolt11Invoice;
use ports::free_address;
use provider::{FEE_MSAT, TOKEN, World, wait_for};
use tokio::runtime::Runtime;

/// Keeps the events that come.
#[derive(Default)]
struct Events(Mutex<Vec<TransportEvent>>);

impl EventHandler for Events {
    fn handle(&self, event: TransportEvent) -> Result<(), HandlerError> {
        self.0.lock().unwrap().push(event);
        Ok(())
    }
}

fn lsp(world: &World) -> Lsp {
    let node_id = NodeId::from(world.provider.node.node_id());
    Lsp { node_id, address: world.provider.address.to_string(), token: Some(TOKEN.into()) }
}

/// A node of ours that runs, with nothing on chain.
fn client(world: &World, name: &str, lsp: Option<Lsp>) -> (Arc<Node>, Arc<Events>) {
    let config = NodeConfig::new(world.folder.path().join(name), Network::Regtest, world.devnet.url());
    let (node, events) = (Node::build(NodeConfig { lsp, ..config }).unwrap(), Arc::<Events>::default());
    node.run(events.clone()).unwrap();
    wait_for("the node does not run", || (node.status().phase == Phase::Running).then_some(()));
    (node, events)
}

fn request() -> JitInvoiceRequest {
    JitInvoiceRequest { amount_msat: 100_000_000, description: "a first".into(), expiry_s: 600, fee_limit_msat: None }
}

#[test]
fn a_node_without_coins_and_channels_is_paid_over_a_channel_that_its_provider_opens_for_it() {
    let world = World::begin();
    let (client, events) = client(&world, "client", Some(lsp(&world)));
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
    assert_eq!(channel.peer, lsp(&world).node_id);
    assert!(client.balances().inbound_msat > 0, "there is room for more: {:?}", client.balances());
    wait_for("what came cannot be sent on", || client.check(lsp(&world).node_id, 50_000_000).ok());
    client.stop().unwrap();
}

#[test]
fn without_an_offer_it_is_told_why() {
    let world = World::begin();
    let refused = |name: &str, provider: Option<Lsp>, request: &JitInvoiceRequest| {
        let (client, _) = client(&world, name, provider);
        let failure = client.create_jit_invoice(request).unwrap_err();
        assert!(client.list_channels().is_empty());
        client.stop().unwrap();
        failure
    };
    assert_eq!(refused("alone", None, &request()).reason, Reason::NoLsp);
    let away = Lsp { address: free_address(), ..lsp(&world) };
    assert_eq!(refused("away", Some(away), &request()).reason, Reason::PeerOffline);
    let stranger = Lsp { token: Some("a-stranger".into()), ..lsp(&world) };
    assert_eq!(refused("stranger", Some(stranger), &request()).reason, Reason::LspFailed);
    let no_service =
        Lsp { node_id: world.payer.node.node_id().into(), address: world.payer.address.to_string(), token: None };
    assert_eq!(refused("no-service", Some(no_service), &request()).reason, Reason::LspFailed);
    let small = JitInvoiceRequest { amount_msat: 1_000_000, ..request() };
    assert_eq!(refused("small", Some(lsp(&world)), &small).reason, Reason::LspFailed);
    let cheap = JitInvoiceRequest { fee_limit_msat: Some(FEE_MSAT - 1), ..request() };
    let failure = refused("cheap", Some(lsp(&world)), &cheap);
    assert_eq!((failure.reason, failure.metadata["fee_limit_msat"].as_str()), (Reason::LspFeeTooHigh, "999999"));
    let exact = JitInvoiceRequest { fee_limit_msat: Some(FEE_MSAT), ..request() };
    let (client, _) = client(&world, "exact", Some(lsp(&world)));
    assert_eq!(client.create_jit_invoice(&exact).unwrap().fee_msat, FEE_MSAT);
    client.stop().unwrap();
}

#[test]
fn a_trusted_peers_channel_is_used_before_it_is_confirmed() {
    let world = World::begin();
    let peer = lsp(&world).node_id;
    let config = NodeConfig::new(world.folder.path().join("trusting"), Network::Regtest, world.devnet.url());
    let node = Node::build(NodeConfig { trusted_peers_0conf: vec![peer], ..config }).unwrap();
    node.run(Arc::<Events>::default()).unwrap();
    wait_for("the node does not run", || (node.status().phase == Phase::Running).then_some(()));
    let address = node.new_address().unwrap().parse::<Address<_>>().unwrap().assume_checked();
    world.runtime.block_on(world.devnet.fund(&address, 100_000)).unwrap();
    world.mine(1);
    wait_for("the coins are not seen", || {
        node.sync().unwrap();
        (node.balances().spendable_onchain_sat > 0).then_some(())
    });
    node.connect(peer, &world.provider.address.to_string(), true).unwrap();

    let far = &world.provider.node;
    far.open_channel(node.node_id().public_key(), world.payer.address.clone(), 300_000, Some(100_000_000), None)
        .unwrap();
    let channel = wait_for("the channel is not usable", || node.list_channels().pop().filter(|it| it.is_usable));
    assert_eq!(channel.confirmations, 0);
    wait_for("nothing can be sent", || node.check(peer, 50_000_000).ok());
    node.stop().unwrap();
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
