//! Northwind: a small real web shop, with pages, orders, cards and payments. It knows Beckon only from outside:
//! it posts events to its HTTP API, puts one script tag on its pages, and signs a token for each customer.
//! Everything is in memory, so a restart is a first day.

mod api;
mod assets;
mod customer;
mod goods;
mod guard;
mod ledger;
mod money;
mod order;
mod outbox;
mod pages;
mod session;
mod till;
mod token;
mod views;
mod workspace;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};
use reqwest::{Client, Url};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use ledger::Ledger;
use outbox::Outbox;
use views::Views;

pub use workspace::workspace;

/// No form or payment is longer, in bytes.
const BODY: usize = 16 * 1024;
/// How long one attempt to deliver an event may take.
const DELIVERY: Duration = Duration::from_secs(10);
/// How long events may still be delivered after the shop has closed.
const LAST_EVENTS: Duration = Duration::from_secs(2);

/// What the shop has to know to live beside Beckon.
#[derive(Clone)]
pub struct Settings {
    /// Base URL of Beckon, such as `http://127.0.0.1:8080`.
    pub beckon: String,
    /// Beckon's API key for the shop's backend.
    pub api_key: String,
    /// The secret that signs customer tokens (HS256).
    pub identity_key: String,
    /// The bearer token that callers of the shop's own API need.
    pub api_token: String,
}

struct Shop {
    settings: Settings,
    ledger: Ledger,
    outbox: Outbox,
    views: Views,
    widget: String,
}

/// Runs the shop on `listener` until `stop` is ready, then lets running requests end and delivers what events it
/// can within two seconds.
///
/// # Errors
/// `InvalidInput` if a setting is empty or `beckon` is no http URL; otherwise what the listener says.
pub async fn serve(
    listener: TcpListener,
    settings: Settings,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let beckon = checked(&settings)?;
    let policy = guard::policy(&beckon).map_err(io::Error::other)?;
    let client = Client::builder().timeout(DELIVERY).build().map_err(io::Error::other)?;
    let views = Views::new().map_err(io::Error::other)?;
    let base = beckon.as_str().trim_end_matches('/').to_owned();
    let (outbox, events) = outbox::channel();

    // A set ends its tasks when it is dropped: nothing is left behind if this future is.
    let mut tasks = JoinSet::new();
    tasks.spawn(outbox::run(events, client, format!("{base}/v1/events"), settings.api_key.clone()));

    let widget = format!("{base}/widget.js");
    let shop = Arc::new(Shop { settings, ledger: Ledger::new(), outbox, views, widget });
    let router = Router::new()
        .merge(pages::routes(&shop))
        .nest("/api", api::routes(&shop))
        .nest("/assets", assets::routes())
        .layer(DefaultBodyLimit::max(BODY))
        .layer(middleware::map_response(move |answer| {
            let sealed = guard::seal(&policy, answer);
            async { sealed }
        }))
        .with_state(shop);
    axum::serve(listener, router).with_graceful_shutdown(stop).await?;

    if tokio::time::timeout(LAST_EVENTS, tasks.join_next()).await.is_err() {
        tracing::warn!("the shop closed with events that Beckon has not taken");
    }
    Ok(())
}

fn checked(settings: &Settings) -> io::Result<Url> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what);
    let secrets = [
        ("api_key is empty", &settings.api_key),
        ("identity_key is empty", &settings.identity_key),
        ("api_token is empty", &settings.api_token),
    ];
    if let Some((what, _)) = secrets.iter().find(|(_, secret)| secret.is_empty()) {
        return Err(wrong(what));
    }
    match Url::parse(&settings.beckon) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        _ => Err(wrong("beckon is not an http URL")),
    }
}
