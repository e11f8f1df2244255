//! `boltgram receipt` and `boltgram verify-receipt`: the proof that a message was received, and its check, for which no
//! node need run.

use std::{
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use bitcoin::Network;
use boltgram_api::{
    client::ClientError,
    v1::{Direction, GetInfoRequest, GetRequest, Message, send_request},
};
use boltgram_core::{
    ChainHash, MessageId, NodeId,
    frame::Content,
    receipt::{ContentHash, Receipt},
    sign::Signature,
};
use data_encoding::{BASE64, HEXLOWER};
use serde::{Deserialize, Serialize};

use super::{content, remote::Remote};
use crate::{
    limits::PROOF_BYTES_MAX,
    output::{Output, fields, line, printable_line},
};

/// The arguments of `boltgram receipt`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The message's id, as `boltgram inbox --all` shows it
    id: MessageId,
}

/// The arguments of `boltgram verify-receipt`.
#[derive(clap::Args, Debug)]
pub struct VerifyArgs {
    /// The file that `boltgram receipt` wrote; `-` reads it from standard input
    proof: PathBuf,
    /// This file's content is what was received
    #[arg(long, value_name = "PATH", conflicts_with = "text")]
    file: Option<PathBuf>,
    /// This text is what was received
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Who is to have received it [default: whom the proof names]
    #[arg(long)]
    pubkey: Option<NodeId>,
    /// Write JSON, also on a terminal (in a pipe it is JSON always)
    #[arg(long)]
    json: bool,
}

/// All that is needed to check a receipt.
#[derive(Serialize, Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Proof {
    /// The network by its name, for people; the chain hash counts.
    network: String,
    chain_hash: String,
    message_id: String,
    sender_pubkey: String,
    recipient_pubkey: String,
    content_hash: String,
    /// In zbase32.
    signature: String,
    /// The content's bytes as they travelled, in base64: `content_hash` is their SHA256.
    content: String,
}

/// A proof that proves nothing, and why.
#[derive(Debug, thiserror::Error)]
#[error("the receipt proves nothing: {0}")]
pub struct NotProven(String);

/// Runs `boltgram receipt`.
pub async fn run(args: Args, remote: &Remote) -> anyhow::Result<()> {
    let client = remote.connect().await?;
    let request = GetRequest { id: args.id.to_string() };
    let found = client.messages().get(request).await.map_err(ClientError::from)?.into_inner();
    let info = client.node().get_info(GetInfoRequest {}).await.map_err(ClientError::from)?.into_inner();
    let proof = Proof::of(found.message.unwrap_or_default(), info.network, info.pubkey)?;
    Ok(line(&serde_json::to_string_pretty(&proof)?)?)
}

/// Runs `boltgram verify-receipt`; a receipt that proves nothing is an error.
pub fn verify(args: VerifyArgs) -> anyhow::Result<()> {
    let received = match (&args.file, args.text) {
        (Some(file), _) => match content::of_file(file)? {
            send_request::Content::Body(bytes) => Some(bytes),
            send_request::Content::Text(text) => Some(text.into_bytes()),
        },
        (None, text) => text.map(String::into_bytes),
    };
    let text = read(&args.proof)?;
    let proven = Proof::parse(&text).and_then(|proof| proof.check(received.as_deref(), args.pubkey));
    let output = Output::new(args.json);
    match proven {
        Ok(proven) => Ok(output.either(&proven.json(), &proven.human())?),
        Err(error) => {
            let json = serde_json::json!({ "valid": false, "problem": error.0 });
            output.either(&json, "not valid")?;
            Err(error.into())
        }
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    let name = file.display();
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        io::stdin().lock().take(PROOF_BYTES_MAX).read_to_string(&mut text)
    } else {
        let open = fs::File::open(file).with_context(|| format!("{name} can't be opened"))?;
        open.take(PROOF_BYTES_MAX).read_to_string(&mut text)
    };
    read.with_context(|| format!("{name} can't be read"))?;
    Ok(text)
}

/// What a receipt proves.
#[derive(PartialEq, Eq, Debug)]
struct Proven {
    id: MessageId,
    network: Option<Network>,
    sender: NodeId,
    recipient: NodeId,
    content: Content,
}

