//! The JSON form of the API's messages, the one that HTTP, the command line and its pipes speak.
//!
//! It is the protobuf JSON mapping with two choices: names in camelCase, and every field present also when it has its
//! default value. 64-bit integers are strings, bytes are base64, enums are their names.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};

pub use prost::Message;

use crate::DESCRIPTOR_SET;

/// How messages are written.
pub const OPTIONS: SerializeOptions =
    SerializeOptions::new().stringify_64_bit_integers(true).use_proto_field_name(false).skip_default_fields(false);

/// Why a message has no JSON form.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The descriptor set doesn't know the name, or can't be read at all.
    #[error("the API has no message of the name {0:?}")]
    UnknownMessage(String),
    /// The bytes are not those of a message of this name.
    #[error("the bytes are no {name}: {source}")]
    Decode {
        /// The name that was asked for.
        name: String,
        /// What is wrong with them.
        source: prost::DecodeError,
    },
    /// The message can't be written as JSON.
    #[error("the message can't be written as JSON: {0}")]
    Write(#[from] serde_json::Error),
}

/// The descriptors of the whole API, or `None` if the built-in set can't be read (a test holds that it can).
pub fn descriptors() -> Option<&'static DescriptorPool> {
    static POOL: LazyLock<Option<DescriptorPool>> = LazyLock::new(|| DescriptorPool::decode(DESCRIPTOR_SET).ok());
    POOL.as_ref()
}

/// The JSON text, on one line, of a message whose full name (such as `boltgram.v1.GetInfoResponse`) is `name`.
pub fn to_json(name: &str, message: &impl Message) -> Result<String, JsonError> {
    let unknown = || JsonError::UnknownMessage(name.to_owned());
    let descriptor = descriptors().and_then(|pool| pool.get_message_by_name(name)).ok_or_else(unknown)?;
    let dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())
        .map_err(|source| JsonError::Decode { name: name.to_owned(), source })?;
    let mut text = Vec::new();
    dynamic.serialize_with_options(&mut serde_json::Serializer::new(&mut text), &OPTIONS)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{v1, websocket};

    #[test]
    fn the_built_in_descriptors_can_be_read() {
        let pool = descriptors().unwrap();
        assert!(pool.get_service_by_name("boltgram.v1.Node").is_some());
        assert!(pool.get_message_by_name("websocket.SubscribeResponse").is_some());
    }

    #[test]
    fn a_message_is_written_in_the_form_that_listeners_of_the_family_read() {
        let response = websocket::SubscribeResponse {
            id: "0198".into(),
            from_pubkey: "02ab".into(),
            data: "grüezi".into(),
            service_type: "message".into(),
            amount: 1,
            ..Default::default()
        };
        assert_eq!(
            to_json("websocket.SubscribeResponse", &response).unwrap(),
            r#"{"id":"0198","replyToId":"","fromPubkey":"02ab","data":"grüezi","serviceType":"message","amount":"1"}"#
        );
    }

    #[test]
    fn enums_are_names_bytes_are_base64_and_empty_lists_are_present() {
        let message = v1::Message { body: b"hi".to_vec(), state: v1::State::Received.into(), ..Default::default() };
        let json: serde_json::Value = serde_json::from_str(&to_json("boltgram.v1.Message", &message).unwrap()).unwrap();
        assert_eq!(json["body"], "aGk=");
        assert_eq!(json["state"], "STATE_RECEIVED");
        assert_eq!(json["sentAtMs"], "0");
        let page = to_json("boltgram.v1.ListResponse", &v1::ListResponse::default()).unwrap();
        assert_eq!(page, r#"{"messages":[],"nextPageToken":""}"#);
    }

    #[test]
    fn a_name_that_the_api_does_not_have_is_an_error() {
        let error = to_json("boltgram.v1.Nothing", &v1::StopResponse {}).unwrap_err();
        assert!(matches!(error, JsonError::UnknownMessage(name) if name == "boltgram.v1.Nothing"));
    }
}
