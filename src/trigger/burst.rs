//! Matches that wait together: a burst becomes one opening that knows all of its events, and so does what quiet hours
//! hold. Bounded: of later events of a burst the ids are kept, and what
//! does not fit is refused.

use crate::model::customer::State;
use crate::model::entry::Verdict;
use crate::model::event::Event;
use crate::model::memory::{MAX_BURST, MAX_KEPT, MAX_REST, MAX_WAKES, Waiting, Wake};
use crate::model::restraint::Debounce;
use crate::model::time::Ms;
use serde_json::json;

use super::sense::{Matched, No};

/// Whether one more event may wait.
pub fn has_room(state: &State, event: &Event) -> bool {
    let kept = state.wakes.iter().flat_map(|wake| &wake.events).map(|kept| size(&kept.event));
    state.wakes.len() < MAX_WAKES && kept.sum::<usize>() + size(event) <= MAX_KEPT
}

/// How much of the room for them an event takes, in bytes.
pub(super) fn size(event: &Event) -> usize {
    serde_json::to_vec(event).map_or(usize::MAX / 2, |bytes| bytes.len())
}

/// A match waits for its burst to end.
pub fn gather(state: &mut State, matched: Matched, open_key: &str, debounce: Debounce, now: Ms) -> No {
    let ends = |since: Ms| now.plus(debounce.quiet).min(since.plus(debounce.at_most));
    match wait(state, matched, open_key, Waiting::Burst, now, ends) {
        Ok((due, count)) => {
            let values = json!({ "until": due.to_string(), "events": count });
            No::with(Verdict::Pending, "it waits for a burst to end", values)
        }
        Err(no) => no,
    }
}

/// A match waits for quiet hours to end.
pub fn hold(state: &mut State, matched: Matched, open_key: &str, until: Ms, now: Ms, no: No) -> No {
    match wait(state, matched, open_key, Waiting::Quiet, now, |_| until) {
        Ok(_) => no,
        Err(full) => full,
    }
}

/// Adds a match to what waits under its key, or lets it begin to. Answers when it is due and how many events wait.
fn wait(
    state: &mut State,
    matched: Matched,
    open_key: &str,
    what: Waiting,
    now: Ms,
    due: impl Fn(Ms) -> Ms,
) -> Result<(Ms, usize), No> {
    let room = matched.events.iter().all(|kept| has_room(state, &kept.event));
    let place = state.wakes.iter().position(|wake| {
        wake.what == what && wake.playbook == matched.playbook.name && wake.open_key.as_deref() == Some(open_key)
    });
    if let Some(wake) = place.and_then(|place| state.wakes.get_mut(place)) {
        wake.due = due(wake.since);
        let whole = room && wake.events.len() + matched.events.len() <= MAX_BURST;
        if whole {
            wake.events.extend(matched.events);
        } else if wake.rest.len() + matched.events.len() <= MAX_REST {
            wake.rest.extend(matched.ids());
        } else {
            return Err(No::of(Verdict::Limited, "full"));
        }
        return Ok((wake.due, wake.events.len() + wake.rest.len()));
    }
    if !room {
        return Err(No::of(Verdict::Limited, "full"));
    }
    let count = matched.ids().len();
    // What takes an absence back is measured from when its wait began.
    let wake = Wake {
        due: due(now),
        what,
        playbook: matched.playbook.name.clone(),
        trigger: matched.trigger,
        key: matched.key,
        open_key: Some(open_key.to_owned()),
        since: matched.missing_since.unwrap_or(now),
        events: matched.events,
        rest: matched.rest,
    };
    let due = wake.due;
    state.wakes.push(wake);
    Ok((due, count))
}
