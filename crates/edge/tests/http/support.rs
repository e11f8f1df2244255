//! The server under test, and services that record what reaches them.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use boltgram_api::{
    DESCRIPTOR_SET,
    messaging::{SendMessageRequest, SendMessageResponse, messaging_server::*},
    v1::{self, messages_server::*},
    websocket::{self, websocket_server::*},
};
use boltgram_edge::http::{Limits, router};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::Value;
use tokio::sync::broadcast;
use tonic::{Request, Response, Status, metadata::MetadataMap, service::Routes};

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One call that reached a service.
pub struct Seen {
    pub rpc: String,
    pub metadata: MetadataMap,
    pub remote_addr: Option<SocketAddr>,
    message: Vec<u8>,
}

impl Seen {
    pub fn message<M: prost::Message + Default>(&self) -> M {
        M::decode(self.message.as_slice()).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.metadata.get(name).map(|value| value.to_str().unwrap())
    }
}

/// What a stream service does with the next calls.
#[derive(Clone)]
pub enum Script {
    /// Streams what is published.
    Follow,
    /// Refuses the call.
    Refuse(Status),
    /// Accepts the call and then fails.
    FailAtOnce(Status),
    /// Accepts the call and ends its stream.
    EndAtOnce,
    /// Sends messages of so many bytes as fast as they are taken.
    Flood(usize),
}

/// The services behind the gateway.
#[derive(Clone)]
pub struct Services(Arc<Inner>);

struct Inner {
    seen: Mutex<Vec<Seen>>,
    answers: Mutex<VecDeque<Result<Bytes, Status>>>,
    script: Mutex<Script>,
    feed: broadcast::Sender<Result<websocket::SubscribeResponse, Status>>,
    running: AtomicUsize,
    taken: AtomicUsize,
}

/// Counts a call that runs, until it is dropped.
struct Running(Services);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Services {
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            seen: Mutex::default(),
            answers: Mutex::default(),
            script: Mutex::new(Script::Follow),
            feed: broadcast::channel(64).0,
            running: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
        }))
    }

    pub fn script(&self, script: Script) {
        *self.0.script.lock().unwrap() = script;
    }

    /// What the next unary call of `Messages` or an RPC with no service here answers; an empty message if nothing.
    pub fn answer_with(&self, answer: Result<impl prost::Message, Status>) {
        self.0.answers.lock().unwrap().push_back(answer.map(|message| message.encode_to_vec().into()));
    }

    pub fn publish(&self, message: websocket::SubscribeResponse) {
        self.0.feed.send(Ok(message)).expect("a subscriber");
    }

    pub fn fail_streams(&self, status: Status) {
        self.0.feed.send(Err(status)).expect("a subscriber");
    }

    /// The last call.
    pub fn last(&self) -> Seen {
        self.0.seen.lock().unwrap().pop().expect("a call")
    }

    pub fn calls(&self) -> usize {
        self.0.seen.lock().unwrap().len()
    }

    /// How many calls run now.
    pub fn running(&self) -> usize {
        self.0.running.load(Ordering::SeqCst)
    }

    /// How many messages were taken out of a flood.
    pub fn taken(&self) -> usize {
        self.0.taken.load(Ordering::SeqCst)
    }

    fn record<M: prost::Message>(&self, rpc: &str, request: &Request<M>) {
        self.0.seen.lock().unwrap().push(Seen {
            rpc: rpc.into(),
            metadata: request.metadata().clone(),
            remote_addr: request.remote_addr(),
            message: request.get_ref().encode_to_vec(),
        });
    }

    fn next_answer(&self) -> Result<Bytes, Status> {
        self.0.answers.lock().unwrap().pop_front().unwrap_or_else(|| Ok(Bytes::new()))
    }

    fn unary<M: prost::Message, A: prost::Message + Default>(
        &self,
        rpc: &str,
        request: &Request<M>,
    ) -> Result<Response<A>, Status> {
        self.record(rpc, request);
        Ok(Response::new(A::decode(self.next_answer()?).unwrap()))
    }

    fn run(&self) -> Running {
        self.0.running.fetch_add(1, Ordering::SeqCst);
        Running(self.clone())
    }

    /// Subscribes before it returns, as the real services do.
    fn stream(&self) -> Result<Feed, Status> {
        let running = self.run();
        let feed: Feed = match self.0.script.lock().unwrap().clone() {
            Script::Refuse(status) => return Err(status),
            Script::FailAtOnce(status) => Box::pin(stream::iter([Err(status)])),
            Script::EndAtOnce => Box::pin(stream::empty()),
            Script::Follow => {
                let feed = tokio_stream::wrappers::BroadcastStream::new(self.0.feed.subscribe());
                Box::pin(feed.map(|item| item.unwrap()))
            }
            Script::Flood(bytes) => {
                let services = self.clone();
                let message = websocket::SubscribeResponse { data: "x".repeat(bytes), ..Default::default() };
                Box::pin(stream::repeat_with(move || {
                    let taken = services.0.taken.fetch_add(1, Ordering::SeqCst) as i64;
                    Ok(websocket::SubscribeResponse { amount: taken, ..message.clone() })
                }))
            }
        };
        let mut ends = false;
        Ok(Box::pin(feed.take_while(move |item| {
            let _ = &running;
            let goes_on = !ends && !matches!(item, Ok(message) if message.service_type == "end");
            ends = item.is_err();
            std::future::ready(goes_on)
        })))
    }
}

