//! A subscription that goes on where it left off when its connection breaks.

use std::time::Duration;

use tonic::{Code, Status, Streaming};

use super::{Client, RpcError};
use crate::{
    limits::{RESUME_WAIT_MS_MAX, RESUME_WAIT_MS_MIN},
    v1::{SubscribeRequest, SubscribeResponse},
};

/// What a resumed subscription tells.
#[derive(Clone, PartialEq, Debug)]
pub enum Update {
    /// The next event of the log.
    Event(Box<SubscribeResponse>),
    /// The connection broke; the next call of [`Resumed::next`] waits so long and takes it up again.
    Interrupted {
        /// What broke it.
        error: RpcError,
        /// The wait to come.
        wait: Duration,
    },
}

/// The event log from a sequence number on, over broken connections and restarts of the node: after each break it
/// asks again for what comes after the last event that it gave.
///
/// Nothing is missed once `after_sequence` is given or the first event has been seen. Before that, with no
/// `after_sequence`, what arrives during a break is not shown: "from now on" begins anew.
#[derive(Debug)]
pub struct Resumed {
    client: Client,
    request: SubscribeRequest,
    stream: Option<Streaming<SubscribeResponse>>,
    /// The wait before the next attempt; `None` when the last attempt went well.
    wait: Option<Duration>,
}

impl Resumed {
    pub(super) fn new(client: Client, request: SubscribeRequest) -> Self {
        Self { client, request, stream: None, wait: None }
    }

    /// The sequence number of the last event given, or where it was asked to begin.
    pub fn after_sequence(&self) -> Option<i64> {
        self.request.after_sequence
    }

    /// The next event or interruption. An error is final: the node refuses the request itself.
    ///
    /// Dropping the future loses nothing, but a wait that it was in begins anew.
    pub async fn next(&mut self) -> Result<Update, RpcError> {
        match self.event().await {
            Ok(event) => {
                self.wait = None;
                self.request.after_sequence = Some(event.sequence);
                Ok(Update::Event(Box::new(event)))
            }
            Err(status) => {
                self.stream = None;
                let error = RpcError::from(status);
                if !error.is_passing() {
                    return Err(error);
                }
                let wait = longer(self.wait);
                self.wait = Some(wait);
                Ok(Update::Interrupted { error, wait })
            }
        }
    }

    async fn event(&mut self) -> Result<SubscribeResponse, Status> {
        if self.stream.is_none() {
            if let Some(wait) = self.wait {
                tokio::time::sleep(wait).await;
            }
            self.stream = Some(self.client.messages().subscribe(self.request).await?.into_inner());
        }
        let gone = || Status::new(Code::Unavailable, "the node ended the stream");
        match &mut self.stream {
            Some(stream) => stream.message().await?.ok_or_else(gone),
            None => Err(gone()),
        }
    }
}

