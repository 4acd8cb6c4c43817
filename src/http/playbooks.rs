//! `/v1/playbooks`: what is in force, with counts, and pausing it.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::Parts;
use super::keys::Right;
use super::problem::{ApiError, Problem};
use crate::engine::pause::set_paused;
use crate::model::input::InForce;

/// The name that means every playbook which events open.
const ALL: &str = "all";

/// Playbooks in force.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlaybookList {
    items: Vec<PlaybookForm>,
    /// Always null: all are given at once.
    cursor: Option<String>,
    /// The revision in force.
    revision: u64,
}

/// A playbook in force.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlaybookForm {
    /// Its name.
    name: String,
    /// `active` or `paused`.
    state: &'static str,
    /// The types of events that fire it.
    on: Vec<String>,
    /// How often it made what of an event, by verdict.
    counts: BTreeMap<String, u64>,
}

/// Playbooks in force, in order of name.
#[utoipa::path(
    get, path = "/v1/playbooks", tag = "playbooks",
    responses(
        (status = 200, description = "All of them", body = PlaybookList),
        (status = 401, description = "No valid API key", body = Problem),
        (status = 403, description = "The key may not read playbooks", body = Problem),
    ),
    security(("key" = []))
)]
pub async fn list(State(parts): State<Parts>, headers: HeaderMap) -> Result<Json<PlaybookList>, ApiError> {
    parts.keys.authenticate_secret(&headers, Right::Conversations)?;
    let in_force = parts.store.in_force().await?;
    Ok(Json(shown(&parts, &in_force).await?))
}

async fn shown(parts: &Parts, in_force: &InForce) -> Result<PlaybookList, ApiError> {
    let mut counts: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for row in parts.record.verdict_counts().await? {
        counts.entry(row.playbook).or_default().insert(row.verdict, row.count);
    }
    let catalogs = (parts.catalogs)();
    let playbooks = catalogs.current().map(|catalog| &catalog.playbooks);
    let form = |name: &String, playbook: &crate::model::catalog::Playbook| PlaybookForm {
        name: name.clone(),
        state: if in_force.paused.contains(name) { "paused" } else { "active" },
        on: playbook.hears().into_iter().map(str::to_owned).collect(),
        counts: counts.get(name).cloned().unwrap_or_default(),
    };
    let items = playbooks.into_iter().flatten().map(|(name, playbook)| form(name, playbook)).collect();
    Ok(PlaybookList { items, cursor: None, revision: in_force.revision })
}

/// Pauses a playbook: it opens nothing, and openings not yet seen are withdrawn. `all`: every one that events open.
#[utoipa::path(
    post, path = "/v1/playbooks/{name}/pause", tag = "playbooks",
    params(("name" = String, Path, description = "The playbook, or `all`")),
    responses(
        (status = 200, description = "All of them, as they are now", body = PlaybookList),
        (status = 401, description = "No valid API key", body = Problem),
        (status = 403, description = "The key may not pause playbooks", body = Problem),
        (status = 404, description = "There is no such playbook", body = Problem),
        (status = 503, description = "The store is away", body = Problem),
    ),
    security(("key" = []))
)]
pub async fn pause(
    State(parts): State<Parts>,
    headers: HeaderMap,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<PlaybookList>, ApiError> {
    set(&parts, &headers, name, true).await
}

/// Resumes a playbook, or `all`.
#[utoipa::path(
    post, path = "/v1/playbooks/{name}/resume", tag = "playbooks",
    params(("name" = String, Path, description = "The playbook, or `all`")),
    responses(
        (status = 200, description = "All of them, as they are now", body = PlaybookList),
        (status = 401, description = "No valid API key", body = Problem),
        (status = 403, description = "The key may not resume playbooks", body = Problem),
        (status = 404, description = "There is no such playbook", body = Problem),
        (status = 503, description = "The store is away", body = Problem),
    ),
    security(("key" = []))
)]
pub async fn resume(
    State(parts): State<Parts>,
    headers: HeaderMap,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<PlaybookList>, ApiError> {
    set(&parts, &headers, name, false).await
}

async fn set(
    parts: &Parts,
    headers: &HeaderMap,
    name: Result<Path<String>, PathRejection>,
    paused: bool,
) -> Result<Json<PlaybookList>, ApiError> {
    let key = parts.keys.authenticate_secret(headers, Right::Admin)?;
    let Path(name) = name?;
    let catalogs = (parts.catalogs)();
    let known = catalogs.current().map(|catalog| &catalog.playbooks);
    let mut names: Vec<String> = known
        .into_iter()
        .flatten()
        .filter(|(known, playbook)| if name == ALL { !playbook.on.is_empty() } else { **known == name })
        .map(|(known, _)| known.clone())
        .collect();
    let now = parts.store.in_force().await?;
    if !paused && name == ALL {
        // What was paused and is no longer there would stay paused for ever.
        names.extend(now.paused.iter().cloned());
    } else if !paused && now.paused.contains(&name) && names.is_empty() {
        names.push(name.clone());
    }
    if names.is_empty() && name != ALL {
        return Err(ApiError::not_found("There is no such playbook."));
    }
    tracing::info!(playbook = name, paused, key = key.name, "pause or resume");
    let in_force = set_paused(&parts.store, &names, paused).await?;
    Ok(Json(shown(parts, &in_force).await?))
}
