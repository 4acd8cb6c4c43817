//! How requests to a model leave and answers come in: one try each, headers and status read before the stream, the
//! stream bounded.
//!
//! async-openai retries by itself and keeps neither status nor `Retry-After`; a service of our own under it does
//! neither: what it answers with is a stream that may be read, or an [`LlmError`].

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use futures_util::StreamExt;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde_json::Value;

use super::LlmError;
use super::answer::is_too_long;
use crate::clock::{Clock, SystemClock};
use crate::model::lossy::cut;
use crate::model::retry_after;

/// The most of an error's body that is read, in bytes, and for how long.
const ERROR_BODY: usize = 64 * 1024;
const ERROR_PATIENCE: Duration = Duration::from_secs(3);

/// The longest line of a stream, in bytes.
const LONGEST_LINE: usize = 128 * 1024;

/// Sends one request and answers with a stream that may be read.
#[derive(Clone)]
pub(super) struct Transport {
    /// Follows no redirects, uses no proxy.
    pub client: reqwest::Client,
    /// Sent as it is; marked sensitive.
    pub authorization: Option<HeaderValue>,
    /// The longest stream, in bytes.
    pub longest: usize,
}

impl tower_service::Service<HttpRequestFactory> for Transport {
    type Response = Response;
    type Error = LlmError;
    type Future = Pin<Box<dyn Future<Output = Result<Response, LlmError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), LlmError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequestFactory) -> Self::Future {
        let transport = self.clone();
        Box::pin(async move { transport.send(request).await })
    }
}

impl From<LlmError> for OpenAIError {
    fn from(error: LlmError) -> OpenAIError {
        OpenAIError::Boxed(Box::new(error))
    }
}

impl Transport {
    async fn send(&self, request: HttpRequestFactory) -> Result<Response, LlmError> {
        let mut request = request.build().await.map_err(|e| LlmError::Refused(e.to_string()))?;
        // async-openai sends `Bearer ` where there is no key.
        request.headers_mut().remove(AUTHORIZATION);
        if let Some(value) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, value.clone());
        }
        let response = self.client.execute(request).await.map_err(|e| LlmError::Away(reason(e)))?;
        let status = response.status();
        if !status.is_success() {
            return Err(self.refusal(status, response).await);
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.to_ascii_lowercase();
        if kind.starts_with("text/html") || kind.starts_with("application/json") {
            let message = self.message(response).await;
            return Err(if is_too_long(&message) {
                LlmError::TooLong
            } else {
                LlmError::Broken(format!("no stream but {kind}: {message}"))
            });
        }
        Ok(bounded(response, self.longest))
    }

    /// What an answer other than 2xx means.
    async fn refusal(&self, status: StatusCode, response: Response) -> LlmError {
        if status == StatusCode::TOO_MANY_REQUESTS {
            let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
            let after = header(RETRY_AFTER).and_then(|wait| retry_after::parse(wait, header(DATE), SystemClock.now()));
            return LlmError::Busy { retry_after: after };
        }
        let message = self.message(response).await;
        // Some servers say with a 500 that the request is too long.
        let length = matches!(status.as_u16(), 400 | 422 | 500) && is_too_long(&message);
        if length || status == StatusCode::PAYLOAD_TOO_LARGE {
            return LlmError::TooLong;
        }
        if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
            return LlmError::Away(format!("{status}: {message}"));
        }
        LlmError::Refused(format!("{status}: {message}"))
    }

    /// What the server says is wrong, in one line of at most 300 characters, without our own key.
    async fn message(&self, response: Response) -> String {
        let body = tokio::time::timeout(ERROR_PATIENCE, beginning(response)).await.unwrap_or_default();
        let told: Option<Value> = serde_json::from_slice(&body).ok();
        let told = told.as_ref().and_then(|json| {
            let error = json.get("error").unwrap_or(json);
            error.get("message").or(Some(error)).and_then(Value::as_str)
        });
        let text = told.map_or_else(|| String::from_utf8_lossy(&body).into_owned(), str::to_owned);
        let key = self.authorization.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
        let key = key.trim_start_matches("Bearer ");
        let text = if key.is_empty() { text } else { text.replace(key, "***") };
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        cut(line.trim(), 300)
    }
}

/// The first bytes of a body, as far as they come.
async fn beginning(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < ERROR_BODY
        && let Ok(Some(piece)) = response.chunk().await
    {
        body.extend_from_slice(&piece);
    }
    body.truncate(ERROR_BODY);
    body
}

/// The same answer with an end: a stream that grows over its bounds breaks off, before async-openai (which reads as fast
/// as the server sends) would hold it all.
fn bounded(response: Response, longest: usize) -> Response {
    let mut total = 0_usize;
    let mut line = 0_usize;
    let pieces = response.bytes_stream().map(move |piece| {
        let piece = piece.map_err(std::io::Error::other)?;
        total = total.saturating_add(piece.len());
        line = match piece.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => piece.len() - at - 1,
            None => line.saturating_add(piece.len()),
        };
        if total > longest || line > LONGEST_LINE {
            return Err(std::io::Error::other("the stream has no end"));
        }
        Ok(piece)
    });
    Response::from(http::Response::new(reqwest::Body::wrap_stream(pieces)))
}

/// Why a request failed, without its URL (which may carry a key).
pub(super) fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    match std::error::Error::source(&error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
