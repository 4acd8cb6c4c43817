//! Customers whom an API names page by page: what it is asked, and what its answer says.

use serde_json::{Map, Value};

use super::named;
use crate::model::event::Event;
use crate::model::pattern::PagedCall;
use crate::model::scope::{Scope, event_value};
use crate::model::topic::{Cursor, Found};

/// The arguments of a call for a page; those that are null are left out.
///
/// # Errors
/// Which cannot be computed.
pub fn arguments(call: &PagedCall, event: &Event, cursor: &Cursor) -> Result<Map<String, Value>, String> {
    let mut scope = Scope::new();
    scope.bind("event", event_value(event));
    let cursor = match cursor {
        Cursor::After(next) => Value::from(next.as_str()),
        Cursor::Start | Cursor::End => Value::Null,
    };
    scope.bind("cursor", cursor);
    let mut args = Map::new();
    for (name, expression) in &call.with {
        let value = scope.value(expression).map_err(|problem| format!("{name}: {problem}"))?;
        if !value.is_null() {
            args.insert(name.clone(), value);
        }
    }
    Ok(args)
}

/// The customers that an answer names, and where the next page begins.
///
/// # Errors
/// Why it names none.
pub fn page_of(call: &PagedCall, event: &Event, answer: Value) -> Result<Found, String> {
    let mut scope = Scope::new();
    scope.bind("event", event_value(event));
    scope.bind("answer", answer);
    let customers = named(&scope, &call.each)?;
    let next = match &call.next {
        None => None,
        Some(expression) => match scope.value(expression)? {
            Value::Null => None,
            Value::String(next) if next.is_empty() => None,
            Value::String(next) => Some(next),
            Value::Number(next) => Some(next.to_string()),
            _ => return Err(format!("{}: it is neither text nor a number", expression.source)),
        },
    };
    Ok(Found { customers, next })
}
