//! Goals: what the playbook wanted did happen.

use super::closing;
use super::draft::Draft;
use super::room;
use crate::model::conversation::{Outcome, Phase};
use crate::model::customer::Timer;
use crate::model::decision::GoalReached;
use crate::model::entry::{By, Kind, OutcomeKind};
use crate::model::event::{Event, Trust};
use crate::model::ids::{ConversationId, EventId};
use crate::model::scope::{Held, Scope, customer_value, event_value};

/// Asks every conversation whose goal this event may be, also closed ones while within.
pub fn reach(draft: &mut Draft<'_>, event: &Event, event_id: EventId) {
    let waiting: Vec<ConversationId> =
        draft.state.timers.iter().filter(|(_, _, timer)| *timer == Timer::GoalWithin).map(|(_, id, _)| *id).collect();
    for id in waiting {
        reach_one(draft, id, event, event_id);
    }
}

fn reach_one(draft: &mut Draft<'_>, id: ConversationId, event: &Event, event_id: EventId) {
    let Some((_, playbook)) = draft.playbook(id) else { return };
    let Some(goal) = &playbook.goal else { return };
    let Some(conversation) = draft.conversation(id) else { return };
    let heard = goal.event == event.kind && (goal.trust == Trust::Client || event.trust == Trust::Server);
    if !heard || conversation.outcome.as_ref().is_some_and(|o| o.kind == OutcomeKind::Goal) {
        return;
    }
    let mut scope = Scope::new();
    scope.bind("event", event_value(event));
    scope.bind("trigger", conversation.trigger.clone());
    scope.bind("customer", customer_value(&draft.actor, draft.state.traits_object()));
    if let Some(when) = &goal.when
        && scope.ask(when) != Held::Yes
    {
        return;
    }
    let value = goal.value.as_ref().and_then(|value| scope.value(value).ok()).and_then(room::worth);
    let now = draft.now;
    let unseen = matches!(conversation.phase, Phase::Waiting | Phase::Preparing(_));
    let envelope = Box::new(event.clone());
    draft.entry(id, By::System, Kind::Event { event: event_id, envelope, silent: false });
    draft.entry(id, By::System, Kind::Outcome { outcome: OutcomeKind::Goal, value: value.clone() });
    if let Some(conversation) = draft.edit(id) {
        conversation.outcome = Some(Outcome { kind: OutcomeKind::Goal, value: value.clone(), at: now });
    }
    draft.clear_timer(id, Timer::GoalWithin);
    draft.out.goals.push(GoalReached { conversation: id, value });
    if unseen {
        closing::expire(draft, id, "the goal was reached before it was seen");
    }
}
