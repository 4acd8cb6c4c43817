//! What a company does in a conversation: an input is appended, and the answer under its id is waited for.

use std::collections::BTreeSet;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::conversations::{conversation_id, show};
use super::keys::{ApiKey, Right};
use super::problem::{ApiError, Problem, sentence};
use super::reading::Found;
use super::wire::{self, View};
use super::{Parts, fields, reading};
use crate::engine::inbox::Asked;
use crate::ingest::fields::name;
use crate::model::customer::RefusalCode;
use crate::model::decision::Reply;
use crate::model::entry::{Kind, Logged};
use crate::model::event::Event;
use crate::model::ids::{ActorId, CallId, ConversationId};
use crate::model::input::{Body as Input, Settled};
use crate::model::triage::{Label, MAX_LABELS, Triage, WrongLabel, WrongPriority};

/// What a refusal is over HTTP.
pub fn refusal(code: RefusalCode) -> ApiError {
    let status = match code {
        RefusalCode::UnknownConversation | RefusalCode::UnknownMessage | RefusalCode::UnknownPlaybook => {
            StatusCode::NOT_FOUND
        }
        RefusalCode::Failed => StatusCode::UNPROCESSABLE_ENTITY,
        RefusalCode::NoConversation
        | RefusalCode::Closed
        | RefusalCode::ChoiceGone
        | RefusalCode::ConfirmGone
        | RefusalCode::Full
        | RefusalCode::Conflict
        | RefusalCode::TooManyLabels
        | RefusalCode::NotUnknown
        | RefusalCode::Paused => StatusCode::CONFLICT,
    };
    // Types of problems are written with `-`; codes of frames and entries with `_`.
    ApiError::new(status, &code.code().replace('_', "-"), code.message())
}

/// 202: it stands in the inbox and will be decided; `location` then says what became of it.
pub fn later(location: &str) -> Response {
    let mut response =
        (StatusCode::ACCEPTED, Json(json!({ "status": "pending", "location": location }))).into_response();
    if let Ok(value) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

/// Appends `beckon.open` and answers with the conversation.
///
/// # Errors
/// What the refusal is; the store's and the record's.
pub async fn opened(parts: &Parts, customer: &ActorId, event: Event) -> Result<Response, ApiError> {
    let (answer, status) = match parts.inbox.ask(customer, Input::Event(Box::new(event))).await? {
        Asked::Later(id) => return Ok(later(&format!("/v1/events/{id}"))),
        Asked::Answered(answer, _) => match answer.reply {
            Reply::Refused(code) => return Err(refusal(code)),
            Reply::Existing => (answer, StatusCode::OK),
            Reply::Done { .. } => (answer, StatusCode::CREATED),
        },
    };
    let id = answer.conversation.ok_or_else(|| ApiError::internal("an opening without its conversation"))?;
    let mut response = (status, Json(show(parts, id, View::Customer).await?)).into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("/v1/conversations/{id}")) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    Ok(response)
}

/// Appends an act and answers with the entry that it made.
async fn act(
    parts: &Parts,
    id: ConversationId,
    input: Input,
    made: impl Fn(&Kind) -> bool,
) -> Result<Response, ApiError> {
    let found = reading::find(parts, id).await?;
    let (answer, entries) = match parts.inbox.ask(found.customer(), input).await? {
        Asked::Later(_) => return Ok(later(&format!("/v1/conversations/{id}?view=trace"))),
        Asked::Answered(answer, entries) => (answer, entries),
    };
    let seq = match answer.reply {
        Reply::Refused(code) => return Err(refusal(code)),
        Reply::Existing => None,
        Reply::Done { seq } => Some(seq),
    };
    let of_it = |logged: &&Logged| logged.conversation == id && made(&logged.entry.kind);
    let entry = match (entries.iter().find(of_it), seq) {
        (Some(logged), _) => wire::entry(&logged.entry, View::Trace),
        // Sent again: the entry that the first one made.
        (None, Some(seq)) => {
            let log = reading::entries(parts, id, &reading::find(parts, id).await?).await?;
            log.iter().find(|entry| entry.visible && entry.seq == seq).and_then(|entry| wire::entry(entry, View::Trace))
        }
        (None, None) => None,
    };
    Ok(Json(entry.unwrap_or_else(|| json!({ "seq": seq }))).into_response())
}

type Caller<'p> = (&'p ApiKey, ConversationId);

fn caller<'p>(
    parts: &'p Parts,
    headers: &HeaderMap,
    id: Result<Path<String>, PathRejection>,
) -> Result<Caller<'p>, ApiError> {
    let key = parts.keys.authenticate_secret(headers, Right::Conversations)?;
    let Path(id) = id?;
    Ok((key, conversation_id(&id)?))
}

/// What an act that is sent again is known by.
fn client_id(body: &Map<String, Value>) -> Result<String, ApiError> {
    let client_id = fields::required(body, "client_id")?;
    // As in chat: it must not be short enough to come twice by chance.
    let plain = client_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if !plain || !(16..=64).contains(&client_id.len()) {
        return Err(ApiError::invalid("/client_id", "`client_id` is 16 to 64 letters, digits, `-` or `_`."));
    }
    Ok(client_id)
}

