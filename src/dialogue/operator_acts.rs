//! What operators do: take over, write, leave notes, judge, hand back, pass on, settle, close.

use super::calls;
use super::closing;
use super::draft::Draft;
use super::handoff;
use super::room;
use super::turn;
use crate::model::conversation::{Author, CallPhase, Conversation, Holder, Phase};
use crate::model::customer::{RefusalCode, Timer};
use crate::model::decision::Reply;
use crate::model::entry::{By, HolderKind, Kind, OutcomeKind};
use crate::model::ids::{CallId, ConversationId};
use crate::model::input::{CallOutcome, Operator, Settled};
use crate::model::triage::{MAX_LABELS, Triage};

/// Takes a conversation over: compare-and-set on the last `holder` entry. Words of a model still under way are dropped.
pub fn claim(draft: &mut Draft<'_>, id: ConversationId, operator: &Operator, n: u32) {
    let Some(conversation) = running(draft, id) else { return };
    if conversation.holder_n != n {
        return draft.refuse(None, Some(id), RefusalCode::Conflict);
    }
    if !room::for_acts(draft, id) {
        return draft.refuse(None, Some(id), RefusalCode::Full);
    }
    turn::cancel(draft, id);
    calls::lapse(draft, id, "a person took over");
    draft.clear_timer(id, Timer::HandoffWithin);
    leave_waiting(draft, id);
    if let Some(conversation) = draft.edit(id) {
        conversation.holder = Holder::Operator(operator.clone());
        conversation.queued_at = None;
        conversation.unattended = false;
    }
    let kind = Kind::Holder { holder: HolderKind::Operator, name: Some(operator.name.clone()) };
    let seq = draft.entry(id, By::Operator, kind);
    draft.stir(id);
    draft.answer(None, Some(id), Reply::Done { seq });
}

/// A person's own act takes an opening out of waiting: it no longer expires.
fn leave_waiting(draft: &mut Draft<'_>, id: ConversationId) {
    let now = draft.now;
    if draft.conversation(id).is_some_and(|c| matches!(c.phase, Phase::Waiting)) {
        draft.clear_timer(id, Timer::OpenWithin);
        if let Some(conversation) = draft.edit(id) {
            conversation.phase = Phase::Open;
            conversation.opened_at = Some(now);
        }
        draft.verdict_now(id, crate::model::entry::Verdict::Opened, Some("an operator took it"));
    }
}

/// Hands the conversation back. The assistant speaks only if the customer spoke last: also where it handed over without
/// a word, and the person had none either.
pub fn release(draft: &mut Draft<'_>, id: ConversationId, operator: &Operator, note: Option<&str>) {
    let Some(conversation) = held_by(draft, id, operator) else { return };
    let owes_words = conversation.unanswered || conversation.wordless;
    // It can always be handed back; a note is words.
    if room::for_acts(draft, id) {
        leave_note(draft, id, operator, note);
    }
    handoff::to_assistant(draft, id);
    if let Some(conversation) = draft.edit(id) {
        conversation.team = None;
    }
    let seq = draft.conversation(id).map_or(0, |c| c.seq);
    draft.answer(None, Some(id), Reply::Done { seq });
    if owes_words {
        turn::start(draft, id);
    }
}

/// Passes the conversation on to colleagues: it waits for a person again, and for no longer than one may be waited for.
pub fn pass(draft: &mut Draft<'_>, id: ConversationId, operator: &Operator, team: Option<&str>, note: Option<&str>) {
    if held_by(draft, id, operator).is_none() {
        return;
    }
    let Some((_, playbook)) = draft.playbook(id) else {
        return draft.refuse(None, Some(id), RefusalCode::UnknownPlaybook);
    };
    if !room::for_acts(draft, id) {
        return draft.refuse(None, Some(id), RefusalCode::Full);
    }
    leave_note(draft, id, operator, note);
    handoff::pass(draft, id, &playbook, operator, team);
    let seq = draft.conversation(id).map_or(0, |c| c.seq);
    draft.answer(None, Some(id), Reply::Done { seq });
}

fn leave_note(draft: &mut Draft<'_>, id: ConversationId, operator: &Operator, note: Option<&str>) {
    if let Some(note) = note.filter(|note| !note.is_empty()) {
        draft.entry(id, By::Operator, Kind::Note { text: note.to_owned(), name: operator.name.clone() });
    }
}

/// The operator who holds the conversation wrote.
pub fn said(draft: &mut Draft<'_>, id: ConversationId, operator: &Operator, client_id: &str, text: &str) {
    let author = Author::Operator(&operator.id);
    if draft.answered_before(author, client_id) {
        return;
    }
    if held_by(draft, id, operator).is_none() {
        return;
    }
    if !room::for_words(draft, id) {
        return draft.refuse(None, Some(id), RefusalCode::Full);
    }
    let kind = Kind::Message {
        attachments: Vec::new(),
        text: text.to_owned(),
        locale: None,
        choices: Vec::new(),
        choice: None,
        client_id: Some(client_id.to_owned()),
        name: Some(operator.name.clone()),
    };
    let seq = draft.entry(id, By::Operator, kind);
    if let Some(conversation) = draft.edit(id) {
        conversation.unanswered = false;
    }
    draft.stir(id);
    draft.done(author, client_id, id, seq);
}

