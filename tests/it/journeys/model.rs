//! A model server: OpenAI's protocol over a real socket, with answers that the test gives it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// One answer of the model.
#[derive(Debug, Clone)]
pub enum Says {
    /// Words.
    Words(&'static str),
    /// A call of a tool with these arguments, as text: perhaps no JSON.
    Calls(&'static str, String),
    /// Words that come one by one, this long after each other.
    Paced(&'static str, Duration),
    /// Words whose end waits until the test releases it.
    Held(&'static str),
    /// Words, then the stream ends without saying so.
    Cut(&'static str),
    /// A recorded stream, as it came.
    Recorded(&'static str),
    /// It is busy, and says for how many seconds.
    Busy(u32),
    /// The request is longer than its context.
    TooLong,
    /// Several calls in one answer.
    CallsAll(Vec<(&'static str, String)>),
    /// An HTTP status.
    Status(u16),
    /// A page of HTML with status 200.
    Page,
    /// Nothing at all, for ever.
    Nothing,
}

/// The model server.
#[derive(Clone)]
pub struct Model {
    pub address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    answers: Mutex<VecDeque<Says>>,
    requests: Mutex<Vec<Value>>,
    release: Notify,
}

impl Model {
    pub async fn start() -> Model {
        let inner = Arc::new(Inner { answers: Mutex::default(), requests: Mutex::default(), release: Notify::new() });
        let router = Router::new().route("/v1/chat/completions", post(answer)).with_state(Arc::clone(&inner));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Model { address, inner }
    }

    /// The next answers, in order; with none left it answers 500.
    pub fn will_say(&self, says: impl IntoIterator<Item = Says>) {
        self.inner.answers.lock().unwrap().extend(says);
    }

    /// Lets a held answer end.
    pub fn release(&self) {
        self.inner.release.notify_one();
    }

    /// What it was asked so far.
    pub fn requests(&self) -> Vec<Value> {
        self.inner.requests.lock().unwrap().clone()
    }

    /// Waits until it was asked so often.
    pub async fn was_asked(&self, times: usize) {
        super::world::until("the model is asked", || async { self.requests().len() >= times }).await;
    }

    /// All text of the last request, joined.
    pub fn last_asked(&self) -> String {
        let requests = self.requests();
        requests.last().map(|request| request["messages"].to_string()).unwrap_or_default()
    }
}

async fn answer(State(inner): State<Arc<Inner>>, Json(request): Json<Value>) -> Response {
    inner.requests.lock().unwrap().push(request);
    let says = inner.answers.lock().unwrap().pop_front().unwrap_or(Says::Status(500));
    let mut pace = Duration::ZERO;
    let (words, end, held) = match says {
        Says::Nothing => return std::future::pending().await,
        Says::Page => return axum::response::Html("<html><body>It works!</body></html>").into_response(),
        Says::Busy(seconds) => {
            return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds.to_string())]).into_response();
        }
        Says::TooLong => {
            let body = recorded("error_context_400.http");
            return (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        }
        Says::Recorded(name) => {
            let body = recorded(name);
            return ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response();
        }
        Says::Status(status) => return StatusCode::from_u16(status).unwrap().into_response(),
        Says::Words(words) => (chunks(words), Some("stop"), false),
        Says::Paced(words, between) => {
            pace = between;
            (chunks(words), Some("stop"), false)
        }
        Says::Held(words) => (chunks(words), Some("stop"), true),
        Says::Cut(words) => (chunks(words), None, false),
        Says::Calls(name, arguments) => (vec![calls(&[(name, arguments)])], Some("tool_calls"), false),
        Says::CallsAll(all) => (vec![calls(&all)], Some("tool_calls"), false),
    };
    let mut tail = Vec::new();
    if let Some(end) = end {
        tail.push(chunk(json!({}), Some(end)));
    }
    tail.push("data: [DONE]\n\n".to_owned());
    let waiting = async move {
        if held {
            inner.release.notified().await;
        }
        futures_util::stream::iter(tail)
    };
    let stream = futures_util::stream::iter(words)
        .then(move |word| async move {
            if !pace.is_zero() {
                tokio::time::sleep(pace).await;
            }
            word
        })
        .chain(futures_util::stream::once(waiting).flatten())
        .map(Ok::<_, std::convert::Infallible>);
    ([(header::CONTENT_TYPE, "text/event-stream")], axum::body::Body::from_stream(stream)).into_response()
}

/// The body of a recorded answer.
fn recorded(name: &str) -> String {
    let path = format!("{}/tests/captures/llm/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}

fn calls(all: &[(&str, String)]) -> String {
    let each = all.iter().enumerate().map(|(index, (name, arguments))| {
        json!({ "index": index, "id": format!("call_x{index}"), "type": "function",
            "function": { "name": name, "arguments": arguments } })
    });
    chunk(json!({ "role": "assistant", "tool_calls": each.collect::<Vec<_>>() }), None)
}

fn chunks(words: &str) -> Vec<String> {
    words.split_inclusive(' ').map(|word| chunk(json!({ "content": word }), None)).collect()
}

fn chunk(delta: Value, finish: Option<&str>) -> String {
    let body = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "stub",
        "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }],
    });
    format!("data: {body}\n\n")
}
