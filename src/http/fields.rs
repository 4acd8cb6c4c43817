//! Reading the fields of a request's JSON body, with errors that point at the field.

use axum::body::Body;
use axum::http::HeaderMap;
use serde_json::{Map, Value};

use super::intake::json_of;
use super::limits::{Limits, read};
use super::problem::ApiError;
use crate::model::json::escape;

/// The longest text that a person says at once, in bytes.
pub const MAX_TEXT: usize = 16 << 10;

/// The body as an object that has no other fields than those named.
///
/// # Errors
/// 400 where it is none or has others, and what reading gives.
pub async fn object(
    headers: &HeaderMap,
    body: Body,
    limits: &Limits,
    known: &[&str],
) -> Result<Map<String, Value>, ApiError> {
    let body = read(headers, body, limits).await?;
    let object = if body.iter().all(u8::is_ascii_whitespace) { Value::Object(Map::new()) } else { json_of(&body)? };
    let Value::Object(object) = object else {
        return Err(ApiError::invalid("", "The body is an object."));
    };
    if let Some(other) = object.keys().find(|name| !known.contains(&name.as_str())) {
        let detail = format!("There is no such field here; there are {}.", known.join(", "));
        return Err(ApiError::invalid(format!("/{}", escape(other)), detail));
    }
    Ok(object)
}

/// A text that must be there.
///
/// # Errors
/// 400: it is missing, empty or no text.
pub fn required(object: &Map<String, Value>, name: &str) -> Result<String, ApiError> {
    match optional(object, name)? {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(ApiError::invalid(format!("/{name}"), format!("`{name}` is required."))),
    }
}

/// A text that may be there; null is not there.
///
/// # Errors
/// 400: it is no text, or too long.
pub fn optional(object: &Map<String, Value>, name: &str) -> Result<Option<String>, ApiError> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= MAX_TEXT => Ok(Some(text.clone())),
        Some(Value::String(_)) => {
            Err(ApiError::invalid(format!("/{name}"), format!("`{name}` may have {MAX_TEXT} bytes.")))
        }
        Some(_) => Err(ApiError::invalid(format!("/{name}"), format!("`{name}` is a text."))),
    }
}

/// A whole number from 0 that must be there.
///
/// # Errors
/// 400: it is missing or no such number.
pub fn number(object: &Map<String, Value>, name: &str) -> Result<u32, ApiError> {
    let number = object.get(name).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| ApiError::invalid(format!("/{name}"), format!("`{name}` is a whole number from 0.")))
}