macro_rules! documented {
    ($(#[$about:meta])* $name:ident $path:literal $body:literal, $($handler:tt)*) => {
        $(#[$about])*
        #[utoipa::path(
            post, path = $path, tag = "conversations",
            params(("id" = String, Path, description = "The conversation")),
            request_body(content = Option<serde_json::Value>, description = $body),
            responses(
                (status = 200, description = "The entry it made", body = serde_json::Value),
                (status = 202, description = "It will be decided: read the conversation at `Location`"),
                (status = 400, description = "The body is wrong", body = Problem),
                (status = 401, description = "No valid API key", body = Problem),
                (status = 403, description = "The key may not lead conversations", body = Problem),
                (status = 404, description = "There is no such conversation", body = Problem),
                (status = 409, description = "Refused: the code says why", body = Problem),
                (status = 503, description = "The store is away or full", body = Problem),
            ),
            security(("key" = []))
        )]
        pub async fn $name $($handler)*
    };
}

documented! {
    /// Takes the conversation: compare-and-set on `n` of its last `holder` entry, 0 where there is none.
    claim "/v1/conversations/{id}/claim" "`{n}`",
    (
        State(parts): State<Parts>,
        headers: HeaderMap,
        id: Result<Path<String>, PathRejection>,
        body: Body,
    ) -> Result<Response, ApiError> {
        let (key, conversation) = caller(&parts, &headers, id)?;
        let body = fields::object(&headers, body, &parts.limits, &["n"]).await?;
        let n = fields::number(&body, "n")?;
        let input = Input::Claim { conversation, operator: key.operator(), n };
        act(&parts, conversation, input, |kind| matches!(kind, Kind::Holder { .. })).await
    }
}

documented! {
    /// Hands the conversation back to the assistant.
    release "/v1/conversations/{id}/release" "`{note?}`",
    (
        State(parts): State<Parts>,
        headers: HeaderMap,
        id: Result<Path<String>, PathRejection>,
        body: Body,
    ) -> Result<Response, ApiError> {
        let (key, conversation) = caller(&parts, &headers, id)?;
        let body = fields::object(&headers, body, &parts.limits, &["note"]).await?;
        let note = fields::optional(&body, "note")?.filter(|note| !note.is_empty());
        let input = Input::Release { conversation, operator: key.operator(), note };
        act(&parts, conversation, input, |kind| matches!(kind, Kind::Holder { .. })).await
    }
}

documented! {
    /// Passes the conversation on: it waits for a person of that team, or of the one that the playbook asks for.
    pass "/v1/conversations/{id}/pass" "`{team?, note?}`",
    (
        State(parts): State<Parts>,
        headers: HeaderMap,
        id: Result<Path<String>, PathRejection>,
        body: Body,
    ) -> Result<Response, ApiError> {
        let (key, conversation) = caller(&parts, &headers, id)?;
        let body = fields::object(&headers, body, &parts.limits, &["team", "note"]).await?;
        let team = fields::optional(&body, "team")?.map(|team| name("/team", &team)).transpose();
        let team = team.map_err(|refused| super::intake::error_of(&refused))?;
        let note = fields::optional(&body, "note")?.filter(|note| !note.is_empty());
        let input = Input::Pass { conversation, operator: key.operator(), team, note };
        act(&parts, conversation, input, |kind| matches!(kind, Kind::Holder { .. })).await
    }
}

documented! {
    /// Says something to the customer, as the operator named after the key; the conversation must be claimed by it.
    message "/v1/conversations/{id}/messages" "`{client_id, text}`",
    (
        State(parts): State<Parts>,
        headers: HeaderMap,
        id: Result<Path<String>, PathRejection>,
        body: Body,
    ) -> Result<Response, ApiError> {
        let (key, conversation) = caller(&parts, &headers, id)?;
        let body = fields::object(&headers, body, &parts.limits, &["client_id", "text"]).await?;
        let client_id = client_id(&body)?;
        let text = fields::required(&body, "text")?;
        let input = Input::OperatorSaid { conversation, operator: key.operator(), client_id, text };
        act(&parts, conversation, input, |kind| matches!(kind, Kind::Message { .. })).await
    }
}

