//! The shop's own API, for those with its token: orders, cards, payments, and how often what was charged.
//! It answers about one customer at a time and knows nothing of who asks or why.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use beckon_example_site::api::{self, nothing_here, problem};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::customer::Customer;
use crate::ledger::Unplaced;
use crate::order::{Attempt, Order};
use crate::till::{self, Untried};
use crate::{Shop, goods, money};

/// All of `/api`.
pub fn routes(shop: &Arc<Shop>) -> Router<Arc<Shop>> {
    let routes = Router::new()
        .route("/customers/{customer}/cards", get(cards))
        .route("/customers/{customer}/cart", get(cart))
        .route("/customers/{customer}/cart/lines", post(put))
        .route("/customers/{customer}/orders", post(place))
        .route("/customers/{customer}/orders/{order}", get(order))
        .route("/customers/{customer}/orders/{order}/payments", post(pay))
        .route("/products/{use}", get(products))
        .route("/stats", get(stats));
    api::guarded(routes, &shop.settings.api_token)
}

async fn cards(State(shop): State<Arc<Shop>>, Path(customer): Path<String>) -> Response {
    let books = shop.ledger.books();
    let Some(customer) = books.people.get(&customer) else {
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

/// What is in the cart, in words too: `Storm lantern and 2 more`.
fn cart_of(customer: &Customer) -> Value {
    let lines = customer.lines();
    let cents: u32 = lines.iter().map(|line| line.cents * line.quantity).sum();
    let listed = lines
        .iter()
        .map(|line| json!({ "title": line.title, "quantity": line.quantity, "price": money::euros(line.cents) }));
    let others = customer.in_cart().saturating_sub(1);
    let words = match (lines.first(), others) {
        (None, _) => "nothing".to_owned(),
        (Some(line), 0) => line.title.to_owned(),
        (Some(line), others) => format!("{} and {others} more", line.title),
    };
    json!({
        "items": customer.in_cart(), "words": words, "total": money::euros(cents), "currency": money::CURRENCY,
        "lines": listed.collect::<Vec<_>>(),
    })
}

async fn cart(State(shop): State<Arc<Shop>>, Path(customer): Path<String>) -> Response {
    match shop.ledger.books().people.get(&customer) {
        Some(customer) => Json(cart_of(customer)).into_response(),
        None => nothing_here(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    product: String,
}

async fn put(
    State(shop): State<Arc<Shop>>,
    Path(customer): Path<String>,
    body: Result<Json<Put>, JsonRejection>,
) -> Response {
    let put = match api::body(body, "/product") {
        Ok(put) => put,
        Err(refused) => return *refused,
    };
    let Some(product) = goods::find(&put.product) else {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "The shop does not sell this.", Some("/product"));
    };
    match till::put(&shop, &customer, product, till::Quantity::AtLeastOne) {
        Ok(()) => match shop.ledger.books().people.get(&customer) {
            Some(customer) => (StatusCode::CREATED, Json(cart_of(customer))).into_response(),
            None => nothing_here(),
        },
        Err(untried) => refused(&untried),
    }
}

/// Places the order of what is in the cart, or finds the unpaid one that was made of it: asking twice places one.
async fn place(State(shop): State<Arc<Shop>>, Path(customer): Path<String>) -> Response {
    let mut books = shop.ledger.books();
    match books.place(&customer) {
        Ok(id) => match books.people.get(&customer).and_then(|customer| customer.order(&id)) {
            Some(order) => (StatusCode::CREATED, Json(told(order))).into_response(),
            None => nothing_here(),
        },
        Err(Unplaced::EmptyCart) => problem(StatusCode::CONFLICT, "Nothing is in the cart.", None),
        Err(Unplaced::TooMany) => problem(StatusCode::TOO_MANY_REQUESTS, "Too many orders were placed.", None),
    }
}

/// What the shop sells that is good for something.
async fn products(Path(wanted): Path<goods::Use>) -> Response {
    let fits = |product: &&goods::Product| product.used == wanted;
    let told = |product: &goods::Product| {
        let price = money::words(product.cents);
        json!({ "id": product.slug, "title": product.title, "note": product.note, "price": price,
            "label": format!("{}, {price}", product.title) })
    };
    Json(goods::SHELF.iter().filter(fits).map(told).collect::<Vec<_>>()).into_response()
}

async fn order(State(shop): State<Arc<Shop>>, Path((customer, order)): Path<(String, String)>) -> Response {
    let books = shop.ledger.books();
    match books.people.get(&customer).and_then(|customer| customer.order(&order)) {
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
    let (payment, key) = match (api::body(body, "/card"), api::key(&headers)) {
        (Ok(payment), Ok(key)) => (payment, key),
        (Err(refused), _) | (_, Err(refused)) => return *refused,
    };
    let tried = match till::pay(&shop, &customer, &order, &payment.card, key) {
        Ok(tried) => tried,
        Err(untried) => return refused(&untried),
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

fn refused(untried: &Untried) -> Response {
    match untried {
        Untried::NotTheirs => nothing_here(),
        Untried::SoldOut => problem(StatusCode::CONFLICT, "None of it is left.", None),
        Untried::Busy => api::busy(),
    }
}

async fn stats(State(shop): State<Arc<Shop>>) -> Response {
    let books = shop.ledger.books();
    let charges = books.charges();
    let total: u32 = charges.values().sum();
    Json(json!({ "charges": charges, "total": total })).into_response()
}
