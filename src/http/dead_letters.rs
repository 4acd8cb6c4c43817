//! `/v1/dead-letters`: inputs that could not be processed; look, send again, drop.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Parts;
use super::keys::Right;
use super::problem::{ApiError, Problem};
use super::query::{Asked, cursor};
use crate::model::decision::DeadLetter;
use crate::model::ids::{ActorId, EventId};
use crate::store::{NewInput, StoredDead};

/// Letters of a page, where it is not said.
const PAGE: usize = 200;

/// The most letters of a page.
const MOST: usize = 1_000;

/// Which dead letters are meant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Where to go on: the `cursor` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 1000; 200 where it is not said.
    limit: Option<usize>,
}

/// Dead letters, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadLetterList {
    items: Vec<DeadLetterForm>,
    /// Where to go on; null at the end.
    cursor: Option<String>,
}

/// An input that could not be processed.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadLetterForm {
    /// Its id.
    id: String,
    /// When it came in.
    at: String,
    /// Whom it concerned, where that could be read.
    customer: Option<String>,
    /// Why it could not be processed.
    reason: String,
    /// The version that gave up on it.
    build: String,
    /// The input; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<Value>,
}

/// An input that was sent again.
#[derive(Debug, Serialize, ToSchema)]
pub struct Resent {
    /// Its new id.
    event: String,
}

fn form(letter: DeadLetter, whole: bool) -> DeadLetterForm {
    DeadLetterForm {
        id: letter.event.to_string(),
        at: letter.at.to_string(),
        customer: letter.actor.map(|actor| actor.masked()),
        reason: letter.reason,
        build: letter.build,
        input: whole.then_some(letter.payload),
    }
}

fn read(stored: &StoredDead) -> Result<DeadLetter, ApiError> {
    serde_json::from_slice(&stored.payload).map_err(ApiError::internal)
}

async fn one(parts: &Parts, headers: &HeaderMap, id: &str) -> Result<(EventId, DeadLetter), ApiError> {
    parts.keys.authenticate_secret(headers, Right::Admin)?;
    let gone = || ApiError::not_found("There is no such dead letter.");
    let wanted: EventId = id.parse().map_err(|_| gone())?;
    let found = parts.store.dead_letter(wanted.partition, wanted.pos).await?;
    Ok((wanted, read(&found.ok_or_else(gone)?)?))
}

/// Inputs that could not be processed, oldest first.
#[utoipa::path(
    get, path = "/v1/dead-letters", tag = "operation", params(Wanted),
    responses(
        (status = 200, description = "A page of them", body = DeadLetterList),
        (status = 400, description = "The query is wrong", body = Problem),
        (status = 401, description = "No valid API key", body = Problem),
        (status = 403, description = "The key has not the right `admin`", body = Problem),
        (status = 503, description = "The store is away", body = Problem),
    ),
    security(("key" = []))
)]
pub async fn list(
    State(parts): State<Parts>,
    headers: HeaderMap,
    wanted: Result<Asked<Wanted>, ApiError>,
) -> Result<Json<DeadLetterList>, ApiError> {
    parts.keys.authenticate_secret(&headers, Right::Admin)?;
    let Asked(wanted) = wanted?;
    let after: Option<EventId> = cursor("cursor", wanted.cursor.as_deref())?;
    let limit = wanted.limit.unwrap_or(PAGE).clamp(1, MOST);
    let stored = parts.store.dead(after, limit).await?;
    let full = stored.len() == limit;
    let items: Vec<DeadLetterForm> =
        stored.iter().map(|stored| Ok(form(read(stored)?, false))).collect::<Result<_, ApiError>>()?;
    let cursor = items.last().filter(|_| full).map(|last| last.id.clone());
    Ok(Json(DeadLetterList { items, cursor }))
}

/// One of them, with its input.
#[utoipa::path(
    get, path = "/v1/dead-letters/{id}", tag = "operation", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The letter", body = DeadLetterForm),
        (status = 401, description = "No valid API key", body = Problem),
        (status = 403, description = "The key has not the right `admin`", body = Problem),
        (status = 404, description = "There is none", body = Problem),
        (status = 503, description = "The store is away or full", body = Problem),
    ),
    security(("key" = []))
)]
pub async fn get(
    State(parts): State<Parts>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<DeadLetterForm>, ApiError> {
    let (_, letter) = one(&parts, &headers, &id).await?;
    Ok(Json(form(letter, true)))
}

/// Puts one back into the inbox. It is appended before it is taken away: a crash in between sends it twice, never not.
#[utoipa::path(
    post, path = "/v1/dead-letters/{id}/resend", tag = "operation", params(("id" = String, Path)),
    responses(
        (status = 202, description = "It stands in the inbox again", body = Resent),
        (status = 401, description = "No valid API key", body = Problem),
        (status = 403, description = "The key has not the right `admin`", body = Problem),
        (status = 404, description = "There is none", body = Problem),
        (status = 503, description = "The store is away or full", body = Problem),
    ),
    security(("key" = []))
)]
pub async fn resend(
    State(parts): State<Parts>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<Resent>), ApiError> {
    let (wanted, letter) = one(&parts, &headers, &id).await?;
    let payload = match letter.payload {
        Value::String(text) => text.into_bytes(),
        json => serde_json::to_vec(&json).map_err(ApiError::internal)?,
    };
    let partition = wanted.partition;
    let actor = letter.actor.unwrap_or_else(ActorId::of_partition);
    let input = NewInput { partition, actor, payload, dedupe: None, bounded: false, guest: false };
    let appended = parts.store.append(vec![input]).await?;
    let pos = appended.first().map(|appended| appended.pos).ok_or_else(|| ApiError::internal("no position"))?;
    parts.store.take_dead(partition, wanted.pos).await?;
    Ok((StatusCode::ACCEPTED, Json(Resent { event: EventId { partition, pos }.to_string() })))
}

/// Forgets one.
#[utoipa::path(
    delete, path = "/v1/dead-letters/{id}", tag = "operation", params(("id" = String, Path)),
    responses(
        (status = 204, description = "It is gone"),
        (status = 401, description = "No valid API key", body = Problem),
        (status = 403, description = "The key has not the right `admin`", body = Problem),
        (status = 404, description = "There is none", body = Problem),
        (status = 503, description = "The store is away or full", body = Problem),
    ),
    security(("key" = []))
)]
pub async fn forget(
    State(parts): State<Parts>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let (wanted, _) = one(&parts, &headers, &id).await?;
    parts.store.take_dead(wanted.partition, wanted.pos).await?;
    Ok(StatusCode::NO_CONTENT)
}
