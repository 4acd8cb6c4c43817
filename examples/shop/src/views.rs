//! What the pages show: plain values for the templates, which hold no logic beyond `if` and `for`.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;
use tera::{Context, Tera};

use crate::customer::{Customer, QUANTITY};
use crate::order::{Line, Order, Status};
use crate::{goods, money};

const TEMPLATES: [(&str, &str); 7] = [
    ("layout.html", include_str!("../templates/layout.html")),
    ("front.html", include_str!("../templates/front.html")),
    ("cart.html", include_str!("../templates/cart.html")),
    ("checkout.html", include_str!("../templates/checkout.html")),
    ("order.html", include_str!("../templates/order.html")),
    ("orders.html", include_str!("../templates/orders.html")),
    ("missing.html", include_str!("../templates/missing.html")),
];

/// The compiled templates.
#[derive(Debug)]
pub struct Views(Tera);

impl Views {
    /// Compiles all templates.
    ///
    /// # Errors
    /// If one does not parse.
    pub fn new() -> Result<Self, tera::Error> {
        let mut tera = Tera::new();
        tera.add_raw_templates(TEMPLATES)?;
        Ok(Self(tera))
    }

    /// One page as a response.
    pub fn page(&self, status: StatusCode, name: &str, context: &Context) -> Response {
        match self.0.render(name, context) {
            Ok(page) => (status, Html(page)).into_response(),
            Err(error) => {
                tracing::error!(page = name, error = %error, "page not rendered");
                (StatusCode::INTERNAL_SERVER_ERROR, "This page is broken. Please come back later.").into_response()
            }
        }
    }
}

/// What every page shows around its own part.
#[derive(Debug, Serialize)]
pub struct Frame {
    /// Where Beckon's script is.
    pub widget: String,
    /// The customer token.
    pub token: String,
    name: &'static str,
    in_cart: u32,
    bad_card: &'static str,
}

impl Frame {
    /// The frame of this customer's pages.
    #[must_use]
    pub fn new(customer: &Customer, widget: String, token: String) -> Self {
        let bad_card = customer.cards.iter().find(|card| !card.works).map_or("", |card| card.last);
        Self { widget, token, name: customer.name, in_cart: customer.in_cart(), bad_card }
    }
}

/// A product on the front page.
#[derive(Debug, Serialize)]
pub struct Tile {
    slug: &'static str,
    title: &'static str,
    note: &'static str,
    price: String,
    drawing: &'static str,
}

/// The whole shelf.
#[must_use]
pub fn shelf() -> Vec<Tile> {
    let tile = |product: &goods::Product| Tile {
        slug: product.slug,
        title: product.title,
        note: product.note,
        price: money::words(product.cents),
        drawing: product.drawing,
    };
    goods::SHELF.iter().map(tile).collect()
}

/// A line of a cart or an order.
#[derive(Debug, Serialize)]
pub struct Row {
    slug: &'static str,
    title: &'static str,
    quantity: u32,
    fewer: u32,
    more: u32,
    full: bool,
    each: String,
    sum: String,
    drawing: &'static str,
}

/// Lines as rows.
#[must_use]
pub fn rows(lines: &[Line]) -> Vec<Row> {
    let row = |line: &Line| Row {
        slug: line.slug,
        title: line.title,
        quantity: line.quantity,
        fewer: line.quantity.saturating_sub(1),
        more: line.quantity.saturating_add(1),
        full: line.quantity >= QUANTITY,
        each: money::words(line.cents),
        sum: money::words(line.cents * line.quantity),
        drawing: goods::find(line.slug).map_or("", |product| product.drawing),
    };
    lines.iter().map(row).collect()
}

/// What the lines cost together, in words.
#[must_use]
pub fn total(lines: &[Line]) -> String {
    money::words(lines.iter().map(|line| line.cents * line.quantity).sum())
}

/// An order as its page, the list and the status document show it.
#[derive(Debug, Serialize)]
pub struct Standing {
    id: String,
    number: String,
    status: &'static str,
    label: &'static str,
    /// How many attempts were declined, in words; empty where none was.
    declined: String,
    total: String,
    in_cart: u32,
}

/// Where this order of this customer stands.
#[must_use]
pub fn standing(customer: &Customer, order: &Order) -> Standing {
    let declined = match order.declined {
        _ if order.status == Status::Paid => String::new(),
        0 => String::new(),
        1 => "This was attempt 1.".to_owned(),
        many => format!("This was attempt {many}."),
    };
    Standing {
        id: order.id.clone(),
        number: order.number.clone(),
        status: order.status.name(),
        label: order.status.label(),
        declined,
        total: money::words(order.cents()),
        in_cart: customer.in_cart(),
    }
}

/// A card to choose at checkout.
#[derive(Debug, Serialize)]
pub struct Choice {
    id: String,
    brand: &'static str,
    last: &'static str,
    expires: &'static str,
    chosen: bool,
}

/// The cards on file; chosen is the one tried last, else the default.
#[must_use]
pub fn choices(customer: &Customer, order: &Order) -> Vec<Choice> {
    let first = customer.cards.first().map(|card| &card.id);
    let chosen = order.last_card.as_ref().or(first);
    let choice = |card: &crate::customer::Card| Choice {
        id: card.id.clone(),
        brand: card.brand,
        last: card.last,
        expires: card.expires,
        chosen: Some(&card.id) == chosen,
    };
    customer.cards.iter().map(choice).collect()
}
