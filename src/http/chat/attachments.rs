//! `/v1/chat/attachments`: customers send files before the message that names them, and fetch them again.
//!
//! Not here: what a message makes of them (`taking`), and how long they are kept (`record`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use utoipa::IntoParams;

use super::identity::{Denied, Known};
use super::{Chat, may_come};
use crate::http::files;
use crate::http::layers::{self, Across};
use crate::http::limits::{self, Limits};
use crate::http::problem::ApiError;
use crate::http::query::Asked;
use crate::ingest::file;
use crate::model::attachment::{Attachment, AttachmentId, FileType};
use crate::record::{NewAttachment, Record};

/// The header in which somebody without a token says who it is. Its value is a secret.
const ANONYMOUS: HeaderName = HeaderName::from_static("x-beckon-anonymous");
/// The longest name of a file, in characters.
const MAX_NAME: usize = 200;
/// What the files on their way in may take of memory, in [`UNIT`]s; for customers with a token, and again for those without,
/// so that nobody who is unknown shuts the others out.
const ROOM: usize = 64;
/// What that is counted in, in bytes.
const UNIT: usize = 1024 * 1024;
/// How long a file waits for that room.
const PATIENCE: Duration = Duration::from_secs(5);

/// What files customers may send; from `[attachments]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether they may at all.
    pub enabled: bool,
    /// The largest, in bytes.
    pub max_size: usize,
    /// The most of one message.
    pub max_count: usize,
    /// What they may be.
    pub types: Vec<FileType>,
    /// What one customer's may take together, in bytes.
    pub max_customer: usize,
    /// What all may take together, in bytes.
    pub max_total: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            enabled: false,
            max_size: 5 << 20,
            max_count: 3,
            types: FileType::ALL.to_vec(),
            max_customer: 50 << 20,
            max_total: 10 << 30,
        }
    }
}

/// What all files take, as this node knows it. Cheap to clone.
///
/// Counted by the record now and then, and by this node in between: to sum it up at each file would be slow, and whether
/// other nodes took some more meanwhile matters little.
#[derive(Debug, Clone, Default)]
pub struct Taken(Arc<AtomicU64>);

impl Taken {
    /// As the record counts it.
    pub fn is(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    fn has_room(&self, more: usize, most: usize) -> bool {
        let more = u64::try_from(more).unwrap_or(u64::MAX);
        u64::try_from(most).is_ok_and(|most| self.0.load(Ordering::Relaxed).saturating_add(more) <= most)
    }

    fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// What pages of other origins may send with files, and read of an answer.
const FILES: Across = Across {
    sent: "authorization, content-type, x-beckon-anonymous",
    read: "content-disposition, retry-after, x-request-id",
};

#[derive(Clone)]
struct Door {
    chat: Chat,
    record: Record,
    taken: Taken,
    arrival: Duration,
    known: Arc<Semaphore>,
    guests: Arc<Semaphore>,
}

/// The routes. `arrival`: how long a file may take to arrive.
pub fn routes(chat: Chat, record: Record, taken: Taken, arrival: Duration) -> Router {
    let room = || Arc::new(Semaphore::new(ROOM));
    let door = Door { chat, record, taken, arrival, known: room(), guests: room() };
    Router::new()
        .route("/v1/chat/attachments", post(upload))
        .route("/v1/chat/attachments/{id}", get(download))
        .method_not_allowed_fallback(crate::http::operation::other_method)
        .layer(from_fn_with_state(door.clone(), guard))
        .with_state(door)
}

impl Door {
    fn settings(&self) -> &Settings {
        &self.chat.shared.settings.attachments
    }

    /// Who asks: by the token of the socket's `hello`, else by the id that `welcome` gave.
    async fn known(&self, headers: &HeaderMap) -> Result<Known, ApiError> {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let token = text(&header::AUTHORIZATION).and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let anonymous = text(&ANONYMOUS);
        if token.is_none() && (anonymous.is_none() || headers.contains_key(header::AUTHORIZATION)) {
            return Err(unknown("Send the token as bearer token, or else the anonymous id."));
        }
        match self.chat.shared.identity.of(token, anonymous).await {
            // An id that was not made here got a new one: that is nobody's.
            Ok(known) if token.is_none() && known.anonymous_id.as_deref() != anonymous => {
                Err(unknown("This anonymous id is not known."))
            }
            Ok(known) => Ok(known),
            Err(Denied::Away) => Err(away("Who you are cannot be checked now.", "the published keys cannot be had")),
            // Of a token that ran out the page is to fetch another, and come again.
            Err(denied) => {
                let status = if token.is_some() { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN };
                Err(ApiError::new(status, "unknown_customer", format!("Who you are is not known: {denied}.")))
            }
        }
    }

    /// Room for so many bytes in memory, until it is dropped.
    async fn room(&self, who: &Known, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let room = if who.anonymous_id.is_none() { &self.known } else { &self.guests };
        let units = bytes.div_ceil(UNIT).clamp(1, ROOM);
        let permit = Arc::clone(room).acquire_many_owned(u32::try_from(units).unwrap_or(1));
        match tokio::time::timeout(PATIENCE, permit).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(away("Too many files are on their way.", "no room for another file in memory")),
        }
    }
}

fn unknown(detail: &str) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "unknown_customer", detail)
}

fn away(detail: &str, cause: &str) -> ApiError {
    let mut error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", format!("{detail} Send it again."));
    error.retry_after = Some(Duration::from_secs(2));
    error.cause = Some(cause.to_owned());
    error
}

