//! `/v1/events`: CloudEvents in, and what became of them out.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::Parts;
use super::intake::{Accepted, ItemStatus, accept, error_of, profile, received};
use super::keys::Right;
use super::limits::{headers_of, read};
use super::problem::{ApiError, Problem};
use crate::ingest::cloudevents::{self, Mode};

/// Takes CloudEvents 1.0: binary, structured or batched, by the content type.
#[utoipa::path(
    post, path = "/v1/events", tag = "events",
    request_body(content = serde_json::Value, content_type = "application/cloudevents+json",
        description = "A CloudEvent (`application/cloudevents+json`), an array of them \
            (`application/cloudevents-batch+json`), or the data alone with the attributes as `ce-` headers."),
    responses(
        (status = 202, description = "Durable, one result for each event in the order sent", body = Accepted),
        (status = 400, description = "No JSON, or one event alone that is invalid", body = Problem),
        (status = 401, description = "No valid API key", body = Problem),
        (status = 403, description = "The key may not send events", body = Problem),
        (status = 409, description = "Its customer's inputs cannot be processed; dead letters come first", body = Problem),
        (status = 408, description = "The body took too long to arrive", body = Problem),
        (status = 413, description = "Too large, or too many", body = Problem),
        (status = 415, description = "A format or encoding that is not spoken here", body = Problem),
        (status = 503, description = "Not all could be made durable: send it again after `Retry-After`", body = Problem),
    ),
    security(("key" = []))
)]
pub async fn post(State(parts): State<Parts>, headers: HeaderMap, body: Body) -> Result<Response, ApiError> {
    let key = parts.keys.authenticate(&headers, Right::Events)?;
    let sent = headers_of(&headers);
    let mode = cloudevents::mode(&sent).map_err(|refused| error_of(&refused))?;
    let body = read(&headers, body, &parts.limits).await?;
    let profile = profile(&parts, key);
    let items = cloudevents::read(mode, &sent, &body, &received(&parts, key), profile.as_deref())
        .map_err(|refused| error_of(&refused))?;
    if let (Mode::Binary | Mode::Structured, [item]) = (mode, items.as_slice())
        && let Err(refused) = &item.event
    {
        crate::telemetry::events("events", "rejected", 1);
        return Err(error_of(refused));
    }
    let accepted = accept(&parts, "events", items).await?;
    if let (Mode::Binary | Mode::Structured, [only]) = (mode, accepted.results.as_slice())
        && only.status == ItemStatus::Rejected
    {
        return Err(ApiError::quarantined());
    }
    Ok((StatusCode::ACCEPTED, Json(accepted)).into_response())
}

/// The handshake of CloudEvents' webhook specification: anybody who has a key may send.
#[utoipa::path(
    options, path = "/v1/events", tag = "events",
    params(("WebHook-Request-Origin" = Option<String>, Header, description = "Who asks to send")),
    responses((status = 200, description = "It may, with a key"))
)]
pub async fn handshake(headers: HeaderMap) -> Response {
    let mut response = StatusCode::OK.into_response();
    let answer = response.headers_mut();
    answer.insert("allow", HeaderValue::from_static("GET, POST, OPTIONS"));
    if let Some(origin) = headers.get("webhook-request-origin") {
        answer.insert("webhook-allowed-origin", origin.clone());
        if headers.contains_key("webhook-request-rate") {
            answer.insert("webhook-allowed-rate", HeaderValue::from_static("*"));
        }
    }
    response
}