/// The wait after one more attempt in a row that failed.
fn longer(wait: Option<Duration>) -> Duration {
    let min = Duration::from_millis(RESUME_WAIT_MS_MIN);
    wait.map_or(min, |wait| (wait * 2).min(Duration::from_millis(RESUME_WAIT_MS_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::{
        self, GetRequest, GetResponse, ListRequest, ListResponse, QuoteResponse, SendRequest, SendResponse,
        messages_server::{Messages, MessagesServer},
    };
    use std::{
        net::SocketAddr,
        pin::Pin,
        sync::{Arc, Mutex},
    };
    use tokio_stream::{Stream, wrappers::TcpListenerStream};
    use tonic::{Request, Response};

    /// A log of ten events whose streams break after three.
    #[derive(Clone, Default)]
    struct Breaking {
        asked_after: Arc<Mutex<Vec<Option<i64>>>>,
    }

    const LOG_END: i64 = 10;

    #[tonic::async_trait]
    impl Messages for Breaking {
        type SubscribeStream = Pin<Box<dyn Stream<Item = Result<SubscribeResponse, Status>> + Send>>;

        async fn subscribe(
            &self,
            request: Request<SubscribeRequest>,
        ) -> Result<Response<Self::SubscribeStream>, Status> {
            let after = request.into_inner().after_sequence;
            self.asked_after.lock().unwrap().push(after);
            let first = after.unwrap_or(0) + 1;
            if first > LOG_END {
                return Err(Status::invalid_argument("there is no more"));
            }
            let events = (first..=LOG_END.min(first + 2))
                .map(|sequence| Ok(SubscribeResponse { sequence, message: None }))
                .chain([Err(Status::unavailable("broken"))]);
            Ok(Response::new(Box::pin(tokio_stream::iter(events))))
        }

        async fn send(&self, _: Request<SendRequest>) -> Result<Response<SendResponse>, Status> {
            Err(Status::unimplemented("not here"))
        }
        async fn quote(&self, _: Request<SendRequest>) -> Result<Response<QuoteResponse>, Status> {
            Err(Status::unimplemented("not here"))
        }
        async fn get(&self, _: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
            Err(Status::unimplemented("not here"))
        }
        async fn list(&self, _: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
            Err(Status::unimplemented("not here"))
        }
        async fn cancel(&self, _: Request<v1::CancelRequest>) -> Result<Response<v1::CancelResponse>, Status> {
            Err(Status::unimplemented("not here"))
        }
        async fn delete(&self, _: Request<v1::DeleteRequest>) -> Result<Response<v1::DeleteResponse>, Status> {
            Err(Status::unimplemented("not here"))
        }
        async fn list_conversations(
            &self,
            _: Request<v1::ListConversationsRequest>,
        ) -> Result<Response<v1::ListConversationsResponse>, Status> {
            Err(Status::unimplemented("not here"))
        }
        async fn mark_read(&self, _: Request<v1::MarkReadRequest>) -> Result<Response<v1::MarkReadResponse>, Status> {
            Err(Status::unimplemented("not here"))
        }
        async fn search(&self, _: Request<v1::SearchRequest>) -> Result<Response<v1::SearchResponse>, Status> {
            Err(Status::unimplemented("not here"))
        }
        async fn list_held(&self, _: Request<v1::ListHeldRequest>) -> Result<Response<v1::ListHeldResponse>, Status> {
            Err(Status::unimplemented("not here"))
        }
    }

    async fn serve(service: Breaking) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tonic::transport::Server::builder().add_service(MessagesServer::new(service));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        address
    }

    #[tokio::test]
    async fn a_broken_subscription_goes_on_after_the_last_event_and_misses_none() {
        let service = Breaking::default();
        let client = Client::connect(&serve(service.clone()).await.to_string()).await.unwrap();
        let mut resumed = client.subscribe_from(SubscribeRequest { after_sequence: Some(0), include_sent: false });
        let (mut seen, mut breaks) = (Vec::new(), 0);
        let end = loop {
            match resumed.next().await {
                Ok(Update::Event(event)) => seen.push(event.sequence),
                Ok(Update::Interrupted { wait, .. }) => {
                    assert_eq!(wait, Duration::from_millis(RESUME_WAIT_MS_MIN), "progress resets the wait");
                    breaks += 1;
                }
                Err(error) => break error,
            }
        };
        assert_eq!(seen, (1..=LOG_END).collect::<Vec<_>>());
        assert_eq!(breaks, 4);
        assert_eq!(end.code, Code::InvalidArgument, "what the node refuses is not tried for ever");
        assert_eq!(*service.asked_after.lock().unwrap(), [0, 3, 6, 9, 10].map(Some));
        assert_eq!(resumed.after_sequence(), Some(LOG_END));
    }

    #[test]
    fn the_wait_grows_to_its_bound() {
        let mut wait = None;
        for _ in 0..20 {
            wait = Some(longer(wait));
        }
        assert_eq!(longer(None), Duration::from_millis(RESUME_WAIT_MS_MIN));
        assert_eq!(wait, Some(Duration::from_millis(RESUME_WAIT_MS_MAX)));
    }
}
