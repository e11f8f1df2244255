//! One suite for every backend of the devnet: the Esplora API endpoint by endpoint, through esplora-client and by plain HTTP,
//! and the rules of consensus and relay with their words.
//!
//! | arguments | what is asked |
//! |---|---|
//! | none | the embedded chain |
//! | `--bitcoind` | a real bitcoind, `BITCOIND_EXE` or `bitcoind` on PATH: a new one for each case |
//! | `--shadowed` | the embedded chain, and such a bitcoind must say the same to all its blocks and transactions |
//!
//! Another argument is a part of the names of the cases to run. `bash tests/bitcoind/run` gets a bitcoind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod control;
mod endpoints;
mod esplora;
mod restarts;
mod rules;
mod shadow;
mod subject;
mod support;

use std::{env, panic, process::ExitCode, sync::atomic::Ordering::Relaxed, time::Instant};

use subject::{Mode, mode, set_mode};
use tokio::runtime::Runtime;

/// A case with its name. What is asked over HTTP is async.
struct Case {
    name: &'static str,
    run: Box<dyn Fn() + Send>,
}

macro_rules! cases {
    ($kind:ident: $($($path:ident)::+),* $(,)?) => {
        vec![$(Case { name: concat!($("::", stringify!($path)),+), run: cases!(@$kind $($path)::+) }),*]
    };
    (@asking $path:path) => { Box::new(|| Runtime::new().unwrap().block_on($path())) };
    (@plain $path:path) => { Box::new($path) };
}

fn over_http() -> Vec<Case> {
    cases![asking:
        esplora::blocks_are_told_by_height_and_hash,
        esplora::a_stale_and_an_unknown_block_are_not_in_the_best_chain,
        esplora::a_transaction_is_told_before_and_after_its_block,
        esplora::proofs_lead_to_the_merkle_root,
        esplora::spends_of_outputs_are_told_before_and_after_their_block,
        esplora::an_address_and_its_script_hash_have_the_same_history,
        esplora::the_mempool_and_fee_estimates_are_told,
        esplora::a_repeated_broadcast_is_taken_and_a_refused_one_is_told_in_bitcoinds_words,
        esplora::what_is_wrong_or_missing_is_answered_as_esplora_does,
        esplora::the_json_of_a_transaction_and_a_block_has_esploras_fields,
        esplora::a_full_scan_of_many_scripts_in_parallel_finds_all_and_agrees_with_the_blocks,
        esplora::a_lightning_sync_follows_a_transaction_through_a_reorganisation,
        esplora::raw_bytes_and_script_hashes_are_in_the_order_that_esplora_has_them,
        control::mine_fund_and_invalidate_over_http,
        control::a_wrong_control_request_is_told_what_is_wrong,
        control::the_automatic_miner_mines_what_waits_and_nothing_else,
        control::a_wait_ends_at_its_deadline_and_says_what_did_not_happen,
        control::hundreds_of_requests_a_second_are_answered,
    ]
}

fn by_rules() -> Vec<Case> {
    cases![plain:
        rules::blocks::a_new_chain_stands_on_the_genesis_block_of_regtest,
        rules::blocks::every_block_keeps_the_rules_across_a_halving_and_pays_subsidy_and_fees,
        rules::blocks::rewards_go_where_they_are_asked_to,
        rules::blocks::the_wallet_funds_many_times_in_one_block_and_says_when_it_has_nothing_left,
        rules::blocks::numbers_out_of_bounds_are_refused_with_the_bounds,
        rules::blocks::a_long_history_comes_in_pages_newest_first,
        rules::limits::a_chain_of_unconfirmed_transactions_is_mined_in_one_block_and_ends_at_25,
        rules::limits::a_parent_has_at_most_24_children_and_one_more_that_is_small_and_has_no_other_parent,
        rules::limits::a_block_stays_below_its_weight_and_the_rest_waits_for_the_next,
        rules::locks::a_locked_transaction_waits_for_its_height,
        rules::locks::a_locked_transaction_waits_for_the_median_time,
        rules::locks::a_relative_lock_waits_for_the_depth_of_its_coin,
        rules::locks::a_relative_lock_holds_on_an_unconfirmed_coin_and_in_time,
        rules::locks::check_locktime_and_check_sequence_are_enforced,
        rules::rejections::a_good_transaction_is_told_its_fee_and_size_and_then_taken,
        rules::rejections::what_is_wrong_in_itself_is_refused,
        rules::rejections::what_is_not_standard_is_refused,
        rules::rejections::dust_is_refused_by_the_kind_of_its_script_and_anchors_are_none,
        rules::rejections::inputs_must_be_there_and_mature,
        rules::rejections::the_genesis_reward_and_data_outputs_are_no_coins,
        rules::rejections::amounts_and_fees_must_suffice,
        rules::rejections::a_broadcast_refuses_absurd_fees_and_burnt_money,
        rules::rejections::a_known_transaction_is_told_as_bitcoind_tells_it,
        rules::reorganisations::transactions_of_disconnected_blocks_wait_again_before_what_waited_already,
        rules::reorganisations::a_stale_block_stays_known_and_the_new_branch_is_another,
        rules::reorganisations::what_spends_a_lost_or_immature_reward_is_dropped_with_its_children,
        rules::reorganisations::a_transaction_that_is_not_final_any_more_is_dropped,
        rules::reorganisations::outputs_and_spends_are_as_before_after_a_reorganisation_to_the_genesis_block,
        rules::reorganisations::unknown_blocks_and_the_genesis_block_are_refused,
        rules::replacements::a_replacement_takes_the_place_of_a_transaction_and_of_all_that_descends_from_it,
        rules::replacements::a_replacement_pays_a_higher_rate_and_for_its_own_relay,
        rules::replacements::a_replacement_pays_at_least_the_fees_of_all_that_it_replaces,
        rules::replacements::a_replacement_adds_no_unconfirmed_input,
        rules::replacements::a_replacement_may_spend_another_output_of_the_same_unconfirmed_parent,
        rules::replacements::a_transaction_cannot_replace_its_own_parent,
        rules::replacements::a_replacement_evicts_at_most_a_hundred_and_counts_descendants,
        rules::replacements::the_last_of_a_chain_as_long_as_it_may_be_can_be_replaced,
        rules::scripts::a_key_hash_needs_its_key_and_a_good_signature,
        rules::scripts::the_amount_is_signed_too,
        rules::scripts::a_taproot_key_path_needs_a_good_signature,
        rules::scripts::a_taproot_script_path_needs_a_good_signature_and_control_block,
        rules::scripts::a_witness_script_must_be_the_committed_one_and_be_satisfied,
        rules::scripts::an_anchor_can_be_spent_by_anyone_and_without_a_witness,
        rules::scripts::spends_that_bitcoind_would_not_relay_are_refused,
    ]
}

