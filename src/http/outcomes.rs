//! `GET /v1/events`: what became of events.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::keys::Right;
use super::problem::{ApiError, Problem};
use super::query::{Asked, cursor};
use super::{Parts, reading};
use crate::model::catalog::Catalogs;
use crate::model::decision::{GoalReached, Judged};
use crate::model::event::{Event, Trust};
use crate::model::ids::{EventId, Partition};
use crate::model::topic::Revoke;
use crate::record::{EventView, VerdictCount};

/// An event and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventForm {
    /// Beckon's id.
    #[schema(example = "17-1764000000000-0")]
    event: String,
    /// `pending` until archived, then `decided` or `dead`.
    #[schema(example = "decided")]
    status: &'static str,
    /// The sender's id.
    id: String,
    /// Where it comes from.
    source: String,
    /// What happened.
    #[serde(rename = "type")]
    kind: String,
    /// When it happened, as the sender says.
    time: Option<String>,
    /// When it was appended.
    received_at: String,
    /// Whom it concerns.
    customer: Option<String>,
    /// Who vouches for it: `server` or `client`.
    trust: &'static str,
    /// What playbooks made of it, in order of name.
    decisions: Vec<DecisionForm>,
    /// Goals it reached.
    goals: Vec<GoalForm>,
    /// What the customers whom a topic told of it made of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    told: Vec<ToldForm>,
    /// What it takes back, where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    takes_back: Option<TakesBackForm>,
    /// The event that was sent, where a topic gave this one to its customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    /// Nothing listens to this type; this is the closest that something listens to.
    #[serde(skip_serializing_if = "Option::is_none")]
    nearest: Option<String>,
}

/// What a playbook made of an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionForm {
    /// The playbook.
    playbook: String,
    /// What was decided, such as `waiting` or `not_matched`.
    #[schema(value_type = String)]
    verdict: crate::model::entry::Verdict,
    /// Why, in a word or a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The first condition that failed, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<String>,
    /// What that condition saw.
    #[serde(skip_serializing_if = "Value::is_null")]
    values: Value,
    /// The conversation that it opened or joined.
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<String>,
}

/// What an event takes back.
#[derive(Debug, Serialize, ToSchema)]
pub struct TakesBackForm {
    /// Beckon's id of the event.
    event: String,
    /// Its type.
    #[serde(rename = "type")]
    kind: String,
    /// Who takes it back.
    by: String,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
}

impl From<Revoke> for TakesBackForm {
    fn from(revoke: Revoke) -> TakesBackForm {
        let Revoke { event, kind, by, reason, .. } = revoke;
        TakesBackForm { event: event.to_string(), kind, by: by.name, reason }
    }
}

/// How many of the customers whom a topic told made this of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ToldForm {
    /// The playbook.
    playbook: String,
    /// What they made of it, as it stands now.
    verdict: String,
    /// How many.
    count: u64,
}

impl From<VerdictCount> for ToldForm {
    fn from(told: VerdictCount) -> ToldForm {
        ToldForm { playbook: told.playbook, verdict: told.verdict, count: told.count }
    }
}

/// A goal that an event reached.
#[derive(Debug, Serialize, ToSchema)]
pub struct GoalForm {
    /// The conversation.
    conversation: String,
    /// What it was worth.
    value: Option<Value>,
}

impl From<Judged> for DecisionForm {
    fn from(judged: Judged) -> DecisionForm {
        let values = if judged.values.is_empty() { Value::Null } else { Value::Object(judged.values) };
        DecisionForm {
            playbook: judged.playbook,
            verdict: judged.verdict,
            reason: judged.reason,
            condition: judged.condition,
            values,
            conversation: judged.conversation.map(|id| id.to_string()),
        }
    }
}

impl From<GoalReached> for GoalForm {
    fn from(goal: GoalReached) -> GoalForm {
        GoalForm { conversation: goal.conversation.to_string(), value: goal.value }
    }
}

/// An event that is not archived yet.
pub fn pending(id: EventId, event: Event) -> EventForm {
    form(id, "pending", event)
}

fn form(id: EventId, status: &'static str, event: Event) -> EventForm {
    EventForm {
        event: id.to_string(),
        status,
        id: event.id,
        source: event.source,
        kind: event.kind,
        time: event.time.map(|time| time.to_string()),
        received_at: id.pos.time().to_string(),
        customer: event.customer.map(|customer| customer.to_string()),
        trust: match event.trust {
            Trust::Server => "server",
            Trust::Client => "client",
        },
        decisions: Vec::new(),
        goals: Vec::new(),
        told: Vec::new(),
        takes_back: event.revoke.map(|revoke| TakesBackForm::from(*revoke)),
        origin: event.news.map(|news| news.origin.to_string()),
        nearest: None,
    }
}

