//! `/widget.js` and what it loads later from `/widget/`, as they were built.

use axum::Router;
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};

/// The build of `web/`: `widget.js`, and in `widget/` the parts that it asks for when they are needed.
#[derive(RustEmbed)]
#[folder = "static/"]
#[include = "widget.js"]
#[include = "widget/*.js"]
struct Build;

/// How long a browser need not ask whether the widget is still the same.
const SHORT: &str = "public, max-age=300";
/// A part is asked for by its hash: that content never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// `GET /widget.js` and `GET /widget/{part}`.
pub fn routes() -> Router {
    Router::new().route("/widget.js", get(whole)).route("/widget/{part}", get(part))
}

async fn whole(headers: HeaderMap) -> Response {
    file("widget.js", &headers, SHORT)
}

async fn part(Path(name): Path<String>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    // A debug build reads the folder: a name must be one of a part, and nothing else.
    if !name.ends_with(".js") || name.contains(['/', '\\', '%']) || name.starts_with('.') {
        return StatusCode::NOT_FOUND.into_response();
    }
    file(&format!("widget/{name}"), &headers, if query.is_some() { FOR_EVER } else { SHORT })
}

fn file(name: &str, headers: &HeaderMap, caching: &'static str) -> Response {
    let Some(file) = Build::get(name) else { return StatusCode::NOT_FOUND.into_response() };
    let tag = tag(&file);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let fresh = known.is_some_and(|known| known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag));
    let mut response =
        if fresh { StatusCode::NOT_MODIFIED.into_response() } else { file.data.into_owned().into_response() };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    // Pages of other origins load it: that is what it is for.
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

fn tag(file: &EmbeddedFile) -> String {
    let digest: String = file.metadata.sha256_hash().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digest}\"")
}
