//! `/v1/customers/{customer}`: all that is known, and forgetting it.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::acts::later;
use super::conversations::show;
use super::keys::Right;
use super::outcomes::{self, EventForm};
use super::problem::{ApiError, Problem};
use super::query::{Asked, cursor};
use super::wire::View;
use super::{Parts, reading};
use crate::engine::inbox::PATIENCE;
use crate::model::customer::State;
use crate::model::event::Event;
use crate::model::ids::ActorId;
use crate::model::input::Body;
use crate::model::live::Live;
use crate::record::{ConversationFilter, Cursor, EventFilter, Page};
use crate::store::{Channel, Hint};
use crate::trigger::pending::{self, Pending};

/// Conversations on a page, with all their entries.
const CONVERSATIONS: u32 = 20;

/// Events on a page, with their data.
const EVENTS: u32 = 100;

fn customer_of(path: Result<Path<String>, PathRejection>) -> Result<ActorId, ApiError> {
    let Path(text) = path?;
    let wrong = || ApiError::not_found("There is no such customer: it is `user:<id>` or `anon:<id>`.");
    ActorId::parse(&text).map_err(|_| wrong())
}

/// Where to go on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Rest {
    /// The `cursor` of the conversations on the page before; then only conversations are given.
    conversations: Option<String>,
    /// The `cursor` of the events on the page before; then only events are given.
    events: Option<String>,
}

/// All that is known of a customer: traits, conversations with their entries, events with their data. Both lists are
/// given in pages: go on with `?conversations=` and `?events=` until their cursors are null.
#[utoipa::path(
    get, path = "/v1/customers/{customer}", tag = "customers",
    params(("customer" = String, Path, description = "`user:<id>` or `anon:<id>`"), Rest),
    responses(
        (status = 200, description = "`{customer, name?, traits, links, conversations?, events?}`", body = serde_json::Value),
        (status = 400, description = "The query is wrong", body = Problem),
        (status = 401, description = "No valid API key", body = Problem),
        (status = 403, description = "The key may not read customers", body = Problem),
        (status = 404, description = "Nothing is known of this customer", body = Problem),
    ),
    security(("key" = []))
)]
pub async fn get(
    Shared(parts): Shared<Parts>,
    headers: HeaderMap,
    customer: Result<Path<String>, PathRejection>,
    rest: Result<Asked<Rest>, ApiError>,
) -> Result<Json<Value>, ApiError> {
    parts.keys.authenticate_secret(&headers, Right::Conversations)?;
    let customer = customer_of(customer)?;
    let Asked(rest) = rest?;
    let after_conversations = cursor("conversations", rest.conversations.as_deref())?;
    let after_events = cursor("events", rest.events.as_deref())?;
    let first = after_conversations.is_none() && after_events.is_none();
    let state = reading::state(&parts, &customer).await?;
    let known = parts.record.known(&customer).await?;
    let mut nothing = state.is_none() && known.is_none();
    let known = known.unwrap_or_default();
    // What is live is newer than what is recorded.
    let mut traits = known.traits;
    traits.extend(state.as_ref().map(State::traits_object).unwrap_or_default());
    let links = state.as_ref().map(|state| state.links.clone()).unwrap_or_default();
    let mut answer = json!({ "customer": customer, "name": known.name, "traits": traits, "links": links });
    let mut add = |name: &str, page: Page<Value>| {
        nothing &= page.items.is_empty();
        if let Some(answer) = answer.as_object_mut() {
            answer.insert(
                name.to_owned(),
                json!({ "items": page.items, "cursor": page.cursor.map(|cursor| cursor.to_string()) }),
            );
        }
    };
    if first || after_conversations.is_some() {
        add("conversations", conversations(&parts, &customer, state.as_ref(), after_conversations.as_ref()).await?);
    }
    if first || after_events.is_some() {
        add("events", events(&parts, &customer, after_events.as_ref()).await?);
    }
    if first && nothing {
        return Err(ApiError::not_found("Nothing is known of this customer."));
    }
    Ok(Json(answer))
}

