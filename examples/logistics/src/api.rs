//! Gannet's own API: where a parcel is, when and where else it could come, and that it shall.

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

use crate::parcel::{POINTS, Receiver, slots};

type Carrier = State<Arc<Site<Receiver>>>;

/// All of `/api`.
pub fn routes() -> Router<Arc<Site<Receiver>>> {
    Router::new()
        .route("/customers/{customer}/parcels/{parcel}", get(parcel))
        .route("/customers/{customer}/parcels/{parcel}/slots", get(free))
        .route("/customers/{customer}/parcels/{parcel}/agreement", post(agree))
        .route("/points", get(points))
}

async fn parcel(State(site): Carrier, Path((customer, parcel)): Path<(String, String)>) -> Response {
    match site.people().get(&customer).and_then(|receiver| receiver.parcel(&parcel)) {
        Some(parcel) => Json(json!({
            "id": parcel.id, "what": parcel.what, "status": parcel.status, "comes": parcel.comes,
            "driver": "For staff only: van 12, Omar.",
        }))
        .into_response(),
        None => nothing_here(),
    }
}

async fn free(State(site): Carrier, Path((customer, parcel)): Path<(String, String)>) -> Response {
    match site.people().get(&customer).and_then(|receiver| receiver.parcel(&parcel)) {
        Some(_) => listed(slots().iter().map(String::as_str)),
        None => nothing_here(),
    }
}

async fn points() -> Response {
    listed(POINTS.into_iter())
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> Response {
    Json(names.map(|name| json!({ "id": name, "label": name })).collect::<Vec<_>>()).into_response()
}

/// How a parcel shall come: at another time, to a pick-up point, or as planned.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, tag = "how", rename_all = "snake_case")]
enum Agreement {
    Slot { slot: String },
    Point { point: String },
    AsPlanned {},
}

async fn agree(
    State(site): Carrier,
    Path((customer, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Json<Agreement>, JsonRejection>,
) -> Response {
    let (agreement, key) = match (api::body(body, "/how"), api::key(&headers)) {
        (Ok(agreement), Ok(key)) => (agreement, key),
        (Err(refused), _) | (_, Err(refused)) => return *refused,
    };
    let (how, comes) = match agreement {
        Agreement::Slot { slot } => ("slot", Some(slot)),
        Agreement::Point { point } => ("point", Some(point)),
        Agreement::AsPlanned {} => ("as_planned", None),
    };
    let Ok(told) = site.outbox.try_reserve() else { return api::busy() };
    let mut people = site.people();
    let Some(receiver) = people.get_mut(&customer) else {
        return nothing_here();
    };
    if receiver.parcel(&id).is_none() {
        return nothing_here();
    }
    let mut answers = std::mem::take(&mut receiver.answers);
    let asked = format!("{id} {how} {}", comes.as_deref().unwrap_or_default());
    let answer = answers.once(key, &asked, || {
        let known = match (how, &comes) {
            ("slot", Some(slot)) => slots().contains(slot),
            ("point", Some(point)) => POINTS.contains(&point.as_str()),
            _ => true,
        };
        if !known {
            return Err((StatusCode::UNPROCESSABLE_ENTITY, "There is no such time or place."));
        }
        receiver.agree(&id, comes);
        let comes = receiver.parcel(&id).map(|parcel| parcel.comes.clone());
        told.send(Event::now("logistics", "parcel.agreed", &customer, json!({ "parcel_id": id, "how": how })));
        Ok(json!({ "id": id, "how": how, "comes": comes }))
    });
    receiver.answers = answers;
    answer
}
