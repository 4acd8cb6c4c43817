//! The shop's own style sheet, scripts and icon: a few small files inside the binary.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;

/// All of `/assets`.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/shop.css", get(|| file("text/css; charset=utf-8", include_str!("../assets/shop.css"))))
        .route("/live.js", get(|| file("text/javascript; charset=utf-8", include_str!("../assets/live.js"))))
        .route("/chat.js", get(|| file("text/javascript; charset=utf-8", include_str!("../assets/chat.js"))))
        .route("/icon.svg", get(|| file("image/svg+xml", include_str!("../assets/icon.svg"))))
}

async fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text)
}
