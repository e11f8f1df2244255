//! Exit codes, and what an error says on the way out.

use std::{io, process::ExitCode};

use boltgram_api::client::{ClientError, Code, RpcError};
use boltgram_core::Reason;
use boltgram_lightning::EXIT_CODE_NODE_PANIC;

use crate::{
    cli::NotProven,
    node::CannotGoOn,
    output::{note, printable},
};

/// It failed.
const FAILED: u8 = 1;
/// The command line is wrong; clap's own code.
const USAGE: u8 = 2;
/// The node can't be reached, or can't do it at the moment.
const UNAVAILABLE: u8 = 3;
/// The node refused the request.
const REFUSED: u8 = 4;
/// What became of it isn't known yet.
const UNDECIDED: u8 = 5;
/// A receipt proves nothing.
const NOT_PROVEN: u8 = 6;

/// The node can't go on. A panic inside it ends the process with the same code.
const NODE_FAILED: u8 = EXIT_CODE_NODE_PANIC as u8;

/// The exit codes, for `--help`.
pub const TABLE: &str = "\
Exit codes:
  0  done
  1  failed
  2  the command line is wrong
  3  no node answers, or it can't do it at the moment: the same command may work later
  4  the node refused it: wrong argument, not found, or not possible in its present state
  5  not decided yet: the message or payment may still arrive
  6  the receipt proves nothing: it, or what it is for, was changed
 70  the node can't go on: its disk is full or broken, or it has a fault; it says what to do";

/// Tells a command's error, if there is one, and gives the exit code. A reader that went away is no error.
pub fn report(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if is_broken_pipe(&error) {
        return ExitCode::SUCCESS;
    }
    let rpc = rpc_error(&error);
    let reason = rpc.and_then(|rpc| rpc.reason.as_deref());
    let named = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    note(&format!("error: {}{}", printable(&message(&error)), printable(&named)));
    if let Some(next) = rpc.and_then(next_step) {
        note(&format!("next: {next}"));
    }
    code(&error).into()
}

/// Shows clap's help, version or usage error, and gives its exit code.
pub fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    u8::try_from(error.exit_code()).unwrap_or(FAILED).into()
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |cause: &io::Error| cause.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(broken))
}

fn rpc_error(error: &anyhow::Error) -> Option<&RpcError> {
    error.chain().find_map(|cause| match cause.downcast_ref::<ClientError>() {
        Some(ClientError::Rpc(rpc)) => Some(rpc),
        _ => cause.downcast_ref::<RpcError>(),
    })
}

/// The error and its causes, each once.
fn message(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        if matches!(cause.downcast_ref(), Some(ClientError::NoAnswer { .. })) {
            // What the connection says besides ("transport error") helps nobody.
            parts.push(cause.to_string());
            break;
        }
        let text = cause.to_string();
        if parts.last().is_none_or(|last| !last.contains(&text)) {
            parts.push(text);
        }
    }
    parts.join(": ")
}

fn code(error: &anyhow::Error) -> u8 {
    if let Some(rpc) = rpc_error(error) {
        return match rpc.code {
            Code::Unavailable | Code::ResourceExhausted => UNAVAILABLE,
            Code::DeadlineExceeded => UNDECIDED,
            Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::PermissionDenied
            | Code::Unauthenticated => REFUSED,
            _ => FAILED,
        };
    }
    match error.downcast_ref() {
        Some(ClientError::NoAnswer { .. }) => UNAVAILABLE,
        Some(ClientError::Address { .. }) => USAGE,
        None if error.is::<CannotGoOn>() => NODE_FAILED,
        None if error.is::<NotProven>() => NOT_PROVEN,
        _ => FAILED,
    }
}

