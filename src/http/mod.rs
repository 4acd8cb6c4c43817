//! Every route. Each part of it makes its own routes from what it needs; `app` joins them.
//!
//! Here: doors for events, REST, operation. `app` merges the chat's and the dashboard's routes, puts [`layers::around`]
//! around all, and answers the rest with [`operation::nothing`].

pub mod acts;
pub mod chat;
pub mod conversations;
pub mod customers;
pub mod dashboard;
pub mod dead_letters;
pub mod events;
pub mod fields;
pub mod files;
pub mod hooks;
pub mod intake;
pub mod keys;
pub mod layers;
pub mod limits;
pub mod markup;
pub mod openapi;
pub mod operation;
pub mod outcomes;
pub mod pace;
pub mod playbooks;
pub mod problem;
pub mod query;
pub mod reading;
pub mod revoke;
pub mod segment;
pub mod widget;
pub mod wire;

use std::sync::Arc;

use axum::middleware::from_fn;
use axum::routing::{get, post};
use axum::{Extension, Router};

use crate::clock::Clock;
use crate::engine::inbox::Inbox;
use crate::model::catalog::Catalogs;
use crate::model::time::Millis;
use crate::record::Record;
use crate::secret::Secret;
use crate::store::Store;

/// Reads a secret by its name; an error names the variable or file, never a value.
pub type ReadSecret = Arc<dyn Fn(&str) -> Result<Secret, String> + Send + Sync>;

/// What these routes are made of. Cheap to clone.
#[derive(Clone)]
pub struct Parts {
    /// Live state.
    pub store: Arc<dyn Store>,
    /// The way in.
    pub inbox: Inbox,
    /// What the store forgets.
    pub record: Record,
    /// The catalogs as they are now.
    pub catalogs: Arc<dyn Fn() -> Catalogs + Send + Sync>,
    /// Who may call.
    pub keys: Arc<keys::Keys>,
    /// Bounds on requests.
    pub limits: limits::Limits,
    /// Pages that may send events: `chat.origins`.
    pub origins: layers::Origins,
    /// Reads a secret by its name (`env:NAME`, `file:PATH`).
    pub secrets: ReadSecret,
    /// The time, for times of receipt and tolerances.
    pub clock: Arc<dyn Clock>,
    /// How far the record is behind; none where that is not known.
    pub lag: Arc<dyn Fn() -> Option<Millis> + Send + Sync>,
    /// Whether this node is shutting down.
    pub draining: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Counters and gauges in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

/// The routes for events, REST and operation, without layers.
pub fn router(parts: Parts) -> Router {
    let api = Router::new()
        .route("/v1/events", get(outcomes::list).post(events::post).options(events::handshake))
        .route("/v1/events/{event}", get(outcomes::get))
        .route("/v1/events/{event}/revoke", post(revoke::post))
        .route("/hooks/{source}", post(hooks::post))
        .route("/v1/conversations", get(conversations::list).post(conversations::open))
        .route("/v1/conversations/{id}", get(conversations::get))
        .route("/v1/conversations/{id}/claim", post(acts::claim))
        .route("/v1/conversations/{id}/release", post(acts::release))
        .route("/v1/conversations/{id}/pass", post(acts::pass))
        .route("/v1/conversations/{id}/messages", post(acts::message))
        .route("/v1/conversations/{id}/calls/{call_id}/settle", post(acts::settle))
        .route("/v1/conversations/{id}/triage", post(acts::triage))
        .route("/v1/conversations/{id}/close", post(acts::close))
        .route("/v1/attachments/{id}", get(files::get))
        .route("/v1/customers/{customer}", get(customers::get).delete(customers::erase))
        .route("/v1/customers/{customer}/pending", get(customers::pending))
        .route("/v1/playbooks", get(playbooks::list))
        .route("/v1/playbooks/{name}/pause", post(playbooks::pause))
        .route("/v1/playbooks/{name}/resume", post(playbooks::resume))
        .route("/v1/dead-letters", get(dead_letters::list))
        .route("/v1/dead-letters/{id}", get(dead_letters::get).delete(dead_letters::forget))
        .route("/v1/dead-letters/{id}/resend", post(dead_letters::resend))
        .route("/healthz", get(operation::healthz))
        .route("/readyz", get(operation::readyz).layer(Extension(operation::Look::default())))
        .route("/metrics", get(operation::metrics))
        .route("/openapi.json", get(openapi::get));
    let origins = parts.origins.clone();
    let segment = Router::new()
        .route("/v1/track", post(segment::track))
        .route("/v1/identify", post(segment::identify))
        .route("/v1/page", post(segment::page))
        .route("/v1/screen", post(segment::screen))
        .route("/v1/group", post(segment::group))
        .route("/v1/alias", post(segment::alias))
        .route("/v1/batch", post(segment::batch))
        .route("/v1/t", post(segment::t))
        .route("/v1/i", post(segment::i))
        .route("/v1/p", post(segment::p))
        .route("/v1/g", post(segment::g))
        .route("/v1/b", post(segment::b))
        .route("/v1/projects/{key}/settings", get(segment::settings))
        .method_not_allowed_fallback(operation::other_method)
        .layer(from_fn(move |request, next| layers::cors(origins.clone(), request, next)));
    api.method_not_allowed_fallback(operation::other_method).merge(segment).with_state(parts)
}
