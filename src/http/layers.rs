//! What every request passes, from the outside in: number and log, time to arrive, headers of the answer; and CORS,
//! only where a route asks for it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::problem::Cause;

/// What answers carry the request's number in, and callers may send one in.
const NUMBER: HeaderName = HeaderName::from_static("x-request-id");

/// Puts the layers around all routes. `arrival`: how long a body may take.
pub fn around(routes: Router, arrival: Duration) -> Router {
    routes
        .layer(from_fn(secured))
        .layer(from_fn(move |request, next| in_time(request, next, arrival)))
        .layer(from_fn(numbered))
}

/// Numbers the request and logs an error once, with its cause; paths are logged as routes, for ids may be secrets.
async fn numbered(mut request: Request, next: Next) -> Response {
    let number = request.headers().get(&NUMBER).and_then(|sent| sent.to_str().ok()).filter(|sent| is_plain(sent));
    let number = number.map_or_else(|| format!("{:016x}", rand::random::<u64>()), str::to_owned);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    if let Ok(value) = HeaderValue::from_str(&number) {
        request.headers_mut().insert(NUMBER, value);
    }
    let began = Instant::now();
    let mut response = next.run(request).await;
    let status = response.status();
    let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let cause = response.extensions().get::<Cause>().map(|cause| cause.0.clone()).unwrap_or_default();
    if status.is_server_error() {
        tracing::error!(request = number, %method, route, status = status.as_u16(), millis, cause, "failed");
    } else if !cause.is_empty() {
        tracing::warn!(request = number, %method, route, status = status.as_u16(), millis, cause, "refused");
    } else {
        tracing::debug!(request = number, %method, route, status = status.as_u16(), millis, "answered");
    }
    crate::telemetry::request(route, status.as_u16());
    if let Ok(value) = HeaderValue::from_str(&number) {
        response.headers_mut().insert(NUMBER, value);
    }
    response
}

fn is_plain(number: &str) -> bool {
    (1..=64).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// How much longer than readers that bound themselves a body may take: those know better what to answer.
const MERCY: Duration = Duration::from_secs(1);

/// Ends a body that does not arrive in time, whoever reads it.
async fn in_time(request: Request, next: Next, arrival: Duration) -> Response {
    let deadline = Instant::now() + arrival + MERCY;
    let request = request.map(|body| {
        let chunks = body.into_data_stream();
        Body::from_stream(futures_util::stream::unfold(Some(chunks), move |chunks| async move {
            let mut chunks = chunks?;
            match timeout_at(deadline, chunks.next()).await {
                Ok(Some(chunk)) => Some((chunk.map_err(axum::BoxError::from), Some(chunks))),
                Ok(None) => None,
                Err(_) => Some((Err(axum::BoxError::from("the body took too long to arrive")), None)),
            }
        }))
    });
    next.run(request).await
}

/// Headers that no answer should be without; a route that knows better has set its own.
async fn secured(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    response
}

/// Web pages that may call a route.
#[derive(Debug, Clone, Default)]
pub struct Origins(Arc<Vec<String>>);

impl Origins {
    /// Pages of these origins, such as `https://shop.example`.
    pub fn new(origins: impl IntoIterator<Item = String>) -> Origins {
        let plain = |origin: String| origin.trim_end_matches('/').to_ascii_lowercase();
        Origins(Arc::new(origins.into_iter().map(plain).collect()))
    }

    /// The origin of this request, where it is one of them.
    pub fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        let text = origin.to_str().ok()?.to_ascii_lowercase();
        self.0.contains(&text).then(|| origin.clone())
    }
}

/// What pages of other origins may send with a request, and read of its answer: names of headers.
#[derive(Debug, Clone, Copy)]
pub struct Across {
    /// They may send these.
    pub sent: &'static str,
    /// They may read these.
    pub read: &'static str,
}

/// With events.
const EVENTS: Across = Across {
    sent: "anonymousid, authorization, content-encoding, content-type, sentat",
    read: "retry-after, x-request-id",
};

/// CORS for the routes it is put around: pages of `origins` may call them with a key, without cookies.
pub async fn cors(origins: Origins, request: Request, next: Next) -> Response {
    let allowed = origins.allowed(request.headers());
    across(allowed, EVENTS, request, next).await
}

/// CORS for a request of an origin that is allowed; none: it is of no page, or of one that is not.
pub async fn across(allowed: Option<HeaderValue>, what: Across, request: Request, next: Next) -> Response {
    let asks = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        && request.headers().contains_key(header::ORIGIN);
    let mut response = if asks { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(what.read));
        if asks {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(what.sent));
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
    }
    response
}
