//! The shape of the files, as the page has it under "Vectors".

use std::fmt;

use boltgram_core::{ChainHash, NodeId};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// What both files say of themselves.
const FORMAT: &str = "boltgram wire v1";

#[derive(Serialize, Deserialize)]
pub struct File {
    pub format: String,
    pub vectors: Vec<Vector>,
}

impl File {
    pub fn of(vectors: Vec<Vector>) -> Self {
        Self { format: FORMAT.into(), vectors }
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap() + "\n"
    }
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    pub name: String,
    pub about: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canonical: Option<bool>,
    pub chain_hash: Hex,
    pub recipient: Hex,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sent: Vec<Sent>,
    pub payments: Vec<Payment>,
    pub messages: Vec<Message>,
}

impl Vector {
    pub fn chain_hash(&self) -> ChainHash {
        ChainHash(self.chain_hash.0.as_slice().try_into().unwrap())
    }

    pub fn recipient(&self) -> NodeId {
        NodeId::from_slice(&self.recipient.0).unwrap()
    }
}

/// A message that the receiver had sent.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Sent {
    pub id: Hex,
    pub to: Hex,
    pub content: Hex,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Payment {
    pub amount_msat: u64,
    pub record: Hex,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Message {
    pub id: Option<Hex>,
    pub sender: Option<Hex>,
    pub content_type: String,
    pub reply_to_id: Option<Hex>,
    pub payload: Hex,
    pub amount_msat: u64,
    pub flags: u32,
}

/// Bytes, in hex.
#[derive(Clone, PartialEq)]
pub struct Hex(pub Vec<u8>);

impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&HEXLOWER.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        HEXLOWER.decode(text.as_bytes()).map(Self).map_err(D::Error::custom)
    }
}
