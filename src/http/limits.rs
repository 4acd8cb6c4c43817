//! Bounds on what is read of a request, and reading within them.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use futures_util::StreamExt;

use super::problem::ApiError;
use crate::ingest::body::{BadBody, unpack};

/// Bounds on requests, from the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest body in bytes, as sent and unpacked.
    pub body: usize,
    /// The largest event of a batch in bytes.
    pub item: usize,
    /// The most events of one request.
    pub items: usize,
    /// How long headers and body may take.
    pub arrival: Duration,
    /// Requests of one key in a second; more are answered 429.
    pub rate: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { body: 2 << 20, item: 256 << 10, items: 2_500, arrival: Duration::from_secs(30), rate: 20_000 }
    }
}

/// The body of a request, unpacked; never more than the bound is held.
///
/// # Errors
/// 413 larger than the bound, 415 an encoding that is not gzip, 400 cut or no gzip, 408 too slow.
pub async fn read(headers: &HeaderMap, body: Body, limits: &Limits) -> Result<Vec<u8>, ApiError> {
    let raw = read_raw(headers, body, limits).await?;
    let encoding = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?"));
    unpack(raw, encoding, limits.body).map_err(|bad| match bad {
        BadBody::TooLarge(_) => too_large(limits),
        BadBody::Encoding(_) => {
            let mut error = ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-format", bad.to_string());
            error.problem.pointer = Some("header content-encoding".to_owned());
            error
        }
        BadBody::NotGzip => {
            let mut error = ApiError::new(StatusCode::BAD_REQUEST, "invalid", bad.to_string());
            error.problem.pointer = Some("header content-encoding".to_owned());
            error
        }
    })
}

/// The body as it was sent.
///
/// # Errors
/// 413 larger than the bound, 400 cut, 408 too slow.
pub async fn read_raw(headers: &HeaderMap, body: Body, limits: &Limits) -> Result<Vec<u8>, ApiError> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let bound = u64::try_from(limits.body).unwrap_or(u64::MAX);
    if announced.is_some_and(|length| length > bound) {
        return Err(too_large(limits));
    }
    let reading = async {
        let mut held = Vec::new();
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| {
                let mut cut = ApiError::new(StatusCode::BAD_REQUEST, "invalid", "The body did not arrive whole.");
                cut.cause = Some(error.to_string());
                cut
            })?;
            if held.len().saturating_add(chunk.len()) > limits.body {
                return Err(too_large(limits));
            }
            held.extend_from_slice(&chunk);
        }
        Ok(held)
    };
    let slow = || ApiError::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "The body took too long to arrive.");
    tokio::time::timeout(limits.arrival, reading).await.map_err(|_| slow())?
}

fn too_large(limits: &Limits) -> ApiError {
    let detail = format!("The body is larger than {} bytes.", limits.body);
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
}

/// Headers of a request for `ingest`, which knows nothing of HTTP libraries.
pub fn headers_of(headers: &HeaderMap) -> crate::ingest::Headers {
    headers.iter().map(|(name, value)| (name.as_str(), HeaderValue::as_bytes(value))).collect()
}
