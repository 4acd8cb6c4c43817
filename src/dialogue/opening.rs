//! The opening: from a match to words that wait to be seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::closing;
use super::draft::Draft;
use super::room;
use super::words::fill;
use crate::model::catalog::{Catalog, ContextCall, Goal, Playbook, Template};
use crate::model::conversation::{Call, CallPhase, Conversation, Counters, Holder, Missing, Phase, Preparing};
use crate::model::customer::Timer;
use crate::model::decision::Effect;
use crate::model::entry::{By, Kind, Verdict};
use crate::model::event::Event;
use crate::model::ids::{CallId, ConversationId};
use crate::model::input::Choice;
use crate::model::memory::Kept;
use crate::model::pattern::{Further, Moment};
use crate::model::scope::{Scope, customer_value, event_value};
use crate::model::time::{Millis, Ms};
use crate::model::topic::Stage;
use crate::model::triage::Priority;

/// How long context calls may take together.
pub const CONTEXT_TIME: Millis = Millis::seconds(3);

/// What a conversation is opened for.
#[derive(Debug)]
pub struct Cause<'a> {
    /// The event that opens.
    pub event: &'a Kept,
    /// Earlier events of the burst that it ends.
    pub before: &'a [Kept],
    /// What would take the opening back, where it is for something that did not come.
    pub missing: Option<Missing>,
}

/// Why a match opens nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoOpening {
    /// The customer's state has no room for it.
    Full,
    /// It cannot be said, and why.
    Failed(String),
}

/// Commits a match as a conversation that waits; says the opening at once where nothing has to be fetched first.
///
/// # Errors
/// Why there is no opening for this event; then nothing has changed.
pub fn begin(
    draft: &mut Draft<'_>,
    catalog: &Arc<Catalog>,
    playbook: &Playbook,
    key: String,
    cause: Cause<'_>,
) -> Result<ConversationId, NoOpening> {
    let event = &*cause.event.event;
    let burst: Vec<Event> = match cause.before {
        [] => Vec::new(),
        before => before.iter().chain([cause.event]).map(|kept| (*kept.event).clone()).collect(),
    };
    // The last opening needs no fact: where it cannot be said, none can.
    let values = opening_values(draft, event, &burst, &BTreeMap::new());
    if let Some(last) = says(playbook, event).last() {
        fill(catalog, last, &values).map_err(|problem| NoOpening::Failed(format!("open.say: {problem}")))?;
    }
    let trigger = playbook.goal.as_ref().map_or(Value::Null, |goal| kept_fields(goal, event));
    if !room::in_state(&draft.state, room::size(event) + room::size(&burst) + room::size(&trigger) + room::OPENING) {
        return Err(NoOpening::Full);
    }
    let now = draft.now;
    let id = draft.mint();
    let preparing = Preparing { trigger: event.clone(), burst, facts: BTreeMap::new() };
    let mut conversation = fresh(playbook, catalog, key, now);
    conversation.event = Some(cause.event.id);
    conversation.missing = cause.missing;
    conversation.phase = Phase::Preparing(Box::new(preparing));
    conversation.trigger = trigger;
    draft.state.conversations.insert(id, conversation);
    for kept in cause.before.iter().chain([cause.event]) {
        draft.entry(id, By::System, Kind::Event { event: kept.id, envelope: kept.event.clone(), silent: false });
    }
    draft.entry(id, By::System, Kind::Verdict { playbook: playbook.name.clone(), verdict: Verdict::Waiting });
    hold_place(draft, playbook, id);
    draft.spoken_to(catalog, playbook.restraint.class, id);
    let within = now.plus(playbook.open.within);
    draft.set_timer(id, Timer::OpenWithin, event.expires.map_or(within, |expires| expires.min(within)));
    if let Some(goal) = &playbook.goal {
        draft.set_timer(id, Timer::GoalWithin, now.plus(goal.within));
    }
    fetch(draft, id, catalog, playbook, event);
    Ok(id)
}

/// A conversation of a playbook, with nothing in it yet.
pub fn fresh(playbook: &Playbook, catalog: &Catalog, key: String, now: Ms) -> Conversation {
    Conversation {
        playbook: playbook.name.clone(),
        catalog: catalog.hash.clone(),
        key,
        event: None,
        created: now,
        phase: Phase::Waiting,
        holder: Holder::Assistant,
        holder_n: 0,
        n: 0,
        seq: 0,
        trigger: Value::Null,
        missing: None,
        opened_at: None,
        outcome: None,
        turn: None,
        calls: BTreeMap::new(),
        last_call: 0,
        confirming: None,
        offered: Vec::new(),
        client_ids: BTreeMap::new(),
        counters: Counters::default(),
        rated: None,
        rating: None,
        team: None,
        unanswered: false,
        wordless: false,
        unattended: false,
        queued_at: None,
        priority: Priority::Normal,
        labels: BTreeSet::new(),
    }
}