/// Before all else: files are taken here, and this page may ask. Every answer to it says so, errors too.
async fn guard(State(door): State<Door>, request: Request, next: Next) -> Response {
    if !door.settings().enabled {
        return ApiError::not_found("Attachments are not enabled here.").into_response();
    }
    let headers = request.headers();
    if !may_come(headers, &door.chat.shared.settings.origins) {
        crate::telemetry::chat_refused("origin");
        return ApiError::new(StatusCode::FORBIDDEN, "origin", "This origin is not in `chat.origins`.").into_response();
    }
    let origin = headers.get(header::ORIGIN).cloned();
    let mut response = layers::across(origin, FILES, request, next).await;
    response.headers_mut().append(header::VARY, HeaderValue::from_static("authorization, x-beckon-anonymous"));
    response
}

/// What is said of a file beside its bytes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct About {
    /// Its name.
    name: Option<String>,
}

/// `POST /v1/chat/attachments?name=…`: the body is the file. What the request says of its type does not count.
async fn upload(
    State(door): State<Door>,
    headers: HeaderMap,
    about: Result<Asked<About>, ApiError>,
    body: Body,
) -> Result<(StatusCode, Json<Attachment>), ApiError> {
    let taken = take(&door, &headers, about, body).await;
    let ended = taken.as_ref().map_or_else(|error| error.problem.kind.as_str(), |_| "taken");
    crate::telemetry::attachment(ended.trim_start_matches("/problems/"));
    taken.map(|attachment| (StatusCode::CREATED, Json(attachment)))
}

async fn take(
    door: &Door,
    headers: &HeaderMap,
    about: Result<Asked<About>, ApiError>,
    body: Body,
) -> Result<Attachment, ApiError> {
    let settings = door.settings();
    let who = door.known(headers).await?;
    let Asked(about) = about?;
    let name = name(about.name.as_deref().unwrap_or_default())?;
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > settings.max_size) {
        return Err(too_large(settings.max_size));
    }
    let length = announced.unwrap_or(settings.max_size);
    if !door.taken.has_room(length, settings.max_total) {
        let mut full = away("There is no room for more files here.", "`attachments.max_total` is reached");
        full.retry_after = Some(Duration::from_secs(60));
        return Err(full);
    }
    let _room = door.room(&who, length).await?;
    // Files are compressed as they are: one that is packed once more has no type of ours.
    let bounds = Limits { body: settings.max_size, arrival: door.arrival, ..Limits::default() };
    let bytes = limits::read_raw(headers, body, &bounds).await.map_err(|error| match error.status {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(settings.max_size),
        _ => error,
    })?;
    let kind = file::type_of(&bytes).filter(|kind| settings.types.contains(kind)).ok_or_else(|| {
        let types: Vec<&str> = settings.types.iter().map(|kind| kind.media_type()).collect();
        let detail = format!("By its first bytes the file is none of {}.", types.join(", "));
        ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "type_refused", detail)
    })?;
    let dimensions = file::dimensions(kind, &bytes);
    let most = u64::try_from(settings.max_customer).unwrap_or(u64::MAX);
    let new = NewAttachment { name, kind, dimensions, bytes };
    let kept = door.record.keep_attachment(&who.customer, new, most, door.chat.shared.clock.now()).await?;
    let kept = kept.ok_or_else(|| {
        let detail = format!("All files of one customer together may take {most} bytes, and yours take nearly that.");
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many", detail)
    })?;
    door.taken.add(kept.size);
    Ok(kept)
}

fn too_large(most: usize) -> ApiError {
    let detail = format!("The file is larger than {most} bytes.");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
}

/// A file's name, without marks that would turn its direction and so its ending around.
fn name(given: &str) -> Result<String, ApiError> {
    let turns =
        |c: &char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let name: String = given.chars().filter(|c| !turns(c)).collect();
    let name = name.trim();
    let wrong = |c: char| c.is_control() || matches!(c, '/' | '\\' | '\u{2028}' | '\u{2029}');
    if !(1..=MAX_NAME).contains(&name.chars().count()) || name.chars().any(wrong) || matches!(name, "." | "..") {
        let detail =
            format!("`name` is the file's name: 1 to {MAX_NAME} characters, no control characters, `/` or `\\`.");
        let mut error = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "name", detail);
        error.problem.pointer = Some("query name".to_owned());
        return Err(error);
    }
    Ok(name.to_owned())
}

/// `GET /v1/chat/attachments/{id}`: a file of the customer who asks. Another's is as if it were not there.
async fn download(
    State(door): State<Door>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let who = door.known(&headers).await?;
    let Path(id) = id?;
    let id = AttachmentId::parse(&id).ok_or_else(files::gone)?;
    let found = door.record.attachment(&id).await?;
    let (_, file) = found.filter(|(owner, _)| *owner == who.customer).ok_or_else(files::gone)?;
    files::send(&door.record, &file).await.map(files::across_origins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_and_no_path() {
        for bad in ["", "  ", "a/b", "..\\b", "a\nb", "a\u{0}", "a\u{85}b", "a\u{2028}b", "..", "\u{202e}"] {
            assert_eq!(name(bad).unwrap_err().status, StatusCode::UNPROCESSABLE_ENTITY, "{bad:?}");
        }
        assert!(name(&"\u{e4}".repeat(200)).is_ok() && name(&"x".repeat(201)).is_err());
        assert_eq!(name("photo\u{202e}gnp.exe").unwrap(), "photognp.exe");
        assert_eq!(
            name(" \u{625}\u{64a}\u{635}\u{627}\u{644}.pdf ").unwrap(),
            "\u{625}\u{64a}\u{635}\u{627}\u{644}.pdf"
        );
    }
}
