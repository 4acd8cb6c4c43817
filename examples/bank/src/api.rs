//! The bank's own API. A customer who has not just proved who they are is told nothing of a payment, and nothing is done
//! for them: this is decided here, not by whoever asks.

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
use serde_json::{Value, json};

use crate::account::{Account, Status, euros, slots};

type Bank = State<Arc<Site<Account>>>;

const UNPROVED: (StatusCode, &str) = (StatusCode::FORBIDDEN, "The customer has not confirmed who they are.");

/// All of `/api`.
pub fn routes() -> Router<Arc<Site<Account>>> {
    Router::new()
        .route("/customers/{customer}/payments/{payment}", get(payment))
        .route("/customers/{customer}/payments/{payment}/confirmation", post(confirm))
        .route("/customers/{customer}/cards/{card}/block", post(block))
        .route("/customers/{customer}/deposits/{deposit}", get(deposit))
        .route("/customers/{customer}/slots", get(free))
        .route("/customers/{customer}/appointments", post(meet))
}

/// What may be told of something: all of it, or that it is not proved who asks.
fn told(account: &Account, full: impl FnOnce() -> Option<Value>) -> Response {
    let Some(mut document) = full() else {
        return nothing_here();
    };
    if !account.is_proved() {
        document = json!({});
    }
    if let Value::Object(fields) = &mut document {
        fields.insert("identity".into(), if account.is_proved() { "confirmed" } else { "unconfirmed" }.into());
    }
    Json(document).into_response()
}

async fn payment(State(site): Bank, Path((customer, payment)): Path<(String, String)>) -> Response {
    let people = site.people();
    let Some(account) = people.get(&customer) else {
        return nothing_here();
    };
    told(account, || {
        let payment = account.payment(&payment)?;
        let card = account.cards.iter().find(|card| card.id == payment.card)?;
        Some(json!({
            "id": payment.id, "merchant": payment.merchant, "country": payment.country,
            "amount": euros(payment.cents), "currency": "EUR", "at": payment.at.strftime("%H:%M UTC").to_string(),
            "status": payment.status, "card_id": card.id, "card": card.label, "card_blocked": card.blocked,
            "risk": "Score 71 of 100. For staff only.",
        }))
    })
}

async fn deposit(State(site): Bank, Path((customer, deposit)): Path<(String, String)>) -> Response {
    let people = site.people();
    let Some(account) = people.get(&customer) else {
        return nothing_here();
    };
    told(account, || {
        let deposit = account.deposits.iter().find(|known| known.id == deposit)?;
        Some(json!({ "id": deposit.id, "from": deposit.from, "amount": euros(deposit.cents), "currency": "EUR" }))
    })
}

async fn confirm(State(site): Bank, Path((customer, id)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let key = match api::key(&headers) {
        Ok(key) => key,
        Err(refused) => return *refused,
    };
    let Ok(place) = site.outbox.try_reserve() else { return api::busy() };
    let mut people = site.people();
    let Some(account) = people.get_mut(&customer) else {
        return nothing_here();
    };
    let Some(payment) = account.payment(&id).cloned() else {
        return nothing_here();
    };
    let mut answers = std::mem::take(&mut account.answers);
    let answer = answers.once(key, &format!("confirm {id}"), || {
        if !account.is_proved() {
            return Err(UNPROVED);
        }
        if payment.status == Status::Disputed {
            return Err((StatusCode::CONFLICT, "This payment was said not to be the customer's."));
        }
        account.confirm(&id);
        let data = json!({ "payment_id": id, "card_id": payment.card, "answer": "mine" });
        place.send(Event::now("bank", "payment.checked", &customer, data));
        Ok(json!({ "id": id, "status": Status::Confirmed }))
    });
    account.answers = answers;
    answer
}

async fn block(State(site): Bank, Path((customer, id)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let key = match api::key(&headers) {
        Ok(key) => key,
        Err(refused) => return *refused,
    };
    let Ok(place) = site.outbox.try_reserve() else { return api::busy() };
    let mut people = site.people();
    let Some(account) = people.get_mut(&customer) else {
        return nothing_here();
    };
    let Some(label) = account.cards.iter().find(|card| card.id == id).map(|card| card.label) else {
        return nothing_here();
    };
    let mut answers = std::mem::take(&mut account.answers);
    let answer = answers.once(key, &format!("block {id}"), || {
        if !account.is_proved() {
            return Err(UNPROVED);
        }
        account.block(&id);
        let data = json!({ "card_id": id, "answer": "blocked" });
        place.send(Event::now("bank", "payment.checked", &customer, data));
        Ok(json!({ "card_id": id, "card": label, "status": "blocked" }))
    });
    account.answers = answers;
    answer
}

async fn free(State(site): Bank, Path(customer): Path<String>) -> Response {
    match site.people().get(&customer) {
        Some(_) => {
            Json(slots().iter().map(|slot| json!({ "id": slot, "label": slot })).collect::<Vec<_>>()).into_response()
        }
        None => nothing_here(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Appointment {
    slot: String,
}

async fn meet(
    State(site): Bank,
    Path(customer): Path<String>,
    headers: HeaderMap,
    body: Result<Json<Appointment>, JsonRejection>,
) -> Response {
    let (wanted, key) = match (api::body(body, "/slot"), api::key(&headers)) {
        (Ok(wanted), Ok(key)) => (wanted, key),
        (Err(refused), _) | (_, Err(refused)) => return *refused,
    };
    let Ok(place) = site.outbox.try_reserve() else { return api::busy() };
    let mut people = site.people();
    let Some(account) = people.get_mut(&customer) else {
        return nothing_here();
    };
    let (answers, appointment) = (&mut account.answers, &mut account.appointment);
    answers.once(key, &wanted.slot, || {
        if appointment.is_some() {
            return Err((StatusCode::CONFLICT, "An appointment is booked already."));
        }
        if !slots().contains(&wanted.slot) {
            return Err((StatusCode::UNPROCESSABLE_ENTITY, "This time cannot be booked."));
        }
        *appointment = Some(wanted.slot.clone());
        place.send(Event::now("bank", "appointment.booked", &customer, json!({ "slot": wanted.slot })));
        Ok(json!({ "slot": wanted.slot, "status": "booked" }))
    })
}
