//! A turn: what the assistant does for one input. Generate, call, generate, say; each step is one decision.

use std::collections::VecDeque;

use super::calls;
use super::closing;
use super::draft::Draft;
use super::handoff;
use super::room;
use super::script::SCRIPT;
use super::words::own_words;
use crate::model::catalog::{FALLBACK, Playbook};
use crate::model::conversation::{Conversation, Holder, Phase, Turn};
use crate::model::customer::Timer;
use crate::model::decision::{Effect, Ignored, generate_key};
use crate::model::entry::{By, Kind, OutcomeKind, StepCall};
use crate::model::ids::{CallId, ConversationId, Pos};
use crate::model::input::{Generation, HandoffRequest, Proposal};
use crate::model::live::tries;
use crate::model::time::{Millis, Ms};

/// A turn ends within this, by an answer, the script, or fallback and handoff.
pub const TURN_TIME: Millis = Millis::seconds(20);

/// How long before the end the runner must be done, so that its result still counts.
pub const RUNNER_MARGIN: Millis = Millis::seconds(1);

/// The most steps of one turn.
pub const MAX_STEPS: u32 = 8;

/// The most calls of one answer.
const MAX_CALLS: usize = 8;

/// Begins a turn for this input, where the assistant holds. One under way is superseded. A write under way is waited
/// for: its result begins the turn. So is a customer who is asked to confirm one: the answer begins it.
pub fn start(draft: &mut Draft<'_>, id: ConversationId) {
    if draft.write_pending(id) || draft.confirming(id).is_some() {
        return;
    }
    if begin(draft, id) {
        generate(draft, id);
    }
}

/// Begins a turn for what just happened; where an answer is on its way that cannot know of it, after that.
pub fn start_or_follow(draft: &mut Draft<'_>, id: ConversationId) {
    match draft.conversation(id).and_then(|conversation| conversation.turn.as_ref()) {
        None => start(draft, id),
        Some(turn) if turn.generating => {
            if let Some(turn) = draft.edit(id).and_then(|conversation| conversation.turn.as_mut()) {
                turn.again = true;
            }
        }
        // Its next step reads the log again.
        Some(_) => {}
    }
}

/// An event joined that the assistant is to be told of at once: a turn begins, and may end without a word. A turn under
/// way whose answer cannot know of the event is followed by one.
pub fn hear(draft: &mut Draft<'_>, id: ConversationId) {
    let (Some((_, playbook)), Some(conversation)) = (draft.playbook(id), draft.conversation(id)) else { return };
    match conversation.turn.as_ref().map(|turn| turn.generating) {
        None if limit_reached(conversation, &playbook).is_none() => {
            start(draft, id);
            if let Some(turn) = draft.edit(id).and_then(|conversation| conversation.turn.as_mut()) {
                turn.unasked = true;
            }
        }
        Some(true) => {
            if let Some(turn) = draft.edit(id).and_then(|conversation| conversation.turn.as_mut()) {
                turn.heard = true;
            }
        }
        // Its next step reads the log again; and nobody is asked for because of an event.
        Some(false) | None => {}
    }
}

/// Begins a turn whose first act is a call that was just confirmed. Where no turn may begin the call is made all the same:
/// the customer said yes to it.
pub fn start_with_call(draft: &mut Draft<'_>, id: ConversationId, call: CallId) {
    if !begin(draft, id) {
        return;
    }
    let now = draft.now;
    let Some(conversation) = draft.edit(id) else { return };
    let Some(turn) = &mut conversation.turn else { return };
    (turn.step, turn.call, turn.write_since) = (0, Some(call), Some(now));
    let deadline = turn.deadline;
    draft.set_timer(id, Timer::Turn, deadline);
}

