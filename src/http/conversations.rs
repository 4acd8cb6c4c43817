//! `/v1/conversations`: listing, opening and leading conversations from the company's side.

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use super::keys::Right;
use super::problem::{ApiError, Problem};
use super::query::{Asked, cursor};
use super::reading::{self, Found};
use super::wire::{self, Shown, View};
use super::{Parts, fields};
use crate::ingest::fields::{customer, name};
use crate::model::decision::SummaryState;
use crate::model::event::{Event, OPEN};
use crate::model::ids::ConversationId;
use crate::model::satisfaction::Satisfaction;
use crate::model::triage::{Priority, WrongLabel};
use crate::record::ConversationFilter;

/// Which conversations are meant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Of this customer, `user:<id>` or `anon:<id>`.
    customer: Option<String>,
    /// `waiting`, `open` or `closed`.
    #[param(value_type = Option<String>)]
    state: Option<SummaryState>,
    /// With this label.
    label: Option<String>,
    /// Of this team: it was passed on to it, or else its playbook asks for it.
    team: Option<String>,
    /// `low`, `normal`, `high` or `urgent`.
    #[param(value_type = Option<String>)]
    priority: Option<Priority>,
    /// Rated so by the customer: `unhappy` is 1 or 2, `neutral` 3, `happy` 4 or 5.
    #[param(value_type = Option<String>)]
    rated: Option<Satisfaction>,
    /// Where to go on: the `cursor` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 200; 50 where it is not said.
    limit: Option<u32>,
}

/// Conversations, the latest change first, without their entries.
#[utoipa::path(
    get, path = "/v1/conversations", tag = "conversations", params(Wanted),
    responses(
        (status = 200, description = "`{items, cursor}`", body = serde_json::Value),
        (status = 400, description = "The query is wrong", body = Problem),
        (status = 401, description = "No valid API key", body = Problem),
        (status = 403, description = "The key may not read conversations", body = Problem),
    ),
    security(("key" = []))
)]
pub async fn list(
    State(parts): State<Parts>,
    headers: HeaderMap,
    wanted: Result<Asked<Wanted>, ApiError>,
) -> Result<Json<Value>, ApiError> {
    parts.keys.authenticate_secret(&headers, Right::Conversations)?;
    let Asked(wanted) = wanted?;
    let customer = match &wanted.customer {
        Some(text) => Some(customer("query customer", text).map_err(|refused| super::intake::error_of(&refused))?),
        None => None,
    };
    let label = wanted.label.as_deref().map(str::parse).transpose();
    let label = label.map_err(|wrong: WrongLabel| super::acts::wrong_field("query label", &wrong))?;
    let team = wanted.team.as_deref().map(|text| name("query team", text)).transpose();
    let team = team.map_err(|refused| super::intake::error_of(&refused))?;
    let (state, priority, rated) = (wanted.state, wanted.priority, wanted.rated);
    let filter = ConversationFilter { customer, state, label, team, priority, rated, ..ConversationFilter::default() };
    let limit = wanted.limit.unwrap_or(50).clamp(1, 200);
    let after = cursor("cursor", wanted.cursor.as_deref())?;
    let page = parts.record.conversations(&filter, after.as_ref(), limit).await?;
    let items: Vec<Value> =
        page.items.iter().map(|row| wire::listed(&Shown::recorded(&row.summary), View::Trace)).collect();
    Ok(Json(serde_json::json!({ "items": items, "cursor": page.cursor.map(|cursor| cursor.to_string()) })))
}

/// How much of a conversation is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Detail {
    /// `trace`: with the inner entries. Else what the customer sees.
    view: Option<String>,
}

/// One conversation with its entries.
#[utoipa::path(
    get, path = "/v1/conversations/{id}", tag = "conversations",
    params(("id" = String, Path, description = "The conversation"), Detail),
    responses(
        (status = 200, description = "The conversation", body = serde_json::Value),
        (status = 400, description = "The query is wrong", body = Problem),
        (status = 401, description = "No valid API key", body = Problem),
        (status = 403, description = "The key may not read conversations", body = Problem),
        (status = 404, description = "There is no such conversation", body = Problem),
    ),
    security(("key" = []))
)]
pub async fn get(
    State(parts): State<Parts>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
    detail: Result<Asked<Detail>, ApiError>,
) -> Result<Json<Value>, ApiError> {
    parts.keys.authenticate_secret(&headers, Right::Conversations)?;
    let Path(id) = id?;
    let Asked(detail) = detail?;
    let view = match detail.view.as_deref() {
        None => View::Customer,
        Some("trace") => View::Trace,
        Some(_) => return Err(ApiError::invalid("query view", "`view` is `trace` or not there.")),
    };
    Ok(Json(show(&parts, conversation_id(&id)?, view).await?))
}

