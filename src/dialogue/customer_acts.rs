//! What the customer does: speaks, chooses, confirms, sees, stops, rates, closes.

use std::sync::Arc;

use super::calls;
use super::closing;
use super::draft::Draft;
use super::opening;
use super::room;
use super::turn;
use crate::model::attachment::Attachment;
use crate::model::catalog::{Catalog, Playbook};
use crate::model::conversation::{Author, Conversation, Phase};
use crate::model::customer::{MAX_CONVERSATIONS, RefusalCode, Timer};
use crate::model::entry::{By, Kind, OutcomeKind};
use crate::model::ids::{CallId, ConversationId};

/// Which conversation words are meant for.
#[derive(Debug, Clone, Copy)]
pub enum Meant<'a> {
    /// This one.
    Conversation(ConversationId),
    /// The one for who speaks first, of this playbook; none: nobody answers.
    First(Option<&'a str>),
}

/// The customer wrote.
pub fn said(draft: &mut Draft<'_>, meant: Meant<'_>, client_id: &str, text: &str, attachments: &[Attachment]) {
    if draft.answered_before(Author::Customer, client_id) {
        return;
    }
    let id = match meant {
        Meant::Conversation(id) => id,
        Meant::First(playbook) => match first(draft, playbook) {
            Ok(id) => id,
            Err(code) => return draft.refuse(Some(client_id), None, code),
        },
    };
    message(draft, id, client_id, Words { text: text.to_owned(), attachments: attachments.to_vec(), choice: None });
}

/// The customer took a choice.
pub fn chose(draft: &mut Draft<'_>, id: ConversationId, client_id: &str, choice: &str) {
    if draft.answered_before(Author::Customer, client_id) {
        return;
    }
    let Some(conversation) = open_conversation(draft, id, client_id) else { return };
    let Some(label) = conversation.offered.iter().find(|offered| offered.value == choice).map(|o| o.label.clone())
    else {
        return draft.refuse(Some(client_id), Some(id), RefusalCode::ChoiceGone);
    };
    message(draft, id, client_id, Words { text: label, attachments: Vec::new(), choice: Some(choice.to_owned()) });
}

/// The conversation for who speaks first: the one that is there, else a new one without an opening.
fn first(draft: &mut Draft<'_>, playbook: Option<&str>) -> Result<ConversationId, RefusalCode> {
    let name = playbook.ok_or(RefusalCode::NoConversation)?;
    if let Some(id) = running(draft, name) {
        // Who speaks while the opening is prepared does not wait for it: it is said with what is there.
        opening::say_opening(draft, id);
    }
    if let Some(id) = running(draft, name) {
        return Ok(id);
    }
    let current: Option<(Arc<Catalog>, Arc<Playbook>)> = draft
        .catalogs
        .current()
        .and_then(|catalog| Some((Arc::clone(catalog), Arc::clone(catalog.playbooks.get(name)?))));
    let (catalog, playbook) = current.ok_or(RefusalCode::NoConversation)?;
    if draft.state.conversations.len() >= MAX_CONVERSATIONS || !room::in_state(&draft.state, room::TURN) {
        return Err(RefusalCode::Full);
    }
    let now = draft.now;
    let id = draft.mint();
    let mut conversation = opening::fresh(&playbook, &catalog, playbook.name.clone(), now);
    conversation.phase = Phase::Open;
    conversation.opened_at = Some(now);
    draft.state.conversations.insert(id, conversation);
    draft.changed();
    if let Some(goal) = &playbook.goal {
        draft.set_timer(id, Timer::GoalWithin, now.plus(goal.within));
    }
    Ok(id)
}

/// The conversation of a playbook that is not over.
fn running(draft: &Draft<'_>, playbook: &str) -> Option<ConversationId> {
    let mut all = draft.state.conversations.iter();
    all.find(|(_, conversation)| conversation.playbook == playbook && !conversation.phase.is_closed())
        .map(|(id, _)| *id)
}

/// What a message of the customer consists of.
struct Words {
    text: String,
    attachments: Vec<Attachment>,
    choice: Option<String>,
}

fn message(draft: &mut Draft<'_>, id: ConversationId, client_id: &str, words: Words) {
    if open_conversation(draft, id, client_id).is_none() {
        return;
    }
    if !room::for_words(draft, id) {
        return draft.refuse(Some(client_id), Some(id), RefusalCode::Full);
    }
    opening::seen(draft, id);
    calls::lapse(draft, id, "the customer wrote instead");
    let kind = Kind::Message {
        text: words.text,
        attachments: words.attachments,
        locale: None,
        choices: Vec::new(),
        choice: words.choice,
        client_id: Some(client_id.to_owned()),
        name: None,
    };
    let seq = draft.entry(id, By::Customer, kind);
    draft.done(Author::Customer, client_id, id, seq);
    if let Some(conversation) = draft.edit(id) {
        conversation.unanswered = true;
    }
    draft.stir(id);
    turn::start(draft, id);
}