/// An archived event.
pub fn archived(view: EventView, catalogs: &Catalogs) -> EventForm {
    let mut form = form(view.id, view.status.name(), view.event);
    form.decisions = view.decisions.into_iter().map(DecisionForm::from).collect();
    form.goals = view.goals.into_iter().map(GoalForm::from).collect();
    form.told = view.told.into_iter().map(ToldForm::from).collect();
    if form.decisions.is_empty() && form.goals.is_empty() {
        form.nearest = nearest(&form.kind, catalogs);
    }
    form
}

/// The type that is most like this one, of those that something listens to; none where none is alike, or it is one.
pub fn nearest(kind: &str, catalogs: &Catalogs) -> Option<String> {
    let catalog = catalogs.current()?;
    let known = catalog.listeners.keys().chain(catalog.goals.iter());
    let mut best: Option<(f64, &String)> = None;
    for name in known {
        if name == kind {
            return None;
        }
        let alike = strsim::jaro_winkler(&kind.to_lowercase(), &name.to_lowercase());
        if best.is_none_or(|(most, _)| alike > most) {
            best = Some((alike, name));
        }
    }
    best.map(|(_, name)| name.clone())
}

/// What became of an event, by Beckon's id.
#[utoipa::path(
    get, path = "/v1/events/{event}", tag = "events",
    params(("event" = String, Path, description = "Beckon's id of it", example = "17-1764000000000-0")),
    responses(
        (status = 200, description = "The event and what became of it", body = EventForm),
        (status = 401, description = "No valid API key", body = Problem),
        (status = 403, description = "The key may not read events", body = Problem),
        (status = 404, description = "There is no such event", body = Problem),
    ),
    security(("key" = []))
)]
pub async fn get(
    State(parts): State<Parts>,
    headers: HeaderMap,
    event: Result<Path<String>, PathRejection>,
) -> Result<Json<EventForm>, ApiError> {
    parts.keys.authenticate_secret(&headers, Right::Events)?;
    let unknown = || ApiError::not_found("There is no such event.");
    let Path(event) = event?;
    let id: EventId = event.parse().map_err(|_| unknown())?;
    if let Some(view) = parts.record.event(id).await? {
        return Ok(Json(archived(view, &(parts.catalogs)())));
    }
    if let Some(event) = reading::pending_event(&parts, id).await? {
        return Ok(Json(pending(id, event)));
    }
    // Archived between the two looks; else erased.
    let view = parts.record.event(id).await?.ok_or_else(unknown)?;
    Ok(Json(archived(view, &(parts.catalogs)())))
}

/// Which events are meant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// The sender's id.
    id: Option<String>,
    /// Where it comes from.
    source: Option<String>,
    /// Where to go on: the `cursor` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 200; 100 where it is not said.
    limit: Option<u32>,
}

/// A list of events.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventList {
    items: Vec<EventForm>,
    /// Where the rest begins; null where this is all.
    cursor: Option<String>,
}

/// What became of events, by the sender's id: first those that are pending, then those archived, each the latest first.
#[utoipa::path(
    get, path = "/v1/events", tag = "events", params(Wanted),
    responses(
        (status = 200, description = "Those with this id", body = EventList),
        (status = 400, description = "The query is wrong", body = Problem),
        (status = 401, description = "No valid API key", body = Problem),
        (status = 403, description = "The key may not read events", body = Problem),
    ),
    security(("key" = []))
)]
pub async fn list(
    State(parts): State<Parts>,
    headers: HeaderMap,
    wanted: Result<Asked<Wanted>, ApiError>,
) -> Result<Json<EventList>, ApiError> {
    parts.keys.authenticate_secret(&headers, Right::Events)?;
    let Asked(wanted) = wanted?;
    let id = wanted.id.filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| ApiError::invalid("query id", "The query needs `id`, the sender's id of the event."))?;
    let after = cursor("cursor", wanted.cursor.as_deref())?;
    let catalogs = (parts.catalogs)();
    let source = wanted.source.as_deref();
    let mut items = Vec::new();
    if after.is_none() {
        let is_it = |event: &Event| event.id == id && source.is_none_or(|source| event.source == source);
        let partitions = (0..parts.store.partitions()).map(Partition);
        let found = reading::pending(&parts, partitions, is_it).await?;
        items.extend(found.into_iter().map(|(id, event)| pending(id, event)));
    }
    let limit = wanted.limit.unwrap_or(100).clamp(1, 200);
    let page = parts.record.sent_as(&id, source, after.as_ref(), limit).await?;
    items.extend(page.items.into_iter().map(|view| archived(view, &catalogs)));
    Ok(Json(EventList { items, cursor: page.cursor.map(|cursor| cursor.to_string()) }))
}
