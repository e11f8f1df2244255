//! A proxy before an Esplora server, which makes the troubles that such a server makes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::sleep,
};

use super::{eventually, free_address};

/// What the proxy does with a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Passes it on.
    Pass,
    /// Nobody listens: connections are refused.
    Stopped,
    /// Passes it on after a while.
    Slow(Duration),
    /// Answers 500 to everything.
    Failing,
    /// Answers 200 and no Esplora to everything.
    Garbage,
    /// Takes it, and never answers.
    Silent,
}

/// The proxy. Its address stays, whatever it does.
pub struct Proxy {
    pub address: String,
    upstream: String,
    requests: Arc<AtomicUsize>,
    serving: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts one that passes all on to `upstream`, an address such as `http://127.0.0.1:3002`.
    pub async fn start(upstream: &str) -> Self {
        let upstream = upstream.strip_prefix("http://").unwrap().to_owned();
        let mut proxy = Self { address: free_address(), upstream, requests: Arc::default(), serving: None };
        proxy.set(Mode::Pass).await;
        proxy
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes what it does, and cuts every connection that stands.
    pub async fn set(&mut self, mode: Mode) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
        if mode == Mode::Stopped {
            return;
        }
        let address = self.address.clone();
        let listener = eventually("the proxy listens", || {
            let address = address.clone();
            async move { TcpListener::bind(address).await.ok() }
        })
        .await;
        self.serving = Some(tokio::spawn(serve(listener, mode, self.upstream.clone(), self.requests.clone())));
    }

    /// How many pieces of requests it has taken so far: one for a request without a body.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }
}

async fn serve(listener: TcpListener, mode: Mode, upstream: String, requests: Arc<AtomicUsize>) {
    // With it go the connections.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(connection(stream, mode, upstream.clone(), requests.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(mut stream: TcpStream, mode: Mode, upstream: String, requests: Arc<AtomicUsize>) {
    // An error is a side that has left.
    let _ = match mode {
        Mode::Pass => pass(&mut stream, &upstream).await,
        Mode::Slow(delay) => slow(stream, &upstream, delay, &requests).await,
        Mode::Failing => answer(&mut stream, "500 Internal Server Error", "out of order", &requests).await,
        Mode::Garbage => answer(&mut stream, "200 OK", "<html>\u{0}garbage", &requests).await,
        Mode::Silent | Mode::Stopped => std::future::pending().await,
    };
}

async fn pass(stream: &mut TcpStream, upstream: &str) -> std::io::Result<()> {
    let mut upstream = TcpStream::connect(upstream).await?;
    copy_bidirectional(stream, &mut upstream).await.map(|_| ())
}

async fn slow(stream: TcpStream, upstream: &str, delay: Duration, requests: &AtomicUsize) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = stream.into_split();
    let (mut from_server, mut to_server) = TcpStream::connect(upstream).await?.into_split();
    let requests = async {
        let mut buffer = vec![0; 64 * 1_024];
        loop {
            let count = from_client.read(&mut buffer).await?;
            if count == 0 {
                return std::io::Result::Ok(());
            }
            requests.fetch_add(1, Ordering::SeqCst);
            sleep(delay).await;
            to_server.write_all(&buffer[..count]).await?;
        }
    };
    tokio::select! {
        ended = requests => ended,
        ended = copy(&mut from_server, &mut to_client) => ended.map(|_| ()),
    }
}

async fn answer(stream: &mut TcpStream, status: &str, body: &str, requests: &AtomicUsize) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1_024];
    if stream.read(&mut buffer).await? > 0 {
        requests.fetch_add(1, Ordering::SeqCst);
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        stream.shutdown().await?;
        // The client reads before it closes.
        while stream.read(&mut buffer).await? > 0 {}
    }
    Ok(())
}
