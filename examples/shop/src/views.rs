//! What the pages show: plain values for the templates, which hold no logic beyond `if` and `for`.

use beckon_example_site::Brand;
use serde::Serialize;

use crate::customer::{Customer, QUANTITY};
use crate::order::{Line, Order, Status};
use crate::{goods, money};

/// How the shop shows itself.
pub const BRAND: &Brand = &Brand {
    name: "Northwind",
    note: "Northwind is a made-up shop: nothing is sold, and no card is real.",
    mark: concat!(
        r#"<path class="rose" d="M16 1l4.200 10.800L31 16l-10.800 4.200L16 31l-4.200-10.800L1 16l10.800-4.200z"/>"#,
        r#"<path class="needle" d="M16 1v15l4.200-4.200z"/>"#
    ),
    look: "shop",
};

/// The shop's own templates.
pub const TEMPLATES: [(&str, &str); 7] = [
    ("layout.html", include_str!("../templates/layout.html")),
    ("front.html", include_str!("../templates/front.html")),
    ("product.html", include_str!("../templates/product.html")),
    ("cart.html", include_str!("../templates/cart.html")),
    ("checkout.html", include_str!("../templates/checkout.html")),
    ("order.html", include_str!("../templates/order.html")),
    ("orders.html", include_str!("../templates/orders.html")),
];

/// A product on the front page.
#[derive(Debug, Serialize)]
pub struct Tile {
    slug: &'static str,
    title: &'static str,
    note: &'static str,
    price: String,
    drawing: &'static str,
}

/// One product.
#[must_use]
pub fn tile(product: &goods::Product) -> Tile {
    Tile {
        slug: product.slug,
        title: product.title,
        note: product.note,
        price: money::words(product.cents),
        drawing: product.drawing,
    }
}

/// The whole shelf.
#[must_use]
pub fn shelf() -> Vec<Tile> {
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
