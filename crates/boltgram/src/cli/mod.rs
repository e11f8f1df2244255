//! The command line: every command with its flags, and which function runs it.
//!
//! A command that talks to a running node is one file here, with the same verbs in the same order: connect, call,
//! show. The commands that are processes of their own (`node`, `devnet`, `demo`) only have their flags here. `seed`,
//! `takeover`, `verify-receipt`, `completions` and `man` need no node.

mod cancel;
mod channel;
mod config;
mod confirm;
mod content;
mod conversations;
mod delete;
mod health;
mod held;
mod inbox;
mod info;
mod invoice;
mod jit;
mod listen;
mod node_args;
mod outbox;
mod page;
mod payments;
mod peers;
mod place;
mod processes;
mod quote;
mod read;
mod receipt;
mod remote;
mod search;
mod seed;
mod send;
mod shell;
mod sign;
mod stop;
mod sync;
mod takeover;
mod wallet;

use std::ffi::OsString;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, error::ErrorKind};

pub use node_args::NodeArgs;
pub use processes::{BitcoindArgs, DemoArgs, DevnetArgs};
pub use receipt::NotProven;
pub use remote::PeerAddress;
use remote::Remote;

use crate::exit;

/// A self-contained Lightning messaging node: messages travel as Lightning payments, end-to-end encrypted.
#[derive(Parser, Debug)]
#[command(name = "boltgram", version, after_help = exit::TABLE, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Runs a node.
    Node(NodeArgs),
    /// Runs a private regtest with an Esplora API, for trying things out.
    Devnet(DevnetArgs),
    /// Shows what a node's settings are and where each comes from.
    Config(config::Args),
    /// Runs a regtest and two nodes in one go, and sends messages between them.
    Demo(DemoArgs),
    #[command(flatten)]
    Client(ClientCommand),
    /// The node's seed, read from its data directory.
    Seed(seed::Args),
    /// Checks what `boltgram receipt` wrote, without a node: exit code 0 if it proves something, 6 if not.
    VerifyReceipt(receipt::VerifyArgs),
    /// Takes over the state of a plain ldk-node, once: from then on only boltgram may run it.
    Takeover(takeover::Args),
    /// Writes a shell's completion script to standard output.
    Completions(shell::CompletionsArgs),
    /// Writes man pages for all commands.
    Man(shell::ManArgs),
}

/// The commands that talk to a running node.
#[derive(Subcommand, Debug)]
enum ClientCommand {
    /// Shows who the node is and how it does.
    Info(Plain),
    /// Sends a text or a file to a node, and waits until it is delivered, or queues it.
    Send(With<Box<send::Args>>),
    /// Tells what sending a text would take, and sends nothing.
    Quote(With<quote::Args>),
    /// Lists messages, the newest first.
    Inbox(With<inbox::Args>),
    /// Lists conversations, the one with the last activity first.
    Conversations(With<conversations::Args>),
    /// Shows one conversation, and marks it as read.
    Read(With<read::Args>),
    /// Finds texts by their words, in what was sent and received.
    Search(With<search::Args>),
    /// Lists what is queued or being sent.
    Outbox(With<outbox::Args>),
    /// Cancels a message that is queued or being sent.
    Cancel(With<cancel::Args>),
    /// Deletes a message.
    Delete(With<delete::Args>),
    /// Writes the receipt of a message as a proof that anybody can check.
    Receipt(With<receipt::Args>),
    /// Lists payments whose content was put aside, with the reasons.
    Held(With<held::Args>),
    /// Shows messages as they arrive, until Ctrl-C.
    Listen(With<listen::Args>),
    /// Asks whether the node serves: exit code 0 if it does.
    Health(Plain),
    /// Stops the node in order.
    Stop(Plain),
    /// The on-chain wallet, and what the channels hold.
    Wallet(With<wallet::Args>),
    /// Connects to a peer, now and after each restart.
    Connect(With<peers::ConnectArgs>),
    /// Disconnects a peer that has no channel, and keeps it no longer.
    Disconnect(With<peers::DisconnectArgs>),
    /// Lists the peers.
    Peers(Plain),
    /// Opens, lists and closes channels.
    Channel(With<channel::Args>),
    /// Makes an invoice over a channel that the configured provider (LSPS2) opens when it is paid.
    JitInvoice(With<jit::Args>),
    /// Lists payments, on chain and over channels, the newest first.
    Payments(With<payments::Args>),
    /// Makes an invoice, or looks at one.
    Invoice(With<invoice::Args>),
    /// Pays an invoice, and waits until it is paid.
    Pay(With<invoice::PayArgs>),
    /// Signs a text with the node's key.
    Sign(With<sign::Args>),
    /// Tells who signed a text: exit code 0 if the signature holds, 1 if not.
    Verify(With<sign::VerifyArgs>),
    /// Brings the node up to the chain's tip now.
    Sync(Plain),
}

