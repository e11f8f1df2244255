//! The chain of `devnet` and `demo` when a real bitcoind keeps it: one that runs already, or one of its own.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use boltgram_devnet::{
    Backend, Bitcoind, BitcoindConfig, BitcoindLogin, BitcoindProcess, Devnet, DevnetConfig, limits::PREMINED_BLOCKS,
};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::cli::BitcoindArgs;

/// Where bitcoind has its cookie below the user's home, if nothing else was asked for.
const COOKIE_DEFAULT: &str = ".bitcoin/regtest/.cookie";

/// A chain that a bitcoind keeps. Dropped, a bitcoind of its own is stopped.
pub struct BitcoindChain {
    backend: Arc<dyn Backend>,
    /// One line on what it is.
    pub about: String,
    own: Option<Own>,
}

/// Its fields are dropped in their order: bitcoind first.
struct Own {
    process: BitcoindProcess,
    _folder: Option<TempDir>,
}

impl BitcoindChain {
    /// The chain that the flags ask for; `None` is the embedded one.
    pub async fn of(args: &BitcoindArgs) -> anyhow::Result<Option<Self>> {
        match (&args.bitcoind_rpc, args.bitcoind) {
            (Some(url), _) => Ok(Some(Self::connect(url.clone(), login(args)?).await?)),
            (None, true) => {
                let folder = tempfile::Builder::new().prefix("boltgram-bitcoind-").tempdir()?;
                let path = folder.path().to_owned();
                Ok(Some(Self::start(path, Some(folder)).await?))
            }
            (None, false) => Ok(None),
        }
    }

    /// A bitcoind of its own with a new chain in a new folder, whose first rewards can be spent.
    pub async fn start_in(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("the folder {} can't be made", folder.display()))?;
        Self::start(folder.to_owned(), None).await
    }

    async fn start(path: PathBuf, folder: Option<TempDir>) -> anyhow::Result<Self> {
        spawn_blocking(move || {
            let mut process = BitcoindProcess::start(&path)?;
            let backend = process.connect()?;
            backend.premine(PREMINED_BLOCKS)?;
            let about = format!("{} at {}", process.version(), process.config().url);
            Ok(Self { backend: Arc::new(backend), about, own: Some(Own { process, _folder: folder }) })
        })
        .await?
    }

    async fn connect(url: String, login: BitcoindLogin) -> anyhow::Result<Self> {
        let about = format!("bitcoind at {url}");
        let backend = spawn_blocking(move || Bitcoind::connect(&BitcoindConfig { url, login })).await??;
        Ok(Self { backend: Arc::new(backend), about, own: None })
    }

    /// Starts a devnet on it.
    pub async fn devnet(&self, config: DevnetConfig) -> anyhow::Result<Devnet> {
        Ok(Devnet::start_on(config, self.backend.clone()).await?)
    }

    /// Stops a bitcoind of its own in order; another one goes on.
    pub async fn stop(self) -> anyhow::Result<()> {
        let Some(Own { process, _folder }) = self.own else { return Ok(()) };
        Ok(spawn_blocking(move || process.stop()).await??)
    }
}

/// What proves to bitcoind who asks: clap lets a user be given with a password file only.
fn login(args: &BitcoindArgs) -> anyhow::Result<BitcoindLogin> {
    match (&args.bitcoind_user, &args.bitcoind_password_file, &args.bitcoind_cookie) {
        (Some(user), Some(file), _) => Ok(BitcoindLogin::Password { user: user.clone(), file: file.clone() }),
        (_, _, Some(file)) => Ok(BitcoindLogin::Cookie(file.clone())),
        _ => {
            let home =
                env::home_dir().context("there is no home folder: name bitcoind's cookie by --bitcoind-cookie")?;
            Ok(BitcoindLogin::Cookie(home.join(COOKIE_DEFAULT)))
        }
    }
}
