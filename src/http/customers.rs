//! `/v1/customers/{customer}`: all that is known, and forgetting it.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::acts::later;
use super::keys::Right;
use super::problem::{ApiError, Problem};
use super::wire::{self, Shown, View};
use super::{Parts, reading};
use crate::engine::inbox::PATIENCE;
use crate::model::ids::ActorId;
use crate::model::input::Body;
use crate::model::live::Live;
use crate::record::EventRow;
use crate::store::{Channel, Hint};

fn customer_of(path: Result<Path<String>, PathRejection>) -> Result<ActorId, ApiError> {
    let Path(text) = path?;
    let wrong = || ApiError::not_found("There is no such customer: it is `user:<id>` or `anon:<id>`.");
    ActorId::parse(&text).map_err(|_| wrong())
}

/// All that is known of a customer: traits, conversations, events; the latest 200 of each.
#[utoipa::path(
    get, path = "/v1/customers/{customer}", tag = "customers",
    params(("customer" = String, Path, description = "`user:<id>` or `anon:<id>`")),
    responses(
        (status = 200, description = "`{customer, name?, traits, links, conversations, events}`", body = serde_json::Value),
        (status = 401, description = "No valid API key", body = Problem),
        (status = 403, description = "The key may not read customers", body = Problem),
        (status = 404, description = "Nothing is known of this customer", body = Problem),
    ),
    security(("key" = []))
)]
pub async fn get(
    State(parts): State<Parts>,
    headers: HeaderMap,
    customer: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, ApiError> {
    parts.keys.authenticate_secret(&headers, Right::Conversations)?;
    let customer = customer_of(customer)?;
    let state = reading::state(&parts, &customer).await?;
    let recorded = parts.record.customer(&customer).await?;
    if state.is_none() && recorded.is_none() {
        return Err(ApiError::not_found("Nothing is known of this customer."));
    }
    // What is live is newer than what is recorded.
    let mut traits = recorded.as_ref().map(|view| view.traits.clone()).unwrap_or_default();
    let mut links = Vec::new();
    let mut conversations: Vec<Value> = Vec::new();
    let mut live = std::collections::BTreeSet::new();
    if let Some(state) = &state {
        traits.extend(state.traits_object());
        links.extend(state.links.iter().cloned());
        for (id, conversation) in state.conversations.iter().rev() {
            let why = reading::why(&parts, conversation);
            conversations.push(wire::listed(&Shown::live(*id, &customer, conversation, &why), View::Trace));
            live.insert(*id);
        }
    }
    let (mut name, mut events, mut more) = (None, json!({ "items": [], "cursor": null }), None);
    if let Some(view) = recorded {
        let known = view.conversations.items.iter().filter(|row| !live.contains(&row.summary.id));
        conversations.extend(known.map(|row| wire::listed(&Shown::recorded(&row.summary), View::Trace)));
        let rows: Vec<Value> = view.events.items.iter().map(event_row).collect();
        events = json!({ "items": rows, "cursor": view.events.cursor });
        (name, more) = (view.name, view.conversations.cursor);
    }
    Ok(Json(json!({
        "customer": customer,
        "name": name,
        "traits": traits,
        "links": links,
        "conversations": { "items": conversations, "cursor": more },
        "events": events,
    })))
}

fn event_row(row: &EventRow) -> Value {
    let decisions: Vec<Value> =
        row.verdicts.iter().map(|(playbook, verdict)| json!({ "playbook": playbook, "verdict": verdict })).collect();
    json!({
        "event": row.id,
        "status": row.status.name(),
        "id": row.sender_id,
        "source": row.source,
        "type": row.kind,
        "received_at": row.received_at.to_string(),
        "decisions": decisions,
    })
}

/// Forgets a customer: state, conversations, events and what was on its way.
#[utoipa::path(
    delete, path = "/v1/customers/{customer}", tag = "customers",
    params(("customer" = String, Path, description = "`user:<id>` or `anon:<id>`")),
    responses(
        (status = 204, description = "It is forgotten"),
        (status = 202, description = "It will be: `Location` is 404 once it is"),
        (status = 401, description = "No valid API key", body = Problem),
        (status = 403, description = "The key may not erase customers", body = Problem),
        (status = 404, description = "It is no customer", body = Problem),
        (status = 503, description = "The store is away or full", body = Problem),
    ),
    security(("key" = []))
)]
pub async fn erase(
    State(parts): State<Parts>,
    headers: HeaderMap,
    customer: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let key = parts.keys.authenticate_secret(&headers, Right::Admin)?;
    let customer = customer_of(customer)?;
    tracing::info!(customer = customer.masked(), key = key.name, "erase");
    // Listen first: it may be told before the append returns.
    let mut hints = parts.store.subscribe(Channel::Actor(customer.clone()), 64).await?;
    parts.inbox.append_always(&customer, Body::Erase).await?;
    let erased = async {
        while let Some(hint) = hints.recv().await {
            if let Hint::Payload(payload) = hint
                && let Ok(Live::Erased) = serde_json::from_slice::<Live>(&payload)
            {
                return true;
            }
        }
        false
    };
    if tokio::time::timeout(PATIENCE, erased).await.unwrap_or(false) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let escaped = percent_encoding::utf8_percent_encode(customer.as_str(), percent_encoding::NON_ALPHANUMERIC);
    Ok(later(&format!("/v1/customers/{escaped}")))
}