/// Counts a turn and has it begin, unless the assistant does not hold or a limit is reached; then a person is asked for.
fn begin(draft: &mut Draft<'_>, id: ConversationId) -> bool {
    let (Some((_, playbook)), Some(conversation)) = (draft.playbook(id), draft.conversation(id)) else { return false };
    if conversation.holder != Holder::Assistant || !matches!(conversation.phase, Phase::Open) {
        return false;
    }
    let limit = limit_reached(conversation, &playbook);
    cancel(draft, id);
    if let Some(limit) = limit {
        handoff::ask(draft, id, limit, "");
        return false;
    }
    let turn = Turn::new(draft.pos, draft.now.plus(TURN_TIME));
    if let Some(conversation) = draft.edit(id) {
        conversation.counters.turns += 1;
        conversation.turn = Some(turn);
    }
    true
}

/// Which limit of the playbook's conversations is reached.
fn limit_reached(conversation: &Conversation, playbook: &Playbook) -> Option<&'static str> {
    let counters = conversation.counters;
    let reached = [
        (counters.turns >= playbook.talk.max_turns, "the limit of turns was reached"),
        (counters.tokens >= playbook.talk.max_tokens, "the limit of tokens was reached"),
    ];
    reached.into_iter().find(|(reached, _)| *reached).map(|(_, limit)| limit)
}

/// Has the assistant answer at the turn's present step.
fn generate(draft: &mut Draft<'_>, id: ConversationId) {
    let actor = draft.actor.clone();
    let Some(conversation) = draft.edit(id) else { return };
    let (n, playbook, catalog) = (conversation.n, conversation.playbook.clone(), conversation.catalog.clone());
    let Some(turn) = &mut conversation.turn else { return };
    turn.generating = true;
    turn.call = None;
    // Whatever happened meanwhile is in the log that this step reads.
    (turn.again, turn.heard) = (false, false);
    let (turn, step, deadline) = (turn.id, turn.step, turn.deadline);
    draft.set_timer(id, Timer::Turn, deadline);
    draft.effect(Effect::Generate { actor, conversation: id, n, turn, step, playbook, catalog, deadline });
}

/// Ends the turn under way, if any: its words are no longer wanted, its running call goes on.
pub fn cancel(draft: &mut Draft<'_>, id: ConversationId) {
    if let Some(turn) = over(draft, id)
        && turn.generating
    {
        draft.out.cancelled.push(generate_key(id, turn.id, turn.step));
    }
}

/// Ends the turn under way for a customer who sees that it goes on, and is told that it does not.
pub fn stop(draft: &mut Draft<'_>, id: ConversationId) {
    let Some(turn) = draft.conversation(id).and_then(|c| c.turn.as_ref()).map(|turn| turn.id) else { return };
    cancel(draft, id);
    if !draft.out.dropped.contains(&(id, turn)) {
        draft.out.dropped.push((id, turn));
    }
}

/// The turn is over. Words of it that may be on a screen, and that no entry replaces, go.
fn over(draft: &mut Draft<'_>, id: ConversationId) -> Option<Turn> {
    draft.clear_timer(id, Timer::Turn);
    draft.conversation(id)?.turn.as_ref()?;
    let turn = draft.edit(id)?.turn.take()?;
    let replaced =
        draft.out.entries.iter().any(|logged| logged.conversation == id && logged.entry.turn_id == Some(turn.id));
    if (turn.generating || turn.half_told) && !replaced {
        draft.out.dropped.push((id, turn.id));
    }
    Some(turn)
}

/// Which step of which turn a generation is of, and the last `try` whose deltas were sent.
#[derive(Debug, Clone, Copy)]
pub struct StepOf {
    /// The turn.
    pub turn: Pos,
    /// The step.
    pub step: u32,
    /// The `try`.
    pub attempt: u64,
}

