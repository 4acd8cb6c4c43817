//! All that is known of a customer.

use serde_json::{Map, Value};
use sqlx::Row;

use super::{ConversationFilter, EventFilter, EventRow, Listed, Page, Record, RecordError};
use crate::model::ids::ActorId;

/// How many conversations and events are given at once; the cursors lead to the rest.
const AT_ONCE: u32 = 200;

/// All that is known of a customer.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomerView {
    /// Who.
    pub customer: ActorId,
    /// What the customer is called, where that is known.
    pub name: Option<String>,
    /// Traits, as events and tokens told them.
    pub traits: Map<String, Value>,
    /// Conversations, the latest change first; go on with [`Record::conversations`].
    pub conversations: Page<Listed>,
    /// Events, the latest first; go on with [`Record::recent_events`].
    pub events: Page<EventRow>,
}

/// What lists and headings need of a customer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Known {
    /// What the customer is called, where that is known.
    pub name: Option<String>,
    /// Traits, as events and tokens told them.
    pub traits: Map<String, Value>,
}

impl Record {
    /// Name and traits of a customer; none where nothing was told.
    ///
    /// # Errors
    /// The record's.
    pub async fn known(&self, customer: &ActorId) -> Result<Option<Known>, RecordError> {
        let row = sqlx::query("select name, traits from customer where id = $1")
            .bind(customer.as_str().to_owned())
            .fetch_optional(self.read())
            .await
            .map_err(|e| self.failed(e))?;
        let Some(row) = row else { return Ok(None) };
        let name: Option<String> = row.try_get(0).map_err(|e| self.failed(e))?;
        let traits: String = row.try_get(1).map_err(|e| self.failed(e))?;
        Ok(Some(Known { name, traits: serde_json::from_str(&traits).map_err(|e| self.corrupt(e))? }))
    }

    /// All that is known of a customer; none where nothing is.
    ///
    /// # Errors
    /// The record's.
    pub async fn customer(&self, customer: &ActorId) -> Result<Option<CustomerView>, RecordError> {
        let known = self.known(customer).await?;
        let filter = ConversationFilter { customer: Some(customer.clone()), ..ConversationFilter::default() };
        let conversations = self.conversations(&filter, None, AT_ONCE).await?;
        let filter = EventFilter { customer: Some(customer.clone()), ..EventFilter::default() };
        let events = self.recent_events(&filter, None, AT_ONCE).await?;
        if known.is_none() && conversations.items.is_empty() && events.items.is_empty() {
            return Ok(None);
        }
        let Known { name, traits } = known.unwrap_or_default();
        Ok(Some(CustomerView { customer: customer.clone(), name, traits, conversations, events }))
    }
}
