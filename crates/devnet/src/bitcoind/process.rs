//! A bitcoind of one's own: a regtest in a folder of its own, reached over loopback alone, ended with whoever started it.

use std::{
    env,
    ffi::OsString,
    fs,
    io::Read as _,
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use bitcoin::secp256k1::rand::{self, Rng as _};

use crate::{
    bitcoind::{Bitcoind, BitcoindConfig, BitcoindLogin},
    error::DevnetError,
    limits::{BITCOIND_POLL_MS, BITCOIND_STOP_MS_MAX, LOG_LINES_SHOWN, PORT_TRIES_MAX, VERSION_BYTES_MAX},
};

/// The variable that names the program, if it isn't `bitcoind` on PATH.
pub const PROGRAM_VARIABLE: &str = "BITCOIND_EXE";

/// Where ports are looked for: below Linux's ephemeral range, which begins at 32,768.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// Runs what follows, and ends it when its own standard input ends: so bitcoind goes when its parent does, however that
/// ended. It takes bitcoind's exit code.
const SUPERVISOR: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
trap 'kill "$child"' TERM
{ read -r _ <&3; kill "$child"; } &
watcher=$!
exec 3<&-
wait "$child"
code=$?
kill "$watcher"
exit "$code"
"#;

/// Flags that every bitcoind is started with. It talks to nobody, and its data needn't survive a power cut.
const FLAGS: &[&str] = &[
    "-chain=regtest",
    "-server",
    "-listen=0",
    "-connect=0",
    "-rpcbind=127.0.0.1",
    "-rpcallowip=127.0.0.1",
    "-printtoconsole=0",
    "-fallbackfee=0.00002",
    "-unsafesqlitesync",
];

/// What makes Bitcoin Knots relay and mine by Bitcoin Core's rules: its own are stricter.
const KNOTS_FLAGS: &[&str] = &["-corepolicy"];

/// A running bitcoind. Dropped, it is stopped.
#[derive(Debug)]
pub struct BitcoindProcess {
    supervisor: Child,
    config: BitcoindConfig,
    version: String,
    folder: PathBuf,
}

impl BitcoindProcess {
    /// Starts `BITCOIND_EXE`, or `bitcoind` from PATH, on any free port, with its data in `folder`, which must exist. It
    /// may not serve yet: [`BitcoindProcess::connect`] waits until it does.
    ///
    /// Fails with [`DevnetError::Backend`] when it can't be started.
    pub fn start(folder: &Path) -> Result<Self, DevnetError> {
        Self::start_at(folder, free_port()?, &[])
    }

    /// The same on a port, with more flags.
    pub fn start_at(folder: &Path, port: u16, flags: &[&str]) -> Result<Self, DevnetError> {
        let program = env::var_os(PROGRAM_VARIABLE).unwrap_or_else(|| OsString::from("bitcoind"));
        let version = version(&program)?;
        let cannot =
            |error: std::io::Error| DevnetError::Backend(format!("{} can't be used: {error}", folder.display()));
        let output = fs::File::create(folder.join("output")).map_err(cannot)?;
        let cookie = folder.join("cookie");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SUPERVISOR, "sh"]).arg(&program).args(FLAGS);
        if version.contains("Knots") {
            command.args(KNOTS_FLAGS);
        }
        let supervisor = command
            .arg(format!("-datadir={}", folder.display()))
            .arg(format!("-rpccookiefile={}", cookie.display()))
            .arg(format!("-rpcport={port}"))
            .args(flags)
            // A Ctrl-C at a terminal is for the parent, which stops it in order.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(output.try_clone().map_err(cannot)?)
            .stderr(output)
            .spawn()
            .map_err(|error| DevnetError::Backend(format!("/bin/sh can't be started: {error}")))?;
        let config = BitcoindConfig { url: format!("http://127.0.0.1:{port}"), login: BitcoindLogin::Cookie(cookie) };
        Ok(Self { supervisor, config, version, folder: folder.to_owned() })
    }

    /// What the program says of its version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How it is reached.
    pub fn config(&self) -> &BitcoindConfig {
        &self.config
    }

    /// Waits until it serves, and gives the backend over it. Fails like [`Bitcoind::connect`], and when it ends.
    pub fn connect(&mut self) -> Result<Bitcoind, DevnetError> {
        let config = self.config.clone();
        let process = std::cell::RefCell::new(self);
        Bitcoind::connect_when_ready(&config, || process.borrow_mut().still_runs().map(|()| true))
    }

    fn still_runs(&mut self) -> Result<(), DevnetError> {
        match self.supervisor.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => {
                let output = fs::read_to_string(self.folder.join("output")).unwrap_or_default();
                Err(DevnetError::Backend(format!("bitcoind has ended ({status}): {}", last_lines(&output))))
            }
            Err(error) => Err(DevnetError::Backend(format!("bitcoind can't be watched: {error}"))),
        }
    }

    /// Stops it in order and waits for its end. Fails with [`DevnetError::Backend`] when that takes too long.
    pub fn stop(mut self) -> Result<(), DevnetError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), DevnetError> {
        drop(self.supervisor.stdin.take());
        let deadline = Instant::now() + Duration::from_millis(BITCOIND_STOP_MS_MAX);
        while let Ok(None) = self.supervisor.try_wait() {
            if Instant::now() >= deadline {
                let (pid, folder) = (self.supervisor.id(), self.folder.display());
                return Err(DevnetError::Backend(format!(
                    "bitcoind in {folder}, below process {pid}, did not stop within {BITCOIND_STOP_MS_MAX} ms: end it by hand"
                )));
            }
            sleep(Duration::from_millis(BITCOIND_POLL_MS));
        }
        Ok(())
    }
}

impl Drop for BitcoindProcess {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::warn!(%error, "bitcoind was left behind");
        }
    }
}

/// The first line of what the program says of itself.
fn version(program: &OsString) -> Result<String, DevnetError> {
    let name = program.to_string_lossy();
    let advice = format!("install bitcoind, or name it in {PROGRAM_VARIABLE}");
    let mut child = Command::new(program)
        .arg("-version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| DevnetError::Backend(format!("{name} can't be started ({error}): {advice}")))?;
    let mut text = String::new();
    let read = child.stdout.take().map(|stdout| stdout.take(VERSION_BYTES_MAX).read_to_string(&mut text));
    let status = child.wait();
    let line = text.lines().next().unwrap_or_default();
    if !matches!((read, status), (Some(Ok(_)), Ok(status)) if status.success()) || !line.contains("version") {
        return Err(DevnetError::Backend(format!("{name} is no bitcoind that runs here: {advice}")));
    }
    Ok(line.to_owned())
}

/// A port of the loopback address that is free.
pub fn free_port() -> Result<u16, DevnetError> {
    let mut random = rand::thread_rng();
    (0..PORT_TRIES_MAX)
        .map(|_| random.gen_range(PORTS))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .ok_or_else(|| DevnetError::Backend("there is no free port for bitcoind".to_owned()))
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LOG_LINES_SHOWN);
    lines.get(from..).unwrap_or_default().join("\n")
}