/// Conversations with their entries: on the first page those that live, then those that only the record knows.
async fn conversations(
    parts: &Parts,
    customer: &ActorId,
    state: Option<&State>,
    cursor: Option<&Cursor>,
) -> Result<Page<Value>, ApiError> {
    let live = state.map(|state| &state.conversations);
    let mut items = Vec::new();
    if cursor.is_none() {
        for id in live.into_iter().flat_map(|live| live.keys().rev()) {
            items.push(show(parts, *id, View::Trace).await?);
        }
    }
    let filter =
        ConversationFilter { customer: Some(customer.clone()), unlisted: true, ..ConversationFilter::default() };
    let page = parts.record.conversations(&filter, cursor, CONVERSATIONS).await?;
    for row in page.items {
        if live.is_none_or(|live| !live.contains_key(&row.summary.id)) {
            items.push(show(parts, row.summary.id, View::Trace).await?);
        }
    }
    Ok(Page { items, cursor: page.cursor })
}

/// Events with their data: on the first page those that are pending, then those archived.
async fn events(parts: &Parts, customer: &ActorId, cursor: Option<&Cursor>) -> Result<Page<Value>, ApiError> {
    let mut items = Vec::new();
    if cursor.is_none() {
        let own = std::iter::once(customer.partition(parts.store.partitions()));
        let found = reading::pending(parts, own, |event| event.customer.as_ref() == Some(customer)).await?;
        items.extend(found.into_iter().map(|(id, event)| whole(&event.clone(), &outcomes::pending(id, event))));
    }
    let filter = EventFilter { customer: Some(customer.clone()), ..EventFilter::default() };
    let page = parts.record.recent_events(&filter, cursor, EVENTS).await?;
    let catalogs = (parts.catalogs)();
    for row in page.items {
        if let Some(view) = parts.record.event(row.id).await? {
            items.push(whole(&view.event.clone(), &outcomes::archived(view, &catalogs)));
        }
    }
    Ok(Page { items, cursor: page.cursor })
}

/// What is under way for a customer, and what would make it fire.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnderWay {
    /// The customer.
    #[schema(value_type = String)]
    customer: ActorId,
    /// When this was so.
    #[schema(value_type = String, format = DateTime)]
    now: String,
    /// What waits for its time, by when it is due; what is counted; what holds openings back.
    #[schema(value_type = Vec<Object>)]
    pending: Vec<Pending>,
}

/// What is under way for a customer and what would make it fire: waits, counts, steps, limits, each with its numbers and in
/// sentences, by the playbooks in force.
#[utoipa::path(
    get, path = "/v1/customers/{customer}/pending", tag = "customers",
    params(("customer" = String, Path, description = "`user:<id>` or `anon:<id>`")),
    responses(
        (status = 200, description = "What is under way; nothing where nothing is", body = UnderWay),
        (status = 401, description = "No valid API key", body = Problem),
        (status = 403, description = "The key may not read customers", body = Problem),
        (status = 404, description = "It is no customer", body = Problem),
        (status = 503, description = "The store is away", body = Problem),
    ),
    security(("key" = []))
)]
pub async fn pending(
    Shared(parts): Shared<Parts>,
    headers: HeaderMap,
    customer: Result<Path<String>, PathRejection>,
) -> Result<Json<UnderWay>, ApiError> {
    parts.keys.authenticate_secret(&headers, Right::Conversations)?;
    let customer = customer_of(customer)?;
    let state = reading::state(&parts, &customer).await?;
    let catalogs = (parts.catalogs)();
    let now = parts.clock.now();
    let found = state.zip(catalogs.current()).map(|(state, catalog)| pending::pending(catalog, &state, now));
    Ok(Json(UnderWay { customer, now: now.to_string(), pending: found.unwrap_or_default() }))
}

/// An event with what became of it, and all that was sent with it.
fn whole(event: &Event, form: &EventForm) -> Value {
    let mut whole = json!(form);
    if let Some(whole) = whole.as_object_mut() {
        whole.insert("data".to_owned(), event.data.clone());
        for (name, sent) in [("traits", &event.traits), ("extensions", &event.extensions)] {
            if !sent.is_empty() {
                whole.insert(name.to_owned(), json!(sent));
            }
        }
        if let Some(link) = &event.link {
            whole.insert("link".to_owned(), json!(link));
        }
    }
    whole
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
    Shared(parts): Shared<Parts>,
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
