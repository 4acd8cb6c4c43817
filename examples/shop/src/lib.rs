//! Northwind: a small real web shop, with pages, orders, cards and payments. It knows Beckon only from outside:
//! it posts events to its HTTP API, puts one script tag on its pages, and signs a token for each customer.
//! Everything is in memory, so a restart is a first day.

mod api;
mod assets;
mod customer;
mod events;
mod goods;
mod ledger;
mod money;
mod order;
mod pages;
mod till;
mod views;
mod workspace;

use std::io;
use std::sync::Arc;

use axum::Router;
use beckon_example_site::{Beside, Doors, Example, Outbox, Settings, Views};

use ledger::Ledger;

/// The shop as the demo and its own program start it.
pub const EXAMPLE: Example = Example {
    name: "shop",
    hint: "pay twice with the card ending 0002",
    listen: "127.0.0.1:8090",
    workspace: workspace::FILES,
    router,
};

struct Shop {
    settings: Settings,
    ledger: Ledger,
    outbox: Outbox,
    views: Views,
    widget: String,
}

impl Doors for Shop {
    fn cookie(&self) -> &'static str {
        "northwind"
    }

    fn welcome(&self) -> (String, String) {
        self.ledger.books().people.welcome()
    }

    fn visitor(&self, session: &str) -> Option<String> {
        self.ledger.books().people.visitor(session).map(str::to_owned)
    }
}

fn router(beside: Beside) -> io::Result<Router> {
    let Beside { settings, outbox, widget } = beside;
    let views = Views::new(&views::TEMPLATES).map_err(io::Error::other)?;
    let shop = Arc::new(Shop { settings, ledger: Ledger::new(), outbox, views, widget });
    Ok(Router::new()
        .merge(pages::routes(&shop))
        .nest("/api", api::routes(&shop))
        .merge(assets::routes())
        .with_state(shop))
}