/// Any operator leaves a note: it changes neither who holds the conversation nor what the customer sees.
pub fn noted(draft: &mut Draft<'_>, id: ConversationId, operator: &Operator, client_id: &str, text: &str) {
    let author = Author::Operator(&operator.id);
    if draft.answered_before(author, client_id) {
        return;
    }
    let Some(conversation) = running(draft, id) else { return };
    let last = conversation.seq;
    if !room::for_words(draft, id) {
        return draft.refuse(None, Some(id), RefusalCode::Full);
    }
    draft.entry(id, By::Operator, Kind::Note { text: text.to_owned(), name: operator.name.clone() });
    draft.done(author, client_id, id, last);
}

/// Any operator gives the conversation labels or another priority: what it says to the customer stays as it is. What is so
/// already changes nothing and makes no entry.
pub fn triaged(draft: &mut Draft<'_>, id: ConversationId, operator: &Operator, client_id: &str, triage: &Triage) {
    let author = Author::Operator(&operator.id);
    if draft.answered_before(author, client_id) {
        return;
    }
    let Some(conversation) = running(draft, id) else { return };
    let last = conversation.seq;
    let change = triage.against(conversation.priority, &conversation.labels);
    if change.is_empty() {
        return draft.done(author, client_id, id, last);
    }
    let mut labels = conversation.labels.clone();
    change.apply(&mut labels);
    if labels.len() > MAX_LABELS {
        return draft.refuse(None, Some(id), RefusalCode::TooManyLabels);
    }
    if !room::for_words(draft, id) {
        return draft.refuse(None, Some(id), RefusalCode::Full);
    }
    if let Some(conversation) = draft.edit(id) {
        conversation.labels = labels;
        conversation.priority = change.priority.unwrap_or(conversation.priority);
    }
    draft.entry(id, By::Operator, Kind::Triaged { triage: change, name: operator.name.clone() });
    draft.done(author, client_id, id, last);
}

/// An operator ended the conversation; not one that somebody else holds.
pub fn closed(draft: &mut Draft<'_>, id: ConversationId, operator: &Operator) {
    let Some(conversation) = running(draft, id) else { return };
    if matches!(&conversation.holder, Holder::Operator(holder) if holder.id != operator.id) {
        return draft.refuse(None, Some(id), RefusalCode::Conflict);
    }
    opening_seen_by_nobody(draft, id);
    closing::close(draft, id, OutcomeKind::ClosedByOperator);
    let seq = draft.conversation(id).map_or(0, |c| c.seq);
    draft.answer(None, Some(id), Reply::Done { seq });
}

/// Closing an opening that nobody saw gives its verdict an end.
fn opening_seen_by_nobody(draft: &mut Draft<'_>, id: ConversationId) {
    if draft.conversation(id).is_some_and(|c| matches!(c.phase, Phase::Waiting)) {
        draft.verdict_now(id, crate::model::entry::Verdict::Expired, Some("an operator closed it"));
    }
}

/// A person says what became of a write whose end was unknown.
pub fn settle(draft: &mut Draft<'_>, id: ConversationId, call: CallId, operator: &Operator, state: Settled) {
    let found = draft.conversation(id).map(|c| c.calls.get(&call).cloned());
    let Some(found) = found else {
        return draft.refuse(None, Some(id), RefusalCode::UnknownConversation);
    };
    let Some(known) = found.filter(|call| call.phase == CallPhase::Unknown) else {
        return draft.refuse(None, Some(id), RefusalCode::NotUnknown);
    };
    let outcome = match state {
        // What the API would have answered nobody knows: script and model are told who says that it was done.
        Settled::Done => CallOutcome::Done(serde_json::json!({ "settled": "done", "by": operator.name })),
        Settled::Failed => CallOutcome::Failed(format!("settled by {}: it was not done", operator.name)),
    };
    let seq = calls::conclude(draft, id, call, &known, &outcome);
    draft.answer(None, Some(id), Reply::Done { seq });
}

/// Where the customer never saw the opening but it is withdrawn with its playbook.
pub fn withdraw(draft: &mut Draft<'_>, playbooks: &[String]) {
    let waiting: Vec<ConversationId> = draft
        .state
        .conversations
        .iter()
        .filter(|(_, c)| matches!(c.phase, Phase::Waiting | Phase::Preparing(_)) && playbooks.contains(&c.playbook))
        .map(|(id, _)| *id)
        .collect();
    for id in waiting {
        closing::expire(draft, id, "the playbook was paused");
    }
}

fn running<'d>(draft: &'d mut Draft<'_>, id: ConversationId) -> Option<&'d Conversation> {
    let code = match draft.conversation(id) {
        None => RefusalCode::UnknownConversation,
        Some(conversation) if matches!(conversation.phase, Phase::Preparing(_)) => RefusalCode::UnknownConversation,
        Some(conversation) if conversation.phase.is_closed() => RefusalCode::Closed,
        Some(_) => return draft.conversation(id),
    };
    draft.refuse(None, Some(id), code);
    None
}

fn held_by<'d>(draft: &'d mut Draft<'_>, id: ConversationId, operator: &Operator) -> Option<&'d Conversation> {
    running(draft, id)?;
    let holds = draft
        .conversation(id)
        .is_some_and(|c| matches!(&c.holder, Holder::Operator(holder) if holder.id == operator.id));
    if holds {
        return draft.conversation(id);
    }
    draft.refuse(None, Some(id), RefusalCode::Conflict);
    None
}
