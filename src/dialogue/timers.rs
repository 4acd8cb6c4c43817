//! What is due: fired before an input, in order of due time, conversation and kind.

use super::calls;
use super::closing;
use super::draft::Draft;
use super::handoff;
use super::opening;
use super::turn;
use crate::model::customer::Timer;
use crate::model::entry::{By, Kind, OutcomeKind};
use crate::model::ids::ConversationId;
use crate::model::time::Ms;

/// Fires what is due strictly before `until`; with `inclusive` (a tick) also what is due at it.
pub fn fire(draft: &mut Draft<'_>, until: Ms, inclusive: bool) {
    while let Some((at, id, timer)) = draft.state.timers.first().copied() {
        if at > until || (at == until && !inclusive) {
            break;
        }
        draft.state.timers.remove(&(at, id, timer));
        draft.changed();
        draft.now = at;
        fire_one(draft, id, timer);
    }
    draft.now = until;
}

fn fire_one(draft: &mut Draft<'_>, id: ConversationId, timer: Timer) {
    match timer {
        Timer::Context => {
            late_facts(draft, id);
            opening::say_opening(draft, id);
        }
        Timer::OpenWithin => closing::expire(draft, id, "nobody saw it in time"),
        Timer::Turn => turn::timed_out(draft, id),
        Timer::Confirm => calls::lapse(draft, id, "it was not confirmed in time"),
        Timer::HandoffWithin => handoff::missed(draft, id),
        Timer::Idle => closing::close(draft, id, OutcomeKind::Abandoned),
        Timer::GoalWithin => {}
        Timer::Retire => closing::retire(draft, id),
    }
}

/// Facts that did not come in time are told as missing; a late one still becomes an entry.
fn late_facts(draft: &mut Draft<'_>, id: ConversationId) {
    let Some(conversation) = draft.conversation(id) else { return };
    let late: Vec<String> =
        conversation.calls.values().filter(|call| call.context).filter_map(|call| call.bind.clone()).collect();
    for name in late {
        let problem = Some("it took too long".to_owned());
        draft.entry(id, By::System, Kind::Fact { name, value: serde_json::Value::Null, problem });
    }
}
