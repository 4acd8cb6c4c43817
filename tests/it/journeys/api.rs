//! The company's API: a small real server with orders, cards and payments, and with the moods that APIs have.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

/// How the API behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    /// As it should.
    #[default]
    Well,
    /// Answers 500 to everything.
    Down,
    /// Answers with what looks like a template.
    Templates,
    /// Takes a payment and hangs up before it answers.
    HangsUp,
    /// Takes a payment and answers when released.
    Slow,
}

/// What happened at the API.
#[derive(Debug, Default)]
pub struct Seen {
    /// Charges really made, by order.
    pub charges: BTreeMap<String, u32>,
    /// Vouchers really sent.
    pub vouchers: u32,
    /// Idempotency keys, in order of arrival, repeats too.
    pub keys: Vec<String>,
    /// Paths asked for.
    pub paths: Vec<String>,
}

/// The API and what it saw.
#[derive(Clone)]
pub struct Api {
    pub address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    mood: Mutex<Mood>,
    seen: Mutex<Seen>,
    answered: Mutex<BTreeMap<String, (u16, Value)>>,
    /// How many customers each area has.
    people: Mutex<usize>,
}

/// Customers on one page of the API.
const PAGE: usize = 1_000;

impl Api {
    pub async fn start() -> Api {
        let inner = Arc::new(Inner {
            mood: Mutex::default(),
            seen: Mutex::default(),
            answered: Mutex::default(),
            people: Mutex::default(),
        });
        let router = Router::new()
            .route("/customers/{customer}/orders/{order}", get(order))
            .route("/customers/{customer}/cards", get(cards))
            .route("/customers/{customer}/orders/{order}/payments", post(pay))
            .route("/customers/{customer}/vouchers", post(voucher))
            .route("/areas/{area}/customers/{after}", get(people))
            .with_state(Arc::clone(&inner));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Api { address, inner }
    }

    pub fn is(&self, mood: Mood) {
        *self.inner.mood.lock().unwrap() = mood;
    }

    /// Vouchers really sent.
    pub fn vouchers(&self) -> u32 {
        self.inner.seen.lock().unwrap().vouchers
    }

    /// Every area has so many customers from now on, `c0` and on.
    pub fn has_people(&self, people: usize) {
        *self.inner.people.lock().unwrap() = people;
    }

    /// Lets slow payments answer.
    pub fn release(&self) {
        self.is(Mood::Well);
    }

    pub fn charges(&self, order: &str) -> u32 {
        self.inner.seen.lock().unwrap().charges.get(order).copied().unwrap_or_default()
    }

    pub fn keys(&self) -> Vec<String> {
        self.inner.seen.lock().unwrap().keys.clone()
    }

    pub fn paths(&self) -> Vec<String> {
        self.inner.seen.lock().unwrap().paths.clone()
    }

    /// Waits until a payment has arrived.
    pub async fn payment_arrived(&self) {
        super::world::until("a payment arrives at the API", || async { !self.keys().is_empty() }).await;
    }
}

async fn order(State(inner): State<Arc<Inner>>, Path((customer, order)): Path<(String, String)>) -> Response {
    inner.seen.lock().unwrap().paths.push(format!("/customers/{customer}/orders/{order}"));
    if *inner.mood.lock().unwrap() == Mood::Down {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let paid = inner.seen.lock().unwrap().charges.contains_key(&order);
    let odd = *inner.mood.lock().unwrap() == Mood::Templates;
    let number = if odd { "{{ trigger.data }}{% if %}".to_owned() } else { format!("N-{order}") };
    Json(json!({
        "id": order, "number": number, "status": if paid { "paid" } else { "open" },
        "total": 89.5, "currency": "EUR", "internal_note": "do not show this",
    }))
    .into_response()
}

/// Customers of an area, a page at a time.
async fn people(State(inner): State<Arc<Inner>>, Path((area, after)): Path<(String, usize)>) -> Response {
    inner.seen.lock().unwrap().paths.push(format!("/areas/{area}/customers/{after}"));
    if *inner.mood.lock().unwrap() == Mood::Down {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let all = *inner.people.lock().unwrap();
    let to = all.min(after + PAGE);
    let items: Vec<Value> = (after..to).map(|n| json!({ "id": format!("c{n}"), "secret": "no matter" })).collect();
    let next = (to < all).then_some(to);
    Json(json!({ "items": items, "next": next })).into_response()
}

async fn cards(State(inner): State<Arc<Inner>>, Path(customer): Path<String>) -> Response {
    inner.seen.lock().unwrap().paths.push(format!("/customers/{customer}/cards"));
    if *inner.mood.lock().unwrap() == Mood::Down {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let odd = *inner.mood.lock().unwrap() == Mood::Templates;
    let label = if odd { "{{ customer }}{% for x in y %}" } else { "Visa 4242" };
    Json(json!([
        { "id": "card-a", "label": label, "secret": "4242424242424242" },
        { "id": "card-b", "label": "Mastercard 5100", "secret": "5100" },
    ]))
    .into_response()
}

async fn pay(
    State(inner): State<Arc<Inner>>,
    Path((_, order)): Path<(String, String)>,
    headers: HeaderMap,
    Json(_): Json<Value>,
) -> Response {
    let key = headers.get("idempotency-key").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let mood = *inner.mood.lock().unwrap();
    if mood == Mood::Down {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    inner.seen.lock().unwrap().keys.push(key.clone());
    let known = inner.answered.lock().unwrap().get(&key).cloned();
    let (status, body) = known.unwrap_or_else(|| {
        *inner.seen.lock().unwrap().charges.entry(order).or_default() += 1;
        let answer = (201, json!({ "status": "paid" }));
        inner.answered.lock().unwrap().insert(key, answer.clone());
        answer
    });
    ending(&inner, mood, status, body).await
}

/// A voucher knows no idempotency key: each request sends one.
async fn voucher(State(inner): State<Arc<Inner>>, Json(_): Json<Value>) -> Response {
    inner.seen.lock().unwrap().vouchers += 1;
    let mood = *inner.mood.lock().unwrap();
    ending(&inner, mood, 201, json!({ "status": "sent" })).await
}

async fn ending(inner: &Inner, mood: Mood, status: u16, body: Value) -> Response {
    match mood {
        Mood::HangsUp => {
            // It did what was asked, says 500, and breaks off: the other side cannot know.
            let broken = futures_util::stream::iter([Err::<Vec<u8>, _>(std::io::Error::other("hung up"))]);
            return Response::builder().status(500).body(axum::body::Body::from_stream(broken)).unwrap();
        }
        Mood::Slow => {
            let slow = || async { *inner.mood.lock().unwrap() != Mood::Slow };
            super::world::until("the test lets the API answer", slow).await;
        }
        Mood::Well | Mood::Down | Mood::Templates => {}
    }
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}