/// A command with arguments of its own, and how to reach the node.
#[derive(clap::Args, Debug)]
struct With<A: clap::Args> {
    #[command(flatten)]
    args: A,
    #[command(flatten)]
    remote: Remote,
}

/// A command with no arguments of its own.
#[derive(clap::Args, Debug)]
struct Plain {
    #[command(flatten)]
    remote: Remote,
}

impl Cli {
    /// Reads the words of a command line, the program's name first. Help and version are errors too, of exit code 0.
    pub fn read(words: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Self, clap::Error> {
        let mut command = command();
        let cli = Self::from_arg_matches(&command.try_get_matches_from_mut(words)?)?;
        let is_client = matches!(cli.command, Command::Client(_));
        if !is_client && cli.remote.is_given() {
            let text = "--grpc and --json before the command are for commands that talk to a running node; \
                        give this command's own flags after its name";
            return Err(command.error(ErrorKind::ArgumentConflict, text));
        }
        Ok(cli)
    }

    /// Runs the command to its end.
    pub async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Node(args) => crate::node::run(args).await,
            Command::Devnet(args) => crate::devnet::run(args).await,
            Command::Config(args) => config::run(args),
            Command::Demo(args) => crate::demo::run(args).await,
            Command::Client(command) => command.run(self.remote).await,
            Command::Seed(args) => seed::run(args),
            Command::VerifyReceipt(args) => receipt::verify(args),
            Command::Takeover(args) => takeover::run(args).await,
            Command::Completions(args) => shell::completions(args, command()),
            Command::Man(args) => shell::man(args, command()),
        }
    }
}

/// All commands with their flags, as clap knows them.
fn command() -> clap::Command {
    // Before the command the client's flags are no global ones: `demo` has a --json of its own.
    let local = |arg: clap::Arg| arg.global(false);
    Cli::command().mut_arg("grpc", local).mut_arg("json", local)
}

