//! The script: the assistant without a model, and when every model is down. A pure function of the log.

use serde_json::{Map, Value};

use super::room::MAX_VALUE;
use super::words::{DECLINED, FAILED, UNKNOWN, fill};
use crate::model::catalog::{Catalog, Expression, Playbook, Script, ScriptChoices, ScriptStep, Template};
use crate::model::entry::{By, CallState, Entry, Kind};
use crate::model::ids::ActorId;
use crate::model::input::{Choice, Generation, HandoffRequest, Proposal};
use crate::model::scope::{Scope, customer_value, event_value};

/// What the runner knows of a conversation: enough for the script's answer and for a prompt.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The catalog it runs on.
    pub catalog: &'a Catalog,
    /// Its playbook.
    pub playbook: &'a Playbook,
    /// The customer.
    pub actor: &'a ActorId,
    /// What is known of the customer.
    pub traits: &'a Map<String, Value>,
    /// The log, up to the entry that the turn began with.
    pub log: &'a [Entry],
}

/// The name of the script where a model's name stands.
pub const SCRIPT: &str = "script";

/// The most choices offered at once.
const MAX_CHOICES: usize = 20;

/// The script's answer.
///
/// # Errors
/// Why it has none; then the fallback is said.
pub fn answer(situation: &Situation<'_>) -> Result<Generation, String> {
    let script = &situation.playbook.talk.script;
    let mut scope = names(situation);
    let spoken = latest_words(situation.log);
    bind_words(&mut scope, script, spoken);
    if let Some(waiting) = waiting_step(situation.log, script) {
        return Ok(conclude(situation, &mut scope, &waiting));
    }
    // What the customer said before has its answer: this is about what happened since.
    if heard_since(situation.log) {
        bind_words(&mut scope, script, None);
    }
    for (at, step) in script.steps.iter().enumerate() {
        scope.bind_missing(&step.on);
        if scope.is_true(&step.on) {
            return Ok(take(situation, &mut scope, at, step));
        }
    }
    Err("no step of the script fits".to_owned())
}

/// The names that live as long as the conversation: events, customer, facts, results of calls.
fn names(situation: &Situation<'_>) -> Scope {
    let mut scope = Scope::new();
    let mut first = true;
    scope.bind("customer", customer_value(situation.actor, situation.traits.clone()));
    for entry in situation.log {
        match &entry.kind {
            Kind::Event { envelope, silent: false, .. } => {
                let value = event_value(envelope);
                if first {
                    scope.bind("trigger", value.clone());
                    first = false;
                }
                scope.bind("event", value);
            }
            Kind::Fact { name, value, problem: None } => scope.bind(name, value.clone()),
            Kind::Call { bind: Some(name), state: CallState::Done, result, .. } => scope.bind(name, result.clone()),
            _ => {}
        }
    }
    scope
}

/// What the customer said last: text, and the choice where one was taken.
#[derive(Debug, Clone, Copy)]
struct Spoken<'a> {
    text: &'a str,
    choice: Option<&'a str>,
}

fn latest_words(log: &[Entry]) -> Option<Spoken<'_>> {
    log.iter().rev().find_map(|entry| match &entry.kind {
        Kind::Message { text, choice, .. } if entry.by == By::Customer => {
            Some(Spoken { text, choice: choice.as_deref() })
        }
        _ => None,
    })
}

/// Whether an event joined after the customer's latest words were answered.
fn heard_since(log: &[Entry]) -> bool {
    let words = |entry: &Entry, by: By| entry.by == by && matches!(entry.kind, Kind::Message { .. });
    let said = log.iter().rposition(|entry| words(entry, By::Customer));
    let since = log.get(said.map_or(0, |at| at + 1)..).unwrap_or_default();
    let answered = since.iter().position(|entry| words(entry, By::Assistant));
    let after = answered.and_then(|at| since.get(at..)).unwrap_or_default();
    after.iter().any(|entry| matches!(entry.kind, Kind::Event { silent: false, .. }))
}

fn bind_words(scope: &mut Scope, script: &Script, spoken: Option<Spoken<'_>>) {
    let choice = spoken.and_then(|spoken| spoken.choice);
    let text = spoken.map(|spoken| spoken.text);
    // A choice says by itself what is meant: its label is not searched for intents.
    let intent = match (choice, text) {
        (None, Some(text)) => {
            script.intents.iter().find(|(_, pattern)| pattern.is_match(text)).map(|(name, _)| name.as_str())
        }
        _ => None,
    };
    let or_null = |value: Option<&str>| value.map_or(Value::Null, |value| Value::String(value.to_owned()));
    scope.bind("choice", or_null(choice));
    scope.bind("text", or_null(text));
    scope.bind("intent", or_null(intent));
}

/// A step of the script whose calls came back and that has not spoken yet.
struct WaitingStep<'a> {
    step: &'a ScriptStep,
    worst: CallState,
    declined: bool,
    spoken_meanwhile: bool,
}

