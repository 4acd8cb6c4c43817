//! Reading what is known: the live store first, which is never behind; then the record, which keeps what the store forgets.

use std::sync::Arc;

use crate::dialogue::handoff;
use crate::http::problem::ApiError;
use crate::model::catalog::Playbook;
use crate::model::conversation::Conversation;
use crate::model::customer::State;
use crate::model::decision::{Judged, Summary};
use crate::model::entry::Entry;
use crate::model::event::Event;
use crate::model::ids::{ActorId, ConversationId, EventId, Partition, Pos};
use crate::model::input::{Body, Envelope, To};
use crate::record::{EventView, RecordError};
use crate::store::{LogCursor, StoreError};

use super::Parts;

/// The most entries of one conversation that are read at once; more than a conversation can have.
const MOST: u32 = 4_096;

/// The most inputs of a partition that are looked through for what is pending.
const MOST_PENDING: usize = 2_000;

impl From<RecordError> for ApiError {
    fn from(error: RecordError) -> ApiError {
        match error {
            RecordError::Away(cause) => StoreError::Away(cause).into(),
            other => ApiError::internal(other),
        }
    }
}

/// A conversation, from where it was found.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// In the customer's state.
    Live(ActorId, Box<Conversation>),
    /// Only in the record.
    Recorded(Box<Summary>),
}

impl Found {
    /// Whose it is.
    pub fn customer(&self) -> &ActorId {
        match self {
            Found::Live(customer, _) => customer,
            Found::Recorded(summary) => &summary.customer,
        }
    }
}

/// The event that stands in the inbox under this id and is not archived; none where it does not, or is no event.
///
/// # Errors
/// The store's and the record's.
pub async fn pending_event(parts: &Parts, id: EventId) -> Result<Option<Event>, ApiError> {
    match input(parts, id).await? {
        Some(Envelope { body: Body::Event(event), .. }) if !is_archived(parts, id).await? => Ok(Some(*event)),
        _ => Ok(None),
    }
}

/// An event by its id, and its verdicts where it was decided; none where there is none, or its customer was erased.
///
/// # Errors
/// The store's and the record's.
pub async fn event(parts: &Parts, id: EventId) -> Result<Option<(Event, Option<Vec<Judged>>)>, ApiError> {
    let recorded = |view: EventView| (view.event, Some(view.decisions));
    if let Some(view) = parts.record.event(id).await? {
        return Ok(Some(recorded(view)));
    }
    if let Some(event) = pending_event(parts, id).await? {
        return Ok(Some((event, None)));
    }
    // Archived between the two looks.
    Ok(parts.record.event(id).await?.map(recorded))
}

/// Whether the archive has got as far as this input. The inbox keeps it a moment longer; where the record knows nothing of
/// it then, its customer was erased.
async fn is_archived(parts: &Parts, id: EventId) -> Result<bool, ApiError> {
    Ok(id.pos <= parts.record.archive_state(id.partition).await?.pos)
}

/// Events that are not decided yet, the latest first; looked for among the 2,000 oldest such inputs of each partition.
/// What is decided is in the record a moment later, or was erased.
///
/// # Errors
/// The store's and the record's.
pub async fn pending(
    parts: &Parts,
    partitions: impl Iterator<Item = Partition>,
    wanted: impl Fn(&Event) -> bool,
) -> Result<Vec<(EventId, Event)>, ApiError> {
    let fill = parts.store.fill().await?;
    let mut found = Vec::new();
    for partition in partitions {
        let Some(oldest) = fill.get(&partition).and_then(|fill| fill.oldest_undecided) else { continue };
        let after = Pos { ms: oldest.0.saturating_sub(1), n: u32::MAX };
        for stored in parts.store.read(partition, after, MOST_PENDING).await? {
            let id = EventId { partition, pos: stored.pos };
            let envelope: Envelope = serde_json::from_slice(&stored.payload).map_err(ApiError::internal)?;
            if let Body::Event(event) = envelope.body
                && wanted(&event)
                && !is_archived(parts, id).await?
            {
                found.push((id, *event));
            }
        }
    }
    found.sort_by_key(|(id, _)| std::cmp::Reverse((id.pos, id.partition)));
    Ok(found)
}

