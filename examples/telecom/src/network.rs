//! The network: its areas, what is down in them, and who lives there beside those who visit the page.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use beckon_example_site::random;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

/// How many households an area has that never look at the page: enough for several pages of the API.
const HOUSEHOLDS: u32 = 45;

/// A part of the network.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Area {
    /// How alerts and the API call it.
    pub id: &'static str,
    /// How people call it.
    pub name: &'static str,
}

/// All areas.
pub const AREAS: [Area; 3] = [
    Area { id: "harbour", name: "the harbour" },
    Area { id: "mill-hill", name: "Mill Hill" },
    Area { id: "old-town", name: "the old town" },
];

/// A part of the network that is, or was, down.
#[derive(Debug, Clone, Serialize)]
pub struct Outage {
    /// Its id: the fingerprint of the alert.
    pub id: String,
    /// When it began.
    #[serde(skip)]
    pub began: Timestamp,
    /// When it was over.
    #[serde(skip)]
    pub solved: Option<Timestamp>,
    /// Why, as people say it.
    pub cause: &'static str,
    /// When there is more to say, as people say it.
    pub next_update: &'static str,
}

impl Outage {
    /// One that began then; its alert has an id of its own.
    #[must_use]
    pub fn since(began: Timestamp) -> Self {
        Self {
            id: random(16).to_ascii_lowercase(),
            began,
            solved: None,
            cause: "a cable is cut",
            next_update: "within the hour",
        }
    }

    /// Whether it goes on.
    #[must_use]
    pub fn lasts(&self) -> bool {
        self.solved.is_none()
    }

    /// How many whole minutes it took, or takes already.
    #[must_use]
    pub fn minutes(&self) -> i64 {
        self.solved.unwrap_or_else(Timestamp::now).duration_since(self.began).as_secs() / 60
    }

    /// Its alert as Alertmanager tells it.
    #[must_use]
    pub fn alert(&self, area: &Area) -> Value {
        json!({
            "status": if self.solved.is_some() { "resolved" } else { "firing" },
            "labels": { "alertname": "AreaDown", "area": area.id, "severity": "page" },
            "annotations": { "summary": self.cause },
            "startsAt": self.began.to_string(),
            // Alertmanager's own way to say that it is not over.
            "endsAt": self.solved.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |solved| solved.to_string()),
            "fingerprint": self.id,
        })
    }
}

/// What each area's latest outage is.
#[derive(Debug, Default)]
pub struct Network(Mutex<BTreeMap<&'static str, Outage>>);

impl Network {
    /// All outages by area, for as long as the guard lives; never held across a wait.
    pub fn outages(&self) -> MutexGuard<'_, BTreeMap<&'static str, Outage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latest outage of an area, if it had one.
    #[must_use]
    pub fn of(&self, area: &Area) -> Option<Outage> {
        self.outages().get(area.id).cloned()
    }
}

/// Those who live in an area and never look at the page.
pub fn households(area: &Area) -> impl Iterator<Item = String> {
    (0..HOUSEHOLDS).map(move |number| format!("{}-{number:02}", area.id))
}
