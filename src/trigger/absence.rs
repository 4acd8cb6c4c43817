//! An event that does not come. The wait lies in the customer's state; what ends it meets it in the same inbox.
//!
//! The boundary is exact: an event at the very end of the wait ends it, so a wait is due one millisecond after.

use crate::model::conversation::Conversation;
use crate::model::customer::State;
use crate::model::ids::{ConversationId, EventId};
use crate::model::memory::{Kept, Memory, Waiting, Wake};
use crate::model::pattern::Absence;
use crate::model::time::Ms;

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
#[derive(Debug, PartialEq)]
pub enum Begun {
    /// It is waited until then, in place of these events.
    Waits(Ms, Vec<EventId>),
    /// What is waited for has come already, at that time.
    Came(Ms),
    /// A wait is under way from another event, until then.
    UnderWay(Ms),
}

/// Begins a wait, or begins it anew.
pub fn begin(state: &mut State, absence: &Absence, whose: Whose<'_>, at: Ms, kept: Kept) -> Begun {
    let end = at.plus(absence.within);
    // An event that waits for the next of its own type does not end its own wait.
    let itself = absence.of == absence.after.event;
    // Also one after the end of the wait: it would have taken back what was opened.
    if let Some(Memory::Came(came)) = state.memories.get(whose.trigger, whose.key)
        && (*came > at || (*came == at && !itself))
    {
        return Begun::Came(*came);
    }
    let wake = Wake {
        due: Ms(end.0.saturating_add(1)),
        what: Waiting::Absence,
        playbook: whose.playbook.to_owned(),
        trigger: whose.trigger.to_owned(),
        key: whose.key.to_owned(),
        open_key: None,
        since: at,
        events: vec![kept],
        rest: Vec::new(),
    };
    match state.wakes.iter_mut().find(|other| other.what == Waiting::Absence && is_of(other, whose)) {
        Some(other) if absence.from_first == (other.since <= at) && other.since != at => {
            Begun::UnderWay(Ms(other.due.0.saturating_sub(1)))
        }
        Some(other) => {
            let replaced = other.ids();
            *other = wake;
            Begun::Waits(end, replaced)
        }
        None => {
            state.wakes.push(wake);
            Begun::Waits(end, Vec::new())
        }
    }
}

/// What an event takes back.
#[derive(Debug, Default, PartialEq)]
pub struct Ended {
    /// What waited, and waits no more.
    pub wakes: Vec<Wake>,
    /// Conversations that were opened because it had not come.
    pub conversations: Vec<ConversationId>,
}

/// What was waited for came: every wait that it is in time for ends, also one for quiet hours or the end of a burst. It
/// is told which conversations were opened because it had not come.
pub fn end(state: &mut State, whose: Whose<'_>, at: Ms, now: Ms) -> Ended {
    let came = match state.memories.get(whose.trigger, whose.key) {
        Some(Memory::Came(came)) => at.max(*came),
        _ => at,
    };
    state.memories.put(whose.trigger, whose.key, Memory::Came(came), now);
    let is_ended = |wake: &Wake| {
        is_of(wake, whose)
            && at >= wake.since
            && match wake.what {
                Waiting::Absence => at < wake.due,
                Waiting::Quiet | Waiting::Burst => true,
                Waiting::Period => false,
            }
    };
    let (wakes, rest) = std::mem::take(&mut state.wakes).into_iter().partition(is_ended);
    state.wakes = rest;
    let opened = |conversation: &Conversation| {
        !conversation.phase.is_closed()
            && conversation.missing.as_ref().is_some_and(|missing| {
                missing.trigger == whose.trigger && missing.key == whose.key && at >= missing.since
            })
    };
    let conversations = state.conversations.iter().filter(|(_, c)| opened(c)).map(|(id, _)| *id).collect();
    Ended { wakes, conversations }
}

fn is_of(wake: &Wake, whose: Whose<'_>) -> bool {
    wake.trigger == whose.trigger && wake.key == whose.key
}
