//! Calls: what is allowed, asking the customer before a write, and what came back.

use serde_json::{Map, Value};

use super::draft::Draft;
use super::handoff;
use super::opening;
use super::turn;
use super::words::fill;
use crate::model::catalog::{Operation, Playbook};
use crate::model::conversation::{Call, CallPhase, Holder, Phase};
use crate::model::customer::Timer;
use crate::model::decision::{Effect, Ignored, Notice, call_key};
use crate::model::entry::{By, CallState, Kind};
use crate::model::ids::{ActorId, CallId, ConversationId};
use crate::model::input::{CallOutcome, Proposal};
use crate::model::time::Millis;

/// A confirmation lapses after this.
pub const CONFIRM_TIME: Millis = Millis::minutes(10);

/// What became of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proposed {
    /// It may not be made; that was recorded.
    Refused,
    /// It is under way.
    Running,
    /// The customer is asked first.
    Asked,
    /// It was the wish for a person: the turn is over.
    HandedOver,
}

/// The built-in tools that stand beside calls in one answer, in their place. (Alone they are no calls.)
pub const HANDOFF: &str = "handoff";
/// See [`HANDOFF`].
pub const CLOSE: &str = "close";

/// Whether an operation may be called for this customer with these arguments.
///
/// # Errors
/// Why not, for the model and the trace.
pub fn allowed(operation: &Operation, actor: &ActorId, args: &Map<String, Value>) -> Result<(), String> {
    if operation.bound && actor.user_id().is_none() {
        return Err("the customer is not signed in".to_owned());
    }
    valid(operation, args)
}

/// Whether these arguments are what the operation takes.
///
/// # Errors
/// What does not fit.
pub fn valid(operation: &Operation, args: &Map<String, Value>) -> Result<(), String> {
    let args = Value::Object(args.clone());
    match operation.schema.iter_errors(&args).next() {
        None => Ok(()),
        Some(problem) => Err(format!("the arguments do not fit: {problem} at `{}`", problem.instance_path())),
    }
}

/// Makes a call that the assistant asked for, asks the customer first, or refuses it.
pub fn propose(draft: &mut Draft<'_>, id: ConversationId, call: CallId, proposal: Proposal) -> Proposed {
    let Some((catalog, playbook)) = draft.playbook(id) else { return Proposed::Refused };
    match proposal.operation.as_str() {
        HANDOFF => return hand_over(draft, id, call, &proposal),
        CLOSE => {
            let problem = "close by itself, once you know what became of the calls and have told the customer";
            refuse(draft, id, call, &proposal, problem.to_owned());
            return Proposed::Refused;
        }
        _ => {}
    }
    let operation = match check(draft, &playbook, &catalog.operations, &proposal) {
        Ok(operation) => operation,
        Err(problem) => {
            refuse(draft, id, call, &proposal, problem);
            return Proposed::Refused;
        }
    };
    let once = once_key(operation, &proposal.args);
    if operation.writes
        && let Some(problem) = held_up(draft, once.as_deref())
    {
        refuse(draft, id, call, &proposal, problem);
        return Proposed::Refused;
    }
    let ask = operation.writes && operation.ask;
    let now = draft.now;
    let state = Call {
        operation: operation.name.clone(),
        bind: proposal.bind.clone(),
        args: proposal.args.clone(),
        write: operation.writes,
        context: false,
        once,
        phase: if ask { CallPhase::Confirming } else { CallPhase::Pending },
    };
    if ask {
        let summary = match &operation.confirm {
            Some(template) => {
                let mut values = Map::new();
                values.insert("args".to_owned(), Value::Object(proposal.args.clone()));
                fill(&catalog, template, &values).unwrap_or_else(|_| operation.describe.clone())
            }
            None => operation.describe.clone(),
        };
        if let Some(conversation) = draft.edit(id) {
            conversation.calls.insert(call, state);
            conversation.confirming = Some(call);
        }
        draft.entry(id, By::System, Kind::Confirm { call_id: call, summary, args: proposal.args });
        draft.set_timer(id, Timer::Confirm, draft.now.plus(CONFIRM_TIME));
        return Proposed::Asked;
    }
    if let Some(conversation) = draft.edit(id) {
        conversation.calls.insert(call, state);
        if let Some(turn) = &mut conversation.turn {
            turn.call = Some(call);
            turn.write_since = operation.writes.then_some(now);
        }
    }
    leave(draft, id, call);
    Proposed::Running
}

