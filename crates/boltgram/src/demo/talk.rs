//! The messages: one each way through gRPC, one through HTTP; then both inboxes, and what it cost.

use anyhow::{Context as _, ensure};
use boltgram_api::{messaging::SendMessageRequest, v1};

use super::{
    process::{NodeProcess, wait_for},
    steps::Steps,
};
use crate::output::{line, printable_line, short_key, table, word};

/// What is sent: through gRPC from alice and from bob, and through HTTP from alice.
const TEXTS: [&str; 3] = ["Hello Bob, no server stands between us", "Hi Alice, got it!", "And this one came by curl"];

/// How long a message may take from its claim to the inbox.
const INBOX_S: u64 = 30;

pub(super) async fn talk([alice, bob]: [&NodeProcess; 2], steps: &mut Steps) -> anyhow::Result<()> {
    steps.begin("a message each way through gRPC");
    let to_bob = send(alice, bob, TEXTS[0], "").await?;
    let to_alice = send(bob, alice, TEXTS[1], &to_bob).await?;
    steps.done("messaging.Messaging/SendMessage, twice");

    steps.begin("a message through HTTP");
    let by_http = post(alice, bob, TEXTS[2]).await?;
    steps.done(&format!("POST http://{}/v1/message/send", alice.plan.http));

    for (node, other, expected) in [(alice, bob, vec![&to_alice]), (bob, alice, vec![&to_bob, &by_http])] {
        let messages = arrived(node, &expected).await?;
        line(&format!("\n{}'s inbox", node.plan.name))?;
        let from = |pubkey: &str| if pubkey == other.pubkey { other.plan.name.to_owned() } else { short_key(pubkey) };
        line(&table(
            &["from", "text", "sat", "signature"],
            messages.iter().rev().map(|message| {
                let authenticity = word(message.authenticity().as_str_name(), "AUTHENTICITY_");
                vec![
                    from(&message.peer_pubkey),
                    printable_line(&message.text),
                    message.amount_sat.to_string(),
                    authenticity,
                ]
            }),
        ))?;
    }
    let mut cost = Vec::new();
    for node in [alice, bob] {
        let sent = list(node, v1::Direction::Out).await?;
        let amount_sat: i64 = sent.iter().map(|message| message.amount_sat).sum();
        let fee_msat: i64 = sent.iter().map(|message| message.fee_msat).sum();
        cost.push(vec![
            node.plan.name.to_owned(),
            sent.len().to_string(),
            amount_sat.to_string(),
            format!("{fee_msat} msat"),
        ]);
    }
    line("\nWhat it cost")?;
    line(&table(&["node", "sent", "sat given", "routing fees"], cost)).context("the demo's result can't be written")
}

/// The inbox, once it holds these messages and no others. They are claimed; a moment later they stand there.
async fn arrived(node: &NodeProcess, expected: &[&String]) -> anyhow::Result<Vec<v1::Message>> {
    wait_for(node.plan.name, "show in its inbox what was sent", INBOX_S, async || {
        let messages = list(node, v1::Direction::In).await?;
        let is_expected = messages.iter().rev().map(|message| &message.id).eq(expected.iter().copied());
        Ok(is_expected.then_some(messages))
    })
    .await
}

/// Sends through gRPC; gives the message's id.
async fn send(from: &NodeProcess, to: &NodeProcess, text: &str, reply_to_id: &str) -> anyhow::Result<String> {
    let request = SendMessageRequest {
        msg: text.to_owned(),
        pubkey: to.pubkey.clone(),
        amount: 0,
        reply_to_id: reply_to_id.to_owned(),
    };
    Ok(from.client.messaging().send_message(request).await?.into_inner().id)
}

/// Sends through HTTP, with nothing but the three-field contract; gives the message's id.
async fn post(from: &NodeProcess, to: &NodeProcess, text: &str) -> anyhow::Result<String> {
    let url = format!("http://{}/v1/message/send", from.plan.http);
    let body = serde_json::json!({ "msg": text, "pubkey": to.pubkey });
    let answer = reqwest::Client::new().post(url).json(&body).send().await?;
    let (status, answer) = (answer.status(), answer.json::<serde_json::Value>().await?);
    ensure!(status.is_success(), "HTTP answered {status}: {answer}");
    Ok(answer["id"].as_str().context("the HTTP answer has no id")?.to_owned())
}

async fn list(node: &NodeProcess, direction: v1::Direction) -> anyhow::Result<Vec<v1::Message>> {
    let request = v1::ListRequest { direction: direction.into(), ..v1::ListRequest::default() };
    Ok(node.client.messages().list(request).await?.into_inner().messages)
}
