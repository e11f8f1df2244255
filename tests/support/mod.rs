//! What the end-to-end tests share: real `boltgram` processes, started, reached and ended.
//!
//! A [`Stack`] is what `boltgram demo --keep-running` brings up: a regtest, alice, bob and a channel between them. A
//! [`Process`] is any one command. All are ended by their process id, and waited for.

#![allow(dead_code, reason = "each test target uses a part of it")]

pub mod books;
pub mod chain;
pub mod commands;
pub mod doors;
mod ports;
pub mod proxy;
pub mod tmpfs;
pub mod web;

use std::{
    fs,
    future::Future,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use boltgram_api::{client::Client, v1};
use serde::Deserialize;
use tempfile::TempDir;

pub use ports::free_address;

/// How long a condition may take to come about on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The binary that was just built.
pub const BOLTGRAM: &str = env!("CARGO_BIN_EXE_boltgram");

/// Looks again and again until there is something; fails the test past the deadline.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + DEADLINE;
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    loop {
        ticks.tick().await;
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {DEADLINE:?}");
    }
}

/// Runs a command of the binary to its end.
pub async fn boltgram(args: &[&str]) -> Output {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let run = move || clean(Command::new(BOLTGRAM)).args(args).stdin(Stdio::null()).output().unwrap();
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// The JSON that a command wrote; it must have ended well.
pub async fn boltgram_json(args: &[&str]) -> serde_json::Value {
    let output = boltgram(args).await;
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Sends a signal, by its name without "SIG", to a process. The shell has it built in, so nothing need be installed.
fn kill(pid: u32, signal: &str) {
    let status = Command::new("sh").args(["-c", &format!("kill -s {signal} {pid}")]).status().unwrap();
    assert!(status.success(), "SIG{signal} to {pid}: {status}");
}

/// Whether a process has ended. While its parent has not read its end it stays as a zombie.
pub fn is_dead(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
}

fn clean(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BOLTGRAM_")) {
        command.env_remove(name);
    }
    command
}

/// A process of the test's own. Dropped, it is killed.
pub struct Process {
    child: Child,
    pub log: PathBuf,
}

impl Process {
    /// Starts `argv`, with what it writes in a file.
    pub fn start(argv: &[String], log: PathBuf) -> Self {
        Self::start_with(argv, log, &[])
    }

    /// Starts `argv` with these environment variables, too.
    pub fn start_with(argv: &[String], log: PathBuf, variables: &[(&str, &str)]) -> Self {
        let file = fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let child = clean(Command::new(&argv[0]))
            .args(&argv[1..])
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    pub fn signal(&self, signal: &str) {
        kill(self.child.id(), signal);
    }

    /// Sends SIGKILL to it, at once.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Waits for the process's end.
    pub async fn ended(&mut self) -> ExitStatus {
        let log = self.log.clone();
        let what = format!("the end of a process, see {}", log.display());
        eventually(&what, || {
            let status = self.child.try_wait().unwrap();
            async move { status }
        })
        .await
    }

    /// Asks the process to end, and requires that it does so well.
    pub async fn stop(&mut self) {
        self.signal("TERM");
        let status = self.ended().await;
        assert!(status.success(), "{status}: {}", self.logged());
    }

    pub fn logged(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A node, as `demo --json` tells of it.
#[derive(Clone, Deserialize, Debug)]
pub struct NodeHandle {
    pub name: String,
    pub pubkey: String,
    pub grpc: String,
    pub http: String,
    pub lightning: String,
    pub data_dir: PathBuf,
    pub pid: u32,
    pub argv: Vec<String>,
}

impl NodeHandle {
    pub async fn client(&self) -> Client {
        Client::connect(&self.grpc).await.unwrap()
    }

    /// The same, unless it doesn't answer.
    pub async fn reached(&self) -> Option<Client> {
        Client::connect(&self.grpc).await.ok()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    /// Sends a signal, by its name without "SIG", to the node that the demo started.
    pub fn signal(&self, signal: &str) {
        kill(self.pid, signal);
    }

    /// Waits until the node runs and has a channel that can be used.
    pub async fn usable(&self) {
        eventually(&format!("{}'s channel is usable", self.name), || async {
            let client = Client::connect(&self.grpc).await.ok()?;
            let info = client.node().get_info(v1::GetInfoRequest {}).await.ok()?.into_inner();
            (info.usable_channels > 0).then_some(())
        })
        .await;
    }

    /// The messages that it has, the newest first.
    pub async fn messages(&self) -> Vec<v1::Message> {
        let request = v1::ListRequest { page_size: 500, ..v1::ListRequest::default() };
        self.client().await.messages().list(request).await.unwrap().into_inner().messages
    }

    pub async fn channels(&self) -> Vec<v1::Channel> {
        let request = v1::ListChannelsRequest {};
        self.client().await.node().list_channels(request).await.unwrap().into_inner().channels
    }
}

#[derive(Deserialize)]
struct Ready {
    esplora: String,
    nodes: Vec<NodeHandle>,
}

/// A regtest, two nodes and a channel.
pub struct Stack {
    demo: Process,
    /// Nodes that were started again by the test.
    restarted: Vec<Process>,
    pub esplora: String,
    pub alice: NodeHandle,
    pub bob: NodeHandle,
    pub folder: TempDir,
}

/// One stack comes up at a time: free ports are found by binding and letting go.
static STARTING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

impl Stack {
    pub async fn start() -> Self {
        let _one_at_a_time = STARTING.lock().await;
        let folder = tempfile::tempdir().unwrap();
        let (file, data_dir) = (folder.path().join("ready.json"), folder.path().join("data"));
        let text = |path: &Path| path.display().to_string();
        let [json, data] = ["--json", "--data-dir"].map(str::to_owned);
        let flags = ["--keep-running".to_owned(), "--any-ports".into(), json, text(&file), data, text(&data_dir)];
        let argv: Vec<String> = [BOLTGRAM.to_owned(), "demo".into()].into_iter().chain(flags).collect();
        let mut demo = Process::start(&argv, folder.path().join("demo.log"));
        eventually("the demo is ready", || {
            assert!(demo.child.try_wait().unwrap().is_none(), "the demo ended: {}", demo.logged());
            let is_there = file.exists();
            async move { is_there.then_some(()) }
        })
        .await;
        let ready: Ready = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let [alice, bob] = <[NodeHandle; 2]>::try_from(ready.nodes).unwrap();
        Self { demo, restarted: Vec::new(), esplora: ready.esplora, alice, bob, folder }
    }

    /// Sends a signal to a node that the demo started, and waits for its end.
    pub async fn end(&self, node: &NodeHandle, signal: &str) {
        kill(node.pid, signal);
        eventually(&format!("the end of {}", node.name), || async { is_dead(node.pid).then_some(()) }).await;
    }

    /// Starts a node that has ended again, on the same data.
    pub async fn start_again(&mut self, node: &NodeHandle) -> &mut Process {
        let log = self.folder.path().join(format!("{}-again.log", node.name));
        self.restarted.push(Process::start(&node.argv, log));
        let process = self.restarted.last_mut().unwrap();
        tokio::select! {
            () = node.usable() => {}
            status = process.ended() => panic!("{} ended with {status}: {}", node.name, process.logged()),
        }
        process
    }

    pub async fn mine(&self, blocks: u32) {
        let url = format!("{}/devnet/mine", self.esplora);
        let answer = reqwest::Client::new().post(url).body(format!("{{\"blocks\":{blocks}}}")).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// Waits until a transaction is in the mempool, and mines it.
    pub async fn mined(&self, txid: &str) {
        let url = format!("{}/mempool/txids", self.esplora);
        eventually(&format!("{txid} is in the mempool"), || async {
            let answer = reqwest::get(&url).await.ok()?.text().await.ok()?;
            answer.contains(txid).then_some(())
        })
        .await;
        self.mine(1).await;
    }

    /// Ends it all, and requires that each process ends well.
    pub async fn finish(mut self) {
        for process in &mut self.restarted {
            process.stop().await;
        }
        self.demo.stop().await;
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // A test that failed: the demo must still end its nodes, which a kill would leave behind.
        if let Ok(None) = self.demo.child.try_wait() {
            self.demo.signal("TERM");
            let _ = self.demo.child.wait();
        }
    }
}