fn waiting_step<'a>(log: &[Entry], script: &'a Script) -> Option<WaitingStep<'a>> {
    let (at, calls, index) = log.iter().enumerate().rev().find_map(|(at, entry)| match &entry.kind {
        Kind::Step { script_step: Some(index), calls, .. } => Some((at, calls, *index)),
        _ => None,
    })?;
    let step = script.steps.get(index)?;
    let since = log.get(at + 1..).unwrap_or_default();
    // It spoke for these results already, unless one came later: an unknown end that a person settled.
    let said = since.iter().rposition(|e| e.by != By::Customer && matches!(e.kind, Kind::Message { .. }));
    let is_of_it =
        |kind: &Kind| matches!(kind, Kind::Call { call_id, .. } if calls.iter().any(|c| c.call_id == *call_id));
    if said > since.iter().rposition(|e| is_of_it(&e.kind)) {
        return None;
    }
    let mut worst = CallState::Done;
    let mut declined = false;
    for call in calls {
        let (state, problem) = since.iter().rev().find_map(|entry| match &entry.kind {
            Kind::Call { call_id, state, problem, .. } if *call_id == call.call_id => Some((*state, problem)),
            _ => None,
        })?;
        declined |= state == CallState::Refused && since.iter().any(|e| is_no(&e.kind, call.call_id));
        if badness(state) > badness(worst) {
            worst = state;
        }
        // A confirmation that lapsed because the customer wrote instead: what was written counts, not the step.
        if state == CallState::Refused && !declined && problem.is_some() && wrote_after(since, call.call_id) {
            return None;
        }
    }
    let unanswered = since.get(said.map_or(0, |at| at + 1)..).unwrap_or_default();
    let spoken_meanwhile = unanswered.iter().any(|e| e.by == By::Customer && matches!(e.kind, Kind::Message { .. }));
    Some(WaitingStep { step, worst, declined, spoken_meanwhile })
}

fn is_no(kind: &Kind, call: crate::model::ids::CallId) -> bool {
    matches!(kind, Kind::Confirmed { call_id, approve: false, .. } if *call_id == call)
}

fn wrote_after(since: &[Entry], call: crate::model::ids::CallId) -> bool {
    let at = since.iter().position(|e| matches!(&e.kind, Kind::Call { call_id, .. } if *call_id == call));
    let after = at.and_then(|at| since.get(at..)).unwrap_or_default();
    after.iter().any(|e| e.by == By::Customer && matches!(e.kind, Kind::Message { .. }))
}

fn badness(state: CallState) -> u8 {
    match state {
        CallState::Done => 0,
        CallState::Refused => 1,
        CallState::Failed => 2,
        CallState::Unknown => 3,
    }
}

/// Speaks for a step whose calls came back.
fn conclude(situation: &Situation<'_>, scope: &mut Scope, waiting: &WaitingStep<'_>) -> Generation {
    let step = waiting.step;
    let mut generation = match waiting.worst {
        CallState::Done => say(situation, scope, step),
        CallState::Unknown => plain(UNKNOWN.to_owned()),
        CallState::Refused if waiting.declined => plain(words(situation, scope, step.declined.as_ref(), DECLINED)),
        CallState::Refused | CallState::Failed => plain(words(situation, scope, step.failed.as_ref(), FAILED)),
    };
    generation.again = waiting.spoken_meanwhile;
    generation
}

/// Takes a step: its calls first, else its words.
fn take(situation: &Situation<'_>, scope: &mut Scope, at: usize, step: &ScriptStep) -> Generation {
    if step.calls.is_empty() {
        return say(situation, scope, step);
    }
    let mut calls = Vec::new();
    for call in &step.calls {
        let mut args = Map::new();
        for (name, expression) in &call.with {
            scope.bind_missing(expression);
            match scope.value(expression) {
                Ok(value) => args.insert(name.clone(), value),
                Err(_) => return plain(words(situation, scope, step.failed.as_ref(), FAILED)),
            };
        }
        let (operation, bind) = (call.tool.clone(), Some(call.bind.clone()));
        calls.push(Proposal { operation, args, bind, model_id: None, problem: None });
    }
    Generation { calls, script_step: Some(at), ..plain(String::new()) }
}

fn say(situation: &Situation<'_>, scope: &mut Scope, step: &ScriptStep) -> Generation {
    let failed = |scope: &Scope| plain(words(situation, scope, step.failed.as_ref(), FAILED));
    let text = match &step.say {
        None => String::new(),
        Some(template) => match fill(situation.catalog, template, scope.values()) {
            Ok(text) => text,
            Err(_) => return failed(scope),
        },
    };
    let Ok(choices) = choices(situation, scope, &step.choices) else { return failed(scope) };
    let handoff = step
        .handoff
        .then(|| HandoffRequest { reason: "the customer asked for a person".to_owned(), summary: String::new() });
    Generation { choices, handoff, close: step.close, ..plain(text) }
}

fn choices(situation: &Situation<'_>, scope: &mut Scope, wanted: &ScriptChoices) -> Result<Vec<Choice>, String> {
    match wanted {
        ScriptChoices::None => Ok(Vec::new()),
        ScriptChoices::Fixed(labels) => {
            Ok(labels.iter().map(|label| Choice { label: label.clone(), value: label.clone() }).collect())
        }
        ScriptChoices::Each { each, label, value } => each_choice(situation, scope, each, label, value),
    }
}

fn each_choice(
    situation: &Situation<'_>,
    scope: &mut Scope,
    each: &Expression,
    label: &Template,
    value: &Expression,
) -> Result<Vec<Choice>, String> {
    scope.bind_missing(each);
    let Value::Array(items) = scope.value(each)? else { return Err("`each` is no list".to_owned()) };
    let mut choices = Vec::new();
    for item in items.into_iter().take(MAX_CHOICES) {
        scope.bind("item", item);
        scope.bind_missing(value);
        let label = fill(situation.catalog, label, scope.values())?;
        let value = match scope.value(value)? {
            Value::String(text) => text,
            other => other.to_string(),
        };
        if value.len() > MAX_VALUE {
            return Err("a choice has a value that is too long".to_owned());
        }
        choices.push(Choice { label, value });
    }
    Ok(choices)
}

fn words(situation: &Situation<'_>, scope: &Scope, template: Option<&Template>, default: &str) -> String {
    template
        .and_then(|template| fill(situation.catalog, template, scope.values()).ok())
        .unwrap_or_else(|| default.to_owned())
}

fn plain(text: String) -> Generation {
    Generation { text, model: SCRIPT.to_owned(), ..Generation::default() }
}