/// The assistant's answer came. What the state no longer waits for is dropped.
pub fn generated(
    draft: &mut Draft<'_>,
    id: ConversationId,
    of: StepOf,
    outcome: &Result<Generation, String>,
    failures: u32,
) {
    draft.out.finished.push(generate_key(id, of.turn, of.step));
    let Some(conversation) = draft.conversation(id) else {
        draft.out.ignored = Some(Ignored::UnknownConversation);
        return;
    };
    let waited_for =
        conversation.turn.as_ref().is_some_and(|turn| turn.generating && turn.id == of.turn && turn.step == of.step);
    if !waited_for || conversation.holder != Holder::Assistant {
        draft.out.ignored = Some(Ignored::LateGeneration);
        return;
    }
    if let Some(conversation) = draft.edit(id) {
        conversation.counters.failures += failures;
        conversation.counters.tokens += outcome.as_ref().map_or(0, |generation| generation.tokens);
        if let Some(turn) = &mut conversation.turn {
            turn.generating = false;
            // What an earlier try began to say is told to nobody else.
            turn.half_told = tries(of.attempt) > 1 || outcome.as_ref().map_or(true, |said| !said.text.is_empty());
        }
    }
    match outcome {
        Ok(generation) => answer(draft, id, of, generation),
        Err(problem) => no_answer(draft, id, of.step, problem),
    }
}

fn answer(draft: &mut Draft<'_>, id: ConversationId, of: StepOf, generation: &Generation) {
    if !generation.calls.is_empty() {
        call(draft, id, of, generation);
        return;
    }
    let says = !generation.text.is_empty() || !generation.choices.is_empty();
    if let Some(request) = &generation.handoff {
        asks_for_human(draft, id, of, generation, request, says);
        return;
    }
    if !says && !generation.close && !is_unasked(draft, id) {
        no_answer(draft, id, of.step, "the answer was empty");
        return;
    }
    say(draft, id, of, generation);
    let (again, heard) = finish(draft, id).map_or((false, false), |turn| (turn.again, turn.heard));
    if generation.close {
        closing::close(draft, id, OutcomeKind::Resolved);
    } else if again || generation.again {
        start(draft, id);
    } else if heard {
        hear(draft, id);
    }
}

/// Whether the turn under way began with an event, so that nobody waits for an answer.
fn is_unasked(draft: &Draft<'_>, id: ConversationId) -> bool {
    draft.conversation(id).and_then(|conversation| conversation.turn.as_ref()).is_some_and(|turn| turn.unasked)
}

fn asks_for_human(
    draft: &mut Draft<'_>,
    id: ConversationId,
    of: StepOf,
    generation: &Generation,
    request: &HandoffRequest,
    says: bool,
) {
    if let Some(conversation) = draft.edit(id) {
        conversation.counters.asked_for_human = true;
    }
    say(draft, id, of, generation);
    finish(draft, id);
    if !handoff::consider(draft, id, &request.reason, &request.summary) && !says {
        // The playbook does not hand off for this, and nothing was said: the customer still gets an answer.
        no_answer(draft, id, of.step, "a person was asked for, but the playbook's condition does not hold");
    }
}

fn say(draft: &mut Draft<'_>, id: ConversationId, of: StepOf, generation: &Generation) {
    if generation.text.is_empty() && generation.choices.is_empty() {
        return;
    }
    let (text, choices) = (generation.text.clone(), room::offered(generation.choices.clone()));
    if !choices.is_empty()
        && let Some(conversation) = draft.edit(id)
    {
        conversation.offered.clone_from(&choices);
    }
    // The script says what its author wrote; a model speaks whatever language it is spoken to in.
    let scripted = generation.model == SCRIPT;
    let locale = draft.playbook(id).filter(|_| scripted).and_then(|(_, playbook)| playbook.locale.clone());
    let kind = Kind::words(text, locale, choices);
    draft.turn_entry(id, kind, of.turn, of.attempt);
    if let Some(turn) = draft.edit(id).and_then(|conversation| conversation.turn.as_mut()) {
        turn.half_told = false;
    }
    draft.stir(id);
}

/// The turn is over; the customer has an answer.
fn finish(draft: &mut Draft<'_>, id: ConversationId) -> Option<Turn> {
    let turn = over(draft, id);
    if let Some(conversation) = draft.edit(id) {
        conversation.unanswered = false;
    }
    turn
}

