//! Company APIs over HTTP: one operation, one request, one end.
//!
//! `call` is one try. The caller repeats it by [`retry_delays`](super::outcome::retry_delays) where
//! [`is_worth_again`](super::outcome::is_worth_again), and joins the ends by [`together`](super::outcome::together).
//! Where a request may go is `guard`, what an end means `outcome`, what is kept of an answer `returns`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, Response};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::timeout_at;
use url::Url;

use super::breaker::Breaker;
use super::guard::{Blocked, GuardedClient, Lookup, SystemLookup, blocked, guarded_client_with};
use super::outcome::End;
use super::returns::Amount;
use super::template::{Filling, json, path};
use super::{Adapter, Request, Settings, returns};
use crate::model::catalog::Operation;
use crate::model::input::CallOutcome;
use crate::model::lossy::mend_escapes;

/// The most redirects of one read.
const MAX_HOPS: usize = 3;

/// One company API.
#[derive(Debug)]
pub struct HttpAdapter {
    name: String,
    base: Url,
    headers: HeaderMap,
    max_body: usize,
    /// Reaches the base's own host where the configuration opens it.
    client: GuardedClient,
    /// Opens nothing: for where redirects lead.
    strict: GuardedClient,
    places: Semaphore,
    breaker: Breaker,
}

impl HttpAdapter {
    /// An adapter by its settings; asks nothing yet.
    ///
    /// # Errors
    /// A sentence that names the setting that cannot be used, never a secret.
    pub fn new(name: &str, settings: Settings) -> Result<HttpAdapter, String> {
        HttpAdapter::with_lookup(name, settings, Arc::new(SystemLookup))
    }

    /// The same with names looked up otherwise.
    ///
    /// # Errors
    /// As [`HttpAdapter::new`].
    pub fn with_lookup(name: &str, settings: Settings, lookup: Arc<dyn Lookup>) -> Result<HttpAdapter, String> {
        let wrong = |why: String| format!("adapter `{name}`: {why}");
        let base = settings.url;
        let extra = base.query().is_some() || base.fragment().is_some() || !base.username().is_empty();
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() || extra || base.password().is_some() {
            return Err(wrong("`url` must be http or https, without query and credentials".to_owned()));
        }
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        for (header, value) in &settings.headers {
            let key = HeaderName::try_from(header).map_err(|_| wrong(format!("`{header}` is no name of a header")))?;
            let mut value = HeaderValue::from_str(value.reveal()).map_err(|_| {
                wrong(format!("the value of the header `{header}` has characters that no header takes"))
            })?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        let open = settings.allow_private.then_some(&base);
        Ok(HttpAdapter {
            name: name.to_owned(),
            client: guarded_client_with(open, lookup.clone()).map_err(wrong)?,
            strict: guarded_client_with(None, lookup).map_err(wrong)?,
            places: Semaphore::new(settings.concurrency.clamp(1, Semaphore::MAX_PERMITS)),
            breaker: Breaker::default(),
            max_body: settings.max_body,
            headers,
            base,
        })
    }

    /// What a call sends.
    fn prepare(&self, request: &Request<'_>) -> Result<Prepared, String> {
        let operation = request.operation;
        if operation.bound && request.customer.is_none() {
            return Err(super::template::Unfilled::Anonymous.to_string());
        }
        let filling = Filling { customer: request.customer, args: request.args };
        let path = path(&operation.path, filling).map_err(|e| e.to_string())?;
        let url = at(&self.base, &path).ok_or("the path leads outside of the API")?;
        let mut headers = self.headers.clone();
        let body = match &operation.json {
            None => None,
            Some(template) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                Some(json(template, filling).map_err(|e| e.to_string())?.to_string().into_bytes())
            }
        };
        if let Some(header) = &operation.idempotency_header {
            let header = HeaderName::try_from(header).map_err(|_| "the idempotency header has no valid name")?;
            let key = HeaderValue::from_str(request.key).map_err(|_| "the key cannot be sent in a header")?;
            headers.insert(header, key);
        }
        let method = Method::from_bytes(operation.method.as_str().as_bytes()).map_err(|e| e.to_string())?;
        Ok(Prepared { method, url, headers, body })
    }

    /// Sends, for a GET along the redirects that stay on the host; the head of an answer of 2xx, or how it ended.
    async fn send(&self, prepared: Prepared) -> Result<Response, End> {
        let Prepared { method, mut url, headers, body } = prepared;
        let mut client = &self.client;
        for _ in 0..=MAX_HOPS {
            let request = match client.request(method.clone(), url.clone()) {
                Ok(request) => request.headers(headers.clone()),
                Err(stopped) => return Err(End::NotSent(stopped.to_string())),
            };
            let request = match &body {
                Some(body) => request.body(body.clone()),
                None => request,
            };
            let response = match request.send().await {
                Ok(response) => response,
                Err(error) => return Err(not_answered(error)),
            };
            let status = response.status();
            if status.is_success() {
                return Ok(response);
            }
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next = location.filter(|_| status.is_redirection() && method == Method::GET);
            match next.map(|location| next_hop(&url, location)) {
                None | Some(None) => return Err(End::Status(status.as_u16())),
                Some(Some(next)) => url = next,
            }
            client = &self.strict;
        }
        Err(End::Unreadable("the API redirects without end".to_owned()))
    }

