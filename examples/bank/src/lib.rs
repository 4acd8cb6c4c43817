//! Breakwater: a small bank with an account page and an API. It knows Beckon only from outside: it posts events to its
//! HTTP API, puts one script tag on its page, and signs a token for each customer. What is secret it tells, and what is
//! asked of it it does, only for a while after the customer has proved on its own page who they are.

mod account;
mod api;
mod plays;

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use beckon_example_site::{Beside, Brand, Example, Site, Visitor, assets, doors};

use account::Account;

/// Breakwater as the demo and its own program start it.
pub const EXAMPLE: Example = Example {
    name: "bank",
    hint: "play a large payment abroad, confirm that it is you, and block the card",
    listen: "127.0.0.1:8090",
    workspace: WORKSPACE,
    router,
};

macro_rules! file {
    ($path:literal) => {
        ($path, include_bytes!(concat!("../workspace/", $path)) as &'static [u8])
    };
}

/// The files of the workspace. Its scenarios are for `beckon test`, and left out.
const WORKSPACE: &[(&str, &[u8])] = &[
    file!("beckon.toml"),
    file!("playbooks/unusual-spending.yaml"),
    file!("playbooks/large-deposit.yaml"),
    file!("prompts/unusual-spending.md"),
    file!("prompts/large-deposit.md"),
    file!("prompts/strict.md"),
    file!("adapters/bank.yaml"),
];

const BRAND: &Brand = &Brand {
    name: "Breakwater",
    note: "Breakwater is a made-up bank: no money is in it.",
    mark: concat!(
        r#"<path class="petrol" d="M4 13L16 4l12 9v3H4z"/>"#,
        r#"<path class="petrol" d="M7 18h3v7H7zM14.500 18h3v7h-3zM22 18h3v7h-3z"/><path class="brick" d="M4 26h24v3H4z"/>"#
    ),
    look: "bank",
};

fn router(beside: Beside) -> io::Result<Router> {
    let site = Site::<Account>::new(beside, BRAND, &[("front.html", include_str!("../templates/front.html"))])?;
    let pages = Router::new().route("/", get(front));
    let forms = Router::new().route("/play/{play}", post(plays::play)).route("/identity", post(prove));
    let own = assets::own("bank", include_str!("../assets/bank.css"), include_str!("../assets/icon.svg"));
    Ok(doors(site, pages, forms, api::routes()).merge(own))
}

async fn front(State(site): State<Arc<Site<Account>>>, visitor: Visitor) -> Response {
    site.page(&visitor, |account, context| {
        context.insert("balance", &account::words(account.balance()));
        context.insert("proved", &account.is_proved());
        context.insert("cards", &account.cards);
        context.insert("lines", &account.lines());
        context.insert("appointment", &account.appointment);
        context.insert("plays", &plays::PLAYS);
    })
}

/// Stands for the second factor of a real bank: a code, a key, a fingerprint.
async fn prove(State(site): State<Arc<Site<Account>>>, visitor: Visitor) -> Response {
    if let Some(account) = site.people().get_mut(&visitor.0) {
        account.prove();
    }
    Redirect::to("/").into_response()
}
