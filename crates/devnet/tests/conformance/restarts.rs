//! What only a bitcoind can do: go away, come back, or be none that can be used.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use bitcoin::hashes::Hash;
use boltgram_devnet::{
    Backend, Bitcoind, BitcoindConfig, BitcoindLogin, BitcoindProcess, Devnet, DevnetConfig, DevnetError,
    bitcoind::free_port,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::support::{get, nobody, post_json};

/// All that a backend tells of its chain and mempool.
fn told(chain: &dyn Backend) -> String {
    let tip = chain.tip().unwrap();
    let hashes: Vec<_> = (0..=tip.height).map(|height| chain.block_hash(height).unwrap()).collect();
    let scripts = [0, 1].map(|index| {
        let script = nobody(index).script_pubkey();
        chain.script_outputs(&bitcoin::hashes::sha256::Hash::hash(script.as_bytes())).unwrap()
    });
    // Which of two came first is not known to who looks but once.
    let mut mempool: Vec<String> = chain.mempool().unwrap().iter().map(|tx| format!("{tx:?}")).collect();
    mempool.sort();
    let scripts = scripts.map(|mut outputs| {
        outputs.sort_by_key(|output| output.outpoint);
        outputs
    });
    format!("{tip:?} {hashes:?} {scripts:?} {mempool:?}")
}

fn start(folder: &Path, port: u16) -> (BitcoindProcess, Bitcoind) {
    let mut process = BitcoindProcess::start_at(folder, port, &[]).unwrap();
    let bitcoind = process.connect().unwrap();
    (process, bitcoind)
}

fn failure<T>(result: Result<T, DevnetError>) -> String {
    match result.err().expect("it fails") {
        error @ DevnetError::Backend(_) => error.to_string(),
        error => panic!("{error:?}"),
    }
}

pub fn either_process_may_start_again() {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port().unwrap());
    let (process, bitcoind) = start(folder.path(), port);
    bitcoind.premine(120).unwrap();
    bitcoind.fund(&nobody(0), 50_000).unwrap();
    bitcoind.mine(2, None).unwrap();
    let waiting = bitcoind.fund(&nobody(1), 60_000).unwrap();
    let before = told(&bitcoind);

    // The backend anew, over the same bitcoind.
    let again = Bitcoind::connect(process.config()).unwrap();
    assert_eq!(told(&again), before);

    // bitcoind away: calls fail and say so. Back again, with another cookie: they go on, and the wallet is there.
    process.stop().unwrap();
    let away = failure(bitcoind.refresh());
    assert!(away.contains("cookie can't be read") && away.contains("start bitcoind"), "{away}");
    let (process, _) = start(folder.path(), port);
    bitcoind.refresh().unwrap();
    assert_eq!(told(&bitcoind), before);
    bitcoind.mine(1, None).unwrap();
    assert!(bitcoind.tx(&waiting).unwrap().unwrap().confirmation.is_some());
    bitcoind.fund(&nobody(0), 70_000).unwrap();

    // The same bitcoind with a chain from the beginning.
    process.stop().unwrap();
    fs::remove_dir_all(folder.path().join("regtest")).unwrap();
    let (_process, other) = start(folder.path(), port);
    other.mine(3, Some(&nobody(0))).unwrap();
    bitcoind.refresh().unwrap();
    assert_eq!(told(&bitcoind), told(&other));
}

pub fn what_others_do_shows_at_the_next_look() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = BitcoindProcess::start(folder.path()).unwrap();
    let (own, other) = (process.connect().unwrap(), process.connect().unwrap());
    own.premine(120).unwrap();
    other.refresh().unwrap();
    let first = other.fund(&nobody(0), 50_000).unwrap();
    let second = other.fund(&nobody(1), 50_000).unwrap();
    own.refresh().unwrap();
    assert_eq!(told(&own), told(&other));

    // Replaced by the wallet itself, with all that stood on it.
    let bumped: Value = own.rpc().call_wallet("boltgram-devnet", "bumpfee", json!([second])).unwrap();
    let bumped = bumped["txid"].as_str().unwrap().parse().unwrap();
    own.refresh().unwrap();
    assert!(own.tx(&second).unwrap().is_none() && own.tx(&bumped).unwrap().is_some());
    other.refresh().unwrap();
    assert_eq!(told(&own), told(&other));

    // Mined, taken off, and mined again in another block: one look for all of it.
    let stale = other.mine(3, None).unwrap();
    own.refresh().unwrap();
    other.invalidate(&stale[0]).unwrap();
    let best = other.mine(5, None).unwrap();
    own.refresh().unwrap();
    assert_eq!(told(&own), told(&other));
    let entry = own.block(&stale[1]).unwrap().unwrap();
    assert!(!entry.in_best_chain && entry.height == 122);
    assert_eq!(own.tx(&first).unwrap().unwrap().confirmation.unwrap().hash, best[0]);

    // A block that went stale before anybody looked is known too.
    let unseen = other.mine(1, None).unwrap()[0];
    other.invalidate(&unseen).unwrap();
    own.refresh().unwrap();
    let entry = own.block(&unseen).unwrap().unwrap();
    assert!(!entry.in_best_chain && entry.height == 126 && entry.txids.len() == 1);
    assert!(entry.median_time > 0);
}