async fn input(parts: &Parts, id: EventId) -> Result<Option<Envelope>, ApiError> {
    if id.partition.0 >= parts.store.partitions() {
        return Ok(None);
    }
    let Some(stored) = parts.store.input(id.partition, id.pos).await? else { return Ok(None) };
    serde_json::from_slice(&stored.payload).map(Some).map_err(ApiError::internal)
}

/// The state of a customer as it is now.
///
/// # Errors
/// The store's; 500 where it cannot be read.
pub async fn state(parts: &Parts, customer: &ActorId) -> Result<Option<State>, ApiError> {
    let partition = customer.partition(parts.store.partitions());
    let loaded = parts.store.load(partition, std::slice::from_ref(customer)).await?;
    match loaded.into_iter().next().flatten() {
        Some(bytes) => State::decode(&bytes).map(Some).map_err(ApiError::internal),
        None => Ok(None),
    }
}

/// A conversation by its id.
///
/// # Errors
/// 404 where there is none; the store's and the record's.
pub async fn find(parts: &Parts, id: ConversationId) -> Result<Found, ApiError> {
    // The id names the input that opened it, and that names the customer, until the inbox has forgotten it.
    let opened_by = EventId { partition: id.partition, pos: id.pos };
    let summary = match input(parts, opened_by).await? {
        Some(Envelope { to: To::Actor(customer), .. }) => {
            if let Some(found) = live(parts, &customer, id).await? {
                return Ok(found);
            }
            parts.record.summary(id).await?
        }
        _ => {
            let summary = parts.record.summary(id).await?;
            if let Some(summary) = &summary
                && let Some(found) = live(parts, &summary.customer, id).await?
            {
                return Ok(found);
            }
            summary
        }
    };
    match summary {
        Some(summary) => Ok(Found::Recorded(Box::new(summary))),
        None => Err(ApiError::not_found("There is no such conversation.")),
    }
}

async fn live(parts: &Parts, customer: &ActorId, id: ConversationId) -> Result<Option<Found>, ApiError> {
    let state = state(parts, customer).await?.unwrap_or_default();
    let mut conversations = state.conversations;
    Ok(conversations.remove(&id).map(|conversation| Found::Live(customer.clone(), Box::new(conversation))))
}

/// All entries of a conversation, in order.
///
/// # Errors
/// The store's and the record's; 500 where an entry cannot be read.
pub async fn entries(parts: &Parts, id: ConversationId, found: &Found) -> Result<Vec<Entry>, ApiError> {
    if matches!(found, Found::Recorded(_)) {
        return Ok(parts.record.entries(id, 0, MOST).await?);
    }
    let most = usize::try_from(MOST).unwrap_or(usize::MAX);
    let log = parts.store.log(id, LogCursor::default(), most).await?;
    log.iter().map(|(_, payload)| serde_json::from_slice(payload).map_err(ApiError::internal)).collect()
}

/// Why the customer hears of it: the playbook's sentence, of the catalog that the conversation stays on.
pub fn why(parts: &Parts, conversation: &Conversation) -> String {
    playbook(parts, conversation).map(|playbook| playbook.open.why.clone()).unwrap_or_default()
}

/// Whose a conversation is.
pub fn team(parts: &Parts, conversation: &Conversation) -> Option<String> {
    handoff::team(conversation, playbook(parts, conversation).as_deref())
}

fn playbook(parts: &Parts, conversation: &Conversation) -> Option<Arc<Playbook>> {
    let catalogs = (parts.catalogs)();
    catalogs.playbook(&conversation.catalog, &conversation.playbook).map(|(_, playbook)| Arc::clone(playbook))
}
