//! The pages people see and the forms they send. Every page carries one script tag of Beckon's and a token that
//! says who is looking; nothing else here knows of it.

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use beckon_example_site::{Frame, Visitor, forget, own_forms_only, remember, token, welcome};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tera::Context;

use crate::customer::Customer;
use crate::ledger::Unplaced;
use crate::order::{Attempt, Status};
use crate::till::{self, Quantity, Untried, Wish};
use crate::{Shop, events, goods, views};

/// As long ago as a playbook waits after a change of the cart, but for a second: then the wait is over.
const CART_LEFT: SignedDuration = SignedDuration::from_secs(30 * 60 - 1);
/// The same after the last look at a product.
const LOOKED: SignedDuration = SignedDuration::from_secs(5 * 60 - 1);

/// All pages and forms.
pub fn routes(shop: &Arc<Shop>) -> Router<Arc<Shop>> {
    let pages = Router::new()
        .route("/", get(front))
        .route("/products/{product}", get(product))
        .route("/cart", get(cart))
        .route("/orders", get(orders))
        .route("/orders/{order}", get(order))
        .route("/orders/{order}/checkout", get(checkout))
        .fallback(missing)
        .layer(middleware::from_fn_with_state(Arc::clone(shop), welcome::<Shop>));
    let forms = Router::new()
        .route("/cart/lines", post(put))
        .route("/wishes/{product}/add", post(wish))
        .route("/wishes/{product}/remove", post(wish_no_more))
        .route("/checkout", post(place))
        .route("/orders/{order}/pay", post(pay))
        .route("/play/cart", post(play_cart))
        .route("/play/looks", post(play_looks))
        .route("/play/stock", post(play_stock))
        .route("/leave", post(leave))
        .layer(middleware::from_fn(own_forms_only));
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
        let Some(customer) = books.people.get(&visitor.0) else {
            return Redirect::to("/").into_response();
        };
        let token = match token::sign(&customer.id, customer.name, &shop.settings.identity_key) {
            Ok(token) => token,
            Err(error) => return token::unsigned(&error),
        };
        let frame = Frame { brand: views::BRAND, widget: shop.widget.clone(), token, name: customer.name };
        context.insert("frame", &frame);
        context.insert("in_cart", &customer.in_cart());
        context.insert("sold_out", &books.sold_out);
        context.insert("bad_card", customer.cards.iter().find(|card| !card.works).map_or("", |card| card.last));
        fill(customer, &mut context).is_some()
    };
    if found {
        shop.views.page(StatusCode::OK, name, &context)
    } else {
        shop.views.page(StatusCode::NOT_FOUND, "site.html", &context)
    }
}

async fn front(State(shop): State<Arc<Shop>>, visitor: Visitor) -> Response {
    page(&shop, &visitor, "front.html", |_, context| {
        context.insert("shelf", &views::shelf());
        Some(())
    })
}

async fn product(State(shop): State<Arc<Shop>>, visitor: Visitor, Path(slug): Path<String>) -> Response {
    let Some(product) = goods::find(&slug) else {
        return missing(State(shop), visitor).await;
    };
    // Who only looks is told of where there is room: no page waits for Beckon.
    let _ = shop.outbox.try_send(events::product_viewed(&visitor.0, product, Timestamp::now()));
    page(&shop, &visitor, "product.html", |customer, context| {
        context.insert("wished", &customer.wishes.contains(product.slug));
        context.insert("product", &views::tile(product));
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
    page(&shop, &visitor, "site.html", |_, _| None)
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
    let quantity = form.quantity.map_or(Quantity::OneMore, Quantity::Of);
    match till::put(&shop, &visitor.0, product, quantity) {
        Ok(()) => Redirect::to("/cart").into_response(),
        Err(untried) => not_done(&untried, product),
    }
}

async fn wish(state: State<Arc<Shop>>, visitor: Visitor, Path(slug): Path<String>) -> Response {
    wished(&state, &visitor, &slug, Wish::For)
}

async fn wish_no_more(state: State<Arc<Shop>>, visitor: Visitor, Path(slug): Path<String>) -> Response {
    wished(&state, &visitor, &slug, Wish::NoMore)
}

fn wished(shop: &Shop, visitor: &Visitor, slug: &str, wish: Wish) -> Response {
    let Some(product) = goods::find(slug) else { return StatusCode::NOT_FOUND.into_response() };
    match till::wish(shop, &visitor.0, product, wish) {
        Ok(()) => Redirect::to(&format!("/products/{slug}")).into_response(),
        Err(untried) => not_done(&untried, product),
    }
}

/// Where a form leads that changed nothing.
fn not_done(untried: &Untried, product: &goods::Product) -> Response {
    match untried {
        Untried::NotTheirs => Redirect::to("/").into_response(),
        Untried::SoldOut => Redirect::to(&format!("/products/{}", product.slug)).into_response(),
        Untried::Busy => busy(),
    }
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
        Err(Untried::NotTheirs | Untried::SoldOut) => Redirect::to("/orders").into_response(),
        Err(Untried::Busy) => busy(),
    }
}

/// Plays somebody new who left a lantern in the cart a while ago.
async fn play_cart(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Response {
    let Ok(told) = shop.outbox.try_reserve() else { return busy() };
    let mut books = shop.ledger.books();
    let (session, id) = books.people.welcome();
    if let (Some(customer), Some(lantern)) = (books.people.get_mut(&id), goods::SHELF.first()) {
        customer.put(lantern.slug, 1);
        told.send(events::cart_updated(customer, Timestamp::now() - CART_LEFT));
    }
    (remember(&*shop, &headers, session), Redirect::to("/cart")).into_response()
}

/// Plays somebody new who looked at three things a while ago, and put none of them into the cart.
async fn play_looks(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Response {
    let looked = goods::SHELF.iter().take(3);
    let Ok(told) = shop.outbox.try_reserve_many(looked.len()) else { return busy() };
    let (session, id) = shop.ledger.books().people.welcome();
    for (told, product) in told.zip(looked) {
        told.send(events::product_viewed(&id, product, Timestamp::now() - LOOKED));
    }
    (remember(&*shop, &headers, session), Redirect::to("/")).into_response()
}

/// Brings back what ran out, or sells it out again: for everybody.
async fn play_stock(State(shop): State<Arc<Shop>>) -> Response {
    match till::restock(&shop) {
        Ok(()) => Redirect::to("/").into_response(),
        Err(_) => busy(),
    }
}

fn busy() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "The shop is held up for a moment. Nothing was charged.").into_response()
}

async fn leave(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Response {
    (forget(&*shop, &headers), Redirect::to("/")).into_response()
}

async fn fresh_token(State(shop): State<Arc<Shop>>, visitor: Visitor) -> Response {
    match shop.ledger.books().people.get(&visitor.0) {
        Some(customer) => token::document(&customer.id, customer.name, &shop.settings.identity_key),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn status(State(shop): State<Arc<Shop>>, visitor: Visitor, Path(id): Path<String>) -> Response {
    let books = shop.ledger.books();
    let found = books.people.get(&visitor.0).and_then(|customer| Some((customer, customer.order(&id)?)));
    match found {
        Some((customer, order)) => Json(views::standing(customer, order)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn unreadable() -> Response {
    (StatusCode::BAD_REQUEST, "The shop could not read this form.").into_response()
}