pub fn what_bitcoind_evicts_is_gone_with_its_spends() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = BitcoindProcess::start(folder.path()).unwrap();
    let bitcoind = process.connect().unwrap();
    bitcoind.premine(120).unwrap();
    let old = bitcoind.fund(&nobody(0), 50_000).unwrap();
    let spent = bitcoind.tx(&old).unwrap().unwrap().tx.input[0].previous_output;
    assert_eq!(bitcoind.spend(&spent).unwrap().unwrap().txid, old);
    // Two weeks are the longest that a transaction waits (`-mempoolexpiry`); the next one that comes makes it go.
    let later_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 15 * 86_400;
    bitcoind.rpc().call::<Value>("setmocktime", json!([later_s])).unwrap();
    let new = bitcoind.fund(&nobody(1), 50_000).unwrap();
    assert_eq!(bitcoind.mempool().unwrap().iter().map(|tx| tx.txid).collect::<Vec<_>>(), [new]);
    assert!(bitcoind.tx(&old).unwrap().is_none());
    assert!(bitcoind.spend(&spent).unwrap().is_none_or(|spend| spend.txid == new));
}

pub async fn the_api_says_what_to_do_while_bitcoind_is_away() {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port().unwrap());
    let path = folder.path().to_owned();
    let (process, bitcoind) = spawn_blocking(move || start(&path, port)).await.unwrap();
    let devnet = Devnet::start_on(DevnetConfig::default(), Arc::new(bitcoind)).await.unwrap();
    let mine = json!({ "blocks": 1, "address": nobody(0).to_string() });
    assert_eq!(post_json(&devnet, "/devnet/mine", &mine).await.0, StatusCode::OK);
    spawn_blocking(|| process.stop()).await.unwrap().unwrap();
    for path in ["/blocks/tip/height", "/blocks", "/fee-estimates"] {
        let (status, text) = get(&devnet, path).await;
        assert!(
            status == StatusCode::SERVICE_UNAVAILABLE && text.contains("start bitcoind"),
            "{path}: {status} {text}"
        );
    }
    let (status, error) = post_json(&devnet, "/devnet/mine", &mine).await;
    assert_eq!((status, &error["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("BACKEND_FAILED")));
    let path = folder.path().to_owned();
    let (_process, _) = spawn_blocking(move || start(&path, port)).await.unwrap();
    assert_eq!(get(&devnet, "/blocks/tip/height").await, (StatusCode::OK, "1".to_owned()));
    assert_eq!(post_json(&devnet, "/devnet/mine", &mine).await.0, StatusCode::OK);
}

pub fn a_block_like_an_invalidated_one_is_mined_in_another_second() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = BitcoindProcess::start(folder.path()).unwrap();
    let bitcoind = process.connect().unwrap();
    for blocks in [1, 3] {
        for _ in 0..3 {
            let mined = bitcoind.mine(blocks, Some(&nobody(0))).unwrap();
            assert_eq!(mined.len(), blocks as usize);
            bitcoind.invalidate(&mined[0]).unwrap();
        }
        assert_eq!(bitcoind.tip().unwrap().height, 0);
    }
}

pub fn a_bitcoind_that_cannot_be_used_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let process =
        BitcoindProcess::start_at(folder.path(), free_port().unwrap(), &["-rpcuser=carol", "-rpcpassword=right"])
            .unwrap();
    let password = folder.path().join("password");
    let login = BitcoindLogin::Password { user: "carol".to_owned(), file: password.clone() };
    let config = BitcoindConfig { url: process.config().url.clone(), login };
    fs::write(&password, "wrong\n").unwrap();
    let wait_until_it_listens = || {
        let deadline = std::time::Instant::now() + crate::support::DEADLINE;
        loop {
            let error = failure(Bitcoind::connect(&config));
            if !error.contains("doesn't answer") {
                return error;
            }
            assert!(std::time::Instant::now() < deadline, "{error}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    };
    let refused = wait_until_it_listens();
    assert!(refused.contains("refuses user and password") && !refused.contains("wrong"), "{refused}");
    fs::write(&password, "right\n").unwrap();
    Bitcoind::connect(&config).unwrap();
    process.stop().unwrap();
    let away = failure(Bitcoind::connect(&config));
    assert!(away.contains("doesn't answer at http://127.0.0.1:") && away.contains("start it"), "{away}");

    for (flags, expected) in [
        (&["-chain=signet"][..], "on the network signet, not on regtest: start it with -regtest"),
        (&["-chain=main"][..], "on the network main, not on regtest"),
        (&["-prune=1"][..], "has pruned its blocks"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut process = BitcoindProcess::start_at(folder.path(), free_port().unwrap(), flags).unwrap();
        let error = failure(process.connect());
        assert!(error.contains(expected), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let mut process = BitcoindProcess::start_at(folder.path(), free_port().unwrap(), &["-nosuchflag"]).unwrap();
    let error = failure(process.connect());
    assert!(error.contains("bitcoind has ended") && error.contains("nosuchflag"), "{error}");
}

pub fn one_without_a_wallet_mines_to_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = BitcoindProcess::start_at(folder.path(), free_port().unwrap(), &["-disablewallet"]).unwrap();
    let bitcoind = process.connect().unwrap();
    bitcoind.mine(2, Some(&nobody(0))).unwrap();
    for error in [failure(bitcoind.mine(1, None)), failure(bitcoind.fund(&nobody(0), 10_000))] {
        assert!(error.contains("it has no wallet"), "{error}");
    }
}
