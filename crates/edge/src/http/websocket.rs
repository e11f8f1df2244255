//! A server stream over a WebSocket (RFC 6455): one text frame for each message, what the client sends is ignored.

use std::time::Duration;

use axum::extract::{
    FromRequestParts as _,
    ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
};
use http::{HeaderMap, header, request::Parts};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tonic::Code;

use super::{
    error::Refusal,
    stream::{Frame, RpcStream},
};
use crate::limits::{
    CLIENT_FRAME_BYTES_MAX, CLOSE_TIMEOUT_S, FRAME_WRITE_TIMEOUT_S, PINGS_UNANSWERED_MAX, WEBSOCKET_READ_BUFFER_BYTES,
};

/// How a conversation ends, and so what is still to be said.
enum Ending {
    /// The stream has ended.
    Complete,
    /// The stream has ended with an error, which the client was told.
    Failed,
    /// The client sent something that isn't acceptable.
    Unacceptable,
    /// The client closes; it gets its answer.
    ClientCloses,
    /// The client is gone or doesn't react.
    Gone,
}

/// Whether the client asks for a WebSocket.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::UPGRADE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
}

/// Checks the client's side of the handshake.
pub(super) async fn accept(parts: &mut Parts) -> Result<WebSocketUpgrade, Refusal> {
    let upgrade = WebSocketUpgrade::from_request_parts(parts, &())
        .await
        .map_err(|rejection| Refusal::new(rejection.status(), Code::InvalidArgument, rejection.body_text()))?;
    Ok(upgrade
        .max_message_size(CLIENT_FRAME_BYTES_MAX)
        .max_frame_size(CLIENT_FRAME_BYTES_MAX)
        .read_buffer_size(WEBSOCKET_READ_BUFFER_BYTES))
}

/// Serves one client until the stream ends or the client leaves. The RPC ends with it.
pub(super) async fn serve(mut socket: WebSocket, mut rpc: RpcStream, ping_interval: Duration) {
    let ending = relay(&mut socket, &mut rpc, ping_interval).await;
    drop(rpc);
    let close = match ending {
        Ending::Complete => Some((close_code::NORMAL, "the stream has ended".into())),
        Ending::Failed => Some((close_code::ERROR, "the stream has ended with an error".into())),
        Ending::Unacceptable => {
            Some((close_code::POLICY, format!("unreadable, or more than {CLIENT_FRAME_BYTES_MAX} bytes")))
        }
        Ending::ClientCloses => None,
        Ending::Gone => return,
    };
    // A client that doesn't answer the close frame is left to itself.
    let _ = timeout(Duration::from_secs(CLOSE_TIMEOUT_S), finish(&mut socket, close)).await;
}

async fn relay(socket: &mut WebSocket, rpc: &mut RpcStream, ping_interval: Duration) -> Ending {
    let mut pings = interval(ping_interval);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.reset();
    let mut pings_unanswered = 0;
    loop {
        tokio::select! {
            received = socket.recv() => match received {
                // A pong, or anything else: the peer lives. tungstenite itself answers pings.
                Some(Ok(Message::Close(_))) => return Ending::ClientCloses,
                Some(Ok(_)) => pings_unanswered = 0,
                Some(Err(_)) => return Ending::Unacceptable,
                None => return Ending::Gone,
            },
            frame = rpc.next_frame() => {
                let Some(frame) = frame else { return Ending::Complete };
                let is_error = matches!(frame, Frame::Error { .. });
                if !send(socket, Message::Text(frame.into_json().into())).await {
                    return Ending::Gone;
                }
                if is_error {
                    return Ending::Failed;
                }
            }
            _ = pings.tick() => {
                if pings_unanswered == PINGS_UNANSWERED_MAX || !send(socket, Message::Ping(bytes::Bytes::new())).await {
                    return Ending::Gone;
                }
                pings_unanswered += 1;
            }
        }
    }
}

/// Writes a frame; false when the peer doesn't take it.
async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(timeout(Duration::from_secs(FRAME_WRITE_TIMEOUT_S), socket.send(message)).await, Ok(Ok(())))
}

/// The close handshake: our frame, if it is on us, then the peer's, before the connection goes.
async fn finish(socket: &mut WebSocket, close: Option<(u16, String)>) {
    if let Some((code, reason)) = close {
        let frame = CloseFrame { code, reason: reason.into() };
        if socket.send(Message::Close(Some(frame))).await.is_err() {
            return;
        }
    }
    while let Some(Ok(_)) = socket.recv().await {}
}