/// A match holds its place in the limit from its input on; those past the limit's window are forgotten.
fn hold_place(draft: &mut Draft<'_>, playbook: &Playbook, id: ConversationId) {
    let Some(limit) = playbook.limit else { return };
    let now = draft.now;
    let used = draft.state.limits.entry(playbook.name.clone()).or_default();
    used.retain(|(at, _)| now.since(*at) < limit.per);
    used.push_back((now, id));
}

/// Starts the context calls; without any the opening is said at once.
fn fetch(draft: &mut Draft<'_>, id: ConversationId, catalog: &Catalog, playbook: &Playbook, event: &Event) {
    let mut scope = Scope::new();
    scope.bind("event", event_value(event));
    scope.bind("trigger", event_value(event));
    scope.bind("customer", customer_value(&draft.actor, draft.state.traits_object()));
    let mut waiting = false;
    for call in &playbook.context {
        match arguments(draft, catalog, call, &scope) {
            Ok(args) => {
                start_context_call(draft, id, call, args);
                waiting = true;
            }
            Err(problem) => {
                let kind = Kind::Fact { name: call.name.clone(), value: Value::Null, problem: Some(problem) };
                draft.entry(id, By::System, kind);
            }
        }
    }
    if waiting {
        // The calls leave with this decision, also where it finds late what was due before.
        draft.set_timer(id, Timer::Context, draft.found.plus(CONTEXT_TIME));
    } else {
        say_opening(draft, id);
    }
}

fn arguments(
    draft: &Draft<'_>,
    catalog: &Catalog,
    call: &ContextCall,
    scope: &Scope,
) -> Result<Map<String, Value>, String> {
    let mut args = Map::new();
    for (name, expression) in &call.with {
        args.insert(name.clone(), scope.value(expression)?);
    }
    let operation = catalog.operations.get(&call.operation).ok_or("there is no such operation")?;
    super::calls::allowed(operation, &draft.actor, &args)?;
    if !room::in_state(&draft.state, room::size(&args) + room::OPENING / 2) {
        return Err("there is no room for the arguments".to_owned());
    }
    Ok(args)
}

fn start_context_call(draft: &mut Draft<'_>, id: ConversationId, context: &ContextCall, args: Map<String, Value>) {
    let (actor, at) = (draft.actor.clone(), draft.now);
    let Some(conversation) = draft.edit(id) else { return };
    conversation.last_call += 1;
    let call = CallId(conversation.last_call);
    let catalog = conversation.catalog.clone();
    conversation.calls.insert(
        call,
        Call {
            operation: context.operation.clone(),
            bind: Some(context.name.clone()),
            args: args.clone(),
            write: false,
            context: true,
            once: None,
            phase: CallPhase::Pending,
        },
    );
    let operation = context.operation.clone();
    draft.effect(Effect::Call { actor, conversation: id, call, operation, catalog, args, write: false, at });
}

/// A context call came back; after the last one the opening is said.
pub fn fact(draft: &mut Draft<'_>, id: ConversationId, name: &str, outcome: Result<Value, String>) {
    let (value, problem) = match outcome {
        Ok(value) => (value, None),
        Err(problem) => (Value::Null, Some(problem)),
    };
    // One that is too large is kept in the log alone, and the opening goes without it.
    if problem.is_none()
        && room::in_state(&draft.state, room::size(&value) + room::OPENING / 2)
        && let Some(conversation) = draft.edit(id)
        && let Phase::Preparing(preparing) = &mut conversation.phase
    {
        preparing.facts.insert(name.to_owned(), value.clone());
    }
    draft.entry(id, By::System, Kind::Fact { name: name.to_owned(), value, problem });
    let ready = draft.conversation(id).is_some_and(|conversation| {
        matches!(conversation.phase, Phase::Preparing(_)) && !conversation.calls.values().any(|call| call.context)
    });
    if ready {
        say_opening(draft, id);
    }
}

