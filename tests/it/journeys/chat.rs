//! A customer on a socket.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long a frame may take before the journey fails.
const PATIENCE: Duration = Duration::from_secs(40);

/// One socket of a customer.
pub struct Chat {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Every frame so far, in order.
    pub frames: Vec<Value>,
    pub welcome: Value,
    next_id: u32,
    tab: u32,
}

impl Chat {
    pub async fn connect(url: &str, hello: Value) -> Chat {
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "beckon.v1".parse().unwrap());
        let (socket, _) = connect_async(request).await.unwrap();
        let tab = rand::random();
        let mut chat = Chat { socket, frames: Vec::new(), welcome: Value::Null, next_id: 0, tab };
        chat.send(hello).await;
        chat.welcome = chat.frame("welcome").await;
        chat
    }

    pub async fn send(&mut self, frame: Value) {
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// A fresh id for a frame.
    pub fn client_id(&mut self) -> String {
        self.next_id += 1;
        format!("journey-{:08x}-{:08x}", self.tab, self.next_id)
    }

    /// The next frame, of whatever type; none within the time given.
    pub async fn next_within(&mut self, time: Duration) -> Option<Value> {
        loop {
            let message = tokio::time::timeout(time, self.socket.next()).await.ok()?;
            match message?.ok()? {
                Message::Text(text) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    self.frames.push(frame.clone());
                    return Some(frame);
                }
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    /// Reads on to the next frame for which `wanted` holds.
    pub async fn wait(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let ends = tokio::time::Instant::now() + PATIENCE;
        loop {
            let left = ends.saturating_duration_since(tokio::time::Instant::now());
            match self.next_within(left).await {
                Some(frame) if wanted(&frame) => return frame,
                Some(_) => {}
                None => panic!("no {what} came; frames so far:\n{}", self.story()),
            }
        }
    }

    /// Reads on to the next frame of a type.
    pub async fn frame(&mut self, kind: &str) -> Value {
        self.wait(kind, |frame| frame["type"] == kind).await
    }

    /// Reads on to the next entry of a kind.
    pub async fn entry(&mut self, kind: &str) -> Value {
        self.wait(kind, |frame| frame["type"] == "entry" && frame["kind"] == kind).await
    }

    /// Reads on to the next words that are not the customer's; answers the text.
    pub async fn hears(&mut self) -> String {
        let entry =
            self.wait("words", |f| f["type"] == "entry" && f["kind"] == "message" && f["by"] != "customer").await;
        entry["text"].as_str().unwrap().to_owned()
    }

    pub async fn say(&mut self, conversation: &str, text: &str) -> String {
        let client_id = self.client_id();
        let frame = json!({ "type": "say", "client_id": client_id, "conversation_id": conversation, "text": text });
        self.send(frame).await;
        client_id
    }

    pub async fn choose(&mut self, conversation: &str, choice: &str) -> String {
        let client_id = self.client_id();
        let frame =
            json!({ "type": "choose", "client_id": client_id, "conversation_id": conversation, "choice": choice });
        self.send(frame).await;
        client_id
    }

    pub async fn confirm(&mut self, conversation: &str, call: &Value, approve: bool) -> String {
        let client_id = self.client_id();
        self.send(json!({ "type": "confirm", "client_id": client_id, "conversation_id": conversation,
            "call_id": call, "approve": approve }))
            .await;
        client_id
    }

    /// Sends a frame that wants an answer, with a fresh id, and waits for it.
    pub async fn ask(&mut self, mut frame: Value) -> Result<u64, String> {
        let client_id = self.client_id();
        frame["client_id"] = json!(client_id);
        self.send(frame).await;
        self.answer(&client_id).await
    }

    /// Waits for an opening; answers the conversation's id.
    pub async fn opened(&mut self) -> String {
        self.frame("opened").await["conversation"]["id"].as_str().unwrap().to_owned()
    }

    /// Reads on until somebody else answers; the `holder` entry.
    pub async fn holder(&mut self, holder: &str) -> Value {
        self.wait(holder, |f| f["type"] == "entry" && f["kind"] == "holder" && f["holder"] == holder).await
    }

    /// Reads what has come already: everything before the answer to a ping.
    pub async fn catch_up(&mut self) {
        self.send(json!({ "type": "ping" })).await;
        self.frame("pong").await;
    }

    /// Where it stands in a conversation, as `hello` tells it.
    pub fn cursor(&self, conversation: &str) -> Value {
        let last = self.entries(conversation).last().cloned().unwrap();
        json!({ conversation: { "seq": last["seq"], "id": last["id"] } })
    }

    /// What was said in a conversation: who, and the words.
    pub fn words(&self, conversation: &str) -> Vec<(String, String)> {
        let said = self.entries(conversation).into_iter().filter(|entry| entry["kind"] == "message");
        said.map(|e| (e["by"].as_str().unwrap().to_owned(), e["text"].as_str().unwrap().to_owned())).collect()
    }

    /// Frames of a type that came so far.
    pub fn all(&self, kind: &str) -> Vec<Value> {
        self.frames.iter().filter(|frame| frame["type"] == kind).cloned().collect()
    }

    pub async fn seen(&mut self, conversation: &str, seq: u64) {
        self.send(json!({ "type": "seen", "conversation_id": conversation, "seq": seq })).await;
    }

    /// Waits for the answer to a frame: its `seq`, or the code it was refused with.
    pub async fn answer(&mut self, client_id: &str) -> Result<u64, String> {
        let known = self.frames.iter().find(|frame| is_answer(frame, client_id)).cloned();
        let frame = match known {
            Some(frame) => frame,
            None => self.wait("answer", |frame| is_answer(frame, client_id)).await,
        };
        match frame["type"].as_str() {
            Some("ack") => Ok(frame["seq"].as_u64().unwrap()),
            _ => Err(frame["code"].as_str().unwrap().to_owned()),
        }
    }

    /// All entries that came, by `opened`, `welcome` and `entry` frames, in order.
    pub fn entries(&self, conversation: &str) -> Vec<Value> {
        let mut entries = Vec::new();
        for frame in &self.frames {
            match frame["type"].as_str() {
                Some("entry") if frame["conversation_id"] == conversation => {
                    let mut entry = frame.clone();
                    entry.as_object_mut().unwrap().retain(|key, _| key != "type" && key != "conversation_id");
                    entries.push(entry);
                }
                Some("reset") if frame["conversation_id"] == conversation => entries.clear(),
                Some("opened") if frame["conversation"]["id"] == conversation => {
                    entries.extend(frame["conversation"]["entries"].as_array().unwrap().iter().cloned());
                }
                Some("welcome") => {
                    let conversations = frame["conversations"].as_array().unwrap();
                    let found = conversations.iter().find(|c| c["id"] == conversation);
                    entries.extend(found.into_iter().flat_map(|c| c["entries"].as_array().unwrap().clone()));
                }
                _ => {}
            }
        }
        entries
    }

    /// The frames so far, a line each.
    pub fn story(&self) -> String {
        self.frames.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    /// Reads on until the server closes the socket; its code and reason.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("the socket is closed");
            match message {
                Some(Ok(Message::Close(Some(frame)))) => return (frame.code.into(), frame.reason.to_string()),
                Some(Ok(_)) => {}
                other => panic!("it was not closed in order: {other:?}"),
            }
        }
    }

    pub async fn hang_up(mut self) {
        let _ = self.socket.close(None).await;
    }
}

fn is_answer(frame: &Value, client_id: &str) -> bool {
    (frame["type"] == "ack" || frame["type"] == "error") && frame["client_id"] == client_id
}
