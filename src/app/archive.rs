//! What the live store no longer holds, for chat: from the record.

use async_trait::async_trait;

use crate::engine::shelf::Shelf;
use crate::http::chat::Archive;
use crate::model::attachment::{Attachment, AttachmentId};
use crate::model::decision::Summary;
use crate::model::entry::Entry;
use crate::model::ids::{ActorId, ConversationId};
use crate::model::time::Ms;
use crate::record::{Record, RecordError};
use crate::store::StoreError;

/// Entries read at once.
const PAGE: u32 = 1_000;

/// Conversations of the record.
pub struct Archived {
    record: Record,
    shelf: Shelf,
}

impl Archived {
    /// Over this record and these catalogs.
    pub fn new(record: Record, shelf: Shelf) -> Archived {
        Archived { record, shelf }
    }
}

fn away(problem: RecordError) -> StoreError {
    StoreError::Away(problem.to_string())
}

#[async_trait]
impl Archive for Archived {
    async fn conversation(&self, id: ConversationId) -> Result<Option<(Summary, Vec<Entry>)>, StoreError> {
        let Some(summary) = self.record.summary(id).await.map_err(away)? else { return Ok(None) };
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let after = entries.last().map_or(0, |entry| entry.n);
            let page = self.record.entries(id, after, PAGE).await.map_err(away)?;
            if page.is_empty() {
                return Ok(Some((summary, entries)));
            }
            entries.extend(page);
        }
    }

    async fn claim(
        &self,
        customer: &ActorId,
        client_id: &str,
        ids: &[AttachmentId],
        now: Ms,
    ) -> Result<Option<Vec<Attachment>>, StoreError> {
        self.record.claim_attachments(customer, client_id, ids, now).await.map_err(away)
    }

    async fn release(&self, customer: &ActorId, client_id: &str) {
        if let Err(error) = self.record.release_attachments(customer, client_id).await {
            tracing::warn!(%error, "files of a refused message are not free again");
        }
    }

    async fn why(&self, catalog: &str, playbook: &str) -> String {
        let catalog = self.shelf.get(catalog).await.ok().flatten();
        catalog.and_then(|catalog| Some(catalog.playbooks.get(playbook)?.open.why.clone())).unwrap_or_default()
    }
}
