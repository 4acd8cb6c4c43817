//! What a session reads: its customer's state, logs, and what the archive has of closed conversations.

use serde_json::{Map, Value};

use super::Chat;
use super::frames::Stand;
use super::part::{Fits, Part};
use crate::http::wire::{self, Shown, View};
use crate::model::conversation::Conversation;
use crate::model::customer::State;
use crate::model::decision::Summary;
use crate::model::entry::Entry;
use crate::model::event::Trust;
use crate::model::ids::{ActorId, ConversationId};
use crate::model::input::Body;
use crate::store::{LogCursor, StoreError};

/// Entries read at once.
const PAGE: usize = 64;
/// Reads for one customer.
pub(super) struct Reader {
    pub(super) chat: Chat,
    pub(super) customer: ActorId,
}

impl Reader {
    /// The customer's state as committed.
    pub(super) async fn state(&self) -> Result<State, StoreError> {
        let store = &self.chat.shared.store;
        let partition = self.customer.partition(store.partitions());
        let mut states = store.load(partition, std::slice::from_ref(&self.customer)).await?;
        match states.pop().flatten() {
            Some(bytes) => State::decode(&bytes).map_err(|why| StoreError::Corrupt(why.to_string())),
            None => Ok(State::default()),
        }
    }

    /// A conversation of this customer that has left the live store.
    pub(super) async fn archived(&self, id: ConversationId) -> Result<Option<(Summary, Vec<Entry>)>, StoreError> {
        let shared = &self.chat.shared;
        if id.partition != self.customer.partition(shared.store.partitions()) {
            return Ok(None);
        }
        let found = shared.archive.conversation(id).await?;
        Ok(found.filter(|(summary, _)| summary.customer == self.customer && summary.listed))
    }

    /// A part of a log after `stand`, up to `bytes` and the entry that passes them.
    pub(super) async fn part(&self, id: ConversationId, stand: Stand, bytes: usize) -> Result<Part, StoreError> {
        // Begins with the entry on which the client stands: it must still be the same.
        let mut cursor = LogCursor::after_seq(stand.seq.saturating_sub(1));
        let mut part = Part::after(stand);
        loop {
            let page = self.chat.shared.store.log(id, cursor, PAGE).await?;
            part.complete = page.len() < PAGE;
            for (at, payload) in page {
                if part.bytes > bytes {
                    part.complete = false;
                    return Ok(part);
                }
                cursor = at;
                let entry: Entry = serde_json::from_slice(&payload)
                    .map_err(|why| StoreError::Corrupt(format!("an entry of {id}: {why}")))?;
                part.take(&entry, payload.len());
            }
            if part.complete {
                part.settle();
            }
            if part.complete || part.fits == Fits::Other || part.bytes > bytes {
                return Ok(part);
            }
        }
    }

    /// A conversation as the client gets it, with these entries.
    pub(super) async fn form(&self, id: ConversationId, conversation: &Conversation, part: Part) -> Value {
        let why = self.chat.shared.archive.why(&conversation.catalog, &conversation.playbook).await;
        let mut shown = Shown::live(id, &self.customer, conversation, &why);
        // The log was read after the state, so it may be ahead of it.
        shown.last_seq = shown.last_seq.max(part.at.seq);
        wire::conversation(&shown, part.forms(), View::Customer)
    }

    /// Appends traits that differ from those held; a browser's never against what the company says.
    pub(super) async fn learn(&self, state: &State, traits: Map<String, Value>, trust: Trust) {
        let news = |(name, value): (&String, &Value)| {
            let held = state.traits.get(name);
            held.is_none_or(|held| held.value != *value && (trust == Trust::Server || held.trust == Trust::Client))
        };
        if !traits.iter().any(news) {
            return;
        }
        let body = Body::Identify { traits, trust };
        if let Err(why) = self.chat.shared.inbox.append(&self.customer, body).await {
            // The next `hello` brings them again.
            tracing::warn!(customer = %self.customer.masked(), "traits were not appended: {why}");
        }
    }
}
