//! Room: how much the state of a customer and the log of a conversation may hold, and how that is kept.
//!
//! What can be refused (words, ratings, takeovers, openings) is refused while there is still room for what cannot: results,
//! handoffs, the end. What an assistant or an event may add at once is bounded here too.

use serde_json::{Map, Value};

use super::draft::Draft;
use crate::model::customer::{MAX_ENTRIES, MAX_STATE, State};
use crate::model::ids::ConversationId;
use crate::model::input::{Choice, Proposal};
use crate::model::lossy;

/// What a turn may add to the state, in bytes: calls to be made, and choices on offer.
pub const TURN: usize = 20 * 1024;

/// What an opening needs beside its event, in bytes.
pub const OPENING: usize = 8 * 1024;

/// The longest arguments of the calls of one answer, together, in bytes.
const MAX_ARGS: usize = 6 * 1024;

/// The most choices offered at once.
const MAX_CHOICES: usize = 20;

/// The longest label of a choice, in characters.
pub const MAX_LABEL: usize = 80;

/// The longest value of a choice, in bytes; it is never cut, since it is compared.
pub const MAX_VALUE: usize = 4 * MAX_LABEL;

/// The largest traits of a customer, together, in bytes; and the largest links.
const MAX_TRAITS: usize = 16 * 1024;
const MAX_LINKS: usize = 4 * 1024;

/// The largest value of a goal, in bytes.
const MAX_WORTH: usize = 1024;

/// Entries kept free for a turn, and for what follows it.
const TURN_ENTRIES: u32 = 160;

/// Entries kept free for results, handoffs and the end.
const LAST_ENTRIES: u32 = 60;

/// Whether somebody may say something more in this conversation.
pub fn for_words(draft: &Draft<'_>, id: ConversationId) -> bool {
    has_entries(draft, id, TURN_ENTRIES) && in_state(&draft.state, TURN)
}

/// Whether the conversation may change hands once more.
pub fn for_acts(draft: &Draft<'_>, id: ConversationId) -> bool {
    has_entries(draft, id, LAST_ENTRIES)
}

fn has_entries(draft: &Draft<'_>, id: ConversationId, kept: u32) -> bool {
    draft.conversation(id).is_none_or(|conversation| conversation.n.saturating_add(kept) < MAX_ENTRIES)
}

/// Whether the state may grow by so many bytes.
pub fn in_state(state: &State, bytes: usize) -> bool {
    state.encode().len().saturating_add(bytes) <= MAX_STATE
}

/// Whether the customer may get one more trait, beside those there are.
pub fn for_trait(state: &State, name: &str, value: &Value) -> bool {
    size(&state.traits).saturating_add(name.len()).saturating_add(size(value)) <= MAX_TRAITS
}

/// Whether the customer may get one more link.
pub fn for_link(state: &State, link: &str) -> bool {
    size(&state.links).saturating_add(link.len()) <= MAX_LINKS
}

/// What a goal was worth, where that is a value and no document.
pub fn worth(value: Value) -> Option<Value> {
    Some(value).filter(|value| size(value) <= MAX_WORTH)
}

/// Choices as they may be offered.
pub fn offered(choices: Vec<Choice>) -> Vec<Choice> {
    let fits = choices.into_iter().filter(|choice| choice.value.len() <= MAX_VALUE);
    fits.map(|choice| Choice { label: lossy::cut(&choice.label, MAX_LABEL), ..choice }).take(MAX_CHOICES).collect()
}

/// Calls as they may be asked for at once: those whose arguments are too long lose them, and will be refused.
pub fn asked(calls: &[Proposal], most: usize) -> Vec<Proposal> {
    let mut room = MAX_ARGS;
    let mut bounded = |call: &Proposal| {
        let taken = size(&call.args).saturating_add(call.operation.len());
        if taken <= room {
            room -= taken;
            return call.clone();
        }
        let operation = lossy::cut(&call.operation, MAX_LABEL);
        let problem = Some(format!("the arguments of one answer have at most {MAX_ARGS} bytes"));
        Proposal { operation, args: Map::new(), bind: call.bind.clone(), model_id: None, problem }
    };
    calls.iter().take(most).map(&mut bounded).collect()
}

/// What a value takes in the state, in bytes.
pub fn size(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |bytes| bytes.len())
}
