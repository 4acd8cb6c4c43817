//! The end of a conversation.

use super::calls;
use super::draft::Draft;
use super::turn;
use crate::model::conversation::{Outcome, Phase};
use crate::model::customer::Timer;
use crate::model::entry::{By, Kind, OutcomeKind, Verdict};
use crate::model::ids::ConversationId;
use crate::model::time::Millis;

/// A closed conversation stays in the state for this long at least: a frame sent again gets its answer.
pub const KEPT: Millis = Millis::hours(24);

/// Ends a conversation. An outcome that is there already stands: `goal` wins over all.
pub fn close(draft: &mut Draft<'_>, id: ConversationId, kind: OutcomeKind) {
    if draft.conversation(id).is_none_or(|c| c.phase.is_closed()) {
        return;
    }
    turn::cancel(draft, id);
    calls::lapse(draft, id, "the conversation was closed");
    for timer in [Timer::Context, Timer::OpenWithin, Timer::HandoffWithin, Timer::Idle, Timer::Turn] {
        draft.clear_timer(id, timer);
    }
    let now = draft.now;
    let Some(conversation) = draft.edit(id) else { return };
    conversation.phase = Phase::Closed;
    conversation.queued_at = None;
    conversation.unattended = false;
    conversation.offered.clear();
    let outcome = conversation.outcome.get_or_insert(Outcome { kind, value: None, at: now }).kind;
    let listed = conversation.seq > 0;
    let kept = now.plus(KEPT);
    let kind = Kind::Closed { outcome };
    if listed {
        draft.entry(id, By::System, kind);
    } else {
        // Nobody ever saw it: there is no end to tell of.
        draft.inner_entry(id, By::System, kind);
    }
    draft.set_timer(id, Timer::Retire, kept);
}

/// Ends an opening that nobody saw: its key and its places in limit and contact budget are free again.
pub fn expire(draft: &mut Draft<'_>, id: ConversationId, reason: &str) {
    end_unseen(draft, id, Verdict::Expired, reason);
}

/// Takes back an opening that nobody saw, for what was missing came.
pub fn withdraw(draft: &mut Draft<'_>, id: ConversationId, reason: &str) {
    end_unseen(draft, id, Verdict::Withdrawn, reason);
}

fn end_unseen(draft: &mut Draft<'_>, id: ConversationId, verdict: Verdict, reason: &str) {
    let Some(conversation) = draft.conversation(id) else { return };
    if !matches!(conversation.phase, Phase::Waiting | Phase::Preparing(_)) {
        return;
    }
    draft.verdict_now(id, verdict, Some(reason));
    free_place(draft, id);
    close(draft, id, OutcomeKind::Expired);
}

/// Ends an opening that could not be said: it was as if it had never begun.
pub fn fail(draft: &mut Draft<'_>, id: ConversationId, reason: &str) {
    draft.verdict_now(id, Verdict::Failed, Some(reason));
    free_place(draft, id);
    close(draft, id, OutcomeKind::Failed);
}

/// Nobody was talked to: its places in limit and contact budget are free again, and no topic has told anything.
fn free_place(draft: &mut Draft<'_>, id: ConversationId) {
    let Some(playbook) = draft.conversation(id).map(|conversation| conversation.playbook.clone()) else { return };
    if let Some(used) = draft.state.limits.get_mut(&playbook) {
        used.retain(|(_, holder)| *holder != id);
    }
    draft.state.contacts.retain(|(_, _, holder)| *holder != id);
    // Nor was the customer told of a topic.
    draft.state.told.retain(|_, known| known.conversation != Some(id));
}

/// A closed conversation leaves the state, unless a goal or a call may still follow.
pub fn retire(draft: &mut Draft<'_>, id: ConversationId) {
    let Some(conversation) = draft.conversation(id) else { return };
    let goal = draft.timer(id, Timer::GoalWithin);
    if !conversation.calls.is_empty() || goal.is_some() {
        let next = goal.unwrap_or(draft.now).max(draft.now.plus(KEPT));
        draft.set_timer(id, Timer::Retire, next);
        return;
    }
    draft.retire(id);
}
