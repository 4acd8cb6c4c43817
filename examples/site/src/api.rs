//! A company's own API, as Beckon calls it: a bearer token at the door, errors as problem details, and the same answer
//! to the same `Idempotency-Key`.

use std::collections::HashMap;

use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

/// The longest idempotency key that is taken, in bytes.
const KEY_BYTES: usize = 255;
/// How many answers are remembered for one customer; then writes are refused, so that nobody fills the memory.
const ANSWERS: usize = 200;

/// An API behind a token; what it does not know is 404.
pub fn guarded<S: Clone + Send + Sync + 'static>(routes: Router<S>, token: &str) -> Router<S> {
    let token: std::sync::Arc<str> = token.into();
    routes.fallback(|| async { nothing_here() }).layer(middleware::from_fn_with_state(token, need_token))
}

async fn need_token(State(token): State<std::sync::Arc<str>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if bool::from(given.as_bytes().ct_eq(token.as_bytes())) {
        return next.run(request).await;
    }
    let refused = problem(StatusCode::UNAUTHORIZED, "A valid bearer token is needed.", None);
    ([(WWW_AUTHENTICATE, "Bearer")], refused).into_response()
}

/// The idempotency key of a request, if it has one.
///
/// # Errors
/// The answer to one that cannot be a key.
pub fn key(headers: &HeaderMap) -> Result<Option<&str>, Box<Response>> {
    match headers.get("idempotency-key").map(|value| value.to_str()) {
        None => Ok(None),
        Some(Ok(key)) if !key.is_empty() && key.len() <= KEY_BYTES => Ok(Some(key)),
        Some(_) => {
            let detail = "Idempotency-Key must be 1 to 255 ASCII characters.";
            Err(Box::new(problem(StatusCode::BAD_REQUEST, detail, None)))
        }
    }
}

/// The body of a request; `pointer` names the one field that it has.
///
/// # Errors
/// The answer to one that cannot be read.
pub fn body<T>(read: Result<Json<T>, JsonRejection>, pointer: &str) -> Result<T, Box<Response>> {
    read.map(|Json(body)| body).map_err(|wrong| Box::new(problem(wrong.status(), &wrong.body_text(), Some(pointer))))
}

/// Too much is waiting to be told to Beckon: nothing was done.
pub fn busy() -> Response {
    let busy = problem(StatusCode::SERVICE_UNAVAILABLE, "This is held up for a moment.", None);
    ([(RETRY_AFTER, "1")], busy).into_response()
}

/// What is not there, or not this customer's.
pub fn nothing_here() -> Response {
    problem(StatusCode::NOT_FOUND, "This customer has no such thing here.", None)
}

/// An error as RFC 9457 problem details; `pointer` names the field that is wrong.
pub fn problem(status: StatusCode, detail: &str, pointer: Option<&str>) -> Response {
    let told = told(status, detail, pointer);
    (status, [(CONTENT_TYPE, "application/problem+json")], told.to_string()).into_response()
}

fn told(status: StatusCode, detail: &str, pointer: Option<&str>) -> Value {
    let mut told = json!({
        "type": "about:blank", "status": status.as_u16(), "detail": detail,
        "title": status.canonical_reason().unwrap_or("Error"),
    });
    if let (Some(pointer), Value::Object(fields)) = (pointer, &mut told) {
        fields.insert("pointer".into(), pointer.into());
    }
    told
}

/// What a write came to: a document, or why not.
pub type Done = Result<Value, (StatusCode, &'static str)>;

/// Answers that were given, by idempotency key. Under the same key a request gets the answer it got before.
#[derive(Debug, Default)]
pub struct Answers(HashMap<String, (String, Done)>);

impl Answers {
    /// Does what was asked unless it was done under this key before. `asked` tells requests apart: a key that comes
    /// back with another is refused.
    pub fn once(&mut self, key: Option<&str>, asked: &str, act: impl FnOnce() -> Done) -> Response {
        if let Some((before, done)) = key.and_then(|key| self.0.get(key)) {
            return match done {
                _ if before != asked => {
                    problem(StatusCode::UNPROCESSABLE_ENTITY, "This Idempotency-Key was used for something else.", None)
                }
                done => answer(done.clone()),
            };
        }
        if self.0.len() >= ANSWERS {
            return problem(StatusCode::TOO_MANY_REQUESTS, "This customer has asked for too much.", None);
        }
        let done = act();
        if let Some(key) = key {
            self.0.insert(key.to_owned(), (asked.to_owned(), done.clone()));
        }
        answer(done)
    }
}

fn answer(done: Done) -> Response {
    match done {
        Ok(document) => (StatusCode::CREATED, Json(document)).into_response(),
        Err((status, detail)) => problem(status, detail, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_gets_the_same_answer_and_nothing_is_done_twice() {
        let (mut answers, mut done) = (Answers::default(), 0);
        for _ in 0..2 {
            let answer = answers.once(Some("k"), "book 10:00", || {
                done += 1;
                Ok(json!({}))
            });
            assert_eq!(answer.status(), StatusCode::CREATED);
        }
        let other = answers.once(Some("k"), "book 11:00", || Ok(json!({})));
        assert_eq!((other.status(), done), (StatusCode::UNPROCESSABLE_ENTITY, 1));
        let refused = answers.once(None, "book 12:00", || Err((StatusCode::CONFLICT, "It is taken.")));
        assert_eq!(refused.status(), StatusCode::CONFLICT);
    }
}
