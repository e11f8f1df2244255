//! The commands of `boltgram --help` that the other end-to-end tests don't use, each with its effect; and a count that
//! every command is used by one of them.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use boltgram_api::v1;
use boltgram_core::transport::Preimage;
use serde_json::{Value, json};
use support::{
    BOLTGRAM, NodeHandle, Process, Stack, boltgram, boltgram_json,
    commands::{fails, on, text},
    eventually, free_address,
};
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

fn number(value: &Value) -> u64 {
    value.as_str().unwrap().parse().unwrap()
}

/// The payment of this id, if it is listed.
async fn payment(node: &NodeHandle, id: &Value) -> Option<Value> {
    let payments = on(node, &["payments"]).await;
    payments["payments"].as_array().unwrap().iter().find(|payment| payment["id"] == *id).cloned()
}

#[tokio::test(flavor = "multi_thread")]
async fn coins_are_sent_on_chain_in_part_and_all_but_the_reserve() {
    let stack = Stack::start().await;
    let (alice, bob) = (&stack.alice, &stack.bob);
    let onchain = async |node: &NodeHandle| {
        on(node, &["sync"]).await;
        on(node, &["wallet", "balance"]).await
    };
    let before = onchain(alice).await;
    let bobs_before = onchain(bob).await;
    let address = on(alice, &["wallet", "address"]).await;
    let address = text(&address["address"]);

    let sent = on(bob, &["wallet", "send", address, "123456", "--fee-rate", "3"]).await;
    let txid = text(&sent["txid"]).to_owned();
    stack.mined(&txid).await;
    let after = onchain(alice).await;
    assert_eq!(number(&after["totalOnchainSat"]), number(&before["totalOnchainSat"]) + 123_456);
    let bobs_after = onchain(bob).await;
    let fee_sat = number(&bobs_before["totalOnchainSat"]) - number(&bobs_after["totalOnchainSat"]) - 123_456;
    // A transaction of one or two inputs and two outputs has 140 to 210 virtual bytes.
    assert!((3 * 140..=3 * 215).contains(&fee_sat), "{fee_sat} sat");
    let payment = payment(bob, &sent["txid"]).await.unwrap();
    assert_eq!((text(&payment["kind"]), text(&payment["direction"])), ("PAYMENT_KIND_ONCHAIN", "DIRECTION_OUT"));
    assert_eq!((text(&payment["txid"]), number(&payment["amountSat"])), (txid.as_str(), 123_456));

    let sent = on(bob, &["wallet", "send", address, "all"]).await;
    stack.mined(text(&sent["txid"])).await;
    let bobs_after = onchain(bob).await;
    assert_eq!(number(&bobs_after["spendableOnchainSat"]), 0, "{bobs_after}");
    assert_eq!(number(&bobs_after["totalOnchainSat"]), number(&bobs_after["anchorReserveSat"]), "{bobs_after}");

    let (code, said) = fails(bob, &["wallet", "send", address, "1000"]).await;
    assert!(code == 4 && said.contains("INSUFFICIENT_FUNDS") && said.contains("wallet address"), "{said}");
    for (bad, amount, reason) in [
        ("nonsense", "1000", "INVALID_ADDRESS"),
        ("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "1000", "INVALID_ADDRESS"),
        (address, "1", "INVALID_FIELD"),
    ] {
        let (code, said) = fails(alice, &["wallet", "send", bad, amount]).await;
        assert!(code == 4 && said.contains(reason), "{said}");
    }
    stack.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_without_a_channel_is_disconnected_and_one_with_a_channel_is_not() {
    let stack = Stack::start().await;
    let alice = &stack.alice;
    let [listen, grpc, http] = [free_address(), free_address(), free_address()];
    let data_dir = stack.folder.path().join("carol").display().to_string();
    let argv = [BOLTGRAM, "node", "--data-dir", &data_dir, "--esplora", &stack.esplora];
    let addresses = ["--listen", &listen, "--grpc", &grpc, "--http", &http];
    let argv: Vec<String> = argv.iter().chain(&addresses).map(|&arg| arg.to_owned()).collect();
    let mut carol = Process::start(&argv, stack.folder.path().join("carol.log"));
    let pubkey = eventually("carol runs", || async {
        let info = boltgram(&["info", "--grpc", &grpc]).await.stdout;
        let info: Value = serde_json::from_slice(&info).ok()?;
        (info["phase"] == "PHASE_RUNNING").then(|| text(&info["pubkey"]).to_owned())
    })
    .await;

    on(alice, &["connect", &format!("{pubkey}@{listen}")]).await;
    let is_peer = || async {
        let peers = on(alice, &["peers"]).await;
        peers["peers"].as_array().unwrap().iter().any(|peer| peer["pubkey"] == *pubkey)
    };
    assert!(is_peer().await);
    assert_eq!(on(alice, &["disconnect", &pubkey]).await, json!({}));
    eventually("carol is no peer any longer", || async { (!is_peer().await).then_some(()) }).await;

    let (code, said) = fails(alice, &["disconnect", &pubkey]).await;
    assert!(code == 4 && said.contains("UNKNOWN_NODE"), "{said}");
    let (code, said) = fails(alice, &["disconnect", &stack.bob.pubkey]).await;
    assert!(code == 4 && said.contains("PEER_HAS_CHANNEL") && said.contains("channel close"), "{said}");
    carol.stop().await;
    stack.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_is_made_paid_and_listed_on_both_sides() {
    let stack = Stack::start().await;
    let (alice, bob) = (&stack.alice, &stack.bob);
    let made = on(bob, &["invoice", "2500", "--description", "tea", "--expiry-s", "600"]).await;
    let invoice = text(&made["invoice"]);
    let open = on(bob, &["invoice", "--check", invoice]).await;
    assert_eq!(
        (&open["paid"], &open["amountMsat"], &open["description"]),
        (&json!(false), &json!("2500000"), &json!("tea"))
    );
    assert_eq!(number(&open["expiresAtMs"]) - number(&open["createdAtMs"]), 600_000);
    assert_eq!(text(&open["payeePubkey"]), bob.pubkey);

    let paid = on(alice, &["pay", invoice, "--fee-limit-sat", "5"]).await;
    assert_eq!((&paid["amountMsat"], &paid["feeMsat"]), (&json!("2500000"), &json!("0")));
    assert_eq!(paid["paymentHash"], made["paymentHash"]);
    let preimage = bytes_32(text(&paid["preimage"]));
    assert_eq!(Preimage(preimage).payment_hash().to_string(), text(&made["paymentHash"]));
    let checked = eventually("the invoice is paid", || async {
        let checked = on(bob, &["invoice", "--check", invoice]).await;
        (checked["paid"] == true).then_some(checked)
    })
    .await;
    assert_eq!(checked["paidMsat"], "2500000");
    for (node, direction, shown) in [(alice, "DIRECTION_OUT", &paid["preimage"]), (bob, "DIRECTION_IN", &json!(""))] {
        let payment = payment(node, &made["paymentHash"]).await.unwrap();
        assert_eq!(
            (text(&payment["kind"]), text(&payment["state"])),
            ("PAYMENT_KIND_INVOICE", "PAYMENT_STATE_SUCCEEDED")
        );
        assert_eq!((&payment["paymentHash"], &payment["amountSat"]), (&made["paymentHash"], &json!("2500")));
        assert_eq!((text(&payment["direction"]), &payment["preimage"]), (direction, shown));
    }
    let (code, said) = fails(alice, &["pay", invoice]).await;
    assert!(code == 4 && said.contains("ALREADY_PAID") && said.contains("boltgram payments"), "{said}");

    // One whose payer chooses the amount.
    let made = on(bob, &["invoice"]).await;
    let any = text(&made["invoice"]);
    let (code, said) = fails(alice, &["pay", any]).await;
    assert!(code == 4 && said.contains("names no amount"), "{said}");
    assert_eq!(on(alice, &["pay", any, "--amount-sat", "77"]).await["amountMsat"], "77000");
    // And one that asks for more than the channel has: both numbers are told.
    let made = on(bob, &["invoice", "499000"]).await;
    let (code, said) = fails(alice, &["pay", text(&made["invoice"])]).await;
    assert!(code == 4 && said.contains("INSUFFICIENT_OUTBOUND_LIQUIDITY") && said.contains("499000000"), "{said}");
    stack.finish().await;
}

/// The 32 bytes that 64 hex digits stand for.
fn bytes_32(hex: &str) -> [u8; 32] {
    std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_outlives_its_callers_deadline_and_the_same_call_waits_for_it_again() {
    let stack = Stack::start().await;
    let (alice, bob) = (&stack.alice, &stack.bob);
    let made = on(bob, &["invoice", "10", "--expiry-s", "1000"]).await;
    let request = v1::PayInvoiceRequest { invoice: text(&made["invoice"]).to_owned(), ..Default::default() };
    let pay = async |limit: Duration| {
        let mut request = Request::new(request.clone());
        request.set_timeout(limit);
        alice.client().await.node().pay_invoice(request).await
    };
    bob.signal("STOP");
    let late = pay(Duration::from_secs(2)).await.unwrap_err();
    bob.signal("CONT");
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");
    let info = late.get_details_error_info().unwrap();
    assert_eq!(info.metadata["payment_hash"], text(&made["paymentHash"]));

    match pay(Duration::from_secs(30)).await {
        Ok(paid) => assert_eq!(paid.into_inner().payment_hash, text(&made["paymentHash"])),
        // It ended between the two calls.
        Err(status) => assert_eq!(status.get_details_error_info().unwrap().reason, "ALREADY_PAID"),
    }
    let paid = payment(alice, &made["paymentHash"]).await.unwrap();
    assert_eq!((text(&paid["state"]), text(&paid["amountSat"])), ("PAYMENT_STATE_SUCCEEDED", "10"));

    // A stop in the middle of a payment is told to who waits for it, and waits no longer for it than it must.
    let made = on(bob, &["invoice", "11"]).await;
    bob.signal("STOP");
    let (invoice, grpc) = (text(&made["invoice"]).to_owned(), alice.grpc.clone());
    let waiting = tokio::spawn(async move { boltgram(&["pay", &invoice, "--grpc", &grpc]).await });
    eventually("the payment is under way", || async {
        let payment = payment(alice, &made["paymentHash"]).await?;
        (payment["state"] == "PAYMENT_STATE_PENDING").then_some(())
    })
    .await;
    stack.end(alice, "TERM").await;
    bob.signal("CONT");
    let output = waiting.await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(5) && said.contains("boltgram payments"), "{said}");
    stack.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_are_listed_page_by_page_each_once_the_newest_first() {
    let stack = Stack::start().await;
    let (alice, bob) = (&stack.alice, &stack.bob);
    for text in ["one", "two", "three"] {
        on(alice, &["send", &bob.pubkey, text]).await;
    }
    let all = on(alice, &["payments", "--limit", "500"]).await;
    let ids = |page: &Value| -> Vec<String> {
        page["payments"].as_array().unwrap().iter().map(|payment| text(&payment["id"]).to_owned()).collect()
    };
    let times: Vec<u64> =
        all["payments"].as_array().unwrap().iter().map(|payment| number(&payment["updatedAtMs"])).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
    assert_eq!(
        (
            text(&all["nextPageToken"]),
            on(alice, &["payments", "--limit", "1"]).await["payments"].as_array().unwrap().len()
        ),
        ("", 1)
    );

    let (mut walked, mut token) = (Vec::new(), String::new());
    loop {
        let url = alice.url(&format!("/v1/node/payments?pageSize=2&pageToken={token}"));
        let page: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        walked.extend(ids(&page));
        token = text(&page["nextPageToken"]).to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(walked, ids(&all));
    assert!(walked.len() >= 4, "three messages and a funding: {walked:?}");
    assert_eq!(walked.iter().collect::<BTreeSet<_>>().len(), walked.len());
    stack.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_tells_what_a_send_takes_and_sends_nothing() {
    let stack = Stack::start().await;
    let (alice, bob) = (&stack.alice, &stack.bob);
    let before = (alice.messages().await, on(alice, &["payments"]).await);
    let quote = on(alice, &["quote", &bob.pubkey, "hello", "--amount-sat", "200"]).await;
    assert_eq!(
        (&quote["frames"], &quote["amountSat"], &quote["recordBytesMax"]),
        (&json!(1), &json!("200"), &json!("1204"))
    );
    assert_eq!((&quote["feeLimitSat"], &quote["feeLimitMsat"]), (&json!("52"), &json!("52000")));
    assert_eq!(on(alice, &["quote", &bob.pubkey, "hello"]).await["amountSat"], "1");
    // A long text takes several payments, each at least 1 sat; the limit is exact.
    let long = incompressible(5_000);
    let quote = on(alice, &["quote", &bob.pubkey, &long]).await;
    assert_eq!((&quote["recordBytes"], &quote["recordBytesMax"]), (&json!("1204"), &json!("1204")));
    let frames = quote["frames"].as_u64().unwrap();
    assert!((2..=5).contains(&frames) && quote["amountSat"] == json!(frames.to_string()), "{quote}");
    let (code, said) = fails(alice, &["quote", &bob.pubkey, &long, "--amount-sat", "1"]).await;
    assert!(code == 4 && said.contains("AMOUNT_TOO_SMALL"), "{said}");
    let (code, said) = fails(alice, &["quote", &bob.pubkey, &"x".repeat(65_537)]).await;
    assert!(code == 4 && said.contains("MESSAGE_TOO_LONG") && said.contains("65536"), "{said}");
    on(alice, &["quote", &bob.pubkey, &"x".repeat(65_536)]).await;
    let (code, said) = fails(alice, &["quote", &alice.pubkey, "hello"]).await;
    assert!(code == 4 && said.contains("OWN_PUBKEY"), "{said}");
    assert_eq!((alice.messages().await, on(alice, &["payments"]).await), before);
    on(alice, &["send", &bob.pubkey, &long]).await;
    stack.finish().await;
}

/// A text of so many letters that no compression makes much smaller: the same one each time.
fn incompressible(letters: usize) -> String {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + u8::try_from((state >> 33) % 94).unwrap())
    };
    (0..letters).map(|_| next()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_holds_for_its_text_and_key_and_the_exit_code_says_so() {
    let stack = Stack::start().await;
    let (alice, bob) = (&stack.alice, &stack.bob);
    let signed = on(alice, &["sign", "tea at four"]).await;
    let signature = text(&signed["signature"]);
    let expected = json!({"valid": true, "pubkey": alice.pubkey});
    assert_eq!(on(bob, &["verify", "tea at four", signature]).await, expected);
    assert_eq!(on(bob, &["verify", "tea at four", signature, "--pubkey", &alice.pubkey]).await, expected);
    for args in [
        &["verify", "tea at five", signature][..],
        &["verify", "tea at four", signature, "--pubkey", &bob.pubkey],
        &["verify", "tea at four", "nonsense"],
    ] {
        let (code, said) = fails(bob, args).await;
        assert!(code == 1 && said.contains("doesn't hold"), "{args:?}: {said}");
    }
    let (code, said) = fails(alice, &["sign", "boltgram frame v1:x"]).await;
    assert!(code == 4 && said.contains("RESERVED_TEXT"), "{said}");

    // The seed of the same node, from its folder alone.
    let data_dir = alice.data_dir.display().to_string();
    let seed = std::fs::read_to_string(alice.data_dir.join("seed")).unwrap();
    let shown = boltgram(&["seed", "show", "--data-dir", &data_dir, "--yes"]).await;
    assert_eq!(String::from_utf8(shown.stdout).unwrap(), seed);
    assert!(String::from_utf8(shown.stderr).unwrap().contains("keep these words secret"));
    let shown = boltgram_json(&["seed", "show", "--data-dir", &data_dir, "--yes", "--json"]).await;
    assert_eq!(text(&shown["seed"]), seed.trim());
    let unasked = boltgram(&["seed", "show", "--data-dir", &data_dir]).await;
    assert_eq!((unasked.status.code(), unasked.stdout.len()), (Some(1), 0));
    assert!(String::from_utf8(unasked.stderr).unwrap().contains("--yes"));

    // A reader that went away is no error.
    for args in [&["payments"][..], &["peers"], &["sign", "x"]] {
        let mut command = Command::new(BOLTGRAM);
        command
            .args(args)
            .args(["--grpc", &alice.grpc])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", output.status);
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{args:?}");
    }
    stack.finish().await;
}

/// Each command that runs something, as its words: what `--help` lists, down to the last level.
fn commands() -> Vec<Vec<String>> {
    let (mut found, mut open) = (Vec::new(), vec![Vec::new()]);
    while let Some(words) = open.pop() {
        let output = Command::new(BOLTGRAM).args(&words).arg("--help").output().unwrap();
        assert!(output.status.success(), "{words:?}");
        let help = String::from_utf8(output.stdout).unwrap();
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
        let below: Vec<Vec<String>> = names.map(|name| [&words[..], &[name.to_owned()]].concat()).collect();
        match below.is_empty() {
            true => found.push(words),
            false => open.extend(below),
        }
    }
    found.sort();
    found
}

#[test]
fn every_command_is_used_by_an_end_to_end_test() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests");
    let files = [tests.clone(), tests.join("support")].into_iter().flat_map(|folder| folder.read_dir().unwrap());
    let sources = files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let source: String = sources.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let source = source.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_used = |words: &Vec<String>| {
        let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        source.contains(&quoted.join(", "))
    };
    let commands = commands();
    let unused: Vec<String> = commands.iter().filter(|words| !is_used(words)).map(|words| words.join(" ")).collect();
    println!("{} commands, {} used by end-to-end tests", commands.len(), commands.len() - unused.len());
    assert!(commands.len() >= 24, "{commands:?}");
    assert!(unused.is_empty(), "no end-to-end test uses: {unused:?}");
    assert!(!is_used(&vec!["no-such".to_owned(), "command".to_owned()]));
}

#[test]
fn completions_and_man_pages_know_every_command() {
    let commands = commands();
    let run = |args: &[&str]| {
        let output = Command::new(BOLTGRAM).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(&["completions", shell]);
        for words in &commands {
            assert!(words.iter().all(|word| script.contains(word.as_str())), "{words:?} for {shell}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("man1");
    assert_eq!(run(&["man", dir.to_str().unwrap()]), "");
    for words in &commands {
        let page = std::fs::read_to_string(dir.join(format!("boltgram-{}.1", words.join("-")))).unwrap();
        assert!(page.contains(".TH") && page.contains("SYNOPSIS"), "{words:?}: {page}");
    }
    let top = run(&["man"]);
    assert_eq!(top, std::fs::read_to_string(dir.join("boltgram.1")).unwrap());
    assert!(top.contains("Exit codes"), "{top}");
}