pub type Feed = Pin<Box<dyn Stream<Item = Result<websocket::SubscribeResponse, Status>> + Send>>;
pub type LogFeed = Pin<Box<dyn Stream<Item = Result<v1::SubscribeResponse, Status>> + Send>>;

/// A message as an existing listener expects it.
pub fn arrival(id: &str, data: &str) -> websocket::SubscribeResponse {
    websocket::SubscribeResponse {
        id: id.into(),
        reply_to_id: String::new(),
        from_pubkey: "02ab".into(),
        data: data.into(),
        service_type: "message".into(),
        amount: 1,
    }
}

/// Ends the streams that follow.
pub fn end() -> websocket::SubscribeResponse {
    websocket::SubscribeResponse { service_type: "end".into(), ..Default::default() }
}

#[tonic::async_trait]
impl Messaging for Services {
    async fn send_message(
        &self,
        request: Request<SendMessageRequest>,
    ) -> Result<Response<SendMessageResponse>, Status> {
        self.record("messaging.Messaging.SendMessage", &request);
        let _running = self.run();
        match request.get_ref().msg.as_str() {
            "hang" => std::future::pending().await,
            "too late" => {
                tokio::time::sleep(Duration::from_millis(300)).await;
                Err(Status::deadline_exceeded("it goes on under id 7"))
            }
            msg => {
                let mut answer = Response::new(SendMessageResponse { id: format!("id of {msg}") });
                answer.metadata_mut().insert("x-request-id", "r-1".parse().unwrap());
                Ok(answer)
            }
        }
    }
}

#[tonic::async_trait]
impl Websocket for Services {
    type SubscribeStream = Feed;

    async fn subscribe(&self, request: Request<websocket::SubscribeRequest>) -> Result<Response<Feed>, Status> {
        self.record("websocket.Websocket.Subscribe", &request);
        Ok(Response::new(self.stream()?))
    }
}

#[tonic::async_trait]
impl Messages for Services {
    type SubscribeStream = LogFeed;

    async fn send(&self, request: Request<v1::SendRequest>) -> Result<Response<v1::SendResponse>, Status> {
        self.unary("boltgram.v1.Messages.Send", &request)
    }

    async fn quote(&self, request: Request<v1::SendRequest>) -> Result<Response<v1::QuoteResponse>, Status> {
        self.unary("boltgram.v1.Messages.Quote", &request)
    }

    async fn get(&self, request: Request<v1::GetRequest>) -> Result<Response<v1::GetResponse>, Status> {
        self.unary("boltgram.v1.Messages.Get", &request)
    }

    async fn list(&self, request: Request<v1::ListRequest>) -> Result<Response<v1::ListResponse>, Status> {
        self.unary("boltgram.v1.Messages.List", &request)
    }

    async fn cancel(&self, request: Request<v1::CancelRequest>) -> Result<Response<v1::CancelResponse>, Status> {
        self.unary("boltgram.v1.Messages.Cancel", &request)
    }

    async fn delete(&self, request: Request<v1::DeleteRequest>) -> Result<Response<v1::DeleteResponse>, Status> {
        self.unary("boltgram.v1.Messages.Delete", &request)
    }

    async fn list_conversations(
        &self,
        request: Request<v1::ListConversationsRequest>,
    ) -> Result<Response<v1::ListConversationsResponse>, Status> {
        self.unary("boltgram.v1.Messages.ListConversations", &request)
    }

    async fn mark_read(&self, request: Request<v1::MarkReadRequest>) -> Result<Response<v1::MarkReadResponse>, Status> {
        self.unary("boltgram.v1.Messages.MarkRead", &request)
    }

    async fn search(&self, request: Request<v1::SearchRequest>) -> Result<Response<v1::SearchResponse>, Status> {
        self.unary("boltgram.v1.Messages.Search", &request)
    }

    async fn list_held(&self, request: Request<v1::ListHeldRequest>) -> Result<Response<v1::ListHeldResponse>, Status> {
        self.unary("boltgram.v1.Messages.ListHeld", &request)
    }