impl Proof {
    fn of(message: Message, network: String, sender_pubkey: String) -> anyhow::Result<Self> {
        if message.direction() != Direction::Out {
            bail!("this node received the message: a receipt for it is with its sender");
        }
        let Some(receipt) = message.receipt else {
            let asked = if message.asks_receipt { "none has come yet" } else { "none was asked for" };
            bail!("the message has no receipt: {asked}");
        };
        let reply_to = Some(message.reply_to_id).filter(|id| !id.is_empty()).map(|id| id.parse()).transpose()?;
        let content = Content::new(&message.content_type, reply_to, message.body)?;
        let chain_hash = ChainHash::from(network.parse::<Network>()?);
        Ok(Self {
            chain_hash: HEXLOWER.encode(&chain_hash.0),
            network,
            message_id: message.id,
            sender_pubkey,
            recipient_pubkey: message.peer_pubkey,
            content_hash: receipt.content_hash,
            signature: receipt.signature,
            content: BASE64.encode(&content.asking_receipt(message.asks_receipt).to_bytes()),
        })
    }

    fn parse(text: &str) -> Result<Self, NotProven> {
        serde_json::from_str(text)
            .map_err(|error| NotProven(format!("it is not what `boltgram receipt` writes: {error}")))
    }

    /// Checks all of it: the signature is the recipient's over this message, and the content is what it is over.
    fn check(&self, received: Option<&[u8]>, expected: Option<NodeId>) -> Result<Proven, NotProven> {
        let wrong = |text: &str| NotProven(text.to_owned());
        let recipient: NodeId = parsed("recipientPubkey", self.recipient_pubkey.parse())?;
        let sender: NodeId = parsed("senderPubkey", self.sender_pubkey.parse())?;
        let id: MessageId = parsed("messageId", self.message_id.parse())?;
        let chain = ChainHash(bytes("chainHash", &self.chain_hash)?);
        let content_hash = ContentHash(bytes("contentHash", &self.content_hash)?);
        let signature = Signature::from_zbase32(&self.signature).ok_or_else(|| wrong("its signature is none"))?;
        let content = BASE64.decode(self.content.as_bytes()).map_err(|_| wrong("its content is no base64"))?;
        let receipt = Receipt { id, content_hash, signature };
        if receipt.signer(chain, sender) != Some(recipient) {
            return Err(wrong("the signature is not the recipient's over this message"));
        }
        if ContentHash::of(&content) != content_hash {
            return Err(wrong("the content is another than was signed for"));
        }
        let content =
            Content::read(&content).map_err(|error| NotProven(format!("the content is no message's: {error}")))?;
        if received.is_some_and(|received| received != content.payload) {
            return Err(wrong("the message has another content than what was given"));
        }
        if expected.is_some_and(|expected| expected != recipient) {
            return Err(wrong("somebody else received it than who was given"));
        }
        let networks = [Network::Bitcoin, Network::Testnet, Network::Testnet4, Network::Signet, Network::Regtest];
        let network = networks.into_iter().find(|network| ChainHash::from(*network) == chain);
        Ok(Proven { id, network, sender, recipient, content })
    }
}

fn parsed<T, E: fmt::Display>(name: &str, value: Result<T, E>) -> Result<T, NotProven> {
    value.map_err(|error| NotProven(format!("its {name} is not valid: {error}")))
}

