//! A customer of the simulation: a socket, a token, eyes on what comes.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::watch::{Seen, Watch};

/// One customer on one socket.
pub struct Customer {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    user: String,
    watch: Watch,
}

/// How long a customer waited.
#[derive(Debug, Default)]
pub struct Met {
    /// From sending the event to `opened`.
    pub opened_after: Option<Duration>,
    /// From sending words to the first delta, or to the answer where it came whole.
    pub first_word_after: Option<Duration>,
    /// From sending the event to the same.
    pub event_to_word: Option<Duration>,
}

impl Customer {
    /// Connects and says hello with a token of its own.
    ///
    /// # Errors
    /// Where the server refuses the socket or the token.
    pub async fn connect(url: &str, identity_key: &str, origin: Option<&str>, user: &str) -> anyhow::Result<Customer> {
        let ws = format!("{}/v1/chat", url.replacen("http", "ws", 1).trim_end_matches('/'));
        let mut request = ws.into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("beckon.v1"));
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", HeaderValue::from_str(origin)?);
        }
        let config = WebSocketConfig::default().read_buffer_size(4 * 1_024).write_buffer_size(0);
        let (socket, _) = connect_async_with_config(request, Some(config), true).await?;
        let mut customer = Customer { socket, user: user.to_owned(), watch: Watch::default() };
        let expires = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs() + 3_600;
        let token = jsonwebtoken::encode(
            &jsonwebtoken::Header::default(),
            &json!({ "sub": user, "exp": expires }),
            &jsonwebtoken::EncodingKey::from_secret(identity_key.as_bytes()),
        )?;
        customer.send(json!({ "type": "hello", "token": token, "resume": {} })).await?;
        let ends = Instant::now() + Duration::from_secs(10);
        let welcome = customer.next(ends).await?.context("no welcome within 10 s")?;
        if welcome.get("type").and_then(Value::as_str) != Some("welcome") {
            bail!("instead of a welcome came {welcome}");
        }
        Ok(customer)
    }

    /// The user id.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Waits for the opening; where there are `words`, says them and waits for the first word of the answer, and then
    /// for the whole answer.
    ///
    /// # Errors
    /// Where the socket breaks.
    pub async fn meet(&mut self, sent: Instant, words: Option<&str>, patience: Duration) -> anyhow::Result<Met> {
        let ends = sent + patience;
        let mut met = Met::default();
        let mut said: Option<(Instant, String)> = None;
        while let Some(frame) = self.next(ends).await? {
            match self.watch.take(&frame) {
                Seen::Opened(id) => {
                    met.opened_after.get_or_insert_with(|| sent.elapsed());
                    let Some(words) = words else { break };
                    let client_id = format!("simulate-{:032x}", rand::random::<u128>());
                    let say = json!({ "type": "say", "client_id": client_id, "conversation_id": id, "text": words });
                    said = Some((Instant::now(), id));
                    self.send(say).await?;
                }
                Seen::Words { conversation, whole } => {
                    let Some((at, _)) = said.as_ref().filter(|(_, of)| *of == conversation) else { continue };
                    met.first_word_after.get_or_insert_with(|| at.elapsed());
                    met.event_to_word.get_or_insert_with(|| sent.elapsed());
                    if whole {
                        break;
                    }
                }
                Seen::Pong | Seen::Other => {}
            }
        }
        Ok(met)
    }

    /// Reads on until all that the server had for this socket has come; answers everything that was counted on it.
    ///
    /// # Errors
    /// Where the socket breaks.
    pub async fn leave(mut self, patience: Duration) -> anyhow::Result<Watch> {
        self.send(json!({ "type": "ping" })).await?;
        let ends = Instant::now() + patience;
        while let Some(frame) = self.next(ends).await? {
            if self.watch.take(&frame) == Seen::Pong {
                return Ok(self.watch);
            }
        }
        bail!("no pong within {patience:?}")
    }

    async fn send(&mut self, frame: Value) -> anyhow::Result<()> {
        self.socket.send(Message::text(frame.to_string())).await.context("the socket broke")
    }

    /// The next frame; none when the time is over.
    async fn next(&mut self, ends: Instant) -> anyhow::Result<Option<Value>> {
        loop {
            let Ok(message) = tokio::time::timeout_at(ends.into(), self.socket.next()).await else { return Ok(None) };
            match message.context("the socket ended")?? {
                Message::Text(text) => return Ok(Some(serde_json::from_str(&text)?)),
                Message::Close(frame) => bail!("the server closed the socket: {frame:?}"),
                _ => {}
            }
        }
    }
}
