//! Segment's API: what its libraries and RudderStack's send, answered as they expect.

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::Parts;
use super::intake::{Accepted, accept, error_of, profile, received};
use super::keys::{Right, basic, bearer};
use super::limits::{headers_of, read};
use super::problem::{ApiError, Problem};
use crate::ingest::segment::{Call, open, write_key};

/// What Segment's events come from, where the key does not say.
const SOURCE: &str = "segment";

async fn take(parts: Parts, headers: HeaderMap, body: Body, call: Option<Call>) -> Result<Json<Accepted>, ApiError> {
    // A key in a header is checked before the body is read; one in the body needs the body.
    let header = basic(&headers).or_else(|| bearer(&headers));
    let early = header.as_deref().and_then(|given| parts.keys.find(given));
    if header.is_some() && early.is_none() && !is_oauth(&headers) {
        return Err(parts.keys.allow(None, Right::Events).err().unwrap_or_else(|| ApiError::internal("no key")));
    }
    let body = read(&headers, body, &parts.limits).await?;
    let request = open(call, &body).map_err(|refused| error_of(&refused));
    let given = match (early, &request) {
        (Some(_), _) => header,
        (None, Ok(request)) => request.write_key.clone(),
        (None, Err(_)) => write_key(&body),
    };
    let key = parts.keys.allow(given, Right::Events)?;
    let request = request?;
    let profile = profile(&parts, key);
    let source = key.source.as_deref().unwrap_or(SOURCE);
    let items = request
        .events(&headers_of(&headers), &received(&parts, key), source, profile.as_deref())
        .map_err(|refused| error_of(&refused))?;
    Ok(Json(accept(&parts, "segment", items).await?))
}

/// Segment's OAuth sends a token of its own; the key is then in the body.
fn is_oauth(headers: &HeaderMap) -> bool {
    bearer(headers).is_some()
}

macro_rules! calls {
    ($($name:ident $path:literal $call:expr, $what:literal;)*) => {$(
        #[doc = $what]
        #[utoipa::path(
            post, path = $path, tag = "segment",
            request_body(content = serde_json::Value, description = "As Segment's libraries send it; gzip and \
                `text/plain` are taken too"),
            responses(
                (status = 200, description = "One result for each item in the order sent", body = Accepted),
                (status = 400, description = "No JSON", body = Problem),
                (status = 401, description = "No valid key in `Authorization` (Basic, Bearer) or `writeKey`", body = Problem),
                (status = 403, description = "The key may not send events", body = Problem),
                (status = 408, description = "The body took too long to arrive", body = Problem),
                (status = 413, description = "Too large, or too many", body = Problem),
                (status = 415, description = "An encoding that is not spoken here", body = Problem),
                (status = 503, description = "Not all could be made durable: send it again after `Retry-After`", body = Problem),
            ),
            security(("key" = []), ("basic" = []), ())
        )]
        pub async fn $name(
            State(parts): State<Parts>,
            headers: HeaderMap,
            body: Body,
        ) -> Result<Json<Accepted>, ApiError> {
            take(parts, headers, body, $call).await
        }
    )*};
}

calls! {
    track "/v1/track" Some(Call::Track), "Something happened.";
    identify "/v1/identify" Some(Call::Identify), "Who the customer is.";
    page "/v1/page" Some(Call::Page), "A page was seen.";
    screen "/v1/screen" Some(Call::Screen), "A screen was seen.";
    group "/v1/group" Some(Call::Group), "The customer belongs to a group.";
    alias "/v1/alias" Some(Call::Alias), "The customer has another name.";
    batch "/v1/batch" None, "Several calls at once.";
    t "/v1/t" Some(Call::Track), "As `/v1/track`; what browsers' libraries use.";
    i "/v1/i" Some(Call::Identify), "As `/v1/identify`; what browsers' libraries use.";
    p "/v1/p" Some(Call::Page), "As `/v1/page`; what browsers' libraries use.";
    g "/v1/g" Some(Call::Group), "As `/v1/group`; what browsers' libraries use.";
    b "/v1/b" None, "As `/v1/batch`; what browsers' libraries use.";
}

/// The settings that Segment's browser library asks for before it sends anything.
#[utoipa::path(
    get, path = "/v1/projects/{key}/settings", tag = "segment",
    params(("key" = String, Path, description = "The API key that stands in the page")),
    responses(
        (status = 200, description = "Send everything here", body = serde_json::Value),
        (status = 401, description = "No such key", body = Problem),
        (status = 403, description = "The key may not send events", body = Problem),
    ),
    security(())
)]
pub async fn settings(
    State(parts): State<Parts>,
    headers: HeaderMap,
    key: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, ApiError> {
    let Path(key) = key?;
    parts.keys.allow(Some(key.clone()), Right::Events)?;
    let mut segment = json!({
        "apiKey": key,
        "unbundledIntegrations": [],
        "addBundledMetadata": true,
        "maybeBundledConfigIds": {},
        "versionSettings": { "version": "4.4.7", "componentTypes": ["browser"] },
    });
    // The library would send to Segment itself otherwise.
    let host = headers.get("host").and_then(|host| host.to_str().ok());
    let plain = |host: &&str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b));
    if let (Some(host), Some(segment)) = (host.filter(plain), segment.as_object_mut()) {
        segment.insert("apiHost".to_owned(), json!(format!("{host}/v1")));
    }
    let every = json!({ "__default": { "enabled": true, "integrations": {} } });
    Ok(Json(json!({
        "integrations": { "Segment.io": segment },
        "plan": { "track": every, "identify": { "__default": { "enabled": true } },
            "group": { "__default": { "enabled": true } } },
        "edgeFunction": {},
        "analyticsNextEnabled": true,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": { "sampleRate": 0 },
        "legacyVideoPluginsEnabled": false,
        "remotePlugins": [],
    })))
}
