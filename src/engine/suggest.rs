//! Drafts for operators: what the assistant would answer now, to be read, changed and sent by a person.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::assistant::Assistant;
use super::shelf::Shelf;
use crate::dialogue::script::Situation;
use crate::model::decision::Summary;
use crate::model::entry::Entry;
use crate::store::Store;

/// How long a person waits for a draft.
const PATIENCE: Duration = Duration::from_secs(15);

/// Writes drafts with the models that the assistant speaks by.
#[derive(Clone)]
pub struct Suggester {
    store: Arc<dyn Store>,
    shelf: Shelf,
    assistant: Assistant,
}

impl Suggester {
    /// A writer of drafts.
    pub fn new(store: Arc<dyn Store>, shelf: Shelf, assistant: Assistant) -> Suggester {
        Suggester { store, shelf, assistant }
    }

    /// A draft of the next message, by the playbook that the conversation runs on. Nothing is sent or kept.
    ///
    /// # Errors
    /// Why there is none, in a sentence for the operator.
    pub async fn suggest(
        &self,
        summary: &Summary,
        traits: &Map<String, Value>,
        log: &[Entry],
    ) -> Result<String, String> {
        let away = |_| "The store does not answer just now.".to_owned();
        let catalog = match self.shelf.get(&summary.catalog).await.map_err(away)? {
            Some(catalog) => Some(catalog),
            None => self.shelf.get(&self.store.in_force().await.map_err(away)?.hash).await.map_err(away)?,
        };
        let found = catalog.and_then(|catalog| Some((Arc::clone(catalog.playbooks.get(&summary.playbook)?), catalog)));
        let Some((playbook, catalog)) = found else {
            return Err("The playbook of this conversation is gone.".to_owned());
        };
        let situation = Situation { catalog: &catalog, playbook: &playbook, actor: &summary.customer, traits, log };
        self.assistant.suggest(&situation, PATIENCE).await
    }
}
