//! The shop's own style sheet, script and icon: a few small files inside the binary.

use axum::Router;
use axum::routing::get;
use beckon_example_site::assets::{file, own};

/// What the shop adds to `/assets`.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    own("shop", include_str!("../assets/shop.css"), include_str!("../assets/icon.svg"))
        .route("/assets/order.js", get(|| file("text/javascript; charset=utf-8", include_str!("../assets/order.js"))))
}
