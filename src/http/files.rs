//! Sending a customer's file to whoever may have it: piece by piece, and so that no browser runs anything of it.

use axum::body::Body;
use axum::extract::Path;
use axum::extract::State;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Parts;
use super::keys::Right;
use super::problem::{ApiError, Problem};
use crate::model::attachment::{Attachment, AttachmentId};
use crate::record::{Record, RecordError};

/// What may stand unescaped in the extended form of a header's parameter (RFC 5987, `attr-char`), of what file names have.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Whose pages may show a file.
const SHOWN_BY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// A file as an answer. Its bytes never change, but they can be erased: only the browser of who asked may keep them.
///
/// # Errors
/// The record's, of the first piece; where a later one is missing the answer breaks off.
pub async fn send(record: &Record, file: &Attachment) -> Result<Response, ApiError> {
    // Read first, so that a file that just went is told with a status.
    let first = record.attachment_piece(&file.id, 0).await?.ok_or_else(gone)?;
    let rest = (record.clone(), file.id.clone(), 1);
    let rest = stream::unfold(rest, |(record, id, n)| async move {
        match record.attachment_piece(&id, n).await {
            Ok(Some(piece)) => Some((Ok::<Bytes, RecordError>(piece.into()), (record, id, n.saturating_add(1)))),
            Ok(None) => None,
            Err(error) => Some((Err(error), (record, id, u32::MAX))),
        }
    });
    let whole = futures_util::StreamExt::chain(stream::iter([Ok(Bytes::from(first))]), rest);
    let name = format!("attachment; filename*=UTF-8''{}", utf8_percent_encode(&file.name, NAME));
    let mut response = Body::from_stream(whole).into_response();
    let headers = response.headers_mut();
    for (header, value) in [
        (header::CONTENT_TYPE, file.kind.media_type()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"),
        (header::CACHE_CONTROL, "private, max-age=86400, immutable"),
        (SHOWN_BY, "same-origin"),
    ] {
        headers.insert(header, HeaderValue::from_static(value));
    }
    // The length is ours, and the name is plain ASCII now.
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.size));
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// The same for pages of other origins, which were asked before whether they may.
pub fn across_origins(mut response: Response) -> Response {
    response.headers_mut().insert(SHOWN_BY, HeaderValue::from_static("cross-origin"));
    response
}

/// 404.
pub fn gone() -> ApiError {
    ApiError::not_found("There is no such attachment.")
}

/// A file that a customer sent.
#[utoipa::path(
    get, path = "/v1/attachments/{id}", tag = "conversations",
    params(("id" = String, Path, description = "The attachment, as its message names it")),
    responses(
        (status = 200, description = "The file, by the type that was found", content_type = "application/octet-stream"),
        (status = 401, description = "No valid API key", body = Problem),
        (status = 403, description = "The key may not read conversations", body = Problem),
        (status = 404, description = "There is no such attachment, or it was erased", body = Problem),
    ),
    security(("key" = []))
)]
pub async fn get(
    State(parts): State<Parts>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    parts.keys.authenticate_secret(&headers, Right::Conversations)?;
    let Path(id) = id?;
    let id = AttachmentId::parse(&id).ok_or_else(gone)?;
    let (_, file) = parts.record.attachment(&id).await?.ok_or_else(gone)?;
    send(&parts.record, &file).await
}
