//! Static files of the dashboard, from the binary.

use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;
use serde::Deserialize;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

/// `?v=` names one content for ever.
#[derive(Deserialize)]
pub(super) struct Version {
    v: Option<String>,
}

/// The address of a file, with its content in the name so that browsers may keep it for ever.
pub(super) fn address(name: &str) -> String {
    let version = Files::get(name).map(|file| hash(&file.metadata.sha256_hash()));
    match version {
        Some(version) => format!("/operator/static/{name}?v={version}"),
        None => format!("/operator/static/{name}"),
    }
}

/// Serves a file.
pub(super) async fn file(Path(path): Path<String>, Query(version): Query<Version>, headers: HeaderMap) -> Response {
    // Names come from the binary; the check keeps a debug build, which reads the folder, inside of it as well.
    let inside = !path.split('/').any(|part| part.is_empty() || part.starts_with('.')) && !path.contains('\\');
    let kind = kind(&path).filter(|_| inside);
    let (Some(kind), Some(file)) = (kind, kind.and_then(|_| Files::get(&path))) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let hash = hash(&file.metadata.sha256_hash());
    let tag = format!("\"{hash}\"");
    let caching = if version.v.as_deref() == Some(&hash) {
        "public, max-age=31536000, immutable"
    } else {
        "public, max-age=3600"
    };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()) == Some(&tag);
    let about = [(header::ETAG, tag), (header::CACHE_CONTROL, caching.to_owned())];
    if known {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    (about, [(header::CONTENT_TYPE, kind)], file.data.into_owned()).into_response()
}

fn kind(path: &str) -> Option<&'static str> {
    match path.rsplit_once('.')?.1 {
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "woff2" => Some("font/woff2"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

fn hash(sha256: &[u8; 32]) -> String {
    sha256.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
