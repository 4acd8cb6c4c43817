//! An event that does not come. The wait lies in the customer's state; what ends it meets it in the same inbox.
//!
//! The boundary is exact: an event at the very end of the wait ends it, so a wait is due one millisecond after. One whose
//! end has passed when its event arrives is due at once.

use crate::model::conversation::Conversation;
use crate::model::customer::State;
use crate::model::ids::{ConversationId, EventId};
use crate::model::memory::{Kept, MAX_KEPT, MAX_STARTS, Memory, Start, Waiting, Wake};
use crate::model::pattern::Absence;
use crate::model::time::Ms;

use super::burst::size;

/// Whose wait it is.
#[derive(Debug, Clone, Copy)]
pub struct Whose<'a> {
    /// The playbook.
    pub playbook: &'a str,
    /// The trigger.
    pub trigger: &'a str,
    /// What its events are told apart by.
    pub key: &'a str,
}

/// What became of an event that begins a wait.
#[derive(Debug, Clone, PartialEq)]
pub enum Begun {
    /// It is waited until then, in place of these events.
    Waits(Ms, Vec<EventId>),
    /// What is waited for has come already, at that time.
    Came(Ms),
    /// A wait is under way from another event, until then.
    UnderWay(Ms),
}

/// When an event is heard.
#[derive(Debug, Clone, Copy)]
pub struct Heard {
    /// The time of the event.
    pub at: Ms,
    /// The time of the input.
    pub now: Ms,
    /// No event may still come that is older.
    pub horizon: Ms,
}

/// Begins a wait, or begins it anew.
pub fn begin(state: &mut State, absence: &Absence, whose: Whose<'_>, heard: Heard, kept: Kept) -> Begun {
    let at = heard.at;
    let end = at.plus(absence.within);
    // An event that waits for the next of its own type does not end its own wait.
    let itself = absence.of == absence.after.event;
    let (came, mut starts) = awaited(state, whose);
    // Also one after the end of the wait: it would have taken back what was opened.
    if let Some(came) = came
        && (came > at || (came == at && !itself))
    {
        return Begun::Came(came);
    }
    let wake = Wake {
        // Nobody could have known of it before: what opens counts its times from the arrival.
        due: Ms(end.0.saturating_add(1)).max(heard.now),
        what: Waiting::Absence,
        playbook: whose.playbook.to_owned(),
        trigger: whose.trigger.to_owned(),
        key: whose.key.to_owned(),
        open_key: None,
        since: at,
        events: vec![kept],
        rest: Vec::new(),
    };
    let (begun, start) =
        match state.wakes.iter_mut().find(|other| other.what == Waiting::Absence && is_of(other, whose)) {
            Some(other) if absence.from_first == (other.since <= at) && other.since != at => {
                (Begun::UnderWay(other.since.plus(absence.within)), Start { at, event: wake.events.into_iter().next() })
            }
            Some(other) => {
                let replaced = std::mem::replace(other, wake);
                let ids = replaced.ids();
                if let Some(start) = starts.iter_mut().find(|start| start.at == replaced.since && start.at != at) {
                    start.event = replaced.events.into_iter().next();
                }
                (Begun::Waits(end, ids), Start { at, event: None })
            }
            None => {
                state.wakes.push(wake);
                (Begun::Waits(end, Vec::new()), Start { at, event: None })
            }
        };
    if absence.from_first {
        let place = starts.partition_point(|other| other.at <= at);
        starts.insert(place, start);
        forget(&mut starts, heard.horizon);
        let memory = fitting(state, whose, came, starts);
        state.memories.put(whose.trigger, whose.key, memory, heard.now);
    }
    begun
}

/// What is remembered of a wait.
fn awaited(state: &State, whose: Whose<'_>) -> (Option<Ms>, Vec<Start>) {
    match state.memories.get(whose.trigger, whose.key) {
        Some(Memory::Came(came)) => (Some(*came), Vec::new()),
        Some(Memory::Awaited { came, starts }) => (*came, starts.clone()),
        _ => (None, Vec::new()),
    }
}

/// Forgets what nothing that may still come can be before; that something waited at the horizon stays known.
fn forget(starts: &mut Vec<Start>, horizon: Ms) {
    let old = starts.partition_point(|start| start.at <= horizon);
    starts.drain(..old.saturating_sub(1));
    if old > 0
        && let Some(first) = starts.first_mut()
    {
        first.event = None;
    }
    while starts.len() > MAX_STARTS {
        starts.remove(1);
    }
}

/// As much of it as there is room for: an event beyond it begins no wait any more.
fn fitting(state: &mut State, whose: Whose<'_>, came: Option<Ms>, mut starts: Vec<Start>) -> Memory {
    state.memories.forget(whose.trigger, whose.key);
    let mut room = MAX_KEPT.saturating_sub(state.memories.kept().map(|kept| size(&kept.event)).sum());
    for start in &mut starts {
        let size = start.event.as_ref().map_or(0, |kept| size(&kept.event));
        match room.checked_sub(size) {
            Some(left) => room = left,
            None => start.event = None,
        }
    }
    Memory::Awaited { came, starts }
}

/// What an event takes back.
#[derive(Debug, Default, PartialEq)]
pub struct Ended {
    /// What waited, and waits no more.
    pub wakes: Vec<Wake>,
    /// Conversations that were opened because it had not come.
    pub conversations: Vec<ConversationId>,
    /// A later event with which a wait begins in place of one that ended, and what became of that.
    pub next: Option<(EventId, Begun)>,
}

/// What was waited for came: every wait that began before it ends, also one for quiet hours or the end of a burst, and one
/// that is over and has not opened yet: it would take back what that opens. It is told which conversations were opened
/// because it had not come. Where the first event counts, a wait begins with the next one after it: it came too early to
/// end that one's wait.
pub fn end(state: &mut State, absence: &Absence, whose: Whose<'_>, heard: Heard) -> Ended {
    let at = heard.at;
    let (came, mut starts) = awaited(state, whose);
    let waited = starts.first().is_some_and(|start| start.at <= at);
    starts.retain(|start| start.at > at);
    let next = match starts.first_mut() {
        Some(start) if waited => start.event.take().map(|kept| (start.at, kept)),
        _ => None,
    };
    if next.is_some() {
        starts.remove(0);
    }
    let came = came.map_or(at, |came| came.max(at));
    let memory = if starts.is_empty() { Memory::Came(came) } else { Memory::Awaited { came: Some(came), starts } };
    state.memories.put(whose.trigger, whose.key, memory, heard.now);
    let is_ended = |wake: &Wake| is_of(wake, whose) && at >= wake.since;
    let (wakes, rest) = std::mem::take(&mut state.wakes).into_iter().partition(is_ended);
    state.wakes = rest;
    let opened = |conversation: &Conversation| {
        !conversation.phase.is_closed()
            && conversation.missing.as_ref().is_some_and(|missing| {
                missing.trigger == whose.trigger && missing.key == whose.key && at >= missing.since
            })
    };
    let conversations = state.conversations.iter().filter(|(_, c)| opened(c)).map(|(id, _)| *id).collect();
    let next = next.map(|(at, kept)| (kept.id, begin(state, absence, whose, Heard { at, ..heard }, kept)));
    Ended { wakes, conversations, next }
}

fn is_of(wake: &Wake, whose: Whose<'_>) -> bool {
    wake.trigger == whose.trigger && wake.key == whose.key
}
