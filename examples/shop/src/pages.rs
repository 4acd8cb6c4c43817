//! The pages people see and the forms they send. Every page carries one script tag of Beckon's and a token that
//! says who is looking; nothing else here knows of it.

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tera::Context;

use crate::customer::Customer;
use crate::ledger::Unplaced;
use crate::order::{Attempt, Status};
use crate::session::{self, Visitor};
use crate::till::{self, Untried};
use crate::views::{self, Frame};
use crate::{Shop, goods, token};

/// All pages and forms.
pub fn routes(shop: &Arc<Shop>) -> Router<Arc<Shop>> {
    let pages = Router::new()
        .route("/", get(front))
        .route("/cart", get(cart))
        .route("/orders", get(orders))
        .route("/orders/{order}", get(order))
        .route("/orders/{order}/checkout", get(checkout))
        .fallback(missing)
        .layer(middleware::from_fn_with_state(Arc::clone(shop), session::welcome));
    let forms = Router::new()
        .route("/cart/lines", post(put))
        .route("/checkout", post(place))
        .route("/orders/{order}/pay", post(pay))
        .route("/leave", post(leave))
        .layer(middleware::from_fn(session::own_forms_only));
    let documents = Router::new().route("/token", get(fresh_token)).route("/orders/{order}/status", get(status));
    pages.merge(forms).merge(documents)
}

/// A page for this visitor, filled by `fill`; the page for what is not there where `fill` finds nothing.
fn page(
    shop: &Shop,
    visitor: &Visitor,
    name: &str,
    fill: impl FnOnce(&Customer, &mut Context) -> Option<()>,
) -> Response {
    let mut context = Context::new();
    let found = {
        let books = shop.ledger.books();
        let Some(customer) = books.customer(&visitor.0) else {
            return Redirect::to("/").into_response();
        };
        let token = match token::sign(customer, &shop.settings.identity_key) {
            Ok(token) => token,
            Err(error) => return unsigned(&error),
        };
        context.insert("frame", &Frame::new(customer, shop.widget.clone(), token));
        fill(customer, &mut context).is_some()
    };
    if found {
        shop.views.page(StatusCode::OK, name, &context)
    } else {
        shop.views.page(StatusCode::NOT_FOUND, "missing.html", &context)
    }
}

fn unsigned(error: &jsonwebtoken::errors::Error) -> Response {
    tracing::error!(error = %error, "token not signed");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

async fn front(State(shop): State<Arc<Shop>>, visitor: Visitor) -> Response {
    page(&shop, &visitor, "front.html", |_, context| {
        context.insert("shelf", &views::shelf());
        Some(())
    })
}

async fn cart(State(shop): State<Arc<Shop>>, visitor: Visitor) -> Response {
    page(&shop, &visitor, "cart.html", |customer, context| {
        let lines = customer.lines();
        context.insert("rows", &views::rows(&lines));
        context.insert("total", &views::total(&lines));
        Some(())
    })
}

async fn orders(State(shop): State<Arc<Shop>>, visitor: Visitor) -> Response {
    page(&shop, &visitor, "orders.html", |customer, context| {
        let newest_first = customer.orders.iter().rev();
        let list: Vec<_> = newest_first.map(|order| views::standing(customer, order)).collect();
        context.insert("orders", &list);
        Some(())
    })
}

async fn order(State(shop): State<Arc<Shop>>, visitor: Visitor, Path(id): Path<String>) -> Response {
    page(&shop, &visitor, "order.html", |customer, context| {
        let order = customer.order(&id)?;
        context.insert("order", &views::standing(customer, order));
        context.insert("rows", &views::rows(&order.lines));
        Some(())
    })
}

async fn checkout(State(shop): State<Arc<Shop>>, visitor: Visitor, Path(id): Path<String>) -> Response {
    page(&shop, &visitor, "checkout.html", |customer, context| {
        let order = customer.order(&id)?;
        context.insert("order", &views::standing(customer, order));
        context.insert("rows", &views::rows(&order.lines));
        context.insert("cards", &views::choices(customer, order));
        Some(())
    })
}

async fn missing(State(shop): State<Arc<Shop>>, visitor: Visitor) -> Response {
    page(&shop, &visitor, "missing.html", |_, _| None)
}

#[derive(Deserialize)]
struct Put {
    product: String,
    /// How many there are from now on; one more where it is not said.
    quantity: Option<u32>,
}

async fn put(State(shop): State<Arc<Shop>>, visitor: Visitor, form: Result<Form<Put>, FormRejection>) -> Response {
    let Ok(Form(form)) = form else {
        return unreadable();
    };
    let Some(product) = goods::find(&form.product) else {
        return unreadable();
    };
    if let Some(customer) = shop.ledger.books().customer_mut(&visitor.0) {
        let one_more = customer.cart.get(product.slug).copied().unwrap_or_default().saturating_add(1);
        customer.put(product.slug, form.quantity.unwrap_or(one_more));
    }
    Redirect::to("/cart").into_response()
}

async fn place(State(shop): State<Arc<Shop>>, visitor: Visitor) -> Response {
    match shop.ledger.books().place(&visitor.0) {
        Ok(order) => Redirect::to(&format!("/orders/{order}/checkout")).into_response(),
        Err(Unplaced::EmptyCart) => Redirect::to("/cart").into_response(),
        Err(Unplaced::TooMany) => (StatusCode::TOO_MANY_REQUESTS, "You have placed too many orders.").into_response(),
    }
}

#[derive(Deserialize)]
struct Pay {
    card: String,
}

async fn pay(
    State(shop): State<Arc<Shop>>,
    visitor: Visitor,
    Path(id): Path<String>,
    form: Result<Form<Pay>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return unreadable();
    };
    match till::pay(&shop, &visitor.0, &id, &form.card, None) {
        Ok(tried) if tried.order.status == Status::Paid => {
            Redirect::to(&format!("/orders/{}", tried.order.id)).into_response()
        }
        Ok(tried) if tried.answer.attempt == Attempt::TooMany => {
            (StatusCode::TOO_MANY_REQUESTS, "This order was tried too often. Please start again from the cart.")
                .into_response()
        }
        Ok(tried) => Redirect::to(&format!("/orders/{}/checkout#declined", tried.order.id)).into_response(),
        Err(Untried::NotTheirs) => Redirect::to("/orders").into_response(),
        Err(Untried::Busy) => {
            (StatusCode::SERVICE_UNAVAILABLE, "Payments are held up for a moment. Nothing was charged.").into_response()
        }
    }
}

async fn leave(headers: HeaderMap) -> Response {
    (session::forget(&headers), Redirect::to("/")).into_response()
}

async fn fresh_token(State(shop): State<Arc<Shop>>, visitor: Visitor) -> Response {
    let books = shop.ledger.books();
    let Some(customer) = books.customer(&visitor.0) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    match token::sign(customer, &shop.settings.identity_key) {
        Ok(token) => {
            let expires = Timestamp::now().as_second() + token::LIFETIME;
            Json(json!({ "customer": customer.id, "name": customer.name, "token": token, "expires": expires }))
                .into_response()
        }
        Err(error) => unsigned(&error),
    }
}

async fn status(State(shop): State<Arc<Shop>>, visitor: Visitor, Path(id): Path<String>) -> Response {
    let books = shop.ledger.books();
    let found = books.customer(&visitor.0).and_then(|customer| Some((customer, customer.order(&id)?)));
    match found {
        Some((customer, order)) => Json(views::standing(customer, order)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn unreadable() -> Response {
    (StatusCode::BAD_REQUEST, "The shop could not read this form.").into_response()
}
