//! Lumen: a small telecom with a page for each line and an API. It knows Beckon only from outside: its network posts
//! alerts as events to Beckon's HTTP API, it puts one script tag on its page, and signs a token for each customer.

mod api;
mod line;
mod network;
mod plays;

use std::io;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use beckon_example_site::{Beside, Brand, Example, Site, Visitor, assets, doors};

use line::{CREDIT, Line};
use network::Network;

/// Lumen as the demo and its own program start it.
pub const EXAMPLE: Example = Example {
    name: "telecom",
    hint: "cut a cable, ask for a credit, and mend it",
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
const WORKSPACE: &[(&str, &[u8])] =
    &[file!("beckon.toml"), file!("playbooks/outage.yaml"), file!("prompts/outage.md"), file!("adapters/telecom.yaml")];

const BRAND: &Brand = &Brand {
    name: "Lumen",
    note: "Lumen is a made-up telecom: no line of yours is down.",
    mark: concat!(
        r#"<circle class="petrol" cx="16" cy="24" r="4"/><path class="wave" d="M9 19a10 10 0 0 1 14 0"/>"#,
        r#"<path class="wave" d="M4 14a17 17 0 0 1 24 0"/>"#
    ),
    look: "telecom",
};

fn router(beside: Beside) -> io::Result<Router> {
    let site = Site::<Line>::new(beside, BRAND, &[("front.html", include_str!("../templates/front.html"))])?;
    let pages = Router::new().route("/", get(front));
    let forms = Router::new().route("/play/{play}", post(plays::play));
    let own = assets::own("telecom", include_str!("../assets/telecom.css"), include_str!("../assets/icon.svg"));
    Ok(doors(site, pages, forms, api::routes()).layer(Extension(Arc::new(Network::default()))).merge(own))
}

async fn front(
    State(site): State<Arc<Site<Line>>>,
    Extension(network): Extension<Arc<Network>>,
    visitor: Visitor,
) -> Response {
    site.page(&visitor, |line, context| {
        let outage = network.of(line.area);
        let of_it = |id: Option<&String>| id.is_some_and(|id| outage.as_ref().is_some_and(|now| now.id == *id));
        context.insert("credit", &of_it(line.credited.as_ref()).then_some(CREDIT));
        context.insert("ticket", &line.ticket);
        let down = outage.as_ref().is_some_and(network::Outage::lasts);
        context.insert("down", &down);
        // A ticket closes with its outage, and with whatever came after it.
        context.insert("ticket_open", &(down && of_it(line.ticket.as_ref().map(|ticket| &ticket.outage))));
        context.insert("callback", &line.callback);
        context.insert("area", line.area);
        context.insert("minutes", &outage.as_ref().map(network::Outage::minutes));
        context.insert("outage", &outage);
        context.insert("plays", &plays::PLAYS);
    })
}
