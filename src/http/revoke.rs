//! `POST /v1/events/{event}/revoke`: what a topic tells many customers is taken back.

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::acts::later;
use super::keys::Right;
use super::problem::{ApiError, Problem};
use super::{Parts, fields, reading};
use crate::engine::revoke::{reason_of, revoke};
use crate::model::ids::EventId;
use crate::model::topic::Revoke;
use crate::trigger::topic::revoking::topics_of;

/// Takes back an event that concerns many: nobody else is told, openings that nobody saw are withdrawn, open conversations
/// go on and know of it. The answer names the event that does it; what it came to is read there.
#[utoipa::path(
    post, path = "/v1/events/{event}/revoke", tag = "events",
    params(("event" = String, Path, description = "Beckon's id of it", example = "17-1764000000000-0")),
    request_body(content = Option<serde_json::Value>, description = "`{reason?}`: why, for the record and for the assistant of open conversations"),
    responses(
        (status = 202, description = "It is being taken back: `location` is the event that does it"),
        (status = 400, description = "The body is wrong", body = Problem),
        (status = 401, description = "No valid API key", body = Problem),
        (status = 403, description = "The key may not take anything back", body = Problem),
        (status = 404, description = "There is no such event", body = Problem),
        (status = 409, description = "No playbook tells many of it", body = Problem),
        (status = 503, description = "The store is away or full", body = Problem),
    ),
    security(("key" = []))
)]
pub async fn post(
    State(parts): State<Parts>,
    headers: HeaderMap,
    event: Result<Path<String>, PathRejection>,
    body: Body,
) -> Result<Response, ApiError> {
    let key = parts.keys.authenticate_secret(&headers, Right::Admin)?;
    let unknown = || ApiError::not_found("There is no such event.");
    let Path(id) = event?;
    let id: EventId = id.parse().map_err(|_| unknown())?;
    let body = fields::object(&headers, body, &parts.limits, &["reason"]).await?;
    let reason = fields::optional(&body, "reason")?.unwrap_or_default();
    let reason = reason_of(&reason).map_err(|problem| ApiError::invalid("/reason", problem))?;
    let (event, decided) = reading::event(&parts, id).await?.ok_or_else(unknown)?;
    let catalogs = (parts.catalogs)();
    let topics =
        catalogs.current().map(|catalog| topics_of(catalog, &event, decided.as_deref())).ok_or_else(unknown)?;
    let topics = topics.map_err(|firm| ApiError::new(StatusCode::CONFLICT, "not-revocable", firm.to_string()))?;
    let revoked = Revoke { event: id, kind: event.kind, topics, by: key.operator(), reason };
    let taken_back = revoke(&parts.inbox, revoked, parts.clock.now()).await?;
    tracing::info!(event = %id, by = %taken_back, key = key.name, "revoke");
    Ok(later(&format!("/v1/events/{taken_back}")))
}
