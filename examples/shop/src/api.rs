//! The shop's own API, for those with its token: orders, cards, payments, and how often what was charged.
//! It answers about one customer at a time and knows nothing of who asks or why.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, Path, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use crate::order::{Attempt, Order};
use crate::till::{self, Untried};
use crate::{Shop, money};

/// The longest idempotency key that is taken, in bytes.
const KEY_BYTES: usize = 255;

/// All of `/api`.
pub fn routes(shop: &Arc<Shop>) -> Router<Arc<Shop>> {
    Router::new()
        .route("/customers/{customer}/cards", get(cards))
        .route("/customers/{customer}/orders/{order}", get(order))
        .route("/customers/{customer}/orders/{order}/payments", post(pay))
        .route("/stats", get(stats))
        .fallback(|| async { nothing_here() })
        .layer(middleware::from_fn_with_state(Arc::clone(shop), need_token))
}

async fn need_token(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if bool::from(token.as_bytes().ct_eq(shop.settings.api_token.as_bytes())) {
        return next.run(request).await;
    }
    let refused = problem(StatusCode::UNAUTHORIZED, "A valid bearer token is needed.", None);
    ([(WWW_AUTHENTICATE, "Bearer")], refused).into_response()
}

async fn cards(State(shop): State<Arc<Shop>>, Path(customer): Path<String>) -> Response {
    let books = shop.ledger.books();
    let Some(customer) = books.customer(&customer) else {
        return nothing_here();
    };
    let mut cards: Vec<_> = customer.cards.iter().collect();
    cards.sort_by_key(|card| card.declined);
    let told = |label: String, declined| {
        if declined { format!("{label} (declined before)") } else { label }
    };
    let list = cards
        .iter()
        .map(|card| json!({ "id": card.id, "label": told(card.label(), card.declined), "expires": card.expires }));
    Json(list.collect::<Vec<_>>()).into_response()
}

async fn order(State(shop): State<Arc<Shop>>, Path((customer, order)): Path<(String, String)>) -> Response {
    let books = shop.ledger.books();
    match books.customer(&customer).and_then(|customer| customer.order(&order)) {
        Some(order) => Json(told(order)).into_response(),
        None => nothing_here(),
    }
}

fn told(order: &Order) -> Value {
    let lines = order
        .lines
        .iter()
        .map(|line| json!({ "title": line.title, "quantity": line.quantity, "price": money::euros(line.cents) }));
    json!({
        "id": order.id, "number": order.number, "status": order.status,
        "total": money::euros(order.cents()), "currency": money::CURRENCY,
        "lines": lines.collect::<Vec<_>>(),
        "internal_note": "Margin 41 percent, fraud score 12 of 100. For staff only.",
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payment {
    card: String,
}

async fn pay(
    State(shop): State<Arc<Shop>>,
    Path((customer, order)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Json<Payment>, JsonRejection>,
) -> Response {
    let payment = match body {
        Ok(Json(payment)) => payment,
        Err(rejection) => {
            return problem(rejection.status(), &rejection.body_text(), Some("/card"));
        }
    };
    let key = match headers.get("idempotency-key").map(|value| value.to_str()) {
        None => None,
        Some(Ok(key)) if !key.is_empty() && key.len() <= KEY_BYTES => Some(key),
        Some(_) => {
            return problem(StatusCode::BAD_REQUEST, "Idempotency-Key must be 1 to 255 ASCII characters.", None);
        }
    };
    let tried = match till::pay(&shop, &customer, &order, &payment.card, key) {
        Ok(tried) => tried,
        Err(Untried::NotTheirs) => return nothing_here(),
        Err(Untried::Busy) => {
            let busy = problem(StatusCode::SERVICE_UNAVAILABLE, "Payments are held up for a moment.", None);
            return ([(RETRY_AFTER, "1")], busy).into_response();
        }
    };
    match tried.answer.attempt {
        Attempt::Paid { payment_id } => {
            let paid = json!({
                "payment_id": payment_id, "status": "paid",
                "order_id": tried.order.id, "total": money::euros(tried.order.cents()),
            });
            (StatusCode::CREATED, Json(paid)).into_response()
        }
        Attempt::Declined { .. } => {
            problem(StatusCode::PAYMENT_REQUIRED, "The bank declined this card. Nothing was charged.", Some("/card"))
        }
        Attempt::AlreadyPaid => problem(StatusCode::CONFLICT, "This order is paid already.", None),
        Attempt::TooMany => problem(StatusCode::TOO_MANY_REQUESTS, "This order was tried too often.", None),
        Attempt::KeyReused => {
            problem(StatusCode::UNPROCESSABLE_ENTITY, "This Idempotency-Key was used with another card.", Some("/card"))
        }
    }
}

async fn stats(State(shop): State<Arc<Shop>>) -> Response {
    let books = shop.ledger.books();
    let charges = books.charges();
    let total: u32 = charges.values().sum();
    Json(json!({ "charges": charges, "total": total })).into_response()
}

fn nothing_here() -> Response {
    problem(StatusCode::NOT_FOUND, "This customer has no such thing here.", None)
}

/// An error as RFC 9457 problem details; `pointer` names the field that is wrong.
fn problem(status: StatusCode, detail: &str, pointer: Option<&str>) -> Response {
    let mut told = json!({
        "type": "about:blank", "status": status.as_u16(), "detail": detail,
        "title": status.canonical_reason().unwrap_or("Error"),
    });
    if let (Some(pointer), Value::Object(fields)) = (pointer, &mut told) {
        fields.insert("pointer".into(), pointer.into());
    }
    (status, [(CONTENT_TYPE, "application/problem+json")], told.to_string()).into_response()
}