    /// What is kept of an answer of 2xx.
    async fn read(&self, mut response: Response, operation: &Operation, amount: Amount) -> End {
        let nothing = || End::Answered(returns::keep(Value::Null, &[], Amount::Bounded));
        if operation.returns.is_empty() {
            return nothing();
        }
        let long = || End::Unreadable(format!("the answer is longer than {} bytes", self.max_body));
        let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
        if announced.is_some_and(|length| length > self.max_body) {
            return long();
        }
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(piece)) if body.len().saturating_add(piece.len()) > self.max_body => return long(),
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => break,
                Err(error) => return End::Unreadable(told(&error.without_url())),
            }
        }
        if body.iter().all(u8::is_ascii_whitespace) {
            return nothing();
        }
        let mut body = match String::from_utf8(body) {
            Ok(text) => text.into_bytes(),
            Err(other) => String::from_utf8_lossy(other.as_bytes()).into_owned().into_bytes(),
        };
        mend_escapes(&mut body);
        match serde_json::from_slice(&body) {
            Ok(value) => End::Answered(returns::keep(value, &operation.returns, amount)),
            Err(error) => End::Unreadable(format!("the answer is no JSON ({:?})", error.classify())),
        }
    }
}

/// A request on its way.
struct Prepared {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

#[async_trait]
impl Adapter for HttpAdapter {
    async fn call(&self, request: Request<'_>) -> CallOutcome {
        let operation = request.operation;
        let deadline = tokio::time::Instant::now() + operation.timeout.duration().max(Duration::from_millis(1));
        let prepared = match self.prepare(&request) {
            Ok(prepared) => prepared,
            Err(why) => return CallOutcome::Failed(why),
        };
        let held_back = |why: &str| End::NotSent(why.to_owned()).outcome(operation.writes);
        let pass = self.breaker.pass(Instant::now());
        crate::telemetry::breaker(&self.name, self.breaker.is_open());
        let Some(pass) = pass else {
            return held_back("the API failed several times in a row and is left alone for a moment");
        };
        let waiting = crate::telemetry::Waiting::at_adapter(&self.name);
        let place = timeout_at(deadline, self.places.acquire()).await;
        drop(waiting);
        let Ok(Ok(_place)) = place else {
            return held_back("too many calls are under way");
        };
        let late = |what| format!("{what} within {}", operation.timeout);
        let end = match timeout_at(deadline, self.send(prepared)).await {
            Err(_) => End::Lost(late("no answer")),
            Ok(Err(end)) => end,
            // From here on the status has told whether a write is done.
            Ok(Ok(response)) => match timeout_at(deadline, self.read(response, operation, request.amount)).await {
                Err(_) => End::Unreadable(late("no whole answer")),
                Ok(end) => end,
            },
        };
        pass.went(!end.is_trouble(), Instant::now());
        crate::telemetry::breaker(&self.name, self.breaker.is_open());
        if end.is_trouble() {
            tracing::warn!(adapter = self.name, operation = operation.name, ?end, "a call of an API failed");
        }
        end.outcome(operation.writes)
    }
}

/// The base's URL with a path after it; none where the result would be another place than written.
fn at(base: &Url, path: &str) -> Option<Url> {
    let text = format!("{}/{}", base.as_str().trim_end_matches('/'), path.trim_start_matches('/'));
    let url: Url = text.parse().ok()?;
    let below = format!("{}/", base.path().trim_end_matches('/'));
    (url.origin() == base.origin() && url.path().starts_with(&below)).then_some(url)
}

/// Where a redirect leads, where it may be followed: the same host and port, or from http to https at their own ports.
fn next_hop(from: &Url, location: &str) -> Option<Url> {
    let to = from.join(location).ok()?;
    let plain = |url: &Url| url.username().is_empty() && url.password().is_none();
    let upgrade = from.scheme() == "http" && to.scheme() == "https" && from.port().is_none() && to.port().is_none();
    let same = from.scheme() == to.scheme() && from.port_or_known_default() == to.port_or_known_default();
    (from.host() == to.host() && (same || upgrade) && plain(&to)).then_some(to)
}

/// What a request without an answer means.
fn not_answered(error: reqwest::Error) -> End {
    let error = error.without_url();
    if let Some(stopped @ Blocked::Address(_)) = blocked(&error) {
        return End::NotSent(stopped.to_string());
    }
    let never_left = error.is_connect() || error.is_builder();
    let why = told(&error);
    if never_left { End::NotSent(why) } else { End::Lost(why) }
}

/// An error with its first cause.
fn told(error: &reqwest::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_followed_only_on_its_own_host() {
        let cases = [
            ("http://a.example/x", "/y", Some("http://a.example/y")),
            ("http://a.example/x/z", "y", Some("http://a.example/x/y")),
            ("http://a.example/x", "http://a.example:80/y", Some("http://a.example/y")),
            ("http://a.example/x", "https://a.example/y", Some("https://a.example/y")),
            ("https://a.example/x", "http://a.example/y", None),
            ("http://a.example/x", "http://b.example/y", None),
            ("http://a.example/x", "//b.example/y", None),
            ("http://a.example/x", "http://a.example:81/y", None),
            ("http://a.example:8080/x", "https://a.example/y", None),
            ("http://a.example/x", "http://me:pw@a.example/y", None),
            ("http://a.example/x", "http://127.0.0.1/y", None),
            ("http://a.example/x", "file:///etc/passwd", None),
            ("http://a.example/x", "http://", None),
        ];
        for (from, location, expected) in cases {
            let next = next_hop(&from.parse().unwrap(), location);
            assert_eq!(next.as_ref().map(Url::as_str), expected, "{from} {location}");
        }
    }

    #[test]
    fn a_path_stays_below_its_base() {
        let base: Url = "https://api.example/v2/".parse().unwrap();
        let url = |path: &str| at(&base, path).map(|url| url.to_string());
        assert_eq!(url("/orders/7").as_deref(), Some("https://api.example/v2/orders/7"));
        assert_eq!(url("//evil.example/x").as_deref(), Some("https://api.example/v2/evil.example/x"));
        assert_eq!(url("/../../admin"), None);
    }
}
