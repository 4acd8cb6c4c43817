//! Checks that every event passes, whatever its format: names, times, customers.
//!
//! Times before 1970 and after 2261 are refused. A time more than [`MAX_AHEAD`] ahead of ours is a clock that is wrong:
//! the time of receipt stands in for it.

use serde_json::Value;

use super::Refused;
use crate::model::ids::{ActorId, MAX_ID};
use crate::model::time::{Millis, Ms};

/// How far ahead of ours a sender's clock may be.
pub const MAX_AHEAD: Millis = Millis::hours(24);

/// What types of our own begin with; nobody else may send them.
const OWN: &str = "beckon.";

/// An id or name: not empty, at most [`MAX_ID`] bytes, no control characters.
///
/// # Errors
/// What is wrong with it.
pub fn name(pointer: &str, text: &str) -> Result<String, Refused> {
    if text.is_empty() {
        return Err(Refused::at(pointer, "must not be empty"));
    }
    if text.len() > MAX_ID {
        return Err(Refused::at(pointer, format!("{} bytes; at most {MAX_ID} are taken", text.len())));
    }
    if text.chars().any(char::is_control) {
        return Err(Refused::at(pointer, "has a control character"));
    }
    Ok(text.to_owned())
}

/// The type of an event: a name that is not one of Beckon's own.
///
/// # Errors
/// What is wrong with it.
pub fn kind(pointer: &str, text: &str) -> Result<String, Refused> {
    if text.starts_with(OWN) {
        return Err(Refused::at(pointer, format!("types that begin with `{OWN}` are Beckon's own")));
    }
    name(pointer, text)
}

/// A time as RFC 3339; far in the future it becomes `received`.
///
/// # Errors
/// It is none, or before 1970 or after 2261.
pub fn time(pointer: &str, text: &str, received: Ms) -> Result<Ms, Refused> {
    let Some(time) = Ms::parse_rfc3339(text) else {
        let shown: String = text.chars().take(64).collect();
        return Err(Refused::at(pointer, format!("`{shown}` is no RFC 3339 time from 1970 to 2261")));
    };
    Ok(within(time, received))
}

/// The same time, or `received` where it is too far in the future.
pub fn within(time: Ms, received: Ms) -> Ms {
    if time > received.plus(MAX_AHEAD) { received } else { time }
}

/// A customer as `user:<id>` or `anon:<id>`.
///
/// # Errors
/// What is wrong with it.
pub fn customer(pointer: &str, text: &str) -> Result<ActorId, Refused> {
    ActorId::parse(text).map_err(|_| {
        let detail = format!("a customer is `user:<id>` or `anon:<id>`, at most {MAX_ID} bytes, no control characters");
        Refused::at(pointer, detail)
    })
}

/// A customer from `prefix` (`user` or `anon`) and an id.
///
/// # Errors
/// What is wrong with the id.
pub fn customer_of(pointer: &str, prefix: &str, id: &str) -> Result<ActorId, Refused> {
    name(pointer, id)?;
    customer(pointer, &format!("{prefix}:{id}"))
}

/// A member as text; null is absent.
///
/// # Errors
/// It is neither.
pub fn text<'v>(pointer: &str, value: Option<&'v Value>) -> Result<Option<&'v str>, Refused> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refused::at(pointer, "must be a text")),
    }
}

/// A member as text or whole number, since senders mix them up in ids; null and empty are absent.
///
/// # Errors
/// It is neither.
pub fn id(pointer: &str, value: Option<&Value>) -> Result<Option<String>, Refused> {
    match value {
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => Ok(Some(number.to_string())),
        other => Ok(text(pointer, other)?.filter(|text| !text.is_empty()).map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_plain() {
        assert!(name("/id", "a b / é 😀 {} ..").is_ok());
        assert!(name("/id", &"x".repeat(MAX_ID)).is_ok());
        for wrong in ["", "a\nb", "a\u{7f}", &"x".repeat(MAX_ID + 1)] {
            assert_eq!(name("/id", wrong).unwrap_err().pointer, "/id");
        }
        assert!(kind("/type", "beckon.open").is_err());
    }

    #[test]
    fn a_clock_far_ahead_is_not_believed() {
        let received = Ms::parse_rfc3339("2026-11-23T12:00:00Z").unwrap();
        let soon = "2026-11-24T11:59:00Z";
        assert_eq!(time("/time", soon, received).unwrap(), Ms::parse_rfc3339(soon).unwrap());
        assert_eq!(time("/time", "2031-01-01T00:00:00Z", received).unwrap(), received);
        for wrong in ["9999-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "-0001-01-01T00:00:00Z", "yesterday", ""] {
            assert_eq!(time("/time", wrong, received).unwrap_err().pointer, "/time", "{wrong}");
        }
    }

    #[test]
    fn a_customers_id_cannot_change_its_kind() {
        assert_eq!(customer_of("/userId", "user", "anon:x").unwrap().as_str(), "user:anon:x");
        assert!(customer_of("/userId", "user", "").is_err());
        assert!(customer_of("/userId", "user", &"x".repeat(MAX_ID)).is_err());
    }
}