/// The assistant asked for a person beside other calls: those before it were made, those after it are not.
fn hand_over(draft: &mut Draft<'_>, id: ConversationId, call: CallId, proposal: &Proposal) -> Proposed {
    if let Some(conversation) = draft.edit(id) {
        conversation.counters.asked_for_human = true;
    }
    if !handoff::wanted(draft, id) {
        let problem = "this conversation is not handed over for that; answer yourself";
        refuse(draft, id, call, proposal, problem.to_owned());
        return Proposed::Refused;
    }
    record(draft, id, call, proposal, CallState::Done, None);
    refuse_rest(draft, id, "a person was asked for");
    let text = |name: &str| proposal.args.get(name).and_then(Value::as_str).unwrap_or_default();
    handoff::consider(draft, id, text("reason"), text("summary"));
    Proposed::HandedOver
}

/// The effect of a call that may be made now.
fn leave(draft: &mut Draft<'_>, id: ConversationId, call: CallId) {
    let (actor, at) = (draft.actor.clone(), draft.now);
    let Some(conversation) = draft.conversation(id) else { return };
    let Some(state) = conversation.calls.get(&call) else { return };
    let effect = Effect::Call {
        actor,
        conversation: id,
        call,
        operation: state.operation.clone(),
        catalog: conversation.catalog.clone(),
        args: state.args.clone(),
        write: state.write,
        at,
    };
    draft.effect(effect);
}

fn check<'o>(
    draft: &Draft<'_>,
    playbook: &Playbook,
    operations: &'o std::collections::BTreeMap<String, std::sync::Arc<Operation>>,
    proposal: &Proposal,
) -> Result<&'o Operation, String> {
    let name = &proposal.operation;
    let by_model = playbook.talk.tools.contains(name);
    // A name for the result is something only the script gives; its tools were checked with the playbook.
    let by_script = proposal.bind.is_some()
        && playbook.talk.script.steps.iter().any(|step| step.calls.iter().any(|call| call.tool == *name));
    let operation = operations.get(name).filter(|_| by_model || by_script);
    let operation = operation.ok_or_else(|| format!("`{name}` is not one of the tools of this conversation"))?;
    if let Some(problem) = &proposal.problem {
        return Err(problem.clone());
    }
    allowed(operation, &draft.actor, &proposal.args)?;
    Ok(operation)
}

/// What a write is about: the operation and its `once` values. None: every call of the operation is about the same.
fn once_key(operation: &Operation, args: &Map<String, Value>) -> Option<String> {
    if !operation.writes {
        return None;
    }
    let values: Vec<&Value> = operation.once.iter().map(|name| args.get(name).unwrap_or(&Value::Null)).collect();
    let values = serde_json::to_string(&values).unwrap_or_default();
    Some(format!("{}{values}", operation.name))
}

/// Why a write may not be made now: one about the same is pending or unknown, in any conversation of this customer.
fn held_up(draft: &Draft<'_>, once: Option<&str>) -> Option<String> {
    let same = draft
        .state
        .conversations
        .values()
        .flat_map(|conversation| conversation.calls.values())
        .find(|call| call.write && call.once.as_deref() == once && call.phase != CallPhase::Confirming)?;
    Some(match same.phase {
        CallPhase::Unknown => "nobody knows yet whether the same was done before; a person will find out".to_owned(),
        CallPhase::Pending | CallPhase::Confirming => "the same is under way".to_owned(),
    })
}

fn refuse(draft: &mut Draft<'_>, id: ConversationId, call: CallId, proposal: &Proposal, problem: String) {
    record(draft, id, call, proposal, CallState::Refused, Some(problem));
}

fn record(
    draft: &mut Draft<'_>,
    id: ConversationId,
    call: CallId,
    proposal: &Proposal,
    state: CallState,
    problem: Option<String>,
) {
    let kind = Kind::Call {
        call_id: call,
        name: proposal.operation.clone(),
        state,
        bind: proposal.bind.clone(),
        args: proposal.args.clone(),
        result: Value::Null,
        problem,
    };
    // What the customer never heard of is not shown to them.
    draft.inner_entry(id, By::System, kind);
}

/// Refuses what the turn still wanted.
pub fn refuse_rest(draft: &mut Draft<'_>, id: ConversationId, why: &str) {
    let rest = draft.edit(id).and_then(|c| c.turn.as_mut()).map(|turn| std::mem::take(&mut turn.rest));
    for (call, proposal) in rest.unwrap_or_default() {
        refuse(draft, id, call, &proposal, why.to_owned());
    }
}

/// The customer approved or declined what was shown.
pub fn confirmed(draft: &mut Draft<'_>, id: ConversationId, call: CallId, approve: bool) {
    draft.clear_timer(id, Timer::Confirm);
    let Some(conversation) = draft.edit(id) else { return };
    conversation.confirming = None;
    conversation.unanswered = true;
    let once = conversation.calls.get(&call).and_then(|call| call.once.clone());
    let problem = if approve { held_up(draft, once.as_deref()) } else { Some("the customer declined".to_owned()) };
    match problem {
        Some(problem) => {
            drop_confirmation(draft, id, call, &problem);
            turn::start(draft, id);
        }
        None => {
            if let Some(state) = draft.edit(id).and_then(|c| c.calls.get_mut(&call)) {
                state.phase = CallPhase::Pending;
            }
            turn::start_with_call(draft, id, call);
            leave(draft, id, call);
        }
    }
}

