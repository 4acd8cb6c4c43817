//! What a visitor can make happen to the network where they live.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use beckon_example_site::{Event, Play, Site, Visitor};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::line::Line;
use crate::network::{Area, Network, Outage};

/// As long ago as the playbook holds an alert, but for a second: then the hold is over.
const TWO_MINUTES: SignedDuration = SignedDuration::from_secs(2 * 60 - 1);

/// What can be played.
pub const PLAYS: [Play; 4] = [
    Play { name: "cut", label: "Cut a cable", note: "The alert for your area has lasted two minutes, less a second." },
    Play { name: "news", label: "Find the cut", note: "Those who were told hear it, and when there is more." },
    Play { name: "solve", label: "Mend it", note: "The alert ends: those who were told hear that too." },
    Play {
        name: "flap",
        label: "Let an alert flap",
        note: "It goes a second before two minutes are over: nobody hears of it.",
    },
];

/// Plays one of [`PLAYS`].
pub async fn play(
    State(site): State<Arc<Site<Line>>>,
    Extension(network): Extension<Arc<Network>>,
    visitor: Visitor,
    Path(play): Path<String>,
) -> Response {
    if !PLAYS.iter().any(|known| known.name == play) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let Some(area) = site.people().get(&visitor.0).map(|line| line.area) else {
        return Redirect::to("/").into_response();
    };
    // A flapping alert comes and goes: two events.
    let Ok(mut told) = site.outbox.try_reserve_many(2) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    for (event, place) in events(&network, area, &play).into_iter().zip(&mut told) {
        place.send(event);
    }
    Redirect::to("/").into_response()
}

/// What there is to tell of a play; nothing where it cannot happen now.
fn events(network: &Network, area: &'static Area, play: &str) -> Vec<Event> {
    let now = Timestamp::now();
    let mut outages = network.outages();
    let open = outages.get_mut(area.id).filter(|outage| outage.lasts());
    match (play, open) {
        ("cut", None) => {
            let outage = Outage::since(now - TWO_MINUTES);
            let firing = Event::of_many(outage.began, "network", "alertmanager.firing", outage.alert(area));
            outages.insert(area.id, outage);
            vec![firing]
        }
        ("news", Some(outage)) => {
            outage.next_update = "at noon";
            outage.cause = "a digger cut a cable, and a crew is at it";
            let news = json!({ "fingerprint": outage.id, "text": "A digger cut a cable, and a crew is at it.",
                "next_update": outage.next_update });
            vec![Event::of_many(now, "network", "outage.updated", news)]
        }
        ("solve", Some(outage)) => {
            outage.solved = Some(now);
            vec![Event::of_many(now, "network", "alertmanager.resolved", outage.alert(area))]
        }
        ("flap", _) => {
            let mut outage = Outage::since(now - TWO_MINUTES);
            let firing = Event::of_many(outage.began, "network", "alertmanager.firing", outage.alert(area));
            outage.solved = Some(now);
            vec![firing, Event::of_many(now, "network", "alertmanager.resolved", outage.alert(area))]
        }
        _ => Vec::new(),
    }
}
