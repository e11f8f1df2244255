//! `boltgram channel`: opens, lists and closes channels.

use boltgram_api::{
    client::{Client, ClientError},
    v1::{
        Channel, CloseChannelRequest, CloseChannelResponse, ListChannelsRequest, ListChannelsResponse,
        OpenChannelRequest, OpenChannelResponse,
    },
};
use clap::value_parser;

use super::remote::{PeerAddress, Remote};
use crate::output::{Show, grouped, short_key, table};

/// The arguments of `boltgram channel`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Opens a channel, or several, paid from the on-chain wallet; they can be used after their confirmations.
    Open(OpenArgs),
    /// Lists the channels.
    List,
    /// Closes a channel.
    Close(CloseArgs),
}

#[derive(clap::Args, Debug)]
struct OpenArgs {
    /// The far node's public key and where it listens
    #[arg(value_name = "PUBKEY@HOST:PORT")]
    peer: PeerAddress,
    /// The channel's capacity in satoshi
    #[arg(value_parser = value_parser!(i64).range(1..))]
    capacity_sat: i64,
    /// What of it to give to the far node at once, in satoshi
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = value_parser!(i64).range(0..))]
    push_sat: i64,
    /// Announce the channel, so that others can route over it
    #[arg(long)]
    announce: bool,
    /// How many such channels to open, 1 to 4: each carries some 50 payments at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(i32).range(1..=4))]
    count: i32,
}

#[derive(clap::Args, Debug)]
struct CloseArgs {
    /// The channel's id, as `channel list` shows it
    id: String,
    /// Close without the far node: the funds come back after a delay
    #[arg(long)]
    force: bool,
}

/// Runs the command.
pub async fn run(args: Args, remote: &Remote) -> anyhow::Result<()> {
    let client = remote.connect().await?;
    match args.command {
        Command::Open(args) => open(args, &client, remote).await,
        Command::List => list(&client, remote).await,
        Command::Close(args) => close(args, &client, remote).await,
    }
}

async fn open(args: OpenArgs, client: &Client, remote: &Remote) -> anyhow::Result<()> {
    let request = OpenChannelRequest {
        pubkey: args.peer.pubkey.to_string(),
        address: args.peer.address,
        capacity_sat: args.capacity_sat,
        push_sat: args.push_sat,
        announce: args.announce,
        count: args.count,
    };
    let answer = client.node().open_channel(request).await.map_err(ClientError::from)?.into_inner();
    remote.output().show(&answer)?;
    anyhow::ensure!(answer.reason.is_empty(), "{}", rest(&answer, args.count));
    Ok(())
}

/// What is said of channels that were not begun, after those that were.
fn rest(answer: &OpenChannelResponse, count: i32) -> String {
    let OpenChannelResponse { user_channel_ids, reason, message, .. } = answer;
    format!("{} of {count} channels were begun; then {reason}: {message}", user_channel_ids.len())
}

async fn list(client: &Client, remote: &Remote) -> anyhow::Result<()> {
    let answer = client.node().list_channels(ListChannelsRequest {}).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

async fn close(args: CloseArgs, client: &Client, remote: &Remote) -> anyhow::Result<()> {
    let request = CloseChannelRequest { channel_id: args.id, force: args.force };
    let answer = client.node().close_channel(request).await.map_err(ClientError::from)?;
    remote.output().show(answer.get_ref())
}

impl Show for OpenChannelResponse {
    const NAME: &'static str = "boltgram.v1.OpenChannelResponse";

    fn human(&self) -> String {
        match self.user_channel_ids.as_slice() {
            [] | [_] => format!("the opening has begun; this node calls the channel {}", self.user_channel_id),
            ids => format!("the openings have begun; this node calls the channels {}", ids.join(", ")),
        }
    }
}

impl Show for CloseChannelResponse {
    const NAME: &'static str = "boltgram.v1.CloseChannelResponse";

    fn human(&self) -> String {
        "the closing has begun".to_owned()
    }
}

impl Show for ListChannelsResponse {
    const NAME: &'static str = "boltgram.v1.ListChannelsResponse";

    fn human(&self) -> String {
        if self.channels.is_empty() {
            return "no channels: `boltgram channel open PUBKEY@HOST:PORT CAPACITY_SAT` opens one".to_owned();
        }
        let headings = ["peer", "state", "capacity sat", "can send msat", "can receive msat", "id"];
        table(&headings, self.channels.iter().map(row))
    }
}

fn row(channel: &Channel) -> Vec<String> {
    vec![
        short_key(&channel.pubkey),
        state(channel),
        grouped(channel.capacity_sat),
        grouped(channel.outbound_msat),
        grouped(channel.inbound_msat),
        channel.channel_id.clone(),
    ]
}

fn state(channel: &Channel) -> String {
    match (channel.usable, channel.ready) {
        (true, _) => "usable".to_owned(),
        (false, true) => "peer offline".to_owned(),
        (false, false) => format!("{} of {} confirmations", channel.confirmations, channel.confirmations_required),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_sees_which_channels_were_begun_and_why_not_all() {
        let one = OpenChannelResponse {
            user_channel_id: "7".into(),
            user_channel_ids: vec!["7".into()],
            reason: "CHANNEL_BUSY".into(),
            message: "the peer did not take the channel".into(),
        };
        assert!(one.human().ends_with("the channel 7"));
        let text = rest(&one, 4);
        assert!(text.contains("1 of 4") && text.contains("CHANNEL_BUSY: the peer did not take"), "{text}");
        let two = OpenChannelResponse { user_channel_ids: vec!["7".into(), "8".into()], ..one };
        assert!(two.human().ends_with("the channels 7, 8"));
    }

    #[test]
    fn a_person_sees_what_each_channel_waits_for() {
        let opening = Channel { confirmations: 2, confirmations_required: 6, ..Default::default() };
        let offline = Channel { ready: true, ..opening.clone() };
        let usable = Channel { usable: true, capacity_sat: 1_000_000, ..offline.clone() };
        let text = ListChannelsResponse { channels: vec![opening, offline, usable] }.human();
        for part in ["2 of 6 confirmations", "peer offline", "usable", "1,000,000"] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
    }
}