/// What only a bitcoind can do.
fn of_bitcoind() -> Vec<Case> {
    let mut cases = cases![plain:
        restarts::either_process_may_start_again,
        restarts::what_others_do_shows_at_the_next_look,
        restarts::what_bitcoind_evicts_is_gone_with_its_spends,
        restarts::a_block_like_an_invalidated_one_is_mined_in_another_second,
        restarts::a_bitcoind_that_cannot_be_used_is_told_with_what_to_do,
        restarts::one_without_a_wallet_mines_to_addresses,
    ];
    cases.extend(cases![asking: restarts::the_api_says_what_to_do_while_bitcoind_is_away]);
    cases
}

fn main() -> ExitCode {
    let mut part = String::new();
    for argument in env::args().skip(1) {
        match argument.as_str() {
            "--bitcoind" => set_mode(Mode::Bitcoind),
            "--shadowed" => set_mode(Mode::Shadowed),
            // What cargo passes on to every test.
            flag if flag.starts_with('-') => {}
            name => name.clone_into(&mut part),
        }
    }
    endpoints::record();
    let own = if mode() == Mode::Bitcoind { of_bitcoind() } else { Vec::new() };
    let cases: Vec<Case> =
        over_http().into_iter().chain(by_rules()).chain(own).filter(|case| case.name.contains(&part)).collect();
    let count = cases.len();
    println!("\n{count} cases on {}", about());
    let mut failed = Vec::new();
    for case in cases {
        let start = Instant::now();
        let is_ok = std::thread::spawn(case.run).join().is_ok();
        println!(
            "{} {} ({} ms)",
            if is_ok { "ok    " } else { "FAILED" },
            case.name.trim_start_matches("::"),
            start.elapsed().as_millis()
        );
        if !is_ok {
            failed.push(case.name);
        }
    }
    let (asked, missing, answers) = endpoints::seen();
    println!(
        "{} of {count} cases, {asked} endpoints of {}, {answers} answers",
        count - failed.len(),
        endpoints::ENDPOINTS.len()
    );
    if mode() == Mode::Shadowed {
        let [blocks, taken, refused] =
            [&shadow::BLOCKS, &shadow::TAKEN, &shadow::REFUSED].map(|count| count.load(Relaxed));
        println!("bitcoind took {blocks} blocks and {taken} transactions, and refused {refused} in the same words");
    }
    if part.is_empty() && !missing.is_empty() {
        println!("not asked: {missing:?}");
        return ExitCode::FAILURE;
    }
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        println!("failed: {failed:?}");
        ExitCode::FAILURE
    }
}

fn about() -> String {
    let bitcoind = || {
        let folder = tempfile::tempdir().unwrap();
        boltgram_devnet::BitcoindProcess::start(folder.path())
            .map(|process| process.version().to_owned())
            .unwrap_or_else(|error| panic!("{error}"))
    };
    match mode() {
        Mode::Embedded => "the embedded chain".to_owned(),
        Mode::Bitcoind => bitcoind(),
        Mode::Shadowed => format!("the embedded chain, at its side {}", bitcoind()),
    }
}
