//! Lumen's own API: whose lines are in an area, how an outage stands, and what is agreed about it.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use beckon_example_site::api::{self, Done, nothing_here};
use beckon_example_site::{Person, Site};
use serde::Deserialize;
use serde_json::json;

use crate::line::{CREDIT, Line, times};
use crate::network::{AREAS, Network, Outage, households};

/// How many customers are named at once.
const PAGE: usize = 20;

type Telecom = State<Arc<Site<Line>>>;
type Grid = Extension<Arc<Network>>;

/// All of `/api`.
pub fn routes() -> Router<Arc<Site<Line>>> {
    Router::new()
        .route("/areas/{area}/customers", get(customers))
        .route("/customers/{customer}/outages/{outage}", get(outage))
        .route("/customers/{customer}/outages/{outage}/ticket", post(ticket))
        .route("/customers/{customer}/outages/{outage}/credit", post(credit))
        .route("/customers/{customer}/times", get(free))
        .route("/customers/{customer}/callback", post(callback))
}

/// Where a page begins: after the customer of this id.
#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: String,
}

/// Whose lines are in an area, by id, a page at a time.
async fn customers(State(site): Telecom, Path(area): Path<String>, Query(page): Query<After>) -> Response {
    let Some(area) = AREAS.iter().find(|known| known.id == area) else { return nothing_here() };
    let mut ids: Vec<String> = households(area).collect();
    ids.extend(site.people().iter().filter(|line| line.area == area).map(|line| line.id().to_owned()));
    ids.retain(|id| *id > page.after);
    ids.sort_unstable();
    let more = ids.len() > PAGE;
    ids.truncate(PAGE);
    let following = ids.last().filter(|_| more);
    let items: Vec<_> = ids.iter().map(|id| json!({ "id": id })).collect();
    Json(json!({ "items": items, "following": following })).into_response()
}

async fn outage(
    State(site): Telecom,
    Extension(network): Grid,
    Path((customer, id)): Path<(String, String)>,
) -> Response {
    let people = site.people();
    let Some(line) = people.get(&customer) else { return nothing_here() };
    let Some(outage) = network.of(line.area).filter(|outage| outage.id == id) else { return nothing_here() };
    Json(json!({
        "id": outage.id, "area": line.area.name, "cause": outage.cause, "next_update": outage.next_update,
        "status": if outage.lasts() { "open" } else { "solved" }, "minutes": outage.minutes(),
        "crew": "For staff only: van 3, Nora.",
    }))
    .into_response()
}

async fn ticket(
    state: Telecom,
    network: Grid,
    Path((customer, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    written(&state, &network, &customer, &id, &headers, "ticket", |line, outage| {
        if !outage.lasts() {
            return Err((StatusCode::CONFLICT, "This outage is over."));
        }
        let ticket = line.ticket(&outage.id);
        Ok(json!({ "number": ticket.number, "status": "open" }))
    })
}

async fn credit(
    state: Telecom,
    network: Grid,
    Path((customer, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    written(&state, &network, &customer, &id, &headers, "credit", |line, outage| {
        if line.credited.as_ref() == Some(&outage.id) {
            return Err((StatusCode::CONFLICT, "This outage was credited."));
        }
        line.credited = Some(outage.id.clone());
        Ok(json!({ "amount": CREDIT }))
    })
}

/// A write about one outage of a customer's own area, once under its key.
fn written(
    site: &Site<Line>,
    network: &Network,
    customer: &str,
    id: &str,
    headers: &HeaderMap,
    what: &str,
    act: impl FnOnce(&mut Line, &Outage) -> Done,
) -> Response {
    let key = match api::key(headers) {
        Ok(key) => key,
        Err(refused) => return *refused,
    };
    let mut people = site.people();
    let Some(line) = people.get_mut(customer) else { return nothing_here() };
    let Some(outage) = network.of(line.area).filter(|outage| outage.id == id) else { return nothing_here() };
    let mut answers = std::mem::take(&mut line.answers);
    let answer = answers.once(key, &format!("{what} {id}"), || act(line, &outage));
    line.answers = answers;
    answer
}

async fn free(State(site): Telecom, Path(customer): Path<String>) -> Response {
    match site.people().get(&customer) {
        Some(_) => {
            let times = times().into_iter().map(|time| json!({ "id": time, "label": time }));
            Json(times.collect::<Vec<_>>()).into_response()
        }
        None => nothing_here(),
    }
}

/// When a customer is to be called.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Callback {
    time: String,
}

async fn callback(
    State(site): Telecom,
    Path(customer): Path<String>,
    headers: HeaderMap,
    body: Result<Json<Callback>, JsonRejection>,
) -> Response {
    let (time, key) = match (api::body(body, "/time"), api::key(&headers)) {
        (Ok(asked), Ok(key)) => (asked.time, key),
        (Err(refused), _) | (_, Err(refused)) => return *refused,
    };
    let mut people = site.people();
    let Some(line) = people.get_mut(&customer) else { return nothing_here() };
    let booked = &mut line.callback;
    line.answers.once(key, &format!("callback {time}"), || {
        if !times().contains(&time) {
            return Err((StatusCode::UNPROCESSABLE_ENTITY, "There is no such time."));
        }
        *booked = Some(time.clone());
        Ok(json!({ "time": time }))
    })
}