/// Reads an id from a path.
///
/// # Errors
/// 404: there cannot be such a conversation.
pub fn conversation_id(text: &str) -> Result<ConversationId, ApiError> {
    text.parse().map_err(|_| ApiError::not_found("There is no such conversation."))
}

/// A conversation as REST shows it.
///
/// # Errors
/// 404 where there is none; the store's and the record's.
pub async fn show(parts: &Parts, id: ConversationId, view: View) -> Result<Value, ApiError> {
    let found = reading::find(parts, id).await?;
    let log = reading::entries(parts, id, &found).await?;
    let entries = wire::entries(&log, view);
    Ok(match &found {
        Found::Live(customer, conversation) => {
            let (why, team) = (reading::why(parts, conversation), reading::team(parts, conversation));
            let shown = Shown { team: team.as_deref(), ..Shown::live(id, customer, conversation, &why) };
            wire::conversation(&shown, entries, View::Trace)
        }
        Found::Recorded(summary) => wire::conversation(&Shown::recorded(summary), entries, View::Trace),
    })
}

/// Opens a conversation: `{customer, playbook, facts?}`. Conditions and limits of the playbook are not asked.
#[utoipa::path(
    post, path = "/v1/conversations", tag = "conversations",
    request_body(content = serde_json::Value, description = "`{customer, playbook, facts?}`"),
    responses(
        (status = 200, description = "One with this key was waiting or open: this is it", body = serde_json::Value),
        (status = 201, description = "It is opened", body = serde_json::Value),
        (status = 202, description = "It will be: `Location` says what became of it"),
        (status = 400, description = "The body is wrong", body = Problem),
        (status = 401, description = "No valid API key", body = Problem),
        (status = 403, description = "The key may not open conversations", body = Problem),
        (status = 404, description = "There is no such playbook", body = Problem),
        (status = 409, description = "The playbook is paused, or the customer's state is full", body = Problem),
        (status = 413, description = "The facts, or the body, are too large", body = Problem),
        (status = 422, description = "The opening could not be computed", body = Problem),
        (status = 503, description = "The store is away or full", body = Problem),
    ),
    security(("key" = []))
)]
pub async fn open(
    State(parts): State<Parts>,
    headers: HeaderMap,
    body: Body,
) -> Result<axum::response::Response, ApiError> {
    let key = parts.keys.authenticate_secret(&headers, Right::Conversations)?;
    let mut body = fields::object(&headers, body, &parts.limits, &["customer", "playbook", "facts"]).await?;
    let customer = fields::required(&body, "customer")?;
    let customer = customer_field(&customer)?;
    let playbook = fields::required(&body, "playbook")?;
    let playbook = name("/playbook", &playbook).map_err(|refused| super::intake::error_of(&refused))?;
    let facts = match body.remove("facts") {
        None | Some(Value::Null) => Value::Object(serde_json::Map::new()),
        Some(facts @ Value::Object(_)) => {
            // An opening is an event, and bounded as one.
            let received = super::intake::received(&parts, key);
            let fits = received.check_size(crate::ingest::size_of(&facts)).map_err(|refused| refused.under("/facts"));
            fits.map_err(|refused| super::intake::error_of(&refused))?;
            facts
        }
        Some(_) => return Err(ApiError::invalid("/facts", "`facts` is an object.")),
    };
    let id = format!("{:032x}", rand::random::<u128>());
    let source = format!("key:{}", key.name);
    let mut event = Event::new(&source, &id, OPEN, Some(customer.clone()), facts);
    event.time = Some(parts.clock.now());
    event.only = Some(playbook);
    super::acts::opened(&parts, &customer, event).await
}

fn customer_field(text: &str) -> Result<crate::model::ids::ActorId, ApiError> {
    customer("/customer", text).map_err(|refused| super::intake::error_of(&refused))
}
