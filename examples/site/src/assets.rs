//! What the pages load: the style that all examples share, the widget's companion, what keeps a page in step, and a
//! company's own style over it.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;

/// All of `/assets` that is shared.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/site.css", get(|| file("text/css; charset=utf-8", include_str!("../assets/site.css"))))
        .route("/live.js", get(|| file("text/javascript; charset=utf-8", include_str!("../assets/live.js"))))
        .route("/chat.js", get(|| file("text/javascript; charset=utf-8", include_str!("../assets/chat.js"))))
}

/// A company's own style sheet, under its `look`, and its icon.
pub fn own<S: Clone + Send + Sync + 'static>(look: &str, css: &'static str, icon: &'static str) -> Router<S> {
    Router::new()
        .route(&format!("/assets/{look}.css"), get(move || file("text/css; charset=utf-8", css)))
        .route("/assets/icon.svg", get(move || file("image/svg+xml", icon)))
}

/// A file of `/assets`.
pub async fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text)
}