    async fn subscribe(&self, request: Request<v1::SubscribeRequest>) -> Result<Response<LogFeed>, Status> {
        self.record("boltgram.v1.Messages.Subscribe", &request);
        let log = self
            .stream()?
            .map(|item| item.map(|arrival| v1::SubscribeResponse { sequence: arrival.amount, message: None }));
        Ok(Response::new(Box::pin(log)))
    }
}

/// Any other RPC: records it and answers what was set, without knowing its types.
async fn any_rpc(
    services: Services,
    request: http::Request<axum::body::Body>,
) -> Result<http::Response<tonic::body::Body>, std::convert::Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    services.0.seen.lock().unwrap().push(Seen {
        rpc: parts.uri.path().trim_start_matches('/').replace('/', "."),
        metadata: MetadataMap::from_headers(parts.headers),
        remote_addr: None,
        message: body[5..].to_vec(),
    });
    let message = match services.next_answer() {
        Ok(message) => message,
        Err(status) => return Ok(status.into_http()),
    };
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&message);
    let trailers = http::HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
    let body = Full::new(Bytes::from(frame)).with_trailers(std::future::ready(Some(Ok(trailers))));
    Ok(http::Response::builder().header("content-type", "application/grpc").body(tonic::body::Body::new(body)).unwrap())
}

/// The descriptor set of the API with a change to its JSON form.
pub fn changed_descriptors(change: impl FnOnce(&mut Vec<Value>)) -> Vec<u8> {
    let pool = DescriptorPool::decode(DESCRIPTOR_SET).unwrap();
    let kind = pool.get_message_by_name("google.protobuf.FileDescriptorSet").unwrap();
    let mut set = serde_json::to_value(DynamicMessage::decode(kind.clone(), DESCRIPTOR_SET).unwrap()).unwrap();
    change(set["file"].as_array_mut().unwrap());
    DynamicMessage::deserialize(kind, set).unwrap().encode_to_vec()
}

/// The entry of this name among those that files hold under a key: `service` or `messageType`.
pub fn named<'a>(files: &'a mut [Value], key: &str, name: &str) -> &'a mut Value {
    let mut entries = files.iter_mut().filter_map(|file| file.get_mut(key)?.as_array_mut()).flatten();
    entries.find(|entry| entry["name"] == name).unwrap()
}

/// The router over the services.
pub fn app(services: &Services, descriptor_set: &[u8], limits: Limits) -> axum::Router {
    let rest = services.clone();
    let grpc = axum::Router::new().fallback_service(tower::service_fn(move |request| any_rpc(rest.clone(), request)));
    let grpc = Routes::from(grpc)
        .add_service(MessagingServer::new(services.clone()))
        .add_service(WebsocketServer::new(services.clone()))
        .add_service(MessagesServer::new(services.clone()));
    router(descriptor_set, grpc, limits).unwrap()
}

/// A server and a client for it.
pub struct Server {
    pub addr: SocketAddr,
    pub services: Services,
    pub http: reqwest::Client,
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    pub async fn start_with(limits: Limits) -> Self {
        Self::start_over(DESCRIPTOR_SET, limits).await
    }

    pub async fn start_over(descriptor_set: &[u8], limits: Limits) -> Self {
        let services = Services::new();
        let app = app(&services, descriptor_set, limits).into_make_service_with_connect_info::<SocketAddr>();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let http = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().unwrap();
        Self { addr, services, http }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.http.get(self.url(path)).send().await.unwrap()).await
    }

    /// Posts as `curl -d` does.
    pub async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.http.post(self.url(path)).header("content-type", "application/x-www-form-urlencoded");
        Answer::of(request.body(body).send().await.unwrap()).await
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: String,
}

impl Answer {
    pub async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, body: response.text().await.unwrap() }
    }

    /// The gRPC code and message of an error, whose shape is checked.
    #[track_caller]
    pub fn error(&self) -> (i64, String) {
        assert_eq!(self.headers["content-type"], "application/json");
        let json: serde_json::Value = serde_json::from_str(&self.body).expect("an error in JSON");
        assert!(json["details"].is_array(), "{}", self.body);
        (json["code"].as_i64().unwrap(), json["message"].as_str().unwrap().to_owned())
    }

    /// Checks that the request was refused with 400 and INVALID_ARGUMENT, by a message with this in it.
    #[track_caller]
    pub fn is_refused(&self, why: &str) {
        let (code, message) = self.error();
        assert_eq!((self.status, code), (400, 3), "{message}");
        assert!(message.contains(why), "{message:?} says nothing of {why:?}");
    }
}

/// Waits until a condition holds.
#[track_caller]
pub fn eventually(what: &str, condition: impl Fn() -> bool) -> impl Future<Output = ()> {
    let what = format!("{what} ({})", std::panic::Location::caller());
    async move {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !condition() {
            assert!(tokio::time::Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
