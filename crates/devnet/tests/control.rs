//! How a devnet starts and stops.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use boltgram_devnet::{Devnet, DevnetConfig, DevnetError};

const DEADLINE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn settings_out_of_bounds_and_a_port_in_use_are_refused() {
    for ms in [0, 9, 3_600_001] {
        let config = DevnetConfig { auto_mine_ms: Some(ms), ..DevnetConfig::default() };
        let error = Devnet::start(config).await.unwrap_err();
        assert_eq!(error.to_string(), format!("auto_mine_ms must be 10 to 3600000, not {ms}"));
    }
    let config = DevnetConfig { premined_blocks: 10_001, ..DevnetConfig::default() };
    let error = Devnet::start(config).await.unwrap_err();
    assert_eq!(error.to_string(), "premined_blocks must be 0 to 10000, not 10001");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = DevnetConfig { listen: listener.local_addr().unwrap(), ..DevnetConfig::default() };
    assert!(matches!(Devnet::start(config).await.unwrap_err(), DevnetError::Listen { .. }));
}

/// An open connection that has had one answer and asks for nothing more.
fn idle_connection(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(b"GET /blocks/tip/height HTTP/1.1\r\nhost: devnet\r\n\r\n").unwrap();
    let mut answer = [0; 1_024];
    let count = stream.read(&mut answer).unwrap();
    assert!(answer[..count].starts_with(b"HTTP/1.1 200 OK"));
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_quick_with_connections_open_and_frees_the_port() {
    let devnet = Devnet::start(DevnetConfig::default()).await.unwrap();
    let address: SocketAddr = devnet.url().strip_prefix("http://").unwrap().parse().unwrap();
    let mut idle = idle_connection(address);
    let mut half = TcpStream::connect(address).unwrap();
    half.write_all(b"POST /tx HTTP/1.1\r\nhost: devnet\r\ncontent-length: 10\r\n\r\n00").unwrap();
    let mut silent = TcpStream::connect(address).unwrap();
    let start = Instant::now();
    devnet.stop().await;
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    for stream in [&mut idle, &mut half, &mut silent] {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut rest = Vec::new();
        // Closed or reset, but not left hanging.
        if let Err(error) = stream.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
    }
    let config = DevnetConfig { listen: address, ..DevnetConfig::default() };
    Devnet::start(config).await.expect("the port is free again").stop().await;
}

#[tokio::test]
async fn a_devnet_may_be_dropped_on_any_runtime_and_serves_while_the_caller_blocks() {
    let devnet = Devnet::start(DevnetConfig::default()).await.unwrap();
    let address: SocketAddr = devnet.url().strip_prefix("http://").unwrap().parse().unwrap();
    // This runtime's only thread is blocked here.
    let mut idle = idle_connection(address);
    drop(devnet);
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).ok();
    assert!(rest.is_empty(), "cut");
}