fn bytes<const N: usize>(name: &str, hex: &str) -> Result<[u8; N], NotProven> {
    let decoded = HEXLOWER.decode(hex.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    decoded.ok_or_else(|| NotProven(format!("its {name} is not {} hex digits", 2 * N)))
}

impl Proven {
    fn network(&self) -> String {
        self.network.map_or_else(|| "unknown".to_owned(), |network| network.to_string())
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "valid": true,
            "messageId": self.id.to_string(),
            "sentAtMs": self.id.time_ms().to_string(),
            "network": self.network(),
            "senderPubkey": self.sender.to_string(),
            "recipientPubkey": self.recipient.to_string(),
            "contentType": self.content.media_type(),
            "body": BASE64.encode(&self.content.payload),
        })
    }

    fn human(&self) -> String {
        let content = match std::str::from_utf8(&self.content.payload) {
            Ok(text) if self.content.media_type().starts_with("text/") => printable_line(text),
            _ => format!("({}, {} bytes)", printable_line(self.content.media_type()), self.content.payload.len()),
        };
        let rows = fields([
            ("message", self.id.to_string()),
            ("from", self.sender.to_string()),
            ("received by", self.recipient.to_string()),
            ("network", self.network()),
            ("content", content),
        ]);
        format!("valid: the recipient has signed for this message\n{rows}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boltgram_api::v1;

    /// The receipt of docs/protocol.md, in the form that this command writes.
    fn proof() -> Proof {
        let receipt = v1::Receipt {
            signature: Signature(
                bytes(
                    "signature",
                    "2012e0a7db985741aaa9242a7d9ae9fdb54a0dbe195a46f22781090f7a87ce86ea708b900ddc525a1fa5dae63b5993\
                     3895552698262a2926daab94574dda38d27a",
                )
                .unwrap(),
            )
            .to_zbase32(),
            content_hash: "58564978fd50f15d2d3327e5503c66be78bc76d87b08082a4dff6579dbba61da".into(),
            received_at_ms: 1,
        };
        let message = Message {
            id: "0190163d-8694-739b-aea5-966c26f8ad91".into(),
            direction: Direction::Out.into(),
            peer_pubkey: "02466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f27".into(),
            body: b"hello".to_vec(),
            content_type: "text/plain".into(),
            asks_receipt: true,
            receipt: Some(receipt),
            ..Default::default()
        };
        let sender = "034f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa";
        Proof::of(message, "regtest".into(), sender.into()).unwrap()
    }

    /// A change of a proof, with somebody else's key at hand.
    type Change = fn(&mut Proof, &str);

    fn reread(proof: &Proof) -> Proof {
        Proof::parse(&serde_json::to_string_pretty(proof).unwrap()).unwrap()
    }

    #[test]
    fn what_is_written_is_read_and_proves_what_was_sent() {
        let proven = reread(&proof()).check(Some(b"hello"), None).unwrap();
        assert_eq!((proven.network, proven.content.payload.as_slice()), (Some(Network::Regtest), &b"hello"[..]));
        assert!(proven.human().contains("hello") && proven.json()["valid"] == true);
        assert!(reread(&proof()).check(None, Some(proven.recipient)).is_ok());
    }

    #[test]
    fn a_proof_with_anything_changed_proves_nothing() {
        let sender = proof().sender_pubkey;
        let changes: [(&str, Change); 9] = [
            ("recipient's", |proof, other| proof.recipient_pubkey = other.into()),
            ("recipient's", |proof, _| proof.sender_pubkey = proof.recipient_pubkey.clone()),
            ("recipient's", |proof, _| proof.message_id = proof.message_id.replace("91", "92")),
            ("recipient's", |proof, _| proof.chain_hash = "00".repeat(32)),
            ("recipient's", |proof, _| proof.content_hash = "00".repeat(32)),
            ("another than was signed", |proof, _| proof.content = BASE64.encode(b"\x1a\x05jello")),
            ("signature is none", |proof, _| proof.signature.truncate(100)),
            ("chainHash", |proof, _| proof.chain_hash.clear()),
            ("messageId", |proof, _| proof.message_id = "7".into()),
        ];
        for (problem, change) in changes {
            let mut proof = proof();
            change(&mut proof, &sender);
            let error = reread(&proof).check(None, None).unwrap_err().to_string();
            assert!(error.contains(problem), "{problem}: {error}");
        }
        let told = |received: Option<&[u8]>, expected: Option<&str>| {
            let expected = expected.map(|expected| expected.parse().unwrap());
            proof().check(received, expected).unwrap_err().to_string()
        };
        assert!(told(Some(b"jello"), None).contains("another content"));
        assert!(told(None, Some(&sender)).contains("somebody else"));
        assert!(Proof::parse("{}").unwrap_err().to_string().contains("network"));
    }

    #[test]
    fn a_message_without_a_receipt_says_why() {
        let of = |message| Proof::of(message, "regtest".into(), String::new()).unwrap_err().to_string();
        let out = Message { direction: Direction::Out.into(), ..Default::default() };
        assert!(of(out.clone()).contains("none was asked for"));
        assert!(of(Message { asks_receipt: true, ..out }).contains("none has come"));
        assert!(of(Message::default()).contains("its sender"));
    }
}
