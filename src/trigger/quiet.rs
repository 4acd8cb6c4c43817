//! Quiet hours by the customer's clock. The zone is the event's, else the browser's, the profile's, the workspace's, UTC;
//! one that is unknown counts as not there. Zones come with the program: no machine's own files decide.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde_json::Value;

use crate::model::customer::State;
use crate::model::event::Event;
use crate::model::restraint::{Contact, QuietHours};
use crate::model::time::Ms;

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A zone by its IANA name.
pub fn zone(name: &str) -> Option<TimeZone> {
    ZONES.get(name).ok()
}

/// The customer's zone, and its name.
pub fn zone_of(event: &Event, state: &State, contact: &Contact) -> (TimeZone, String) {
    let known = |name: &str| state.traits.get(name).and_then(|known| known.value.as_str());
    let names = [
        event.extensions.get("timezone").and_then(Value::as_str),
        known("browser_timezone"),
        known("timezone"),
        contact.zone.as_deref(),
    ];
    let found = names.into_iter().flatten().find_map(|name| Some((zone(name)?, name.to_owned())));
    found.unwrap_or((TimeZone::UTC, "UTC".to_owned()))
}

/// Until when it is quiet; none where it is not. A clock change inside is passed over at the stated local time: where
/// that time does not exist it is the moment after the gap, where it exists twice the first one that is still to come.
pub fn until(hours: QuietHours, zone: &TimeZone, now: Ms) -> Option<Ms> {
    let instant = Timestamp::from_millisecond(i64::try_from(now.0).ok()?).ok()?;
    let local = instant.to_zoned(zone.clone()).datetime();
    let (time, over_night) = (local.time(), hours.to <= hours.from);
    let quiet = if over_night { time >= hours.from || time < hours.to } else { time >= hours.from && time < hours.to };
    if !quiet {
        return None;
    }
    let day = if time < hours.to { local.date() } else { local.date().tomorrow().ok()? };
    let wanted = zone.to_ambiguous_zoned(day.to_datetime(hours.to));
    let moment = |zoned: jiff::Zoned| u64::try_from(zoned.timestamp().as_millisecond()).ok().map(Ms);
    let first = wanted.clone().compatible().ok().and_then(moment)?;
    if first > now { Some(first) } else { wanted.later().ok().and_then(moment).filter(|later| *later > now) }
}
