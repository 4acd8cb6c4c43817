//! What somebody sees who reads all that is committed: conversations as they stand, choices, questions.

use std::collections::{BTreeMap, BTreeSet};

use beckon::model::entry::{CallState, Entry, Kind};
use beckon::model::ids::{ActorId, CallId, ConversationId};

use super::store::SimStore;

/// A conversation as shown.
#[derive(Debug, Clone)]
pub struct View {
    /// Whose.
    pub actor: ActorId,
    /// The last visible entry.
    pub seq: u32,
    /// Of the last holder entry.
    pub holder_n: u32,
    /// Choices of the latest message that has some.
    pub choices: Vec<String>,
    /// The call that is asked for.
    pub confirming: Option<CallId>,
    /// A call whose end is unknown.
    pub unknown: Option<CallId>,
}

/// All conversations as shown, from the last look.
#[derive(Default)]
pub struct Screen {
    known: usize,
    views: BTreeMap<ConversationId, View>,
    gone: BTreeMap<ActorId, BTreeSet<ConversationId>>,
}

impl Screen {
    /// Takes in what was committed since the last look.
    pub fn look(&mut self, store: &SimStore) {
        for (_, _, line) in store.lines_after(self.known) {
            self.known += 1;
            let Some(actor) = &line.actor else { continue };
            for logged in &line.entries {
                let view = self.views.entry(logged.conversation).or_insert_with(|| View {
                    actor: actor.clone(),
                    seq: 0,
                    holder_n: 0,
                    choices: Vec::new(),
                    confirming: None,
                    unknown: None,
                });
                view.take(&logged.entry);
            }
            for id in &line.retired {
                self.views.remove(id);
                if line.erased {
                    self.gone.entry(actor.clone()).or_default().insert(*id);
                }
            }
        }
    }

    /// This customer's conversations, oldest first: those that have an opening.
    pub fn of(&self, actor: &ActorId) -> Vec<(ConversationId, View)> {
        self.all().into_iter().filter(|(_, view)| view.actor == *actor).collect()
    }

    /// Everybody's conversations, oldest first: those that have an opening.
    pub fn all(&self) -> Vec<(ConversationId, View)> {
        self.views.iter().filter(|(_, view)| view.seq > 0).map(|(id, view)| (*id, view.clone())).collect()
    }

    /// Conversations that were erased.
    pub fn gone(&self, actor: &ActorId) -> BTreeSet<ConversationId> {
        self.gone.get(actor).cloned().unwrap_or_default()
    }
}

impl View {
    fn take(&mut self, entry: &Entry) {
        self.seq = entry.seq;
        match &entry.kind {
            Kind::Message { choices, .. } if !choices.is_empty() => {
                self.choices = choices.iter().map(|choice| choice.value.clone()).collect();
            }
            Kind::Confirm { call_id, .. } => self.confirming = Some(*call_id),
            Kind::Call { call_id, state, .. } => {
                if self.confirming == Some(*call_id) {
                    self.confirming = None;
                }
                self.unknown = (*state == CallState::Unknown).then_some(*call_id).or(self.unknown);
            }
            Kind::Holder { .. } => self.holder_n = entry.n,
            _ => {}
        }
    }
}

/// Whether a stored entry is one that customers see.
pub fn is_visible(payload: &[u8]) -> bool {
    serde_json::from_slice::<Entry>(payload).expect("an entry of a log is readable").visible
}