fn call(draft: &mut Draft<'_>, id: ConversationId, of: StepOf, generation: &Generation) {
    if of.step >= MAX_STEPS {
        no_answer(draft, id, of.step, "too many steps in one turn");
        return;
    }
    say(draft, id, of, generation);
    let mut rest: VecDeque<(CallId, Proposal)> = VecDeque::new();
    let Some(conversation) = draft.edit(id) else { return };
    for proposal in room::asked(&generation.calls, MAX_CALLS) {
        conversation.last_call += 1;
        rest.push_back((CallId(conversation.last_call), proposal));
    }
    let step = Kind::Step {
        step: of.step,
        model: generation.model.clone(),
        tokens: generation.tokens,
        calls: rest.iter().map(|(call_id, p)| StepCall { call_id: *call_id, proposal: p.clone() }).collect(),
        script_step: generation.script_step,
        problem: None,
    };
    if let Some(turn) = &mut conversation.turn {
        turn.rest = rest;
    }
    draft.entry(id, By::Assistant, step);
    go_on(draft, id);
}

/// Makes the turn's next call; after the last one the assistant goes on.
pub fn go_on(draft: &mut Draft<'_>, id: ConversationId) {
    let now = draft.now;
    loop {
        let Some(conversation) = draft.edit(id) else { return };
        let Some(turn) = &mut conversation.turn else { return };
        turn.call = None;
        if let Some(since) = turn.write_since.take() {
            turn.deadline = turn.deadline.plus(now.since(since));
        }
        let Some((call, proposal)) = turn.rest.pop_front() else {
            turn.step += 1;
            generate(draft, id);
            return;
        };
        match calls::propose(draft, id, call, proposal) {
            calls::Proposed::Refused => {}
            calls::Proposed::Running => return,
            calls::Proposed::Asked => {
                // The customer is asked; what else was wanted is refused, and the turn is over until the answer.
                calls::refuse_rest(draft, id, "the customer is asked about another call first");
                finish(draft, id);
                return;
            }
            calls::Proposed::HandedOver => return,
        }
    }
}

/// Neither a model nor the script has an answer: the fallback, and a person. Where nobody asked there is silence.
pub fn no_answer(draft: &mut Draft<'_>, id: ConversationId, step: u32, problem: &str) {
    let kind = Kind::Step {
        step,
        model: String::new(),
        tokens: 0,
        calls: Vec::new(),
        script_step: None,
        problem: Some(problem.to_owned()),
    };
    draft.entry(id, By::System, kind);
    let unasked = draft.conversation(id).and_then(|c| c.turn.as_ref()).filter(|turn| turn.unasked).map(|t| t.again);
    cancel(draft, id);
    if let Some(again) = unasked {
        if again {
            start(draft, id);
        }
        return;
    }
    if let Some((catalog, playbook)) = draft.playbook(id) {
        let values = super::handoff::words_values(draft, id);
        let kind = own_words(&catalog, &playbook, &playbook.fallback, &FALLBACK, &values);
        draft.entry(id, By::Assistant, kind);
    }
    if let Some(conversation) = draft.edit(id) {
        // The fallback is an answer. Else nobody coming would begin the same turn again, and again for ever.
        conversation.unanswered = false;
    }
    handoff::ask(draft, id, "the assistant had no answer", problem);
}

/// The turn had its time. A write under way is waited for; else fallback and handoff.
pub fn timed_out(draft: &mut Draft<'_>, id: ConversationId) {
    let Some(step) = draft.conversation(id).and_then(|c| c.turn.as_ref()).map(|turn| turn.step) else { return };
    if draft.write_pending(id) {
        let next: Ms = draft.now.plus(TURN_TIME);
        draft.set_timer(id, Timer::Turn, next);
        return;
    }
    no_answer(draft, id, step, "the turn took too long");
}
