//! What the setup page saw of web pages since this server started: who asked for the widget, who was let into the chat.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;

use crate::clock::Clock;
use crate::model::time::Ms;

/// The longest origin that is kept, in characters.
const MAX_ORIGIN: usize = 200;

/// What was seen last; nothing of it is durable.
#[derive(Clone)]
pub struct Sightings {
    clock: Arc<dyn Clock>,
    seen: Arc<Mutex<Seen>>,
}

/// What was seen last of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// A page loaded the widget.
    pub script: Option<Sighting>,
    /// A page was let into the chat.
    pub welcomed: Option<Sighting>,
    /// A page was refused by its origin.
    pub refused: Option<Sighting>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// When.
    pub at: Ms,
    /// Which page's origin, where the browser said so.
    pub origin: Option<String>,
}

impl Sightings {
    /// Nothing seen yet.
    pub fn new(clock: Arc<dyn Clock>) -> Sightings {
        Sightings { clock, seen: Arc::default() }
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Watches routes of the widget and the chat.
    pub fn watch(&self, routes: Router) -> Router {
        let sightings = self.clone();
        routes.layer(from_fn(move |request: Request, next: Next| {
            let sightings = sightings.clone();
            async move {
                let path = request.uri().path().to_owned();
                let origin = origin(request.headers());
                let response = next.run(request).await;
                sightings.note(&path, origin, &response);
                response
            }
        }))
    }

    fn note(&self, path: &str, origin: Option<String>, response: &Response) {
        let sighting = Sighting { at: self.clock.now(), origin };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match (path, response.status()) {
            ("/widget.js", StatusCode::OK | StatusCode::NOT_MODIFIED) => seen.script = Some(sighting),
            ("/v1/chat", StatusCode::SWITCHING_PROTOCOLS) => seen.welcomed = Some(sighting),
            ("/v1/chat", StatusCode::FORBIDDEN) => seen.refused = Some(sighting),
            _ => {}
        }
    }
}

/// The origin of the page, by `origin`, else by where it was linked from; bounded.
fn origin(headers: &HeaderMap) -> Option<String> {
    let named = headers.get(header::ORIGIN).or_else(|| headers.get(header::REFERER))?.to_str().ok()?;
    let parsed = url::Url::parse(named).ok()?;
    let origin = parsed.origin();
    origin.is_tuple().then(|| origin.ascii_serialization().chars().take(MAX_ORIGIN).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_the_origin_of_a_page_is_kept() {
        let mut headers = HeaderMap::new();
        assert_eq!(origin(&headers), None);
        headers.insert(header::REFERER, HeaderValue::from_static("https://shop.example/orders?secret=1"));
        assert_eq!(origin(&headers).as_deref(), Some("https://shop.example"));
        headers.insert(header::ORIGIN, HeaderValue::from_static("null"));
        assert_eq!(origin(&headers), None);
    }
}
