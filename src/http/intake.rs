//! What all doors for events share: appending them, and the answer, item by item in the order sent.

use std::sync::Arc;

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Parts;
use super::keys::ApiKey;
use super::problem::{ApiError, Problem};
use crate::ingest::{Code, Item, Received, Refused};
use crate::model::catalog::Source;
use crate::model::event::Trust;

/// The answer to events.
#[derive(Debug, Serialize, ToSchema)]
pub struct Accepted {
    /// How many were new and are durable now.
    pub accepted: usize,
    /// One for each event, in the order sent.
    pub results: Vec<ItemResult>,
}

/// What became of one event at the door.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemResult {
    /// Whether it counts.
    pub status: ItemStatus,
    /// Beckon's own id, good for `GET /v1/events/{event}`; null where rejected.
    #[schema(value_type = Option<String>, example = "17-1764000000000-0")]
    pub event: Option<String>,
    /// The sender's id, where it could be read.
    pub id: Option<String>,
    /// Why it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

/// Whether an event counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ItemStatus {
    /// It is durable.
    Accepted,
    /// It was sent before; `event` is the first one's.
    Duplicate,
    /// It is not taken; sending it again does not help.
    Rejected,
}

impl ItemStatus {
    fn label(self) -> &'static str {
        match self {
            ItemStatus::Accepted => "accepted",
            ItemStatus::Duplicate => "duplicate",
            ItemStatus::Rejected => "rejected",
        }
    }
}

/// Appends what can be taken and says what became of each.
///
/// # Errors
/// 503: not all could be made durable; sending all again is safe.
pub async fn accept(parts: &Parts, door: &'static str, items: Vec<Item>) -> Result<Accepted, ApiError> {
    let mut events = Vec::with_capacity(items.len());
    let mut results = Vec::with_capacity(items.len());
    for item in items {
        let error = match item.event {
            Ok(event) => {
                events.push(event);
                None
            }
            Err(refused) => Some(problem_of(&refused)),
        };
        let status = if error.is_some() { ItemStatus::Rejected } else { ItemStatus::Accepted };
        results.push(ItemResult { status, event: None, id: item.id, error });
    }
    let mut appended = if events.is_empty() { Vec::new() } else { parts.inbox.events(events).await? }.into_iter();
    for result in results.iter_mut().filter(|result| result.status == ItemStatus::Accepted) {
        match appended.next().ok_or_else(|| ApiError::internal("an append without an answer"))? {
            Some((event, fresh)) => {
                result.event = Some(event.to_string());
                if !fresh {
                    result.status = ItemStatus::Duplicate;
                }
            }
            None => {
                result.status = ItemStatus::Rejected;
                result.error = Some(*ApiError::quarantined().problem);
            }
        }
    }
    for status in [ItemStatus::Accepted, ItemStatus::Duplicate, ItemStatus::Rejected] {
        let count = results.iter().filter(|result| result.status == status).count();
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        crate::telemetry::events(door, status.label(), count);
    }
    let accepted = results.iter().filter(|result| result.status == ItemStatus::Accepted).count();
    Ok(Accepted { accepted, results })
}

/// What a reader of formats needs to know of this request.
pub fn received(parts: &Parts, key: &ApiKey) -> Received {
    bounded(parts, key.trust())
}

/// The same for who has no key, and is vouched for by something else.
pub fn bounded(parts: &Parts, trust: Trust) -> Received {
    let limits = &parts.limits;
    let at = parts.clock.now();
    Received { at, trust, max_item: limits.item, max_items: limits.items, max_body: limits.body }
}

/// The profile that reads a key's events, where the catalog in force has it.
pub fn profile(parts: &Parts, key: &ApiKey) -> Option<Arc<Source>> {
    let name = key.source.as_deref()?;
    (parts.catalogs)().current()?.sources.get(name).cloned()
}

/// A refusal as problem details.
pub fn problem_of(refused: &Refused) -> Problem {
    let status = match refused.code {
        Code::Invalid | Code::Json | Code::ForeignCustomer => StatusCode::BAD_REQUEST,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
    };
    Problem::new(status, refused.code.as_str(), refused.detail.clone()).at(refused.pointer.clone())
}

/// A refusal of the whole request.
pub fn error_of(refused: &Refused) -> ApiError {
    let problem = Box::new(problem_of(refused));
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST);
    ApiError { status, problem, retry_after: None, cause: None }
}

/// Reads a body as strict JSON.
///
/// # Errors
/// 400, with where it is wrong.
pub fn json_of(body: &[u8]) -> Result<Value, ApiError> {
    crate::model::json::read(body).map_err(|error| error_of(&Refused::from(error)))
}