/// The customer approved or declined a write: exactly the one that was shown.
pub fn confirmed(draft: &mut Draft<'_>, id: ConversationId, client_id: &str, call: CallId, approve: bool) {
    if draft.answered_before(Author::Customer, client_id) {
        return;
    }
    let Some(conversation) = open_conversation(draft, id, client_id) else { return };
    if conversation.confirming != Some(call) {
        return draft.refuse(Some(client_id), Some(id), RefusalCode::ConfirmGone);
    }
    let kind = Kind::Confirmed { call_id: call, approve, client_id: client_id.to_owned() };
    let seq = draft.entry(id, By::Customer, kind);
    draft.done(Author::Customer, client_id, id, seq);
    draft.stir(id);
    calls::confirmed(draft, id, call, approve);
}

/// The customer saw entries up to `seq`.
pub fn seen(draft: &mut Draft<'_>, id: ConversationId, seq: u32) {
    if seq >= 1 {
        opening::seen(draft, id);
    }
}

/// The customer rated the conversation; once, the first rating stands.
pub fn rated(draft: &mut Draft<'_>, id: ConversationId, client_id: &str, score: u8, comment: Option<&str>) {
    if draft.answered_before(Author::Customer, client_id) {
        return;
    }
    let Some(conversation) = draft.conversation(id).filter(|c| c.seq > 0) else {
        return draft.refuse(Some(client_id), None, RefusalCode::UnknownConversation);
    };
    let last = conversation.seq;
    let rated = conversation.rated;
    if !room::in_state(&draft.state, room::TURN) || (rated.is_none() && !room::for_acts(draft, id)) {
        return draft.refuse(Some(client_id), Some(id), RefusalCode::Full);
    }
    if let Some(seq) = rated {
        return draft.done(Author::Customer, client_id, id, seq);
    }
    let kind = Kind::Rated { score, comment: comment.map(str::to_owned), client_id: client_id.to_owned() };
    draft.entry(id, By::Customer, kind);
    if let Some(conversation) = draft.edit(id) {
        conversation.rated = Some(last);
        conversation.rating = Some(score);
    }
    draft.done(Author::Customer, client_id, id, last);
}

/// The customer said whether a message helped. A change of mind is said too; the last word stands.
pub fn helped(draft: &mut Draft<'_>, id: ConversationId, client_id: &str, of: u32, helped: bool) {
    if draft.answered_before(Author::Customer, client_id) {
        return;
    }
    let Some(last) = draft.conversation(id).map(|conversation| conversation.seq).filter(|last| *last > 0) else {
        return draft.refuse(Some(client_id), None, RefusalCode::UnknownConversation);
    };
    if of == 0 || of > last {
        return draft.refuse(Some(client_id), Some(id), RefusalCode::UnknownMessage);
    }
    if !room::in_state(&draft.state, room::TURN) || !room::for_acts(draft, id) {
        return draft.refuse(Some(client_id), Some(id), RefusalCode::Full);
    }
    draft.entry(id, By::Customer, Kind::Helped { of, helped, client_id: client_id.to_owned() });
    draft.done(Author::Customer, client_id, id, last);
}

/// The customer stopped the assistant: what it was about to say is no longer wanted. A call that has left goes on, and its
/// result becomes an entry as always. Where nothing is under way that is well too: the end came first.
pub fn stopped(draft: &mut Draft<'_>, id: ConversationId, client_id: &str) {
    if draft.answered_before(Author::Customer, client_id) {
        return;
    }
    let Some(conversation) = open_conversation(draft, id, client_id) else { return };
    let last = conversation.seq;
    if conversation.turn.is_some() {
        if !room::for_acts(draft, id) {
            return draft.refuse(Some(client_id), Some(id), RefusalCode::Full);
        }
        calls::refuse_rest(draft, id, "the customer stopped it");
        turn::stop(draft, id);
        draft.entry(id, By::Customer, Kind::Stopped { client_id: client_id.to_owned() });
        if let Some(conversation) = draft.edit(id) {
            // Who stops an answer does not wait for it: nothing begins it again by itself.
            conversation.unanswered = false;
            conversation.wordless = false;
        }
        draft.stir(id);
    }
    draft.done(Author::Customer, client_id, id, last);
}

/// The customer ended the conversation.
pub fn closed(draft: &mut Draft<'_>, id: ConversationId, client_id: &str) {
    if draft.answered_before(Author::Customer, client_id) {
        return;
    }
    if open_conversation(draft, id, client_id).is_none() {
        return;
    }
    opening::seen(draft, id);
    closing::close(draft, id, OutcomeKind::Abandoned);
    let seq = draft.conversation(id).map_or(0, |c| c.seq);
    draft.done(Author::Customer, client_id, id, seq);
}

/// The conversation, where the customer may act in it; refuses the frame otherwise.
fn open_conversation<'d>(draft: &'d mut Draft<'_>, id: ConversationId, client_id: &str) -> Option<&'d Conversation> {
    let code = match draft.conversation(id) {
        None => RefusalCode::UnknownConversation,
        Some(conversation) if matches!(conversation.phase, Phase::Preparing(_)) => RefusalCode::UnknownConversation,
        Some(conversation) if conversation.phase.is_closed() => RefusalCode::Closed,
        Some(_) => return draft.conversation(id),
    };
    draft.refuse(Some(client_id), Some(id), code);
    None
}
