//! Halyard's own API: how an account was used, guides, reasons, and calls that can be booked.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use beckon_example_site::api::{self, nothing_here};
use beckon_example_site::{Event, Site};
use serde::Deserialize;
use serde_json::json;

use crate::account::{Account, slots};

/// Longer reasons are refused, in bytes.
const REASON: usize = 2_000;

type Halyard = State<Arc<Site<Account>>>;

/// All of `/api`.
pub fn routes() -> Router<Arc<Site<Account>>> {
    Router::new()
        .route("/customers/{customer}/usage", get(usage))
        .route("/customers/{customer}/reasons", post(reason))
        .route("/customers/{customer}/slots", get(free))
        .route("/customers/{customer}/calls", post(book))
        .route("/guides/{topic}", get(guide))
}

async fn usage(State(site): Halyard, Path(customer): Path<String>) -> Response {
    let people = site.people();
    let Some(account) = people.get(&customer) else {
        return nothing_here();
    };
    let logins = account.usual_and_last(|week| week.logins);
    let reports = account.usual_and_last(|week| week.reports);
    match (logins, reports) {
        (Some((usual, last)), Some((reports_usual, reports_last))) => Json(json!({
            "plan": "Crew", "seats": 4, "logins_usual": usual, "logins_last": last,
            "reports_usual": reports_usual, "reports_last": reports_last,
            "account_value": "For staff only: 480 EUR a year.", "call": account.call,
        }))
        .into_response(),
        _ => nothing_here(),
    }
}

async fn guide(Path(topic): Path<String>) -> Response {
    let (title, minutes, steps) = match topic.as_str() {
        "start" => ("A plan in ten minutes", 10, "Make a board, invite your crew, drag three cards onto this week."),
        "reports" => {
            ("Reports that write themselves", 5, "Open a board, choose Report, choose Weekly, choose who reads it.")
        }
        _ => return nothing_here(),
    };
    Json(json!({ "title": title, "minutes": minutes, "steps": steps })).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    reason: String,
}

async fn reason(
    State(site): Halyard,
    Path(customer): Path<String>,
    body: Result<Json<Reason>, JsonRejection>,
) -> Response {
    let reason = match api::body(body, "/reason") {
        Ok(Reason { reason }) if reason.len() <= REASON => reason,
        Ok(_) => return api::problem(StatusCode::UNPROCESSABLE_ENTITY, "The reason is too long.", Some("/reason")),
        Err(refused) => return *refused,
    };
    match site.people().get_mut(&customer) {
        Some(account) => {
            account.reason = Some(reason);
            (StatusCode::CREATED, Json(json!({ "noted": true }))).into_response()
        }
        None => nothing_here(),
    }
}

async fn free(State(site): Halyard, Path(customer): Path<String>) -> Response {
    match site.people().get(&customer) {
        Some(_) => {
            Json(slots().iter().map(|slot| json!({ "id": slot, "label": slot })).collect::<Vec<_>>()).into_response()
        }
        None => nothing_here(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    slot: String,
}

async fn book(
    State(site): Halyard,
    Path(customer): Path<String>,
    headers: HeaderMap,
    body: Result<Json<Call>, JsonRejection>,
) -> Response {
    let (call, key) = match (api::body(body, "/slot"), api::key(&headers)) {
        (Ok(call), Ok(key)) => (call, key),
        (Err(refused), _) | (_, Err(refused)) => return *refused,
    };
    let Ok(told) = site.outbox.try_reserve() else { return api::busy() };
    let mut people = site.people();
    let Some(account) = people.get_mut(&customer) else {
        return nothing_here();
    };
    let (answers, booked) = (&mut account.answers, &mut account.call);
    answers.once(key, &call.slot, || {
        if booked.is_some() {
            return Err((StatusCode::CONFLICT, "A call is booked already."));
        }
        if !slots().contains(&call.slot) {
            return Err((StatusCode::UNPROCESSABLE_ENTITY, "This time cannot be booked."));
        }
        *booked = Some(call.slot.clone());
        told.send(Event::now("saas", "call.booked", &customer, json!({ "slot": call.slot })));
        Ok(json!({ "slot": call.slot, "with": "Ida Nowak", "status": "booked" }))
    })
}