/// Says the first opening whose variables exist. From then the conversation is listed and waits to be seen.
pub fn say_opening(draft: &mut Draft<'_>, id: ConversationId) {
    draft.clear_timer(id, Timer::Context);
    let Some((catalog, playbook)) = draft.playbook(id) else { return };
    let Some(conversation) = draft.conversation(id) else { return };
    let Phase::Preparing(preparing) = &conversation.phase else { return };
    let values = opening_values(draft, &preparing.trigger, &preparing.burst, &preparing.facts);
    let words = first(&catalog, says(&playbook, &preparing.trigger), &values);
    let Some(text) = words else {
        closing::fail(draft, id, "no opening could be said");
        return;
    };
    // What is on offer belongs to the opening's own words.
    let offered = if preparing.trigger.news.as_ref().is_some_and(|news| of_stage(&playbook, news.stage).is_some()) {
        &[]
    } else {
        playbook.open.choices.as_slice()
    };
    let choices: Vec<Choice> =
        room::offered(offered.iter().map(|c| Choice { label: c.clone(), value: c.clone() }).collect());
    if let Some(conversation) = draft.edit(id) {
        conversation.phase = Phase::Waiting;
        conversation.offered = choices.clone();
    }
    let kind = super::words::written(&playbook, text, choices);
    draft.entry(id, By::Assistant, kind);
}

/// What the opening says: of a topic that goes on or is over, what is said of that.
fn says<'p>(playbook: &'p Playbook, event: &Event) -> &'p [Template] {
    let further = event.news.as_ref().and_then(|news| of_stage(playbook, news.stage));
    further.map_or(&playbook.open.say, |further| &further.say)
}

fn of_stage(playbook: &Playbook, stage: Stage) -> Option<&Further> {
    let many = playbook.on.iter().find_map(|trigger| match &trigger.moment {
        Moment::Topic(many) => Some(many),
        _ => None,
    })?;
    match stage {
        Stage::Begun | Stage::Revoked => None,
        Stage::Updated => many.updates.as_ref(),
        Stage::Ended => many.ends.as_ref(),
    }
}

/// The first whose variables exist, in words.
fn first(catalog: &Catalog, says: &[Template], values: &Map<String, Value>) -> Option<String> {
    says.iter().find_map(|say| fill(catalog, say, values).ok().filter(|text| !text.is_empty()))
}

/// Says in a conversation that is there what the playbook says to a topic's news. While a person is asked for or holds it,
/// it is not the assistant who says so.
pub fn say_news(draft: &mut Draft<'_>, id: ConversationId, event: &Event, stage: Stage) {
    let Some((catalog, playbook)) = draft.playbook(id) else { return };
    let Some(conversation) = draft.conversation(id) else { return };
    // What opens is not said yet, and will know of the event by its log.
    if matches!(conversation.phase, Phase::Preparing(_)) || !room::for_acts(draft, id) {
        return;
    }
    let by = if conversation.holder == Holder::Assistant { By::Assistant } else { By::System };
    let Some(further) = of_stage(&playbook, stage) else { return };
    let values = opening_values(draft, event, &[], &BTreeMap::new());
    if let Some(text) = first(&catalog, &further.say, &values) {
        draft.entry(id, by, super::words::written(&playbook, text, Vec::new()));
        draft.stir(id);
    }
}

/// The customer saw the opening, or answered it.
pub fn seen(draft: &mut Draft<'_>, id: ConversationId) {
    if !draft.conversation(id).is_some_and(|c| matches!(c.phase, Phase::Waiting)) {
        return;
    }
    let now = draft.now;
    if let Some(conversation) = draft.edit(id) {
        conversation.phase = Phase::Open;
        conversation.opened_at = Some(now);
    }
    draft.clear_timer(id, Timer::OpenWithin);
    draft.entry(id, By::Customer, Kind::Opened {});
    draft.verdict_now(id, Verdict::Opened, None);
    draft.stir(id);
}

fn opening_values(
    draft: &Draft<'_>,
    event: &Event,
    burst: &[Event],
    facts: &BTreeMap<String, Value>,
) -> Map<String, Value> {
    let mut values: Map<String, Value> = facts.iter().map(|(name, fact)| (name.clone(), fact.clone())).collect();
    values.insert("event".to_owned(), event_value(event));
    values.insert("trigger".to_owned(), event_value(event));
    let alone = std::slice::from_ref(event);
    let events = if burst.is_empty() { alone } else { burst };
    values.insert("events".to_owned(), events.iter().map(event_value).collect());
    values.insert("customer".to_owned(), customer_value(&draft.actor, draft.state.traits_object()));
    values
}

/// Of the trigger, the fields that the goal names, in their places.
fn kept_fields(goal: &Goal, event: &Event) -> Value {
    let whole = event_value(event);
    let mut kept = Value::Object(Map::new());
    for path in &goal.trigger_paths {
        let Some(value) = path.iter().try_fold(&whole, |value, field| value.get(field)) else { continue };
        put(&mut kept, path, value.clone());
    }
    kept
}

fn put(place: &mut Value, path: &[String], value: Value) {
    match path.split_first() {
        None => *place = value,
        Some((field, rest)) => {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            if let Value::Object(fields) = place {
                put(fields.entry(field.clone()).or_insert(Value::Null), rest, value);
            }
        }
    }
}