/// A confirmation not given lapses: at takeover, close, the next message, or after its time.
pub fn lapse(draft: &mut Draft<'_>, id: ConversationId, why: &str) {
    let Some(call) = draft.confirming(id) else { return };
    draft.clear_timer(id, Timer::Confirm);
    if let Some(conversation) = draft.edit(id) {
        conversation.confirming = None;
    }
    drop_confirmation(draft, id, call, why);
}

fn drop_confirmation(draft: &mut Draft<'_>, id: ConversationId, call: CallId, why: &str) {
    let Some(state) = draft.edit(id).and_then(|conversation| conversation.calls.remove(&call)) else { return };
    settled(draft, id, call, &state, CallState::Refused, Value::Null, Some(why.to_owned()));
}

fn settled(
    draft: &mut Draft<'_>,
    id: ConversationId,
    call: CallId,
    state: &Call,
    became: CallState,
    result: Value,
    problem: Option<String>,
) -> u32 {
    let kind = Kind::Call {
        call_id: call,
        name: state.operation.clone(),
        state: became,
        bind: state.bind.clone(),
        args: state.args.clone(),
        result,
        problem,
    };
    draft.entry(id, By::System, kind)
}

/// A call came back. Its result always becomes an entry, whoever holds: something has happened in the world.
pub fn called(draft: &mut Draft<'_>, id: ConversationId, call: CallId, outcome: &CallOutcome) {
    draft.out.finished.push(call_key(id, call));
    let Some(conversation) = draft.conversation(id) else {
        draft.out.ignored = Some(Ignored::UnknownConversation);
        return;
    };
    let Some(state) = conversation.calls.get(&call).cloned() else {
        draft.out.ignored = Some(Ignored::LateCall);
        return;
    };
    if state.context {
        if let Some(conversation) = draft.edit(id) {
            conversation.calls.remove(&call);
        }
        if !matches!(outcome, CallOutcome::Done(_))
            && let Some(conversation) = draft.edit(id)
        {
            conversation.counters.failures += 1;
        }
        let outcome = match outcome {
            CallOutcome::Done(value) => Ok(value.clone()),
            CallOutcome::Failed(problem) | CallOutcome::Unknown(problem) => Err(problem.clone()),
        };
        opening::fact(draft, id, state.bind.as_deref().unwrap_or_default(), outcome);
        return;
    }
    if state.phase == CallPhase::Unknown && matches!(outcome, CallOutcome::Unknown(_)) {
        draft.out.ignored = Some(Ignored::LateCall);
        return;
    }
    conclude(draft, id, call, &state, outcome);
}

/// Records what became of a call and lets the conversation go on. Answers the entry's `seq`.
pub fn conclude(draft: &mut Draft<'_>, id: ConversationId, call: CallId, state: &Call, outcome: &CallOutcome) -> u32 {
    let (became, result, problem) = match outcome {
        CallOutcome::Done(value) => (CallState::Done, value.clone(), None),
        CallOutcome::Failed(problem) => (CallState::Failed, Value::Null, Some(problem.clone())),
        CallOutcome::Unknown(problem) => (CallState::Unknown, Value::Null, Some(problem.clone())),
    };
    let waited_for = draft.conversation(id).and_then(|c| c.turn.as_ref()).is_some_and(|turn| turn.call == Some(call));
    if let Some(conversation) = draft.edit(id) {
        if became == CallState::Unknown {
            if let Some(state) = conversation.calls.get_mut(&call) {
                state.phase = CallPhase::Unknown;
            }
        } else {
            conversation.calls.remove(&call);
        }
        // One that was unknown is counted already.
        if became != CallState::Done && state.phase != CallPhase::Unknown {
            conversation.counters.failures += 1;
        }
    }
    let seq = settled(draft, id, call, state, became, result, problem.clone());
    if became == CallState::Unknown {
        handoff::notify(draft, id, Notice::CallUnknown, &problem.unwrap_or_default());
    }
    let assistant_holds =
        draft.conversation(id).is_some_and(|c| c.holder == Holder::Assistant && matches!(c.phase, Phase::Open));
    if !assistant_holds {
        return seq;
    }
    if handoff::consider(draft, id, "calls failed", "") {
        return seq;
    }
    if waited_for {
        turn::go_on(draft, id);
    } else if state.write {
        // The turn that began the write is over, or a person settled it: the customer hears of it now.
        turn::start_or_follow(draft, id);
    }
    seq
}