impl ClientCommand {
    async fn run(self, top: Remote) -> anyhow::Result<()> {
        match self {
            Self::Info(Plain { remote }) => info::run(&remote.or(top)).await,
            Self::Send(With { args, remote }) => send::run(*args, &remote.or(top)).await,
            Self::Quote(With { args, remote }) => quote::run(args, &remote.or(top)).await,
            Self::Inbox(With { args, remote }) => inbox::run(args, &remote.or(top)).await,
            Self::Conversations(With { args, remote }) => conversations::run(args, &remote.or(top)).await,
            Self::Read(With { args, remote }) => read::run(args, &remote.or(top)).await,
            Self::Search(With { args, remote }) => search::run(args, &remote.or(top)).await,
            Self::Outbox(With { args, remote }) => outbox::run(args, &remote.or(top)).await,
            Self::Cancel(With { args, remote }) => cancel::run(args, &remote.or(top)).await,
            Self::Delete(With { args, remote }) => delete::run(args, &remote.or(top)).await,
            Self::Receipt(With { args, remote }) => receipt::run(args, &remote.or(top)).await,
            Self::Held(With { args, remote }) => held::run(args, &remote.or(top)).await,
            Self::Listen(With { args, remote }) => listen::run(args, &remote.or(top)).await,
            Self::Health(Plain { remote }) => health::run(&remote.or(top)).await,
            Self::Stop(Plain { remote }) => stop::run(&remote.or(top)).await,
            Self::Wallet(With { args, remote }) => wallet::run(args, &remote.or(top)).await,
            Self::Connect(With { args, remote }) => peers::connect(args, &remote.or(top)).await,
            Self::Disconnect(With { args, remote }) => peers::disconnect(args, &remote.or(top)).await,
            Self::Peers(Plain { remote }) => peers::list(&remote.or(top)).await,
            Self::Channel(With { args, remote }) => channel::run(args, &remote.or(top)).await,
            Self::JitInvoice(With { args, remote }) => jit::run(args, &remote.or(top)).await,
            Self::Payments(With { args, remote }) => payments::run(args, &remote.or(top)).await,
            Self::Invoice(With { args, remote }) => invoice::run(args, &remote.or(top)).await,
            Self::Pay(With { args, remote }) => invoice::pay(args, &remote.or(top)).await,
            Self::Sign(With { args, remote }) => sign::run(args, &remote.or(top)).await,
            Self::Verify(With { args, remote }) => sign::verify(args, &remote.or(top)).await,
            Self::Sync(Plain { remote }) => sync::run(&remote.or(top)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Show;
    use boltgram_api::{json, v1};

    const KEY: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        let words = line.split_whitespace().map(|word| word.replace("KEY", KEY));
        Cli::read(std::iter::once("boltgram".to_owned()).chain(words))
    }

    #[test]
    fn the_commands_and_flags_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_documented_form_of_a_command_is_understood() {
        understands(&[
            "info",
            "info --json --grpc 127.0.0.1:1",
            "--grpc 127.0.0.1:1 --json info",
            "send KEY hello",
            "send KEY - --amount-sat 5 --reply-to 0198c0de-0000-7000-8000-000000000000",
            "send KEY hello --queue --expires 2h --idempotency-key K --fee-limit-sat 0",
            "send KEY --file photo.png --content-type image/png --receipt",
            "receipt 0198c0de-0000-7000-8000-000000000000",
            "verify-receipt proof.json --text hello --pubkey KEY --json",
            "verify-receipt - --file notes.md",
            "conversations --limit 5",
            "read KEY",
            "read unsigned --keep-unread --limit 5",
            "read KEY --mark-only",
            "search green te* --peer KEY --limit 5",
            "search tea --peer unsigned",
            "outbox",
            "cancel 0198c0de-0000-7000-8000-000000000000",
            "delete 0198c0de-0000-7000-8000-000000000000",
            "held --limit 5",
            "listen --resume",
            "listen --resume=place --after 7",
            "quote KEY hello --amount-sat 5",
            "inbox",
            "inbox --all --limit 500",
            "listen --after 0",
            "health",
            "stop",
            "wallet address",
            "wallet balance --json",
            "connect KEY@127.0.0.1:9735",
            "connect KEY@[::1]:9735",
            "disconnect KEY",
            "peers",
            "wallet send bcrt1qx 1000 --fee-rate 2 --json",
            "wallet send bcrt1qx all",
            "payments --limit 500",
            "invoice",
            "invoice 1000 --description tea --expiry-s 60",
            "invoice --check lnbcrt1x",
            "pay lnbcrt1x --amount-sat 5 --fee-limit-sat 0",
            "sign -",
            "verify text signature --pubkey KEY",
            "seed show --data-dir d --yes --json",
            "takeover --data-dir d",
            "takeover --data-dir d --from f --network mainnet --yes --json",
            "completions bash",
            "man",
            "man pages",
            "channel open KEY@host.example:9735 100000 --push-sat 1000 --announce",
            "channel list --json",
            "channel --grpc a:1 list",
            "channel close 12 --force",
            "jit-invoice 100000 --description tea --max-fee-sat 5000",
            "sync",
        ]);
    }

    #[test]
    fn every_documented_form_of_what_runs_is_understood() {
        understands(&[
            "node --data-dir d --network regtest --esplora http://e --listen a:1 --listen b:2 --grpc c:3 --http d:4 \
             --alias x --announce-address e:5 --log debug --config f",
            "node --network mainnet --accept-mainnet --gossip rgs --rgs http://e --trusted-peer-0conf KEY \
             --trusted-peer-0conf KEY --lsps2-node KEY@a:1 --lsps2-token t",
            "config show --json --network signet",
            "config path --data-dir d",
            "devnet --listen 127.0.0.1:3002 --auto-mine-ms 500",
            "devnet --bitcoind",
            "devnet --bitcoind-rpc http://127.0.0.1:18443",
            "devnet --bitcoind-rpc http://127.0.0.1:18443 --bitcoind-cookie f",
            "devnet --bitcoind-rpc http://127.0.0.1:18443 --bitcoind-user u --bitcoind-password-file f",
            "demo --keep-running --json f --data-dir d --any-ports --bitcoind",
        ]);
    }

    fn understands(lines: &[&str]) {
        for line in lines {
            assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
        }
    }

    #[test]
    fn what_cannot_be_meant_is_a_usage_error() {
        for line in [
            "send KEY",
            "send 02ab hello",
            "send KEY hello --file photo.png",
            "send KEY hello --expires 8d",
            "send KEY hello --fee-limit-sat -1",
            "read",
            "read KEY --mark-only --keep-unread",
            "search",
            "search tea --peer nobody",
            "cancel 7",
            "delete",
            "receipt 7",
            "verify-receipt",
            "verify-receipt p --file f --text t",
            "send KEY hello --amount-sat 0",
            "send KEY hello --amount-sat -5",
            "inbox --limit 0",
            "inbox --limit 501",
            "listen --after -1",
            "connect KEY",
            "connect KEY@127.0.0.1",
            "connect 02ab@127.0.0.1:9735",
            "channel open KEY@127.0.0.1:9735",
            "channel open KEY@127.0.0.1:9735 0",
            "jit-invoice 0",
            "jit-invoice 100 --max-fee-sat -1",
            "devnet --auto-mine-ms 0",
            "devnet --bitcoind --bitcoind-rpc http://127.0.0.1:18443",
            "devnet --bitcoind-cookie f",
            "devnet --bitcoind-rpc http://127.0.0.1:18443 --bitcoind-user u",
            "devnet --bitcoind-rpc http://127.0.0.1:18443 --bitcoind-password-file f",
            "devnet --bitcoind-rpc http://a --bitcoind-cookie f --bitcoind-user u --bitcoind-password-file f",
            "quote KEY",
            "disconnect KEY@127.0.0.1:9735",
            "wallet send bcrt1qx",
            "wallet send bcrt1qx 0",
            "wallet send bcrt1qx All",
            "wallet send bcrt1qx 5 --fee-rate 0",
            "payments --limit 501",
            "invoice 0",
            "invoice 5 --check lnbcrt1x",
            "pay lnbcrt1x --fee-limit-sat -1",
            "verify text",
            "seed show",
            "takeover",
            "takeover --data-dir d --network nowhere",
            "completions basic",
            "--json seed show --data-dir d",
            "--json demo",
            "--grpc 127.0.0.1:1 node",
        ] {
            let error = parse(line).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn flags_of_the_node_count_wherever_they_stand() {
        for line in ["--json wallet balance", "wallet --json balance", "wallet balance --json"] {
            let cli = parse(line).unwrap();
            let Command::Client(ClientCommand::Wallet(with)) = cli.command else { panic!("{line}") };
            assert!(with.remote.or(cli.remote).is_given(), "{line}");
        }
    }

    #[test]
    fn every_answer_has_a_json_form_under_its_name() {
        fn check<T: Show + Default>() {
            let json = json::to_json(T::NAME, &T::default());
            assert!(json.is_ok_and(|json| json.starts_with('{')), "{}", T::NAME);
        }
        check::<v1::GetInfoResponse>();
        check::<v1::SendResponse>();
        check::<v1::ListResponse>();
        check::<v1::ListConversationsResponse>();
        check::<v1::MarkReadResponse>();
        check::<v1::SearchResponse>();
        check::<v1::CancelResponse>();
        check::<v1::DeleteResponse>();
        check::<v1::ListHeldResponse>();
        check::<v1::SubscribeResponse>();
        check::<v1::StopResponse>();
        check::<v1::NewAddressResponse>();
        check::<v1::BalancesResponse>();
        check::<v1::ConnectResponse>();
        check::<v1::ListPeersResponse>();
        check::<v1::OpenChannelResponse>();
        check::<v1::ListChannelsResponse>();
        check::<v1::CloseChannelResponse>();
        check::<v1::CreateJitInvoiceResponse>();
        check::<v1::SyncResponse>();
        check::<v1::QuoteResponse>();
        check::<v1::SendOnchainResponse>();
        check::<v1::DisconnectResponse>();
        check::<v1::ListPaymentsResponse>();
        check::<v1::CreateInvoiceResponse>();
        check::<v1::GetInvoiceResponse>();
        check::<v1::PayInvoiceResponse>();
        check::<v1::SignResponse>();
        check::<v1::VerifyResponse>();
    }

    #[test]
    fn help_lists_the_exit_codes() {
        let help = Cli::command().render_help().to_string();
        assert!(help.contains("Exit codes:") && help.contains("no node answers"), "{help}");
    }
}