documented! {
    /// Gives the conversation labels or another priority; answers with both as they are now. Customers never see them.
    triage "/v1/conversations/{id}/triage" "`{client_id, priority?, add?, remove?}`: `priority` is `low`, `normal`, `high` or `urgent`; `add` and `remove` are lists of labels",
    (
        State(parts): State<Parts>,
        headers: HeaderMap,
        id: Result<Path<String>, PathRejection>,
        body: Body,
    ) -> Result<Response, ApiError> {
        let (key, conversation) = caller(&parts, &headers, id)?;
        let body = fields::object(&headers, body, &parts.limits, &["client_id", "priority", "add", "remove"]).await?;
        let client_id = client_id(&body)?;
        let priority = fields::optional(&body, "priority")?.map(|text| text.parse());
        let priority = priority.transpose().map_err(|wrong: WrongPriority| wrong_field("/priority", &wrong))?;
        let triage = Triage { priority, add: labels(&body, "add")?, remove: labels(&body, "remove")? };
        if triage.is_empty() {
            return Err(ApiError::invalid("", "Nothing is to change: `priority`, `add` or `remove` says what."));
        }
        let input = Input::Triaged { conversation, operator: key.operator(), client_id, triage };
        let found = reading::find(&parts, conversation).await?;
        match parts.inbox.ask(found.customer(), input).await? {
            Asked::Later(_) => return Ok(later(&format!("/v1/conversations/{conversation}"))),
            Asked::Answered(answer, _) => if let Reply::Refused(code) = answer.reply { return Err(refusal(code)) },
        }
        Ok(Json(judged(&parts, conversation).await?).into_response())
    }
}

/// The priority and labels of a conversation as they are.
async fn judged(parts: &Parts, id: ConversationId) -> Result<Value, ApiError> {
    Ok(match reading::find(parts, id).await? {
        Found::Live(_, it) => json!({ "id": id, "priority": it.priority, "labels": it.labels }),
        Found::Recorded(it) => json!({ "id": id, "priority": it.priority, "labels": it.labels }),
    })
}

/// Labels of a list that may be there; nobody says more of them at once than a conversation may have.
fn labels(body: &Map<String, Value>, name: &str) -> Result<BTreeSet<Label>, ApiError> {
    let list = match body.get(name) {
        None | Some(Value::Null) => return Ok(BTreeSet::new()),
        Some(Value::Array(list)) if list.len() <= MAX_LABELS => list,
        Some(_) => {
            let detail = format!("`{name}` is a list of {MAX_LABELS} labels at most.");
            return Err(ApiError::invalid(format!("/{name}"), detail));
        }
    };
    let label = |(at, value): (usize, &Value)| {
        let pointer = format!("/{name}/{at}");
        let text = value.as_str().ok_or_else(|| ApiError::invalid(&*pointer, "A label is a text."))?;
        text.parse().map_err(|wrong: WrongLabel| wrong_field(&pointer, &wrong))
    };
    list.iter().enumerate().map(label).collect()
}

/// 400 at a field, with why its value is none.
pub fn wrong_field(pointer: &str, wrong: &impl std::fmt::Display) -> ApiError {
    ApiError::invalid(pointer, sentence(&wrong.to_string()))
}

documented! {
    /// Ends the conversation.
    close "/v1/conversations/{id}/close" "Nothing",
    (
        State(parts): State<Parts>,
        headers: HeaderMap,
        id: Result<Path<String>, PathRejection>,
        body: Body,
    ) -> Result<Response, ApiError> {
        let (key, conversation) = caller(&parts, &headers, id)?;
        fields::object(&headers, body, &parts.limits, &[]).await?;
        let input = Input::OperatorClosed { conversation, operator: key.operator() };
        act(&parts, conversation, input, |kind| matches!(kind, Kind::Closed { .. })).await
    }
}

/// Says what became of a write whose end is unknown: `{state: done | failed}`.
#[utoipa::path(
    post, path = "/v1/conversations/{id}/calls/{call_id}/settle", tag = "conversations",
    params(("id" = String, Path, description = "The conversation"), ("call_id" = String, Path, description = "The call")),
    request_body(content = serde_json::Value, description = "`{state: \"done\" | \"failed\"}`"),
    responses(
        (status = 200, description = "The entry it made", body = serde_json::Value),
        (status = 202, description = "It will be decided: read the conversation at `Location`"),
        (status = 400, description = "The body is wrong", body = Problem),
        (status = 401, description = "No valid API key", body = Problem),
        (status = 403, description = "The key may not lead conversations", body = Problem),
        (status = 404, description = "There is no such conversation, or the call's id is none", body = Problem),
        (status = 409, description = "No such call waits to be settled: it is known how it ended, or there was none", body = Problem),
        (status = 503, description = "The store is away or full", body = Problem),
    ),
    security(("key" = []))
)]
pub async fn settle(
    State(parts): State<Parts>,
    headers: HeaderMap,
    path: Result<Path<(String, String)>, PathRejection>,
    body: Body,
) -> Result<Response, ApiError> {
    let key = parts.keys.authenticate_secret(&headers, Right::Conversations)?;
    let Path((id, call)) = path?;
    let conversation = conversation_id(&id)?;
    let call: CallId = call.parse().map_err(|_| ApiError::not_found("There is no such call."))?;
    let body = fields::object(&headers, body, &parts.limits, &["state"]).await?;
    let state = match body.get("state").and_then(Value::as_str) {
        Some("done") => Settled::Done,
        Some("failed") => Settled::Failed,
        _ => return Err(ApiError::invalid("/state", "`state` is `done` or `failed`.")),
    };
    let input = Input::Settle { conversation, call, operator: key.operator(), state };
    act(&parts, conversation, input, move |kind| matches!(kind, Kind::Call { call_id, .. } if *call_id == call)).await
}
