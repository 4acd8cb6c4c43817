//! Gannet: a small parcel carrier with a page for who waits for a parcel, and an API. It knows Beckon only from outside:
//! it posts events to its HTTP API, puts one script tag on its page, and signs a token for each customer.

mod api;
mod parcel;
mod plays;

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use beckon_example_site::{Beside, Brand, Example, Site, Visitor, assets, doors};

use parcel::Receiver;

/// Gannet as the demo and its own program start it.
pub const EXAMPLE: Example = Example {
    name: "logistics",
    hint: "let a parcel be late, and have it brought to a pick-up point",
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
    file!("playbooks/delay.yaml"),
    file!("playbooks/arrival.yaml"),
    file!("prompts/parcel.md"),
    file!("adapters/logistics.yaml"),
];

const BRAND: &Brand = &Brand {
    name: "Gannet",
    note: "Gannet is a made-up carrier: no parcel is on its way.",
    mark: concat!(
        r#"<path class="petrol" d="M3 11l13-7 13 7-13 7z"/><path class="petrol" d="M3 14l12 6.500V29L3 22.500z"/>"#,
        r#"<path class="brick" d="M29 14l-12 6.500V29l12-6.500z"/>"#
    ),
    look: "logistics",
};

fn router(beside: Beside) -> io::Result<Router> {
    let site = Site::<Receiver>::new(beside, BRAND, &[("front.html", include_str!("../templates/front.html"))])?;
    let pages = Router::new().route("/", get(front));
    let forms = Router::new().route("/play/{play}", post(plays::play));
    let own = assets::own("logistics", include_str!("../assets/logistics.css"), include_str!("../assets/icon.svg"));
    Ok(doors(site, pages, forms, api::routes()).merge(own))
}

async fn front(State(site): State<Arc<Site<Receiver>>>, visitor: Visitor) -> Response {
    site.page(&visitor, |receiver, context| {
        context.insert("parcels", &receiver.parcels);
        context.insert("plays", &plays::PLAYS);
    })
}
