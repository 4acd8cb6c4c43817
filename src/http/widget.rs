//! `/widget.js` and what it loads later from `/widget/`, as they were built, plain or compressed.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::RustEmbed;

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

/// One file, ready to be sent.
struct File {
    tag: String,
    plain: Bytes,
    /// None where compressing failed or gained nothing.
    gzip: Option<Bytes>,
}

type Files = Arc<BTreeMap<String, File>>;

/// `GET /widget.js` and `GET /widget/{part}`.
pub fn routes() -> Router {
    let files = Build::iter().filter_map(|name| Some((name.to_string(), read(&name)?)));
    let files: Files = Arc::new(files.collect());
    Router::new().route("/widget.js", get(whole)).route("/widget/{part}", get(part)).with_state(files)
}

fn read(name: &str) -> Option<File> {
    let file = Build::get(name)?;
    let digest: String = file.metadata.sha256_hash().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    let plain = Bytes::from(file.data.into_owned());
    let gzip = compress(&plain).filter(|gzip| gzip.len() < plain.len());
    Some(File { tag: digest, plain, gzip })
}

fn compress(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    Some(Bytes::from(encoder.finish().ok()?))
}

async fn whole(State(files): State<Files>, headers: HeaderMap) -> Response {
    answer(files.get("widget.js"), &headers, SHORT)
}

async fn part(
    State(files): State<Files>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let caching = if query.is_some() { FOR_EVER } else { SHORT };
    answer(files.get(&format!("widget/{name}")), &headers, caching)
}

fn answer(file: Option<&File>, asked: &HeaderMap, caching: &'static str) -> Response {
    let Some(file) = file else { return StatusCode::NOT_FOUND.into_response() };
    let gzip = file.gzip.as_ref().filter(|_| accepts_gzip(asked));
    // Each form has its own tag: a cache must not take one for the other.
    let tag = format!("\"{}{}\"", file.tag, if gzip.is_some() { "-gz" } else { "" });
    let known = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let fresh = known.is_some_and(|known| known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag));
    let mut response = if fresh {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        gzip.unwrap_or(&file.plain).clone().into_response()
    };
    let headers = response.headers_mut();
    let mut say = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    say(header::CONTENT_TYPE, "text/javascript; charset=utf-8");
    say(header::CACHE_CONTROL, caching);
    say(header::VARY, "accept-encoding");
    // Pages of other origins load it: that is what it is for.
    say(HeaderName::from_static("cross-origin-resource-policy"), "cross-origin");
    say(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    if gzip.is_some() {
        say(header::CONTENT_ENCODING, "gzip");
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// Whether gzip is named, and not refused by `q=0`.
fn accepts_gzip(asked: &HeaderMap) -> bool {
    let accepted = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = parts.any(|weight| ["q=0", "q=0.0", "q=0.00", "q=0.000"].contains(&weight));
        named && !refused
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt as _;

    use super::*;

    async fn get(path: &str, headers: &[(HeaderName, &str)]) -> Response {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        routes().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    fn said(response: &Response, name: HeaderName) -> &str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[tokio::test]
    async fn the_widget_is_sent_compressed_to_whom_can_read_that_and_not_again_to_whom_has_it() {
        let gzip = get("/widget.js", &[(header::ACCEPT_ENCODING, "br, gzip;q=0.8")]).await;
        assert_eq!((gzip.status(), said(&gzip, header::CONTENT_ENCODING)), (StatusCode::OK, "gzip"));
        let tag = said(&gzip, header::ETAG).to_owned();
        let body = axum::body::to_bytes(gzip.into_body(), usize::MAX).await.unwrap();
        assert!(body.len() <= 24 * 1024, "{} bytes", body.len());
        let again = get("/widget.js", &[(header::ACCEPT_ENCODING, "gzip"), (header::IF_NONE_MATCH, &tag)]).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        let other = get("/widget.js", &[(header::ACCEPT_ENCODING, "gzip;q=0"), (header::IF_NONE_MATCH, &tag)]).await;
        assert_eq!((other.status(), said(&other, header::CONTENT_ENCODING)), (StatusCode::OK, ""));
        assert_eq!(said(&other, header::ACCESS_CONTROL_ALLOW_ORIGIN), "*");
    }

    #[tokio::test]
    async fn a_part_is_kept_for_ever_under_its_hash_and_nothing_else_of_the_folder_is_served() {
        let part = get("/widget/later.js?v=1", &[]).await;
        assert_eq!((part.status(), said(&part, header::CACHE_CONTROL)), (StatusCode::OK, FOR_EVER));
        assert_eq!(said(&get("/widget/later.js", &[]).await, header::CACHE_CONTROL), SHORT);
        for path in ["/widget/nothing.js", "/widget/..%2Fdashboard.js", "/widget/%2e%2e", "/widget/tokens.css"] {
            assert_eq!(get(path, &[]).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