/// The command that helps with an error of this reason.
fn next_step(error: &RpcError) -> Option<&'static str> {
    match Reason::from_code(error.reason.as_deref()?)? {
        Reason::Starting | Reason::ChainUnavailable => Some("`boltgram info` shows what the node waits for"),
        Reason::DiskLow => Some("make room on the node's disk; `boltgram info` shows how much it has and needs"),
        Reason::InsufficientOutbound => Some("`boltgram channel list` shows what each channel can send now"),
        Reason::NoChannel => Some("open one with `boltgram channel open PUBKEY@HOST:PORT CAPACITY_SAT`"),
        Reason::NoLsp => Some("start the node with --lsps2-node PUBKEY@HOST:PORT"),
        Reason::LspFeeTooHigh => Some("allow more with --max-fee-sat N, or ask for a larger amount"),
        Reason::InsufficientFunds => Some("`boltgram wallet address` gives an address to pay to"),
        Reason::PeerOffline | Reason::UnknownNode => Some("`boltgram connect PUBKEY@HOST:PORT`, then try again"),
        Reason::ChannelNotFound => Some("`boltgram channel list` shows the channels and their ids"),
        Reason::MessageNotFound => Some("`boltgram inbox --all` shows the messages and their ids"),
        Reason::MessageNotFinished => Some("`boltgram cancel ID`, then try again"),
        Reason::OutboxFull => Some("`boltgram outbox` shows what waits, `boltgram cancel ID` takes one out"),
        Reason::AlreadyPaid => Some("`boltgram payments` shows the payment"),
        Reason::PeerHasChannel => {
            Some("`boltgram channel list` shows its channels, `boltgram channel close` closes one")
        }
        Reason::DeadlineExceeded if error.metadata.contains_key("payment_hash") => {
            Some("`boltgram payments` shows what becomes of it")
        }
        Reason::DeadlineExceeded => Some("don't send it again: `boltgram inbox --all` shows what becomes of it"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    fn rpc(code: Code, reason: &str) -> anyhow::Error {
        let error = RpcError {
            code,
            message: "it went wrong".into(),
            reason: Some(reason.into()),
            metadata: Default::default(),
        };
        ClientError::from(error).into()
    }

    #[test]
    fn exit_codes_follow_the_table() {
        let no_answer = ClientError::NoAnswer { address: "a:1".into(), source: "refused".into() };
        for (error, expected) in [
            (rpc(Code::Unavailable, "STARTING"), UNAVAILABLE),
            (rpc(Code::ResourceExhausted, "DISK_LOW"), UNAVAILABLE),
            (rpc(Code::InvalidArgument, "INVALID_PUBKEY"), REFUSED),
            (rpc(Code::FailedPrecondition, "NO_USABLE_CHANNEL"), REFUSED),
            (rpc(Code::NotFound, "NO_ROUTE"), REFUSED),
            (rpc(Code::DeadlineExceeded, "DEADLINE_EXCEEDED"), UNDECIDED),
            (rpc(Code::Internal, "NODE_ERROR"), FAILED),
            (no_answer.into(), UNAVAILABLE),
            (ClientError::Address { address: "a".into() }.into(), USAGE),
            (anyhow::anyhow!("something else"), FAILED),
        ] {
            assert_eq!(code(&error), expected, "{error:?}");
        }
    }

    #[test]
    fn a_context_keeps_the_code_and_the_message_says_each_cause_once() {
        let error = Err::<(), _>(rpc(Code::Unavailable, "STARTING")).context("can't list").unwrap_err();
        assert_eq!(code(&error), UNAVAILABLE);
        assert_eq!(message(&error), "can't list: it went wrong");
    }

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        let error = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).context("can't write");
        assert!(is_broken_pipe(&error));
        assert!(!is_broken_pipe(&anyhow::anyhow!("other")));
    }

    #[test]
    fn a_reason_that_a_command_helps_with_has_a_next_step() {
        let error = rpc(Code::FailedPrecondition, "INSUFFICIENT_FUNDS");
        assert!(next_step(rpc_error(&error).unwrap()).unwrap().contains("wallet address"));
        assert_eq!(next_step(rpc_error(&rpc(Code::Unknown, "NO_SUCH_REASON")).unwrap()), None);
    }
}
