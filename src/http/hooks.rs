//! `/hooks/{source}`: vendors' webhooks, verified over their raw bytes by the source's profile.

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::Parts;
use super::intake::{Accepted, accept, bounded, error_of};
use super::limits::{headers_of, read_raw};
use super::problem::{ApiError, Problem};
use crate::ingest::body::unpack;
use crate::ingest::hooks::events_of;
use crate::ingest::signature::verify;
use crate::ingest::{Code, Refused};
use crate::model::event::Trust;
use crate::secret::Secret;

/// Takes a vendor's webhook.
#[utoipa::path(
    post, path = "/hooks/{source}", tag = "events",
    params(("source" = String, Path, description = "The source's name: `sources/<name>.yaml`, or a profile we ship")),
    request_body(content = serde_json::Value, description = "As the vendor sends it"),
    responses(
        (status = 202, description = "Durable, one result for each event in it", body = Accepted),
        (status = 400, description = "No JSON, or no events in it", body = Problem),
        (status = 401, description = "The signature does not fit, or is too old", body = Problem),
        (status = 404, description = "There is no such source that takes webhooks", body = Problem),
        (status = 408, description = "The body took too long to arrive", body = Problem),
        (status = 413, description = "Too large, or too many", body = Problem),
        (status = 415, description = "An encoding that is not spoken here", body = Problem),
        (status = 503, description = "Not all could be made durable: send it again after `Retry-After`", body = Problem),
    ),
    security(())
)]
pub async fn post(
    State(parts): State<Parts>,
    headers: HeaderMap,
    source: Result<Path<String>, PathRejection>,
    body: Body,
) -> Result<Response, ApiError> {
    let Path(name) = source?;
    let catalogs = (parts.catalogs)();
    let source = catalogs.current().and_then(|catalog| catalog.sources.get(&name)).cloned();
    let unknown = || ApiError::not_found("There is no such source that takes webhooks.");
    let source = source.ok_or_else(unknown)?;
    let how = source.verify.as_ref().ok_or_else(unknown)?;
    let raw = read_raw(&headers, body, &parts.limits).await?;
    let sent = headers_of(&headers);
    let now = parts.clock.now();
    let (secrets, missing) = secrets(&parts, &how.secrets);
    if let Err(why) = verify(how, &secrets, &sent, &raw, now) {
        crate::telemetry::hook_refused(&name);
        let mut error = ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", "The webhook could not be verified.");
        error.cause =
            Some(format!("webhook {name}: {why}{}", missing.map(|why| format!("; {why}")).unwrap_or_default()));
        return Err(error);
    }
    let encoding = headers.get("content-encoding").map(|value| value.to_str().unwrap_or("?"));
    let body = unpack(raw, encoding, parts.limits.body).map_err(|bad| {
        let code = match bad {
            crate::ingest::body::BadBody::TooLarge(_) => Code::TooLarge,
            crate::ingest::body::BadBody::Encoding(_) => Code::Unsupported,
            crate::ingest::body::BadBody::NotGzip => Code::Invalid,
        };
        error_of(&Refused::at("header content-encoding", bad.to_string()).coded(code))
    })?;
    let items =
        events_of(&source, &sent, &body, &bounded(&parts, Trust::Server)).map_err(|refused| error_of(&refused))?;
    let accepted = accept(&parts, "hooks", items).await?;
    Ok((StatusCode::ACCEPTED, Json(accepted)).into_response())
}

/// Those secrets that can be read, and why one could not: during a rotation an old one may be gone already.
fn secrets(parts: &Parts, names: &[String]) -> (Vec<Secret>, Option<String>) {
    let mut missing = None;
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        match (parts.secrets)(name) {
            Ok(secret) if !secret.reveal().is_empty() => found.push(secret),
            Ok(_) => missing = Some("a secret is empty".to_owned()),
            Err(why) => missing = Some(why),
        }
    }
    (found, missing)
}
