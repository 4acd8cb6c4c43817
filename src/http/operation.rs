//! For those who run it: is it alive, is it ready, how full is it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::Parts;
use super::problem::ApiError;
use crate::store::{Fill, Survives};

/// How ready this node is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ready {
    /// Whether it takes traffic.
    pub ready: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// The store, and what a 202 survives there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreForm>,
    /// How many inputs wait to be decided.
    pub undecided_inputs: u64,
    /// Since when the oldest input waits to be decided.
    pub oldest_undecided: Option<String>,
    /// The same as an age, in milliseconds.
    pub oldest_undecided_ms: Option<u64>,
    /// How far the record is behind, in milliseconds; null where that is not known.
    pub projector_lag_ms: Option<u64>,
    /// Journal lines that the record does not have yet.
    pub projector_lag_lines: u64,
    /// Effects that are not finished.
    pub pending_effects: u64,
    /// Inputs that could not be processed.
    pub dead_letters: u64,
}

/// The store, and what a 202 survives there.
#[derive(Debug, Serialize, ToSchema)]
pub struct StoreForm {
    /// Such as `embedded` or `redis`.
    pub mode: String,
    /// The setting that decides.
    pub setting: String,
    /// What is lost when Beckon's process is killed.
    pub process_killed: String,
    /// What is lost with the machine.
    pub machine_lost: String,
    /// What is lost when a replica takes over.
    pub primary_lost: String,
}

impl From<Survives> for StoreForm {
    fn from(survives: Survives) -> StoreForm {
        StoreForm {
            mode: survives.store.to_owned(),
            setting: survives.setting,
            process_killed: survives.process_killed.to_owned(),
            machine_lost: survives.machine_lost.to_owned(),
            primary_lost: survives.primary_lost.to_owned(),
        }
    }
}

/// The shortest time between two looks at the store and the record: anybody may ask, and each look asks every partition.
const PACE: Duration = Duration::from_millis(50);

/// The last look at the store and the record. Who asks gets one that began no earlier than the question.
#[derive(Debug, Clone, Default)]
pub struct Look(Arc<Mutex<Option<Seen>>>);

#[derive(Debug, Clone)]
struct Seen {
    began: Instant,
    /// None: the store did not answer.
    fills: Option<Vec<Fill>>,
    survives: Option<Survives>,
    record_answers: bool,
}

impl Look {
    async fn seen(&self, parts: &Parts) -> Seen {
        let asked = Instant::now();
        let mut last = self.0.lock().await;
        if let Some(seen) = last.as_ref() {
            if seen.began >= asked {
                return seen.clone();
            }
            // Those who ask meanwhile wait for the same look.
            tokio::time::sleep_until(seen.began + PACE).await;
        }
        let began = Instant::now();
        let (fill, survives, record) = tokio::join!(parts.store.fill(), parts.store.survives(), parts.record.ping());
        let fills = match fill {
            Ok(fill) => Some(fill.into_values().collect()),
            Err(error) => {
                tracing::warn!(%error, "the store did not answer readyz");
                None
            }
        };
        let seen = Seen { began, fills, survives: survives.ok(), record_answers: record.is_ok() };
        *last = Some(seen.clone());
        seen
    }
}

/// The process lives.
#[utoipa::path(get, path = "/healthz", tag = "operation", responses((status = 200, description = "It lives")), security(()))]
pub async fn healthz() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

/// Whether this node takes traffic, and how full things are.
#[utoipa::path(
    get, path = "/readyz", tag = "operation",
    responses(
        (status = 200, description = "It takes traffic", body = Ready),
        (status = 503, description = "It does not: `problems` say why", body = Ready),
    ),
    security(())
)]
pub async fn readyz(State(parts): State<Parts>, Extension(look): Extension<Look>) -> Response {
    let seen = look.seen(&parts).await;
    let mut problems = Vec::new();
    if (parts.draining)() {
        problems.push("this node is draining".to_owned());
    }
    if seen.fills.is_none() {
        problems.push("the store does not answer".to_owned());
    }
    let fills = seen.fills.unwrap_or_default();
    if !seen.record_answers {
        problems.push("the record does not answer; intake goes on until the journal is full".to_owned());
    }
    let catalogs = (parts.catalogs)();
    if catalogs.current().is_none() {
        problems.push("no catalog is in force".to_owned());
    }
    let oldest = fills.iter().filter_map(|fill| fill.oldest_undecided).min();
    let now = parts.clock.now();
    let blocking = problems.iter().any(|problem| !problem.starts_with("the record"));
    let form = Ready {
        ready: !blocking,
        problems,
        store: seen.survives.map(StoreForm::from),
        undecided_inputs: fills.iter().map(|fill| fill.undecided).sum(),
        oldest_undecided: oldest.map(|at| at.to_string()),
        oldest_undecided_ms: oldest.map(|at| now.since(at).0),
        projector_lag_ms: (parts.lag)().map(|lag| lag.0),
        projector_lag_lines: fills.iter().map(|fill| fill.journal).sum(),
        pending_effects: fills.iter().map(|fill| fill.effects).sum(),
        dead_letters: fills.iter().map(|fill| fill.dead).sum(),
    };
    let status = if form.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(form)).into_response()
}

/// Counters and gauges for Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "operation",
    responses((status = 200, description = "Prometheus' text format", body = String, content_type = "text/plain")),
    security(())
)]
pub async fn metrics(State(parts): State<Parts>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (parts.metrics)()).into_response()
}

/// Nothing is served at this path.
pub async fn nothing() -> ApiError {
    ApiError::not_found("There is nothing here.")
}

/// Something is served at this path, by other methods.
pub async fn other_method() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "This path takes other methods.")
}
