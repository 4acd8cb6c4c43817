//! A customer of the simulation: a socket, a token, eyes on the numbers of entries.

use std::collections::BTreeMap;
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

/// One customer on one socket.
pub struct Customer {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    user: String,
    last_seq: BTreeMap<String, u64>,
}

/// What a customer met.
#[derive(Debug, Default)]
pub struct Met {
    /// From sending the event to `opened`.
    pub opened_after: Option<Duration>,
    /// From sending words to the first delta, or to the answer where it came whole.
    pub first_word_after: Option<Duration>,
    /// How many conversations opened.
    pub openings: usize,
    /// Entries whose number was not the next.
    pub misnumbered: usize,
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
        let mut customer = Customer { socket, user: user.to_owned(), last_seq: BTreeMap::new() };
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
            match frame.get("type").and_then(Value::as_str) {
                Some("opened") => {
                    met.openings += 1;
                    met.opened_after.get_or_insert_with(|| sent.elapsed());
                    let conversation = frame.get("conversation").cloned().unwrap_or_default();
                    let id = text(&conversation, "id");
                    for entry in conversation.get("entries").and_then(Value::as_array).into_iter().flatten() {
                        met.misnumbered += self.count(&id, entry);
                    }
                    let Some(words) = words else { break };
                    let client_id = format!("simulate-{:032x}", rand::random::<u128>());
                    let say = json!({ "type": "say", "client_id": client_id, "conversation_id": id, "text": words });
                    said = Some((Instant::now(), id));
                    self.send(say).await?;
                }
                Some("delta") => {
                    if let Some((at, _)) = &said {
                        met.first_word_after.get_or_insert_with(|| at.elapsed());
                    }
                }
                Some("entry") => {
                    let id = text(&frame, "conversation_id");
                    met.misnumbered += self.count(&id, &frame);
                    let answers = text(&frame, "by") == "assistant" && text(&frame, "kind") == "message";
                    if let Some((at, of)) = &said
                        && answers
                        && *of == id
                    {
                        met.first_word_after.get_or_insert_with(|| at.elapsed());
                        break;
                    }
                }
                _ => {}
            }
        }
        Ok(met)
    }

    /// 1 where the entry's number is not the next of its conversation.
    fn count(&mut self, conversation: &str, entry: &Value) -> usize {
        let seq = entry.get("seq").and_then(Value::as_u64).unwrap_or_default();
        let last = self.last_seq.insert(conversation.to_owned(), seq).unwrap_or_default();
        usize::from(seq != last + 1)
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

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
