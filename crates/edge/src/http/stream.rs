//! A server stream as a sequence of JSON frames, and its plainest form: JSON lines.
//!
//! It is pulled: a message is taken from the RPC when the client's connection has room for it, so a slow client
//! holds up the RPC's stream and nothing piles up here. Dropping it ends the RPC.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{FutureExt as _, Stream, StreamExt as _, stream};
use prost_reflect::{DynamicMessage, MessageDescriptor, Value};
use tokio::time::{Instant, timeout_at};
use tonic::{Status, Streaming, metadata::MetadataMap};

use super::{call, error::status_json, json, response};

/// The field of a stream's message that counts the messages, and that a client names to resume.
const SEQUENCE_FIELD: &str = "sequence";

/// The messages of one call.
pub(super) struct RpcStream {
    messages: Streaming<Bytes>,
    output: MessageDescriptor,
    first: Option<DynamicMessage>,
    deadline: Option<Instant>,
    /// Whether nothing comes any more.
    is_over: bool,
}

/// What the client gets to see.
pub(super) enum Frame {
    /// A message: `{"result":{…}}`.
    Result {
        /// The frame, compact.
        json: String,
        /// The message's sequence number, if its type has one.
        sequence: Option<String>,
    },
    /// The end by an error: `{"error":{…}}`.
    Error {
        /// The frame, compact.
        json: String,
    },
}

impl Frame {
    /// The frame's JSON.
    pub(super) fn into_json(self) -> String {
        match self {
            Self::Result { json, .. } | Self::Error { json } => json,
        }
    }

    fn result(message: &DynamicMessage) -> Result<Self, Status> {
        let json = format!(r#"{{"result":{}}}"#, json::write(message)?);
        let sequence = message.get_field_by_name(SEQUENCE_FIELD).and_then(|value| match *value {
            Value::I32(number) => Some(number.to_string()),
            Value::I64(number) => Some(number.to_string()),
            Value::U32(number) => Some(number.to_string()),
            Value::U64(number) => Some(number.to_string()),
            _ => None,
        });
        Ok(Self::Result { json, sequence })
    }

    fn error(status: &Status) -> Self {
        Self::Error { json: format!(r#"{{"error":{}}}"#, status_json(status)) }
    }
}

impl RpcStream {
    /// The messages of a call that was accepted, until the deadline if there is one.
    pub(super) fn new(messages: Streaming<Bytes>, output: MessageDescriptor, deadline: Option<Instant>) -> Self {
        Self { messages, output, first: None, deadline, is_over: false }
    }

    /// Looks, without waiting, whether the stream begins with an error, which an HTTP status can still tell.
    pub(super) fn check_begin(&mut self) -> Result<(), Status> {
        match self.next().now_or_never() {
            Some(Some(message)) => self.first = Some(message?),
            Some(None) => self.is_over = true,
            None => {}
        }
        Ok(())
    }

    /// The next frame; `None` once the stream has ended. It may be dropped and called again.
    pub(super) async fn next_frame(&mut self) -> Option<Frame> {
        let frame = self.next().await?.and_then(|message| Frame::result(&message));
        Some(frame.unwrap_or_else(|status| {
            self.is_over = true;
            Frame::error(&status)
        }))
    }

    /// All frames.
    pub(super) fn into_frames(self) -> impl Stream<Item = Frame> + Send {
        stream::unfold(self, |mut rpc| async move { Some((rpc.next_frame().await?, rpc)) })
    }

    async fn next(&mut self) -> Option<Result<DynamicMessage, Status>> {
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        if self.is_over {
            return None;
        }
        let message = match self.deadline {
            Some(deadline) => {
                timeout_at(deadline, self.messages.message()).await.unwrap_or_else(|_| Err(call::deadline_exceeded()))
            }
            None => self.messages.message().await,
        };
        message.and_then(|bytes| bytes.map(|bytes| response::decode(&self.output, bytes)).transpose()).transpose()
    }
}

/// The stream as JSON lines, a frame a line.
pub(super) fn json_lines(rpc: RpcStream, metadata: &MetadataMap) -> Response {
    let lines = rpc.into_frames().map(|frame| Ok::<_, std::convert::Infallible>(frame.into_json() + "\n"));
    (response::answer_headers("application/x-ndjson", metadata), Body::from_stream(lines)).into_response()
}
