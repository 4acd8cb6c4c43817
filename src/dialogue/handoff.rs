//! Handing over to a person, and back.

use serde_json::{Map, Value, json};

use super::calls;
use super::draft::Draft;
use super::turn;
use super::words::own_words;
use crate::model::catalog::{AWAY, Playbook};
use crate::model::conversation::{Conversation, Counters, Holder, Phase};
use crate::model::customer::Timer;
use crate::model::decision::{Effect, Notice};
use crate::model::entry::{By, HolderKind, Kind};
use crate::model::ids::ConversationId;
use crate::model::input::Operator;
use crate::model::scope::{Held, Scope, customer_value};

/// Asks the playbook's condition, which is done after each input; hands over where it holds. Answers whether it did.
pub fn consider(draft: &mut Draft<'_>, id: ConversationId, reason: &str, summary: &str) -> bool {
    let holds = wanted(draft, id);
    if holds {
        let asked = draft.conversation(id).is_some_and(|conversation| conversation.counters.asked_for_human);
        let reason = match reason {
            "" if asked => "the customer asked for a person",
            "" => "the playbook's condition holds",
            reason => reason,
        };
        ask(draft, id, reason, summary);
    }
    holds
}

/// Whether the assistant holds, and the playbook's condition for a person does.
pub fn wanted(draft: &Draft<'_>, id: ConversationId) -> bool {
    let Some((_, playbook)) = draft.playbook(id) else { return false };
    let Some(conversation) = draft.conversation(id) else { return false };
    if conversation.holder != Holder::Assistant || !matches!(conversation.phase, Phase::Open) {
        return false;
    }
    let counters = conversation.counters;
    match &playbook.handoff.when {
        None => counters.asked_for_human,
        Some(when) => {
            let mut scope = Scope::new();
            scope.bind("asked_for_human", Value::Bool(counters.asked_for_human));
            scope.bind("failures", json!(counters.failures));
            scope.bind("turns", json!(counters.turns));
            scope.bind("tokens", json!(counters.tokens));
            scope.ask(when) == Held::Yes
        }
    }
}

/// Puts the conversation into the queue for a person.
pub fn ask(draft: &mut Draft<'_>, id: ConversationId, reason: &str, summary: &str) {
    let Some((_, playbook)) = draft.playbook(id) else { return };
    if !draft.conversation(id).is_some_and(|c| c.holder == Holder::Assistant && !c.phase.is_closed()) {
        return;
    }
    turn::cancel(draft, id);
    calls::lapse(draft, id, "a person was asked for");
    draft.entry(id, By::System, Kind::Handoff { reason: reason.to_owned(), summary: summary.to_owned() });
    to_queue(draft, id, &playbook, None, reason);
}

/// An operator passes the conversation on: it waits for a person as if the assistant had asked for one.
pub fn pass(draft: &mut Draft<'_>, id: ConversationId, playbook: &Playbook, operator: &Operator, team: Option<&str>) {
    let to = team.map(|team| format!(" to {team}")).unwrap_or_default();
    let reason = format!("{} passed it on{to}", operator.name);
    draft.entry(id, By::Operator, Kind::Handoff { reason: reason.clone(), summary: String::new() });
    to_queue(draft, id, playbook, team, &reason);
}

/// It waits for a person from here.
fn to_queue(draft: &mut Draft<'_>, id: ConversationId, playbook: &Playbook, team: Option<&str>, reason: &str) {
    let now = draft.now;
    if let Some(conversation) = draft.edit(id) {
        conversation.holder = Holder::Queue;
        conversation.queued_at = Some(now);
        conversation.unattended = false;
        conversation.team = team.map(str::to_owned);
    }
    draft.entry(id, By::System, Kind::Holder { holder: HolderKind::Queue, name: None });
    draft.set_timer(id, Timer::HandoffWithin, now.plus(playbook.handoff.within));
    notify(draft, id, Notice::HandoffWaiting, reason);
}

/// Whose a conversation is: theirs to whom it was passed on, else theirs whom its playbook asks for.
pub fn team(conversation: &Conversation, playbook: Option<&Playbook>) -> Option<String> {
    conversation.team.clone().or_else(|| playbook.and_then(|playbook| playbook.handoff.team.clone()))
}

/// Nobody came: the customer is told, and the assistant holds again. It stays listed for operators.
pub fn missed(draft: &mut Draft<'_>, id: ConversationId) {
    let Some((catalog, playbook)) = draft.playbook(id) else { return };
    if !draft.conversation(id).is_some_and(|c| c.holder == Holder::Queue && !c.phase.is_closed()) {
        return;
    }
    let values = words_values(draft, id);
    let kind = own_words(&catalog, &playbook, &playbook.handoff.away, &AWAY, &values);
    draft.entry(id, By::Assistant, kind);
    let unanswered = draft.conversation(id).is_some_and(|c| c.unanswered);
    if let Some(conversation) = draft.edit(id) {
        conversation.unattended = true;
    }
    to_assistant(draft, id);
    notify(draft, id, Notice::HandoffMissed, "nobody took the conversation in time");
    if unanswered {
        turn::start(draft, id);
    }
}

/// The assistant holds from here, and is counted anew.
pub fn to_assistant(draft: &mut Draft<'_>, id: ConversationId) {
    draft.clear_timer(id, Timer::HandoffWithin);
    if let Some(conversation) = draft.edit(id) {
        conversation.holder = Holder::Assistant;
        conversation.counters = Counters::default();
    }
    draft.entry(id, By::System, Kind::Holder { holder: HolderKind::Assistant, name: None });
    draft.stir(id);
}

/// Names for the words of handoff and fallback.
pub fn words_values(draft: &Draft<'_>, id: ConversationId) -> Map<String, Value> {
    let mut values = Map::new();
    values.insert("customer".to_owned(), customer_value(&draft.actor, draft.state.traits_object()));
    let trigger = draft.conversation(id).map(|c: &Conversation| c.trigger.clone()).unwrap_or_default();
    values.insert("trigger".to_owned(), trigger);
    values
}

/// Tells the company of it, and whose it is.
pub fn notify(draft: &mut Draft<'_>, id: ConversationId, about: Notice, reason: &str) {
    let playbook = draft.playbook(id).map(|(_, playbook)| playbook);
    let team = draft.conversation(id).and_then(|conversation| team(conversation, playbook.as_deref()));
    let (actor, pos, at) = (draft.actor.clone(), draft.pos, draft.now);
    draft.effect(Effect::Notify { actor, conversation: id, pos, about, at, team, reason: reason.to_owned() });
}
