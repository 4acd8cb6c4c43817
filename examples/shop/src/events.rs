//! What the shop tells Beckon: each event as a CloudEvent with its data.

use beckon_example_site::Event;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::customer::Customer;
use crate::goods::Product;
use crate::money;
use crate::order::Order;

const SOURCE: &str = "shop";

/// A card was declined; `attempt` counts from 1.
#[must_use]
pub fn payment_failed(customer: &str, order: &Order, attempt: u32) -> Event {
    let data = json!({
        "order_id": order.id, "number": order.number, "attempt": attempt,
        "total": money::euros(order.cents()), "currency": money::CURRENCY, "reason": "card_declined",
    });
    Event::now(SOURCE, "checkout.payment_failed", customer, data)
}

/// An order was paid.
#[must_use]
pub fn completed(customer: &str, order: &Order) -> Event {
    let data = json!({
        "order_id": order.id, "number": order.number,
        "total": money::euros(order.cents()), "currency": money::CURRENCY,
    });
    Event::now(SOURCE, "checkout.completed", customer, data)
}

/// Something was put into the cart or taken out of it, and something is in it.
#[must_use]
pub fn cart_updated(customer: &Customer, time: Timestamp) -> Event {
    let cents: u32 = customer.lines().iter().map(|line| line.cents * line.quantity).sum();
    let data = json!({ "items": customer.in_cart(), "total": money::euros(cents), "currency": money::CURRENCY });
    Event::at(time, SOURCE, "cart.updated", &customer.id, data)
}

/// The cart is empty again: what was in it was paid, or taken out.
#[must_use]
pub fn cart_ended(customer: &str, reason: &str) -> Event {
    Event::now(SOURCE, "cart.ended", customer, json!({ "reason": reason }))
}

/// Somebody looked at a product.
#[must_use]
pub fn product_viewed(customer: &str, product: &Product, time: Timestamp) -> Event {
    Event::at(time, SOURCE, "product.viewed", customer, of(product))
}

/// Somebody put a product on their wish list.
#[must_use]
pub fn wished(customer: &str, product: &Product) -> Event {
    Event::now(SOURCE, "wishlist.added", customer, of(product))
}

/// Somebody took a product off their wish list.
#[must_use]
pub fn wished_no_more(customer: &str, product: &Product) -> Event {
    Event::now(SOURCE, "wishlist.removed", customer, of(product))
}

/// A product is there again; about nobody in particular, whoever wished for it.
#[must_use]
pub fn returned(product: &Product) -> Event {
    Event::of_many(Timestamp::now(), SOURCE, "stock.returned", of(product))
}

/// The last one of a product was sold.
#[must_use]
pub fn gone(product: &Product) -> Event {
    Event::of_many(Timestamp::now(), SOURCE, "stock.gone", of(product))
}

/// What is told of a product.
fn of(product: &Product) -> Value {
    json!({ "product": product.slug, "title": product.title, "price": money::euros(product.cents) })
}
