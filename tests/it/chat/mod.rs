//! Chat: real sockets on a real store.

mod answers;
mod frames;
mod handshake;
mod jwks;
mod owner;
mod passing;
mod resume;
pub(crate) mod screen;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use beckon::clock::SystemClock;
use beckon::http::chat::{self, Archive, Chat, Settings};
use beckon::model::attachment::{Attachment, AttachmentId};
use beckon::model::decision::Summary;
use beckon::model::entry::Entry;
use beckon::model::ids::{ActorId, ConversationId};
use beckon::model::time::{Millis, Ms};
use beckon::secret::Secret;
use beckon::store::{self, Store, StoreError};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use owner::Owner;

const PATIENCE: Duration = Duration::from_secs(40);
const KEY: &str = "the key that signs tokens in tests";
const ORIGIN: &str = "https://shop.example";

/// A chat endpoint on a port of its own, over an embedded store, with an owner that decides.
struct Server {
    address: SocketAddr,
    chat: Chat,
    owner: Owner,
    _folder: tempfile::TempDir,
}

/// Conversations that have left the live store.
#[derive(Default)]
struct Shelf(Vec<(Summary, Vec<Entry>)>);

#[async_trait]
impl Archive for Shelf {
    async fn conversation(&self, id: ConversationId) -> Result<Option<(Summary, Vec<Entry>)>, StoreError> {
        Ok(self.0.iter().find(|(summary, _)| summary.id == id).cloned())
    }

    async fn claim(
        &self,
        _customer: &ActorId,
        _client_id: &str,
        _ids: &[AttachmentId],
        _now: Ms,
    ) -> Result<Option<Vec<Attachment>>, StoreError> {
        Ok(None)
    }

    async fn release(&self, _customer: &ActorId, _client_id: &str) {}

    async fn why(&self, _catalog: &str, _playbook: &str) -> String {
        "Because of a test.".to_owned()
    }
}

fn settings() -> Settings {
    let mut settings = Settings { origins: vec![ORIGIN.to_owned()], ..Settings::default() };
    settings.identity.keys = vec![Secret::new(KEY)];
    settings.identity.anonymous = true;
    settings
}

fn embedded(folder: &Path) -> Arc<dyn Store> {
    let bounds = store::Bounds {
        inbox: 100_000,
        effects: 1_000,
        journal: 100_000,
        dedupe_keys: 1_000_000,
        dedupe: Millis::hours(24),
        dead: 100,
        dead_a_customer: 50,
    };
    let (url, prefix) = ("embedded:".to_owned(), "bk".to_owned());
    let settings = store::Settings { url, prefix, partitions: 4, min_replicas: 0, bounds };
    Arc::new(store::embedded::open(folder, &settings).unwrap())
}

impl Server {
    async fn start() -> Server {
        Server::with(settings(), Shelf::default()).await
    }

    async fn with(settings: Settings, shelf: Shelf) -> Server {
        Server::on(settings, shelf, |store| store).await
    }

    /// With a store for chat that stands before its owner's.
    async fn on(settings: Settings, shelf: Shelf, before: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let store = embedded(folder.path());
        let owner = Owner::start(Arc::clone(&store)).await;
        let chat = Chat::new(before(store), settings, Arc::new(shelf), Arc::new(SystemClock)).unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        // Small, so that a slow reader shows soon.
        socket.set_send_buffer_size(16 * 1_024).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(128).unwrap();
        let address = listener.local_addr().unwrap();
        let router = chat::routes(chat.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Server { address, chat, owner, _folder: folder }
    }

    async fn connect(&self) -> Client {
        Client::on(TcpStream::connect(self.address).await.unwrap()).await.unwrap()
    }

    /// A session of a user, and its welcome.
    async fn user(&self, id: &str) -> (Client, Value) {
        self.hello(json!({ "type": "hello", "token": token(id), "resume": {} })).await
    }

    async fn hello(&self, hello: Value) -> (Client, Value) {
        let mut client = self.connect().await;
        client.send(hello).await;
        let welcome = client.next().await;
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        (client, welcome)
    }

    /// Waits until so many sockets are open.
    async fn until_open(&self, count: usize) {
        let wait = async {
            while self.chat.registry().open() != count {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("sockets end in time");
    }
}

fn seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn sign(claims: &Value, key: &str) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(key.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).unwrap()
}

fn token(user: &str) -> String {
    sign(&json!({ "sub": user, "exp": seconds() + 3_600 }), KEY)
}

fn user(id: &str) -> ActorId {
    ActorId::user(id)
}

/// A new client id.
fn client_id() -> String {
    format!("test-{:016x}", rand::random::<u64>())
}

/// One WebSocket of a customer.
struct Client {
    socket: WebSocketStream<TcpStream>,
}

impl Client {
    async fn on(stream: TcpStream) -> Result<Client, Error> {
        Client::asking(stream, Some(ORIGIN), Some("beckon.v1")).await
    }

    async fn asking(stream: TcpStream, origin: Option<&str>, protocol: Option<&str>) -> Result<Client, Error> {
        stream.set_nodelay(true)?;
        let mut request = "ws://chat.test/v1/chat".into_client_request()?;
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        if let Some(protocol) = protocol {
            request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
        }
        let (socket, _) = client_async(request, stream).await?;
        Ok(Client { socket })
    }

    async fn send(&mut self, frame: Value) {
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// The next message, or the error that ends the socket.
    async fn message(&mut self) -> Option<Result<Message, Error>> {
        tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("something in time")
    }

    /// The next frame; pings are no frames, and no reason to wait longer.
    async fn next(&mut self) -> Value {
        let frame = async {
            loop {
                match self.message().await {
                    Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    other => panic!("a frame, not {other:?}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, frame).await.expect("a frame in time")
    }

    /// The next frame of this type; others are skipped.
    async fn find(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// The code and reason with which the server ends the socket; frames before it are skipped.
    async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.message().await {
                Some(Ok(Message::Close(Some(frame)))) => return (code(frame.code), frame.reason.to_string()),
                Some(Ok(Message::Close(None))) | None => panic!("closed without a code"),
                Some(Ok(_)) => {}
                Some(Err(why)) => panic!("ended without a close: {why}"),
            }
        }
    }

    /// Nothing else is on its way: a `pong` comes at once.
    async fn assert_quiet(&mut self) {
        self.send(json!({ "type": "ping" })).await;
        assert_eq!(self.next().await, json!({ "type": "pong" }));
    }
}

fn code(code: CloseCode) -> u16 {
    code.into()
}
