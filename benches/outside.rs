//! The outside world of `benches/outside`: an API and a model that answer at once, over real sockets.
//!
//! `cargo bench --bench outside` serves until it is stopped, at 127.0.0.1:9100; `-- 20` lets the API take 20 ms an answer.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

/// Where `benches/outside/beckon.toml` looks for it.
const AT: &str = "127.0.0.1:9100";

/// What the model says, word by word.
const WORDS: &str = "I am on it. Which card would you like to use?";

async fn order(State(takes): State<Duration>, Path((_, id)): Path<(String, String)>) -> Json<Value> {
    tokio::time::sleep(takes).await;
    Json(json!({ "id": id, "number": format!("N-{id}"), "total": 89.5 }))
}

async fn answer() -> impl IntoResponse {
    let words = WORDS.split_inclusive(' ').map(|word| chunk(&json!({ "content": word }), None));
    let body: String = words.chain([chunk(&json!({}), Some("stop")), "data: [DONE]\n\n".to_owned()]).collect();
    ([(header::CONTENT_TYPE, "text/event-stream")], body)
}

fn chunk(delta: &Value, finish: Option<&str>) -> String {
    let body = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "stub",
        "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }],
    });
    format!("data: {body}\n\n")
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let takes = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(0);
    let router = Router::new()
        .route("/customers/{customer}/orders/{id}", get(order))
        .route("/v1/chat/completions", post(answer));
    let listener = tokio::net::TcpListener::bind(AT).await.unwrap();
    println!("an API that takes {takes} ms and a model that answers at once, at http://{AT}");
    axum::serve(listener, router.with_state(Duration::from_millis(takes))).await.unwrap();
}
