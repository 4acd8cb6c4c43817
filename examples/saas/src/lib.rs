//! Halyard: a planning tool for small crews, with an account page and an API. It knows Beckon only from outside: it posts
//! events to its HTTP API, puts one script tag on its page, and signs a token for each customer.

mod account;
mod api;
mod weeks;

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use beckon_example_site::{Beside, Brand, Example, Play, Site, Visitor, assets, doors};

use account::Account;

/// Halyard as the demo and its own program start it.
pub const EXAMPLE: Example = Example {
    name: "saas",
    hint: "let the logins fall for three weeks: a week takes a second there",
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
    file!("playbooks/falling-use.yaml"),
    file!("prompts/falling-use.md"),
    file!("adapters/saas.yaml"),
];

const BRAND: &Brand = &Brand {
    name: "Halyard",
    note: "Halyard is a made-up product: there is nothing to plan with it.",
    mark: concat!(
        r#"<path class="petrol" d="M15 2v22H4z"/><path class="brick" d="M18 7l9 17h-9z"/>"#,
        r#"<path class="petrol" d="M3 26h26l-4 4H7z"/>"#
    ),
    look: "saas",
};

const PLAYS: [Play; 2] = [
    Play { name: "logins", label: "Let the logins fall", note: "Four usual weeks of logins, then three quiet ones." },
    Play {
        name: "reports",
        label: "Let the reports rest",
        note: "Logins as ever, but for three weeks hardly anybody opens a report.",
    },
];

fn router(beside: Beside) -> io::Result<Router> {
    let site = Site::<Account>::new(beside, BRAND, &[("front.html", include_str!("../templates/front.html"))])?;
    let pages = Router::new().route("/", get(front));
    let forms = Router::new().route("/play/{play}", post(weeks::play));
    let own = assets::own("saas", include_str!("../assets/saas.css"), include_str!("../assets/icon.svg"));
    Ok(doors(site, pages, forms, api::routes()).merge(own))
}

async fn front(State(site): State<Arc<Site<Account>>>, visitor: Visitor) -> Response {
    site.page(&visitor, |account, context| {
        context.insert("weeks", &account.bars());
        context.insert("playing", &account.playing);
        context.insert("call", &account.call);
        context.insert("reason", &account.reason);
        context.insert("plays", &PLAYS);
    })
}
