//! What a visitor can make happen to their parcels.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use beckon_example_site::{Event, Play, Site, Visitor};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::parcel::{Receiver, Status};

/// As long ago as the playbook waits for the next scan, but for a second: then the wait is over.
const THIS_MORNING: SignedDuration = SignedDuration::from_secs(6 * 60 * 60 - 1);

/// What can be played.
pub const PLAYS: [Play; 3] = [
    Play { name: "late", label: "Let it be late", note: "The lantern's van stands in traffic: three hours." },
    Play {
        name: "silent",
        label: "Lose its trace",
        note: "The chairs left the depot six hours ago, and nobody has scanned them since.",
    },
    Play { name: "arrival", label: "Announce it", note: "The books come tomorrow: will somebody be there?" },
];

/// Plays one of [`PLAYS`].
pub async fn play(State(site): State<Arc<Site<Receiver>>>, visitor: Visitor, Path(play): Path<String>) -> Response {
    let Some(which) = PLAYS.iter().position(|known| known.name == play) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Ok(told) = site.outbox.try_reserve() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let mut people = site.people();
    let Some(parcel) = people.get_mut(&visitor.0).and_then(|receiver| receiver.parcels.get_mut(which)) else {
        return Redirect::to("/").into_response();
    };
    let event = |kind, time, data| Event::at(time, "logistics", kind, &visitor.0, data);
    let now = Timestamp::now();
    told.send(match play.as_str() {
        "late" => {
            parcel.status = Status::Late;
            parcel.comes = "today, 17:00 to 19:00".to_owned();
            event("parcel.delayed", now, json!({ "parcel_id": parcel.id, "minutes": 180, "reason": "traffic" }))
        }
        "silent" => {
            parcel.status = Status::Late;
            event("parcel.left_depot", now - THIS_MORNING, json!({ "parcel_id": parcel.id }))
        }
        _ => event("parcel.arriving", now, json!({ "parcel_id": parcel.id, "window": parcel.comes })),
    });
    Redirect::to("/").into_response()
}
